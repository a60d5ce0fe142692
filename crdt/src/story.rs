//! The story of one image, and what is in the trash: read from the ops, the dead facts included.

use std::collections::{BTreeMap, BTreeSet};

use crate::album::{Album, FactId};
use crate::fact::{Fact, Image};
use crate::graph::FactAt;
use crate::history::{HeldReason, clock};
use crate::id::{BlobHash, HeaderHash, PublicKey, UserId};
use crate::limits::HASH_DIGITS_MIN;
use crate::live;
use crate::packed::Class;
use crate::view::Found;

/// An image that was removed and is in the album no more under this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoneView {
    /// The newest of the entries that were removed.
    pub id: FactId,
    /// The name it shows under in the trash, `NAME~6hex` where others there have the same.
    pub name: String,
    /// What it said.
    pub image: Image,
    /// Who added it.
    pub user: UserId,
    /// The op that removed it; of several the last.
    pub removal: HeaderHash,
    /// Who removed it.
    pub removed_by: UserId,
    /// That op's place in the causal order of all.
    pub lamport: u64,
}

/// All that was done about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The file.
    pub file: BlobHash,
    /// Its scenes, in the total order.
    pub scenes: Vec<Scene>,
}

/// One op, as far as it concerns the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// The op.
    pub header: HeaderHash,
    /// Whose.
    pub user: UserId,
    /// From which device.
    pub device: PublicKey,
    /// The author's clock, ms since 1970; none in a removal, which says nothing new.
    pub at: Option<u64>,
    /// Why it has no effect.
    pub held: Option<HeldReason>,
    /// What it did.
    pub act: SceneAct,
}

/// What an op did about the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SceneAct {
    /// Added it.
    Added {
        /// The new entry.
        id: FactId,
        /// What it says.
        image: Box<Image>,
        /// Whether it is in the album.
        live: bool,
        /// Whether the op marks it as brought back by an undo or from the trash.
        again: bool,
    },
    /// Removed entries of it.
    Removed {
        /// Those it saw, and so removed.
        saw: Vec<FactId>,
        /// Those that others added without either seeing the other: it did not remove them.
        missed: Vec<FactId>,
    },
    /// Rated it.
    Rated {
        /// The rating.
        id: FactId,
        /// Its stars.
        stars: u8,
        /// Whether it counts.
        live: bool,
    },
    /// Withdrew ratings.
    Unrated {
        /// Which.
        saw: Vec<FactId>,
    },
    /// Made a version of it.
    Versioned {
        /// The version's entry.
        id: FactId,
        /// Its name.
        name: String,
        /// How it was made.
        recipe: String,
        /// Whether the version is in the album.
        live: bool,
    },
}

impl Album {
    /// What was removed and can be brought back, the last removed first. What was never valid is not here, nor is what
    /// is in the album again under the same name.
    pub fn gone(&self) -> Vec<GoneView> {
        let mut places: BTreeMap<FactAt, usize> = BTreeMap::new();
        let mut groups: BTreeMap<(&str, BlobHash), usize> = BTreeMap::new();
        // Of each group: the newest entry, and the last removal.
        let mut found: Vec<(FactAt, Option<u32>)> = Vec::new();
        for at in self.all_facts() {
            let packed = self.graph.packed(at);
            if packed.class() != Class::Image || !self.graph.node(at.node).valid || self.is_live(at) {
                continue;
            }
            let keys = live::keys(&self.graph, at);
            let place = *groups.entry((keys.name, keys.hash)).or_insert_with(|| {
                found.push((at, None));
                found.len() - 1
            });
            if self.graph.order(found[place].0) < self.graph.order(at) {
                found[place].0 = at;
            }
            places.insert(at, place);
        }
        for node in self.graph.numbers().filter(|node| self.graph.node(*node).valid) {
            for place in self
                .graph
                .node(node)
                .kills()
                .iter()
                .filter_map(|at| places.get(at))
            {
                let last = &mut found[*place].1;
                if last.is_none_or(|last| self.graph.op_order(last) < self.graph.op_order(node)) {
                    *last = Some(node);
                }
            }
        }
        let is_back = |at: &FactAt| {
            let keys = live::keys(&self.graph, *at);
            let same = self.live.of_file(&self.graph, &keys.hash).into_iter();
            same.map(|other| live::keys(&self.graph, other).name)
                .any(|name| name == keys.name)
        };
        let mut by_name: BTreeMap<&str, Vec<(FactAt, u32)>> = BTreeMap::new();
        for (at, removal) in found {
            if let Some(removal) = removal.filter(|_| !is_back(&at)) {
                let name = live::keys(&self.graph, at).name;
                by_name.entry(name).or_default().push((at, removal));
            }
        }
        let mut views = Vec::new();
        for mut group in by_name.into_values() {
            group.sort_unstable_by_key(|(at, _)| self.graph.order(*at));
            let names = self.shown(&group.iter().map(|(at, _)| *at).collect::<Vec<_>>());
            let group = group.into_iter().zip(names);
            views.extend(group.filter_map(|((at, removal), name)| {
                let view = self.gone_view(at, removal, name)?;
                Some((self.graph.op_order(removal), self.graph.order(at), view))
            }));
        }
        views.sort_unstable_by(|(removal, at, _), (other, before, _)| {
            other.cmp(removal).then_with(|| at.cmp(before))
        });
        views.into_iter().map(|(_, _, view)| view).collect()
    }

    fn gone_view(&self, at: FactAt, removal: u32, name: String) -> Option<GoneView> {
        let Fact::Image(image) = self.graph.fact(at) else {
            return None;
        };
        let user = |node: u32| self.graph.users[self.graph.user_of(node) as usize];
        Some(GoneView {
            id: self.fact_id(at),
            name,
            image,
            user: user(at.node),
            removal: self.graph.node(removal).hash,
            removed_by: user(removal),
            lamport: self.graph.node(removal).lamport,
        })
    }

    /// The files whose entries ever had this name: in the album, in the trash, or held.
    pub fn files_named(&self, name: &str) -> BTreeSet<BlobHash> {
        let images = self
            .all_facts()
            .filter(|at| self.graph.packed(*at).class() == Class::Image);
        let keys = images.map(|at| live::keys(&self.graph, at));
        keys.filter(|keys| keys.name == name)
            .map(|keys| keys.hash)
            .collect()
    }

    /// A name for each of these files, from the newest entry that ever had it.
    pub fn names_of(&self, files: &BTreeSet<BlobHash>) -> BTreeMap<BlobHash, String> {
        let mut names: BTreeMap<BlobHash, FactAt> = BTreeMap::new();
        for at in self.all_facts() {
            let file = self.graph.packed(at).image_keys().map(|keys| keys.hash);
            let Some(file) = file.filter(|file| files.contains(file)) else {
                continue;
            };
            let newest = names.entry(file).or_insert(at);
            // One that is here goes before one that is gone.
            let rank = |at: FactAt| (self.is_live(at), self.graph.order(at));
            if rank(*newest) < rank(at) {
                *newest = at;
            }
        }
        let name = |at| live::keys(&self.graph, at).name.to_owned();
        names.into_iter().map(|(file, at)| (file, name(at))).collect()
    }

    /// All that was done about a file.
    pub fn story(&self, file: &BlobHash) -> Story {
        let mut adds: Vec<FactAt> = Vec::new();
        let mut scenes: Vec<(u32, SceneAct)> = Vec::new();
        for at in self.all_facts() {
            let packed = self.graph.packed(at);
            let live = self.is_live(at);
            let id = || self.fact_id(at);
            match packed.class() {
                Class::Image => {
                    let is_it = live::keys(&self.graph, at).hash == *file;
                    if !is_it && !packed.may_be_version() {
                        continue;
                    }
                    let Fact::Image(image) = packed.fact() else {
                        continue;
                    };
                    if is_it {
                        adds.push(at);
                        let again = self.marks(at.node);
                        let image = Box::new(image);
                        let id = id();
                        scenes.push((
                            at.node,
                            SceneAct::Added {
                                id,
                                image,
                                live,
                                again,
                            },
                        ));
                    } else if let Some(version) = image.version.filter(|version| version.source == *file) {
                        let (id, name, recipe) = (id(), image.name, version.recipe);
                        scenes.push((
                            at.node,
                            SceneAct::Versioned {
                                id,
                                name,
                                recipe,
                                live,
                            },
                        ));
                    }
                }
                Class::Rating if packed.rated() == Some(*file) => {
                    if let Fact::Rating { stars, .. } = packed.fact() {
                        let id = id();
                        scenes.push((at.node, SceneAct::Rated { id, stars, live }));
                    }
                }
                _ => {}
            }
        }
        for node in self.graph.numbers() {
            let kills = self.graph.node(node).kills().iter();
            let of_it = kills.filter(|at| self.file_of(**at) == Some(*file));
            let (images, votes): (Vec<FactAt>, Vec<FactAt>) =
                of_it.partition(|at| self.graph.packed(**at).class() == Class::Image);
            let ids = |all: &[FactAt]| all.iter().map(|at| self.fact_id(*at)).collect::<Vec<_>>();
            if !images.is_empty() {
                let apart = |at: &&FactAt| {
                    !self.graph.sees(node, at.node) && !self.graph.sees(at.node, node) && at.node != node
                };
                let missed: Vec<FactAt> = adds.iter().filter(apart).copied().collect();
                let (saw, missed) = (ids(&images), ids(&missed));
                scenes.push((node, SceneAct::Removed { saw, missed }));
            }
            let rates_anew = || {
                let mut facts = self.graph.facts_of(node);
                facts.any(|fact| self.graph.packed(fact).rated() == Some(*file))
            };
            if !votes.is_empty() && !rates_anew() {
                scenes.push((node, SceneAct::Unrated { saw: ids(&votes) }));
            }
        }
        scenes.sort_by_key(|(node, _)| self.graph.op_order(*node));
        let scenes = scenes.into_iter().map(|(node, act)| self.scene(node, act));
        Story {
            file: *file,
            scenes: scenes.collect(),
        }
    }

    fn scene(&self, node: u32, act: SceneAct) -> Scene {
        let op = self.graph.node(node);
        let actor = &self.graph.actors[op.actor as usize];
        let id = match &act {
            SceneAct::Added { id, again: false, .. }
            | SceneAct::Rated { id, .. }
            | SceneAct::Versioned { id, .. } => Some(id),
            _ => None,
        };
        let said = id.filter(|_| !self.marks(node)).and_then(|id| self.find_fact(id));
        Scene {
            header: op.hash,
            user: self.graph.users[actor.user as usize],
            device: actor.intro.device,
            at: said.and_then(|at| clock(&self.graph.fact(at))),
            held: (!op.valid).then(|| self.reason(node)),
            act,
        }
    }

    /// Every received fact, live or dead.
    fn all_facts(&self) -> impl Iterator<Item = FactAt> + '_ {
        self.graph.numbers().flat_map(|node| self.graph.facts_of(node))
    }
}

/// The one of these that a name, or the first digits (6 or more) of a file's hash, means in the trash.
pub fn gone_named<'a>(gone: &'a [GoneView], text: &str) -> Found<&'a GoneView> {
    if let Some(view) = gone.iter().find(|view| view.name == text) {
        return Found::One(view);
    }
    let digits = text.to_ascii_lowercase();
    let is_hash = digits.len() >= HASH_DIGITS_MIN && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let fits = |view: &&GoneView| is_hash && view.image.hash.hex().starts_with(&digits);
    let fitting: Vec<&GoneView> = gone.iter().filter(fits).collect();
    match fitting[..] {
        [] => Found::None,
        [one] => Found::One(one),
        _ => Found::Ambiguous(fitting),
    }
}
