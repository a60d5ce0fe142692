//! What may pass between a local ZeroMQ socket and a peer: ZMTP 3 (RFC 23) as pure state machines.
//!
//! `zeromq` 0.7.0 believes what it reads: a frame length reserves that much, an unknown command ends the
//! connection, parts and subscriptions are unlimited. So no byte reaches it unread. Machines take bytes cut
//! anywhere, keep at most a few hundred, and write only what they have checked, in canonical form.
//!
//! - [`Upstream`]: from a SUB towards a PUB. Greeting, READY, then frames of 33 bytes beginning 0 or 1.
//! - [`Downstream`]: from a PUB towards a SUB. Greeting, READY, then messages of exactly three parts:
//!   topic (32), publisher (32, one fixed key), payload.
//!
//! Topics whose first 24 bytes are zero are ours, never an album's (those are BLAKE3 hashes): the *probes*
//! by which guards learn that a subscription is active.

use crate::limits;

/// Why a conversation was cut. Always the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cut {
    #[error("not a ZMTP 3 greeting with mechanism NULL")]
    Greeting,
    #[error("not one READY of the right socket type")]
    Ready,
    #[error("a command after READY")]
    Command,
    #[error("reserved flags set")]
    Flags,
    #[error("a subscription that is not one frame of 33 bytes beginning 0 or 1")]
    Subscription,
    #[error("a part of {0} bytes where it may not be")]
    PartLength(u64),
    #[error("not three parts")]
    Parts,
    #[error("published under another's name")]
    Forged,
}

/// The socket at the sending end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pub,
    Sub,
}

const GREETING_BYTES: usize = 64;
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// First bytes of our own topics.
const PROBE_PREFIX: [u8; 24] = [0; 24];

/// The probe topic with this number.
pub(crate) fn probe_topic(number: u64) -> [u8; 32] {
    let mut topic = [0; 32];
    topic[24..].copy_from_slice(&number.to_be_bytes());
    topic
}

/// The number of a probe topic.
pub(crate) fn probe_number(topic: &[u8; 32]) -> Option<u64> {
    let rest = topic.strip_prefix(&PROBE_PREFIX[..])?;
    Some(u64::from_be_bytes(rest.try_into().ok()?))
}

/// Writes a subscription (or its end) as a frame.
pub(crate) fn put_subscription(out: &mut Vec<u8>, subscribe: bool, topic: &[u8; 32]) {
    out.extend([0, 33, u8::from(subscribe)]);
    out.extend(topic);
}

/// Writes a message's frames.
pub(crate) fn put_message(out: &mut Vec<u8>, topic: &[u8; 32], from: &[u8; 32], payload: &[u8]) {
    put_head(out, topic, from, payload.len() as u64);
    out.extend(payload);
}

fn put_head(out: &mut Vec<u8>, topic: &[u8; 32], from: &[u8; 32], payload_bytes: u64) {
    out.extend([MORE, 32]);
    out.extend(topic);
    out.extend([MORE, 32]);
    out.extend(from);
    match u8::try_from(payload_bytes) {
        Ok(short) => out.extend([0, short]),
        Err(_) => {
            out.push(LONG);
            out.extend(payload_bytes.to_be_bytes());
        }
    }
}

/// The head of a frame, cut anywhere.
#[derive(Debug, Default)]
struct Head {
    bytes: [u8; 9],
    have: usize,
}

impl Head {
    /// Takes bytes until flags and length are known.
    fn push(&mut self, bytes: &mut &[u8]) -> Option<(u8, u64)> {
        while let Some((byte, rest)) = bytes.split_first() {
            self.bytes[self.have] = *byte;
            self.have += 1;
            *bytes = rest;
            let [flags, short, ..] = self.bytes;
            if flags & LONG == 0 && self.have == 2 {
                self.have = 0;
                return Some((flags, u64::from(short)));
            }
            if self.have == 9 {
                self.have = 0;
                let [_, long @ ..] = self.bytes;
                return Some((flags, u64::from_be_bytes(long)));
            }
        }
        None
    }
}

/// Collects a field of known, small length.
fn fill(field: &mut Vec<u8>, wanted: usize, bytes: &mut &[u8]) -> bool {
    let n = wanted.saturating_sub(field.len()).min(bytes.len());
    field.extend_from_slice(&bytes[..n]);
    *bytes = &bytes[n..];
    field.len() == wanted
}

/// Greeting and READY of one side; passed on once complete.
#[derive(Debug)]
pub(crate) struct Handshake {
    kind: Kind,
    field: Vec<u8>,
    head: Head,
    ready_bytes: Option<usize>,
    greeted: bool,
    done: bool,
}

impl Handshake {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            field: Vec::new(),
            head: Head::default(),
            ready_bytes: None,
            greeted: false,
            done: false,
        }
    }

    /// Whether READY has passed.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Takes what belongs to the handshake off the front of `bytes`.
    pub(crate) fn push(&mut self, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Cut> {
        while !self.done && !bytes.is_empty() {
            if !self.greeted {
                // The first byte tells a stranger at once.
                if self.field.is_empty() && bytes[0] != 0xff {
                    return Err(Cut::Greeting);
                }
                if fill(&mut self.field, GREETING_BYTES, bytes) {
                    check_greeting(&self.field)?;
                    out.append(&mut self.field);
                    self.greeted = true;
                }
                continue;
            }
            let Some(wanted) = self.ready_bytes else {
                if let Some((flags, length)) = self.head.push(bytes) {
                    if flags != COMMAND || length > limits::READY_BYTES_MAX as u64 {
                        return Err(Cut::Ready);
                    }
                    self.ready_bytes = Some(length as usize);
                    if length == 0 {
                        return Err(Cut::Ready);
                    }
                }
                continue;
            };
            if fill(&mut self.field, wanted, bytes) {
                check_ready(&self.field, self.kind).ok_or(Cut::Ready)?;
                out.extend([COMMAND, wanted as u8]);
                out.append(&mut self.field);
                self.done = true;
            }
        }
        Ok(())
    }
}

fn check_greeting(greeting: &[u8]) -> Result<(), Cut> {
    let mut mechanism = [0; 20];
    mechanism[..4].copy_from_slice(b"NULL");
    let ok = greeting[0] == 0xff
        && greeting[9] == 0x7f
        && greeting[10] == 3
        && greeting[12..32] == mechanism
        && greeting[32] == 0;
    if ok { Ok(()) } else { Err(Cut::Greeting) }
}

/// One `Socket-Type` of the right kind, at most an empty `Identity` beside it: with an identity of its choice
/// a peer could take another's place in the PUB's table.
fn check_ready(body: &[u8], kind: Kind) -> Option<()> {
    let mut rest = body.strip_prefix(b"\x05READY")?;
    let mut typed = false;
    while !rest.is_empty() {
        let (name_bytes, after) = rest.split_first()?;
        let (name, after) = after.split_at_checked(usize::from(*name_bytes))?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let (value, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        rest = after;
        match (name, value, kind) {
            (b"Socket-Type", b"PUB", Kind::Pub) | (b"Socket-Type", b"SUB", Kind::Sub) if !typed => {
                typed = true
            }
            (b"Identity", b"", _) => {}
            _ => return None,
        }
    }
    typed.then_some(())
}

/// What a peer's SUB wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Subscribe([u8; 32]),
    Unsubscribe([u8; 32]),
}

/// From a peer's SUB towards our PUB. Subscriptions come out as wishes: what the PUB is told is decided
/// above, by what the peer may read now.
#[derive(Debug)]
pub(crate) struct Upstream {
    handshake: Handshake,
    head: Head,
    in_frame: bool,
    field: Vec<u8>,
}

impl Upstream {
    pub(crate) fn new() -> Self {
        Self {
            handshake: Handshake::new(Kind::Sub),
            head: Head::default(),
            in_frame: false,
            field: Vec::new(),
        }
    }

    /// Takes bytes; the handshake goes to `out`, subscriptions to `wishes`.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        wishes: &mut Vec<Wish>,
    ) -> Result<(), Cut> {
        self.handshake.push(&mut bytes, out)?;
        while !bytes.is_empty() {
            if !self.in_frame {
                match self.head.push(&mut bytes) {
                    Some((flags, _)) if flags & COMMAND != 0 => return Err(Cut::Command),
                    Some((flags, _)) if flags & !LONG != 0 => return Err(Cut::Subscription),
                    Some((_, 33)) => self.in_frame = true,
                    Some(_) => return Err(Cut::Subscription),
                    None => return Ok(()),
                }
            }
            if fill(&mut self.field, 33, &mut bytes) {
                let (kind, topic) = self.field.split_at(1);
                let topic: [u8; 32] = topic.try_into().map_err(|_| Cut::Subscription)?;
                wishes.push(match kind {
                    [1] => Wish::Subscribe(topic),
                    [0] => Wish::Unsubscribe(topic),
                    _ => return Err(Cut::Subscription),
                });
                self.field.clear();
                self.in_frame = false;
            }
        }
        Ok(())
    }

    /// Whether the peer's READY has passed.
    pub(crate) fn is_ready(&self) -> bool {
        self.handshake.is_done()
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Drop,
}

/// Where in a message the bytes are.
#[derive(Debug)]
enum At {
    Head,
    Field { part: usize },
    Payload { left: u64, pass: bool },
    Probe { left: usize },
}

/// From a PUB towards a SUB: a peer's towards ours, or ours towards a peer's.
#[derive(Debug)]
pub(crate) struct Downstream {
    handshake: Handshake,
    from: [u8; 32],
    head: Head,
    at: At,
    /// Parts of the current message already complete.
    parts: usize,
    topic: [u8; 32],
    field: Vec<u8>,
}

impl Downstream {
    /// `from` is the only publisher allowed.
    pub(crate) fn new(from: [u8; 32]) -> Self {
        Self {
            handshake: Handshake::new(Kind::Pub),
            from,
            head: Head::default(),
            at: At::Head,
            parts: 0,
            topic: [0; 32],
            field: Vec::new(),
        }
    }

    /// Whether the PUB's READY has passed.
    pub(crate) fn is_ready(&self) -> bool {
        self.handshake.is_done()
    }

    /// Takes bytes. `judge` is asked once per message, before its payload; messages to pass go to `out`.
    /// Probes go to `probe`: topic number, payload (0 or 8 bytes) and the length of `out` so far.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        judge: &mut dyn FnMut(&[u8; 32]) -> Verdict,
        probe: &mut dyn FnMut(u64, Option<u64>, usize),
    ) -> Result<(), Cut> {
        self.handshake.push(&mut bytes, out)?;
        loop {
            match self.at {
                At::Head => {
                    let Some((flags, length)) = self.head.push(&mut bytes) else {
                        return Ok(());
                    };
                    self.on_head(flags, length, out, judge)?;
                }
                At::Field { part } => {
                    if !fill(&mut self.field, 32, &mut bytes) {
                        return Ok(());
                    }
                    let field: [u8; 32] = self.field[..].try_into().map_err(|_| Cut::Parts)?;
                    self.field.clear();
                    if part == 0 {
                        self.topic = field;
                    } else if field != self.from {
                        return Err(Cut::Forged);
                    }
                    self.parts = part + 1;
                    self.at = At::Head;
                }
                At::Payload { left, pass } => {
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    if pass {
                        out.extend_from_slice(&bytes[..n]);
                    }
                    bytes = &bytes[n..];
                    let left = left - n as u64;
                    if left > 0 {
                        self.at = At::Payload { left, pass };
                        return Ok(());
                    }
                    self.next_message();
                }
                At::Probe { left } => {
                    if !fill(&mut self.field, left, &mut bytes) {
                        return Ok(());
                    }
                    let value = self.field[..].try_into().ok().map(u64::from_be_bytes);
                    self.field.clear();
                    if let Some(number) = probe_number(&self.topic) {
                        probe(number, value, out.len());
                    }
                    self.next_message();
                }
            }
        }
    }

    fn next_message(&mut self) {
        self.parts = 0;
        self.at = At::Head;
    }

    fn on_head(
        &mut self,
        flags: u8,
        length: u64,
        out: &mut Vec<u8>,
        judge: &mut dyn FnMut(&[u8; 32]) -> Verdict,
    ) -> Result<(), Cut> {
        if flags & COMMAND != 0 {
            return Err(Cut::Command);
        }
        if flags & !(MORE | LONG) != 0 {
            return Err(Cut::Flags);
        }
        let last = flags & MORE == 0;
        if self.parts < 2 {
            if last {
                return Err(Cut::Parts);
            }
            if length != 32 {
                return Err(Cut::PartLength(length));
            }
            self.at = At::Field { part: self.parts };
            return Ok(());
        }
        if !last {
            return Err(Cut::Parts);
        }
        if probe_number(&self.topic).is_some() {
            if length != 0 && length != 8 {
                return Err(Cut::PartLength(length));
            }
            self.at = At::Probe {
                left: length as usize,
            };
            return Ok(());
        }
        if length > limits::GOSSIP_PAYLOAD_BYTES_MAX as u64 {
            return Err(Cut::PartLength(length));
        }
        let pass = judge(&self.topic) == Verdict::Pass;
        if pass {
            put_head(out, &self.topic, &self.from, length);
        }
        self.at = At::Payload { left: length, pass };
        Ok(())
    }
}
