//! What was refused, by kind and by whom: one book for the ops, the engine, the guard and the central's client, the
//! warnings of the log, and the end of the patience with a peer. docs/errors.md says what each kind means.

use std::collections::BTreeMap;

use crdt::id::PublicKey;

use super::run::Node;
use crate::api::RefusedFrom;

/// Devices with a line of their own in the book; what others send is counted without a name.
const DEVICES_MAX: usize = 256;
/// Faults that a device may send at once; one more and its link is cut.
const FAULTS_BURST: u64 = 64;
/// One fault is forgiven each of these.
const FAULT_FORGIVEN_MS: u64 = 1000;

/// What is refused of transfers.
const BLOB_KINDS: [&str; 1] = ["blob_wrong"];
/// What is refused of the central.
const CENTRAL_KINDS: [&str; 5] = [
    "central_key",
    "central_protocol",
    "central_list",
    "central_peer",
    "central_code",
];

/// Kinds that no honest program makes or passes on, whatever its version. Many of them end a link.
const FAULTS: [&str; 16] = [
    "op_root",
    "op_album",
    "op_actor",
    "op_certificate",
    "op_signature",
    "op_root_actor",
    "op_prev",
    "op_lamport",
    "op_removes_unseen",
    "op_removes_member",
    "op_accepts_unseen",
    "op_stranger",
    "gossip_form",
    "answer_form",
    "answer_misplaced",
    "answer_too_long",
];

/// Kinds that honest peers cause where they learn of a membership at different times, as at every ordinary start of two.
const EXPECTED: [&str; 2] = ["unknown_key", "request_denied"];
/// So many of them by one device are no news any more.
const EXPECTED_MAX: u64 = 9;

/// Whether a kind that came so often is worth a warning.
fn is_warned(kind: &str, sum: u64) -> bool {
    sum > EXPECTED_MAX || !EXPECTED.contains(&kind)
}

/// Every kind there is.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    let ops = crdt::op::Refusal::KINDS;
    let all = [
        &ops[..],
        &engine::REFUSED_KINDS,
        &net::REFUSED_KINDS,
        &BLOB_KINDS,
        &CENTRAL_KINDS,
    ];
    all.concat().into_iter()
}

/// The book.
#[derive(Default)]
pub(super) struct Refusals {
    devices: BTreeMap<Option<PublicKey>, Line>,
    /// What guards counted that are gone: each sign-in starts a new one.
    former: BTreeMap<&'static str, u64>,
}

/// What one device sent.
#[derive(Default)]
struct Line {
    kinds: BTreeMap<&'static str, u64>,
    /// Faults not forgiven at `at_ms`.
    faults: u64,
    at_ms: u64,
    /// Cut, and not linked again yet: what was still on its way is no further fault.
    is_cut: bool,
}

/// What follows from a refusal.
#[derive(Debug, PartialEq, Eq)]
struct Noted {
    /// How often so far, if that is worth a line in the log: the first time and each power of ten.
    told: Option<u64>,
    /// Whether it was one fault too many.
    cut: bool,
}

impl Refusals {
    fn note(&mut self, now: u64, kind: &'static str, from: Option<PublicKey>, count: u64) -> Noted {
        debug_assert!(kinds().any(|known| known == kind), "{kind}");
        let from = from.filter(|_| self.devices.len() < DEVICES_MAX || self.devices.contains_key(&from));
        let line = self.devices.entry(from).or_default();
        let sum = line.kinds.entry(kind).or_default();
        let before = *sum;
        *sum += count;
        let told = (before == 0 || before.ilog10() < sum.ilog10()).then_some(*sum);
        let forgiven = now.saturating_sub(line.at_ms) / FAULT_FORGIVEN_MS;
        line.faults = line.faults.saturating_sub(forgiven);
        line.at_ms += forgiven * FAULT_FORGIVEN_MS;
        if from.is_none() || line.is_cut || !FAULTS.contains(&kind) {
            return Noted { told, cut: false };
        }
        line.faults += count;
        line.is_cut = line.faults > FAULTS_BURST;
        Noted {
            told,
            cut: line.is_cut,
        }
    }

    /// A device is linked: its patience begins anew.
    pub(super) fn linked(&mut self, device: PublicKey) {
        if let Some(line) = self.devices.get_mut(&Some(device)) {
            (line.faults, line.is_cut) = (0, false);
        }
    }

    /// A guard ends: its counts stay.
    pub(super) fn keep(&mut self, counters: &BTreeMap<&'static str, u64>) {
        for kind in net::REFUSED_KINDS {
            if let Some(count) = counters.get(kind) {
                *self.former.entry(kind).or_default() += count;
            }
        }
    }

    /// How often each kind was refused. The guard counts all of its own and tells of some, so `counters` are the truth
    /// about those.
    pub(super) fn totals(&self, counters: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
        let mut totals = BTreeMap::new();
        for kind in kinds() {
            let noted = || {
                self.devices
                    .values()
                    .filter_map(|line| line.kinds.get(kind))
                    .sum()
            };
            let count = match net::REFUSED_KINDS.contains(&kind) {
                true => [&self.former, counters]
                    .into_iter()
                    .filter_map(|counts| counts.get(kind))
                    .sum(),
                false => noted(),
            };
            if count > 0 {
                totals.insert(kind.to_owned(), count);
            }
        }
        totals
    }
}

impl Node {
    /// Notes something refused: counts it, warns the first time, and cuts a peer that does nothing else.
    pub(super) fn refused(&mut self, kind: &'static str, from: Option<PublicKey>, count: u64, detail: &str) {
        // Strangers have no end of keys: only members' devices have a name here.
        let from = from.filter(|device| self.known.contains_key(device));
        let now = self.now();
        let noted = self.refusals.note(now, kind, from, count);
        if let Some(sum) = noted.told {
            let who = match from {
                Some(device) => self.name_of_device(&device),
                None if CENTRAL_KINDS.contains(&kind) => "the central".to_owned(),
                None => "somebody".to_owned(),
            };
            match is_warned(kind, sum) {
                true => tracing::warn!("refused {kind} from {who} ({sum} so far) {detail}"),
                false => tracing::debug!("refused {kind} from {who} ({sum} so far) {detail}"),
            }
        }
        if let (true, Some(peer), Some(net)) = (noted.cut, from, &self.net) {
            net.cut(peer, &format!("more than {FAULTS_BURST} faults, the last {kind}"));
        }
    }

    /// Takes in what the engine refused.
    pub(super) fn note_refused(&mut self) {
        for ((kind, from), count) in self.engine.take_refused() {
            self.refused(kind, from, count, "");
        }
    }

    /// By device, the worst first.
    pub(super) fn refused_from(&self) -> Vec<RefusedFrom> {
        let lines = self.refusals.devices.iter();
        let mut all: Vec<RefusedFrom> = lines
            .filter_map(|(device, line)| {
                let device = (*device)?;
                Some(RefusedFrom {
                    user: self.name_of_device(&device),
                    device: device.hex(),
                    kinds: line
                        .kinds
                        .iter()
                        .map(|(kind, n)| ((*kind).to_owned(), *n))
                        .collect(),
                })
            })
            .collect();
        all.sort_by_key(|from| std::cmp::Reverse(from.kinds.values().sum::<u64>()));
        all
    }

    fn name_of_device(&self, device: &PublicKey) -> String {
        match self.known.get(device) {
            Some(known) => self.name_of(&known.certificate.user()),
            None => device.hex(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: Option<PublicKey> = Some(PublicKey([7; 32]));

    /// A user who reads a kind in `/status` finds it in the book, and the book speaks of no other.
    #[test]
    fn every_kind_stands_in_the_documentation_once() {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md")).unwrap();
        let (_, table) = text.split_once("## What was refused").unwrap();
        let (table, _) = table.split_once("\n## ").unwrap_or((table, ""));
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut told: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
        let mut known: Vec<&str> = kinds().collect();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known);
        known.dedup();
        assert_eq!(told.len(), known.len(), "one vocabulary");
        assert!(FAULTS.iter().all(|fault| known.contains(fault)));
        let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(known.iter().all(|kind| kind.chars().all(is_word)));
    }

    #[test]
    fn the_log_hears_of_a_kind_once_and_then_by_powers_of_ten() {
        let mut book = Refusals::default();
        let mut told = |count| book.note(0, "gossip_denied", BOB, count).told;
        assert_eq!(told(1), Some(1));
        assert_eq!((0..8).filter_map(|_| told(1)).count(), 0);
        assert_eq!(told(1), Some(10));
        assert_eq!(told(89), None);
        assert_eq!(told(1), Some(100));
        // Another device, and nobody in particular, are others.
        assert_eq!(book.note(0, "gossip_denied", None, 3).told, Some(3));
        assert_eq!(book.totals(&BTreeMap::new())["gossip_denied"], 103);
    }

    /// Two peers that start one after the other refuse each other for a moment. That is no warning; an attack goes on.
    #[test]
    fn what_every_start_brings_is_no_warning_until_it_goes_on() {
        let mut book = Refusals::default();
        let mut warned = |kind, count| {
            let sum = book.note(0, kind, BOB, count).told;
            sum.is_some_and(|sum| is_warned(kind, sum))
        };
        assert!(!warned("unknown_key", 1) && !warned("unknown_key", EXPECTED_MAX - 1));
        assert!(warned("unknown_key", 1), "one past it");
        assert!(!warned("request_denied", 1));
        assert!(warned("op_signature", 1));
        assert!(
            EXPECTED
                .iter()
                .all(|kind| !FAULTS.contains(kind) && kinds().any(|known| known == *kind))
        );
    }

    #[test]
    fn sixty_four_faults_are_borne_and_one_more_ends_the_link() {
        let mut book = Refusals::default();
        let bob = BOB.unwrap();
        let cut = |book: &mut Refusals, now, kind, count| book.note(now, kind, BOB, count).cut;
        assert!(!cut(&mut book, 0, "op_signature", FAULTS_BURST));
        // A second forgives one; what a newer program may do is no fault.
        assert!(!cut(&mut book, FAULT_FORGIVEN_MS, "op_signature", 1));
        assert!(!cut(&mut book, FAULT_FORGIVEN_MS, "op_version", 1_000_000));
        assert!(cut(&mut book, FAULT_FORGIVEN_MS, "gossip_form", 1));
        // What was on its way is one cut, not three; the next link begins anew.
        assert!(!cut(&mut book, FAULT_FORGIVEN_MS, "op_signature", 1000));
        book.linked(bob);
        assert!(!cut(&mut book, FAULT_FORGIVEN_MS, "op_signature", FAULTS_BURST));
        assert!(cut(&mut book, FAULT_FORGIVEN_MS, "op_signature", 1));
        // Nobody in particular cannot be cut.
        assert!(!book.note(0, "op_signature", None, 1000).cut);
    }

    #[test]
    fn the_book_holds_so_many_devices() {
        let mut book = Refusals::default();
        let device = |n: usize| {
            let mut key = [1; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            Some(PublicKey(key))
        };
        for n in 0..=DEVICES_MAX {
            book.note(0, "gossip_denied", device(n), 1);
        }
        assert!(book.devices.contains_key(&device(DEVICES_MAX - 1)));
        assert!(
            !book.devices.contains_key(&device(DEVICES_MAX)),
            "one past is counted without a name"
        );
        assert_eq!(
            book.totals(&BTreeMap::new())["gossip_denied"],
            DEVICES_MAX as u64 + 1
        );
        book.note(0, "gossip_denied", device(3), 1);
        assert_eq!(book.devices[&device(3)].kinds["gossip_denied"], 2);
    }

    /// Logging out and in again starts a new guard; what the former counted stays.
    #[test]
    fn a_guards_counts_outlive_it() {
        let mut book = Refusals::default();
        let counted = BTreeMap::from([("hello", 3), ("dial_failed", 9)]);
        book.note(0, "hello", None, 1);
        assert_eq!(book.totals(&counted), BTreeMap::from([("hello".to_owned(), 3)]));
        book.keep(&counted);
        let counted = BTreeMap::from([("hello", 2)]);
        assert_eq!(book.totals(&counted)["hello"], 5);
    }
}
