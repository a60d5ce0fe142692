//! `export`, `save`, and where a local copy is for `open`.

use std::path::{Path, PathBuf};

use crdt::id::BlobHash;
use store::BlobError;

use super::super::blobs::{blocking, doubt};
use super::super::run::Handle;
use super::super::view::image_named;
use super::{Steps, find};
use crate::api::{Code, Exported, Failure, Progress, Reply, Saved, Select};

pub(super) async fn export(
    handle: &Handle,
    label: Option<String>,
    dir: PathBuf,
    select: Select,
    steps: &Steps,
) -> Result<Reply, Failure> {
    let wanted = handle.with(move |node| {
        let album = node.album(label.as_deref())?;
        let found = find::images(node, album, &select)?.views.into_iter();
        let images: Vec<(String, BlobHash)> = found.map(|view| (view.name, view.image.hash)).collect();
        Ok::<_, Failure>((album.name().to_owned(), images))
    });
    let (album, images) = wanted.await??;
    let (blobs, steps, to) = (handle.blobs.clone(), steps.clone(), dir.clone());
    let work = move || {
        std::fs::create_dir_all(&to).map_err(|error| {
            let hint = "choose a folder that you may write";
            Failure::new(
                Code::Denied,
                format!("cannot make {}: {error}", to.display()),
                hint,
            )
        })?;
        let (mut written, mut already, mut missing, mut damaged) = (0, 0, Vec::new(), Vec::new());
        let total = images.len() as u64;
        for (done, (name, hash)) in images.into_iter().enumerate() {
            let done = done as u64;
            let _ = steps.try_send(Progress {
                doing: "exporting".into(),
                done,
                total,
                unit: "images".into(),
            });
            if steps.is_closed() {
                break;
            }
            match copy_out(&blobs, &hash, &to.join(&name))? {
                Copied::Written => written += 1,
                Copied::There => already += 1,
                Copied::NotHere => missing.push(name),
                Copied::Damaged => {
                    missing.push(name);
                    damaged.push(hash);
                }
            }
        }
        Ok((written, already, missing, damaged))
    };
    let (written, already, missing, damaged) = blocking(work).await?;
    for hash in damaged {
        doubt(handle, hash).await;
    }
    let exported = Exported {
        album,
        dir: dir.display().to_string(),
        written,
        already,
        missing,
    };
    if exported.missing.is_empty() {
        return Ok(Reply::Exported(exported));
    }
    let message = match exported.missing.len() {
        1 => "the bytes of 1 image are not here".to_owned(),
        n => format!("the bytes of {n} images are not here"),
    };
    let mut failure = Failure::new(Code::Partial, message, "/sync brings what linked members hold");
    failure.reply = Some(Box::new(Reply::Exported(exported)));
    Err(failure)
}

enum Copied {
    Written,
    There,
    NotHere,
    Damaged,
}

fn copy_out(blobs: &store::Blobs, hash: &BlobHash, path: &Path) -> Result<Copied, Failure> {
    if !blobs.has(&hash.0) {
        return Ok(Copied::NotHere);
    }
    match blobs.export(&hash.0, path, false) {
        Ok(_) => Ok(Copied::Written),
        Err(BlobError::Corrupt { .. }) => Ok(Copied::Damaged),
        Err(BlobError::Exists { .. }) => {
            let same = std::fs::read(path).is_ok_and(|bytes| *blake3::hash(&bytes).as_bytes() == hash.0);
            if same {
                return Ok(Copied::There);
            }
            let message = format!("{} exists with other bytes", path.display());
            Err(Failure::new(
                Code::Exists,
                message,
                "move it away, or export into another folder",
            ))
        }
        Err(error) => Err(not_written(&error)),
    }
}

fn not_written(error: &BlobError) -> Failure {
    match error {
        BlobError::DiskFull { .. } => {
            Failure::new(Code::DiskFull, error.to_string(), "free some space and try again")
        }
        BlobError::Exists { .. } => {
            Failure::new(Code::Exists, error.to_string(), "choose another name, or --force")
        }
        BlobError::Corrupt { .. } => {
            Failure::new(Code::Damaged, error.to_string(), "peers will send it again")
        }
        _ => Failure::new(
            Code::Denied,
            error.to_string(),
            "check the folder and its permissions",
        ),
    }
}

pub(super) async fn save(
    handle: &Handle,
    label: Option<String>,
    name: String,
    path: PathBuf,
    force: bool,
) -> Result<Reply, Failure> {
    let (name, hash) = local(handle, label, name).await?;
    let to = if path.is_dir() { path.join(&name) } else { path };
    let (blobs, target) = (handle.blobs.clone(), to.clone());
    let written = blocking(move || blobs.export(&hash.0, &target, force)).await;
    if matches!(written, Err(BlobError::Corrupt { .. })) {
        doubt(handle, hash).await;
    }
    let size = written.map_err(|error| not_written(&error))?;
    Ok(Reply::Saved(Saved {
        name,
        path: to.display().to_string(),
        size,
    }))
}

pub(super) async fn locate(handle: &Handle, label: Option<String>, name: String) -> Result<Reply, Failure> {
    let (name, hash) = local(handle, label, name).await?;
    // A viewer would show whatever is in the file.
    doubt(handle, hash).await;
    let path = handle.blobs.path(&hash.0);
    let size = handle.blobs.size(&hash.0);
    match (path, size) {
        (Some(path), Some(size)) => Ok(Reply::Saved(Saved {
            name,
            path: path.display().to_string(),
            size,
        })),
        _ => Err(Failure::new(
            Code::NotFound,
            format!("the bytes of {name} are not here"),
            "/sync brings what linked members hold",
        )),
    }
}

/// An image whose bytes are here.
async fn local(handle: &Handle, label: Option<String>, name: String) -> Result<(String, BlobHash), Failure> {
    handle
        .with(move |node| {
            let album = node.album(label.as_deref())?;
            let view = image_named(album, &name)?;
            if !node.engine.is_here(&view.image.hash) {
                let message = format!("the bytes of {} are not here yet", view.name);
                let hint = "/sync brings what linked members hold";
                return Err(Failure::new(Code::NotFound, message, hint));
            }
            Ok((view.name.clone(), view.image.hash))
        })
        .await?
}
