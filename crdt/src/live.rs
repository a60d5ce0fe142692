//! Indices over the live facts: one edit costs O(log n), whatever the album's size.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::Fact;
use crate::graph::{FactAt, Graph};
use crate::id::BlobHash;
use crate::tree::{Tree, bucket};

/// Bytes of a live fact in the digest: actor ‖ seq ‖ header hash ‖ fact hash.
pub(crate) const FACT_ENTRY: usize = 16 + 8 + 32 + 32;
const FACT_KEY: usize = 16 + 8 + 32;

/// The live facts, by what commands ask for. Lists are in the total order of facts, the lowest first.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) tree: Tree<FactAt, FACT_ENTRY>,
    pub(crate) names: BTreeMap<String, Vec<FactAt>>,
    pub(crate) images: BTreeMap<BlobHash, Vec<FactAt>>,
    pub(crate) previews: BTreeMap<BlobHash, Vec<FactAt>>,
    /// By image and user.
    pub(crate) ratings: BTreeMap<BlobHash, BTreeMap<u32, Vec<FactAt>>>,
    pub(crate) chat: Vec<FactAt>,
    pub(crate) settings: Vec<FactAt>,
    pub(crate) image_count: usize,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            tree: Tree::new(),
            names: BTreeMap::new(),
            images: BTreeMap::new(),
            previews: BTreeMap::new(),
            ratings: BTreeMap::new(),
            chat: Vec::new(),
            settings: Vec::new(),
            image_count: 0,
        }
    }

    pub(crate) fn set(&mut self, graph: &Graph, at: FactAt, on: bool) {
        let bucket = bucket(&entry(graph, at)[..FACT_KEY]);
        if on {
            self.tree.insert(bucket, at);
        } else {
            self.tree.remove(bucket, at);
        }
        match graph.fact(at) {
            Fact::Image(image) => {
                self.image_count = if on {
                    self.image_count + 1
                } else {
                    self.image_count - 1
                };
                set_in(graph, &mut self.names, &image.name, at, on);
                set_in(graph, &mut self.images, &image.hash, at, on);
                if let Some(preview) = &image.preview {
                    set_in(graph, &mut self.previews, &preview.hash, at, on);
                }
            }
            Fact::Rating { image, .. } => {
                let of_image = self.ratings.entry(*image).or_default();
                set_in(graph, of_image, &graph.user_of(at.node), at, on);
                if of_image.is_empty() {
                    self.ratings.remove(image);
                }
            }
            Fact::Chat { .. } => set_sorted(graph, &mut self.chat, at, on),
            Fact::Album { .. } => set_sorted(graph, &mut self.settings, at, on),
            _ => {}
        }
    }

    /// All live facts in the order of ops.
    pub(crate) fn all(&self) -> BTreeSet<FactAt> {
        self.tree.all().collect()
    }
}

/// A live fact's bytes in the digest.
pub(crate) fn entry(graph: &Graph, at: FactAt) -> [u8; FACT_ENTRY] {
    let op = &graph.node(at.node).op;
    let mut out = [0; FACT_ENTRY];
    out[..16].copy_from_slice(&op.header.actor.0);
    out[16..24].copy_from_slice(&graph.seq(at).to_le_bytes());
    out[24..56].copy_from_slice(&op.hash.0);
    out[56..].copy_from_slice(&graph.fact_text(at).hash.0);
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
