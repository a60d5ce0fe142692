//! The digest tree: 64 × 64 buckets over the first 12 bits of BLAKE3(key) (docs/protocol.md §4), after Merkle's
//! trees as Dynamo and Riak use them for anti-entropy (DeCandia et al. 2007, §4.7).
//!
//! A bucket keeps handles; entries are written out only when a bucket is hashed. Hashes are computed when asked for
//! and kept until an edit of theirs: an edit costs one bucket and two nodes, a load of n entries no more than n.

use std::sync::OnceLock;

use crate::id::Digest;

/// Children of the root, and of each node.
pub const WIDTH: usize = 64;
/// Buckets in all.
pub const BUCKETS: usize = WIDTH * WIDTH;

/// The bucket that a key falls into.
pub fn bucket(key: &[u8]) -> u16 {
    let hash = blake3::hash(key);
    let bytes = hash.as_bytes();
    u16::from(bytes[0]) << 4 | u16::from(bytes[1]) >> 4
}

/// A tree over entries of `N` bytes with handles of type `H`.
#[derive(Debug, Clone)]
pub(crate) struct Tree<H, const N: usize> {
    nodes: Vec<Option<Box<TreeNode<H>>>>,
    root: OnceLock<Digest>,
    len: usize,
}

#[derive(Debug, Clone)]
struct TreeNode<H> {
    leaves: Vec<Leaf<H>>,
    hash: OnceLock<Digest>,
}

#[derive(Debug, Clone)]
struct Leaf<H> {
    handles: Vec<H>,
    hash: OnceLock<Digest>,
}

impl<H: Copy + Ord, const N: usize> Tree<H, N> {
    pub(crate) fn new() -> Self {
        Self {
            nodes: (0..WIDTH).map(|_| None).collect(),
            root: OnceLock::new(),
            len: 0,
        }
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, bucket: u16, handle: H) {
        let handles = self.edit(bucket);
        if let Err(place) = handles.binary_search(&handle) {
            handles.insert(place, handle);
            self.len += 1;
        }
    }

    pub(crate) fn remove(&mut self, bucket: u16, handle: H) {
        let handles = self.edit(bucket);
        if let Ok(place) = handles.binary_search(&handle) {
            handles.remove(place);
            self.len -= 1;
        }
        if self.handles(bucket).is_empty() {
            self.free(bucket);
        }
    }

    /// Sets the handles of a bucket that had none; they ascend.
    pub(crate) fn set(&mut self, bucket: u16, handles: Vec<H>) {
        self.len += handles.len();
        *self.edit(bucket) = handles;
    }

    /// Sets the hash of a bucket, as it was found before.
    pub(crate) fn set_hash(&mut self, bucket: u16, hash: Digest) {
        if let Some(Some(node)) = self.nodes.get(usize::from(bucket) / WIDTH) {
            let _ = node.leaves[usize::from(bucket) % WIDTH].hash.set(hash);
        }
    }

    /// An empty bucket keeps no room, nor does a node of empty buckets.
    fn free(&mut self, bucket: u16) {
        let node = &mut self.nodes[usize::from(bucket) % BUCKETS / WIDTH];
        if let Some(found) = node {
            found.leaves[usize::from(bucket) % WIDTH].handles = Vec::new();
            if found.leaves.iter().all(|leaf| leaf.handles.is_empty()) {
                *node = None;
            }
        }
    }

    /// Bytes of heap.
    pub(crate) fn heap(&self) -> usize {
        let of_leaf = |leaf: &Leaf<H>| size_of::<Leaf<H>>() + leaf.handles.capacity() * size_of::<H>();
        let of_node =
            |node: &TreeNode<H>| size_of::<TreeNode<H>>() + node.leaves.iter().map(of_leaf).sum::<usize>();
        let nodes = self.nodes.iter().flatten().map(|node| of_node(node));
        nodes.sum::<usize>() + self.nodes.len() * size_of::<usize>()
    }

    /// The handles of one bucket.
    pub(crate) fn handles(&self, bucket: u16) -> &[H] {
        match self.nodes.get(usize::from(bucket) / WIDTH) {
            Some(Some(node)) => &node.leaves[usize::from(bucket) % WIDTH].handles,
            _ => &[],
        }
    }

    /// All handles, bucket by bucket.
    pub(crate) fn all(&self) -> impl Iterator<Item = H> + '_ {
        self.nodes
            .iter()
            .flatten()
            .flat_map(|node| &node.leaves)
            .flat_map(|leaf| leaf.handles.iter().copied())
    }

    pub(crate) fn root(&self, entry: impl Fn(H) -> [u8; N]) -> Digest {
        *self.root.get_or_init(|| hash_of(&self.node_hashes(entry)))
    }

    pub(crate) fn node_hashes(&self, entry: impl Fn(H) -> [u8; N]) -> [Digest; WIDTH] {
        let mut hashes = [Digest([0; 32]); WIDTH];
        for (place, hash) in hashes.iter_mut().enumerate() {
            *hash = match &self.nodes[place] {
                Some(node) => *node.hash.get_or_init(|| hash_of(&node.leaf_hashes(&entry))),
                None => empty_node(),
            };
        }
        hashes
    }

    pub(crate) fn leaf_hashes(&self, node: u8, entry: impl Fn(H) -> [u8; N]) -> [Digest; WIDTH] {
        match self.nodes.get(usize::from(node)) {
            Some(Some(node)) => node.leaf_hashes(&entry),
            _ => [Digest([0; 32]); WIDTH],
        }
    }

    fn edit(&mut self, bucket: u16) -> &mut Vec<H> {
        let bucket = usize::from(bucket) % BUCKETS;
        let node = self.nodes[bucket / WIDTH].get_or_insert_with(|| {
            let leaf = || Leaf {
                handles: Vec::new(),
                hash: OnceLock::new(),
            };
            Box::new(TreeNode {
                leaves: (0..WIDTH).map(|_| leaf()).collect(),
                hash: OnceLock::new(),
            })
        });
        self.root.take();
        node.hash.take();
        let leaf = &mut node.leaves[bucket % WIDTH];
        leaf.hash.take();
        &mut leaf.handles
    }
}

impl<H: Copy> TreeNode<H> {
    fn leaf_hashes<const N: usize>(&self, entry: &impl Fn(H) -> [u8; N]) -> [Digest; WIDTH] {
        let mut hashes = [Digest([0; 32]); WIDTH];
        for (hash, leaf) in hashes.iter_mut().zip(&self.leaves) {
            if !leaf.handles.is_empty() {
                *hash = *leaf.hash.get_or_init(|| {
                    let mut entries: Vec<[u8; N]> =
                        leaf.handles.iter().map(|handle| entry(*handle)).collect();
                    entries.sort_unstable();
                    Digest(*blake3::hash(entries.as_flattened()).as_bytes())
                });
            }
        }
        hashes
    }
}

fn hash_of(hashes: &[Digest; WIDTH]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for hash in hashes {
        hasher.update(&hash.0);
    }
    Digest(*hasher.finalize().as_bytes())
}

/// The hash of a node whose 64 buckets are empty.
fn empty_node() -> Digest {
    static EMPTY: OnceLock<Digest> = OnceLock::new();
    *EMPTY.get_or_init(|| hash_of(&[Digest([0; 32]); WIDTH]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn entry(handle: u32) -> [u8; 4] {
        handle.to_be_bytes()
    }

    /// The definition, word by word.
    fn by_definition(set: &BTreeSet<u32>) -> Digest {
        let nodes: Vec<u8> = (0..64u16)
            .flat_map(|node| {
                let leaves: Vec<u8> = (0..64u16)
                    .flat_map(|leaf| {
                        let inside = |key: &&u32| bucket(&entry(**key)) == node * 64 + leaf;
                        let bytes: Vec<u8> = set.iter().filter(inside).flat_map(|key| entry(*key)).collect();
                        if bytes.is_empty() {
                            [0; 32]
                        } else {
                            *blake3::hash(&bytes).as_bytes()
                        }
                    })
                    .collect();
                *blake3::hash(&leaves).as_bytes()
            })
            .collect();
        Digest(*blake3::hash(&nodes).as_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn edits_give_the_definition(edits in proptest::collection::vec((any::<bool>(), 0..50u32), 0..60)) {
            let mut tree = Tree::<u32, 4>::new();
            let mut set = BTreeSet::new();
            for (add, key) in edits {
                if add {
                    tree.insert(bucket(&entry(key)), key);
                    set.insert(key);
                } else {
                    tree.remove(bucket(&entry(key)), key);
                    set.remove(&key);
                }
                // Asked for in between, so that a stale hash would be kept.
                tree.root(entry);
            }
            prop_assert_eq!(tree.root(entry), by_definition(&set));
            prop_assert_eq!(tree.len(), set.len());
            prop_assert_eq!(tree.all().collect::<BTreeSet<_>>(), set);
        }
    }

    #[test]
    fn an_edit_shows_along_its_path_only() {
        let mut tree = Tree::<u32, 4>::new();
        (0..1000).for_each(|key| tree.insert(bucket(&entry(key)), key));
        let before = tree.node_hashes(entry);
        let at = bucket(&entry(7));
        let leaves = tree.leaf_hashes((at / 64) as u8, entry);
        tree.remove(at, 7);
        let after = tree.node_hashes(entry);
        let changed: Vec<usize> = (0..64).filter(|node| before[*node] != after[*node]).collect();
        assert_eq!(changed, [usize::from(at / 64)]);
        let leaves_after = tree.leaf_hashes((at / 64) as u8, entry);
        let changed: Vec<usize> = (0..64)
            .filter(|leaf| leaves[*leaf] != leaves_after[*leaf])
            .collect();
        assert_eq!(changed, [usize::from(at % 64)]);
        assert!(!tree.handles(at).contains(&7));
        assert!(tree.handles(u16::MAX).is_empty());
    }
}
