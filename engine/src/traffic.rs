//! Messages and bytes between this replica and each peer, by kind: what `/net` shows.

use std::collections::BTreeMap;

use crdt::id::PublicKey;

use crate::limits::TRAFFIC_PEERS_MAX;
use crate::wire::Call;

/// What a message is for (docs/protocol.md §5 and §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Gossip with ops: live edits, in the form of the strategy.
    Edits,
    /// Gossip without ops: a hint that something is new.
    Hints,
    /// `hello`, `tree`, `heads`: where do we differ?
    Compare,
    /// `ops`, `refs`: what one side lacks.
    Pull,
    /// `have`: who holds which bytes.
    Have,
    /// `chunks`, `blob`: image bytes.
    Blobs,
    /// Requests that were refused or not understood.
    Refused,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] = [
        Kind::Edits,
        Kind::Hints,
        Kind::Compare,
        Kind::Pull,
        Kind::Have,
        Kind::Blobs,
        Kind::Refused,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Edits => "edits",
            Kind::Hints => "hints",
            Kind::Compare => "compare",
            Kind::Pull => "pull",
            Kind::Have => "have",
            Kind::Blobs => "blobs",
            Kind::Refused => "refused",
        }
    }
}

impl From<&Call> for Kind {
    fn from(call: &Call) -> Self {
        match call {
            Call::Hello { .. } | Call::Tree { .. } | Call::Heads { .. } => Kind::Compare,
            Call::Ops { .. } | Call::Refs { .. } => Kind::Pull,
            Call::Have { .. } => Kind::Have,
            Call::Chunks { .. } | Call::Blob { .. } => Kind::Blobs,
        }
    }
}

/// Messages and their bytes, as JSON and chunks: what frames and encryption add is not in it. A request is one message,
/// each frame of its answer is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// Messages received.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Messages sent.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
}

impl std::ops::AddAssign for Flow {
    fn add_assign(&mut self, more: Flow) {
        self.messages_in += more.messages_in;
        self.bytes_in += more.bytes_in;
        self.messages_out += more.messages_out;
        self.bytes_out += more.bytes_out;
    }
}

impl std::ops::Sub for Flow {
    type Output = Flow;

    fn sub(self, before: Flow) -> Flow {
        Flow {
            messages_in: self.messages_in.saturating_sub(before.messages_in),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            messages_out: self.messages_out.saturating_sub(before.messages_out),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
        }
    }
}

/// The flows with each peer. Peers beyond [`TRAFFIC_PEERS_MAX`] share a place without a name.
#[derive(Debug, Clone, Default)]
pub struct Traffic(BTreeMap<(Option<PublicKey>, Kind), Flow>);

impl Traffic {
    /// Counts a message from a peer.
    pub fn received(&mut self, peer: PublicKey, kind: Kind, bytes: usize) {
        *self.place(peer, kind) += Flow {
            messages_in: 1,
            bytes_in: bytes as u64,
            ..Flow::default()
        };
    }

    /// Counts a message to a peer.
    pub fn sent(&mut self, peer: PublicKey, kind: Kind, bytes: usize) {
        *self.place(peer, kind) += Flow {
            messages_out: 1,
            bytes_out: bytes as u64,
            ..Flow::default()
        };
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Traffic) {
        for ((peer, kind), flow) in &other.0 {
            *self.0.entry((*peer, *kind)).or_default() += *flow;
        }
    }

    /// What came since an earlier look.
    pub fn since(&self, before: &Traffic) -> Traffic {
        let less = |(key, flow): (&(Option<PublicKey>, Kind), &Flow)| {
            let before = before.0.get(key).copied().unwrap_or_default();
            (*key, *flow - before)
        };
        Traffic(self.0.iter().map(less).collect())
    }

    /// Each peer's flows; without a key those that share a place.
    pub fn flows(&self) -> impl Iterator<Item = (Option<PublicKey>, Kind, Flow)> + '_ {
        self.0.iter().map(|((peer, kind), flow)| (*peer, *kind, *flow))
    }

    fn place(&mut self, peer: PublicKey, kind: Kind) -> &mut Flow {
        let known = self
            .0
            .range((Some(peer), Kind::Edits)..=(Some(peer), Kind::Refused))
            .next()
            .is_some();
        let peer = (known || self.peers() < TRAFFIC_PEERS_MAX).then_some(peer);
        self.0.entry((peer, kind)).or_default()
    }

    fn peers(&self) -> usize {
        let mut peers: Vec<_> = self.0.keys().filter_map(|(peer, _)| *peer).collect();
        peers.dedup();
        peers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_kept_by_peer_and_kind_and_strangers_do_not_fill_the_table() {
        let mut traffic = Traffic::default();
        let key = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&(number as u64).to_be_bytes());
            PublicKey(key)
        };
        for number in 0..TRAFFIC_PEERS_MAX {
            traffic.sent(key(number), Kind::Pull, 10);
        }
        let before = traffic.clone();
        assert!(before.flows().all(|(peer, _, _)| peer.is_some()), "at the limit");
        for number in TRAFFIC_PEERS_MAX..TRAFFIC_PEERS_MAX + 9 {
            traffic.received(key(number), Kind::Edits, 1);
        }
        // Who has a place keeps it, also for another kind.
        traffic.received(key(3), Kind::Edits, 7);
        let new: Vec<_> = traffic
            .since(&before)
            .flows()
            .filter(|(_, _, flow)| *flow != Flow::default())
            .collect();
        let received = |messages_in, bytes_in| Flow {
            messages_in,
            bytes_in,
            ..Flow::default()
        };
        assert_eq!(
            new,
            [
                (None, Kind::Edits, received(9, 9)),
                (Some(key(3)), Kind::Edits, received(1, 7))
            ]
        );
    }
}
