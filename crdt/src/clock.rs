//! A persistent version vector: branch number → how many of that branch's ops are in the past.
//!
//! A radix trie with shared parts (after Bagwell, "Ideal Hash Trees", 2001): a clock that differs from another in
//! one entry shares all but one path with it, and a merge stops wherever both sides are the same part. So ten
//! thousand past actors cost an op one path, not ten thousand entries.

use std::sync::Arc;

const LEAF_BITS: u32 = 3;
const LEAF: usize = 1 << LEAF_BITS;
const FORK_BITS: u32 = 4;
const FORK: usize = 1 << FORK_BITS;

/// An immutable vector; cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Number of fork levels above the leaves.
    height: u32,
    root: Option<Arc<Part>>,
}

#[derive(Debug)]
enum Part {
    Leaf([u32; LEAF]),
    /// Boxed, so that a leaf, which most clocks are, is no larger than its entries.
    Fork(Box<[Option<Arc<Part>>; FORK]>),
}

impl Clock {
    /// The entry of `branch`; 0 where none was set.
    pub fn get(&self, branch: u32) -> u32 {
        if u64::from(branch) >= self.capacity() {
            return 0;
        }
        let mut part = self.root.as_ref();
        let mut height = self.height;
        while let Some(found) = part {
            match &**found {
                Part::Leaf(entries) => return entries[branch as usize % LEAF],
                Part::Fork(parts) => {
                    height -= 1;
                    part = parts[slot(branch, height)].as_ref();
                }
            }
        }
        0
    }

    /// Raises the entry of `branch` to at least `value`.
    pub fn raise(&mut self, branch: u32, value: u32) {
        if self.get(branch) >= value {
            return;
        }
        self.grow(branch);
        match self.root.as_mut().and_then(Arc::get_mut) {
            Some(part) => raise_in(part, self.height, branch, value),
            None => self.root = Some(raised(self.root.as_deref(), self.height, branch, value)),
        }
    }

    /// Becomes the entry-wise maximum of both.
    pub fn merge(&mut self, other: &Clock) {
        let mut other = other.clone();
        while other.height < self.height {
            other.lift();
        }
        while self.height < other.height {
            self.lift();
        }
        self.root = joined(self.root.as_ref(), other.root.as_ref());
    }

    fn capacity(&self) -> u64 {
        (LEAF as u64) << (FORK_BITS * self.height)
    }

    fn grow(&mut self, branch: u32) {
        while u64::from(branch) >= self.capacity() {
            self.lift();
        }
    }

    /// One more level; the old root holds the lowest branches.
    fn lift(&mut self) {
        if let Some(root) = self.root.take() {
            let mut parts: Box<[Option<Arc<Part>>; FORK]> = Default::default();
            parts[0] = Some(root);
            self.root = Some(Arc::new(Part::Fork(parts)));
        }
        self.height += 1;
    }
}

/// Which part of a fork with `height` levels of forks below it leads to `branch`.
fn slot(branch: u32, height: u32) -> usize {
    (u64::from(branch) >> (LEAF_BITS + FORK_BITS * height)) as usize % FORK
}

/// Depth is at most 8: 32 bits of branch number.
fn raised(part: Option<&Part>, height: u32, branch: u32, value: u32) -> Arc<Part> {
    if height == 0 {
        let mut entries = match part {
            Some(Part::Leaf(entries)) => *entries,
            _ => [0; LEAF],
        };
        entries[branch as usize % LEAF] = value;
        return Arc::new(Part::Leaf(entries));
    }
    let mut parts = match part {
        Some(Part::Fork(parts)) => parts.clone(),
        _ => Default::default(),
    };
    let below = &mut parts[slot(branch, height - 1)];
    *below = Some(raised(below.as_deref(), height - 1, branch, value));
    Arc::new(Part::Fork(parts))
}

/// Raises an entry of a part that nobody shares, in place as far as that goes.
fn raise_in(part: &mut Part, height: u32, branch: u32, value: u32) {
    match part {
        Part::Leaf(entries) => entries[branch as usize % LEAF] = value,
        Part::Fork(parts) => {
            let below = &mut parts[slot(branch, height - 1)];
            match below.as_mut().and_then(Arc::get_mut) {
                Some(below) => raise_in(below, height - 1, branch, value),
                None => *below = Some(raised(below.as_deref(), height - 1, branch, value)),
            }
        }
    }
}

/// Depth as above. Returns one of its arguments wherever that one is the maximum, so that sharing survives.
fn joined(a: Option<&Arc<Part>>, b: Option<&Arc<Part>>) -> Option<Arc<Part>> {
    let (a, b) = match (a, b) {
        (None, other) | (other, None) => return other.cloned(),
        (Some(a), Some(b)) => (a, b),
    };
    if Arc::ptr_eq(a, b) {
        return Some(a.clone());
    }
    let (joint, is_a, is_b) = match (&**a, &**b) {
        (Part::Leaf(left), Part::Leaf(right)) => {
            let mut most = *left;
            most.iter_mut()
                .zip(right)
                .for_each(|(entry, other)| *entry = (*entry).max(*other));
            (Part::Leaf(most), most == *left, most == *right)
        }
        (Part::Fork(left), Part::Fork(right)) => {
            let mut parts: Box<[Option<Arc<Part>>; FORK]> = Default::default();
            let (mut is_a, mut is_b) = (true, true);
            for (place, part) in parts.iter_mut().enumerate() {
                *part = joined(left[place].as_ref(), right[place].as_ref());
                is_a &= same(part, &left[place]);
                is_b &= same(part, &right[place]);
            }
            (Part::Fork(parts), is_a, is_b)
        }
        // Both have the same height here.
        _ => unreachable!("parts of one level are of one kind"),
    };
    Some(match (is_a, is_b) {
        (true, _) => a.clone(),
        (_, true) => b.clone(),
        _ => Arc::new(joint),
    })
}

fn same(a: &Option<Arc<Part>>, b: &Option<Arc<Part>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn build(entries: &BTreeMap<u32, u32>) -> Clock {
        let mut clock = Clock::default();
        entries
            .iter()
            .for_each(|(branch, value)| clock.raise(*branch, *value));
        clock
    }

    fn entries() -> impl Strategy<Value = BTreeMap<u32, u32>> {
        let branch = prop_oneof![0..40u32, 500..600u32, 8000..8300u32, any::<u32>()];
        proptest::collection::btree_map(branch, 1..9u32, 0..40)
    }

    proptest! {
        #[test]
        fn like_a_plain_map(a in entries(), b in entries(), probe in any::<u32>()) {
            let (left, right) = (build(&a), build(&b));
            let mut both = left.clone();
            both.merge(&right);
            for branch in a.keys().chain(b.keys()).copied().chain([probe]) {
                let (x, y) = (a.get(&branch).copied().unwrap_or(0), b.get(&branch).copied().unwrap_or(0));
                prop_assert_eq!(left.get(branch), x);
                prop_assert_eq!(both.get(branch), x.max(y));
            }
        }

        #[test]
        fn a_merge_that_adds_nothing_shares_all(a in entries(), more in entries()) {
            let small = build(&a);
            let mut large = small.clone();
            more.iter().for_each(|(branch, value)| large.raise(*branch, *value));
            let mut merged = large.clone();
            merged.merge(&small);
            prop_assert!(same(&merged.root, &large.root));
        }
    }

    #[test]
    fn the_last_branch_number() {
        let mut clock = Clock::default();
        clock.raise(u32::MAX, 3);
        assert_eq!(
            (clock.get(u32::MAX), clock.get(0), clock.get(u32::MAX - 1)),
            (3, 0, 0)
        );
        clock.raise(u32::MAX, 2);
        assert_eq!(clock.get(u32::MAX), 3);
    }
}
