//! Mailboxes: where two people who share a code find each other (docs/protocol.md §11).
//!
//! A mailbox is durable, an exchange through it is not: whoever knocked knocks again. The central sees numbers, devices
//! and sealed bytes; that a code is good for one guess is kept by those who answer, and here once more.
//!
//! Mailboxes count in milliseconds since 1970, since they outlive the central's run; [`Registry::set_clock`] says how
//! the registry's own time relates to that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crdt::id::{AlbumId, PublicKey, UserId};

use super::{Change, Delivery, NOBODY, Registry, SessionId, busy};
use crate::bucket::{Buckets, Rate};
use crate::limits::{
    ANSWER_WAIT_MS, ATTEMPTS_KEYS_MAX, BOX_BYTES_MAX, BOXES_BYTES_MAX, BOXES_MAX, EXCHANGE_MS, EXCHANGES_MAX,
    KNOCKS_BURST, KNOCKS_INTERVAL_MS, KNOCKS_PER_ADDRESS_BURST, KNOCKS_PER_ADDRESS_INTERVAL_MS,
    MAIL_BYTES_MAX, MAILBOX_REST_MS, MAILBOX_TTL_MS_MAX, MAILBOXES_MAX, MAILBOXES_PER_ALBUM_MAX,
    MAILBOXES_PER_USER_MAX, MAILS_PER_EXCHANGE_MAX,
};
use crate::proto::{
    Bytes, Code, End, ExchangeId, Failure, KnockOk, MailboxEntry, MailboxKind, MailboxState, MailboxesOk,
    Push, Role, SealedBox,
};

/// One mailbox as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxRow {
    /// Its number.
    pub number: u32,
    /// Who opened it.
    pub opener: UserId,
    /// What it is for.
    pub kind: MailboxKind,
    /// The album, if it is for one.
    pub album: Option<AlbumId>,
    /// Who may answer.
    pub boxes: Vec<SealedBox>,
    /// Where it stands; never expired, which is a matter of time.
    pub state: MailboxState,
    /// Who knocked first.
    pub taken: Option<Taken>,
    /// When it expires, milliseconds since 1970.
    pub until_ms: u64,
    /// Whether who knocked was answered: he has had his guess.
    pub answered: bool,
}

/// The one who may knock at a mailbox, since he did first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// His device; none where who knocks has no session.
    pub device: Option<PublicKey>,
    /// BLAKE3 of his message.
    pub body: [u8; 32],
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// It is handed on.
    Pass(Vec<Delivery>),
    /// It is an answer: handed on once it is durable that there was one.
    Answer {
        /// The mailbox.
        number: u32,
        /// The message.
        deliveries: Vec<Delivery>,
    },
    /// It is the last: handed on once the mailbox's end is durable.
    Last {
        /// The mailbox.
        number: u32,
        /// How it ends.
        state: MailboxState,
        /// The message.
        deliveries: Vec<Delivery>,
    },
}

/// Who is counted for a knock.
#[derive(Debug, Clone, Copy)]
struct Knocker {
    address: IpAddr,
    device: Option<PublicKey>,
}

/// An exchange under way.
#[derive(Debug)]
struct Exchange {
    number: u32,
    /// Who knocked, until he goes.
    joiner: Option<SessionId>,
    who: Knocker,
    body: Bytes,
    /// Devices that were asked.
    asked: BTreeSet<PublicKey>,
    /// The next box to try.
    next: usize,
    /// Who answered first; nobody else may.
    responder: Option<SessionId>,
    /// When the next device is asked, or the code is burnt; registry's time.
    due_ms: Option<u64>,
    mails: u32,
}

/// All mailboxes and exchanges.
#[derive(Debug)]
pub(super) struct Mailboxes {
    rows: BTreeMap<u32, MailboxRow>,
    boxes_bytes: usize,
    exchanges: BTreeMap<ExchangeId, Exchange>,
    by_device: Buckets<PublicKey>,
    by_address: Buckets<IpAddr>,
    /// Milliseconds since 1970 at the registry's time 0.
    epoch_ms: u64,
}

impl MailboxRow {
    /// Where it stands at a time since 1970.
    fn state_at(&self, unix_ms: u64) -> MailboxState {
        match self.state {
            MailboxState::Open | MailboxState::Taken if unix_ms >= self.until_ms => MailboxState::Expired,
            state => state,
        }
    }

    fn is_live(&self, unix_ms: u64) -> bool {
        matches!(self.state_at(unix_ms), MailboxState::Open | MailboxState::Taken)
    }

    fn bytes(&self) -> usize {
        self.boxes.iter().map(|sealed| sealed.sealed.0.len()).sum()
    }
}

impl ExchangeId {
    /// One that nobody was told.
    fn of_run_before(number: u32) -> Self {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        Self(id)
    }
}

impl Exchange {
    /// An answered one whose two sides are gone: its time is left to it.
    fn left(number: u32) -> Self {
        Self {
            number,
            joiner: None,
            who: Knocker {
                address: Ipv4Addr::UNSPECIFIED.into(),
                device: None,
            },
            body: Bytes(Vec::new()),
            asked: BTreeSet::new(),
            next: 0,
            responder: Some(NOBODY),
            due_ms: Some(EXCHANGE_MS),
            mails: 0,
        }
    }
}

impl Mailboxes {
    pub(super) fn new(rows: Vec<MailboxRow>) -> Self {
        let rate = |burst, interval_ms| Rate { burst, interval_ms };
        let mut mailboxes = Self {
            rows: BTreeMap::new(),
            boxes_bytes: 0,
            exchanges: BTreeMap::new(),
            by_device: Buckets::new(rate(KNOCKS_BURST, KNOCKS_INTERVAL_MS), ATTEMPTS_KEYS_MAX),
            by_address: Buckets::new(
                rate(KNOCKS_PER_ADDRESS_BURST, KNOCKS_PER_ADDRESS_INTERVAL_MS),
                ATTEMPTS_KEYS_MAX,
            ),
            epoch_ms: 0,
        };
        for row in rows {
            // Whoever was answered and whose guess came to no end went away with the central's last run.
            if row.state == MailboxState::Taken && row.answered {
                mailboxes
                    .exchanges
                    .insert(ExchangeId::of_run_before(row.number), Exchange::left(row.number));
            }
            mailboxes.insert(row);
        }
        mailboxes
    }

    pub(super) fn insert(&mut self, row: MailboxRow) {
        self.boxes_bytes += row.bytes();
        self.rows.insert(row.number, row);
    }

    pub(super) fn forget(&mut self, numbers: &[u32]) {
        for number in numbers {
            if let Some(row) = self.rows.remove(number) {
                self.boxes_bytes -= row.bytes();
            }
        }
    }

    fn unix(&self, now_ms: u64) -> u64 {
        self.epoch_ms.saturating_add(now_ms)
    }

    fn exchange_at(&mut self, number: u32) -> Option<ExchangeId> {
        let at = self
            .exchanges
            .iter()
            .find(|(_, exchange)| exchange.number == number);
        at.map(|(id, _)| *id)
    }

    fn give_back(&mut self, who: Knocker, now_ms: u64) {
        self.by_address.give_back(&who.address, now_ms);
        if let Some(device) = who.device {
            self.by_device.give_back(&device, now_ms);
        }
    }
}

impl Registry {
    /// Says which time since 1970, in milliseconds, the registry's time 0 is.
    pub fn set_clock(&mut self, unix_ms: u64) {
        self.mailboxes.epoch_ms = unix_ms;
    }

    /// A new mailbox.
    pub fn plan_mailbox(
        &self,
        session: SessionId,
        (kind, album): (MailboxKind, Option<AlbumId>),
        boxes: Vec<SealedBox>,
        ttl_ms: u64,
        now_ms: u64,
    ) -> Result<Change, Failure> {
        let opener = self.session_user(session)?;
        let usage = |message: String| Err(Failure::new(Code::Usage, message, ""));
        if ttl_ms == 0 || ttl_ms > MAILBOX_TTL_MS_MAX {
            return usage(format!("a code is good for 1 to {MAILBOX_TTL_MS_MAX} ms"));
        }
        if boxes.is_empty() || boxes.len() > BOXES_MAX {
            return usage(format!("{} boxes, not 1 to {BOXES_MAX}", boxes.len()));
        }
        if boxes.iter().any(|sealed| sealed.sealed.0.len() > BOX_BYTES_MAX) {
            return usage(format!("a box is longer than {BOX_BYTES_MAX} bytes"));
        }
        let devices: BTreeSet<PublicKey> = boxes.iter().map(|sealed| sealed.device).collect();
        if devices.len() != boxes.len() {
            return usage("two boxes are for one device".to_owned());
        }
        match (kind, album) {
            (MailboxKind::Album, Some(album)) => {
                let role = self
                    .albums
                    .get(&album)
                    .and_then(|album| album.members.get(&opener));
                if role.is_none_or(|role| *role < Role::Curator) {
                    return Err(Failure::new(
                        Code::Denied,
                        "only an album's owner and curators may invite into it",
                        "ask one of them",
                    ));
                }
            }
            // Who approves a machine does so himself.
            (MailboxKind::Device, None)
                if self
                    .sessions
                    .get(&session)
                    .is_some_and(|session| devices.contains(&session.cert.device) && devices.len() == 1) => {}
            _ => return usage("these boxes do not fit this kind of code".to_owned()),
        }
        self.check_mailbox_limits(opener, album, &boxes, now_ms)?;
        let mut number = 1;
        for taken in self.mailboxes.rows.keys() {
            if *taken != number {
                break;
            }
            number += 1;
        }
        Ok(Change::MailboxOpen(Box::new(MailboxRow {
            number,
            opener,
            kind,
            album,
            boxes,
            state: MailboxState::Open,
            taken: None,
            until_ms: self.mailboxes.unix(now_ms).saturating_add(ttl_ms),
            answered: false,
        })))
    }

    fn check_mailbox_limits(
        &self,
        opener: UserId,
        album: Option<AlbumId>,
        boxes: &[SealedBox],
        now_ms: u64,
    ) -> Result<(), Failure> {
        let (rows, unix) = (&self.mailboxes.rows, self.mailboxes.unix(now_ms));
        let mine = rows.values().filter(|row| row.opener == opener).count();
        if mine >= MAILBOXES_PER_USER_MAX {
            return Err(busy("you have made too many codes these two days", 60_000));
        }
        let of_album = rows
            .values()
            .filter(|row| album.is_some() && row.album == album && row.is_live(unix))
            .count();
        if of_album >= MAILBOXES_PER_ALBUM_MAX {
            return Err(busy("too many codes for this album are open", 60_000));
        }
        let bytes: usize = boxes.iter().map(|sealed| sealed.sealed.0.len()).sum();
        if rows.len() >= MAILBOXES_MAX || self.mailboxes.boxes_bytes + bytes > BOXES_BYTES_MAX {
            return Err(busy("this central takes no more codes", 60_000));
        }
        Ok(())
    }

    /// The end of a mailbox by who opened it; nothing if it has ended already.
    pub fn plan_close(
        &self,
        session: SessionId,
        number: u32,
        now_ms: u64,
    ) -> Result<Option<Change>, Failure> {
        let user = self.session_user(session)?;
        let row = self.mailboxes.rows.get(&number).filter(|row| row.opener == user);
        let Some(row) = row else {
            return Err(no_code(number));
        };
        Ok(row
            .is_live(self.mailboxes.unix(now_ms))
            .then_some(Change::MailboxEnd {
                number,
                state: MailboxState::Closed,
            }))
    }

    /// The first answer in a mailbox's exchanges; nothing if there was one.
    pub fn plan_answer(&self, number: u32) -> Option<Change> {
        let row = self.mailboxes.rows.get(&number)?;
        (!row.answered).then_some(Change::MailboxAnswer { number })
    }

    /// The end of a mailbox by an exchange; nothing if it has ended already.
    pub fn plan_end(&self, number: u32, state: MailboxState) -> Option<Change> {
        let row = self.mailboxes.rows.get(&number)?;
        (row.state == MailboxState::Taken).then_some(Change::MailboxEnd { number, state })
    }

    /// Numbers that are free again.
    pub fn plan_forget(&self, now_ms: u64) -> Option<Change> {
        let unix = self.mailboxes.unix(now_ms);
        let rested = |row: &&MailboxRow| unix >= row.until_ms.saturating_add(MAILBOX_REST_MS);
        let rows = self.mailboxes.rows.values().filter(rested);
        let numbers: Vec<u32> = rows.map(|row| row.number).collect();
        (!numbers.is_empty()).then_some(Change::MailboxForget { numbers })
    }

    /// What a user's mailboxes have come to.
    pub fn mailboxes(&self, session: SessionId, now_ms: u64) -> Result<MailboxesOk, Failure> {
        let user = self.session_user(session)?;
        let unix = self.mailboxes.unix(now_ms);
        let mine = self.mailboxes.rows.values().filter(|row| row.opener == user);
        let entries = mine.map(|row| MailboxEntry {
            number: row.number,
            kind: row.kind,
            album: row.album,
            state: row.state_at(unix),
            left_ms: row.until_ms.saturating_sub(unix),
        });
        Ok(MailboxesOk {
            mailboxes: entries.collect(),
        })
    }

    /// What an open code is for. Counted as a knock of the address, so that nobody lists the numbers in use.
    pub fn look(&mut self, address: IpAddr, number: u32, now_ms: u64) -> Result<MailboxKind, Failure> {
        self.count_address(address, now_ms)?;
        let unix = self.mailboxes.unix(now_ms);
        let row = self.mailboxes.rows.get(&number);
        let live = row.filter(|row| row.is_live(unix));
        live.map(|row| row.kind).ok_or_else(|| no_code(number))
    }

    fn count_address(&mut self, address: IpAddr, now_ms: u64) -> Result<(), Failure> {
        // Everybody on this machine has one address, which says nothing.
        if address.is_loopback() {
            return Ok(());
        }
        let counted = self.mailboxes.by_address.take(address, now_ms);
        counted.map_err(too_many)
    }

    /// Counts a knock of this connection, unless it is the same again at the same mailbox.
    pub fn count_knock(
        &mut self,
        session: SessionId,
        address: IpAddr,
        (number, body): (u32, &Bytes),
        now_ms: u64,
    ) -> Result<(), Failure> {
        let taken = self.taker(session, body);
        let row = self.mailboxes.rows.get(&number);
        if row.is_some_and(|row| row.taken.as_ref() == Some(&taken)) {
            return Ok(());
        }
        self.count_address(address, now_ms)?;
        match taken.device {
            Some(device) => self.mailboxes.by_device.take(device, now_ms).map_err(too_many),
            None => Ok(()),
        }
    }

    fn taker(&self, session: SessionId, body: &Bytes) -> Taken {
        Taken {
            device: self.sessions.get(&session).map(|session| session.cert.device),
            body: *blake3::hash(&body.0).as_bytes(),
        }
    }

    /// Whether a knock is let in; `Some` if it is the first.
    pub fn plan_knock(
        &self,
        session: SessionId,
        number: u32,
        body: &Bytes,
        now_ms: u64,
    ) -> Result<Option<Change>, Failure> {
        check_mail(body)?;
        let row = self.mailboxes.rows.get(&number);
        let live = row.filter(|row| row.is_live(self.mailboxes.unix(now_ms)));
        let Some(row) = live else {
            return Err(no_code(number));
        };
        if row.kind == MailboxKind::Album {
            self.session_user(session)?;
        }
        let taken = self.taker(session, body);
        match &row.taken {
            Some(first) if *first == taken => Ok(None),
            // The same as for a number that never was.
            Some(_) => Err(no_code(number)),
            None => Ok(Some(Change::MailboxTake { number, taken })),
        }
    }

    /// Begins the exchange of a knock that was let in (again), and asks the first who may answer.
    pub fn knock(
        &mut self,
        session: SessionId,
        address: IpAddr,
        (number, body): (u32, Bytes),
        exchange: ExchangeId,
        now_ms: u64,
    ) -> Result<(KnockOk, Vec<Delivery>), Failure> {
        if self.plan_knock(session, number, &body, now_ms)?.is_some() {
            return Err(no_code(number));
        }
        if let Some(old) = self.mailboxes.exchange_at(number) {
            self.mailboxes.exchanges.remove(&old);
        }
        if self.mailboxes.exchanges.len() >= EXCHANGES_MAX {
            return Err(busy("too many codes are being used at once", 5_000));
        }
        let row = &self.mailboxes.rows[&number];
        let online = row.boxes.iter().filter(|sealed| self.is_here(&sealed.device));
        let ok = KnockOk {
            exchange,
            kind: row.kind,
            online: online.count() as u32,
        };
        let begun = Exchange {
            number,
            joiner: Some(session),
            who: Knocker {
                address,
                device: self.sessions.get(&session).map(|session| session.cert.device),
            },
            body,
            asked: BTreeSet::new(),
            next: 0,
            responder: None,
            due_ms: None,
            mails: 0,
        };
        self.mailboxes.exchanges.insert(exchange, begun);
        Ok((ok, self.ask_next(exchange, now_ms)))
    }

    fn is_here(&self, device: &PublicKey) -> bool {
        self.by_device.contains_key(device)
    }

    /// Asks the next device that is here. Afterwards those that come.
    fn ask_next(&mut self, id: ExchangeId, now_ms: u64) -> Vec<Delivery> {
        let Some((number, next)) = self
            .mailboxes
            .exchanges
            .get(&id)
            .map(|exchange| (exchange.number, exchange.next))
        else {
            return Vec::new();
        };
        let boxes = self.mailboxes.rows.get(&number).map_or(&[][..], |row| &row.boxes);
        let here = (next..boxes.len()).find(|at| self.is_here(&boxes[*at].device));
        match here {
            Some(at) => self.ask(id, at, now_ms),
            None => {
                if let Some(exchange) = self.mailboxes.exchanges.get_mut(&id) {
                    (exchange.next, exchange.due_ms) = (boxes.len(), None);
                }
                Vec::new()
            }
        }
    }

    /// Asks the device of one box.
    fn ask(&mut self, id: ExchangeId, at: usize, now_ms: u64) -> Vec<Delivery> {
        let Some(exchange) = self.mailboxes.exchanges.get_mut(&id) else {
            return Vec::new();
        };
        let row = self.mailboxes.rows.get(&exchange.number);
        let Some((row, sealed)) = row.and_then(|row| Some((row, row.boxes.get(at)?))) else {
            return Vec::new();
        };
        exchange.asked.insert(sealed.device);
        exchange.next = exchange.next.max(at + 1);
        exchange.due_ms = Some(now_ms + ANSWER_WAIT_MS);
        let push = Push::Knock {
            exchange: id,
            number: row.number,
            kind: row.kind,
            album: row.album,
            sealed: sealed.sealed.clone(),
            body: exchange.body.clone(),
        };
        // The newest of its sessions is the one that is alive.
        let newest = self
            .by_device
            .get(&sealed.device)
            .and_then(|sessions| sessions.last());
        let to: Vec<SessionId> = newest.copied().into_iter().collect();
        vec![Delivery { to, push }]
    }

    /// A device came: it is asked what nobody has answered yet.
    pub fn came_online(&mut self, session: SessionId, now_ms: u64) -> Vec<Delivery> {
        let Some(device) = self.sessions.get(&session).map(|session| session.cert.device) else {
            return Vec::new();
        };
        let unanswered = self
            .mailboxes
            .exchanges
            .iter()
            .filter(|(_, exchange)| exchange.responder.is_none());
        let mine = unanswered.filter_map(|(id, exchange)| {
            let boxes = &self.mailboxes.rows.get(&exchange.number)?.boxes;
            let at = boxes.iter().position(|sealed| sealed.device == device)?;
            Some((*id, at))
        });
        let mine: Vec<(ExchangeId, usize)> = mine.collect();
        mine.into_iter()
            .flat_map(|(id, at)| self.ask(id, at, now_ms))
            .collect()
    }

    /// A connection ended, or is another's now: what it answered is asked of others, and what it knocked for and nobody
    /// answered is over. Who goes with an answer has had his guess: the exchange is there until its end is said, or its
    /// time is over, or the same knock comes again.
    pub(super) fn leave_exchanges(&mut self, session: SessionId) {
        let exchanges = &mut self.mailboxes.exchanges;
        exchanges.retain(|_, exchange| {
            if exchange.joiner == Some(session) {
                exchange.joiner = None;
            }
            exchange.joiner.is_some() || exchange.responder.is_some()
        });
        for exchange in exchanges.values_mut() {
            if exchange.responder == Some(session) && exchange.joiner.is_some() {
                exchange.responder = None;
                (exchange.next, exchange.due_ms) = (0, Some(0));
            }
        }
    }

    /// A message of an exchange, by its joiner or by who answers.
    pub fn mail(
        &mut self,
        session: SessionId,
        id: ExchangeId,
        body: Bytes,
        end: Option<End>,
        now_ms: u64,
    ) -> Result<Letter, Failure> {
        check_mail(&body)?;
        let over = || {
            Failure::new(
                Code::NotFound,
                "this exchange is over, or another device has it",
                "",
            )
        };
        let device = self.sessions.get(&session).map(|session| session.cert.device);
        let exchange = self.mailboxes.exchanges.get_mut(&id).ok_or_else(over)?;
        if exchange.mails >= MAILS_PER_EXCHANGE_MAX {
            return Err(Failure::new(
                Code::Denied,
                "too many messages in one exchange",
                "",
            ));
        }
        let to_joiner = Some(session) != exchange.joiner;
        let to = if !to_joiner {
            if end.is_some() {
                return Err(Failure::new(
                    Code::Usage,
                    "who answers says how an exchange ends",
                    "",
                ));
            }
            Some(exchange.responder.ok_or_else(over)?)
        } else {
            let was_asked = device.is_some_and(|device| exchange.asked.contains(&device));
            if !was_asked || exchange.responder.is_some_and(|responder| responder != session) {
                return Err(over());
            }
            if exchange.joiner.is_none() && end.is_none() {
                return Err(over());
            }
            if exchange.responder.is_none() {
                exchange.responder = Some(session);
                exchange.due_ms = Some(now_ms + EXCHANGE_MS);
            }
            exchange.joiner
        };
        exchange.mails += 1;
        let push = Push::Mail {
            exchange: id,
            body,
            end,
        };
        let deliveries = to.map(|to| Delivery { to: vec![to], push });
        let deliveries: Vec<Delivery> = deliveries.into_iter().collect();
        let (number, who) = (exchange.number, exchange.who);
        let is_answer = to_joiner && !self.mailboxes.rows.get(&number).is_some_and(|row| row.answered);
        Ok(match end {
            None if is_answer => Letter::Answer { number, deliveries },
            None => Letter::Pass(deliveries),
            Some(end) => {
                if end == End::Used {
                    self.mailboxes.give_back(who, now_ms);
                }
                Letter::Last {
                    number,
                    state: match end {
                        End::Used => MailboxState::Used,
                        End::Burnt => MailboxState::Burnt,
                    },
                    deliveries,
                }
            }
        })
    }

    /// When something of an exchange is due; registry's time.
    pub fn next_timer(&self) -> Option<u64> {
        let exchanges = self.mailboxes.exchanges.values();
        exchanges.filter_map(|exchange| exchange.due_ms).min()
    }

    /// Asks the next devices where one did not answer in time, and says which mailboxes are to be burnt.
    pub fn tick(&mut self, now_ms: u64) -> (Vec<Delivery>, Vec<u32>) {
        let due = |exchange: &Exchange| exchange.due_ms.is_some_and(|due| due <= now_ms);
        let due: Vec<ExchangeId> = self
            .mailboxes
            .exchanges
            .iter()
            .filter(|(_, exchange)| due(exchange))
            .map(|(id, _)| *id)
            .collect();
        let (mut deliveries, mut burnt) = (Vec::new(), Vec::new());
        for id in due {
            match self.mailboxes.exchanges.get_mut(&id) {
                Some(exchange) if exchange.responder.is_some() => {
                    // Should it not get onto the disk, it is tried again.
                    exchange.due_ms = Some(now_ms + EXCHANGE_MS);
                    burnt.push(exchange.number);
                }
                _ => deliveries.extend(self.ask_next(id, now_ms)),
            }
        }
        (deliveries, burnt)
    }

    pub(super) fn apply_take(&mut self, number: u32, taken: Taken) -> Vec<Delivery> {
        let Some(row) = self.mailboxes.rows.get_mut(&number) else {
            return Vec::new();
        };
        (row.state, row.taken) = (MailboxState::Taken, Some(taken));
        self.tell_opener(number)
    }

    pub(super) fn apply_answer(&mut self, number: u32) {
        if let Some(row) = self.mailboxes.rows.get_mut(&number) {
            row.answered = true;
        }
    }

    pub(super) fn apply_end(&mut self, number: u32, state: MailboxState) -> Vec<Delivery> {
        let mailboxes = &mut self.mailboxes;
        let Some(row) = mailboxes.rows.get_mut(&number) else {
            return Vec::new();
        };
        mailboxes.boxes_bytes -= row.bytes();
        row.boxes = Vec::new();
        row.state = state;
        mailboxes
            .exchanges
            .retain(|_, exchange| exchange.number != number);
        self.tell_opener(number)
    }

    fn tell_opener(&self, number: u32) -> Vec<Delivery> {
        let Some(row) = self.mailboxes.rows.get(&number) else {
            return Vec::new();
        };
        let to: Vec<SessionId> = self
            .online
            .get(&row.opener)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        let push = Push::Mailbox {
            number,
            state: row.state,
        };
        match to.is_empty() {
            true => Vec::new(),
            false => vec![Delivery { to, push }],
        }
    }
}

fn too_many(after_ms: u64) -> Failure {
    busy("too many codes were tried from here", after_ms)
}

/// One answer for a code that never was, is used, burnt, closed, expired, or another's: a guesser learns nothing.
fn no_code(number: u32) -> Failure {
    Failure::new(
        Code::NotFound,
        format!("no code with the number {number} is open here"),
        "codes are used up by one use or one wrong guess, and after a day: ask for a new one",
    )
}

fn check_mail(body: &Bytes) -> Result<(), Failure> {
    match body.0.len() <= MAIL_BYTES_MAX {
        true => Ok(()),
        false => Err(Failure::new(
            Code::Usage,
            format!("a message longer than {MAIL_BYTES_MAX} bytes"),
            "",
        )),
    }
}

#[cfg(test)]
mod tests;
