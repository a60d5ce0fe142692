//! `undo`, `restore`: taking back what one did, and bringing back what was removed.

use crdt::fact::Role;
use crdt::history::{Command, Deed};
use crdt::id::HeaderHash;
use crdt::story::gone_named;
use crdt::undo::{Left, UndoError};
use crdt::{Album, Found};

use super::super::run::{Handle, Node};
use super::super::view::several;
use super::history::Teller;
use super::{refused, rights, settled};
use crate::api::{Code, Did, Failure, LeftEntry, Reply, Restored, Undone};
use crate::ui::in_quotes;

pub(super) async fn undo(
    handle: &Handle,
    label: Option<String>,
    digits: Option<String>,
) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let me = node
            .engine
            .me()
            .ok_or_else(|| refused(engine::EditError::NoUser))?;
        let (user, device) = (me.author.user(), me.author.device.public());
        rights::may(node, album, Role::Viewer)?;
        let which = digits
            .as_deref()
            .map(|digits| command_named(album, digits))
            .transpose()?;
        let undo = album
            .undo(&user, &device, which.as_ref())
            .map_err(|error| not_undone(node, album, error))?;
        let left = undo.left.into_iter().map(|(entry, why)| LeftEntry {
            name: entry.name,
            hash: entry.hash.hex(),
            why: match why {
                Left::Gone => "gone",
                Left::Here => "here",
                Left::Unwanted => "unwanted",
            }
            .into(),
        });
        let left = left.collect();
        let mut teller = Teller::new(node, album);
        let mut undone = teller.entry(&undo.command);
        teller.name_rated(std::slice::from_mut(&mut undone));
        let (id, now) = (album.id(), node.now());
        let token = node.engine.revise(now, id, &undo.revision).map_err(refused)?;
        let durable = node.durable(token);
        let album = node
            .engine
            .album(&id)
            .ok_or_else(|| refused(engine::EditError::NoAlbum))?;
        // What was just written has the highest place of all.
        let written = album.history().next();
        let mut written: Vec<_> = written
            .map(|command| Teller::new(node, album).entry(&command))
            .into_iter()
            .collect();
        Teller::new(node, album).name_rated(&mut written);
        let (id, did) = written
            .pop()
            .map(|entry| (entry.id, entry.did))
            .unwrap_or_default();
        undone.undone_by = Some(id.clone());
        let reply = Undone {
            album: album.name().to_owned(),
            id,
            undone,
            did,
            left,
        };
        Ok::<_, Failure>((reply, durable))
    };
    let (undone, durable) = handle.with(step).await??;
    settled(durable).await?;
    Ok(Reply::Undone(Box::new(undone)))
}

fn command_named(album: &Album, digits: &str) -> Result<HeaderHash, Failure> {
    let found = album.ops_named(digits);
    match found[..] {
        [op] => Ok(op),
        [] => Err(unknown(digits, album)),
        _ => {
            let all: Vec<String> = found.iter().map(|op| op.hex()[..16].to_owned()).collect();
            let message = format!("{digits} could be {} commands", all.len());
            let hint = format!("give one of: {}", all.join(", "));
            Err(Failure::new(Code::Ambiguous, message, hint))
        }
    }
}

fn unknown(digits: &str, album: &Album) -> Failure {
    let message = format!("{} has no command {digits}", album.name());
    Failure::new(Code::NotFound, message, "/log shows them")
}

/// Why nothing was undone, and what helps.
fn not_undone(node: &Node, album: &Album, error: UndoError) -> Failure {
    let id = |command: &Command| command.id.hex()[..8].to_owned();
    let others = "/undo ID takes back an earlier command; /log shows them".to_owned();
    match error {
        UndoError::Nothing => Failure::new(
            Code::NotFound,
            format!(
                "there is nothing left in {} that you did on this device",
                album.name()
            ),
            others,
        ),
        UndoError::Unknown => unknown("with these digits", album),
        UndoError::NotYours(command) => {
            let hint = match album.deeds(&command).into_iter().next() {
                Some(Deed::Removed { images, .. }) if !images.is_empty() => {
                    format!("/restore {} brings it back", in_quotes(&images[0].name))
                }
                Some(Deed::Added { images, .. } | Deed::Restored { images, .. }) if !images.is_empty() => {
                    format!(
                        "/removeImage {} removes it, if your role allows",
                        in_quotes(&images[0].name)
                    )
                }
                _ => "they can undo it themselves".to_owned(),
            };
            let by = node.name_of(&command.user);
            let message = format!(
                "{} is what {by} did; only one's own commands are undone",
                id(&command)
            );
            Failure::new(Code::Denied, message, hint)
        }
        UndoError::Undone(command) => {
            let by = command
                .undone_by
                .map(|by| by.hex()[..8].to_owned())
                .unwrap_or_default();
            let message = format!("{} is undone already", id(&command));
            Failure::new(Code::Exists, message, format!("/undo {by} gets it back"))
        }
        UndoError::Held(command) => {
            let held = Teller::new(node, album).entry(&command).held.unwrap_or_default();
            let message = format!("{} has no effect that could be undone: {held}", id(&command));
            Failure::new(Code::Denied, message, others)
        }
        UndoError::Membership(command) => {
            let mut teller = Teller::new(node, album);
            let did = teller.entry(&command).did.into_iter().next();
            let (what, remedy) = match &did {
                Some(Did::MemberAdded { user, .. }) => (
                    format!("that {user} was let in"),
                    format!("/removeUser {user} ends the membership"),
                ),
                Some(Did::MemberChanged { user, role }) if role == "none" => (
                    format!("that {user} was removed"),
                    format!("/addUser {user} lets them in again"),
                ),
                Some(Did::Created { .. }) => (
                    "that an album was made".to_owned(),
                    "/leaveAlbum closes it here".to_owned(),
                ),
                _ => (
                    "who may do what".to_owned(),
                    "/getMetadata shows who may do what".to_owned(),
                ),
            };
            let message = format!(
                "{what} is not undone ({}): others may have built on it",
                id(&command)
            );
            Failure::new(Code::Denied, message, format!("{remedy}; {others}"))
        }
    }
}

pub(super) async fn restore(
    handle: &Handle,
    label: Option<String>,
    names: Vec<String>,
) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        rights::may(node, album, Role::Contributor)?;
        let gone = album.gone();
        let mut chosen = Vec::new();
        for name in &names {
            let view = match gone_named(&gone, name) {
                Found::One(view) => view,
                Found::Ambiguous(views) => {
                    return Err(several(
                        name,
                        views.into_iter().map(|view| view.name.clone()).collect(),
                    ));
                }
                Found::None => return Err(not_in_trash(album, &gone, name)),
            };
            if !chosen.iter().any(|(id, _)| *id == view.id) {
                chosen.push((view.id, view.image.hash));
            }
        }
        let ids: Vec<_> = chosen.iter().map(|(id, _)| *id).collect();
        let (id, now) = (album.id(), node.now());
        let Some(revision) = album.restore(&ids) else {
            return Err(Failure::new(
                Code::Usage,
                "no image is named",
                "/trash lists what can be restored",
            ));
        };
        let token = node.engine.revise(now, id, &revision).map_err(refused)?;
        let durable = node.durable(token);
        let album = node
            .engine
            .album(&id)
            .ok_or_else(|| refused(engine::EditError::NoAlbum))?;
        let me = node.user();
        let entries = chosen.iter().filter_map(|(_, hash)| {
            let mut views = album.images_of_blob(hash);
            let mine = views.iter().rposition(|view| Some(view.user) == me)?;
            Some(node.image_entry(album, &views.swap_remove(mine)))
        });
        let restored = Restored {
            album: album.name().to_owned(),
            restored: entries.collect(),
        };
        Ok((restored, durable))
    };
    let (restored, durable) = handle.with(step).await??;
    settled(durable).await?;
    Ok(Reply::Restored(restored))
}

fn not_in_trash(album: &Album, gone: &[crdt::story::GoneView], name: &str) -> Failure {
    if let Found::One(view) = album.image_named(name) {
        let message = format!("{} is in {}", view.name, album.name());
        return Failure::new(
            Code::Exists,
            message,
            "only what was removed is restored; /trash lists it",
        );
    }
    let names: Vec<String> = gone.iter().map(|view| view.name.clone()).collect();
    let hint = match crate::cmd::names::nearest(name, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => "/trash lists what can be restored".into(),
    };
    Failure::new(
        Code::NotFound,
        format!("no image {name:?} in the trash of {}", album.name()),
        hint,
    )
}
