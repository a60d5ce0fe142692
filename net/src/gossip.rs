//! Gossip over a link: between our SUB and the peer's PUB ([`follow`]), and between the peer's SUB and our
//! PUB ([`serve`]). Each is one stream of ZMTP bytes; each side filters what it sends and what it gets.
//!
//! The SUB's guard writes the subscriptions itself, from the topics wanted and the policy, and again when
//! either changes. The PUB's guard remembers what the peer wants (at most 64 topics) and tells the PUB only
//! what the peer may read now: what it may not is counted and waits for a [`crate::Net::recheck`], for
//! honest peers learn of a membership at different times. For the same reason a message about a topic that
//! is not wanted or not allowed is dropped and counted, not cut.
//!
//! *Probes* tell when a subscription is active: after its topics the SUB's guard subscribes to a probe topic;
//! the PUB's guard has its own PUB publish on one until it comes through, then answers in kind. Only then is
//! the link called up. The same markers pace the PUB ([`crate::bus::Pace`]).

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crdt::id::{AlbumId, PublicKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::bus::PACE_PROBE;
use crate::limits;
use crate::rate::Bucket;
use crate::state::Shared;
use crate::transport::Stream;
use crate::zmtp::{
    Cut, Downstream, Handshake, Kind, Upstream, Verdict, Wish, probe_number, probe_topic, put_message,
    put_subscription,
};

/// Bytes read at once from either side.
const PIECE_BYTES: usize = 16 * 1024;
/// Time between two probes of our PUB while a subscription is becoming active.
const PROBE_EVERY: Duration = Duration::from_millis(2);
/// An outbox gives memory back when it is empty and larger than this.
const OUTBOX_KEEP_BYTES: usize = 64 * 1024;

/// Why gossip, and with it the link, ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("{0}")]
    Cut(#[from] Cut),
    #[error("more than {} subscriptions", limits::SUBSCRIPTIONS_MAX)]
    Subscriptions,
    #[error("too many subscriptions a second")]
    SubscriptionFlood,
    #[error("too many messages a second")]
    Flood,
    #[error("more than {0} bytes were waiting for it")]
    Slow(usize),
    #[error("it read nothing for too long")]
    Stalled,
    #[error("the peer ended its gossip")]
    Peer,
    #[error("the local bus: {0}")]
    Local(String),
}

impl End {
    /// The counter of a cut; `None` when the peer broke no rule.
    pub(crate) fn cut_kind(&self) -> Option<&'static str> {
        match self {
            End::Cut(Cut::Forged) => Some("forged_from"),
            End::Flood => Some("gossip_flood"),
            End::Cut(_) | End::Subscriptions | End::SubscriptionFlood => Some("gossip_frame"),
            End::Slow(_) | End::Stalled | End::Peer | End::Local(_) => None,
        }
    }
}

fn local(error: impl std::fmt::Display) -> End {
    End::Local(error.to_string())
}

/// Bytes on their way to one side.
#[derive(Debug)]
struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    total_sent: u64,
    /// Last time something was sent, or there was nothing to send.
    moved: Instant,
    /// Bytes that may wait.
    most: usize,
}

impl Outbox {
    fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            sent: 0,
            total_sent: 0,
            moved: Instant::now(),
            most,
        }
    }

    /// Whether more waits than may.
    fn check(&self) -> Result<(), End> {
        if self.len() > self.most {
            Err(End::Slow(self.most))
        } else {
            Ok(())
        }
    }

    fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Where to append; call when about to.
    fn end(&mut self) -> &mut Vec<u8> {
        if self.is_empty() {
            self.moved = Instant::now();
        }
        &mut self.bytes
    }

    /// How many bytes will have been sent once `bytes` is sent up to this length.
    fn position(&self, length: usize) -> u64 {
        self.total_sent + (length - self.sent) as u64
    }

    fn advance(&mut self, n: usize) {
        self.sent += n;
        self.total_sent += n as u64;
        self.moved = Instant::now();
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(OUTBOX_KEEP_BYTES);
            self.sent = 0;
        } else if self.sent >= OUTBOX_KEEP_BYTES && self.sent * 2 >= self.bytes.len() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}

/// Carries what the peer publishes to our SUB. `active` turns true once our first subscriptions are active
/// in the peer's PUB. Returns only to say why it ended.
pub(crate) async fn follow(
    shared: &Shared,
    peer: PublicKey,
    stream: Stream,
    active: &watch::Sender<bool>,
) -> End {
    let near = match shared.bus.connect_sub().await {
        Ok(near) => near,
        Err(error) => return local(error),
    };
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = tokio::io::split(stream);
    let (mut near_piece, mut far_piece) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut handshake = Handshake::new(Kind::Sub);
    let mut downstream = Downstream::new(peer.0);
    let mut to_far = Outbox::new(limits::UPSTREAM_WAITING_BYTES_MAX);
    // What is in it keeps us from reading more.
    let mut to_near = Outbox::new(usize::MAX);
    let mut asked = BTreeSet::new();
    let mut rights = shared.rights.subscribe();
    let mut flow = Flow::new();
    let probe = shared.peers.number();
    let mut subscribed = false;

    loop {
        let stalled = to_far.moved + shared.times.progress;
        tokio::select! {
            read = near_read.read(&mut near_piece) => match read {
                Ok(n) if n > 0 => {
                    // After its handshake our SUB only repeats that it wants everything.
                    let mut bytes = &near_piece[..n];
                    if let Err(cut) = handshake.push(&mut bytes, to_far.end()) {
                        return local(cut);
                    }
                }
                Ok(_) => return local("sub hung up"),
                Err(error) => return local(error),
            },
            read = far_read.read(&mut far_piece), if to_near.is_empty() => match read {
                Ok(n) if n > 0 => {
                    let mut answered = false;
                    let pushed = downstream.push(
                        &far_piece[..n],
                        to_near.end(),
                        &mut |topic| match flow.take() {
                            true => judge_incoming(shared, &peer, topic),
                            false => {
                                shared.tally.add("gossip_over");
                                Verdict::Drop
                            }
                        },
                        &mut |number, _, _| answered |= number == probe,
                    );
                    if let Err(cut) = pushed {
                        return cut.into();
                    }
                    if flow.is_flood {
                        return End::Flood;
                    }
                    if answered {
                        active.send_replace(true);
                    }
                }
                Ok(_) | Err(_) => return End::Peer,
            },
            wrote = far_write.write(to_far.waiting()), if !to_far.is_empty() => match wrote {
                Ok(n) if n > 0 => to_far.advance(n),
                Ok(_) | Err(_) => return End::Peer,
            },
            wrote = near_write.write(to_near.waiting()), if !to_near.is_empty() => match wrote {
                Ok(n) if n > 0 => to_near.advance(n),
                Ok(_) => return local("sub takes nothing"),
                Err(error) => return local(error),
            },
            moved = rights.changed(), if subscribed => {
                if moved.is_err() {
                    return local("stopped");
                }
                update_wishes(shared, &peer, &mut asked, to_far.end());
            }
            () = sleep_until(stalled), if !to_far.is_empty() => return End::Stalled,
        }
        // Both sides' READY first: the peer's may overtake our SUB's.
        if !subscribed && handshake.is_done() && downstream.is_ready() {
            subscribed = true;
            rights.mark_unchanged();
            update_wishes(shared, &peer, &mut asked, to_far.end());
            put_subscription(to_far.end(), true, &probe_topic(probe));
        }
        if let Err(slow) = to_far.check() {
            return slow;
        }
    }
}

/// How fast a peer's messages come.
struct Flow {
    taken: Bucket,
    dropped: Bucket,
    /// Whether more were dropped than is bearable.
    is_flood: bool,
}

impl Flow {
    fn new() -> Self {
        Self {
            taken: Bucket::new(limits::GOSSIP_MESSAGES_BURST, limits::GOSSIP_MESSAGES_PER_S),
            dropped: Bucket::new(limits::GOSSIP_DROPPED_BURST, limits::GOSSIP_MESSAGES_PER_S),
            is_flood: false,
        }
    }

    /// Whether one more message is taken.
    fn take(&mut self) -> bool {
        let taken = self.taken.take();
        self.is_flood |= !taken && !self.dropped.take();
        taken
    }
}

/// Whether a message of the peer's reaches our SUB.
fn judge_incoming(shared: &Shared, peer: &PublicKey, topic: &[u8; 32]) -> Verdict {
    let topic = AlbumId(*topic);
    if !shared.topics.borrow().contains(&topic) {
        shared.tally.add("gossip_unwanted");
        return Verdict::Drop;
    }
    if !shared.policy.may_read(peer, &topic) {
        shared.refuse(
            "gossip_topic",
            Some(*peer),
            format!("published on {topic}, which it may not read"),
        );
        return Verdict::Drop;
    }
    Verdict::Pass
}

/// Brings what the peer's PUB was asked for up to what we want and the peer may know of.
fn update_wishes(shared: &Shared, peer: &PublicKey, asked: &mut BTreeSet<AlbumId>, out: &mut Vec<u8>) {
    let topics = shared.topics.borrow().clone();
    let mut want: BTreeSet<AlbumId> = topics
        .iter()
        .filter(|topic| shared.policy.may_read(peer, topic))
        .copied()
        .collect();
    while want.len() > limits::SUBSCRIPTIONS_MAX {
        shared.tally.add("subscriptions_over");
        want.pop_last();
    }
    // Ends first, so that the peer never sees more than the limit.
    for topic in asked.difference(&want) {
        put_subscription(out, false, &topic.0);
    }
    for topic in want.difference(asked) {
        put_subscription(out, true, &topic.0);
    }
    *asked = want;
}

/// Carries what our PUB publishes to the peer's SUB, as far as the peer may read it. Returns only to say why
/// it ended.
pub(crate) async fn serve(shared: &Shared, peer: PublicKey, link: u64, stream: Stream) -> End {
    let near = match shared.bus.connect_pub().await {
        Ok(near) => near,
        Err(error) => return local(error),
    };
    let gate = shared.bus.pace.gate(link);
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = tokio::io::split(stream);
    let (mut near_piece, mut far_piece) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut upstream = Upstream::new();
    let mut downstream = Downstream::new(shared.me.0);
    let mut to_far = Outbox::new(limits::GOSSIP_WAITING_BYTES_MAX);
    let mut to_near = Outbox::new(usize::MAX);
    let mut wishes = Wishes::new(peer);
    let mut markers: VecDeque<(u64, u64)> = VecDeque::new();
    let mut rights = shared.rights.subscribe();
    let mut tick = interval(PROBE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut paced = false;

    loop {
        let stalled = to_far.moved + shared.times.progress;
        tokio::select! {
            // Always: what our PUB cannot hand over it keeps, without bound.
            read = near_read.read(&mut near_piece) => match read {
                Ok(n) if n > 0 => {
                    let mut probes = Vec::new();
                    let pushed = downstream.push(
                        &near_piece[..n],
                        to_far.end(),
                        &mut |topic| wishes.judge(shared, topic),
                        &mut |number, value, length| probes.push((number, value, length)),
                    );
                    if let Err(cut) = pushed {
                        return local(cut);
                    }
                    for (number, value, length) in probes {
                        // Whichever it is, our subscription to the markers came before.
                        gate.ready();
                        if number == PACE_PROBE {
                            markers.push_back((to_far.position(length), value.unwrap_or(0)));
                        } else if let Some(answer) = wishes.on_probe(number) {
                            put_subscription(to_near.end(), false, &probe_topic(number));
                            put_message(to_far.end(), &probe_topic(answer), &shared.me.0, &[]);
                        }
                    }
                }
                Ok(_) => return local("pub hung up"),
                Err(error) => return local(error),
            },
            read = far_read.read(&mut far_piece), if to_near.len() < PIECE_BYTES => match read {
                Ok(n) if n > 0 => {
                    let mut heard = Vec::new();
                    if let Err(cut) = upstream.push(&far_piece[..n], to_near.end(), &mut heard) {
                        return cut.into();
                    }
                    if upstream.is_ready() && !paced {
                        paced = true;
                        put_subscription(to_near.end(), true, &probe_topic(PACE_PROBE));
                    }
                    for wish in heard {
                        if let Err(end) = wishes.on_wish(shared, wish, to_near.end()) {
                            return end;
                        }
                    }
                }
                Ok(_) | Err(_) => return End::Peer,
            },
            wrote = far_write.write(to_far.waiting()), if !to_far.is_empty() => match wrote {
                Ok(n) if n > 0 => to_far.advance(n),
                Ok(_) | Err(_) => return End::Peer,
            },
            wrote = near_write.write(to_near.waiting()), if !to_near.is_empty() => match wrote {
                Ok(n) if n > 0 => to_near.advance(n),
                Ok(_) => return local("pub takes nothing"),
                Err(error) => return local(error),
            },
            moved = rights.changed() => {
                if moved.is_err() {
                    return local("stopped");
                }
                wishes.update(shared, to_near.end());
            }
            _ = tick.tick(), if wishes.probe.is_some() => wishes.probe_again(shared),
            () = sleep_until(stalled), if !to_far.is_empty() => return End::Stalled,
        }
        while markers
            .front()
            .is_some_and(|(position, _)| *position <= to_far.total_sent)
        {
            if let Some((_, marker)) = markers.pop_front() {
                gate.reach(marker);
            }
        }
        if let Err(slow) = to_far.check() {
            return slow;
        }
    }
}

/// What a peer's SUB wants from our PUB.
struct Wishes {
    peer: PublicKey,
    wanted: BTreeSet<AlbumId>,
    /// Those the PUB has been told.
    active: BTreeSet<AlbumId>,
    /// Number of our probe under way, and of the peer's that it will answer.
    probe: Option<(u64, u64)>,
    frames: Bucket,
}

impl Wishes {
    fn new(peer: PublicKey) -> Self {
        Self {
            peer,
            wanted: BTreeSet::new(),
            active: BTreeSet::new(),
            probe: None,
            frames: Bucket::new(
                limits::SUBSCRIPTION_FRAMES_BURST,
                limits::SUBSCRIPTION_FRAMES_PER_S,
            ),
        }
    }

    /// Whether a message of our PUB's reaches the peer. Asked for every message: rights may have just changed.
    fn judge(&self, shared: &Shared, topic: &[u8; 32]) -> Verdict {
        let topic = AlbumId(*topic);
        if self.active.contains(&topic) && shared.policy.may_read(&self.peer, &topic) {
            Verdict::Pass
        } else {
            shared.tally.add("gossip_withheld");
            Verdict::Drop
        }
    }

    fn on_wish(&mut self, shared: &Shared, wish: Wish, out: &mut Vec<u8>) -> Result<(), End> {
        if !self.frames.take() {
            return Err(End::SubscriptionFlood);
        }
        match wish {
            Wish::Subscribe(topic) if probe_number(&topic).is_some() => {
                let number = shared.peers.number();
                if let Some((old, _)) = self.probe.take() {
                    put_subscription(out, false, &probe_topic(old));
                }
                self.probe = probe_number(&topic).map(|answer| (number, answer));
                // Behind everything asked for so far: PUB takes them in order.
                put_subscription(out, true, &probe_topic(number));
            }
            Wish::Subscribe(topic) => {
                let topic = AlbumId(topic);
                if !self.wanted.contains(&topic) && self.wanted.len() >= limits::SUBSCRIPTIONS_MAX {
                    return Err(End::Subscriptions);
                }
                if self.wanted.insert(topic) {
                    if shared.policy.may_read(&self.peer, &topic) {
                        self.active.insert(topic);
                        put_subscription(out, true, &topic.0);
                    } else {
                        shared.tally.add("subscription_refused");
                    }
                }
            }
            Wish::Unsubscribe(topic) => {
                self.wanted.remove(&AlbumId(topic));
                if self.active.remove(&AlbumId(topic)) {
                    put_subscription(out, false, &topic);
                }
            }
        }
        Ok(())
    }

    /// Rights may have changed.
    fn update(&mut self, shared: &Shared, out: &mut Vec<u8>) {
        for topic in &self.wanted {
            let may = shared.policy.may_read(&self.peer, topic);
            if may && self.active.insert(*topic) {
                put_subscription(out, true, &topic.0);
            } else if !may && self.active.remove(topic) {
                put_subscription(out, false, &topic.0);
            }
        }
    }

    fn probe_again(&self, shared: &Shared) {
        if let Some((number, _)) = self.probe {
            shared.bus.probe(number);
        }
    }

    /// One of our probes came through: the number to answer the peer with.
    fn on_probe(&mut self, number: u64) -> Option<u64> {
        self.probe
            .take_if(|(ours, _)| *ours == number)
            .map(|(_, answer)| answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_for_a_link_has_a_limit() {
        for most in [
            limits::GOSSIP_WAITING_BYTES_MAX,
            limits::UPSTREAM_WAITING_BYTES_MAX,
        ] {
            let mut outbox = Outbox::new(most);
            // What was sent does not wait.
            outbox.end().extend([0; 100]);
            outbox.advance(100);
            outbox.end().resize(most, 0);
            assert!(outbox.check().is_ok());
            outbox.end().push(0);
            assert!(matches!(outbox.check(), Err(End::Slow(n)) if n == most));
            outbox.advance(1);
            assert!(outbox.check().is_ok());
        }
    }

    /// Subscriptions at once, and one past.
    #[tokio::test(start_paused = true)]
    async fn subscriptions_have_a_rate() {
        let mut frames = Wishes::new(PublicKey([1; 32])).frames;
        let burst = limits::SUBSCRIPTION_FRAMES_BURST as usize;
        assert_eq!((0..=burst).filter(|_| frames.take()).count(), burst);
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = limits::SUBSCRIPTION_FRAMES_PER_S as usize;
        assert_eq!((0..=second).filter(|_| frames.take()).count(), second);
    }

    /// A peer may send a burst, then so many a second. What is more is dropped, and for so long only.
    #[tokio::test(start_paused = true)]
    async fn messages_have_a_rate_and_a_flood_has_an_end() {
        let mut flow = Flow::new();
        for n in 0..limits::GOSSIP_MESSAGES_BURST {
            assert!(flow.take(), "message {n}");
        }
        for n in 0..limits::GOSSIP_DROPPED_BURST {
            assert!(!flow.take() && !flow.is_flood, "message {n} over the burst");
        }
        assert!(!flow.take() && flow.is_flood, "one past");
        // Whoever is only a little too fast loses messages and stays.
        let mut flow = Flow::new();
        let second = limits::GOSSIP_MESSAGES_PER_S;
        for _ in 0..60 {
            let taken = (0..2 * second).filter(|_| flow.take()).count();
            assert!(taken >= second as usize && !flow.is_flood);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test]
    async fn an_outbox_knows_how_far_it_is() {
        let mut outbox = Outbox::new(usize::MAX);
        outbox.end().extend([1; 10]);
        assert_eq!((outbox.len(), outbox.position(10)), (10, 10));
        outbox.advance(4);
        assert_eq!((outbox.len(), outbox.position(10), outbox.total_sent), (6, 10, 4));
        outbox.advance(6);
        assert!(outbox.is_empty() && outbox.position(0) == 10);
        // Sent bytes are given back before all is sent, and the room when it is.
        outbox.end().resize(4 * OUTBOX_KEEP_BYTES, 2);
        outbox.advance(2 * OUTBOX_KEEP_BYTES);
        assert_eq!((outbox.bytes.len(), outbox.sent), (2 * OUTBOX_KEEP_BYTES, 0));
        assert_eq!(
            outbox.position(outbox.bytes.len()),
            10 + 4 * OUTBOX_KEEP_BYTES as u64
        );
        outbox.advance(2 * OUTBOX_KEEP_BYTES);
        assert!(outbox.is_empty() && outbox.bytes.capacity() <= OUTBOX_KEEP_BYTES);
    }
}
