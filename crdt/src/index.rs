//! A sorted list of facts by a key that the facts themselves hold: blocks of handles, each with the first bytes of its
//! key, so that most comparisons look at nothing else. An edit moves at most one block; n entries are about 22 n bytes.

use std::cmp::Ordering;

use crate::graph::FactAt;

/// Entries of a block, at most; a full one is cut in two.
const BLOCK: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    prefix: u64,
    at: FactAt,
}

#[derive(Debug, Clone)]
struct Block {
    /// The first slot's prefix, so that a search for a block looks at no block.
    first: u64,
    slots: Vec<Slot>,
}

impl Block {
    fn of(slots: Vec<Slot>) -> Block {
        let first = slots.first().map_or(0, |slot| slot.prefix);
        Block { first, slots }
    }

    fn insert(&mut self, place: usize, slot: Slot) {
        self.slots.insert(place, slot);
        self.first = self.slots[0].prefix;
    }
}

/// The list. The caller compares: `order` tells how an entry lies to what is sought, and is asked only where the
/// prefixes are equal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    blocks: Vec<Block>,
    len: usize,
}

/// The first eight bytes of a key, in the keys' order.
pub(crate) fn prefix(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = key.len().min(8);
    first[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(first)
}

impl Index {
    /// A list of slots that are in order.
    pub(crate) fn of(mut slots: impl ExactSizeIterator<Item = (u64, FactAt)>) -> Index {
        let len = slots.len();
        let slots = |_| {
            let slots = slots.by_ref().take(BLOCK).map(|(prefix, at)| Slot { prefix, at });
            Block::of(slots.collect())
        };
        Index {
            blocks: (0..len.div_ceil(BLOCK)).map(slots).collect(),
            len,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All, in order, with their prefixes.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u64, FactAt)> + '_ {
        let slots = self.blocks.iter().flat_map(|block| &block.slots);
        slots.map(|slot| (slot.prefix, slot.at))
    }

    pub(crate) fn insert(&mut self, prefix: u64, at: FactAt, order: impl Fn(FactAt) -> Ordering) {
        let slot = Slot { prefix, at };
        let (block, place) = match self.find(prefix, order) {
            Ok(_) => return,
            Err(place) => place,
        };
        self.len += 1;
        let is_last = block + 1 >= self.blocks.len();
        match self.blocks.get_mut(block) {
            None => self.blocks.push(Block::of(vec![slot])),
            Some(found) if found.slots.len() < BLOCK => found.insert(place, slot),
            // What comes in order fills each block.
            Some(found) if is_last && place == found.slots.len() => {
                self.blocks.push(Block::of(vec![slot]));
            }
            Some(found) => {
                let mut upper = Block::of(found.slots.split_off(BLOCK / 2));
                match place.checked_sub(found.slots.len()) {
                    Some(place) => upper.insert(place, slot),
                    None => found.insert(place, slot),
                }
                self.blocks.insert(block + 1, upper);
            }
        }
    }

    pub(crate) fn remove(&mut self, prefix: u64, order: impl Fn(FactAt) -> Ordering) {
        let Ok((block, place)) = self.find(prefix, order) else {
            return;
        };
        self.len -= 1;
        let found = &mut self.blocks[block];
        found.slots.remove(place);
        match found.slots.first() {
            Some(slot) => found.first = slot.prefix,
            None => drop(self.blocks.remove(block)),
        }
    }

    /// Bytes of heap.
    pub(crate) fn heap(&self) -> usize {
        let slots = self
            .blocks
            .iter()
            .map(|block| block.slots.capacity() * size_of::<Slot>());
        slots.sum::<usize>() + self.blocks.capacity() * size_of::<Block>()
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = FactAt> + '_ {
        self.slots().map(|(_, at)| at)
    }

    /// Those that are not less than what is sought, in order.
    pub(crate) fn range(
        &self,
        prefix: u64,
        order: impl Fn(FactAt) -> Ordering,
    ) -> impl Iterator<Item = FactAt> + '_ {
        let (block, place) = self.find(prefix, order).unwrap_or_else(|place| place);
        let first = self.blocks.get(block).and_then(|found| found.slots.get(place..));
        let later = self.blocks.get(block + 1..).unwrap_or_default();
        first
            .unwrap_or_default()
            .iter()
            .chain(later.iter().flat_map(|block| &block.slots))
            .map(|slot| slot.at)
    }

    /// Where it is, or where it would be.
    fn find(
        &self,
        prefix: u64,
        order: impl Fn(FactAt) -> Ordering,
    ) -> Result<(usize, usize), (usize, usize)> {
        let compare = |slot: &Slot| slot.prefix.cmp(&prefix).then_with(|| order(slot.at));
        let is_before = |block: &Block| match block.first.cmp(&prefix) {
            Ordering::Equal => block.slots.first().is_some_and(|slot| compare(slot).is_le()),
            order => order.is_lt(),
        };
        let block = self.blocks.partition_point(is_before).saturating_sub(1);
        let slots = self.blocks.get(block).map_or(&[][..], |block| &block.slots);
        let (low, high) = near(slots, prefix);
        match slots[low..high].binary_search_by(compare) {
            Ok(place) => Ok((block, low + place)),
            Err(place) => Err((block, low + place)),
        }
    }
}

/// Where a prefix lies among slots, if their prefixes are spread evenly, as hashes are; else all of them. So a search
/// looks at one stretch of memory, where halving looks at one stretch after the other.
fn near(slots: &[Slot], prefix: u64) -> (usize, usize) {
    const AROUND: usize = 8;
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
        return (0, 0);
    };
    let part =
        prefix.saturating_sub(first.prefix) as f64 / last.prefix.saturating_sub(first.prefix).max(1) as f64;
    let guess = ((part * slots.len() as f64) as usize).min(slots.len());
    let (low, high) = (guess.saturating_sub(AROUND), guess + AROUND);
    (
        if slots.get(low).is_some_and(|slot| slot.prefix < prefix) {
            low
        } else {
            0
        },
        if slots.get(high).is_some_and(|slot| slot.prefix > prefix) {
            high
        } else {
            slots.len()
        },
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Keys that agree in their first eight bytes, and keys that do not.
    fn key(n: u32) -> String {
        format!("{:08}{n}", n % 7)
    }

    fn at(node: u32) -> FactAt {
        FactAt { node, place: 0 }
    }

    proptest! {
        #[test]
        fn like_a_plain_set(edits in proptest::collection::vec((0..5u8, 0..2000u32), 0..3000), probe in 0..2000u32) {
            let mut index = Index::default();
            let mut set = BTreeSet::new();
            for (kind, n) in edits {
                let text = key(n);
                let order = |other: FactAt| key(other.node).cmp(&text);
                if kind == 0 {
                    index.remove(prefix(text.as_bytes()), order);
                    set.remove(&(text.clone(), n));
                } else {
                    index.insert(prefix(text.as_bytes()), at(n), order);
                    set.insert((text.clone(), n));
                }
            }
            let all: Vec<u32> = set.iter().map(|(_, n)| *n).collect();
            prop_assert_eq!(index.len(), all.len());
            prop_assert_eq!(index.iter().map(|at| at.node).collect::<Vec<_>>(), all);
            let text = key(probe);
            let found = index.range(prefix(text.as_bytes()), |other| key(other.node).cmp(&text));
            let expect: Vec<u32> = set.range((text.clone(), 0)..).map(|(_, n)| *n).collect();
            prop_assert_eq!(found.map(|at| at.node).collect::<Vec<_>>(), expect);
        }
    }

    #[test]
    fn what_comes_in_order_fills_its_blocks() {
        let mut index = Index::default();
        for n in 0..1000u32 {
            index.insert(u64::from(n), at(n), |_| Ordering::Equal);
        }
        assert_eq!(index.blocks.len(), 1000usize.div_ceil(BLOCK));
    }
}
