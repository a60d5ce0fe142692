//! Whole nodes around a real central in one process, and a hand at the wire: what a lying central, a guesser and a crash
//! come to.

use std::path::Path;
use std::time::Duration;

use ::central::proto::{Bytes, ExchangeId, MailboxKind};
use ::central::{Client, Pin, Push, Server};
use crdt::fact::{Fact, Role};
use crdt::id::{AlbumId, Digest, InviteId, UserId};
use tokio::sync::mpsc;

use super::exchange::{Joiner, Met};
use super::invite::Invite;
use super::words::Code;
use super::{answer, device};
use crate::api::{Failure, Reply, Request};
use crate::node::account::Account;
use crate::node::run::{Handle, Node};
use crate::node::{CentralChoice, Config, Running, commands, start};

const PATIENCE: Duration = Duration::from_secs(30);

async fn central(dir: &Path) -> Server {
    let config = ::central::Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data_dir: dir.join("central"),
    };
    ::central::serve(config).await.unwrap()
}

/// A node with an account of its home's name.
struct Peer {
    running: Running,
    handle: Handle,
}

async fn peer(dir: &Path, server: &Server, name: &str) -> Peer {
    let config = Config {
        home: dir.join(name),
        decoder: crate::decoder::Decoder::own(),
        central: CentralChoice::Address(server.local_addr().to_string()),
        listen: None,
        replication: engine::Strategy::Op,
        lock_wait: Duration::from_secs(5),
        mdns: false,
        device_name: name.to_owned(),
        anti_entropy: true,
        verify: false,
        watchdog: crate::node::watchdog::Pace::default(),
    };
    let running = start(config).await.unwrap();
    let handle = running.handle.clone();
    let peer = Peer { running, handle };
    if !crate::node::has_account(&dir.join(name)) {
        let password = crate::api::Secret("a password".to_owned());
        let user = name.to_owned();
        peer.ask(Request::Register { user, password }).await.unwrap();
    }
    // Who answers names the central's key, which a node has once it is connected.
    until("the central", || peer.with(|node| node.central.key.is_some())).await;
    peer
}

impl Peer {
    /// Ends it, and lets go of its home.
    async fn stop(self) {
        let Self { running, handle } = self;
        drop(handle);
        running.stop().await;
    }

    async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        let (steps, _hears) = mpsc::channel(8);
        commands::execute(self.handle.clone(), request, steps).await
    }

    async fn with<T: Send + 'static>(&self, step: impl FnOnce(&mut Node) -> T + Send + 'static) -> T {
        self.handle.with(step).await.unwrap()
    }

    async fn album(&self) -> AlbumId {
        self.with(|node| node.engine.albums().next().unwrap().id()).await
    }

    async fn invite(&self, role: &str) -> Code {
        let request = Request::Invite {
            album: Some("trip".to_owned()),
            role: role.to_owned(),
        };
        match self.ask(request).await.unwrap() {
            Reply::Invite(it) => Code::parse(&it.code).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn join(&self, code: &Code, seconds: u64) -> Result<Reply, Failure> {
        let request = Request::Join {
            code: code.to_string(),
            host: None,
            account: None,
            timeout_ms: seconds * 1_000,
        };
        self.ask(request).await
    }

    async fn members(&self) -> Vec<String> {
        self.with(|node| {
            let album = node.engine.albums().next().unwrap();
            let members = album.members().filter(|member| member.role > Role::None);
            let mut names: Vec<String> = members.map(|member| member.name).collect();
            names.sort();
            names
        })
        .await
    }

    async fn invites(&self) -> Vec<String> {
        match self.ask(Request::Invites).await.unwrap() {
            Reply::Invites(it) => it.invites.into_iter().map(|one| one.state).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// An invite that another device signed, sealed for this one.
    async fn boxed(&self, by: &Peer, invite: &Invite) -> Vec<u8> {
        let invite = invite.clone();
        let signed = by
            .with(move |node| {
                let me = node.identity().unwrap();
                invite.sign(&me.device, &me.certificate)
            })
            .await;
        let device = self
            .with(|node| node.identity().unwrap().certificate.device)
            .await;
        signed.seal(&device).unwrap()
    }
}

/// Waits until a condition holds.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "waited in vain for {what}");
        tokio::task::yield_now().await;
    }
}

/// Somebody with an account who speaks to the central by hand.
struct Hand {
    account: Account,
    client: Client,
    pushes: mpsc::Receiver<Push>,
    key: Digest,
}

async fn hand(server: &Server, name: &str) -> Hand {
    let account = Account::create(name, "a password").unwrap();
    let address = server.local_addr().to_string();
    let (client, key) = Client::connect(&address, Pin::Key(server.fingerprint()))
        .await
        .unwrap();
    client
        .register(name, "a password", &account.certificate, &account.device())
        .await
        .unwrap();
    let pushes = client.pushes().unwrap();
    Hand {
        account,
        client,
        pushes,
        key: Digest(key),
    }
}

impl Hand {
    /// Knocks, and reads the second message.
    async fn met(&mut self, joiner: &Joiner, code: &Code) -> (ExchangeId, Met) {
        let first = joiner.first();
        let begun = self.client.knock(code.number, first).await.unwrap();
        let body = self.mail().await;
        (begun.exchange, joiner.meet(MailboxKind::Album, &body).unwrap())
    }

    async fn mail(&mut self) -> Vec<u8> {
        loop {
            let push = tokio::time::timeout(PATIENCE, self.pushes.recv());
            if let Push::Mail { body, .. } = push.await.unwrap().unwrap() {
                return body.0;
            }
        }
    }

    fn claim(&self, met: &Met) -> Vec<u8> {
        let certificate = Some(self.account.certificate.clone());
        met.claim(self.key, &self.account.name, &self.account.device(), certificate)
    }

    fn user(&self) -> UserId {
        self.account.certificate.user()
    }
}

fn trip() -> Request {
    Request::CreateAlbum {
        name: "trip".to_owned(),
    }
}

/// Alice's node dies between the grant, which is durable, and the answer. Bob asks again with the same message: he is the
/// same member, by the same one grant, and the code is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_whose_answer_was_lost_is_the_same_membership() {
    let dir = tempfile::tempdir().unwrap();
    let server = central(dir.path()).await;
    let alice = peer(dir.path(), &server, "alice").await;
    alice.ask(trip()).await.unwrap();
    let code = alice.invite("contributor").await;
    let mut bob = hand(&server, "bob").await;
    let joiner = Joiner::new(code.clone(), [4; 32]);
    let (exchange, met) = bob.met(&joiner, &code).await;
    // What Alice's node does with the claim, up to the answer.
    let (third, user) = (bob.claim(&met), bob.user());
    let answering = alice.with(move |node| node.codes.take(&exchange).unwrap()).await;
    let claim = answering.responder.claim(&third).unwrap();
    let (invite, by) = (answering.invite, answering.by);
    let granted = alice.with(move |node| {
        let durable = answer::grant_now(node, &invite, &by, user, claim.name);
        // Whoever else shows the same invite, to a node that has forgotten all but the album.
        let other = answer::grant_now(node, &invite, &by, UserId([9; 32]), "mallory".to_owned());
        (durable, other.map(|_| ()))
    });
    let (durable, other) = granted.await;
    durable.unwrap().unwrap().await.unwrap().unwrap();
    assert_eq!(other, Err(("denied", "the code was used by another".to_owned())));
    alice.stop().await;

    let alice = peer(dir.path(), &server, "alice").await;
    let (exchange, met) = bob.met(&joiner, &code).await;
    bob.client.mail(exchange, bob.claim(&met), None).await.unwrap();
    let fourth = bob.mail().await;
    assert!(met.answer(&fourth).unwrap().refused.is_none());
    assert_eq!(alice.members().await, ["alice", "bob"]);
    let id = alice.album().await;
    let grants = alice.with(move |node| {
        let album = node.engine.album(&id).unwrap();
        let facts = album
            .ops()
            .flat_map(|op| op.facts.iter().map(|text| text.fact.clone()).collect::<Vec<_>>());
        facts.filter(|fact| matches!(fact, Fact::Grant { .. })).count()
    });
    assert_eq!(grants.await, 1);
    until("the code's end", async || alice.invites().await == ["used"]).await;
    alice.stop().await;
}

/// What a lying central hands to a node: it answers none of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_answers_for_real_invites_only_and_one_guess() {
    let dir = tempfile::tempdir().unwrap();
    let server = central(dir.path()).await;
    let (alice, carol) = tokio::join!(
        peer(dir.path(), &server, "alice"),
        peer(dir.path(), &server, "carol")
    );
    alice.ask(trip()).await.unwrap();
    let code = alice.invite("viewer").await;
    assert!(matches!(carol.join(&code, 30).await, Ok(Reply::Joined(_))));
    let album = alice.album().await;
    let words = "carpet-monkey-lamp";
    let invite = |id: u8, role| {
        Invite::new(
            InviteId([id; 16]),
            (album, role),
            words.to_owned(),
            u64::MAX >> 12,
        )
    };
    let number = 9;
    let first = |seed: u8| Joiner::new(Code::new(number, words), [seed; 32]).first();
    // Hands it over as the central would; whether it is answered.
    let knock = async |at: &Peer, sealed: Vec<u8>, first: Vec<u8>| {
        let (sealed, first) = (Bytes(sealed), Bytes(first));
        let offered = answer::offer(&at.handle, number, &sealed, &first);
        offered.await.is_some_and(|(_, offered)| offered.is_ok())
    };
    // Carol sees the album and may not invite: what she signs is worth nothing, also sealed for Alice.
    let by_carol = alice.boxed(&carol, &invite(1, Role::Viewer)).await;
    assert!(!knock(&alice, by_carol, first(1)).await);
    // A real one, to who may not answer it; to who may; a second guess; the first one again, which is the same guess.
    let to_carol = carol.boxed(&alice, &invite(2, Role::Viewer)).await;
    assert!(!knock(&carol, to_carol.clone(), first(1)).await);
    let to_alice = alice.boxed(&alice, &invite(2, Role::Viewer)).await;
    assert!(knock(&alice, to_alice.clone(), first(1)).await);
    assert!(!knock(&alice, to_alice.clone(), first(2)).await);
    assert!(knock(&alice, to_alice.clone(), first(1)).await);
    assert!(
        !knock(&alice, to_carol, first(1)).await,
        "a box of another device"
    );
    // Not after a restart either: it was noted before the answer.
    alice.stop().await;
    let alice = peer(dir.path(), &server, "alice").await;
    until("her session", || {
        alice.with(|node| node.signed_in && node.central.key.is_some())
    })
    .await;
    assert!(!knock(&alice, to_alice.clone(), first(2)).await);
    assert!(knock(&alice, to_alice, first(1)).await);
    // A closed one.
    let mine = alice.boxed(&alice, &invite(3, Role::Viewer)).await;
    answer::close(&alice.handle, InviteId([3; 16]), u64::MAX >> 12)
        .await
        .unwrap();
    assert!(!knock(&alice, mine, first(1)).await);
    let Ok(Reply::Status(status)) = alice.ask(Request::Status).await else {
        panic!("no status")
    };
    assert_eq!(status.refused.get("central_code"), Some(&2));
    alice.stop().await;
    carol.stop().await;
}

/// Somebody stands between Bob and the central that Alice uses, and shows him a key of his own. Each side tells the other
/// which key it sees, where nobody in between can change it: the joiner leaves, the one who answers refuses.
#[tokio::test(flavor = "multi_thread")]
async fn both_sides_must_see_one_central() {
    let dir = tempfile::tempdir().unwrap();
    let server = central(dir.path()).await;
    let (alice, bob) = tokio::join!(
        peer(dir.path(), &server, "alice"),
        peer(dir.path(), &server, "bob")
    );
    alice.ask(trip()).await.unwrap();
    let code = alice.invite("viewer").await;
    bob.with(|node| node.central.key = Some([1; 32])).await;
    let failure = bob.join(&code, 20).await.unwrap_err();
    assert_eq!(failure.code, crate::api::Code::Auth);
    assert!(
        failure.message.contains("do not see the same central"),
        "{failure:?}"
    );
    until("the code to be burnt", || async {
        alice.invites().await == ["burnt"]
    })
    .await;

    let code = alice.invite("viewer").await;
    let mut mallory = hand(&server, "mallory").await;
    let joiner = Joiner::new(code.clone(), [4; 32]);
    let (exchange, met) = mallory.met(&joiner, &code).await;
    mallory.key = Digest([1; 32]);
    let claim = mallory.claim(&met);
    mallory.client.mail(exchange, claim, None).await.unwrap();
    let refused = met.answer(&mallory.mail().await).unwrap().refused.unwrap();
    assert_eq!(refused.code, "auth");
    assert_eq!(alice.members().await, ["alice"]);
    alice.stop().await;
    bob.stop().await;
}

/// A try that was cut off when the answer was on its way: the album is entered all the same by the same code.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_was_cut_off_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = central(dir.path()).await;
    let (alice, bob) = tokio::join!(
        peer(dir.path(), &server, "alice"),
        peer(dir.path(), &server, "bob")
    );
    alice.ask(trip()).await.unwrap();
    let code = alice.invite("viewer").await;
    // Bob hangs up once Alice's grant is on its way.
    let cut = async {
        until("the grant", || async { alice.members().await.len() == 2 }).await;
    };
    tokio::select! {
        () = cut => {}
        joined = bob.join(&code, 30) => drop(joined.unwrap()),
    }
    if bob.with(|node| node.current.is_none()).await {
        let joined = bob.join(&code, 30).await;
        assert!(matches!(joined, Ok(Reply::Joined(_))), "{joined:?}");
    }
    assert_eq!(alice.members().await, ["alice", "bob"]);
    alice.stop().await;
    bob.stop().await;
}

/// Starts `approve-device` and its wait; the code.
async fn approving(peer: &Peer) -> (Code, tokio::task::JoinHandle<Result<Reply, Failure>>) {
    let password = crate::api::Secret("a password".to_owned());
    let code = match peer.ask(Request::ApproveDevice { password }).await.unwrap() {
        Reply::Approving(it) => Code::parse(&it.code).unwrap(),
        other => panic!("{other:?}"),
    };
    let (steps, _hears) = mpsc::channel(8);
    let waits = tokio::spawn(commands::execute(peer.handle.clone(), Request::Approval, steps));
    until("the wait", || peer.with(|node| node.codes.approval.is_none())).await;
    (code, waits)
}

/// Alice looks away: with the command that waited, the root key leaves the memory, and the number leads nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_for_a_machine_ends_with_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let server = central(dir.path()).await;
    let alice = peer(dir.path(), &server, "alice").await;
    let bob = hand(&server, "bob").await;
    let (code, waits) = approving(&alice).await;
    assert!(alice.with(|node| node.codes.approving.is_some()).await);
    waits.abort();
    until("the end of the code", || {
        alice.with(|node| node.codes.approving.is_none())
    })
    .await;
    let first = Joiner::new(code.clone(), [4; 32]).first();
    until("the end of its number", || async {
        let knocked = bob.client.knock(code.number, first.clone()).await;
        knocked.is_err_and(|error| error.code() == Some(::central::proto::Code::NotFound))
    })
    .await;
    alice.stop().await;
}

/// A central that lies has Alice's machine answer Mallory's guesses, one exchange after the other: it answers the first one,
/// and certifies nothing that was not claimed with the words.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_approves_answers_one_guess() {
    let dir = tempfile::tempdir().unwrap();
    let server = central(dir.path()).await;
    let alice = peer(dir.path(), &server, "alice").await;
    let mallory = hand(&server, "mallory").await;
    let (code, waits) = approving(&alice).await;
    let mut guess = Code::new(code.number, "abandon-ability-able");
    if guess == code {
        guess = Code::new(code.number, "able-ability-abandon");
    }
    for (number, answers) in [(1, true), (2, false)] {
        let exchange = ExchangeId([number; 16]);
        let first = Bytes(Joiner::new(guess.clone(), [number; 32]).first());
        let (handle, client) = (alice.handle.clone(), mallory.client.clone());
        device::knocked(handle, client, (exchange, code.number), first).await;
        let answered = alice.with(move |node| node.codes.answers(&exchange)).await;
        assert_eq!(answered, answers, "guess {number}");
    }
    let (handle, client) = (alice.handle.clone(), mallory.client.clone());
    device::claimed(handle, client, ExchangeId([1; 16]), Bytes(Vec::new())).await;
    let failure = waits.await.unwrap().unwrap_err();
    assert_eq!(failure.code, crate::api::Code::Auth, "{failure:?}");
    assert!(alice.with(|node| node.codes.approving.is_none()).await);
    alice.stop().await;
}

/// Somebody stands in between: the new machine sees another central than the old one. It gets no certificate, and the code
/// is burnt.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_sees_another_central_gets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = central(dir.path()).await;
    let alice = peer(dir.path(), &server, "alice").await;
    let mut bob = hand(&server, "bob").await;
    let (code, waits) = approving(&alice).await;
    let joiner = Joiner::new(code.clone(), [4; 32]);
    let begun = bob.client.knock(code.number, joiner.first()).await.unwrap();
    let met = joiner.meet(MailboxKind::Device, &bob.mail().await).unwrap();
    let device = crdt::keys::KeyPair::from_seed(&[5; 32]);
    let third = met.claim(Digest([9; 32]), "laptop", &device, None);
    bob.client.mail(begun.exchange, third, None).await.unwrap();
    let answer = met.answer(&bob.mail().await).unwrap();
    assert_eq!(answer.refused.unwrap().code, "auth");
    assert!(answer.cert.is_none() && answer.sealed_root.is_none());
    assert_eq!(waits.await.unwrap().unwrap_err().code, crate::api::Code::Auth);
    assert_eq!(alice.with(|node| node.my_devices().count()).await, 0);
    alice.stop().await;
}
