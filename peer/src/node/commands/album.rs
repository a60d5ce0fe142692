//! `list`, `create-album`, `enter-album`, `leave-album`, `get-metadata`.

use std::collections::BTreeMap;
use std::time::Duration;

use crdt::Album;
use crdt::fact::Role;
use crdt::id::AlbumId;

use super::super::central;
use super::super::run::{Handle, Node, clock_ms};
use super::super::view::pick_album;
use super::{done, find, refused, settled};
use crate::api::{AlbumEntry, Albums, Code, Entered, Failure, MemberEntry, Metadata, Reply, Select};

/// How long `enter-album` waits for a grant under way and for the album's history.
const ENTER_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn list(handle: &Handle) -> Result<Reply, Failure> {
    let albums = handle.with(|node| all_albums(node)).await?;
    Ok(Reply::Albums(Albums { albums }))
}

/// Albums here and those the central lists, each once.
pub(super) fn all_albums(node: &Node) -> Vec<AlbumEntry> {
    let mut entries: BTreeMap<AlbumId, AlbumEntry> = BTreeMap::new();
    for listed in &node.central.listed {
        let entry = AlbumEntry {
            name: listed.name.clone(),
            album_id: listed.album.hex(),
            owner: listed.owner.clone(),
            role: listed.role.clone(),
            here: false,
            current: node.current == Some(listed.album),
            images: None,
        };
        entries.insert(listed.album, entry);
    }
    for album in node
        .engine
        .albums()
        .filter(|album| album.has_genesis() && node.entered.contains(&album.id()))
    {
        let entry = AlbumEntry {
            name: album.name().to_owned(),
            album_id: album.id().hex(),
            owner: album
                .owner()
                .map(|owner| node.name_of(&owner))
                .unwrap_or_default(),
            role: node.my_role(album).to_string(),
            here: true,
            current: node.current == Some(album.id()),
            images: Some(album.image_count() as u64),
        };
        entries.insert(album.id(), entry);
    }
    let mut albums: Vec<_> = entries.into_values().collect();
    albums.sort_by(|a, b| (&a.name, &a.owner, &a.album_id).cmp(&(&b.name, &b.owner, &b.album_id)));
    albums
}

pub(super) async fn create(handle: &Handle, name: String) -> Result<Reply, Failure> {
    let name = crdt::name::album_name(&name).map_err(|error| {
        Failure::new(
            Code::Usage,
            format!("{name:?} cannot be an album's name: {error}"),
            "for example: /createAlbum trip",
        )
    })?;
    let made = handle.with(move |node| {
        let mine = node
            .engine
            .albums()
            .any(|album| album.name() == name && node.my_role(album) == Role::Owner);
        if mine {
            let hint = format!("/enterAlbum {name}, or choose another name");
            return Err(Failure::new(
                Code::Exists,
                format!("you have an album {name:?} already"),
                hint,
            ));
        }
        let (album, token) = node.engine.create(&name, clock_ms()).map_err(refused)?;
        node.enter(album);
        Ok((album, node.durable(token)))
    });
    let (album, durable) = made.await??;
    settled(durable).await?;
    central::announce_members(handle, album).await;
    entered(handle, album, true).await.map(Reply::Entered)
}

pub(super) async fn enter(handle: &Handle, label: String) -> Result<Reply, Failure> {
    let until = tokio::time::Instant::now() + ENTER_WAIT;
    let album = find_album(handle, &label, until).await?;
    handle
        .with(move |node| {
            node.entered.insert(album);
            node.put("entered", &album.0, Vec::new());
            let now = node.now();
            node.engine.open(now, album);
            node.carry_out();
            node.access_changed();
        })
        .await?;
    wait_for(handle, album, &label, until).await?;
    handle.with(move |node| node.enter(album)).await?;
    entered(handle, album, false).await.map(Reply::Entered)
}

/// Waits until an album that is being looked for says who I am, and says what is there.
pub(super) async fn enter_here(handle: &Handle, album: AlbumId, label: &str) -> Result<Entered, Failure> {
    handle
        .with(move |node| {
            let now = node.now();
            node.engine.open(now, album);
            node.carry_out();
            node.access_changed();
        })
        .await?;
    wait_for(handle, album, label, tokio::time::Instant::now() + ENTER_WAIT).await?;
    handle.with(move |node| node.enter(album)).await?;
    entered(handle, album, false).await
}

async fn wait_for(
    handle: &Handle,
    album: AlbumId,
    label: &str,
    until: tokio::time::Instant,
) -> Result<(), Failure> {
    loop {
        let here = handle
            .with(move |node| node.engine.album(&album).is_some_and(|album| is_in(node, album)))
            .await?;
        if here {
            return Ok(());
        }
        if tokio::time::Instant::now() >= until {
            let hint = "it goes on looking; try again when one of them is online (/peers)";
            return Err(Failure::new(
                Code::Unreachable,
                format!("no member of {label} could be reached"),
                hint,
            ));
        }
        let client = handle.with(|node| node.central.client.clone()).await?;
        if let Some(client) = client {
            // A refusal or a lost connection is not the end: another member may come by itself.
            let _ = central::find_members(handle, &client, album).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether the album's history has come so far that it says who I am.
pub(super) fn is_in(node: &Node, album: &Album) -> bool {
    album.has_genesis() && node.my_role(album) > Role::None
}

/// The album that a label means, of those here and those the central lists; waits for a grant under way.
async fn find_album(handle: &Handle, label: &str, until: tokio::time::Instant) -> Result<AlbumId, Failure> {
    loop {
        let wanted = label.to_owned();
        let found = handle.with(move |node| {
            if !node.signed_in {
                return Err(refused(engine::EditError::NoUser));
            }
            let albums = all_albums(node)
                .into_iter()
                .filter_map(|entry| Some((AlbumId::from_hex(&entry.album_id)?, entry.name, entry.owner)));
            pick_album(&wanted, albums.collect())
        });
        match found.await? {
            Err(failure) if failure.code == Code::NotFound && tokio::time::Instant::now() < until => {
                let may_still_tell = handle.with(|node| {
                    node.central.albums_changed();
                    // Connected, or still at its first attempt.
                    node.central.client.is_some() || node.central.trouble.is_none()
                });
                if !may_still_tell.await? {
                    return Err(failure);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            found => return found,
        }
    }
}

async fn entered(handle: &Handle, id: AlbumId, created: bool) -> Result<Entered, Failure> {
    handle
        .with(move |node| {
            let label = id.hex();
            let album = node.album(Some(&label))?;
            Ok(Entered {
                album: album.name().to_owned(),
                album_id: id.hex(),
                owner: album
                    .owner()
                    .map(|owner| node.name_of(&owner))
                    .unwrap_or_default(),
                role: node.my_role(album).to_string(),
                members: album.members().filter(|member| member.role > Role::None).count() as u64,
                images: album.image_count() as u64,
                created,
            })
        })
        .await?
}

pub(super) async fn leave(handle: &Handle) -> Result<Reply, Failure> {
    let left = handle.with(|node| {
        let name = node
            .current
            .and_then(|id| Some(node.engine.album(&id)?.name().to_owned()));
        node.set_current(None);
        name
    });
    match left.await? {
        Some(name) => done(format!("left {name}; it stays here and goes on replicating")),
        None => done("no album was entered"),
    }
}

pub(super) async fn metadata(
    handle: &Handle,
    label: Option<String>,
    select: Select,
) -> Result<Reply, Failure> {
    handle
        .with(move |node| {
            let album = node.album(label.as_deref())?;
            let found = find::images(node, album, &select)?;
            let linked: Vec<_> = node.engine.linked().map(|(_, user)| user).collect();
            let me = node.user();
            let members = album
                .members()
                .filter(|member| member.role > Role::None)
                .map(|member| MemberEntry {
                    user: node.name_of(&member.user),
                    role: member.role.to_string(),
                    online: Some(member.user) == me || linked.contains(&member.user),
                });
            Ok(Reply::Metadata(Metadata {
                album: album.name().to_owned(),
                album_id: album.id().hex(),
                owner: album
                    .owner()
                    .map(|owner| node.name_of(&owner))
                    .unwrap_or_default(),
                members: members.collect(),
                images: found.entries(node, album),
                total: found.total,
                offset: found.offset,
                in_album: album.image_count() as u64,
                held: album.held_images(),
            }))
        })
        .await?
}
