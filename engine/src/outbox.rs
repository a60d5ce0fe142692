//! The outbox: actions in order, with a fence so that nothing leaves before what it speaks of is durable.

use std::collections::{BTreeSet, VecDeque};

use crate::event::{Action, Token};

/// Actions waiting for the shell.
#[derive(Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Action>,
    /// Each with the last write begun before it.
    fenced: VecDeque<(Token, Action)>,
    /// Writes begun.
    begun: u64,
    /// Writes begun and not yet durable.
    open: BTreeSet<Token>,
}

impl Outbox {
    /// A number for a new write. From now on fenced actions wait for it.
    pub(crate) fn next_token(&mut self) -> Token {
        self.begun += 1;
        let token = Token(self.begun);
        self.open.insert(token);
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

    /// A write is durable.
    pub(crate) fn persisted(&mut self, token: Token) {
        self.open.remove(&token);
    }

    /// A write failed: what waited for it and everything after it may speak of lost ops, so it is not said.
    /// (Peers learn the rest by anti-entropy, askers ask again.)
    pub(crate) fn dropped(&mut self, token: Token) {
        self.open.remove(&token);
        let mut kept = VecDeque::new();
        for (fence, action) in std::mem::take(&mut self.fenced) {
            match action {
                action if fence < token => kept.push_back((fence, action)),
                Action::Answer { call, .. } => self.ready.push_back(Action::Answer { call, frames: Vec::new() }),
                Action::Access => kept.push_back((fence, Action::Access)),
                _ => {}
            }
        }
        self.fenced = kept;
    }

    /// The next action that may be done.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        if let Some(action) = self.ready.pop_front() {
            return Some(action);
        }
        let (fence, _) = self.fenced.front()?;
        if self.open.first().is_some_and(|open| open <= fence) {
            return None;
        }
        self.fenced.pop_front().map(|(_, action)| action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(out: &mut Outbox) -> usize {
        std::iter::from_fn(|| out.poll()).count()
    }

    #[test]
    fn nothing_passes_the_fence_before_its_write() {
        let mut out = Outbox::default();
        out.push_fenced(Action::Access);
        assert_eq!(drained(&mut out), 1, "no write begun, no fence");
        let (first, second) = (out.next_token(), out.next_token());
        out.push_fenced(Action::Access);
        out.persisted(second);
        assert_eq!(drained(&mut out), 0, "the first write is still open");
        out.persisted(first);
        assert_eq!(drained(&mut out), 1);
    }

    #[test]
    fn a_failed_write_silences_what_spoke_of_it() {
        let mut out = Outbox::default();
        let good = out.next_token();
        out.push_fenced(Action::Access);
        let bad = out.next_token();
        out.push_fenced(Action::Publish { album: crdt::id::AlbumId([0; 32]), payload: vec![] });
        out.dropped(bad);
        out.persisted(good);
        assert!(matches!(out.poll(), Some(Action::Access)));
        assert!(out.poll().is_none());
    }
}
