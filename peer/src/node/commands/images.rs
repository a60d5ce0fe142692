//! `get-images`, `add-image` in both forms, `remove-image`, `rate-image`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crdt::fact::{Fact, Image, Role};
use crdt::id::{AlbumId, BlobHash};

use tokio_util::task::AbortOnDropHandle;

use super::super::blobs::blocking;
use super::super::import::{self, GROUP, Listed, Looked};
use super::super::run::{Durable, Handle, Node, clock_ms};
use super::super::view::image_named;
use super::{Steps, find, refused, rights, settled};
use crate::api::{Added, Already, Code, Failed, Failure, Images, Progress, Rated, Removed, Reply, Select};
use crate::decoder::AT_ONCE_MAX;

pub(super) async fn list(handle: &Handle, label: Option<String>, select: Select) -> Result<Reply, Failure> {
    handle
        .with(move |node| {
            let album = node.album(label.as_deref())?;
            let found = find::images(node, album, &select)?;
            Ok(Reply::Images(Images {
                album: album.name().to_owned(),
                images: found.entries(node, album),
                total: found.total,
                offset: found.offset,
                in_album: album.image_count() as u64,
                held: album.held_images(),
            }))
        })
        .await?
}

pub(super) async fn add(
    handle: &Handle,
    label: Option<String>,
    paths: Vec<PathBuf>,
    (name, strip_gps): (Option<String>, bool),
    steps: &Steps,
) -> Result<Reply, Failure> {
    let name = name.map(|name| check_name(&name)).transpose()?;
    let id = may_add(handle, label).await?;
    let mut skipped = 0;
    let mut failed = Vec::new();
    let files = blocking(move || {
        let (mut files, mut other) = (Vec::new(), Vec::new());
        import::list(&paths, &mut |listed| match listed {
            Listed::File(path) => files.push(path),
            listed => other.push(listed),
        });
        (files, other)
    });
    let (files, other) = files.await;
    for listed in other {
        match listed {
            Listed::Failed(failure) => failed.push(failure),
            _ => skipped += 1,
        }
    }
    if name.is_some() && files.len() != 1 {
        let message = format!("--as gives one name, but there are {} files", files.len());
        return Err(Failure::new(
            Code::Usage,
            message,
            "add them without --as, or one at a time",
        ));
    }
    let rename = name.is_some();
    let mut looked: Vec<Looked> = Vec::new();
    let (total, mut left) = (files.len() as u64, 0);
    for (index, group) in files.chunks(GROUP).enumerate() {
        let done = (index * GROUP) as u64;
        let _ = steps.try_send(Progress {
            doing: "importing".into(),
            done,
            total,
            unit: "images".into(),
        });
        let outcomes = look_all(handle, group, (name.as_deref(), strip_gps), steps).await;
        let done = done + outcomes.len() as u64;
        for outcome in outcomes {
            match outcome {
                Ok(image) => looked.push(image),
                Err(failure) => failed.push(failure),
            }
        }
        if steps.is_closed() {
            left = total - done;
            break;
        }
    }
    let stripped = looked.iter().filter(|looked| looked.stripped);
    let stripped = stripped.map(|looked| looked.path.display().to_string()).collect();
    let (added, already) = commit(handle, id, looked, rename).await?;
    report(handle, id, (added, already, failed), stripped, (skipped, left)).await
}

/// Checks that the user may add, before any work is done.
pub(super) async fn may_add(handle: &Handle, label: Option<String>) -> Result<AlbumId, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        rights::may(node, album, Role::Contributor)?;
        Ok(album.id())
    };
    handle.with(step).await?
}

fn check_name(name: &str) -> Result<String, Failure> {
    crdt::name::image_name(name).map_err(|error| {
        let message = format!("{name:?} cannot be an image's name: {error}");
        Failure::new(
            Code::Usage,
            message,
            "names have 1 to 255 bytes and no / or \\, for example sunset.jpg",
        )
    })
}

/// What became of each file, in their order; nothing of those that were not done when a door asked to stop.
async fn look_all(
    handle: &Handle,
    paths: &[PathBuf],
    (name, strip_gps): (Option<&str>, bool),
    steps: &Steps,
) -> Vec<Result<Looked, Failed>> {
    let at = clock_ms();
    let mut outcomes = Vec::with_capacity(paths.len());
    // The files themselves are in memory too, so only as many as may be decoded at once.
    for some in paths.chunks(AT_ONCE_MAX) {
        let look = |path: &PathBuf| {
            let (handle, path, name) = (handle.clone(), path.clone(), name.map(str::to_owned));
            // Dropped with this command, and its decoder with it.
            AbortOnDropHandle::new(tokio::spawn(async move {
                import::look(&handle, path, name, (at, strip_gps)).await
            }))
        };
        let tasks: Vec<_> = some.iter().map(look).collect();
        for (task, path) in tasks.into_iter().zip(some) {
            let lost = |_| {
                let message = "looking at it failed".to_owned();
                Err(import::failed(
                    path,
                    Code::Internal,
                    message,
                    "please report this",
                ))
            };
            tokio::select! {
                outcome = task => outcomes.push(outcome.unwrap_or_else(lost)),
                () = steps.closed() => return outcomes,
            }
        }
    }
    outcomes
}

type Committed = (Vec<BlobHash>, Vec<Already>);

/// Makes the entries as one command: what the album has already is left out unless it was given a new name.
async fn commit(
    handle: &Handle,
    id: AlbumId,
    looked: Vec<Looked>,
    rename: bool,
) -> Result<Committed, Failure> {
    let step = move |node: &mut Node| -> Result<(Committed, Option<Durable>), Failure> {
        let Some(album) = node.engine.album(&id) else {
            return Err(refused(engine::EditError::NoAlbum));
        };
        let mut fresh: BTreeMap<BlobHash, String> = BTreeMap::new();
        let (mut facts, mut added, mut already) = (Vec::new(), Vec::new(), Vec::new());
        let mut here = Vec::new();
        for Looked { path, image, .. } in looked {
            here.push(image.hash);
            here.extend(image.preview.map(|preview| preview.hash));
            let path = path.display().to_string();
            let twin = album
                .images_of_blob(&image.hash)
                .into_iter()
                .next()
                .map(|view| view.name);
            let known = twin
                .filter(|_| !rename)
                .or_else(|| fresh.get(&image.hash).cloned());
            match known {
                Some(name) => already.push(Already {
                    path,
                    name,
                    hash: image.hash.hex(),
                }),
                None => {
                    fresh.insert(image.hash, image.name.clone());
                    added.push(image.hash);
                    facts.push(Fact::Image(image));
                }
            }
        }
        node.feed(engine::Event::BlobsHere { blobs: here });
        if facts.is_empty() {
            return Ok(((added, already), None));
        }
        let now = node.now();
        let token = node.engine.edit(now, id, facts, Vec::new()).map_err(refused)?;
        Ok(((added, already), Some(node.durable(token))))
    };
    let (committed, durable) = handle.with(step).await??;
    if let Some(durable) = durable {
        settled(durable).await?;
    }
    Ok(committed)
}

async fn report(
    handle: &Handle,
    id: AlbumId,
    (added, already, failed): (Vec<BlobHash>, Vec<Already>, Vec<Failed>),
    stripped: Vec<String>,
    (skipped, left): (u64, u64),
) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let Some(album) = node.engine.album(&id) else {
            return Err(refused(engine::EditError::NoAlbum));
        };
        let me = node.user();
        let entries = added.iter().filter_map(|hash| {
            let views = album.images_of_blob(hash);
            let view = views
                .iter()
                .rev()
                .find(|view| Some(view.user) == me)
                .or(views.last())?;
            Some(node.image_entry(album, view))
        });
        Ok(Added {
            album: album.name().to_owned(),
            added: entries.collect(),
            already,
            failed,
            stripped,
            skipped,
            left,
        })
    };
    let added = handle.with(step).await??;
    let Some(first) = added.failed.first() else {
        return Ok(Reply::Added(added));
    };
    let worked = added.added.len() + added.already.len();
    let mut failure = if worked == 0 {
        Failure::new(
            first.code,
            format!("{}: {}", first.path, first.message),
            first.hint.clone(),
        )
    } else {
        let message = format!(
            "{} of {} could not be added",
            added.failed.len(),
            added.failed.len() + worked
        );
        Failure::new(Code::Partial, message, "the others are in; see each message")
    };
    failure.reply = Some(Box::new(Reply::Added(added)));
    Err(failure)
}

pub(super) async fn add_classic(
    handle: &Handle,
    label: Option<String>,
    name: String,
    hash: String,
    size: u64,
) -> Result<Reply, Failure> {
    let name = check_name(&name)?;
    let Some(hash) = BlobHash::from_hex(&hash) else {
        let message = format!("{hash:?} is not a BLAKE3 hash");
        return Err(Failure::new(
            Code::Usage,
            message,
            "it has 64 hex digits: /addImage NAME HASH SIZE",
        ));
    };
    if size > store::BLOB_BYTES_MAX {
        let message = format!(
            "{size} bytes are more than the limit of {}",
            store::BLOB_BYTES_MAX
        );
        return Err(Failure::new(Code::TooLarge, message, "add a smaller file"));
    }
    let id = may_add(handle, label).await?;
    let image = Image {
        name,
        hash,
        size,
        at: clock_ms(),
        shape: None,
        taken: None,
        damaged: false,
        preview: None,
        version: None,
    };
    let step = move |node: &mut Node| {
        let known = node
            .engine
            .album(&id)
            .and_then(|album| album.images_of_blob(&hash).into_iter().next());
        if let Some(view) = known {
            return Ok((
                Some(Already {
                    path: image.name,
                    name: view.name,
                    hash: hash.hex(),
                }),
                None,
            ));
        }
        let now = node.now();
        let token = node
            .engine
            .edit(now, id, vec![Fact::Image(image)], Vec::new())
            .map_err(refused)?;
        Ok::<_, Failure>((None, Some(node.durable(token))))
    };
    let (already, durable) = handle.with(step).await??;
    if let Some(durable) = durable {
        settled(durable).await?;
    }
    let added = if already.is_none() { vec![hash] } else { Vec::new() };
    report(
        handle,
        id,
        (added, already.into_iter().collect(), Vec::new()),
        Vec::new(),
        (0, 0),
    )
    .await
}

pub(super) async fn remove(handle: &Handle, label: Option<String>, name: String) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        rights::may(node, album, Role::Viewer)?;
        let view = image_named(album, &name)?;
        let is_mine = Some(view.user) == node.user();
        let need = if is_mine { Role::Contributor } else { Role::Curator };
        rights::may(node, album, need)?;
        let removed = Removed {
            album: album.name().to_owned(),
            name: view.name,
            hash: view.image.hash.hex(),
        };
        let (id, fact, now) = (album.id(), view.id, node.now());
        let token = node
            .engine
            .edit(now, id, Vec::new(), vec![fact])
            .map_err(refused)?;
        Ok::<_, Failure>((removed, node.durable(token)))
    };
    let (removed, durable) = handle.with(step).await??;
    settled(durable).await?;
    Ok(Reply::Removed(removed))
}

pub(super) async fn rate(
    handle: &Handle,
    label: Option<String>,
    name: String,
    stars: Option<u8>,
) -> Result<Reply, Failure> {
    if let Some(stars) = stars.filter(|stars| *stars > 5) {
        let message = format!("{stars} stars are more than there are");
        return Err(Failure::new(
            Code::Usage,
            message,
            "rate from 0 to 5: /rateImage NAME 4",
        ));
    }
    let step = move |node: &mut Node| {
        let user = node
            .engine
            .me()
            .map(|me| me.author.user())
            .ok_or_else(|| refused(engine::EditError::NoUser))?;
        let album = node.album(label.as_deref())?;
        rights::may(node, album, Role::Viewer)?;
        let view = image_named(album, &name)?;
        let (id, name, hash, title) = (album.id(), view.name, view.image.hash, album.name().to_owned());
        let before = album.rating_ids(&user, &hash);
        let facts: Vec<Fact> = stars
            .map(|stars| Fact::Rating {
                image: hash,
                stars,
                at: clock_ms(),
            })
            .into_iter()
            .collect();
        let durable = if facts.is_empty() && before.is_empty() {
            None
        } else {
            let now = node.now();
            let token = node.engine.edit(now, id, facts, before).map_err(refused)?;
            Some(node.durable(token))
        };
        let rating = node.engine.album(&id).map(|album| node.rating(album, &hash));
        let rating = rating.ok_or_else(|| refused(engine::EditError::NoAlbum))?;
        Ok::<_, Failure>((
            Rated {
                album: title,
                name,
                rating,
            },
            durable,
        ))
    };
    let (rated, durable) = handle.with(step).await??;
    if let Some(durable) = durable {
        settled(durable).await?;
    }
    Ok(Reply::Rated(rated))
}
