//! The others: `crdts::Orswot` over the texts, `automerge` and `loro` as a map from the text's hash to the text.

use std::time::Duration;

use automerge::transaction::Transactable as _;
use automerge::{AutoCommit, ROOT, ReadDoc as _};
use crdt::id::ActorId;
use crdts::orswot::{Op, Orswot};
use crdts::{CmRDT as _, CvRDT as _, Dot};
use loro::{ExportMode, LoroDoc};

use crate::{ACTORS, ADDS, APART, FACTS, Subject, text, timed};

const HERE: std::ops::Range<usize> = 0..FACTS;
const ADDED: std::ops::Range<usize> = FACTS + APART..FACTS + APART + ADDS;
/// Facts of one change of automerge and loro, which are at their best with many.
const BATCH: usize = 250;

fn writer(n: usize) -> ActorId {
    ActorId([(n % ACTORS) as u8 + 1; 16])
}

/// An add-wins set without tombstones, of the crate `crdts`.
pub type Set = Orswot<String, ActorId>;

/// Ops as they travel, JSON; each writer's counter goes up by one.
fn set_ops(facts: impl Iterator<Item = usize>, counters: &mut [u64; ACTORS]) -> Vec<String> {
    let op = |n: usize| {
        let counter = &mut counters[n % ACTORS];
        *counter += 1;
        let op: Op<String, ActorId> = Op::Add {
            dot: Dot::new(writer(n), *counter),
            members: vec![text(n)],
        };
        serde_json::to_string(&op).expect("an op is JSON")
    };
    facts.map(op).collect()
}

fn set_of(ops: &[String]) -> Set {
    let mut set = Set::new();
    ops.iter().for_each(|op| set_apply(&mut set, op));
    set
}

fn set_read(op: &str) -> Op<String, ActorId> {
    serde_json::from_str(op).expect("an op is JSON")
}

fn set_apply(set: &mut Set, op: &str) {
    set.apply(set_read(op));
}

/// The stored form of a full state.
pub fn set_stored() -> String {
    serde_json::to_string(&set_of(&set_ops(HERE, &mut [0; ACTORS]))).expect("a state is JSON")
}

/// From the stored form to a state that answers.
pub fn set_load(stored: &str) -> Set {
    let set: Set = serde_json::from_str(stored).expect("a state is JSON");
    assert!(set.contains(&text(42)).val);
    set
}

/// The column of crdts.
pub struct Crdts {
    stored: String,
    here: Set,
    twin: Set,
    there: Set,
    there_text: String,
    adds: Vec<String>,
    one_more: String,
}

impl Crdts {
    /// Its states.
    pub fn new() -> Crdts {
        let mut counters = [0; ACTORS];
        let ops = set_ops(HERE, &mut counters);
        let adds = set_ops(ADDED, &mut counters);
        let (here, twin) = (set_of(&ops), set_of(&ops));
        // The writers of what is unknown here count on from what is common.
        let mut counters = [0; ACTORS];
        let mut theirs = set_ops(0..FACTS - APART, &mut counters);
        counters.iter_mut().for_each(|counter| *counter += APART as u64);
        theirs.extend(set_ops(FACTS..FACTS + APART, &mut counters));
        let there = set_of(&theirs);
        let mut more = here.clone();
        set_apply(&mut more, &adds[0]);
        Crdts {
            stored: set_stored(),
            there_text: serde_json::to_string(&there).expect("a state is JSON"),
            one_more: serde_json::to_string(&more).expect("a state is JSON"),
            here,
            twin,
            there,
            adds,
        }
    }
}

impl Default for Crdts {
    fn default() -> Self {
        Self::new()
    }
}

impl Subject for Crdts {
    fn name(&self) -> &'static str {
        "crdts"
    }

    fn round(&mut self) -> Vec<(usize, Duration)> {
        let (mut here, there) = (self.here.clone(), self.there.clone());
        let (_, memory) = timed(|| here.merge(there));
        let mut here = self.here.clone();
        let (_, wire) = timed(|| {
            let there: Set = serde_json::from_str(&self.there_text).expect("a state is JSON");
            here.merge(there);
        });
        let (equal, equality) = timed(|| self.here == self.twin);
        assert!(equal);
        let mut here = self.here.clone();
        let (_, adds) = timed(|| self.adds.iter().for_each(|op| set_apply(&mut here, op)));
        let mut here = self.here.clone();
        let (read, reading) = timed(|| self.adds.iter().map(|op| set_read(op)).collect::<Vec<_>>());
        let (_, applying) = timed(|| read.into_iter().for_each(|op| here.apply(op)));
        let mut here = self.here.clone();
        let (_, as_state) = timed(|| {
            let more: Set = serde_json::from_str(&self.one_more).expect("a state is JSON");
            here.merge(more);
        });
        let (_, loading) = timed(|| set_load(&self.stored));
        let add = adds / self.adds.len() as u32;
        vec![
            (0, memory),
            (1, wire),
            (2, equality),
            (3, add),
            (4, as_state),
            (7, reading / self.adds.len() as u32),
            (8, applying / self.adds.len() as u32),
            (9, loading),
        ]
    }
}

fn key(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

fn doc_put(doc: &mut AutoCommit, facts: impl Iterator<Item = usize>, batch: usize) {
    let facts: Vec<usize> = facts.collect();
    for (turn, facts) in facts.chunks(batch).enumerate() {
        doc.set_actor(writer(turn).0[..].into());
        for n in facts {
            let text = text(*n);
            doc.put(ROOT, key(&text), text).expect("a map takes a text");
        }
        doc.commit();
    }
}

/// The stored form of a full document.
pub fn doc_stored() -> Vec<u8> {
    let mut doc = AutoCommit::new();
    doc_put(&mut doc, HERE, BATCH);
    doc.save()
}

/// From the stored form to a document that answers.
pub fn doc_load(stored: &[u8]) -> AutoCommit {
    let doc = AutoCommit::load(stored).expect("a document is read");
    assert_eq!(doc.length(ROOT), FACTS);
    assert!(doc.get(ROOT, key(&text(42))).is_ok_and(|found| found.is_some()));
    doc
}

/// The column of automerge.
pub struct Automerge {
    stored: Vec<u8>,
    here: AutoCommit,
    twin: AutoCommit,
    there: AutoCommit,
    missing: Vec<u8>,
    adds: Vec<Vec<u8>>,
}

impl Automerge {
    /// Its documents.
    pub fn new() -> Automerge {
        let mut here = AutoCommit::new();
        doc_put(&mut here, 0..FACTS - APART, BATCH);
        let mut there = here.clone();
        let heads = here.get_heads();
        doc_put(&mut here, FACTS - APART..FACTS, BATCH);
        // Other writers: an actor's changes stand in one row.
        for (turn, n) in (FACTS..FACTS + APART).enumerate().step_by(BATCH) {
            there.set_actor([100 + (turn / BATCH) as u8; 16][..].into());
            for n in n..n + BATCH {
                let text = text(n);
                there.put(ROOT, key(&text), text).expect("a map takes a text");
            }
            there.commit();
        }
        let missing = there.save_after(&heads);
        let stored = here.save();
        let twin = {
            let mut twin = AutoCommit::new();
            for change in here.get_changes(&[]) {
                twin.load_incremental(change.raw_bytes())
                    .expect("a change is read");
            }
            twin
        };
        let mut next = here.clone();
        let adds = ADDED.map(|n| {
            doc_put(&mut next, std::iter::once(n), 1);
            next.get_last_local_change()
                .expect("it was made just now")
                .raw_bytes()
                .to_vec()
        });
        let adds = adds.collect();
        Automerge {
            stored,
            here,
            twin,
            there,
            missing,
            adds,
        }
    }
}

impl Default for Automerge {
    fn default() -> Self {
        Self::new()
    }
}

impl Subject for Automerge {
    fn name(&self) -> &'static str {
        "automerge"
    }

    fn round(&mut self) -> Vec<(usize, Duration)> {
        let (mut here, mut there) = (self.here.clone(), self.there.clone());
        let (_, memory) = timed(|| here.merge(&mut there).expect("they merge"));
        assert_eq!(here.length(ROOT), FACTS + APART);
        let mut here = self.here.clone();
        let (_, wire) = timed(|| here.load_incremental(&self.missing).expect("changes are read"));
        assert_eq!(here.length(ROOT), FACTS + APART);
        let (equal, equality) = timed(|| self.here.get_heads() == self.twin.get_heads());
        assert!(equal);
        let mut here = self.here.clone();
        let (_, adds) = timed(|| {
            for change in &self.adds {
                here.load_incremental(change).expect("a change is read");
            }
        });
        assert_eq!(here.length(ROOT), FACTS + ADDS);
        let (_, loading) = timed(|| doc_load(&self.stored));
        vec![
            (0, memory),
            (1, wire),
            (2, equality),
            (3, adds / ADDS as u32),
            (9, loading),
        ]
    }
}

const MAP: &str = "facts";

fn loro_put(doc: &LoroDoc, facts: impl Iterator<Item = usize>, batch: usize, first_peer: u64) {
    let facts: Vec<usize> = facts.collect();
    for (turn, facts) in facts.chunks(batch).enumerate() {
        doc.set_peer_id(first_peer + (turn % ACTORS) as u64)
            .expect("no transaction is open");
        for n in facts {
            let text = text(*n);
            doc.get_map(MAP)
                .insert(&key(&text), text)
                .expect("a map takes a text");
        }
        doc.commit();
    }
}

/// The stored form of a full document.
pub fn loro_stored() -> Vec<u8> {
    let doc = LoroDoc::new();
    loro_put(&doc, HERE, BATCH, 1);
    doc.export(ExportMode::Snapshot).expect("a document is written")
}

/// From the stored form to a document that answers.
pub fn loro_load(stored: &[u8]) -> LoroDoc {
    let doc = LoroDoc::from_snapshot(stored).expect("a document is read");
    assert_eq!(doc.get_map(MAP).len(), FACTS);
    assert!(doc.get_map(MAP).get(&key(&text(42))).is_some());
    doc
}

/// The column of loro.
pub struct Loro {
    stored: Vec<u8>,
    here: LoroDoc,
    twin: LoroDoc,
    there: LoroDoc,
    missing: Vec<u8>,
    adds: Vec<Vec<u8>>,
}

impl Loro {
    /// Its documents.
    pub fn new() -> Loro {
        let here = LoroDoc::new();
        loro_put(&here, 0..FACTS - APART, BATCH, 1);
        let there = here.fork();
        let common = here.oplog_vv();
        loro_put(&here, FACTS - APART..FACTS, BATCH, 1);
        loro_put(&there, FACTS..FACTS + APART, BATCH, 101);
        let missing = there
            .export(ExportMode::updates(&common))
            .expect("updates are written");
        let twin = LoroDoc::new();
        let all = here
            .export(ExportMode::all_updates())
            .expect("updates are written");
        twin.import(&all).expect("updates are read");
        let next = here.fork();
        let adds = ADDED.map(|n| {
            let before = next.oplog_vv();
            loro_put(&next, std::iter::once(n), 1, 201);
            next.export(ExportMode::updates(&before))
                .expect("updates are written")
        });
        let adds = adds.collect();
        Loro {
            stored: here.export(ExportMode::Snapshot).expect("a document is written"),
            here,
            twin,
            there,
            missing,
            adds,
        }
    }

    /// A copy, its state decoded.
    fn copy(&self) -> LoroDoc {
        let copy = self.here.fork();
        assert_eq!(copy.get_map(MAP).len(), FACTS);
        copy
    }
}

impl Default for Loro {
    fn default() -> Self {
        Self::new()
    }
}

impl Subject for Loro {
    fn name(&self) -> &'static str {
        "loro"
    }

    fn round(&mut self) -> Vec<(usize, Duration)> {
        let here = self.copy();
        let (_, memory) = timed(|| {
            let missing = self
                .there
                .export(ExportMode::updates(&here.oplog_vv()))
                .expect("updates are written");
            here.import(&missing).expect("updates are read")
        });
        assert_eq!(here.get_map(MAP).len(), FACTS + APART);
        let here = self.copy();
        let (_, wire) = timed(|| here.import(&self.missing).expect("updates are read"));
        assert_eq!(here.get_map(MAP).len(), FACTS + APART);
        let (equal, equality) = timed(|| self.here.oplog_vv() == self.twin.oplog_vv());
        assert!(equal);
        let here = self.copy();
        let (_, adds) = timed(|| {
            for update in &self.adds {
                here.import(update).expect("updates are read");
            }
        });
        assert_eq!(here.get_map(MAP).len(), FACTS + ADDS);
        let (_, loading) = timed(|| loro_load(&self.stored));
        vec![
            (0, memory),
            (1, wire),
            (2, equality),
            (3, adds / ADDS as u32),
            (9, loading),
        ]
    }
}
