//! How many connections may be open that have not shown who they are. Pure.
//!
//! At a limit the newest is let in and the oldest goes: an honest client is through in milliseconds, so whoever
//! just sits there blocks nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::limits::{GUESTS_MAX, HALF_OPEN_MAX, HALF_OPEN_PER_ADDRESS_MAX};
use crate::registry::SessionId;

/// Connections without a session. Ids grow, so the lowest is the oldest.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    half_open: BTreeMap<SessionId, IpAddr>,
    guests: BTreeSet<SessionId>,
}

impl Gate {
    /// A connection came; returns the one that has to go for it.
    pub(crate) fn opened(&mut self, id: SessionId, address: IpAddr) -> Option<SessionId> {
        self.half_open.insert(id, address);
        let mut same = self
            .half_open
            .iter()
            .filter(|(_, other)| **other == address)
            .map(|(id, _)| *id);
        let oldest_same = same.next();
        let goes = if 1 + same.count() > HALF_OPEN_PER_ADDRESS_MAX {
            oldest_same
        } else if self.half_open.len() > HALF_OPEN_MAX {
            self.half_open.keys().next().copied()
        } else {
            None
        };
        if let Some(id) = goes {
            self.half_open.remove(&id);
        }
        goes
    }

    /// It said hello; returns the one that has to go for it.
    pub(crate) fn greeted(&mut self, id: SessionId) -> Option<SessionId> {
        self.half_open.remove(&id);
        self.guests.insert(id);
        match self.guests.len() > GUESTS_MAX {
            true => self.guests.pop_first(),
            false => None,
        }
    }

    /// It has a session, or is closed.
    pub(crate) fn gone(&mut self, id: SessionId) {
        self.half_open.remove(&id);
        self.guests.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn per_address() {
        let mut gate = Gate::default();
        let max = HALF_OPEN_PER_ADDRESS_MAX as u64;
        for id in 0..max {
            assert_eq!(gate.opened(id, address(1)), None);
        }
        assert_eq!(gate.opened(max, address(2)), None);
        assert_eq!(gate.opened(max + 1, address(1)), Some(0));
        assert_eq!(gate.opened(max + 2, address(1)), Some(1));
        assert_eq!(gate.greeted(2), None);
        assert_eq!(gate.opened(max + 3, address(1)), None);
    }

    #[test]
    fn in_all() {
        let mut gate = Gate::default();
        for id in 0..HALF_OPEN_MAX as u64 {
            assert_eq!(gate.opened(id, address((id % 8) as u8)), None);
        }
        assert_eq!(gate.opened(1_000, address(99)), Some(0));
        gate.gone(1);
        assert_eq!(gate.opened(1_001, address(98)), None);
    }

    #[test]
    fn guests() {
        let mut gate = Gate::default();
        for id in 0..GUESTS_MAX as u64 {
            gate.opened(id, address(1));
            assert_eq!(gate.greeted(id), None);
        }
        assert_eq!(gate.greeted(5_000), Some(0));
        gate.gone(1);
        assert_eq!(gate.greeted(5_001), None);
    }
}
