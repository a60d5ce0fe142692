//! Indices over the live facts: one edit costs O(log n), whatever the album's size. Of images they hold handles only;
//! the keys are the facts' own.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::fact::Fact;
use crate::graph::{FactAt, Graph};
use crate::id::{BlobHash, FactHash};
use crate::index::{Index, prefix};
use crate::packed::{Class, ImageKeys};
use crate::tree::{Tree, bucket};

/// Bytes of a live fact in the digest: actor ‖ seq ‖ header hash ‖ fact hash.
pub(crate) const FACT_ENTRY: usize = 16 + 8 + 32 + 32;
const FACT_KEY: usize = 16 + 8 + 32;

/// The live facts, by what commands ask for. Lists are in the total order of facts, the lowest first.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) tree: Tree<FactAt, FACT_ENTRY>,
    /// Images by name, by file and by preview.
    pub(crate) names: Index,
    pub(crate) images: Index,
    pub(crate) previews: Index,
    /// By image and user.
    pub(crate) ratings: BTreeMap<BlobHash, BTreeMap<u32, Vec<FactAt>>>,
    pub(crate) chat: Vec<FactAt>,
    pub(crate) settings: Vec<FactAt>,
}

/// The keys of an image; every entry of an index has them.
pub(crate) fn keys(graph: &Graph, at: FactAt) -> ImageKeys<'_> {
    let keys = graph.packed(at).image_keys();
    keys.unwrap_or(ImageKeys {
        name: "",
        hash: BlobHash([0; 32]),
        preview: None,
    })
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            tree: Tree::new(),
            names: Index::default(),
            images: Index::default(),
            previews: Index::default(),
            ratings: BTreeMap::new(),
            chat: Vec::new(),
            settings: Vec::new(),
        }
    }

    pub(crate) fn set(&mut self, graph: &Graph, at: FactAt, on: bool) {
        let bucket = bucket(&entry(graph, at)[..FACT_KEY]);
        if on {
            self.tree.insert(bucket, at);
        } else {
            self.tree.remove(bucket, at);
        }
        match graph.packed(at).class() {
            Class::Image => self.set_image(graph, at, on),
            Class::Rating | Class::Chat | Class::Album => self.set_listed(graph, at, on),
            Class::Member | Class::Other => {}
        }
    }

    /// A rating, a line of chat or a setting; one that cannot be read is in no list.
    pub(crate) fn set_listed(&mut self, graph: &Graph, at: FactAt, on: bool) {
        match graph.fact(at) {
            Fact::Rating { image, .. } => {
                let of_image = self.ratings.entry(image).or_default();
                set_in(graph, of_image, &graph.user_of(at.node), at, on);
                if of_image.is_empty() {
                    self.ratings.remove(&image);
                }
            }
            Fact::Chat { .. } => set_sorted(graph, &mut self.chat, at, on),
            Fact::Album { .. } => set_sorted(graph, &mut self.settings, at, on),
            _ => {}
        }
    }

    fn set_image(&mut self, graph: &Graph, at: FactAt, on: bool) {
        let ImageKeys { name, hash, preview } = keys(graph, at);
        let then = |other| graph.order(other).cmp(&graph.order(at));
        let by_name = |other| by_name(graph, other, name).then_with(|| then(other));
        set_in_index(&mut self.names, prefix(name.as_bytes()), at, on, by_name);
        let by_hash = |other| by_hash(graph, other, &hash).then_with(|| then(other));
        set_in_index(&mut self.images, prefix(&hash.0), at, on, by_hash);
        if let Some(preview) = preview {
            let by_preview = |other| by_preview(graph, other, &preview).then_with(|| then(other));
            set_in_index(&mut self.previews, prefix(&preview.0), at, on, by_preview);
        }
    }

    /// The images of this name.
    pub(crate) fn named<'a>(&'a self, graph: &'a Graph, name: &str) -> Vec<FactAt> {
        let from = self
            .names
            .range(prefix(name.as_bytes()), lower(|at| by_name(graph, at, name)));
        from.take_while(|at| keys(graph, *at).name == name).collect()
    }

    /// The images of this file.
    pub(crate) fn of_file(&self, graph: &Graph, hash: &BlobHash) -> Vec<FactAt> {
        self.files_from(graph, hash)
            .take_while(|at| keys(graph, *at).hash == *hash)
            .collect()
    }

    /// The images whose file's hash is not below this one, by it.
    pub(crate) fn files_from<'a>(
        &'a self,
        graph: &'a Graph,
        hash: &BlobHash,
    ) -> impl Iterator<Item = FactAt> + 'a {
        self.images
            .range(prefix(&hash.0), lower(|at| by_hash(graph, at, hash)))
    }

    pub(crate) fn has_file(&self, graph: &Graph, hash: &BlobHash) -> bool {
        self.files_from(graph, hash)
            .next()
            .is_some_and(|at| keys(graph, at).hash == *hash)
    }

    pub(crate) fn has_preview(&self, graph: &Graph, hash: &BlobHash) -> bool {
        let mut from = self
            .previews
            .range(prefix(&hash.0), lower(|at| by_preview(graph, at, hash)));
        from.next()
            .is_some_and(|at| keys(graph, at).preview == Some(*hash))
    }

    /// Bytes of heap, the live facts' own included.
    pub(crate) fn heap(&self, graph: &Graph) -> usize {
        let facts = self.tree.all().map(|at| FactHash::LEN + graph.packed(at).0.len());
        let votes = self.ratings.values().flat_map(BTreeMap::values);
        let votes = votes.map(|list| size_of::<(BlobHash, u32)>() + list.capacity() * size_of::<FactAt>());
        let lists = (self.chat.capacity() + self.settings.capacity()) * size_of::<FactAt>();
        let indices = self.names.heap() + self.images.heap() + self.previews.heap();
        facts.chain(votes).sum::<usize>() + lists + indices + self.tree.heap()
    }

    /// Ratings, chat and settings, in the order of ops.
    pub(crate) fn listed(&self) -> Vec<FactAt> {
        let ratings = self.ratings.values().flat_map(BTreeMap::values).flatten();
        let mut all: Vec<FactAt> = ratings.chain(&self.chat).chain(&self.settings).copied().collect();
        all.sort_unstable();
        all
    }

    /// All live facts in the order of ops.
    pub(crate) fn all(&self) -> BTreeSet<FactAt> {
        self.tree.all().collect()
    }
}

fn by_name(graph: &Graph, at: FactAt, name: &str) -> Ordering {
    keys(graph, at).name.cmp(name)
}

fn by_hash(graph: &Graph, at: FactAt, hash: &BlobHash) -> Ordering {
    keys(graph, at).hash.cmp(hash)
}

fn by_preview(graph: &Graph, at: FactAt, hash: &BlobHash) -> Ordering {
    keys(graph, at).preview.cmp(&Some(*hash))
}

/// For the first of those that have a key.
fn lower(order: impl Fn(FactAt) -> Ordering) -> impl Fn(FactAt) -> Ordering {
    move |at| order(at).then(Ordering::Greater)
}

fn set_in_index(index: &mut Index, prefix: u64, at: FactAt, on: bool, order: impl Fn(FactAt) -> Ordering) {
    if on {
        index.insert(prefix, at, order);
    } else {
        index.remove(prefix, order);
    }
}

/// A live fact's bytes in the digest.
pub(crate) fn entry(graph: &Graph, at: FactAt) -> [u8; FACT_ENTRY] {
    let node = graph.node(at.node);
    let mut out = [0; FACT_ENTRY];
    out[..16].copy_from_slice(&graph.actor_id(at.node).0);
    out[16..24].copy_from_slice(&graph.seq(at).to_le_bytes());
    out[24..56].copy_from_slice(&node.hash.0);
    out[56..].copy_from_slice(&graph.fact_hash(at).0);
    out
}

fn set_in<K: Ord + Clone>(graph: &Graph, map: &mut BTreeMap<K, Vec<FactAt>>, key: &K, at: FactAt, on: bool) {
    if on {
        set_sorted(graph, map.entry(key.clone()).or_default(), at, on);
    } else if let Some(list) = map.get_mut(key) {
        set_sorted(graph, list, at, on);
        if list.is_empty() {
            map.remove(key);
        }
    }
}

fn set_sorted(graph: &Graph, list: &mut Vec<FactAt>, at: FactAt, on: bool) {
    let place = list.binary_search_by_key(&graph.order(at), |other| graph.order(*other));
    match place {
        Ok(place) if !on => drop(list.remove(place)),
        Err(place) if on => list.insert(place, at),
        _ => {}
    }
}
