//! `invite`, `invites`, `invite --cancel`: codes that let people in.

use std::collections::BTreeMap;

use ::central::proto::{Bytes, MailboxKind, MailboxState, SealedBox};
use crdt::Album;
use crdt::fact::Role;
use crdt::id::{InviteId, PublicKey, UserId};
use crdt::keys::Certificate;
use rand::RngCore as _;

use super::super::code::invite::{Invite as Text, Signed, need};
use super::super::code::mine::{self, Mine};
use super::super::code::words;
use super::super::run::{Handle, Node, clock_ms, rfc3339};
use super::super::{CentralChoice, central};
use super::{done, refused};
use crate::api::{Code, Failure, Invite, InviteEntry, Invites, Reply};

use super::account::CENTRAL_WAIT;

/// How long a code is good: a day, which is the most that centrals give.
const TTL_MS: u64 = ::central::limits::MAILBOX_TTL_MS_MAX;

/// What [`sealed`] made.
struct Sealed {
    boxes: Vec<SealedBox>,
    mine: Mine,
    album: String,
    central: Option<String>,
}

pub(super) async fn invite(handle: &Handle, label: Option<String>, role: String) -> Result<Reply, Failure> {
    let role = Role::try_from(role)
        .map_err(|error| Failure::new(Code::Usage, error, "viewer, contributor or curator"))?;
    let named = label.clone();
    let album = handle
        .with(move |node| may_invite(node, named.as_deref(), role))
        .await??;
    let client = central::client(handle, CENTRAL_WAIT).await?;
    // The central lets those open a code whom the album's list calls owner or curator.
    central::announce_members(handle, album).await;
    let devices = client.album_peers(&album).await.unwrap_or_default();
    let devices = devices.into_iter().map(|peer| peer.cert).collect();
    let Sealed {
        boxes,
        mut mine,
        album: name,
        central,
    } = handle
        .with(move |node| sealed(node, label.as_deref(), role, devices))
        .await??;
    let opened = client.mailbox_open(MailboxKind::Album, Some(album), boxes, TTL_MS);
    mine.number = opened.await.map_err(central::failure)?;
    // Shown only once it is kept: what becomes of it is told to who made it.
    mine::keep(handle, &mine).await?;
    Ok(Reply::Invite(Invite {
        code: mine.code().to_string(),
        number: mine.number,
        album: name,
        role: role.to_string(),
        expires: rfc3339(mine.until),
        central,
    }))
}

fn may_invite(node: &mut Node, label: Option<&str>, role: Role) -> Result<crdt::id::AlbumId, Failure> {
    if !node.signed_in {
        return Err(refused(engine::EditError::NoUser));
    }
    let album = node.album(label)?;
    let (have, need) = (node.my_role(album), need(role));
    if have < need {
        let who = match need {
            Role::Owner => "only the owner makes curators; invite with --role contributor, or ask the owner",
            _ => "ask a curator or the owner; /members shows who that is",
        };
        let message = format!("inviting a {role} needs the role {need}, and yours is {have}");
        return Err(Failure::new(Code::Denied, message, who));
    }
    Ok(album.id())
}

/// Signs an invite and seals it for every device that may answer.
fn sealed(
    node: &mut Node,
    label: Option<&str>,
    role: Role,
    listed: Vec<Certificate>,
) -> Result<Sealed, Failure> {
    let identity = node
        .identity()
        .ok_or_else(|| refused(engine::EditError::NoUser))?;
    let album = node.album(label)?;
    let (mut id, mut random) = ([0; 16], [0; words::RANDOM_BYTES]);
    rand::rngs::OsRng.fill_bytes(&mut id);
    rand::rngs::OsRng.fill_bytes(&mut random);
    let words = words::words(&random);
    let until = clock_ms() + TTL_MS;
    let text = Text::new(InviteId(id), (album.id(), role), words.clone(), until);
    let signed = text.sign(&identity.device, &identity.certificate);
    let known = node.known.values().map(|known| known.certificate.clone());
    let devices = answerers(
        album,
        role,
        &identity.certificate,
        listed.into_iter().chain(known),
    );
    let boxes = devices.into_iter().filter_map(|device| seal(&signed, device));
    Ok(Sealed {
        boxes: boxes.collect(),
        mine: Mine {
            number: 0,
            id: text.id,
            album: text.album,
            role,
            words,
            until,
            state: MailboxState::Open,
            told: false,
        },
        album: album.name().to_owned(),
        central: match &node.config.central {
            CentralChoice::Address(address) => Some(address.clone()),
            CentralChoice::Embedded { .. } => None,
        },
    })
}

fn seal(signed: &Signed, device: PublicKey) -> Option<SealedBox> {
    let sealed = Bytes(signed.seal(&device)?);
    Some(SealedBox { device, sealed })
}

/// Devices that may answer, in the order in which they are asked: this one, the owner's, the curators'.
fn answerers(
    album: &Album,
    role: Role,
    mine: &Certificate,
    others: impl Iterator<Item = Certificate>,
) -> Vec<PublicKey> {
    let may = |cert: &Certificate| cert.is_valid() && album.role_of(&cert.user()) >= need(role);
    let revoked: Vec<(UserId, PublicKey)> = album.revoked_devices().collect();
    let others: BTreeMap<PublicKey, Certificate> = others
        .filter(|cert| cert.device != mine.device && may(cert))
        .filter(|cert| !revoked.contains(&(cert.user(), cert.device)))
        .map(|cert| (cert.device, cert))
        .collect();
    let mut others: Vec<Certificate> = others.into_values().collect();
    others.sort_by_key(|cert| std::cmp::Reverse(album.role_of(&cert.user())));
    let all = std::iter::once(mine.device).chain(others.into_iter().map(|cert| cert.device));
    all.take(::central::limits::BOXES_MAX).collect()
}

pub(super) async fn list(handle: &Handle) -> Result<Reply, Failure> {
    // Away: as last heard.
    let mine = match central::client(handle, std::time::Duration::ZERO).await {
        Ok(client) => mine::look(handle, &client).await.ok(),
        Err(_) => None,
    };
    let step = move |node: &mut Node| {
        let mine = mine.unwrap_or_else(|| mine::all(node));
        let entries = mine.iter().map(|one| {
            let album = node.engine.album(&one.album);
            let state = one.state_now();
            let users = album.map(|album| album.invited(&one.id)).unwrap_or_default();
            InviteEntry {
                number: one.number,
                code: matches!(state, MailboxState::Open | MailboxState::Taken)
                    .then(|| one.code().to_string()),
                album: album.map(|album| album.name().to_owned()).unwrap_or_default(),
                role: one.role.to_string(),
                state: state_word(state).to_owned(),
                expires: rfc3339(one.until),
                user: users.first().map(|user| node.name_of(user)),
            }
        });
        Invites {
            invites: entries.collect(),
        }
    };
    Ok(Reply::Invites(handle.with(step).await?))
}

fn state_word(state: MailboxState) -> &'static str {
    match state {
        MailboxState::Open => "open",
        MailboxState::Taken => "taken",
        MailboxState::Used => "used",
        MailboxState::Burnt => "burnt",
        MailboxState::Closed => "closed",
        MailboxState::Expired => "expired",
    }
}

pub(super) async fn cancel(handle: &Handle, number: u32) -> Result<Reply, Failure> {
    let known = handle.with(move |node| mine::all(node).into_iter().find(|one| one.number == number));
    let Some(mut one) = known.await? else {
        let hint = "/invites lists your codes with their numbers";
        return Err(Failure::new(
            Code::NotFound,
            format!("you made no code {number}"),
            hint,
        ));
    };
    let client = central::client(handle, CENTRAL_WAIT).await?;
    client.mailbox_close(number).await.map_err(central::failure)?;
    if matches!(one.state_now(), MailboxState::Open | MailboxState::Taken) {
        (one.state, one.told) = (MailboxState::Closed, true);
        mine::keep(handle, &one).await?;
        super::super::code::answer::close(handle, one.id, one.until).await?;
    }
    done(format!("the code {} lets nobody in any more", one.code()))
}
