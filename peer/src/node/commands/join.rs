//! `join`: into an album by a code. The joiner's side of docs/protocol.md §11, around the exchange of `code::exchange`.
//!
//! A try is kept until it ends: whoever was cut off goes on with the same first message, which is the same guess.

use std::time::Duration;

use ::central::Client;
use ::central::proto::{End, ExchangeId, MailboxKind};
use crdt::fact::Role;
use crdt::id::{AlbumId, Digest};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use store::Write;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::super::blobs::blocking;
use super::super::central;
use super::super::code::Fault;
use super::super::code::answer::Mail;
use super::super::code::exchange::{About, AlbumOffer, Joiner, Met};
use super::super::code::locate;
use super::super::code::words::Code as Spoken;
use super::super::run::{Handle, clock_ms};
use super::account::{self, CENTRAL_WAIT};
use super::{Steps, album};
use crate::api::{Code, Failure, Joined, NewAccount, Progress, Reply, Session};

/// Where a home keeps its tries.
const SPACE: &str = "joins";
/// How long a try is kept: the longest that a code is good.
const KEPT_MS: u64 = ::central::limits::MAILBOX_TTL_MS_MAX;
/// How long one look at the exchange lasts before the connection is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Second messages that are read in one try; a central that makes up more is left.
const OFFERS_MAX: usize = 32;

/// A try with a code.
#[derive(Clone, Serialize, Deserialize)]
struct Try {
    seed: Digest,
    /// When it began, milliseconds since 1970.
    at: u64,
    /// Where the code leads, once somebody answered.
    offer: Option<AlbumOffer>,
}

/// What `join` is told.
pub(super) struct Wanted {
    pub(super) code: String,
    pub(super) host: Option<String>,
    pub(super) account: Option<NewAccount>,
    pub(super) timeout: Duration,
}

pub(super) async fn join(handle: &Handle, wanted: Wanted, steps: &Steps) -> Result<Reply, Failure> {
    let code =
        Spoken::parse(&wanted.code).map_err(|error| Failure::new(Code::Usage, error.to_string(), ""))?;
    let until = Instant::now() + wanted.timeout;
    let mut kept = take_up(handle, &code).await?;
    // A try that got so far goes on, also where the code has ended meanwhile.
    if kept.offer.is_none() {
        let step = locate::find(handle, code.number, wanted.host, MailboxKind::Album, CENTRAL_WAIT);
        if let Err(failure) = step.await {
            forget(handle, &code).await?;
            return Err(failure);
        }
    }
    let session = sign_in(handle, wanted.account).await?;
    let offer = match already_in(handle, kept.offer.as_ref()).await? {
        Some(offer) => offer,
        None => {
            let joined = knock(handle, &code, &mut kept, until, steps).await;
            if joined.is_err() && !may_go_on(&joined) {
                forget(handle, &code).await?;
            }
            joined?
        }
    };
    forget(handle, &code).await?;
    enter(handle, offer, session).await
}

/// Whether the same try may go on later.
fn may_go_on(joined: &Result<AlbumOffer, Failure>) -> bool {
    matches!(joined, Err(failure) if matches!(failure.code, Code::Unreachable | Code::Busy | Code::DiskFull))
}

/// The session of a new account, if one was to be made.
async fn sign_in(handle: &Handle, account: Option<NewAccount>) -> Result<Option<Session>, Failure> {
    let has = handle
        .with(|node| node.account.as_ref().is_some_and(|account| account.confirmed))
        .await?;
    match account.filter(|_| !has) {
        Some(NewAccount { user, password }) => match account::register(handle, user, password).await? {
            Reply::Session(session) => Ok(Some(session)),
            _ => Ok(None),
        },
        None if has => {
            let signed_in = handle.with(|node| node.signed_in).await?;
            match signed_in {
                true => Ok(None),
                false => Err(super::refused(engine::EditError::NoUser)),
            }
        }
        None => Err(super::refused(engine::EditError::NoUser)),
    }
}

/// The try of this code that was broken off, or a new one; kept before anything is sent.
async fn take_up(handle: &Handle, code: &Spoken) -> Result<Try, Failure> {
    let key = code.to_string();
    let kept = handle.with(move |node| {
        let kept = node.db().get(SPACE, key.as_bytes()).ok().flatten();
        kept.and_then(|bytes| serde_json::from_slice::<Try>(&bytes).ok())
    });
    let recent = |kept: &Try| clock_ms().saturating_sub(kept.at) < KEPT_MS;
    if let Some(kept) = kept.await?.filter(recent) {
        return Ok(kept);
    }
    let mut seed = [0; 32];
    rand::rngs::OsRng.fill_bytes(&mut seed);
    let new = Try {
        seed: Digest(seed),
        at: clock_ms(),
        offer: None,
    };
    keep(handle, code, &new).await?;
    Ok(new)
}

async fn keep(handle: &Handle, code: &Spoken, kept: &Try) -> Result<(), Failure> {
    let db = handle.with(|node| node.db().clone()).await?;
    let write = Write::Put {
        space: SPACE,
        key: code.to_string().into_bytes(),
        value: serde_json::to_vec(kept).expect("plain data has a JSON text"),
    };
    let written = blocking(move || db.commit_wait(vec![write])).await;
    written.map_err(|error| Failure::new(Code::DiskFull, error.to_string(), "free some space and try again"))
}

async fn forget(handle: &Handle, code: &Spoken) -> Result<(), Failure> {
    let key = code.to_string();
    handle.with(move |node| node.delete(SPACE, key.as_bytes())).await
}

/// A try that was cut off after the grant: the album lets me in already.
async fn already_in(handle: &Handle, offer: Option<&AlbumOffer>) -> Result<Option<AlbumOffer>, Failure> {
    let Some(offer) = offer.cloned() else {
        return Ok(None);
    };
    let client = central::client(handle, CENTRAL_WAIT).await?;
    let listed = in_session(handle, || client.albums()).await?;
    Ok(listed
        .iter()
        .any(|entry| entry.album == offer.id)
        .then_some(offer))
}

/// Asks what needs a session; the session of a node that has just started is on its way.
async fn in_session<T, F>(handle: &Handle, mut ask: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, ::central::ClientError>>,
{
    let until = Instant::now() + CENTRAL_WAIT;
    loop {
        match ask().await {
            Err(error) if error.code() == Some(::central::proto::Code::Auth) && Instant::now() < until => {
                handle.with(|node| node.central.albums_changed()).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other.map_err(central::failure),
        }
    }
}

/// Where an exchange stands.
enum Stage {
    /// The first message is sent.
    Knocked,
    /// The third is.
    Claimed(Box<Met>),
}

/// Goes through the exchange; where the connection is lost, again with the same first message.
async fn knock(
    handle: &Handle,
    code: &Spoken,
    kept: &mut Try,
    until: Instant,
    steps: &Steps,
) -> Result<AlbumOffer, Failure> {
    let joiner = Joiner::new(code.clone(), kept.seed.0);
    let first = joiner.first();
    let mut mail = handle.with(|node| node.codes.mail.subscribe()).await?;
    let mut offers = 0;
    loop {
        let client = central::client(
            handle,
            until.saturating_duration_since(Instant::now()).min(CENTRAL_WAIT),
        )
        .await?;
        let begun = in_session(handle, || client.knock(code.number, first.clone())).await?;
        if begun.kind != MailboxKind::Album {
            return Err(in_between());
        }
        let waiting = match begun.online {
            0 => "waiting for a device of the album: none is on",
            _ => "waiting for a device of the album to answer",
        };
        let mut stage = Stage::Knocked;
        // The connection is lost: knock again.
        while !client.is_closed() {
            if Instant::now() >= until {
                return Err(nobody(begun.online));
            }
            let _ = steps.try_send(Progress {
                doing: waiting.into(),
                done: 0,
                total: 0,
                unit: "nothing".into(),
            });
            let Some((body, end)) = next(&mut mail, begun.exchange, until).await else {
                continue;
            };
            if let Stage::Claimed(met) = &stage
                && let Ok(answer) = met.answer(&body)
            {
                let About::Album(offer) = met.about.clone() else {
                    return Err(wrong(code));
                };
                return match answer.refused {
                    None => {
                        let by = (offer.id, met.cert.clone());
                        meet(handle, by, answer.addresses.unwrap_or_default()).await?;
                        Ok(offer)
                    }
                    Some(refused) => Err(refusal(&refused.code, &refused.message)),
                };
            }
            // A first answer, or that of another device after the first one went away.
            match joiner.meet(begun.kind, &body) {
                Ok(met) => {
                    offers += 1;
                    if offers > OFFERS_MAX {
                        return Err(wrong(code));
                    }
                    stage = claim(handle, &client, begun.exchange, code, kept, met).await?;
                }
                Err(_) if end == Some(End::Burnt) => return Err(wrong(code)),
                Err(fault) if matches!(stage, Stage::Knocked) => {
                    // Who answered learns at once that it was no match.
                    let _ = client.mail(begun.exchange, Vec::new(), None).await;
                    return Err(match fault {
                        Fault::Signature | Fault::Kind => in_between(),
                        _ => wrong(code),
                    });
                }
                // Whatever it is, it is not from who answers.
                Err(_) => {}
            }
        }
    }
}

/// The next message of an exchange, for a while.
async fn next(
    mail: &mut broadcast::Receiver<Mail>,
    exchange: ExchangeId,
    until: Instant,
) -> Option<(Vec<u8>, Option<End>)> {
    let until = until.min(Instant::now() + LOOK);
    loop {
        match tokio::time::timeout_at(until, mail.recv()).await.ok()? {
            Ok(mail) if mail.exchange == exchange => return Some((mail.body, mail.end)),
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return None,
        }
    }
}

/// Checks what the code leads to, notes it, and says who I am.
async fn claim(
    handle: &Handle,
    client: &Client,
    exchange: ExchangeId,
    code: &Spoken,
    kept: &mut Try,
    met: Met,
) -> Result<Stage, Failure> {
    let About::Album(offer) = &met.about else {
        return Err(wrong(code));
    };
    let me = handle.with(|node| Some((node.identity()?, node.central.key?)));
    let (identity, key) = me
        .await?
        .ok_or_else(|| super::refused(engine::EditError::NoUser))?;
    if met.central != Digest(key) {
        let _ = client.mail(exchange, Vec::new(), None).await;
        return Err(in_between());
    }
    // Names are bound to the keys that the code vouches for; other keys behind known names are a question.
    let people = [offer.owner.clone(), offer.by.clone()];
    let bound = handle.with(move |node| {
        let mut people = people.iter();
        people.try_for_each(|person| node.claim(&person.name, crdt::keys::user_id(&person.root)))
    });
    bound.await??;
    kept.offer = Some(offer.clone());
    keep(handle, code, kept).await?;
    let certificate = Some(identity.certificate.clone());
    let third = met.claim(Digest(key), &identity.name, &identity.device, certificate);
    match client.mail(exchange, third, None).await {
        Ok(()) => {}
        // He went away; another may answer.
        Err(error) if error.code().is_some() => {}
        Err(error) => tracing::debug!("join: {error}"),
    }
    Ok(Stage::Claimed(Box::new(met)))
}

/// Whoever answered is met first.
async fn meet(
    handle: &Handle,
    (album, certificate): (AlbumId, crdt::keys::Certificate),
    addresses: Vec<String>,
) -> Result<(), Failure> {
    let parsed = addresses.iter().take(::central::limits::ADDRESSES_MAX);
    let addresses: Vec<_> = parsed.filter_map(|address| address.parse().ok()).collect();
    handle
        .with(move |node| {
            let device = certificate.device;
            node.gate.expect(device, album);
            node.learn(device, certificate, None, addresses);
            node.dial_known();
        })
        .await
}

async fn enter(handle: &Handle, offer: AlbumOffer, session: Option<Session>) -> Result<Reply, Failure> {
    let id: AlbumId = offer.id;
    handle.with(move |node| node.enter(id)).await?;
    let entered = album::enter_here(handle, id, &offer.name).await?;
    let role = Role::try_from(entered.role.clone()).unwrap_or(Role::None);
    if role == Role::None {
        return Err(refusal("denied", "the album does not know you"));
    }
    Ok(Reply::Joined(Box::new(Joined {
        album: entered.album,
        album_id: entered.album_id,
        owner: entered.owner,
        by: offer.by.name,
        role: entered.role,
        members: entered.members,
        images: entered.images,
        session,
    })))
}

fn wrong(code: &Spoken) -> Failure {
    let number = code.number;
    Failure::new(
        Code::Auth,
        format!(
            "the words of code {number} are not those that were told, or somebody in between changed a message"
        ),
        "the code is used up now: ask for a new one, and check its words",
    )
}

fn in_between() -> Failure {
    Failure::new(
        Code::Auth,
        "the two of you do not see the same central: somebody may be in between",
        "compare `calotype status` on both sides, and ask for a new code",
    )
}

fn nobody(online: u32) -> Failure {
    let message = match online {
        0 => "no device that can let you in is on",
        _ => "no device that can let you in has answered",
    };
    Failure::new(
        Code::Unreachable,
        message,
        "the code stays good for its day: ask them to start calotype, then join again with it",
    )
}

fn refusal(code: &str, message: &str) -> Failure {
    let code = match code {
        "auth" => Code::Auth,
        "usage" => Code::Usage,
        "unreachable" => Code::Unreachable,
        _ => Code::Denied,
    };
    Failure::new(
        code,
        format!("you were not let in: {}", crate::ui::shorten(message, 200)),
        "ask for a new code",
    )
}
