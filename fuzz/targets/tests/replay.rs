//! The fuzz targets as ordinary tests: the committed corpora replayed, mutants of them tried, and the memory that a
//! single input makes a target hold measured.
//!
//! The corpus of a target is `fuzz/corpus/TARGET`: `seed-…` made by the real encoders, `find-…` kept from fuzzing. What
//! once crashed is in `fuzz/artifacts-fixed/TARGET`. After a format grew: `HOSTILE_CORPUS=write cargo test -p hostile`.
//! `HOSTILE_MUTANTS=1000000 HOSTILE_SEED=7` tries other mutants, and more of them; a failing input is written to
//! `fuzz/artifacts/TARGET`.

// Counting what is allocated needs an allocator, and that is unsafe by its nature.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};

use hostile::{MEMORY_MIB_MAX, TARGETS, Target, mutate};
use rand::{Rng as _, SeedableRng as _};

/// Files and bytes that a corpus may have, and all of them together.
const FILES_MAX: usize = 60;
const CORPORA_BYTES_MAX: usize = 300 * 1024;

/// The system's allocator, which counts what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends has no cells any more; it is not measured.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Old and new stand side by side while the bytes are moved.
        count(new_size as isize);
        count(-(layout.size() as isize));
        // SAFETY: as the caller promised.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that this thread held at once during `work`, beyond what it held before.
fn peak(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    work();
    (PEAK.get() - before) as usize
}

fn folder(kind: &str, target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(kind)
        .join(target.name)
}

/// The files of a folder by name; none where there is no folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (
            entry.file_name().into_string().unwrap(),
            std::fs::read(entry.path()).unwrap(),
        )
    };
    let mut files: Vec<_> = entries.map(read).collect();
    files.sort();
    files
}

/// The seeds on disk are what the encoders make today.
fn check_seeds(target: &Target, corpus: &[(String, Vec<u8>)]) {
    let (folder, mut made) = (folder("corpus", target), (target.seeds)());
    made.sort();
    let (seeds, finds): (Vec<_>, Vec<_>) = corpus
        .iter()
        .cloned()
        .partition(|(name, _)| name.starts_with("seed-"));
    if std::env::var_os("HOSTILE_CORPUS").is_some_and(|what| what == "write") {
        std::fs::create_dir_all(&folder).unwrap();
        seeds
            .iter()
            .for_each(|(name, _)| std::fs::remove_file(folder.join(name)).unwrap());
        made.iter()
            .for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
        return;
    }
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let differ: Vec<String> = names(&made)
        .into_iter()
        .filter(|name| {
            let of = |files: &[(String, Vec<u8>)]| {
                files
                    .iter()
                    .find(|(other, _)| other == name)
                    .map(|(_, bytes)| bytes.clone())
            };
            of(&made) != of(&seeds)
        })
        .collect();
    assert!(
        differ.is_empty() && names(&made) == names(&seeds),
        "{differ:?} of {} are not what the encoders make: HOSTILE_CORPUS=write cargo test -p hostile",
        folder.display()
    );
    assert!(
        finds.iter().all(|(name, _)| name.starts_with("find-")),
        "{:?}",
        names(&finds)
    );
    assert!(
        corpus.len() <= FILES_MAX,
        "{} files in {}",
        corpus.len(),
        folder.display()
    );
}

/// Keeps the input in hand when its target panics.
struct Witness<'a> {
    target: &'a Target,
    what: &'a str,
    input: &'a [u8],
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = folder("artifacts", self.target).join(self.what.replace(' ', "-"));
            let written = std::fs::create_dir_all(folder("artifacts", self.target))
                .and_then(|()| std::fs::write(&path, self.input));
            eprintln!(
                "{}: {} is in {} ({written:?})",
                self.target.name,
                self.what,
                path.display()
            );
        }
    }
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn replay(target: &Target) {
    let corpus = files(&folder("corpus", target));
    check_seeds(target, &corpus);
    let fixed = files(&folder("artifacts-fixed", target));
    let inputs: Vec<Vec<u8>> = (target.seeds)()
        .into_iter()
        .chain(corpus)
        .chain(fixed)
        .map(|(_, bytes)| bytes)
        .collect();
    // What is made once a process is not an input's fault.
    (target.run)(&inputs[0]);
    let mut most = 0;
    let mut fire = |input: &[u8], what: &str| {
        let _witness = Witness { target, what, input };
        let held = peak(|| (target.run)(input));
        assert!(
            held <= target.memory_mib << 20,
            "{} holds {held} bytes for {what}",
            target.name
        );
        most = most.max(held);
    };
    for (input, number) in inputs.iter().zip(0..) {
        fire(input, &format!("input {number}"));
    }
    for (input, number) in (target.large)().iter().zip(0..) {
        fire(input, &format!("large {number}"));
    }
    let (seed, mutants) = (number("HOSTILE_SEED"), number("HOSTILE_MUTANTS"));
    let (seed, mutants) = (seed.unwrap_or(1), mutants.unwrap_or(target.mutants.into()));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    for number in 0..mutants {
        let input = mutate::mutant(&mut rng, &inputs[number as usize % inputs.len()], &inputs);
        fire(&input, &format!("mutant {seed} {number}"));
    }
    println!(
        "{}: {} inputs, {mutants} mutants, at most {most} bytes held",
        target.name,
        inputs.len()
    );
}

macro_rules! replayed {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay(TARGETS.iter().find(|target| target.name == stringify!($name)).unwrap());
        })*

        #[test]
        fn every_target_is_replayed_and_has_a_door_of_its_own() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            assert!(TARGETS.iter().all(|target| target.memory_mib <= MEMORY_MIB_MAX));
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
            for name in names {
                let door = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
                assert!(door.contains(&format!("hostile::{name}::run(data)")), "{name}");
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

replayed!(
    op, gossip, request, checkpoint, chunk_list, zmtp, hello, central, image, recipe, filters
);

#[test]
fn the_corpora_are_small() {
    let all = TARGETS.iter().flat_map(|target| files(&folder("corpus", target)));
    let bytes: usize = all.map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes <= CORPORA_BYTES_MAX, "{bytes} bytes");
}

/// The measure itself: one byte too much is seen, also where it is only passed through.
#[test]
fn what_is_held_is_counted() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
    let len = (MEMORY_MIB_MAX << 20) + rng.gen_range(1..100);
    let held = peak(|| drop(std::hint::black_box(vec![1u8; len])));
    assert!((len..len + 100).contains(&held), "{held}");
    let grown = peak(|| {
        let mut bytes = vec![1u8; 1000];
        bytes.reserve_exact(3000);
        std::hint::black_box(&bytes);
    });
    assert!((5000..5100).contains(&grown), "{grown}");
    assert_eq!(peak(|| ()), 0);
}
