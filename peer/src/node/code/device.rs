//! A second machine by code (docs/protocol.md §11 and §12): the one with the root key answers while its command waits, and
//! takes one guess. The new one's side is the command `link`.

use central::Client;
use central::proto::{Bytes, End, ExchangeId};
use crdt::id::{Digest, PublicKey};
use crdt::keys::{Certificate, KeyPair};
use tokio::sync::oneshot;

use super::exchange::{About, Answer, Person, Responder};
use super::words::Code;
use crate::node::run::{Handle, Node};

/// The machine that approves, until its code ends. The root key is here and nowhere else, and wiped with it.
pub(in crate::node) struct Approving {
    code: Code,
    root: KeyPair,
    /// The root key as the new machine keeps it.
    sealed_root: Bytes,
    /// The central's key as it was when the code was made.
    central: Digest,
    /// BLAKE3 of the first message that came, the only one that is answered.
    first: Option<Digest>,
    /// Between the second and the third message.
    answering: Option<(ExchangeId, Responder)>,
    tell: oneshot::Sender<Outcome>,
}

/// How a code for a machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) enum Outcome {
    /// A machine has it.
    Approved {
        /// Its key.
        device: PublicKey,
        /// What it calls itself.
        label: String,
    },
    /// Somebody knew the number and not the words, or was cut off.
    Burnt(&'static str),
}

impl Approving {
    pub(in crate::node) fn new(
        code: Code,
        (root, sealed_root): (KeyPair, Vec<u8>),
        central: Digest,
        tell: oneshot::Sender<Outcome>,
    ) -> Self {
        Self {
            code,
            root,
            sealed_root: Bytes(sealed_root),
            central,
            first: None,
            answering: None,
            tell,
        }
    }

    pub(in crate::node) fn number(&self) -> u32 {
        self.code.number
    }

    /// Whether this machine answers in an exchange.
    pub(super) fn answers(&self, exchange: &ExchangeId) -> bool {
        self.answering.as_ref().is_some_and(|(id, _)| id == exchange)
    }
}

/// Somebody knocked at the mailbox of this machine's code. Another code, or another guess, is answered by silence.
pub(super) async fn knocked(
    handle: Handle,
    client: Client,
    (exchange, number): (ExchangeId, u32),
    first: Bytes,
) {
    let step = move |node: &mut Node| {
        let identity = node.identity().filter(|_| node.signed_in)?;
        let approving = node.codes.approving.as_mut()?;
        let hash = Digest(*blake3::hash(&first.0).as_bytes());
        if approving.code.number != number || approving.first.is_some_and(|first| first != hash) {
            return None;
        }
        approving.first = Some(hash);
        let account = Person {
            name: identity.name,
            root: approving.root.public(),
        };
        let made = Responder::new(
            &approving.code,
            &first.0,
            (About::Account(account), approving.central),
            (&identity.device, identity.certificate),
            rand::rngs::OsRng,
        );
        match made {
            Ok((responder, second)) => {
                approving.answering = Some((exchange, responder));
                Some(second)
            }
            Err(_) => {
                end(node, Outcome::Burnt("the first message was none"));
                Some(Vec::new())
            }
        }
    };
    match handle.with(step).await {
        Ok(Some(second)) if second.is_empty() => drop(client.mail(exchange, second, Some(End::Burnt)).await),
        // If the new machine went away, it knocks again with the same message.
        Ok(Some(second)) => drop(client.mail(exchange, second, None).await),
        _ => {}
    }
}

/// The new machine's claim: its key is certified, once.
pub(super) async fn claimed(handle: Handle, client: Client, exchange: ExchangeId, body: Bytes) {
    let step = move |node: &mut Node| {
        let answers = |approving: &Approving| approving.answers(&exchange);
        let approving = node.codes.approving.take_if(|approving| answers(approving))?;
        let (_, responder) = approving.answering?;
        let said = match responder.claim(&body.0) {
            Err(_) => Err("somebody typed other words"),
            Ok(claim) => match claim.device {
                Some(device) => Ok((device, claim)),
                None => Err("the claim names no device"),
            },
        };
        let (fourth, outcome) = match said {
            Ok((device, claim)) if claim.central == approving.central => {
                let certificate = Certificate::issue(&approving.root, &device);
                let answer = Answer::certified(certificate.clone(), Some(approving.sealed_root));
                let label = crdt::name::album_name(&claim.name).unwrap_or_default();
                node.learn(device, certificate, None, Vec::new());
                node.learn_label(device, &label);
                (responder.answer(&answer), Outcome::Approved { device, label })
            }
            Ok(_) => {
                let why = "the two machines see different centrals: somebody is in between";
                (
                    responder.answer(&Answer::refused("auth", why)),
                    Outcome::Burnt(why),
                )
            }
            Err(why) => (Vec::new(), Outcome::Burnt(why)),
        };
        Some((fourth, outcome, approving.tell))
    };
    let Ok(Some((fourth, outcome, tell))) = handle.with(step).await else {
        return;
    };
    let ends = match outcome {
        Outcome::Approved { .. } => End::Used,
        Outcome::Burnt(_) => End::Burnt,
    };
    let outcome = match client.mail(exchange, fourth, Some(ends)).await {
        Ok(()) => outcome,
        // It may or may not have it; nobody is certified twice by one code.
        Err(_) => Outcome::Burnt("the connection was lost before the new machine had its answer"),
    };
    // Fails only where nobody waits any more.
    let _ = tell.send(outcome);
}

/// The central says that nobody can use the code any more.
pub(super) fn over(node: &mut Node, number: u32) {
    if node
        .codes
        .approving
        .as_ref()
        .is_some_and(|approving| approving.number() == number)
    {
        end(
            node,
            Outcome::Burnt("somebody knew its number and did not finish with its words"),
        );
    }
}

/// The code ends here.
fn end(node: &mut Node, outcome: Outcome) {
    if let Some(approving) = node.codes.approving.take() {
        let _ = approving.tell.send(outcome);
    }
}
