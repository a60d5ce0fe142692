//! `held`: what is held in an album, accepted by facts that all replicas judge, or set aside by a note of this home.

use std::collections::BTreeSet;

use crdt::fact::Role;
use crdt::id::{AlbumId, HeaderHash};
use crdt::{Album, HeldCommand};
use store::Write;

use super::super::run::{Durable, Handle, Node, clock_ms, rfc3339};
use super::history::Teller;
use super::{refused, rights, settled};
use crate::api::{Code, Failure, Held, HeldAct, HeldEntry, Reply};

/// Where this home notes what it set aside: album and op.
const DROPPED: &str = "held-dropped";
/// Digits of an id that may stand for it.
const PREFIX_MIN: usize = 6;

pub(super) async fn held(
    handle: &Handle,
    label: Option<String>,
    act: HeldAct,
    which: Vec<String>,
    all: bool,
) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| match act {
        HeldAct::List => list(node, label.as_deref(), all).map(|it| (it, None)),
        HeldAct::Accept => accept(node, label.as_deref(), &which),
        HeldAct::Drop => set_aside(node, label.as_deref(), &which),
    };
    let (held, durable): (Held, Option<Durable>) = handle.with(step).await??;
    if let Some(durable) = durable {
        settled(durable).await?;
    }
    Ok(Reply::Held(held))
}

fn list(node: &mut Node, label: Option<&str>, all: bool) -> Result<Held, Failure> {
    let album = node.album(label)?;
    let dropped = dropped(node, &album.id());
    let mut held = album.held();
    let before = held.len();
    held.retain(|it| all || !dropped.contains(&it.id));
    Ok(Held {
        dropped: (before - held.len()) as u64,
        ..reply(node, album, HeldAct::List, &held, &dropped)
    })
}

fn accept(
    node: &mut Node,
    label: Option<&str>,
    which: &[String],
) -> Result<(Held, Option<Durable>), Failure> {
    let album = node.album(label)?;
    rights::may(node, album, Role::Curator)?;
    let (id, mine) = (album.id(), node.my_role(album));
    let chosen = chosen(node, album, which)?;
    let may = |it: &&HeldCommand| it.accept.is_some_and(|need| need <= mine);
    let some: Vec<&HeldCommand> = chosen.iter().filter(may).collect();
    if some.is_empty() {
        return Err(match chosen.iter().find_map(|it| it.accept) {
            Some(need) => rights::lacking(need, mine),
            None => {
                let why = chosen
                    .first()
                    .map(|it| Teller::new(node, album).reason(&it.user, it.reason));
                let message = format!("no accept helps: {}", why.unwrap_or_default());
                let hint = "/addUser or /setRole gives the role; then they can do it again";
                Failure::new(Code::Denied, message, hint)
            }
        });
    }
    let facts = album.accepts(some, clock_ms());
    let now = node.now();
    let token = node.engine.edit(now, id, facts, Vec::new()).map_err(refused)?;
    let durable = node.durable(token);
    let album = node.engine.album(&id);
    let album = album.ok_or_else(|| refused(engine::EditError::NoAlbum))?;
    let freed: BTreeSet<HeaderHash> = album.freed(&chosen).into_iter().collect();
    let mut held = reply(node, album, HeldAct::Accept, &chosen, &dropped(node, &id));
    for (entry, it) in held.held.iter_mut().zip(&chosen) {
        if freed.contains(&it.id) {
            entry.state = "accepted".into();
            node.delete(DROPPED, &key(&id, &it.id));
        }
    }
    Ok((held, Some(durable)))
}

fn set_aside(
    node: &mut Node,
    label: Option<&str>,
    which: &[String],
) -> Result<(Held, Option<Durable>), Failure> {
    let album = node.album(label)?;
    let id = album.id();
    let chosen = chosen(node, album, which)?;
    let note = |it: &HeldCommand| Write::Put {
        space: DROPPED,
        key: key(&id, &it.id),
        value: Vec::new(),
    };
    let durable = node.keep_all(chosen.iter().map(note).collect());
    let dropped = chosen.iter().map(|it| it.id).collect();
    let held = reply(node, album, HeldAct::Drop, &chosen, &dropped);
    Ok((held, Some(durable)))
}

fn key(album: &AlbumId, command: &HeaderHash) -> Vec<u8> {
    [album.0, command.0].concat()
}

/// What this home set aside.
fn dropped(node: &Node, album: &AlbumId) -> BTreeSet<HeaderHash> {
    let notes = node.db().scan(DROPPED, &album.0).unwrap_or_default();
    let command = |key: Vec<u8>| Some(HeaderHash(key.get(32..)?.try_into().ok()?));
    notes.into_iter().filter_map(|(key, _)| command(key)).collect()
}

/// The held commands that these words mean, grouped by member.
fn chosen(node: &Node, album: &Album, which: &[String]) -> Result<Vec<HeldCommand>, Failure> {
    let all = album.held();
    let mut ids = BTreeSet::new();
    for word in which {
        let of_user = all.iter().filter(|it| node.name_of(&it.user) == *word);
        let mut found: BTreeSet<HeaderHash> = of_user.map(|it| it.id).collect();
        if found.is_empty() && word.len() >= PREFIX_MIN {
            let digits = word.to_ascii_lowercase();
            let fits = all.iter().filter(|it| it.id.hex().starts_with(&digits));
            found = fits.map(|it| it.id).collect();
            if found.len() > 1 {
                let hint = format!("give more digits; {} fit", found.len());
                let message = format!("{word:?} could be several commands");
                return Err(Failure::new(Code::Ambiguous, message, hint));
            }
        }
        if found.is_empty() {
            let message = format!("nothing of {word:?} is held in {}", album.name());
            return Err(Failure::new(Code::NotFound, message, "/held --all lists what is"));
        }
        ids.extend(found);
    }
    let mut chosen: Vec<HeldCommand> = all.into_iter().filter(|it| ids.contains(&it.id)).collect();
    chosen.sort_by_cached_key(|it| node.name_of(&it.user));
    Ok(chosen)
}

/// In the order of `held`, but by member.
fn reply(
    node: &Node,
    album: &Album,
    act: HeldAct,
    held: &[HeldCommand],
    dropped: &BTreeSet<HeaderHash>,
) -> Held {
    let mut teller = Teller::new(node, album);
    let mut entries: Vec<HeldEntry> = held
        .iter()
        .map(|it| HeldEntry {
            id: it.id.hex(),
            user: teller.name(&it.user),
            user_id: it.user.hex(),
            device: it.device.hex(),
            at: it.at.map(rfc3339),
            why: teller.reason(&it.user, it.reason),
            accept: it.accept.map(|role| role.to_string()),
            state: if dropped.contains(&it.id) {
                "dropped"
            } else {
                "held"
            }
            .into(),
            images: it.sums.images,
            ratings: it.sums.ratings,
            chat: it.sums.chat,
            removals: it.sums.removals,
            members: it.sums.members,
            other: it.sums.other,
            names: it.names.clone(),
        })
        .collect();
    entries.sort_by(|a, b| a.user.cmp(&b.user));
    Held {
        album: album.name().to_owned(),
        act,
        held: entries,
        dropped: 0,
    }
}
