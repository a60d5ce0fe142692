//! `approve-device` and `link`: a second machine by code (docs/protocol.md §11, §12), around the exchange of `code::device`.

use std::time::Duration;

use ::central::proto::{Bytes, End, ExchangeId, MailboxKind, SealedBox};
use crdt::id::Digest;
use crdt::keys::KeyPair;
use rand::RngCore as _;
use tokio::sync::{broadcast, oneshot};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::super::account::Account;
use super::super::blobs::blocking;
use super::super::code::Fault;
use super::super::code::answer::Mail;
use super::super::code::device::{Approving, Outcome};
use super::super::code::exchange::{About, Joiner};
use super::super::code::locate;
use super::super::code::words::{self, Code as Spoken};
use super::super::run::{Handle, Node, clock_ms, rfc3339};
use super::super::{CentralChoice, central};
use super::account::CENTRAL_WAIT;
use super::devices::{move_in, own_account};
use crate::api::{Approved, Approving as Told, Code, Failure, Reply, Secret};

/// How long a code for a machine is good: two people, or one who walks to the other room.
const CODE_TTL: Duration = Duration::from_secs(10 * 60);
/// How long the new machine waits for the other one's answers.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Opens a mailbox and answers for it from now on; [`wait`] tells how it ended.
pub(super) async fn approve(handle: &Handle, password: Secret) -> Result<Reply, Failure> {
    let account = own_account(handle).await?;
    if !handle.with(|node| node.signed_in).await? {
        return Err(super::refused(engine::EditError::NoUser));
    }
    let of = account.clone();
    let root = blocking(move || of.root(&password.0)).await?;
    let client = central::client(handle, CENTRAL_WAIT).await?;
    // The node's own session may still be on its way.
    client
        .resume(&account.certificate, &account.device())
        .await
        .map_err(central::failure)?;
    let mut random = [0; words::RANDOM_BYTES];
    rand::rngs::OsRng.fill_bytes(&mut random);
    let boxes = vec![SealedBox {
        device: account.certificate.device,
        sealed: Bytes(Vec::new()),
    }];
    let ttl_ms = u64::try_from(CODE_TTL.as_millis()).unwrap_or(u64::MAX);
    let number = client
        .mailbox_open(MailboxKind::Device, None, boxes, ttl_ms)
        .await
        .map_err(central::failure)?;
    let code = Spoken::new(number, &words::words(&random));
    let (tell, told) = oneshot::channel();
    let (kept, sealed) = (code.clone(), account.sealed_root());
    let step = move |node: &mut Node| {
        let key = node.central.key.map(Digest);
        let key = key.ok_or_else(|| Failure::new(Code::Unreachable, "the central went away", "try again"))?;
        node.codes.approving = Some(Approving::new(kept, (root, sealed), key, tell));
        node.codes.approval = Some(told);
        Ok::<_, Failure>(())
    };
    handle.with(step).await??;
    // Also where nobody came to wait for it.
    let ends = Ends {
        handle: handle.clone(),
        number: Some(number),
    };
    tokio::spawn(async move {
        tokio::time::sleep(CODE_TTL).await;
        drop(ends);
    });
    let central = handle.with(|node| match &node.config.central {
        CentralChoice::Address(address) => Some(address.clone()),
        CentralChoice::Embedded { .. } => None,
    });
    Ok(Reply::Approving(Told {
        user: account.name,
        code: code.to_string(),
        expires: rfc3339(clock_ms().saturating_add(ttl_ms)),
        central: central.await?,
    }))
}

/// Ends a code with the command that waits for it: the root key does not stay in memory.
struct Ends {
    handle: Handle,
    number: Option<u32>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let step = move |node: &mut Node| {
                let approving = node
                    .codes
                    .approving
                    .take_if(|approving| approving.number() == number);
                (approving.is_some(), node.central.client.clone())
            };
            if let Ok((true, Some(client))) = handle.with(step).await {
                let _ = client.mailbox_close(number).await;
            }
        });
    }
}

/// Waits until the code of [`approve`] has ended.
pub(super) async fn wait(handle: &Handle) -> Result<Reply, Failure> {
    let of = handle.clone();
    // Together, so that a wait that is cancelled in between ends the code too.
    let taken = handle.with(move |node| {
        let told = node.codes.approval.take()?;
        let number = node.codes.approving.as_ref().map(Approving::number);
        Some((told, Ends { handle: of, number }))
    });
    let Some((told, _ends)) = taken.await? else {
        let hint = "/approveDevice makes one";
        return Err(Failure::new(
            Code::NotFound,
            "there is no code for a machine",
            hint,
        ));
    };
    match told.await {
        Ok(Outcome::Approved { device, label }) => Ok(Reply::Approved(Approved {
            label,
            device: device.hex(),
        })),
        Ok(Outcome::Burnt(why)) => Err(Failure::new(
            Code::Auth,
            format!("the code is burnt, and no machine was approved: {why}"),
            "if that was you, make a new one: /approveDevice",
        )),
        // Its time is over, or another code took its place.
        Err(_) => Err(Failure::new(
            Code::Unreachable,
            "nobody used the code; it is worth nothing any more",
            "/approveDevice makes a new one",
        )),
    }
}

/// Makes this home a machine of the account that the code is for.
pub(super) async fn link(handle: &Handle, code: &str, host: Option<String>) -> Result<Reply, Failure> {
    let code = Spoken::parse(code).map_err(|error| Failure::new(Code::Usage, error.to_string(), ""))?;
    is_free(handle).await?;
    locate::find(handle, code.number, host, MailboxKind::Device, CENTRAL_WAIT).await?;
    let client = central::client(handle, CENTRAL_WAIT).await?;
    let joiner = Joiner::new(code.clone(), *random());
    let mut mail = handle.with(|node| node.codes.mail.subscribe()).await?;
    let begun = client.knock(code.number, joiner.first()).await;
    let begun = begun.map_err(central::failure)?;
    let (body, end) = next(&mut mail, begun.exchange).await?;
    let refuse = async |fault| {
        if end.is_none() {
            // The other machine learns at once that it was no match.
            let _ = client.mail(begun.exchange, Vec::new(), None).await;
        }
        Err(wrong(fault))
    };
    let met = match joiner.meet(MailboxKind::Device, &body) {
        Ok(met) => met,
        Err(fault) => return refuse(fault).await,
    };
    let About::Account(owner) = met.about.clone() else {
        return refuse(Fault::Kind).await;
    };
    let (key, label) = handle
        .with(|node| (node.central.key.map(Digest), node.config.device_name.clone()))
        .await?;
    let key = key.filter(|key| *key == met.central && met.cert.root == owner.root);
    let Some(key) = key else {
        return refuse(Fault::Signature).await;
    };
    let device = KeyPair::from_seed(&random());
    // Somebody may have registered here meanwhile.
    is_free(handle).await?;
    client
        .mail(begun.exchange, met.claim(key, &label, &device, None), None)
        .await
        .map_err(central::failure)?;
    let (body, _) = next(&mut mail, begun.exchange).await?;
    let answer = met.answer(&body).map_err(wrong)?;
    if let Some(refused) = answer.refused {
        let message = crate::ui::shorten(&refused.message, 200);
        return Err(Failure::new(
            Code::Auth,
            message,
            "make a new code: /approveDevice",
        ));
    }
    let (Some(certificate), Some(sealed)) = (answer.cert, answer.sealed_root) else {
        return Err(wrong(Fault::Form));
    };
    if certificate.root != owner.root {
        return Err(wrong(Fault::Signature));
    }
    let account = Account::approved(&owner.name, &device, certificate, &sealed.0)?;
    match client.resume(&account.certificate, &account.device()).await {
        Err(error) if error.code().is_some() => Err(central::failure(error)),
        // Where the connection was lost, the session follows; the code is used up, and what it gave is kept.
        _ => move_in(handle, account).await,
    }
}

/// Refuses a home that has an account: nothing is overwritten.
async fn is_free(handle: &Handle) -> Result<(), Failure> {
    let Some(account) = handle.with(|node| node.account.clone()).await? else {
        return Ok(());
    };
    let message = format!("this home belongs to {} already", account.name);
    let hint = "use another home: calotype --home DIR link CODE";
    Err(Failure::new(Code::Exists, message, hint))
}

fn random() -> Zeroizing<[u8; 32]> {
    let mut random = Zeroizing::new([0; 32]);
    rand::rngs::OsRng.fill_bytes(&mut *random);
    random
}

/// The other machine's next message.
async fn next(
    mail: &mut broadcast::Receiver<Mail>,
    exchange: ExchangeId,
) -> Result<(Vec<u8>, Option<End>), Failure> {
    let until = Instant::now() + ANSWER_WAIT;
    loop {
        match tokio::time::timeout_at(until, mail.recv()).await {
            Ok(Ok(mail)) if mail.exchange == exchange => return Ok((mail.body, mail.end)),
            Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => {
                return Err(Failure::new(
                    Code::Unreachable,
                    "the machine that made the code does not answer",
                    "leave /approveDevice open there until this is done, and try again with a new code",
                ));
            }
        }
    }
}

fn wrong(fault: Fault) -> Failure {
    let message = match fault {
        Fault::Signature | Fault::Kind => {
            "the two machines do not see the same: somebody in between may have changed a message"
        }
        _ => "the words are not those of the code",
    };
    Failure::new(
        Code::Auth,
        message,
        "the code is used up now: make a new one with /approveDevice, and check its words",
    )
}
