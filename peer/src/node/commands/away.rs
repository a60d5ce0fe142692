//! `seen`: what happened while a person was away from an album.
//!
//! The mark is the number of ops that this home had received, in the order of receipt: no clock of others says what is
//! new. It moves when a prompt opens on the album, at each line that is typed there, and when the prompt ends: what came
//! while it stood open was shown above the line. One-shot commands, scripts and `up` do not move it. A prompt that is
//! killed left when its last line was typed; so something may be told twice, but nothing is passed over.

use std::collections::BTreeSet;

use crdt::fact::Fact;
use crdt::id::UserId;

use super::super::run::{Handle, Node};
use crate::api::{Away, Failure, Reply};

pub(super) async fn seen(handle: &Handle, label: Option<String>) -> Result<Reply, Failure> {
    handle
        .with(move |node| {
            let album = node.album(label.as_deref())?;
            let (id, now) = (album.id(), album.received());
            let before = node.seen.get(&id).copied();
            let away = match before {
                Some(before) if before < now => since(node, album, before),
                // The first visit: all of it is new, and none of it was missed.
                _ => Away {
                    album: album.name().to_owned(),
                    ..Away::default()
                },
            };
            if before != Some(now) {
                node.seen.insert(id, now);
                node.put("seen", &id.0, now.to_be_bytes().to_vec());
            }
            Ok(Reply::Away(away))
        })
        .await?
}

/// What others did in the ops after the first `count`, as far as it still counts.
fn since(node: &Node, album: &crdt::Album, count: u64) -> Away {
    let me = node.user();
    let mut away = Away {
        album: album.name().to_owned(),
        ..Away::default()
    };
    let (mut adders, mut removers) = (BTreeSet::new(), BTreeSet::new());
    for (user, element) in album.live_after(count).filter(|(user, _)| Some(*user) != me) {
        match element.fact {
            Fact::Image(_) => {
                away.images += 1;
                adders.insert(user);
            }
            Fact::Rating { .. } => away.ratings += 1,
            Fact::Chat { .. } => away.chat += 1,
            Fact::Grant { user, .. } if Some(user) != me => away.members.push(node.name_of(&user)),
            _ => {}
        }
    }
    for (user, _) in album
        .images_removed_after(count)
        .filter(|(user, _)| Some(*user) != me)
    {
        away.removed += 1;
        removers.insert(user);
    }
    let names = |users: BTreeSet<UserId>| {
        let mut names: Vec<String> = users.iter().map(|user| node.name_of(user)).collect();
        names.sort();
        names
    };
    (away.images_by, away.removed_by) = (names(adders), names(removers));
    away.members.sort();
    away.members.dedup();
    away
}
