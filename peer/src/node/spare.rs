//! Work for spare time: a version whose bytes nobody linked holds is made again from its source, and what others made is
//! checked, the newest first and then any. One at a time, for a bounded share of the time, on a thread that yields to
//! everything else and stops for commands.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crdt::fact::{Fact, Image, Version};
use crdt::id::{AlbumId, BlobHash, UserId};
use crdt::{Album, Change, FactId};
use rand::RngCore as _;
use store::Blobs;
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, oneshot};

use super::busy::Busy;
use super::import::{self, VersionError};
use super::judge::{Claim, Judgement, Lie, judge, may_judge};
use super::news;
use super::run::{Handle, Node};
use crate::api::{News, Versions};
use crate::decoder::Picture;
use crate::exact;

/// Checks take at most one part of so many of the time: a tenth.
const CHECK_SHARE: u32 = 10;
/// Making what is missing takes at most one part of so many: half of it.
const REMAKE_SHARE: u32 = 2;
/// What is begun waits so long for a command to end, then it is put off.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Entries looked at in one step of the node's loop,
const LOOK_MAX: usize = 128;
/// the pause between two steps,
const LOOK_REST: Duration = Duration::from_millis(10);
/// and between two rounds while something waits for what peers say that they hold: longer each time,
const ROUND_REST: Duration = Duration::from_secs(1);
/// up to this.
const ROUND_REST_MAX: Duration = Duration::from_secs(60);
/// New versions that are looked at before any other; of more the oldest are found in the rounds.
const FRESH_MAX: usize = 256;
/// Changes in one receipt among which new versions are looked for; more are left to a round.
const CHANGES_MAX: usize = 2000;
/// With more blobs than this to come, what can be made here is not waited for.
const QUEUE_LONG: u64 = 64;
/// Versions that could not be judged and are left alone in this life.
const OPEN_MAX: usize = 65_536;
/// Most pixels of a source that is decoded unasked.
const PIXELS_MAX: u64 = 50_000_000;

/// What a node knows of its work for spare time.
#[derive(Default)]
pub(super) struct Spare {
    wake: Arc<Notify>,
    /// Versions that came in this life, the newest last.
    fresh: VecDeque<(AlbumId, FactId)>,
    /// Ranges of file hashes that the round has still to look at: from, and up to but not with.
    round: Vec<(AlbumId, BlobHash, Option<BlobHash>)>,
    /// Another round is due.
    due: bool,
    /// Something waits for bytes, or for what a peer says that it holds.
    waits: bool,
    /// How long until it is looked at again.
    rest: Duration,
    /// Neither right nor wrong in this life.
    open: BTreeSet<Claim>,
    /// Versions whose bytes were made here instead of fetched.
    rebuilt: u64,
}

/// One piece of work.
pub(super) struct Job {
    album: AlbumId,
    id: FactId,
    image: Image,
    version: Version,
    /// The bytes are missing; else they are here and unchecked.
    missing: bool,
}

/// What is to be done next.
pub(super) enum Next {
    Work(Box<Job>),
    /// There is more to look at.
    Look,
    /// Something waits: another round after this time.
    Later(Duration),
    Nothing,
}

/// What an entry needs.
enum Need {
    Work(Box<Job>),
    /// It waits for bytes.
    Wait,
    Nothing,
}

/// What came of a job.
enum Done {
    True,
    /// These bytes are here now; whether the stated pixels are theirs.
    Rebuilt(Vec<BlobHash>, bool),
    False(Lie),
    /// It cannot be told here.
    Open(String),
    /// A command, or the end of the node, came first.
    PutOff,
}

/// New facts are in force: versions among them are looked at soon.
pub(super) fn changed(node: &mut Node, id: AlbumId, changes: &[Change]) {
    let spare = &mut node.spare;
    let Some(album) = node.engine.album(&id) else {
        return;
    };
    if changes.len() > CHANGES_MAX {
        spare.due = true;
        return spare.wake.notify_one();
    }
    for change in changes {
        if let Change::Live { id: fact } = change
            && let Some(Fact::Image(image)) = album.fact(fact).map(|element| element.fact)
            && image.version.is_some()
        {
            spare.fresh.push_back((id, *fact));
            if spare.fresh.len() > FRESH_MAX {
                spare.fresh.pop_front();
                spare.due = true;
            }
            spare.wake.notify_one();
        }
    }
}

/// Bytes came, or a peer left: something may have waited for that.
pub(super) fn moved(node: &mut Node) {
    if node.spare.waits {
        (node.spare.due, node.spare.rest) = (true, ROUND_REST);
        node.spare.wake.notify_one();
    }
}

/// Does what there is to do until the node ends; dropped, it stops what is under way at its next band.
pub(super) async fn run(handle: Handle) {
    let thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "spare".into())
        .start_handler(|_| {
            // Last of all, where the system grants it.
            let _ = rustix::process::nice(19);
        })
        // Whoever waits for the work sees that nothing comes of it.
        .panic_handler(|_| tracing::error!("making a version failed"))
        .build();
    let thread = match thread {
        Ok(thread) => thread,
        Err(error) => return tracing::warn!("no thread to check versions: {error}"),
    };
    let halt = Halt::default();
    let begun = handle.with(|node| {
        node.spare.due = true;
        node.spare.wake.clone()
    });
    let Ok(wake) = begun.await else { return };
    loop {
        handle.busy.quiet().await;
        let Ok(next) = handle.with(Node::next_spare).await else {
            return;
        };
        let rest = match next {
            Next::Work(job) => {
                let since = Instant::now();
                let share = if job.missing { REMAKE_SHARE } else { CHECK_SHARE };
                let work = Work {
                    blobs: handle.blobs.clone(),
                    decode: decoding(&handle, halt.0.clone()),
                    busy: handle.busy.clone(),
                    halt: halt.0.clone(),
                    pause_max: PAUSE_MAX,
                };
                let claim = Claim::of(&job.version, &job.image.hash);
                let (tell, told) = oneshot::channel();
                thread.spawn(move || drop(tell.send((work.of(&job), job))));
                let settled = match told.await {
                    Ok((done, job)) => handle.with(move |node| node.settle(*job, done)).await,
                    Err(_) => handle.with(move |node| node.leave_open(claim)).await,
                };
                if settled.is_err() {
                    return;
                }
                since.elapsed() * (share - 1) + LOOK_REST
            }
            Next::Look => LOOK_REST,
            Next::Later(rest) => {
                if tokio::time::timeout(rest, wake.notified()).await.is_err() {
                    let again = handle.with(|node| node.spare.due = true);
                    if again.await.is_err() {
                        return;
                    }
                }
                LOOK_REST * 10
            }
            Next::Nothing => {
                wake.notified().await;
                LOOK_REST * 10
            }
        };
        tokio::time::sleep(rest).await;
    }
}

/// Set when it is dropped.
#[derive(Default)]
struct Halt(Arc<AtomicBool>);

impl Drop for Halt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where files become pixels.
type Decoding = Box<dyn Fn(&[u8]) -> Result<Picture, VersionError> + Send>;

/// Decoding by a process that yields as the thread does which starts it, and ends when the node does.
fn decoding(handle: &Handle, halt: Arc<AtomicBool>) -> Decoding {
    let (decoder, runtime) = (handle.decoder.up_to(PIXELS_MAX), Runtime::current());
    Box::new(move |file| {
        runtime.block_on(async {
            let halted = async {
                while !halt.load(Ordering::Relaxed) {
                    tokio::time::sleep(LOOK_REST * 10).await;
                }
            };
            tokio::select! {
                picture = decoder.pixels(file) => Ok(picture?),
                () = halted => Err(filters::FilterError::Cancelled.into()),
            }
        })
    })
}

/// What a job works with, on its thread.
struct Work {
    blobs: Blobs,
    decode: Decoding,
    busy: Busy,
    halt: Arc<AtomicBool>,
    pause_max: Duration,
}

impl Work {
    /// Between two bands: waits for commands, and says whether to go on.
    fn go_on(&self) -> ControlFlow<()> {
        let since = Instant::now();
        while self.busy.is_busy() {
            if self.halt.load(Ordering::Relaxed) || since.elapsed() >= self.pause_max {
                return ControlFlow::Break(());
            }
            std::thread::sleep(LOOK_REST);
        }
        if self.halt.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn of(&self, job: &Job) -> Done {
        let source = match self.blobs.read(&job.version.source.0) {
            Ok(source) => source,
            Err(error) => return Done::Open(format!("its source: {error}")),
        };
        let done = if job.missing {
            self.remake(job, &source)
        } else {
            self.check(job, &source)
        };
        done.unwrap_or_else(|error| match error {
            VersionError::Filter(filters::FilterError::Cancelled) => Done::PutOff,
            other => Done::Open(other.to_string()),
        })
    }

    fn check(&self, job: &Job, source: &[u8]) -> Result<Done, VersionError> {
        let hash = job.image.hash;
        let file = || self.blobs.read(&hash.0).ok();
        let judgement = judge(
            exact::here(),
            (&job.version, &hash),
            source,
            &file,
            &*self.decode,
            &mut |_, _| self.go_on(),
        )?;
        Ok(match judgement {
            Judgement::True => Done::True,
            Judgement::False(lie) => Done::False(lie),
            Judgement::Unknown(why) => Done::Open(why),
        })
    }

    /// Makes the bytes; they are kept only if they are those of the entry's hash.
    fn remake(&self, job: &Job, source: &[u8]) -> Result<Done, VersionError> {
        let Ok(recipe) = may_judge(&job.version) else {
            return Ok(Done::PutOff);
        };
        let made = (self.decode)(source);
        let made = made.and_then(|picture| {
            let encoder = Some(job.version.encoder.as_str());
            import::make_version(exact::here(), &picture.decoded, &recipe, encoder, &mut |_, _| {
                self.go_on()
            })
        });
        let is = |bytes: &[u8], hash: BlobHash| *blake3::hash(bytes).as_bytes() == hash.0;
        let made = match made {
            Ok(made) if is(&made.bytes, job.image.hash) => made,
            // Why it is not what was stated is for the judge to say.
            Ok(_) | Err(VersionError::Decode(_)) => return self.check(job, source),
            Err(VersionError::Filter(error)) if !matches!(error, filters::FilterError::Cancelled) => {
                return self.check(job, source);
            }
            Err(error) => return Err(error),
        };
        let mut blobs = vec![made.bytes];
        let preview = job
            .image
            .preview
            .filter(|preview| is(&made.preview, preview.hash));
        blobs.extend(preview.map(|_| made.preview));
        let stored: Result<Vec<_>, _> = self.blobs.import_many(blobs).into_iter().collect();
        Ok(match stored {
            Ok(stored) => {
                let blobs = stored.iter().map(|blob| BlobHash(blob.hash)).collect();
                Done::Rebuilt(blobs, made.pixels == job.version.pixels.0)
            }
            Err(error) => Done::Open(error.to_string()),
        })
    }
}

impl Node {
    /// What there is to do: of what is new the newest, then whatever the round comes to.
    fn next_spare(&mut self) -> Next {
        let mut fresh = std::mem::take(&mut self.spare.fresh);
        let mut waits = false;
        let mut found = None;
        fresh = fresh
            .into_iter()
            .rev()
            .filter(|(album, id)| {
                if found.is_some() {
                    return true;
                }
                match self.need_of(album, id) {
                    Need::Nothing => false,
                    Need::Wait => {
                        waits = true;
                        true
                    }
                    Need::Work(job) => {
                        found = Some(job);
                        true
                    }
                }
            })
            .collect();
        // They were looked at from the end.
        fresh.make_contiguous().reverse();
        self.spare.fresh = fresh;
        self.spare.waits |= waits;
        if let Some(job) = found {
            return Next::Work(job);
        }
        if !self.spare.round.is_empty() {
            return self.look();
        }
        if std::mem::take(&mut self.spare.due) {
            self.begin_round();
            return Next::Look;
        }
        if !self.spare.waits {
            return Next::Nothing;
        }
        let rest = self.spare.rest.clamp(ROUND_REST, ROUND_REST_MAX);
        self.spare.rest = rest * 2;
        Next::Later(rest)
    }

    /// All entries of all albums, each album from a place by chance: where one stands is nobody's choice.
    fn begin_round(&mut self) {
        let mut start = [0; 32];
        rand::rngs::OsRng.fill_bytes(&mut start);
        let start = BlobHash(start);
        let ranges = |album: &Album| {
            [
                (album.id(), BlobHash([0; 32]), Some(start)),
                (album.id(), start, None),
            ]
        };
        self.spare.round = self.engine.albums().flat_map(ranges).collect();
        self.spare.waits = false;
    }

    /// Looks at some entries of the round.
    fn look(&mut self) -> Next {
        let Some((id, from, until)) = self.spare.round.pop() else {
            return Next::Nothing;
        };
        let Some(album) = self.engine.album(&id) else {
            return Next::Look;
        };
        let in_range = |entry: &(FactId, Image, UserId)| until.is_none_or(|until| entry.1.hash < until);
        let (mut seen, mut last, mut waits) = (0, from, false);
        for (fact, image, user) in album.entries_from(&from).take_while(in_range).take(LOOK_MAX) {
            (seen, last) = (seen + 1, image.hash);
            match self.need(album, fact, &image, user) {
                Need::Nothing => {}
                Need::Wait => waits = true,
                Need::Work(job) => {
                    self.spare.round.push((id, last, until));
                    return Next::Work(job);
                }
            }
        }
        self.spare.waits |= waits;
        if seen == LOOK_MAX {
            // Many entries of one file are looked at no further.
            let next = if last == from { next_hash(last) } else { Some(last) };
            self.spare.round.extend(next.map(|next| (id, next, until)));
        }
        Next::Look
    }

    fn need_of(&self, album: &AlbumId, id: &FactId) -> Need {
        let Some(album) = self.engine.album(album) else {
            return Need::Nothing;
        };
        let user = album.user_of_actor(&id.actor);
        match (
            album.is_fact_live(id),
            album.fact(id).map(|element| element.fact),
            user,
        ) {
            (true, Some(Fact::Image(image)), Some(user)) => self.need(album, *id, &image, user),
            _ => Need::Nothing,
        }
    }

    /// What an entry needs now.
    fn need(&self, album: &Album, id: FactId, image: &Image, user: UserId) -> Need {
        let Some(version) = image
            .version
            .as_deref()
            .filter(|version| may_judge(version).is_ok())
        else {
            return Need::Nothing;
        };
        let found = self.findings.get(version, &image.hash);
        let missing = !self.engine.is_here(&image.hash);
        let mine = self.user().is_none_or(|me| me == user);
        let settled = match (missing, found) {
            // What is not as stated does not come out by being made once more.
            (true, found) => found == Some(false),
            (false, found) => found.is_some() || mine || !self.config.verify,
        };
        if settled || self.spare.open.contains(&Claim::of(version, &image.hash)) {
            return Need::Nothing;
        }
        if !self.engine.is_here(&version.source) {
            return Need::Wait;
        }
        // Fetching costs a peer's line, making costs this machine a second: it is made where nobody has it, or where
        // many others would come first.
        let queue_is_long = self.engine.pending().0 > QUEUE_LONG && !self.engine.is_fetching(&image.hash);
        if missing && self.engine.may_come(&image.hash) && !queue_is_long {
            return Need::Wait;
        }
        Need::Work(Box::new(Job {
            album: album.id(),
            id,
            image: image.clone(),
            version: version.clone(),
            missing,
        }))
    }

    /// Takes in what came of a job, and tells people.
    fn settle(&mut self, job: Job, done: Done) {
        let (version, hash) = (&job.version, job.image.hash);
        match done {
            Done::True => self.note_finding(version, &hash, true),
            Done::Rebuilt(blobs, as_stated) => {
                self.spare.rebuilt += 1;
                if as_stated {
                    self.note_finding(version, &hash, true);
                } else {
                    // It is here to be checked now.
                    self.spare.due = true;
                }
                tracing::info!(blob = hash.hex(), "rebuilt from {}", version.source.hex());
                self.feed(engine::Event::BlobsHere { blobs });
                news::bytes_ready(self, job.album, hash, true);
            }
            Done::False(lie) => {
                self.note_finding(version, &hash, false);
                self.tell_lie(&job, lie);
            }
            Done::Open(why) => {
                tracing::info!(blob = hash.hex(), "not verifiable here: {why}");
                self.leave_open(Claim::of(version, &hash));
            }
            Done::PutOff => {}
        }
    }

    fn leave_open(&mut self, claim: Claim) {
        self.spare.open.insert(claim);
        if self.spare.open.len() > OPEN_MAX {
            self.spare.open.pop_first();
        }
    }

    fn tell_lie(&self, job: &Job, lie: Lie) {
        let Some(album) = self.engine.album(&job.album) else {
            return;
        };
        let Some(view) = album.image(&job.id) else { return };
        let source = album.images_of_blob(&job.version.source).into_iter().next();
        let news = News::VersionFalse {
            name: view.name,
            hash: job.image.hash.hex(),
            author: self.name_of(&view.user),
            version_of: job.version.source.hex(),
            source: source.map(|source| source.name),
            recipe: job.version.recipe.clone(),
            differs: lie.differs,
            step: lie.step,
            why: lie.why,
        };
        news::tell(self, Some(album.name().to_owned()), news);
    }

    /// Keeps what came of making a version again.
    pub(super) fn note_finding(&mut self, version: &Version, file: &BlobHash, found: bool) {
        let claim = Claim::of(version, file);
        let forgotten = self.findings.note(claim, found);
        self.put("verified", claim.key(), vec![u8::from(found)]);
        if let Some(other) = forgotten {
            self.delete("verified", other.key());
        }
    }

    /// How the versions in all albums stand.
    pub(super) fn versions(&self) -> Versions {
        let mut counts = Versions {
            rebuilt: self.spare.rebuilt,
            ..Versions::default()
        };
        let entries = self
            .engine
            .albums()
            .flat_map(|album| album.entries_from(&BlobHash([0; 32])));
        for (_, image, _) in entries {
            let Some(version) = image.version else { continue };
            *match self.findings.get(&version, &image.hash) {
                Some(true) => &mut counts.verified,
                Some(false) => &mut counts.not_as_stated,
                None if may_judge(&version).is_err()
                    || self.spare.open.contains(&Claim::of(&version, &image.hash)) =>
                {
                    &mut counts.not_verifiable
                }
                None => &mut counts.unverified,
            } += 1;
        }
        counts
    }
}

/// The hash after this one; none after the last.
fn next_hash(hash: BlobHash) -> Option<BlobHash> {
    let mut bytes = hash.0;
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte > 0 {
            return Some(BlobHash(bytes));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crdt::id::Digest;

    use super::super::lost::start;
    use super::*;

    fn entry(number: u16, source: BlobHash) -> Image {
        let hash = BlobHash(*blake3::hash(&number.to_le_bytes()).as_bytes());
        Image {
            name: format!("{number}.webp"),
            hash,
            size: 9,
            at: 1,
            shape: None,
            taken: None,
            damaged: false,
            preview: None,
            version: Some(Box::new(Version {
                source,
                recipe: "sepia".into(),
                pixel_engine: codec::pixel_engine(codec::Media::Png),
                encoder: codec::ENCODER_WEBP.into(),
                pixels: Digest([0; 32]),
            })),
        }
    }

    /// An album gets more versions than are kept in mind: the newest come first, and each comes once. After a restart,
    /// with everything forgotten, nothing is begun before their source is here; then all come again.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_newest_comes_first_and_every_version_comes() {
        let dir = tempfile::tempdir().unwrap();
        let (handle, running) = start(dir.path());
        let source = BlobHash([7; 32]);
        let count = (FRESH_MAX + 2 * LOOK_MAX) as u16;
        let made = handle.with(move |node| {
            node.feed(engine::Event::BlobsHere { blobs: vec![source] });
            let (album, _) = node.engine.create("trip", 1).unwrap();
            let facts = (0..count).map(|number| Fact::Image(entry(number, source)));
            let token = node.engine.edit(0, album, facts.collect(), Vec::new()).unwrap();
            node.durable(token)
        });
        made.await.unwrap().await.unwrap().unwrap();
        let mut names = handle.with(come).await.unwrap();
        let newest: Vec<String> = (0..FRESH_MAX as u16)
            .map(|n| format!("{}.webp", count - 1 - n))
            .collect();
        assert_eq!(names[..FRESH_MAX], newest);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), usize::from(count));
        handle.send(super::super::run::Input::Stop);
        running.await.unwrap().unwrap();
        drop(handle);

        let (handle, running) = start(dir.path());
        let again = handle.with(move |node| {
            node.findings = Default::default();
            node.spare.due = true;
            assert_eq!(come(node), Vec::<String>::new());
            node.feed(engine::Event::BlobsHere { blobs: vec![source] });
            moved(node);
            come(node)
        });
        let mut again = again.await.unwrap();
        again.sort();
        assert_eq!(again, names);
        handle.send(super::super::run::Input::Stop);
        running.await.unwrap().unwrap();
    }

    /// Whatever there is to do, until there is nothing more; each is found to be a lie.
    fn come(node: &mut Node) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            match node.next_spare() {
                Next::Look => {}
                Next::Later(_) | Next::Nothing => return names,
                Next::Work(job) => {
                    names.push(job.image.name.clone());
                    let lie = Lie {
                        differs: crate::api::Differs::Pixels,
                        step: None,
                        why: None,
                    };
                    node.settle(*job, Done::False(lie));
                }
            }
        }
    }

    /// What a job works with, and a version of these bytes that is a lie.
    fn at_work(dir: &std::path::Path, source: &[u8]) -> (Work, Job) {
        let home = store::Home::open(dir, Duration::from_secs(10)).unwrap();
        let work = Work {
            blobs: Blobs::open(&home),
            decode: Box::new(|file| {
                let decoded = codec::decode(file, &codec::Limits::default());
                Ok(decoded.map_err(crate::decoder::DecodeError::from)?.into())
            }),
            busy: Busy::default(),
            halt: Arc::default(),
            pause_max: Duration::ZERO,
        };
        let image = entry(1, BlobHash(work.blobs.import(source).unwrap().hash));
        let job = Job {
            album: AlbumId([0; 32]),
            id: FactId {
                actor: crdt::id::ActorId([0; 16]),
                seq: 1,
                header: crdt::id::HeaderHash([0; 32]),
            },
            version: *image.version.clone().unwrap(),
            image,
            missing: false,
        };
        (work, job)
    }

    /// A node is told to end in the middle of a picture, or a command begins and goes on: the work ends at its next band
    /// and nothing is known.
    #[test]
    fn work_stops_within_a_band() {
        let dir = tempfile::tempdir().unwrap();
        let samples = filters::Samples::U8([10, 200, 90].repeat(12));
        let raster = filters::Raster::new(4, 3, filters::Channels::Rgb, samples).unwrap();
        let file = codec::encode_as(codec::Media::Png, &raster, &codec::Metadata::default()).unwrap();
        let (work, mut job) = at_work(dir.path(), &file.bytes);
        for missing in [false, true] {
            job.missing = missing;
            assert!(matches!(work.of(&job), Done::False(_)));
            let at_work = work.busy.enter();
            assert!(matches!(work.of(&job), Done::PutOff));
            drop(at_work);
            assert!(matches!(work.of(&job), Done::False(_)));
            work.halt.store(true, Ordering::Relaxed);
            assert!(matches!(work.of(&job), Done::PutOff));
            work.halt.store(false, Ordering::Relaxed);
        }
    }

    /// Of what cannot be judged a bounded number is left alone.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_left_alone_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let (handle, running) = start(dir.path());
        let counts = handle.with(|node| {
            let claim = |number: u64| {
                Claim::of(&entry(1, BlobHash([1; 32])).version.unwrap(), &{
                    BlobHash(*blake3::hash(&number.to_le_bytes()).as_bytes())
                })
            };
            let mut leave = |number| {
                node.leave_open(claim(number));
                node.spare.open.len()
            };
            let at = (0..OPEN_MAX as u64).map(&mut leave).last();
            (at, leave(u64::MAX))
        });
        assert_eq!(counts.await.unwrap(), (Some(OPEN_MAX), OPEN_MAX));
        handle.send(super::super::run::Input::Stop);
        running.await.unwrap().unwrap();
    }

    #[test]
    fn after_the_last_hash_there_is_none() {
        let mut hash = [255; 32];
        assert_eq!(next_hash(BlobHash(hash)), None);
        hash[30] = 7;
        assert_eq!(next_hash(BlobHash(hash)).unwrap().0[29..], [255, 8, 0]);
    }
}
