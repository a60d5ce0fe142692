//! The album's CRDT beside others, at one size and on the same texts (docs/performance.md). Each subject builds its own
//! states from the same facts, each state apart from the others, and says what each of its figures covers.

pub mod ours;
pub mod theirs;

use std::time::Duration;

use crdt::fact::{Fact, Image, Preview, Shape};
use crdt::id::BlobHash;

/// Facts of a full state.
pub const FACTS: usize = 100_000;
/// Of these, how many the other side of a join lacks; it has as many that are unknown here.
pub const APART: usize = 1_000;
/// Bytes of a fact's text.
pub const FACT_BYTES: usize = 250;
/// Writers.
pub const ACTORS: usize = 8;
/// Facts that a later add brings, one at a time.
pub const ADDS: usize = 200;

/// What is measured, in the order of the table.
pub const ROWS: [(&str, &str); 15] = [
    (
        "join, in memory",
        "both states in memory, 99 % common, 1 % known to one side only; a copy that a call consumes is not counted",
    ),
    (
        "join, from the wire",
        "the same from the bytes that travel: the ops or changes that are missing; crdts has only whole states (JSON)",
    ),
    (
        "equality",
        "of two equal states, each built from the bytes of its ops: crdts `==`, digests, heads, version vectors",
    ),
    (
        "one remote add",
        "bytes of one op decoded and applied to a full state, no signature checked",
    ),
    (
        "one remote add as a state",
        "crdts: a state that holds one more (JSON, decoded and merged)",
    ),
    (
        "one remote add with digest",
        "as above, and the digest of the whole album after each",
    ),
    (
        "one remote add with signature",
        "as above without digest, and Ed25519 verified",
    ),
    (
        "one remote add, reading it",
        "the first part of it: bytes to an op with its JSON read and, here, its hashes compared",
    ),
    (
        "one remote add, applying it",
        "the second part: what was read into the state, here with its rights, its indices and its place in the digest",
    ),
    (
        "load",
        "stored bytes to a state that has answered its size and one look-up: JSON, snapshot, here a checkpoint with its \
         checksum; not in it: that the store's index names the same ops (`measure` of the store)",
    ),
    (
        "load from the ops",
        "the same without a checkpoint: the rows of the store, each read, hashed and judged",
    ),
    ("making the checkpoint", "of the full state, its digest known"),
    (
        "first digest after load",
        "of the album loaded from its checkpoint",
    ),
    (
        "all entries by name",
        "each with what it says, as the program lists them",
    ),
    ("an entry by its name", "of a full state"),
];

/// One that is measured.
pub trait Subject {
    /// Its column.
    fn name(&self) -> &'static str;
    /// One round: rows by number with the time of one piece of work.
    fn round(&mut self) -> Vec<(usize, Duration)>;
}

/// The text of fact `n`: an image with a preview, as the program writes it, [`FACT_BYTES`] long.
pub fn text(n: usize) -> String {
    let long = fact(n, 0).to_text().len();
    fact(n, FACT_BYTES - long).to_text()
}

/// The fact of [`text`].
pub fn image(n: usize) -> Fact {
    let long = fact(n, 0).to_text().len();
    fact(n, FACT_BYTES - long)
}

fn fact(n: usize, pad: usize) -> Fact {
    let hash = |salt: u8| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[salt]).update(&n.to_le_bytes());
        BlobHash(*hasher.finalize().as_bytes())
    };
    Fact::Image(Image {
        name: format!("{n:06}{}", "x".repeat(pad)),
        hash: hash(0),
        size: 2_000_000,
        at: 1_700_000_000_000,
        shape: Some(Shape {
            media: "image/jpeg".to_owned(),
            width: 4000,
            height: 3000,
        }),
        taken: None,
        damaged: false,
        preview: Some(Preview {
            hash: hash(1),
            size: 30_000,
        }),
        version: None,
    })
}

/// CPU time that a piece of work takes; what it gives back is dropped outside. All subjects work on the thread that
/// calls them, so this is what they cost, and other programs on the machine disturb it far less than a wall clock.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = cpu_time();
    let out = std::hint::black_box(work());
    (out, cpu_time().saturating_sub(start))
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
