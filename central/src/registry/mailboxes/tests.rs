//! Tables over mailboxes and exchanges, in virtual time.

use super::*;
use crate::registry::tests::{
    Home, LOOPBACK, code, home, list, put, registry, remote, second_device, signed,
};

/// Alice's album 5: she owns it, Carol is curator, Vera viewer; Bob is nobody. Sessions 1, 2, 3, 4 in this order.
struct Cast {
    alice: Home,
    carol: Home,
    bob: Home,
    registry: Registry,
}

const ALICE: SessionId = 1;
const CAROL: SessionId = 2;
const VERA: SessionId = 3;
const BOB: SessionId = 4;
const ALBUM: AlbumId = AlbumId([5; 32]);
const DAY: u64 = MAILBOX_TTL_MS_MAX;

fn cast() -> Cast {
    let (alice, carol, vera, bob) = (
        home("alice", 1),
        home("carol", 2),
        home("vera", 3),
        home("bob", 4),
    );
    let mut registry = registry(&[&alice, &carol, &vera, &bob]);
    let members = [
        (&alice, Role::Owner),
        (&carol, Role::Curator),
        (&vera, Role::Viewer),
    ];
    let text = signed(&list(5, 1, &members), &alice, Some(&alice));
    put(&mut registry, ALICE, text, 0).unwrap();
    Cast {
        alice,
        carol,
        bob,
        registry,
    }
}

fn sealed(device: PublicKey) -> SealedBox {
    SealedBox {
        device,
        sealed: Bytes(vec![device.0[0]; 10]),
    }
}

fn body(text: &str) -> Bytes {
    Bytes(text.as_bytes().to_vec())
}

fn exchange(n: u8) -> ExchangeId {
    ExchangeId([n; 16])
}

impl Cast {
    fn boxes(&self) -> Vec<SealedBox> {
        vec![sealed(self.alice.cert.device), sealed(self.carol.cert.device)]
    }

    fn plan(&self, by: SessionId, now_ms: u64) -> Result<Change, Failure> {
        let what = (MailboxKind::Album, Some(ALBUM));
        self.registry.plan_mailbox(by, what, self.boxes(), DAY, now_ms)
    }

    fn open(&mut self, now_ms: u64) -> u32 {
        let change = self.plan(ALICE, now_ms).unwrap();
        let Change::MailboxOpen(row) = &change else {
            panic!("{change:?}")
        };
        let number = row.number;
        self.registry.apply(change, ALICE, now_ms);
        number
    }

    /// Knocks as the session does: counted, durable, begun.
    fn knock(
        &mut self,
        by: SessionId,
        number: u32,
        text: &str,
        id: u8,
        now_ms: u64,
    ) -> Result<(KnockOk, Vec<Delivery>), Failure> {
        let registry = &mut self.registry;
        registry.count_knock(by, remote(9), (number, &body(text)), now_ms)?;
        if let Some(change) = registry.plan_knock(by, number, &body(text), now_ms)? {
            registry.apply(change, by, now_ms);
        }
        registry.knock(by, remote(9), (number, body(text)), exchange(id), now_ms)
    }

    fn mail(&mut self, by: SessionId, id: u8, end: Option<End>, now_ms: u64) -> Result<Letter, Failure> {
        let letter = self.registry.mail(by, exchange(id), body("…"), end, now_ms)?;
        let change = match &letter {
            Letter::Pass(_) => None,
            Letter::Answer { number, .. } => self.registry.plan_answer(*number),
            Letter::Last { number, state, .. } => self.registry.plan_end(*number, *state),
        };
        if let Some(change) = change {
            self.registry.apply(change, by, now_ms);
        }
        Ok(letter)
    }

    fn state(&self, number: u32, now_ms: u64) -> MailboxState {
        let mine = self.registry.mailboxes(ALICE, now_ms).unwrap().mailboxes;
        mine.iter().find(|entry| entry.number == number).unwrap().state
    }
}

/// To whom a knock was handed.
fn asked(deliveries: &[Delivery]) -> Vec<SessionId> {
    let knocks = deliveries
        .iter()
        .filter(|delivery| matches!(delivery.push, Push::Knock { .. }));
    knocks.flat_map(|delivery| delivery.to.clone()).collect()
}

#[test]
fn who_may_open_one() {
    let cast = cast();
    assert!(cast.plan(ALICE, 0).is_ok());
    assert!(cast.plan(CAROL, 0).is_ok());
    assert_eq!(code(cast.plan(VERA, 0)), Code::Denied);
    assert_eq!(code(cast.plan(BOB, 0)), Code::Denied);
    assert_eq!(code(cast.plan(99, 0)), Code::Auth);
    // For a machine: only with a box for the very device that asks.
    let device = |by, boxes| {
        let what = (MailboxKind::Device, None);
        cast.registry.plan_mailbox(by, what, boxes, DAY, 0)
    };
    let bobs = || vec![sealed(cast.bob.cert.device)];
    assert!(device(BOB, bobs()).is_ok());
    assert_eq!(code(device(ALICE, bobs())), Code::Usage);
    assert_eq!(code(device(ALICE, cast.boxes())), Code::Usage);
    let mixed = (MailboxKind::Device, Some(ALBUM));
    let mixed = cast.registry.plan_mailbox(BOB, mixed, bobs(), DAY, 0);
    assert_eq!(code(mixed), Code::Usage);
}

#[test]
fn what_a_mailbox_may_hold() {
    let cast = cast();
    let open = |boxes: Vec<SealedBox>, ttl_ms| {
        let what = (MailboxKind::Album, Some(ALBUM));
        cast.registry.plan_mailbox(ALICE, what, boxes, ttl_ms, 0)
    };
    let many = |count: usize| {
        (0..count)
            .map(|n| sealed(PublicKey([n as u8; 32])))
            .collect::<Vec<_>>()
    };
    let long = |bytes| {
        vec![SealedBox {
            device: PublicKey([1; 32]),
            sealed: Bytes(vec![0; bytes]),
        }]
    };
    assert!(open(many(BOXES_MAX), MAILBOX_TTL_MS_MAX).is_ok());
    assert_eq!(code(open(many(BOXES_MAX + 1), 1)), Code::Usage);
    assert_eq!(code(open(many(0), 1)), Code::Usage);
    assert_eq!(code(open(many(1), MAILBOX_TTL_MS_MAX + 1)), Code::Usage);
    assert_eq!(code(open(many(1), 0)), Code::Usage);
    assert!(open(long(BOX_BYTES_MAX), 1).is_ok());
    assert_eq!(code(open(long(BOX_BYTES_MAX + 1), 1)), Code::Usage);
    let twice = vec![sealed(PublicKey([1; 32])), sealed(PublicKey([1; 32]))];
    assert_eq!(code(open(twice, 1)), Code::Usage);
}

#[test]
fn how_many_there_may_be() {
    let mut cast = cast();
    for number in 1..=MAILBOXES_PER_ALBUM_MAX as u32 {
        assert_eq!(cast.open(0), number);
    }
    let full = cast.plan(CAROL, 0).unwrap_err();
    assert_eq!((full.code, full.retry_after_ms.is_some()), (Code::Busy, true));
    // One that is over makes room for the album, and not for the user, nor is its number free.
    let close = cast.registry.plan_close(ALICE, 3, 0).unwrap().unwrap();
    cast.registry.apply(close, ALICE, 0);
    assert_eq!(cast.open(0), MAILBOXES_PER_ALBUM_MAX as u32 + 1);
    assert!(cast.plan(CAROL, 0).is_err());
    for _ in cast.registry.mailboxes.rows.len()..MAILBOXES_PER_USER_MAX {
        cast.open(DAY);
    }
    assert_eq!(code(cast.plan(ALICE, DAY)), Code::Busy);
    let free = Change::MailboxForget { numbers: vec![7] };
    cast.registry.apply(free, 0, 0);
    assert_eq!(cast.open(DAY), 7);
    assert_eq!(code(cast.plan(ALICE, DAY)), Code::Busy);
}

#[test]
fn how_many_there_may_be_in_all() {
    let mut cast = cast();
    let row = |number: u32, bytes: usize| MailboxRow {
        number,
        opener: UserId([9; 32]),
        kind: MailboxKind::Album,
        album: None,
        boxes: vec![SealedBox {
            device: PublicKey([1; 32]),
            sealed: Bytes(vec![0; bytes]),
        }],
        state: MailboxState::Open,
        taken: None,
        until_ms: DAY,
        answered: false,
    };
    for number in 1..MAILBOXES_MAX as u32 {
        cast.registry.mailboxes.insert(row(number, 1));
    }
    cast.open(0);
    assert_eq!(code(cast.plan(ALICE, 0)), Code::Busy);
    cast.registry.mailboxes.forget(&[1]);
    assert!(cast.plan(ALICE, 0).is_ok());
    // Bytes of boxes: those of the plan are twenty.
    let left = BOXES_BYTES_MAX - cast.registry.mailboxes.boxes_bytes;
    cast.registry.mailboxes.forget(&[2]);
    cast.registry.mailboxes.insert(row(2, left - 20 + 1));
    assert!(cast.plan(ALICE, 0).is_ok());
    cast.registry.mailboxes.forget(&[2]);
    cast.registry.mailboxes.insert(row(2, left - 20 + 2));
    assert_eq!(code(cast.plan(ALICE, 0)), Code::Busy);
}

/// The inviter is asked first; who does not answer within five seconds is followed by the next; who comes later is asked
/// when he comes.
#[test]
fn one_after_the_other_is_asked() {
    let mut cast = cast();
    let number = cast.open(0);
    let (ok, deliveries) = cast.knock(BOB, number, "a", 1, 0).unwrap();
    assert_eq!((ok.exchange, ok.online), (exchange(1), 2));
    assert_eq!(asked(&deliveries), [ALICE]);
    assert_eq!(cast.registry.next_timer(), Some(ANSWER_WAIT_MS));
    assert_eq!(cast.registry.tick(ANSWER_WAIT_MS - 1), (vec![], vec![]));
    assert_eq!(asked(&cast.registry.tick(ANSWER_WAIT_MS).0), [CAROL]);
    assert_eq!(cast.registry.tick(2 * ANSWER_WAIT_MS), (vec![], vec![]));
    assert_eq!(cast.registry.next_timer(), None);
    let alice = cast.alice.cert.clone();
    cast.registry.begin(77, alice).unwrap();
    assert_eq!(asked(&cast.registry.came_online(77, 60_000)), [77]);
    cast.registry.begin(78, second_device(4, 9)).unwrap();
    assert_eq!(cast.registry.came_online(78, 60_000), []);
    // Once somebody answered nobody else is asked.
    cast.mail(CAROL, 1, None, 61_000).unwrap();
    let alice = cast.alice.cert.clone();
    cast.registry.begin(79, alice).unwrap();
    assert_eq!(cast.registry.came_online(79, 61_000), []);
    assert_eq!(code(cast.mail(ALICE, 1, None, 61_000)), Code::NotFound);
    assert_eq!(code(cast.mail(VERA, 1, None, 61_000)), Code::NotFound);
}

#[test]
fn messages_go_to_the_other_side_until_the_end() {
    let mut cast = cast();
    let number = cast.open(0);
    cast.knock(BOB, number, "a", 1, 0).unwrap();
    assert_eq!(code(cast.mail(BOB, 1, None, 0)), Code::NotFound);
    let to = |letter: Letter| match letter {
        Letter::Pass(deliveries) | Letter::Answer { deliveries, .. } | Letter::Last { deliveries, .. } => {
            deliveries[0].to.clone()
        }
    };
    assert_eq!(to(cast.mail(ALICE, 1, None, 0).unwrap()), [BOB]);
    assert_eq!(to(cast.mail(BOB, 1, None, 0).unwrap()), [ALICE]);
    assert_eq!(code(cast.mail(BOB, 1, Some(End::Used), 0)), Code::Usage);
    assert_eq!(code(cast.mail(ALICE, 2, None, 0)), Code::NotFound);
    assert_eq!(to(cast.mail(ALICE, 1, Some(End::Used), 0).unwrap()), [BOB]);
    assert_eq!(cast.state(number, 0), MailboxState::Used);
    assert_eq!(code(cast.mail(BOB, 1, None, 0)), Code::NotFound);
    assert_eq!(code(cast.knock(BOB, number, "a", 2, 0)), Code::NotFound);
    assert_eq!(cast.registry.mailboxes.boxes_bytes, 0);
}

/// Who registers is in a session, and resumes it on the same connection a moment later; a code that is used meanwhile goes on.
#[test]
fn who_resumes_its_own_session_loses_no_exchange() {
    let mut cast = cast();
    let number = cast.open(0);
    cast.knock(BOB, number, "a", 1, 0).unwrap();
    let bob = cast.bob.cert.clone();
    assert_eq!(cast.registry.begin(BOB, bob), Ok(vec![]));
    cast.mail(ALICE, 1, None, 0).unwrap();
    let alice = cast.alice.cert.clone();
    assert_eq!(cast.registry.begin(ALICE, alice), Ok(vec![]));
    assert!(cast.mail(BOB, 1, None, 0).is_ok());
    assert!(cast.mail(ALICE, 1, Some(End::Used), 0).is_ok());
}

#[test]
fn an_exchange_has_so_many_messages_of_such_length() {
    let mut cast = cast();
    let number = cast.open(0);
    cast.knock(BOB, number, "a", 1, 0).unwrap();
    for _ in 0..MAILS_PER_EXCHANGE_MAX {
        cast.mail(ALICE, 1, None, 0).unwrap();
    }
    assert_eq!(code(cast.mail(ALICE, 1, None, 0)), Code::Denied);
    let number = cast.open(0);
    let text = "x".repeat(MAIL_BYTES_MAX);
    cast.knock(BOB, number, &text, 2, 0).unwrap();
    let longer = Bytes(vec![0; MAIL_BYTES_MAX + 1]);
    assert_eq!(
        code(cast.registry.plan_knock(BOB, number, &longer, 0)),
        Code::Usage
    );
    assert_eq!(
        code(cast.registry.mail(ALICE, exchange(2), longer, None, 0)),
        Code::Usage
    );
}

/// A code is taken by its first knock: the same device with the same message may come again, nobody else may, nor the same
/// device with another guess.
#[test]
fn only_the_first_to_knock_knocks_again() {
    let mut cast = cast();
    let number = cast.open(0);
    assert_eq!(code(cast.knock(99, number, "a", 1, 0)), Code::Auth);
    cast.knock(BOB, number, "a", 1, 0).unwrap();
    assert_eq!(cast.state(number, 0), MailboxState::Taken);
    assert_eq!(code(cast.knock(BOB, number, "b", 2, 0)), Code::NotFound);
    assert_eq!(code(cast.knock(VERA, number, "a", 3, 0)), Code::NotFound);
    let (again, deliveries) = cast.knock(BOB, number, "a", 4, 0).unwrap();
    assert_eq!((again.exchange, asked(&deliveries)), (exchange(4), vec![ALICE]));
    // The exchange before is over.
    assert_eq!(code(cast.mail(ALICE, 1, None, 0)), Code::NotFound);
    assert!(cast.mail(ALICE, 4, None, 0).is_ok());
}

fn restarted(cast: &Cast) -> Cast {
    let rows: Vec<MailboxRow> = cast.registry.mailboxes.rows.values().cloned().collect();
    let mut later = self::cast();
    later.registry.mailboxes = Mailboxes::new(rows);
    later
}

/// Mallory's guess was answered, and then the central went, and with it what it was to be told of the end: the code burns
/// all the same. Who lost the connection by it knocks again in time, and goes on.
#[test]
fn what_was_answered_before_a_restart_burns_in_its_time() {
    let mut cast = cast();
    let (guessed, waiting) = (cast.open(0), cast.open(0));
    cast.knock(BOB, guessed, "a", 1, 0).unwrap();
    cast.mail(ALICE, 1, None, 0).unwrap();
    cast.knock(VERA, waiting, "b", 2, 0).unwrap();

    let mut later = restarted(&cast);
    assert_eq!(later.registry.tick(EXCHANGE_MS - 1), (vec![], vec![]));
    assert_eq!(later.registry.tick(EXCHANGE_MS), (vec![], vec![guessed]));

    let mut later = restarted(&cast);
    later.knock(BOB, guessed, "a", 3, 0).unwrap();
    assert!(matches!(later.mail(ALICE, 3, None, 10), Ok(Letter::Pass(_))));
    assert_eq!(later.registry.tick(EXCHANGE_MS), (vec![], vec![]));
    assert!(later.mail(ALICE, 3, Some(End::Used), EXCHANGE_MS).is_ok());
}

/// What was taken is taken after a restart, and what was open is open.
#[test]
fn a_restart_keeps_mailboxes_and_who_took_them() {
    let mut cast = cast();
    let (taken, open) = (cast.open(0), cast.open(0));
    cast.knock(BOB, taken, "a", 1, 0).unwrap();
    let mut later = restarted(&cast);
    later.registry.set_clock(1_000);
    assert_eq!(code(later.knock(VERA, taken, "b", 1, 0)), Code::NotFound);
    assert_eq!(code(later.mail(ALICE, 1, None, 0)), Code::NotFound);
    assert!(later.knock(BOB, taken, "a", 2, 0).is_ok());
    assert!(later.knock(VERA, open, "b", 3, DAY - 1_001).is_ok());
    assert_eq!(later.state(open, DAY - 1_000), MailboxState::Expired);
}

#[test]
fn an_answer_without_an_end_burns_the_code() {
    let mut cast = cast();
    let number = cast.open(0);
    cast.knock(BOB, number, "a", 1, 0).unwrap();
    cast.mail(ALICE, 1, None, 100).unwrap();
    // Later messages do not give more time.
    cast.mail(BOB, 1, None, 30_000).unwrap();
    cast.mail(ALICE, 1, None, 30_000).unwrap();
    let due = 100 + EXCHANGE_MS;
    assert_eq!(cast.registry.next_timer(), Some(due));
    assert_eq!(cast.registry.tick(due - 1), (vec![], vec![]));
    assert_eq!(cast.registry.tick(due), (vec![], vec![number]));
    // Not written: it is due once more.
    assert_eq!(cast.registry.next_timer(), Some(due + EXCHANGE_MS));
    let change = cast.registry.plan_end(number, MailboxState::Burnt).unwrap();
    let told = cast.registry.apply(change, 0, due);
    let state = MailboxState::Burnt;
    assert_eq!(
        told,
        [Delivery {
            to: vec![ALICE],
            push: Push::Mailbox { number, state }
        }]
    );
    assert_eq!(code(cast.knock(BOB, number, "a", 2, due)), Code::NotFound);
    assert_eq!(cast.registry.next_timer(), None);
}

/// Mallory hears the answer to her guess, and hangs up at once: the code is burnt by whom she said goodbye to, or by its
/// time. Who loses the connection and knocks again in time goes on.
#[test]
fn a_joiner_who_goes_with_an_answer_has_had_his_guess() {
    let gone = || {
        let mut cast = cast();
        let number = cast.open(0);
        cast.knock(BOB, number, "a", 1, 0).unwrap();
        cast.mail(ALICE, 1, None, 100).unwrap();
        cast.registry.end(BOB);
        (cast, number)
    };
    let (mut cast, number) = gone();
    assert_eq!(code(cast.mail(ALICE, 1, None, 100)), Code::NotFound);
    let last = cast.mail(ALICE, 1, Some(End::Burnt), 100).unwrap();
    assert!(matches!(last, Letter::Last { deliveries, .. } if deliveries.is_empty()));
    assert_eq!(cast.state(number, 100), MailboxState::Burnt);

    // Who answered goes as well: nobody else is asked for one who is not there.
    let (mut cast, number) = gone();
    cast.registry.end(ALICE);
    let due = 100 + EXCHANGE_MS;
    assert_eq!(cast.registry.tick(due - 1), (vec![], vec![]));
    assert_eq!(cast.registry.tick(due), (vec![], vec![number]));

    // Nobody had answered: nothing was learnt, and nothing is used up.
    let mut cast = self::cast();
    let number = cast.open(0);
    cast.knock(BOB, number, "a", 1, 0).unwrap();
    cast.registry.end(BOB);
    assert!(cast.registry.mailboxes.exchanges.is_empty());
    assert_eq!(cast.state(number, 0), MailboxState::Taken);
}

/// Who answered went away before the end: others are asked, and the time stands still meanwhile.
#[test]
fn an_answerer_who_goes_is_followed_by_others() {
    let mut cast = cast();
    let number = cast.open(0);
    cast.knock(BOB, number, "a", 1, 0).unwrap();
    cast.mail(ALICE, 1, None, 0).unwrap();
    cast.registry.end(ALICE);
    assert_eq!(asked(&cast.registry.tick(1).0), [CAROL]);
    cast.registry.end(CAROL);
    assert_eq!(cast.registry.tick(10 * EXCHANGE_MS), (vec![], vec![]));
    let alice = cast.alice.cert.clone();
    cast.registry.begin(50, alice).unwrap();
    assert_eq!(asked(&cast.registry.came_online(50, 10 * EXCHANGE_MS)), [50]);
    assert!(cast.mail(50, 1, Some(End::Used), 10 * EXCHANGE_MS).is_ok());
    // A joiner who goes takes his exchange along.
    let change = cast
        .registry
        .plan_mailbox(50, (MailboxKind::Album, Some(ALBUM)), cast.boxes(), DAY, 0);
    cast.registry.apply(change.unwrap(), 50, 0);
    cast.knock(BOB, number + 1, "b", 2, 0).unwrap();
    cast.registry.end(BOB);
    assert!(cast.registry.mailboxes.exchanges.is_empty());
}

#[test]
fn a_code_ends_with_its_time_and_its_number_rests() {
    let mut cast = cast();
    let number = cast.open(0);
    assert!(cast.registry.plan_knock(BOB, number, &body("a"), DAY - 1).is_ok());
    assert_eq!(
        code(cast.registry.plan_knock(BOB, number, &body("a"), DAY)),
        Code::NotFound
    );
    assert_eq!(cast.state(number, DAY - 1), MailboxState::Open);
    assert_eq!(cast.state(number, DAY), MailboxState::Expired);
    let rested = DAY + MAILBOX_REST_MS;
    assert_eq!(cast.registry.plan_forget(rested - 1), None);
    let change = cast.registry.plan_forget(rested).unwrap();
    assert_eq!(
        change,
        Change::MailboxForget {
            numbers: vec![number]
        }
    );
    cast.registry.apply(change, 0, rested);
    assert_eq!(cast.registry.mailboxes.boxes_bytes, 0);
    assert_eq!(cast.registry.plan_forget(rested), None);
}

#[test]
fn its_opener_closes_it_and_nobody_else() {
    let mut cast = cast();
    let number = cast.open(0);
    assert_eq!(code(cast.registry.plan_close(CAROL, number, 0)), Code::NotFound);
    assert_eq!(
        code(cast.registry.plan_close(ALICE, number + 1, 0)),
        Code::NotFound
    );
    let change = cast.registry.plan_close(ALICE, number, 0).unwrap().unwrap();
    cast.registry.apply(change, ALICE, 0);
    assert_eq!(cast.state(number, 0), MailboxState::Closed);
    assert_eq!(cast.registry.plan_close(ALICE, number, 0), Ok(None));
    assert_eq!(code(cast.knock(BOB, number, "a", 1, 0)), Code::NotFound);
    assert_eq!(cast.registry.mailboxes(BOB, 0).unwrap().mailboxes, []);
}

#[test]
fn knocks_are_limited_per_device_and_address() {
    let mut cast = cast();
    let number = cast.open(0);
    let count = |cast: &mut Cast, by, address, number, now_ms| {
        let guess = body("guess");
        cast.registry.count_knock(by, address, (number, &guess), now_ms)
    };
    for n in 0..KNOCKS_BURST as u32 {
        assert_eq!(count(&mut cast, BOB, LOOPBACK, 100 + n, 0), Ok(()));
    }
    let refused = count(&mut cast, BOB, LOOPBACK, 200, 0).unwrap_err();
    assert_eq!(
        (refused.code, refused.retry_after_ms),
        (Code::Busy, Some(KNOCKS_INTERVAL_MS))
    );
    assert!(count(&mut cast, BOB, LOOPBACK, 200, KNOCKS_INTERVAL_MS - 1).is_err());
    assert!(count(&mut cast, BOB, LOOPBACK, 200, KNOCKS_INTERVAL_MS).is_ok());
    // From one address, whoever it is.
    let mut cast = self::cast();
    for session in 0..KNOCKS_PER_ADDRESS_BURST {
        assert!(count(&mut cast, 1_000 + session, remote(1), number, 0).is_ok());
    }
    let refused = count(&mut cast, 2_000, remote(1), number, 0).unwrap_err();
    assert_eq!(refused.retry_after_ms, Some(KNOCKS_PER_ADDRESS_INTERVAL_MS));
    assert!(count(&mut cast, 2_000, remote(2), number, 0).is_ok());
    for session in 0..2 * KNOCKS_PER_ADDRESS_BURST {
        assert!(count(&mut cast, 3_000 + session, LOOPBACK, number, 0).is_ok());
    }
}

/// Which central a code is at and what for can be asked before it is used up; by few numbers from one address.
#[test]
fn a_look_at_a_code_uses_nothing_up() {
    let mut cast = cast();
    let number = cast.open(0);
    let look = |cast: &mut Cast, number| cast.registry.look(LOOPBACK, number, 0);
    for _ in 0..2 {
        assert_eq!(look(&mut cast, number), Ok(MailboxKind::Album));
    }
    assert_eq!(code(look(&mut cast, number + 1)), Code::NotFound);
    cast.knock(BOB, number, "a", 1, 0).unwrap();
    assert_eq!(look(&mut cast, number), Ok(MailboxKind::Album));
    cast.mail(ALICE, 1, Some(End::Burnt), 0).unwrap();
    assert_eq!(code(look(&mut cast, number)), Code::NotFound);

    let there = remote(1);
    for number in 0..KNOCKS_PER_ADDRESS_BURST as u32 {
        assert_eq!(code(cast.registry.look(there, 100 + number, 0)), Code::NotFound);
    }
    let refused = cast.registry.look(there, number, 0).unwrap_err();
    assert_eq!(
        (refused.code, refused.retry_after_ms),
        (Code::Busy, Some(KNOCKS_PER_ADDRESS_INTERVAL_MS))
    );
}

/// What led to a membership does not count, nor does the same knock again.
#[test]
fn honest_knocks_are_not_counted() {
    let mut cast = cast();
    for n in 0..3 * KNOCKS_BURST as u8 {
        let number = cast.open(0);
        for _ in 0..2 * KNOCKS_BURST {
            cast.knock(BOB, number, "a", n, 0).unwrap();
        }
        cast.mail(ALICE, n, Some(End::Used), 0).unwrap();
    }
    for n in 0..KNOCKS_BURST as u8 {
        let number = cast.open(0);
        cast.knock(BOB, number, "a", n, 0).unwrap();
        cast.mail(ALICE, n, Some(End::Burnt), 0).unwrap();
    }
    let number = cast.open(0);
    assert_eq!(code(cast.knock(BOB, number, "a", 99, 0)), Code::Busy);
}

#[test]
fn exchanges_in_all() {
    let mut cast = cast();
    let number = cast.open(0);
    let began = |session: u64| Exchange {
        number: 1_000 + session as u32,
        joiner: Some(session),
        who: Knocker {
            address: LOOPBACK,
            device: None,
        },
        body: body("a"),
        asked: BTreeSet::new(),
        next: 0,
        responder: None,
        due_ms: None,
        mails: 0,
    };
    for n in 1..=EXCHANGES_MAX as u64 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        cast.registry
            .mailboxes
            .exchanges
            .insert(ExchangeId(id), began(n + 100));
    }
    let full = cast.knock(BOB, number, "a", 255, 0).unwrap_err();
    assert_eq!((full.code, full.retry_after_ms.is_some()), (Code::Busy, true));
    cast.registry.end(101);
    assert!(cast.knock(BOB, number, "a", 255, 0).is_ok());
}

/// A machine that joins an account has no session yet, and no device that anybody knows.
#[test]
fn a_machine_knocks_without_a_session() {
    let mut cast = cast();
    let what = (MailboxKind::Device, None);
    let boxes = vec![sealed(cast.alice.cert.device)];
    let change = cast.registry.plan_mailbox(ALICE, what, boxes, DAY, 0).unwrap();
    cast.registry.apply(change, ALICE, 0);
    let (ok, deliveries) = cast.knock(500, 1, "a", 1, 0).unwrap();
    assert_eq!((ok.kind, asked(&deliveries)), (MailboxKind::Device, vec![ALICE]));
    assert_eq!(code(cast.knock(501, 1, "b", 2, 0)), Code::NotFound);
    assert!(cast.knock(502, 1, "a", 3, 0).is_ok());
}
