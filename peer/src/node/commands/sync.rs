//! `sync`: wait until this node and all linked members are equal and their bytes are here.

use std::time::Duration;

use engine::Standing;

use super::super::run::{Handle, Node};
use super::Steps;
use crate::api::{Code, Failure, Progress, Reply, Synced};

/// How often the engine is looked at while waiting; each look is cheap.
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn sync(
    handle: &Handle,
    label: Option<String>,
    timeout_ms: u64,
    quiet: bool,
    steps: &Steps,
) -> Result<Reply, Failure> {
    let until = tokio::time::Instant::now() + Duration::from_millis(timeout_ms);
    let named = label.clone();
    let begun = handle.with(move |node| {
        let id = node.album(named.as_deref())?.id();
        let now = node.now();
        node.engine.compare(now, id);
        node.carry_out();
        node.dial_known();
        Ok::<_, Failure>(id)
    });
    let id = match begun.await? {
        Ok(id) => id,
        // After a command of its own a one-shot syncs what there is; no album is nothing to sync.
        Err(_) if quiet => return super::done("nothing to sync"),
        Err(failure) => return Err(failure),
    };
    loop {
        let look = handle.with(move |node| look(node, id)).await?;
        let late = tokio::time::Instant::now() >= until;
        let lonely = look.others && look.synced.compared.is_empty();
        if look.synced.synced && !lonely {
            return Ok(Reply::Synced(look.synced));
        }
        if quiet && (late || !look.reachable) {
            return Ok(Reply::Synced(look.synced));
        }
        if late {
            let mut synced = look.synced;
            synced.synced &= !lonely;
            let mut failure = if lonely {
                let hint = "they sync by themselves once one of them is online; see /peers";
                Failure::new(
                    Code::Unreachable,
                    format!("no other member of {} was reached", synced.album),
                    hint,
                )
            } else {
                let message = format!("{} is not in sync yet after {timeout_ms} ms", synced.album);
                Failure::new(
                    Code::Partial,
                    message,
                    "it goes on by itself; give --timeout more time to wait longer",
                )
            };
            failure.reply = Some(Box::new(Reply::Synced(synced)));
            return Err(failure);
        }
        let (done, total) = (look.bytes.0, look.bytes.1);
        let _ = steps.try_send(Progress {
            doing: "syncing".into(),
            done,
            total,
            unit: "images".into(),
        });
        tokio::time::sleep(LOOK).await;
    }
}

struct Look {
    synced: Synced,
    /// The album has members besides me.
    others: bool,
    /// Somebody is linked or may be soon.
    reachable: bool,
    /// Images here, images in all.
    bytes: (u64, u64),
}

fn look(node: &mut Node, id: crdt::id::AlbumId) -> Look {
    let standing = node.engine.standing(&id);
    let obtainable = node.engine.obtainable(&id);
    let me = node.user();
    let linked: Vec<_> = node.engine.linked().collect();
    let Some(album) = node.engine.album(&id) else {
        let synced = Synced {
            album: id.hex(),
            synced: false,
            digest: String::new(),
            compared: Vec::new(),
            pending_images: 0,
        };
        return Look {
            synced,
            others: false,
            reachable: false,
            bytes: (0, 0),
        };
    };
    let others = album
        .members()
        .any(|member| member.role > crdt::fact::Role::None && Some(member.user) != me);
    let equal = standing.iter().all(|(_, standing)| *standing == Standing::Equal);
    let mut compared: Vec<String> = standing
        .iter()
        .filter(|(_, standing)| *standing == Standing::Equal)
        .filter_map(|(peer, _)| linked.iter().find(|(device, _)| device == peer))
        .map(|(_, user)| node.name_of(user))
        .collect();
    compared.sort();
    compared.dedup();
    let total = album.image_count() as u64;
    let pending = album
        .images()
        .filter(|view| !node.engine.is_here(&view.image.hash))
        .count() as u64;
    let synced = Synced {
        album: album.name().to_owned(),
        synced: equal && obtainable == 0,
        digest: album.digest().hex(),
        compared,
        pending_images: pending,
    };
    let known = node.known.values().any(|known| !known.ways().is_empty());
    let reachable = others && (!standing.is_empty() || known);
    Look {
        synced,
        others,
        reachable,
        bytes: (total - pending, total),
    }
}
