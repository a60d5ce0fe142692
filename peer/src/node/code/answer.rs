//! Answering for a code: what a node does with a knock, one message after the other, each durable before the next.
//!
//! Any curator's or owner's node does so, for as long as it runs; nobody is asked. What it may answer is in the box that
//! comes with the knock, and in the album.

use std::collections::{BTreeMap, BTreeSet};

use central::proto::{Bytes, End, ExchangeId, MailboxKind, MailboxState};
use central::{Client, Push};
use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, Digest, InviteId, UserId};
use crdt::keys::{Certificate, KeyPair};
use serde::{Deserialize, Serialize};
use store::Write;
use tokio::sync::{broadcast, oneshot};

use super::Fault;
use super::device::{self, Approving, Outcome};
use super::exchange::{About, AlbumOffer, Answer, Claim, Person, Responder};
use super::invite::{Invite, Refusal, Signed, may_answer};
use super::words::Code;
use crate::api::Failure;
use crate::node::blobs::blocking;
use crate::node::central as node_central;
use crate::node::run::{Durable, Handle, Node, clock_ms};

/// Where a home notes what it answered.
const SPACE: &str = "codes";
/// Exchanges that one node answers at a time; a new one ends the oldest.
const ANSWERING_MAX: usize = 64;
/// Messages that a joining command may lag behind.
const MAIL_KEPT: usize = 64;

/// A message of an exchange, for the command that joins.
#[derive(Debug, Clone)]
pub(in crate::node) struct Mail {
    pub(in crate::node) exchange: ExchangeId,
    pub(in crate::node) body: Vec<u8>,
    pub(in crate::node) end: Option<End>,
}

/// What a node has of codes in memory.
pub(in crate::node) struct Codes {
    answering: BTreeMap<ExchangeId, Answering>,
    order: Vec<ExchangeId>,
    /// To the commands that join.
    pub(in crate::node) mail: broadcast::Sender<Mail>,
    /// Invites that two answered, as far as they were told of.
    pub(in crate::node) doubled: BTreeSet<InviteId>,
    /// The code by which this machine makes another one the account's.
    pub(in crate::node) approving: Option<Approving>,
    /// How it ends, for the command that waits.
    pub(in crate::node) approval: Option<oneshot::Receiver<Outcome>>,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            answering: BTreeMap::new(),
            order: Vec::new(),
            mail: broadcast::channel(MAIL_KEPT).0,
            doubled: BTreeSet::new(),
            approving: None,
            approval: None,
        }
    }
}

/// An exchange between its second and its third message.
pub(super) struct Answering {
    pub(super) responder: Responder,
    pub(super) invite: Invite,
    /// Who signed it.
    pub(super) by: Certificate,
    /// The central's key as it was told.
    central: Digest,
}

/// What a home knows for good of an invite that it answered for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// BLAKE3 of the first message, the only one that is answered.
    first: Digest,
    /// Nothing is answered any more.
    over: bool,
    /// When the invite ends, milliseconds since 1970.
    until: u64,
}

/// What answers a knock.
struct Plan {
    code: Code,
    invite: Invite,
    by: Certificate,
    about: About,
    central: Digest,
    device: KeyPair,
    cert: Certificate,
    note: Note,
}

/// Takes what a push says of codes; gives back what it does not.
pub(in crate::node) async fn heard(handle: &Handle, client: &Client, push: Push) -> Option<Push> {
    match push {
        Push::Knock {
            exchange,
            number,
            kind,
            sealed,
            body,
            ..
        } => {
            let (handle, client) = (handle.clone(), client.clone());
            tokio::spawn(knocked(handle, client, (exchange, number, kind), (sealed, body)));
        }
        Push::Mail { exchange, body, end } => take_mail(handle, client, exchange, (body, end)).await,
        Push::Mailbox { number, state } => {
            // What became of an album's is looked up.
            if !matches!(state, MailboxState::Open | MailboxState::Taken) {
                let _ = handle.with(move |node| device::over(node, number)).await;
            }
        }
        other => return Some(other),
    }
    None
}

/// A message for this node as the one who answers, or for a command that joins.
async fn take_mail(
    handle: &Handle,
    client: &Client,
    exchange: ExchangeId,
    (body, end): (Bytes, Option<End>),
) {
    let mail = Mail {
        exchange,
        body: body.0.clone(),
        end,
    };
    let step = move |node: &mut Node| {
        let answers = node.codes.answers(&exchange);
        if !answers {
            // Fails only when no command joins.
            let _ = node.codes.mail.send(mail);
        }
        answers
    };
    if let Ok(true) = handle.with(step).await {
        let (handle, client) = (handle.clone(), client.clone());
        tokio::spawn(claimed(handle, client, exchange, body));
    }
}

/// Somebody knocked. What this home may not answer is answered by silence: the central asks the next.
async fn knocked(
    handle: Handle,
    client: Client,
    (exchange, number, kind): (ExchangeId, u32, MailboxKind),
    (sealed, first): (Bytes, Bytes),
) {
    if kind == MailboxKind::Device {
        return device::knocked(handle, client, (exchange, number), first).await;
    }
    let Some(((id, over), offered)) = offer(&handle, number, &sealed, &first).await else {
        return;
    };
    let Ok((answering, second)) = offered else {
        return burn(&handle, &client, exchange, id, over).await;
    };
    let kept = handle
        .with(move |node| node.codes.keep(exchange, answering))
        .await;
    if kept.is_ok() && client.mail(exchange, second, None).await.is_err() {
        // Another device has it, or the joiner went away.
        let _ = handle.with(move |node| node.codes.take(&exchange)).await;
    }
}

/// The second message, if this home answers: noted before, so that should it end here it answers no other first one.
pub(super) async fn offer(
    handle: &Handle,
    number: u32,
    sealed: &Bytes,
    first: &Bytes,
) -> Option<((InviteId, Note), Result<(Answering, Vec<u8>), Fault>)> {
    let (sealed, hash) = (sealed.clone(), Digest(*blake3::hash(&first.0).as_bytes()));
    let planned = handle.with(move |node| plan(node, number, &sealed.0, hash));
    let plan = planned.await.ok()??;
    let noted = (plan.invite.id, plan.note.clone());
    note(handle, plan.invite.id, plan.note).await.ok()?;
    let answer = Responder::new(
        &plan.code,
        &first.0,
        (plan.about, plan.central),
        (&plan.device, plan.cert),
        rand::rngs::OsRng,
    );
    let answer = answer.map(|(responder, second)| {
        let answering = Answering {
            responder,
            invite: plan.invite,
            by: plan.by,
            central: plan.central,
        };
        (answering, second)
    });
    Some((noted, answer))
}

impl Codes {
    fn keep(&mut self, id: ExchangeId, answering: Answering) {
        self.order.retain(|other| *other != id);
        if self.order.len() >= ANSWERING_MAX {
            self.answering.remove(&self.order.remove(0));
        }
        self.order.push(id);
        self.answering.insert(id, answering);
    }

    pub(super) fn take(&mut self, id: &ExchangeId) -> Option<Answering> {
        self.order.retain(|other| other != id);
        self.answering.remove(id)
    }

    /// Whether this node answers in an exchange.
    pub(super) fn answers(&self, id: &ExchangeId) -> bool {
        self.answering.contains_key(id) || self.approving.as_ref().is_some_and(|one| one.answers(id))
    }
}

fn plan(node: &mut Node, number: u32, sealed: &[u8], first: Digest) -> Option<Plan> {
    let identity = node.identity().filter(|_| node.signed_in)?;
    let central = Digest(node.central.key?);
    let (invite, Signed { cert: by, .. }) = match Signed::open(sealed, &identity.device) {
        Ok(opened) => opened,
        Err(fault) => {
            node.refused("central_code", None, 1, &fault.to_string());
            return None;
        }
    };
    let me = identity.certificate.user();
    let album = node.engine.album(&invite.album)?;
    if let Err(why) = may_answer(&invite, &by, album, &me, clock_ms()) {
        tracing::info!(number, "a knock is not answered: {why}");
        return None;
    }
    let kept = node.db().get(SPACE, &invite.id.0).ok()?;
    let note = match kept {
        None => Note {
            first,
            over: false,
            until: invite.until,
        },
        Some(bytes) => {
            let kept: Note = serde_json::from_slice(&bytes).ok()?;
            if kept.over || kept.first != first {
                node.refused(
                    "central_code",
                    None,
                    1,
                    "another guess at a code that was guessed at",
                );
                return None;
            }
            kept
        }
    };
    let offer = AlbumOffer {
        id: invite.album,
        name: album.name().to_owned(),
        owner: owner(node, album)?,
        role: invite.role,
        by: Person {
            name: node.name_of(&by.user()),
            root: by.root,
        },
    };
    Some(Plan {
        code: Code::new(number, &invite.words),
        about: About::Album(offer),
        central,
        device: identity.device,
        cert: identity.certificate,
        note,
        invite,
        by,
    })
}

/// The owner, by the album's first op.
fn owner(node: &Node, album: &crdt::Album) -> Option<Person> {
    let root = album.genesis_op()?.header.intro.as_ref()?.root;
    Some(Person {
        name: node.name_of(&crdt::keys::user_id(&root)),
        root,
    })
}

async fn note(handle: &Handle, id: InviteId, note: Note) -> Result<(), Failure> {
    let db = handle.with(|node| node.db().clone()).await?;
    let write = Write::Put {
        space: SPACE,
        key: id.0.to_vec(),
        value: serde_json::to_vec(&note).expect("plain data has a JSON text"),
    };
    let written = blocking(move || db.commit_wait(vec![write])).await;
    written.map_err(|error| {
        let hint = "free some space; codes are not answered meanwhile";
        Failure::new(crate::api::Code::DiskFull, error.to_string(), hint)
    })
}

/// This home answers an invite no more, whatever the central says.
pub(in crate::node) async fn close(handle: &Handle, id: InviteId, until: u64) -> Result<(), Failure> {
    let over = Note {
        first: Digest([0; 32]),
        over: true,
        until,
    };
    note(handle, id, over).await
}

/// The words were wrong: nobody gets another try here, nor at the central.
async fn burn(handle: &Handle, client: &Client, exchange: ExchangeId, id: InviteId, mut over: Note) {
    over.over = true;
    if note(handle, id, over).await.is_ok() {
        let _ = client.mail(exchange, Vec::new(), Some(End::Burnt)).await;
    }
}

/// The joiner's claim.
async fn claimed(handle: Handle, client: Client, exchange: ExchangeId, body: Bytes) {
    let taken = handle.with(move |node| node.codes.take(&exchange)).await;
    if matches!(taken, Ok(None)) {
        return device::claimed(handle, client, exchange, body).await;
    }
    let Ok(Some(Answering {
        responder,
        invite,
        by,
        central,
    })) = taken
    else {
        return;
    };
    let over = handle.with(move |node| {
        let kept = node.db().get(SPACE, &invite.id.0).ok().flatten()?;
        serde_json::from_slice::<Note>(&kept).ok()
    });
    let Ok(Some(over)) = over.await else { return };
    let id = invite.id;
    let claim = match responder.claim(&body.0) {
        Ok(claim) => claim,
        Err(_) => return burn(&handle, &client, exchange, id, over).await,
    };
    let (answer, end) = match grant(&handle, (invite, by), central, claim).await {
        Ok(addresses) => (Answer::granted(addresses), End::Used),
        Err((code, message)) => (Answer::refused(code, &message), End::Burnt),
    };
    let said = client.mail(exchange, responder.answer(&answer), Some(end)).await;
    // Not said: the joiner asks again with the same message, and is answered again.
    if said.is_ok() {
        let _ = note(&handle, id, Note { over: true, ..over }).await;
    }
}

/// What a step of [`grant`] came to: nothing to write, an op on its way to the disk, or a refusal.
pub(super) type Granted = Result<Option<Durable>, (&'static str, String)>;

/// Lets the joiner in, durably, and says where this node can be reached.
async fn grant(
    handle: &Handle,
    (invite, by): (Invite, Certificate),
    central: Digest,
    claim: Claim,
) -> Result<Vec<String>, (&'static str, String)> {
    let away = |failure: Failure| ("unreachable", failure.message);
    if claim.central != central {
        return Err((
            "auth",
            "the two of you see different centrals: somebody is in between".to_owned(),
        ));
    }
    let Some(user) = claim.cert.map(|cert| cert.user()) else {
        return Err(("usage", "no certificate".to_owned()));
    };
    let (album, name) = (invite.album, claim.name);
    let step = move |node: &mut Node| grant_now(node, &invite, &by, user, name);
    let durable = handle.with(step).await.map_err(away)??;
    if let Some(durable) = durable {
        let ending = |_| ("unreachable", "the node is ending".to_owned());
        durable.await.map_err(ending)?.map_err(away)?;
    }
    // So that the central names him the members' addresses.
    node_central::announce_members(handle, album).await;
    let addresses = handle.with(|node| {
        let address = node.net.as_ref().map(net::Net::local_addr);
        address.map(node_central::reachable).unwrap_or_default()
    });
    addresses.await.map_err(away)
}

pub(super) fn grant_now(
    node: &mut Node,
    invite: &Invite,
    by: &Certificate,
    user: UserId,
    name: String,
) -> Granted {
    let denied = |why: &str| Err(("denied", why.to_owned()));
    let (Some(me), Some(album)) = (node.user(), node.engine.album(&invite.album)) else {
        return denied("the album is not here");
    };
    match may_answer(invite, by, album, &me, clock_ms()) {
        Ok(()) => {}
        Err(why @ (Refusal::Inviter | Refusal::Answerer | Refusal::Expired | Refusal::Album)) => {
            return denied(&why.to_string());
        }
    }
    if crdt::name::user_name(&name).ok().as_deref() != Some(&name) {
        return Err(("usage", "a name that no account can have".to_owned()));
    }
    let invited = album.invited(&invite.id);
    if invited.iter().any(|other| *other != user) {
        return denied("the code was used by another");
    }
    if invited.contains(&user) || album.role_of(&user) >= invite.role {
        return Ok(None);
    }
    // Another key behind a name that this home knows is a question to people, not an answer.
    node.claim(&name, user)
        .map_err(|failure| ("denied", failure.message))?;
    let fact = Fact::Grant {
        user,
        role: invite.role,
        name,
        at: clock_ms(),
        invite: Some(invite.id),
    };
    let now = node.now();
    let token = node
        .engine
        .edit(now, invite.album, vec![fact], Vec::new())
        .map_err(|error| ("denied", error.to_string()))?;
    Ok(Some(node.durable(token)))
}

/// Invites of an album that two users' grants answer, and that nobody was told of yet; the owner's node says so.
pub(in crate::node) fn doubles(node: &mut Node, id: AlbumId) -> Vec<(String, Vec<String>)> {
    let Some(album) = node.engine.album(&id) else {
        return Vec::new();
    };
    if node.user().is_none_or(|me| album.role_of(&me) < Role::Owner) {
        return Vec::new();
    }
    let found: Vec<(InviteId, Vec<UserId>)> = album.invited_twice();
    let name = album.name().to_owned();
    let mut doubles = Vec::new();
    for (invite, users) in found {
        if node.codes.doubled.insert(invite) {
            let users = users.iter().map(|user| node.name_of(user)).collect();
            doubles.push((name.clone(), users));
        }
    }
    doubles
}

/// Forgets notes of invites whose time is over.
pub(in crate::node) fn forget_old(node: &Node) {
    let Ok(notes) = node.db().scan(SPACE, b"") else {
        return;
    };
    for (key, value) in notes {
        let over = serde_json::from_slice::<Note>(&value).map_or(true, |note| note.until < clock_ms());
        if over {
            node.delete(SPACE, &key);
        }
    }
}
