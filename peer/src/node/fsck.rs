//! Checking a home that nobody uses: every image file, every op, every setting. What is damaged is set aside, so that
//! the node, once it runs again, misses it and fetches it from the others.

use std::path::Path;
use std::time::Duration;

use store::{Blobs, Db, FsckProgress, Home, Write};

use super::not_opened;
use crate::api::{Checked, Code, Failure, Unreadable};

/// Checks the home in this folder. `progress` hears how far it is and may say `false` to stop.
///
/// # Errors
/// `busy` while a node runs here, naming its pid; `not_found` where there is no home; `disk_full`; others of the disk.
pub fn check(
    path: &Path,
    lock_wait: Duration,
    progress: &mut dyn FnMut(FsckProgress) -> bool,
) -> Result<Checked, Failure> {
    if !path.join("lock").exists() {
        let message = format!("{} is no home of calotype", path.display());
        return Err(Failure::new(Code::NotFound, message, "name it with --home"));
    }
    let home = Home::open(path, lock_wait).map_err(|error| not_opened(&error))?;
    let mut checked = database(&home)?;
    let images = Blobs::open(&home).fsck(progress).map_err(|error| {
        let message = format!("cannot check the images: {error}");
        Failure::new(Code::Internal, message, "check the disk")
    })?;
    checked.images = images.checked;
    checked.image_bytes = images.bytes;
    checked.bad_images = images.bad.iter().map(store::hex).collect();
    let unreadable = images.unreadable.into_iter().map(|(hash, why)| Unreadable {
        hash: store::hex(&hash),
        why,
    });
    checked.unreadable = unreadable.collect();
    let strays = images.strays.iter().map(|path| path.display().to_string());
    checked.strays = strays.collect();
    checked.stopped = images.stopped;
    Ok(checked)
}

fn database(home: &Home) -> Result<Checked, Failure> {
    let mut checked = Checked::default();
    let found = match Db::open(home) {
        Ok((db, _)) => db.verify().map_err(|error| error.to_string()),
        Err(store::OpenError::DiskFull { path }) => return Err(no_room(&path)),
        Err(error @ store::OpenError::Newer { .. }) => {
            return Err(Failure::new(
                Code::Damaged,
                error.to_string(),
                "use that newer calotype",
            ));
        }
        Err(error) => Err(error.to_string()),
    };
    match found {
        Ok(report) if report.is_clean() => {
            (checked.ops, checked.settings) = (report.ops, report.values);
            return Ok(checked);
        }
        Ok(report) => checked.problems = report.problems,
        Err(problem) => checked.problems.push(problem),
    }
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            Code::Damaged,
            format!("cannot rebuild the database: {error}"),
            "the old one is where it was; check the disk",
        )
    };
    let rebuilt = Db::rebuild(home).map_err(|error| match error {
        store::OpenError::DiskFull { path } => no_room(&path),
        error => failed(&error),
    })?;
    let (db, _) = Db::open(home).map_err(|error| failed(&error))?;
    // Ops of our own may be lost: this device goes on as another, as a restored copy does.
    let forget = Write::Delete {
        space: "node",
        key: b"incarnation".to_vec(),
    };
    db.commit_wait(vec![forget]).map_err(|error| failed(&error))?;
    checked.rebuilt = true;
    (checked.ops, checked.bad_ops) = (rebuilt.ops, rebuilt.lost_ops);
    checked.settings = rebuilt.values;
    let lost = rebuilt.lost_values.iter();
    checked.bad_settings = lost
        .map(|value| format!("{}/{}", value.space, String::from_utf8_lossy(&value.key)))
        .collect();
    Ok(checked)
}

fn no_room(path: &Path) -> Failure {
    let message = format!(
        "disk full: {} needs as much space again to be made anew",
        path.display()
    );
    Failure::new(Code::DiskFull, message, "free some space and try again")
}
