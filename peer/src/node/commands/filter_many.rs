//! `filter --all`: versions of many images, as one command.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crdt::fact::{Fact, Image};
use crdt::id::{AlbumId, BlobHash};
use crdt::{Album, ImageView};
use filters::Recipe;
use tokio::task::JoinSet;

use super::super::run::{Durable, Handle, Node};
use super::filter::{NotMade, make};
use super::images::may_add;
use super::{Steps, find, refused, settled};
use crate::api::{self, Code, Failure, FilteredMany, MadeBefore, Progress, Reply, Select};

/// Images worked on at once: two decoded images, as an import takes.
const AT_ONCE: usize = 2;
/// Pixels that an image counts for in the time left where its entry does not tell.
const PIXELS_USUAL: u64 = 1_000_000;

pub(super) async fn filter_many(
    handle: &Handle,
    label: Option<String>,
    recipe: String,
    select: Select,
    steps: &Steps,
) -> Result<Reply, Failure> {
    let id = may_add(handle, label.clone()).await?;
    let recipe = super::recipe::recipe(handle, label.as_deref(), &recipe).await?;
    let canonical = recipe.to_string();
    let wanted = canonical.clone();
    let plan = handle.with(move |node| {
        let album = node
            .engine
            .album(&id)
            .ok_or_else(|| refused(engine::EditError::NoAlbum))?;
        plan(node, album, &select, &wanted)
    });
    let Plan {
        total,
        already,
        mut failed,
        work,
    } = plan.await??;
    let mut done = run(handle, recipe, work, steps).await;
    failed.append(&mut done.failed);
    let (made, mut twins) = commit(handle, id, done.made).await?;
    let report = handle.with(move |node| {
        let album = node
            .engine
            .album(&id)
            .ok_or_else(|| refused(engine::EditError::NoAlbum))?;
        let mut already = already;
        already.append(&mut twins);
        let entry = |hash: &BlobHash| {
            let views = album.images_of_blob(hash);
            views.last().map(|view| node.image_entry(album, view))
        };
        Ok::<_, Failure>(FilteredMany {
            album: album.name().to_owned(),
            recipe: canonical,
            made: made.iter().filter_map(entry).collect(),
            already,
            failed,
            total,
            left: done.left,
        })
    });
    ended(report.await??)
}

/// What was meant, and how much of it is to be done.
struct Plan {
    total: u64,
    already: Vec<MadeBefore>,
    failed: Vec<api::NotMade>,
    work: Vec<(String, Image)>,
}

fn plan(node: &Node, album: &Album, select: &Select, recipe: &str) -> Result<Plan, Failure> {
    let meant = find::images(node, album, select)?.views;
    let total = meant.len() as u64;
    // Versions by this recipe, but for those that are not what they say.
    let honest = |view: &ImageView| {
        let version = view.image.version.as_ref();
        version.and_then(|version| node.findings.get(version, &view.image.hash)) != Some(false)
    };
    let before: BTreeMap<BlobHash, (String, BlobHash)> = album
        .images()
        .filter(honest)
        .filter_map(|view| {
            let version = view
                .image
                .version
                .as_ref()
                .filter(|version| version.recipe == recipe)?;
            Some((version.source, (view.name.clone(), view.image.hash)))
        })
        .collect();
    let mut plan = Plan {
        total,
        already: Vec::new(),
        failed: Vec::new(),
        work: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    for view in meant {
        if let Some((name, hash)) = before.get(&view.image.hash) {
            plan.already.push(MadeBefore {
                source: view.name,
                name: name.clone(),
                hash: hash.hex(),
            });
        } else if !node.engine.is_here(&view.image.hash) {
            plan.failed.push(api::NotMade {
                message: "its bytes are not here yet".to_owned(),
                source: view.name,
                code: Code::NotFound,
                hint: "/sync brings what linked members hold".to_owned(),
            });
        } else if seen.insert(view.image.hash) {
            plan.work.push((view.name, view.image));
        } else {
            // The same file under two names has one version.
            plan.total -= 1;
        }
    }
    Ok(plan)
}

/// What came of the work.
#[derive(Default)]
struct Done {
    made: Vec<(String, Image)>,
    failed: Vec<api::NotMade>,
    left: u64,
}

/// Filters them, the first ones first, until all are done or nobody listens any more.
async fn run(handle: &Handle, recipe: Recipe, work: Vec<(String, Image)>, steps: &Steps) -> Done {
    let far = Far::new(&work, steps);
    let mut ended: BTreeMap<usize, (String, Result<Image, NotMade>)> = BTreeMap::new();
    let mut queue = work.into_iter().enumerate();
    let (mut tasks, mut names) = (JoinSet::new(), HashMap::new());
    loop {
        while tasks.len() < AT_ONCE && !steps.is_closed() {
            let Some((place, (name, source))) = queue.next() else {
                break;
            };
            let (handle, recipe, part) = (handle.clone(), recipe.clone(), far.part(&source));
            let task = tasks.spawn(async move {
                let step = part.clone();
                let steps = part.of.steps.clone();
                let step = move |done, total| step.at(done, total);
                let version = make(&handle, &source, recipe, &steps, step).await;
                part.whole();
                version
            });
            names.insert(task.id(), (place, name));
        }
        let Some(task) = tasks.join_next_with_id().await else {
            break;
        };
        let (id, version) = match task {
            Ok(ended) => ended,
            Err(lost) => {
                let failure = Failure::new(Code::Internal, "the filter failed", "please report this");
                (lost.id(), Err(NotMade::Failure(failure)))
            }
        };
        if let Some((place, name)) = names.remove(&id) {
            ended.insert(place, (name, version));
        }
    }
    let mut done = Done {
        left: queue.len() as u64,
        ..Done::default()
    };
    for (source, version) in ended.into_values() {
        match version {
            Ok(image) => done.made.push((source, image)),
            Err(NotMade::Cancelled) => done.left += 1,
            Err(NotMade::Failure(failure)) => done.failed.push(api::NotMade {
                source,
                code: failure.code,
                message: failure.message,
                hint: failure.hint,
            }),
        }
    }
    done
}

/// How far the whole run is, in pixels, so that large images count for more.
#[derive(Clone)]
struct Far {
    steps: Steps,
    pixels: u64,
    images: u64,
    pixels_done: Arc<AtomicU64>,
    images_done: Arc<AtomicU64>,
}

fn pixels(image: &Image) -> u64 {
    let shape = image.shape.as_ref();
    let pixels = shape.map_or(PIXELS_USUAL, |it| u64::from(it.width) * u64::from(it.height));
    // An entry may say anything.
    pixels.clamp(1, filters::limits::PIXELS_MAX)
}

impl Far {
    fn new(work: &[(String, Image)], steps: &Steps) -> Self {
        Far {
            steps: steps.clone(),
            pixels: work.iter().map(|(_, image)| pixels(image)).sum(),
            images: work.len() as u64,
            pixels_done: Arc::default(),
            images_done: Arc::default(),
        }
    }

    fn part(&self, image: &Image) -> Part {
        let part = Part {
            of: self.clone(),
            pixels: pixels(image),
            told: Arc::default(),
        };
        part.tell();
        part
    }
}

/// One image's part of it.
#[derive(Clone)]
struct Part {
    of: Far,
    pixels: u64,
    told: Arc<AtomicU64>,
}

impl Part {
    /// The filters are so far; decoding and encoding take about as long.
    fn at(&self, done: u64, total: u64) -> ControlFlow<()> {
        self.reach(self.pixels * done.min(total) / total.max(1) / 2);
        if self.of.steps.is_closed() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn whole(&self) {
        self.of.images_done.fetch_add(1, Ordering::Relaxed);
        self.reach(self.pixels);
    }

    fn reach(&self, pixels: u64) {
        let before = self.told.fetch_max(pixels, Ordering::Relaxed);
        let more = pixels.saturating_sub(before);
        self.of.pixels_done.fetch_add(more, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        let images = self.of.images_done.load(Ordering::Relaxed);
        let _ = self.of.steps.try_send(Progress {
            doing: format!("filtering {images} of {} images", self.of.images),
            done: self.of.pixels_done.load(Ordering::Relaxed),
            total: self.of.pixels,
            unit: "share".into(),
        });
    }
}

type Committed = (Vec<BlobHash>, Vec<MadeBefore>);

/// Makes the entries as one command; bytes that the album has under another name are left out.
async fn commit(handle: &Handle, id: AlbumId, made: Vec<(String, Image)>) -> Result<Committed, Failure> {
    let step = move |node: &mut Node| -> Result<(Committed, Option<Durable>), Failure> {
        let album = node
            .engine
            .album(&id)
            .ok_or_else(|| refused(engine::EditError::NoAlbum))?;
        let mut fresh: BTreeMap<BlobHash, String> = BTreeMap::new();
        let (mut facts, mut added, mut twins, mut here) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (source, image) in made {
            let hash = image.hash;
            here.extend(std::iter::once(hash).chain(image.preview.map(|preview| preview.hash)));
            let known = album
                .images_of_blob(&hash)
                .into_iter()
                .next()
                .map(|view| view.name);
            match known.or_else(|| fresh.get(&hash).cloned()) {
                Some(name) => twins.push(MadeBefore {
                    source,
                    name,
                    hash: hash.hex(),
                }),
                None => {
                    fresh.insert(hash, image.name.clone());
                    added.push(hash);
                    facts.push(Fact::Image(image));
                }
            }
        }
        node.feed(engine::Event::BlobsHere { blobs: here });
        if facts.is_empty() {
            return Ok(((added, twins), None));
        }
        let now = node.now();
        let token = node.engine.edit(now, id, facts, Vec::new()).map_err(refused)?;
        Ok(((added, twins), Some(node.durable(token))))
    };
    let (committed, durable) = handle.with(step).await??;
    if let Some(durable) = durable {
        settled(durable).await?;
    }
    Ok(committed)
}

/// What could not be made is a failure that carries what was; a run that was stopped is told as it is.
fn ended(it: FilteredMany) -> Result<Reply, Failure> {
    let worked = it.made.len() + it.already.len();
    let Some(first) = it.failed.first().filter(|_| it.left == 0) else {
        return Ok(Reply::FilteredMany(it));
    };
    let mut failure = if worked == 0 {
        let message = match it.failed.len() {
            1 => format!("{}: {}", first.source, first.message),
            n => format!("none of {n} images could be filtered"),
        };
        Failure::new(first.code, message, first.hint.clone())
    } else {
        let message = format!("{} of {} could not be filtered", it.failed.len(), it.total);
        Failure::new(Code::Partial, message, "the others are made; see each message")
    };
    failure.reply = Some(Box::new(Reply::FilteredMany(it)));
    Err(failure)
}
