//! Changes as news: what people and `watch` hear of.

use std::collections::{BTreeMap, BTreeSet};

use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, BlobHash, HeaderHash, PublicKey, UserId};
use crdt::keys::Certificate;
use crdt::{Album, Change, FactId};

use super::code::answer;
use super::commands::why_held;
use super::run::{Node, clock_ms, rfc3339};
use crate::api::{News, Notice};

/// Most image notices of one kind from one change set; beyond it one line says how many more.
const NOTICES_PER_CHANGE: usize = 2000;

/// Sends a notice to everyone who watches.
pub(super) fn tell(node: &Node, album: Option<String>, news: News) {
    node.handle.notify(Notice {
        at: rfc3339(clock_ms()),
        news,
        album,
    });
}

/// Something a person should know.
pub(super) fn warn(node: &Node, text: String) {
    tracing::warn!("{text}");
    tell(node, None, News::Warning { text });
}

/// A link came up, or went down for a reason.
pub(super) fn peer(node: &Node, device: PublicKey, certificate: &Certificate, reason: Option<String>) {
    let (user, label) = (node.name_of(&certificate.user()), node.label_of(&device));
    let device = device.hex();
    let news = match reason {
        None => News::PeerJoined { user, device, label },
        Some(reason) => News::PeerLeft {
            user,
            device,
            label,
            reason,
        },
    };
    tell(node, None, news);
}

/// An image's bytes are here: fetched, or made again.
pub(super) fn bytes_ready(node: &Node, id: AlbumId, blob: BlobHash, rebuilt: bool) {
    let Some(album) = node.engine.album(&id) else {
        return;
    };
    for view in album.images_of_blob(&blob) {
        let author = node.name_of(&view.user);
        let news = News::BytesReady {
            name: view.name,
            hash: blob.hex(),
            author,
            size: view.image.size,
            rebuilt,
        };
        tell(node, Some(album.name().to_owned()), news);
    }
}

/// The CRDT changed, durably.
pub(super) fn changed(node: &mut Node, id: AlbumId, changes: &[Change], mine: bool) {
    if changes.iter().any(|change| matches!(change, Change::Role { .. })) {
        node.central.albums_changed();
        for (album, users) in answer::doubles(node, id) {
            let users = users.join(" and ");
            let text = format!("one code brought both {users} into {album}: /removeUser who was not meant");
            warn(node, text);
        }
    }
    let me = node.user();
    let is_mine = |change: &&Change| matches!(change, Change::Role { user, .. } if Some(*user) == me);
    // The ops say it now, whatever the central had said.
    let was_told = changes.iter().any(|change| is_mine(&change)) && node.forget_uninvited(&id);
    let Some(album) = node.engine.album(&id) else {
        return;
    };
    let name = album.name().to_owned();
    for change in changes.iter().take(NOTICES_PER_CHANGE) {
        let news = match change {
            Change::Live { id } => came(node, album, id),
            Change::Dead { id } => went(node, album, id, changes, mine),
            Change::Role { user, before, after } => {
                let is_me = Some(*user) == me;
                let (user, by) = (node.name_of(user), by(node, album, changes, mine));
                match (before, after) {
                    (Role::None, role) if !is_me => Some(News::MemberAdded {
                        user,
                        role: role.to_string(),
                        by,
                    }),
                    (_, Role::None) if is_me => (!was_told).then_some(News::Uninvited { by }),
                    (_, Role::None) => Some(News::MemberRemoved { user, by }),
                    (Role::None, _) => None,
                    (was, role) => Some(News::RoleChanged {
                        user,
                        role: role.to_string(),
                        was: was.to_string(),
                        by,
                        mine: is_me,
                    }),
                }
            }
            Change::Held { .. } | Change::Valid { .. } | Change::Renamed { .. } => None,
        };
        if let Some(news) = news {
            tell(node, Some(name.clone()), news);
        }
    }
    held(node, album, changes);
}

/// What is held now and was not before, by member and reason.
fn held(node: &Node, album: &Album, changes: &[Change]) {
    let fresh = changes.iter().filter_map(|change| match change {
        Change::Held { header } => Some(*header),
        _ => None,
    });
    let fresh: BTreeSet<HeaderHash> = fresh.collect();
    let mut sums: BTreeMap<(UserId, String), (u64, u64)> = BTreeMap::new();
    for it in album.held_among(&fresh) {
        let why = why_held(node, &it.user, it.reason);
        let (count, images) = sums.entry((it.user, why)).or_default();
        *count += it.op_count();
        *images += it.sums.images;
    }
    for ((user, why), (count, images)) in sums {
        let user = node.name_of(&user);
        let news = News::Held {
            user,
            count,
            images,
            why,
        };
        tell(node, Some(album.name().to_owned()), news);
    }
}

fn came(node: &Node, album: &Album, id: &FactId) -> Option<News> {
    let by = node.name_of(&album.user_of_actor(&id.actor)?);
    match album.fact(id)?.fact {
        Fact::Image(image) => {
            let view = album.image(id)?;
            Some(News::ImageAdded {
                name: view.name,
                hash: image.hash.hex(),
                author: by,
                version_of: image.version.as_ref().map(|version| version.source.hex()),
                recipe: image.version.as_ref().map(|version| version.recipe.clone()),
            })
        }
        Fact::Rating { image, stars, .. } => {
            let view = album.images_of_blob(&image).into_iter().next()?;
            Some(News::Rated {
                author: node.name_of(&view.user),
                name: view.name,
                hash: image.hex(),
                by,
                stars: Some(stars),
                mean: album.rating(&image).and_then(|rating| rating.mean()),
            })
        }
        Fact::Chat { text, .. } => Some(News::Chat { user: by, text }),
        _ => None,
    }
}

fn went(node: &Node, album: &Album, id: &FactId, changes: &[Change], mine: bool) -> Option<News> {
    let Fact::Image(image) = album.fact(id)?.fact else {
        return None;
    };
    let author = node.name_of(&album.user_of_actor(&id.actor)?);
    let by = by(node, album, changes, mine);
    Some(News::ImageRemoved {
        name: image.name.clone(),
        hash: image.hash.hex(),
        author,
        by,
    })
}

/// Who did it, as far as one receipt can tell: me, or the author of the ops that came.
fn by(node: &Node, album: &Album, changes: &[Change], mine: bool) -> String {
    if mine {
        return node.user().map(|me| node.name_of(&me)).unwrap_or_default();
    }
    let authors = changes.iter().filter_map(|change| match change {
        Change::Valid { header } => album.author_of(header),
        _ => None,
    });
    let mut names: Vec<String> = authors.map(|user| node.name_of(&user)).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}
