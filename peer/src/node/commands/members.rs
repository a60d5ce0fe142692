//! `add-user`, `remove-user`, `members`, `say`, `chat`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, UserId};

use super::super::central;
use super::super::run::{Durable, Handle, Node, clock_ms, rfc3339};
use super::{refused, settled};
use crate::api::{Chat, ChatLine, Code, Failure, Member, Members, Membership, Reply};

/// How long to wait for the central to tell who a name is.
const LOOKUP_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn add(handle: &Handle, label: Option<String>, name: String) -> Result<Reply, Failure> {
    handle
        .with(|node| {
            node.engine
                .me()
                .map(drop)
                .ok_or_else(|| refused(engine::EditError::NoUser))
        })
        .await??;
    let wanted = label.clone();
    handle
        .with(move |node| node.album(wanted.as_deref()).map(drop))
        .await??;
    let user = find_user(handle, &name).await?;
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let (id, role, album_name) = (album.id(), album.role_of(&user), album.name().to_owned());
        if role > Role::None {
            return Ok((id, album_name, role, None));
        }
        let facts = vec![Fact::Grant {
            user,
            role: Role::Contributor,
            name,
            at: clock_ms(),
        }];
        let durable = edit(node, id, facts)?;
        Ok((id, album_name, Role::Contributor, Some(durable)))
    };
    let name = handle.with(step).await?;
    finish(handle, name?, user).await
}

pub(super) async fn remove(handle: &Handle, label: Option<String>, name: String) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let (id, album_name) = (album.id(), album.name().to_owned());
        let member = album
            .members()
            .find(|member| member.role > Role::None && node.name_of(&member.user) == name);
        let Some(member) = member else {
            let members = album.members().filter(|member| member.role > Role::None);
            let names: Vec<String> = members.map(|member| node.name_of(&member.user)).collect();
            let hint = match crate::cmd::names::nearest(&name, &names) {
                Some(near) => format!("did you mean {near}?"),
                None => "/getMetadata lists the members".to_owned(),
            };
            return Err(Failure::new(
                Code::NotFound,
                format!("no member {name:?} in {album_name}"),
                hint,
            ));
        };
        if member.role == Role::Owner {
            let hint = "an album has one owner for ever; /leaveAlbum closes it here";
            return Err(Failure::new(Code::Denied, "the owner cannot be removed", hint));
        }
        let user = member.user;
        let durable = edit(
            node,
            id,
            vec![Fact::Role {
                user,
                role: Role::None,
                at: clock_ms(),
            }],
        )?;
        Ok(((id, album_name, Role::None, Some(durable)), user))
    };
    let (changed, user) = handle.with(step).await??;
    finish(handle, changed, user).await
}

fn edit(node: &mut Node, album: AlbumId, facts: Vec<Fact>) -> Result<Durable, Failure> {
    let now = node.now();
    let token = node.engine.edit(now, album, facts, Vec::new()).map_err(refused)?;
    Ok(node.durable(token))
}

type Changed = (AlbumId, String, Role, Option<Durable>);

async fn finish(
    handle: &Handle,
    (id, album, role, durable): Changed,
    user: UserId,
) -> Result<Reply, Failure> {
    if let Some(durable) = durable {
        settled(durable).await?;
    }
    let announced = central::announce_members(handle, id).await;
    let user = handle.with(move |node| node.name_of(&user)).await?;
    Ok(Reply::Membership(Membership {
        album,
        user,
        role: role.to_string(),
        announced,
    }))
}

/// Who a name is: by the central, or, when it is away, by the albums here.
async fn find_user(handle: &Handle, name: &str) -> Result<UserId, Failure> {
    match central::client(handle, LOOKUP_WAIT).await {
        Ok(client) => {
            let found = client.lookup(name).await.map_err(|error| {
                let mut failure = central::failure(error);
                if failure.code == Code::NotFound {
                    failure.message = format!("nobody is registered as {name:?}");
                    failure.hint = format!("ask them to run calotype and /register {name} first");
                }
                failure
            })?;
            Ok(found.user)
        }
        Err(away) => {
            let wanted = name.to_owned();
            let known = handle.with(move |node| {
                let members = node
                    .engine
                    .albums()
                    .flat_map(|album| album.members().collect::<Vec<_>>());
                let mut users: Vec<UserId> = members
                    .filter(|member| member.name == wanted)
                    .map(|member| member.user)
                    .collect();
                users.dedup();
                users
            });
            // One name, one user among those met: the same person as there.
            match known.await?[..] {
                [user] => Ok(user),
                _ => Err(away),
            }
        }
    }
}

pub(super) async fn say(handle: &Handle, label: Option<String>, text: String) -> Result<Reply, Failure> {
    let bytes = text.len();
    if text.trim().is_empty() || bytes > engine::limits::CHAT_BYTES_MAX {
        let message = format!("a chat line of {bytes} bytes");
        let hint = format!("write between 1 and {} bytes", engine::limits::CHAT_BYTES_MAX);
        return Err(Failure::new(Code::Usage, message, hint));
    }
    let at = clock_ms();
    let line = text.clone();
    let said = handle.with(move |node| {
        let album = node.album(label.as_deref())?;
        let (id, name) = (album.id(), album.name().to_owned());
        let now = node.now();
        let token = node.engine.say(now, id, line, at).map_err(refused)?;
        let user = node.user().map(|user| node.name_of(&user)).unwrap_or_default();
        Ok::<_, Failure>((node.durable(token), name, user))
    });
    let (durable, album, user) = said.await??;
    settled(durable).await?;
    Ok(Reply::Said(ChatLine {
        album,
        user,
        at: rfc3339(at),
        text,
    }))
}

pub(super) async fn chat(
    handle: &Handle,
    label: Option<String>,
    limit: Option<usize>,
    since: Option<u64>,
) -> Result<Reply, Failure> {
    handle
        .with(move |node| {
            let album = node.album(label.as_deref())?;
            let name = album.name().to_owned();
            let fitting = album
                .chat()
                .filter(|line| since.is_none_or(|since| line.at >= since));
            let all: Vec<crdt::ChatLine> = fitting.collect();
            let total = all.len();
            let newest = all.into_iter().skip(total.saturating_sub(limit.unwrap_or(total)));
            let lines = newest.map(|line| ChatLine {
                album: name.clone(),
                user: node.name_of(&line.user),
                at: rfc3339(line.at),
                text: line.text,
            });
            let lines = lines.collect();
            Ok(Reply::Chat(Chat {
                album: name,
                lines,
                total: total as u64,
            }))
        })
        .await?
}

pub(super) async fn list(handle: &Handle, label: Option<String>) -> Result<Reply, Failure> {
    handle
        .with(move |node| {
            let album = node.album(label.as_deref())?;
            let linked: BTreeSet<UserId> = node.engine.linked().map(|(_, user)| user).collect();
            let (me, owner) = (node.user(), album.owner());
            let mut images: BTreeMap<UserId, u64> = BTreeMap::new();
            for view in album.images() {
                *images.entry(view.user).or_default() += 1;
            }
            let mut members: Vec<_> = album
                .members()
                .filter(|member| member.role > Role::None)
                .map(|member| {
                    let admission = album.admission(&member.user);
                    let by = admission.filter(|_| Some(member.user) != owner);
                    let entry = Member {
                        user: node.name_of(&member.user),
                        user_id: member.user.hex(),
                        role: member.role.to_string(),
                        online: Some(member.user) == me || linked.contains(&member.user),
                        added_by: by.map(|(by, _)| node.name_of(&by)),
                        added: admission.map(|(_, at)| rfc3339(at)),
                        images: images.get(&member.user).copied().unwrap_or(0),
                    };
                    (Some(member.user) != owner, admission.map(|(_, at)| at), entry)
                })
                .collect();
            members.sort_by(|a, b| (a.0, a.1, &a.2.user).cmp(&(b.0, b.1, &b.2.user)));
            Ok(Reply::Members(Members {
                album: album.name().to_owned(),
                owner: owner.map(|owner| node.name_of(&owner)).unwrap_or_default(),
                members: members.into_iter().map(|(_, _, entry)| entry).collect(),
            }))
        })
        .await?
}
