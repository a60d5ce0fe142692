//! The outbox: actions in order, with a fence so that nothing leaves before what it speaks of is durable.

use std::collections::{BTreeMap, VecDeque};

use crdt::id::AlbumId;

use crate::event::{Action, Token};

/// Actions waiting for the shell.
#[derive(Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Action>,
    /// Each with the last write begun before it.
    fenced: VecDeque<(Token, Action)>,
    /// Writes begun.
    begun: u64,
    /// Writes begun and not yet settled, with their albums.
    open: BTreeMap<Token, AlbumId>,
}

impl Outbox {
    /// A number for a new write. From now on fenced actions wait for it.
    pub(crate) fn next_token(&mut self, album: AlbumId) -> Token {
        self.begun += 1;
        let token = Token(self.begun);
        self.open.insert(token, album);
        token
    }

    /// May be done at once.
    pub(crate) fn push(&mut self, action: Action) {
        self.ready.push_back(action);
    }

    /// Must wait until all writes begun so far are durable.
    pub(crate) fn push_fenced(&mut self, action: Action) {
        self.fenced.push_back((Token(self.begun), action));
    }

    /// A write is durable. Returns its album.
    pub(crate) fn persisted(&mut self, token: Token) -> Option<AlbumId> {
        self.open.remove(&token)
    }

    /// A write failed: what waited for it and may speak of lost ops is not said. (Peers learn the rest by
    /// anti-entropy, askers ask again.) What speaks of other albums only stays.
    pub(crate) fn dropped(&mut self, token: Token, album: AlbumId) {
        self.open.remove(&token);
        for (fence, action) in std::mem::take(&mut self.fenced) {
            let action = match action {
                action if fence < token => action,
                Action::Access => Action::Access,
                Action::Publish { album: of, .. }
                | Action::Changed { album: of, .. }
                | Action::Arrived { album: of, .. }
                    if of == album =>
                {
                    continue;
                }
                Action::Answer { call, .. }
                | Action::ServeList { call, .. }
                | Action::ServeChunks { call, .. } => {
                    self.ready.push_back(Action::Answer {
                        call,
                        frames: Vec::new(),
                    });
                    continue;
                }
                action => action,
            };
            self.fenced.push_back((fence, action));
        }
    }

    /// Whether a write of this album is under way.
    pub(crate) fn is_writing(&self, album: AlbumId) -> bool {
        self.open.values().any(|of| *of == album)
    }

    /// The next action that may be done.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        if let Some(action) = self.ready.pop_front() {
            return Some(action);
        }
        let (fence, _) = self.fenced.front()?;
        if self.open.first_key_value().is_some_and(|(open, _)| open <= fence) {
            return None;
        }
        self.fenced.pop_front().map(|(_, action)| action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CallId;

    const TRIP: AlbumId = AlbumId([1; 32]);
    const OTHER: AlbumId = AlbumId([2; 32]);

    fn drained(out: &mut Outbox) -> usize {
        std::iter::from_fn(|| out.poll()).count()
    }

    fn publish(album: AlbumId) -> Action {
        Action::Publish {
            album,
            payload: vec![],
        }
    }

    #[test]
    fn nothing_passes_the_fence_before_its_write() {
        let mut out = Outbox::default();
        out.push_fenced(Action::Access);
        assert_eq!(drained(&mut out), 1, "no write begun, no fence");
        let only = out.next_token(TRIP);
        out.push_fenced(Action::Access);
        assert_eq!(drained(&mut out), 0, "the write just begun is open");
        out.persisted(only);
        assert_eq!(drained(&mut out), 1);
        let (first, second) = (out.next_token(TRIP), out.next_token(TRIP));
        out.push_fenced(Action::Access);
        out.persisted(second);
        assert_eq!(drained(&mut out), 0, "the first write is still open");
        out.persisted(first);
        assert_eq!(drained(&mut out), 1);
    }

    #[test]
    fn a_failed_write_silences_what_spoke_of_it() {
        let mut out = Outbox::default();
        let good = out.next_token(OTHER);
        out.push_fenced(Action::Access);
        let bad = out.next_token(TRIP);
        out.push_fenced(publish(TRIP));
        out.push_fenced(publish(OTHER));
        out.dropped(bad, TRIP);
        out.persisted(good);
        assert!(matches!(out.poll(), Some(Action::Access)));
        assert!(
            matches!(out.poll(), Some(Action::Publish { album: OTHER, .. })),
            "another album's word stands"
        );
        assert!(out.poll().is_none());
    }

    /// A call that is neither answered nor ended would leave the asker hanging and the shell's table growing.
    #[test]
    fn a_failed_write_ends_every_call_that_waited() {
        let mut out = Outbox::default();
        let bad = out.next_token(TRIP);
        let blob = crdt::id::BlobHash([3; 32]);
        let peer = crdt::id::PublicKey([4; 32]);
        out.push_fenced(Action::Answer {
            call: CallId(1),
            frames: vec![vec![1]],
        });
        out.push_fenced(Action::ServeList {
            call: CallId(2),
            peer,
            blob,
        });
        out.push_fenced(Action::ServeChunks {
            call: CallId(3),
            peer,
            blob,
            chunks: vec![],
        });
        out.dropped(bad, TRIP);
        let ended: Vec<u64> = std::iter::from_fn(|| out.poll())
            .filter_map(|action| match action {
                Action::Answer { call, frames } if frames.is_empty() => Some(call.0),
                _ => None,
            })
            .collect();
        assert_eq!(ended, [1, 2, 3]);
    }
}
