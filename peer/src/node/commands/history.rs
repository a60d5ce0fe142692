//! `log`, `why`, `trash`: what happened, told from the ops.

use std::collections::{BTreeMap, BTreeSet};

use crdt::fact::Role;
use crdt::history::{Command, Deed, Entry, Held, HeldReason};
use crdt::id::{AlbumId, BlobHash, HeaderHash, UserId};
use crdt::story::{Scene, SceneAct, gone_named};
use crdt::{Album, FactId, Found};

use super::super::blobs::blocking;
use super::super::run::{Handle, Node, rfc3339};
use super::super::view::several;
use crate::api::{
    Code, Did, Dot, Failure, ImageNames, Log, LogEntry, Named, Reply, Trash, TrashEntry, Why, WhyEvent,
};

/// So many times of arrival are read one by one; for more all of the album's are.
const SEEN_ONE_BY_ONE: usize = 64;

/// What is asked of the log.
pub(super) struct Wanted {
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) by: Option<String>,
    pub(super) image: Option<String>,
}

pub(super) async fn log(handle: &Handle, label: Option<String>, wanted: Wanted) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let mut teller = Teller::new(node, album);
        let by = wanted
            .by
            .as_deref()
            .map(|name| teller.users_named(name))
            .transpose()?;
        let files = match wanted.image.as_deref() {
            Some(name) => Some(vec![file_named(album, name)?.1]),
            None => None,
        };
        let fits = |command: &Command| {
            by.as_ref().is_none_or(|users| users.contains(&command.user))
                && files.as_ref().is_none_or(|files| album.concerns(command, files))
        };
        let limit = wanted.limit.unwrap_or(usize::MAX);
        let fitting = album.history().filter(fits).skip(wanted.offset);
        let mut commands: Vec<Command> = fitting.take(limit.saturating_add(1)).collect();
        let more = commands.len() > limit;
        commands.truncate(limit);
        let entries = commands.iter().map(|command| teller.entry(command)).collect();
        let mut log = Log {
            album: album.name().to_owned(),
            entries,
            offset: wanted.offset as u64,
            more,
        };
        teller.name_rated(&mut log.entries);
        Ok::<_, Failure>((album.id(), log))
    };
    let (id, mut log) = handle.with(step).await??;
    let timeless = log.entries.iter().filter(|entry| entry.at.is_none());
    let wanted: Vec<String> = timeless.map(|entry| entry.id.clone()).collect();
    let seen = seen(handle, id, wanted).await?;
    for entry in &mut log.entries {
        entry.seen = seen.get(&entry.id).cloned();
    }
    Ok(Reply::Log(log))
}

pub(super) async fn why(handle: &Handle, label: Option<String>, name: String) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let (shown, file) = file_named(album, &name)?;
        let mut teller = Teller::new(node, album);
        let story = album.story(&file);
        let events = story
            .scenes
            .into_iter()
            .map(|scene| teller.event(scene))
            .collect();
        let bare = album
            .images_of_blob(&file)
            .into_iter()
            .next()
            .map(|view| view.image.name);
        let mut others = album.files_named(bare.as_deref().unwrap_or(&name));
        others.remove(&file);
        let why = Why {
            album: album.name().to_owned(),
            name: shown,
            hash: file.hex(),
            here: !album.images_of_blob(&file).is_empty(),
            events,
            same_name: others.iter().map(BlobHash::hex).collect(),
        };
        Ok::<_, Failure>((album.id(), why))
    };
    let (id, mut why) = handle.with(step).await??;
    let timeless = why.events.iter().filter(|event| event.at.is_none());
    let wanted: Vec<String> = timeless.map(|event| event.header.clone()).collect();
    let seen = seen(handle, id, wanted).await?;
    for event in &mut why.events {
        event.seen = seen.get(&event.header).cloned();
    }
    Ok(Reply::Why(why))
}

pub(super) async fn trash(
    handle: &Handle,
    label: Option<String>,
    limit: Option<usize>,
    offset: usize,
) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let gone = album.gone();
        let total = gone.len() as u64;
        let shown = gone.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX));
        let images = shown.map(|view| TrashEntry {
            name: view.name,
            hash: view.image.hash.hex(),
            size: view.image.size,
            author: node.name_of(&view.user),
            added: rfc3339(view.image.at),
            removed_by: node.name_of(&view.removed_by),
            removed: None,
            removal: view.removal.hex(),
            version_of: view.image.version.as_ref().map(|version| version.source.hex()),
            recipe: view.image.version.as_ref().map(|version| version.recipe.clone()),
            local: node.engine.is_here(&view.image.hash),
        });
        let trash = Trash {
            album: album.name().to_owned(),
            images: images.collect(),
            offset: offset as u64,
            total,
        };
        Ok::<_, Failure>((album.id(), trash))
    };
    let (id, mut trash) = handle.with(step).await??;
    let wanted = trash.images.iter().map(|image| image.removal.clone()).collect();
    let seen = seen(handle, id, wanted).await?;
    for image in &mut trash.images {
        image.removed = seen.get(&image.removal).cloned();
    }
    Ok(Reply::Trash(trash))
}

/// When these ops came here, of those of which it was noted.
async fn seen(
    handle: &Handle,
    album: AlbumId,
    ops: Vec<String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let db = handle.with(|node| node.db().clone()).await?;
    let read = move || {
        let key = |op: &String| HeaderHash::from_hex(op).map(|hash| [album.0, hash.0].concat());
        let time = |value: &[u8]| value.first_chunk().map(|ms| rfc3339(u64::from_le_bytes(*ms)));
        if ops.len() <= SEEN_ONE_BY_ONE {
            let found = ops.into_iter().filter_map(|op| {
                let value = db.get("seen", &key(&op)?).ok().flatten()?;
                Some((op, time(&value)?))
            });
            return found.collect();
        }
        let all = db.scan("seen", &album.0).unwrap_or_default().into_iter();
        all.filter_map(|(key, value)| {
            let hash: [u8; 32] = key.get(32..)?.try_into().ok()?;
            Some((HeaderHash(hash).hex(), time(&value)?))
        })
        .collect()
    };
    Ok(blocking(read).await)
}

/// Why an op of this user is held, in words.
pub(in crate::node) fn why_held(node: &Node, user: &UserId, reason: HeldReason) -> String {
    let author = node.name_of(user);
    match reason {
        HeldReason::Revoked => format!("{author} revoked the device without having seen it"),
        HeldReason::Role {
            limit: Some((by, role)),
            ..
        } => {
            let by = node.name_of(&by);
            match role {
                Role::None => format!("{by} removed {author} without having seen it"),
                role => format!("{by} made {author} {role} without having seen it"),
            }
        }
        HeldReason::Role {
            need,
            have: Role::None,
            ..
        } => format!("it needs {need}, and {author} was no member"),
        HeldReason::Role { need, have, .. } => format!("it needs {need}, and {author} was {have}"),
    }
}

/// The file that a name means, in the album, in the trash, or held, and the name it shows under.
pub(super) fn file_named(album: &Album, name: &str) -> Result<(String, BlobHash), Failure> {
    match album.image_named(name) {
        Found::One(view) => return Ok((view.name, view.image.hash)),
        Found::Ambiguous(views) => {
            return Err(several(name, views.into_iter().map(|view| view.name).collect()));
        }
        Found::None => {}
    }
    let gone = album.gone();
    match gone_named(&gone, name) {
        Found::One(view) => return Ok((view.name.clone(), view.image.hash)),
        Found::Ambiguous(views) => {
            return Err(several(
                name,
                views.into_iter().map(|view| view.name.clone()).collect(),
            ));
        }
        Found::None => {}
    }
    let held: Vec<BlobHash> = album.files_named(name).into_iter().collect();
    match held[..] {
        [file] => Ok((name.to_owned(), file)),
        [] => {
            let live = album.images().map(|view| view.name);
            let names: Vec<String> = live.chain(gone.into_iter().map(|view| view.name)).collect();
            let hint = match crate::cmd::names::nearest(name, &names) {
                Some(near) => format!("did you mean {near}?"),
                None => "/getImages lists what is here, /trash what was removed".into(),
            };
            let message = format!("{} never had an image {name:?}", album.name());
            Err(Failure::new(Code::NotFound, message, hint))
        }
        _ => Err(several(
            name,
            held.iter().map(|file| file.hex()[..8].to_owned()).collect(),
        )),
    }
}

/// Turns ops into words' parts, and remembers whose name is what.
pub(super) struct Teller<'a> {
    node: &'a Node,
    album: &'a Album,
    names: BTreeMap<UserId, String>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(node: &'a Node, album: &'a Album) -> Self {
        Teller {
            node,
            album,
            names: BTreeMap::new(),
        }
    }

    pub(super) fn name(&mut self, user: &UserId) -> String {
        let named = || self.node.name_of(user);
        self.names.entry(*user).or_insert_with(named).clone()
    }

    /// The members, former ones included, who have this name.
    fn users_named(&mut self, name: &str) -> Result<BTreeSet<UserId>, Failure> {
        let members: Vec<UserId> = self.album.members().map(|member| member.user).collect();
        let users: BTreeSet<UserId> = members
            .into_iter()
            .filter(|user| self.name(user) == name)
            .collect();
        if !users.is_empty() {
            return Ok(users);
        }
        let names: Vec<String> = self.names.values().cloned().collect();
        let hint = match crate::cmd::names::nearest(name, &names) {
            Some(near) => format!("did you mean {near}?"),
            None => "/getMetadata lists the members".to_owned(),
        };
        let message = format!("{name:?} was never a member of {}", self.album.name());
        Err(Failure::new(Code::NotFound, message, hint))
    }

    pub(super) fn entry(&mut self, command: &Command) -> LogEntry {
        let deeds = self.album.deeds(command);
        LogEntry {
            id: command.id.hex(),
            user: self.name(&command.user),
            device: command.device.hex(),
            lamport: command.lamport,
            at: command.at.map(rfc3339),
            seen: None,
            did: deeds.into_iter().map(|deed| self.did(deed)).collect(),
            held: command.held.map(|Held { ops, reason }| {
                let part = if ops < command.op_count() { "in part: " } else { "" };
                format!("{part}{}", self.reason(&command.user, reason))
            }),
            undoes: command.undoes.map(|id| id.hex()),
            undone_by: command.undone_by.map(|id| id.hex()),
        }
    }

    fn did(&mut self, deed: Deed) -> Did {
        let names = |images: Vec<Entry>, count| ImageNames {
            count: count as u64,
            images: images.into_iter().map(named).collect(),
        };
        match deed {
            Deed::Created { name } => Did::Created { name },
            Deed::Added { images, count } => Did::Added(names(images, count)),
            Deed::Restored { images, count } => Did::Restored(names(images, count)),
            Deed::Removed { images, count } => Did::Removed(names(images, count)),
            Deed::Rated { image, stars, before } => Did::Rated {
                name: String::new(),
                hash: image.hex(),
                stars,
                before,
            },
            Deed::Renamed { name } => Did::Renamed { name },
            Deed::Granted { user, role, .. } => Did::MemberAdded {
                user: self.name(&user),
                role: role.to_string(),
            },
            Deed::Limited { user, role } => Did::MemberChanged {
                user: self.name(&user),
                role: role.to_string(),
            },
            Deed::Accepted { ops } => Did::Accepted { ops },
            Deed::Revoked { device } => Did::Revoked { device: device.hex() },
            Deed::Other { count } => Did::Other { count: count as u64 },
        }
    }

    /// ImageNames what was rated: ratings know files only.
    pub(super) fn name_rated(&self, entries: &mut [LogEntry]) {
        self.name_votes(entries.iter_mut().flat_map(|entry| &mut entry.did).collect());
    }

    pub(super) fn name_votes(&self, mut did: Vec<&mut Did>) {
        let file = |did: &Did| match did {
            Did::Rated { hash, .. } => BlobHash::from_hex(hash),
            _ => None,
        };
        let rated: BTreeSet<BlobHash> = did.iter().filter_map(|did| file(did)).collect();
        if rated.is_empty() {
            return;
        }
        let names = self.album.names_of(&rated);
        for did in &mut did {
            let found = file(did).and_then(|file| names.get(&file));
            if let Did::Rated { name, hash, .. } = &mut **did {
                *name = found.cloned().unwrap_or_else(|| hash[..8].to_owned());
            }
        }
    }

    /// Why an op of this user is held, in words.
    pub(super) fn reason(&mut self, user: &UserId, reason: HeldReason) -> String {
        why_held(self.node, user, reason)
    }

    fn dots(&mut self, ids: Vec<FactId>) -> Vec<Dot> {
        let dot = |id: FactId| Dot {
            dot: dot_of(&id),
            header: id.header.hex(),
            user: self
                .album
                .author_of(&id.header)
                .map(|user| self.name(&user))
                .unwrap_or_default(),
        };
        ids.into_iter().map(dot).collect()
    }

    fn event(&mut self, scene: Scene) -> WhyEvent {
        let mut event = WhyEvent {
            header: scene.header.hex(),
            user: self.name(&scene.user),
            device: scene.device.hex(),
            at: scene.at.map(rfc3339),
            held: scene.held.map(|reason| self.reason(&scene.user, reason)),
            ..WhyEvent::default()
        };
        let own = |event: &mut WhyEvent, id: &FactId, live: bool| {
            event.dot = Some(dot_of(id));
            event.live = Some(live);
        };
        match scene.act {
            SceneAct::Added {
                id,
                image,
                live,
                again,
            } => {
                event.kind = if again { "restored" } else { "added" }.into();
                own(&mut event, &id, live);
                event.name = Some(image.name);
                event.size = Some(image.size);
                if let Some(version) = image.version {
                    event.source = self
                        .album
                        .names_of(&[version.source].into())
                        .remove(&version.source);
                    event.version_of = Some(version.source.hex());
                    event.recipe = Some(version.recipe);
                }
            }
            SceneAct::Removed { saw, missed } => {
                event.kind = "removed".into();
                event.saw = self.dots(saw);
                event.missed = self.dots(missed);
            }
            SceneAct::Rated { id, stars, live } => {
                event.kind = "rated".into();
                own(&mut event, &id, live);
                event.stars = Some(stars);
            }
            SceneAct::Unrated { saw } => {
                event.kind = "unrated".into();
                event.saw = self.dots(saw);
            }
            SceneAct::Versioned {
                id,
                name,
                recipe,
                live,
            } => {
                event.kind = "versioned".into();
                own(&mut event, &id, live);
                event.name = Some(name);
                event.recipe = Some(recipe);
            }
        }
        event
    }
}

fn dot_of(id: &FactId) -> (String, u64) {
    (id.actor.to_string(), id.seq)
}

fn named(entry: Entry) -> Named {
    let (version_of, recipe) = entry.version.unzip();
    Named {
        name: entry.name,
        hash: entry.hash.hex(),
        dot: dot_of(&entry.id),
        version_of: version_of.map(|source| source.hex()),
        recipe,
    }
}
