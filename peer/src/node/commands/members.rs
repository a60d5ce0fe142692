//! `add-user`, `set-role`, `remove-user`, `members`, `say`, `chat`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, UserId};
use crdt::{Album, MemberView};

use super::super::central;
use super::super::run::{Durable, Handle, Node, clock_ms, rfc3339};
use super::{refused, rights, settled};
use crate::api::{Chat, ChatLine, Code, Failure, GivenRole, Member, Members, Membership, Reply};

/// How long to wait for the central to tell who a name is.
const LOOKUP_WAIT: Duration = Duration::from_secs(5);
/// Digits of a user's id that may stand for him.
const ID_DIGITS_MIN: usize = 6;

pub(super) async fn add(
    handle: &Handle,
    label: Option<String>,
    name: String,
    role: Option<GivenRole>,
) -> Result<Reply, Failure> {
    let wanted = role.map_or(Role::Contributor, Role::from);
    let need = if wanted == Role::Curator {
        Role::Owner
    } else {
        Role::Curator
    };
    rights::ask(handle, label.as_deref(), need).await?;
    let user = find_user(handle, &name).await?;
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        let (id, was) = (album.id(), album.role_of(&user));
        node.claim(&name, user)?;
        if was > Role::None && role.is_some() && was != wanted {
            let message = format!("{name} is {was} of {} already", album.name());
            let hint = format!("/setRole {name} {wanted} changes that");
            return Err(Failure::new(Code::Exists, message, hint));
        }
        let durable = match was {
            Role::None => grant(node, id, user, name, wanted)?,
            _ => None,
        };
        Ok(Changed {
            album: id,
            user,
            was,
            role: if was == Role::None { wanted } else { was },
            durable,
        })
    };
    let changed = handle.with(step).await??;
    finish(handle, changed).await
}

pub(super) async fn set_role(
    handle: &Handle,
    label: Option<String>,
    name: String,
    role: GivenRole,
) -> Result<Reply, Failure> {
    let role = Role::from(role);
    change(handle, label, name, role).await
}

pub(super) async fn remove(handle: &Handle, label: Option<String>, name: String) -> Result<Reply, Failure> {
    change(handle, label, name, Role::None).await
}

async fn change(handle: &Handle, label: Option<String>, name: String, role: Role) -> Result<Reply, Failure> {
    let step = move |node: &mut Node| {
        let album = node.album(label.as_deref())?;
        rights::may(node, album, Role::Curator)?;
        let (id, member) = (album.id(), member_named(node, album, &name)?);
        let label = album.name_of(&member.user).unwrap_or(name);
        let durable = grant(node, id, member.user, label, role)?;
        Ok::<_, Failure>(Changed {
            album: id,
            user: member.user,
            was: member.role,
            role,
            durable,
        })
    };
    let changed = handle.with(step).await??;
    finish(handle, changed).await
}

/// The member of this name, or with an id that begins so.
fn member_named(node: &Node, album: &Album, name: &str) -> Result<MemberView, Failure> {
    let members = || album.members().filter(|member| member.role > Role::None);
    let mut found: Vec<MemberView> = members()
        .filter(|member| node.name_of(&member.user) == name)
        .collect();
    if found.is_empty() && name.len() >= ID_DIGITS_MIN {
        let digits = name.to_ascii_lowercase();
        found = members()
            .filter(|member| member.user.hex().starts_with(&digits))
            .collect();
    }
    match found.len() {
        0 => {
            let names: Vec<String> = members().map(|member| node.name_of(&member.user)).collect();
            let hint = match crate::cmd::names::nearest(name, &names) {
                Some(near) => format!("did you mean {near}?"),
                None => "/members lists them; /addUser lets somebody in".to_owned(),
            };
            let message = format!("no member {name:?} in {}", album.name());
            Err(Failure::new(Code::NotFound, message, hint))
        }
        1 => Ok(found.swap_remove(0)),
        n => {
            let ids: Vec<String> = found
                .iter()
                .map(|member| member.user.hex()[..8].to_owned())
                .collect();
            let message = format!("{name:?} could be {n} members, with a key each");
            let hint = format!("give the first digits of the one you mean: {}", ids.join(", "));
            Err(Failure::new(Code::Ambiguous, message, hint))
        }
    }
}

/// Gives a user a role, if I may, or takes his away (none); `name` is what he is called from then on where he is let in
/// or raised. Nothing is written where he has it already.
///
/// # Errors
/// `denied`, naming the role it takes; what an edit may fail with.
pub(super) fn grant(
    node: &mut Node,
    album: AlbumId,
    user: UserId,
    name: String,
    role: Role,
) -> Result<Option<Durable>, Failure> {
    let here = node.engine.album(&album);
    let here = here.ok_or_else(|| refused(engine::EditError::NoAlbum))?;
    let was = here.role_of(&user);
    rights::may_change(node, here, was, role)?;
    if role > was {
        node.claim(&name, user)?;
    }
    let at = clock_ms();
    // A `role` fact is a limit as well: it holds what it did not see and shields what it saw from a later revocation.
    // Raising somebody is meant to do neither.
    let fact = match role.cmp(&was) {
        Ordering::Equal => return Ok(None),
        Ordering::Greater => Fact::Grant {
            user,
            role,
            name,
            at,
            invite: None,
        },
        Ordering::Less => Fact::Role { user, role, at },
    };
    let now = node.now();
    let token = node
        .engine
        .edit(now, album, vec![fact], Vec::new())
        .map_err(refused)?;
    Ok(Some(node.durable(token)))
}

impl From<GivenRole> for Role {
    fn from(role: GivenRole) -> Role {
        match role {
            GivenRole::Viewer => Role::Viewer,
            GivenRole::Contributor => Role::Contributor,
            GivenRole::Curator => Role::Curator,
        }
    }
}

/// A role that was asked for.
struct Changed {
    album: AlbumId,
    user: UserId,
    was: Role,
    role: Role,
    /// None where nothing was written.
    durable: Option<Durable>,
}

async fn finish(handle: &Handle, changed: Changed) -> Result<Reply, Failure> {
    if let Some(durable) = changed.durable {
        settled(durable).await?;
    }
    let announced = central::announce_members(handle, changed.album).await;
    let (album, user) = (changed.album, changed.user);
    let names = move |node: &mut Node| {
        let album = node.engine.album(&album).map(|album| album.name().to_owned());
        (album.unwrap_or_default(), node.name_of(&user))
    };
    let (album, user) = handle.with(names).await?;
    Ok(Reply::Membership(Membership {
        album,
        user,
        role: changed.role.to_string(),
        was: changed.was.to_string(),
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
            let known = handle.with(move |node| node.known_as(&wanted)).await?;
            // One name, one user among those met: the same person as there.
            match known.into_iter().collect::<Vec<_>>()[..] {
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
        rights::may(node, album, Role::Viewer)?;
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
            let verified = node.verified_users();
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
                        verified: verified.contains(&member.user),
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
