//! Accounts over loopback: register, log in, resume, what is refused, what survives.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use central::limits::ATTEMPTS_INTERVAL_MS;
use central::proto::{Ask, Code, Failure};
use central::{Client, ClientError, Pin};
use common::*;

fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> Failure {
    match result.unwrap_err() {
        ClientError::Refused(failure) => failure,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn register_then_resume_then_log_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    assert!(client.server().starts_with("calotype-central "));
    let found = client.lookup("alice").await.unwrap();
    assert_eq!((found.root, found.user), (alice.root.public(), alice.user()));
    let missing = refusal(client.lookup("bob").await);
    assert_eq!((missing.code, missing.hint.is_empty()), (Code::NotFound, false));
    client.logout().await.unwrap();
    assert_eq!(code(client.lookup("alice").await), Code::Auth);
    // The same connection again, and another at the same time.
    client
        .login("alice", "correct horse", &alice.cert, &alice.device)
        .await
        .unwrap();
    let other = resumed(&server, &alice).await;
    assert!(other.lookup("alice").await.is_ok() && client.lookup("alice").await.is_ok());
    server.shutdown().await;
}

/// A node asks for its lists while a person types a password: the two parts of a login stay together all the same.
#[tokio::test]
async fn others_ask_on_the_same_connection_during_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let others = async {
        for _ in 0..20 {
            client.lookup("alice").await.unwrap();
        }
    };
    let (login, ()) = tokio::join!(
        client.login("alice", "correct horse", &alice.cert, &alice.device),
        others
    );
    login.unwrap();
    server.shutdown().await;
}

#[tokio::test]
async fn a_name_and_a_root_have_one_account() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, other) = (Home::new("alice"), Home::new("alice"));
    let client = registered(&server, &alice).await;
    let taken = refusal(client.register("alice", "x", &other.cert, &other.device).await);
    assert_eq!((taken.code, taken.hint.is_empty()), (Code::Exists, false));
    assert_eq!(
        code(client.register("alicia", "x", &alice.cert, &alice.device).await),
        Code::Exists
    );
    for bad in ["", "a b", "a@b", "..", &"x".repeat(65)] {
        assert_eq!(
            code(client.register(bad, "x", &other.cert, &other.device).await),
            Code::Usage,
            "{bad:?}"
        );
    }
    assert_eq!(
        code(client.register("bob", "", &other.cert, &other.device).await),
        Code::Usage
    );
    // One spelling: what is typed as e + accent is the composed name.
    client
        .register("Zoe\u{308}", "x", &other.cert, &other.device)
        .await
        .unwrap();
    assert_eq!(client.lookup("Zo\u{eb}").await.unwrap().user, other.user());
}

#[tokio::test]
async fn two_register_one_name_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (one, two) = (Home::new("alice"), Home::new("alice"));
    let (first, second) = (connect(&server).await, connect(&server).await);
    let (first, second) = tokio::join!(
        first.register("alice", "x", &one.cert, &one.device),
        second.register("alice", "x", &two.cert, &two.device),
    );
    assert_eq!(
        u8::from(first.is_ok()) + u8::from(second.is_ok()),
        1,
        "{first:?} {second:?}"
    );
    let lost = if first.is_ok() { second } else { first };
    assert_eq!(code(lost), Code::Exists);
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_then_limited() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, stranger) = (Home::new("alice"), Home::new("eve"));
    registered(&server, &alice).await;
    let eve = connect(&server).await;
    for name in ["alice", "nobody"] {
        for _ in 0..3 {
            let wrong = refusal(eve.login(name, "a guess", &stranger.cert, &stranger.device).await);
            assert_eq!(
                (wrong.code, &*wrong.message),
                (Code::Auth, "wrong name or password")
            );
        }
        let limited = refusal(eve.login(name, "a guess", &stranger.cert, &stranger.device).await);
        assert_eq!(limited.code, Code::Busy);
        let after = limited.retry_after_ms.unwrap();
        assert!((1..=ATTEMPTS_INTERVAL_MS).contains(&after), "{after} ms");
    }
    // She cannot lock the owner of the account out: his device is known.
    let client = connect(&server).await;
    client
        .login("alice", "correct horse", &alice.cert, &alice.device)
        .await
        .unwrap();
    client.logout().await.unwrap();
    let wrong = refusal(
        client
            .login("alice", "mistyped", &alice.cert, &alice.device)
            .await,
    );
    assert_eq!(wrong.code, Code::Auth);
    assert_eq!(
        code(client.lookup("alice").await),
        Code::Auth,
        "a wrong password leaves no session"
    );
    resumed(&server, &alice).await;
}

#[tokio::test]
async fn the_password_alone_is_not_enough_in_another_home() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, elsewhere) = (Home::new("alice"), Home::new("alice"));
    registered(&server, &alice).await;
    let client = connect(&server).await;
    // A right password is no failed attempt, however often it comes.
    for _ in 0..4 {
        let refused = refusal(
            client
                .login("alice", "correct horse", &elsewhere.cert, &elsewhere.device)
                .await,
        );
        assert_eq!(refused.code, Code::Auth);
        assert!(
            refused
                .message
                .starts_with("the password is right, but this device is not known")
        );
        assert!(refused.hint.contains("home where alice was registered"));
    }
    assert_eq!(
        code(client.resume(&elsewhere.cert, &elsewhere.device).await),
        Code::Auth
    );
    // A new device that the account's root signed is another matter.
    let laptop = alice.second();
    client
        .login("alice", "correct horse", &laptop.cert, &laptop.device)
        .await
        .unwrap();
    let phone = alice.second();
    resumed(&server, &phone).await;
    // Neither a certificate of another root nor another device's key gets in.
    let forged = crdt::keys::Certificate {
        root: alice.root.public(),
        ..elsewhere.cert.clone()
    };
    assert_eq!(code(client.resume(&forged, &elsewhere.device).await), Code::Auth);
    assert_eq!(
        code(client.resume(&alice.cert, &elsewhere.device).await),
        Code::Auth
    );
}

/// Somebody at a new machine learns whether his password is right, as often as any guesser, and nothing else.
#[tokio::test]
async fn a_password_is_checked_from_a_machine_without_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    registered(&server, &alice).await;
    let client = connect(&server).await;
    // A right one is no attempt, however often it comes, and leaves no session.
    for _ in 0..4 {
        client.check_password("alice", "correct horse").await.unwrap();
    }
    assert_eq!(code(client.lookup("alice").await), Code::Auth);
    for _ in 0..3 {
        let wrong = refusal(client.check_password("alice", "a guess").await);
        assert_eq!((wrong.code, wrong.retry_after_ms), (Code::Auth, None));
    }
    let limited = refusal(client.check_password("alice", "correct horse").await);
    assert_eq!(limited.code, Code::Busy, "one limit for all guesses");
    assert!(limited.retry_after_ms.is_some());
    resumed(&server, &alice).await;
}

#[tokio::test]
async fn a_session_signature_is_worth_nothing_on_another_connection() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    registered(&server, &alice).await;
    let (mut one, mut two) = (Raw::connect(&server).await, Raw::connect(&server).await);
    assert_ne!(one.nonce, two.nonce);
    let resume = Ask::Resume {
        cert: alice.cert.clone(),
        sig: alice.sign_session(&one.nonce),
        name: None,
    };
    assert!(one.ask(resume.clone()).await.error.is_none());
    assert_eq!(two.ask(resume).await.error.unwrap().code, Code::Auth);
}

#[tokio::test]
async fn a_restart_logs_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let key = server.fingerprint();
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    server.shutdown().await;
    soon("the loss is told", client.closed()).await;
    assert!(client.is_closed());
    assert!(matches!(
        client.lookup("alice").await,
        Err(ClientError::Unreachable { .. })
    ));
    let server = central(folder.path()).await;
    assert_eq!(server.fingerprint(), key);
    let client = resumed(&server, &alice).await;
    client.logout().await.unwrap();
    client
        .login("alice", "correct horse", &alice.cert, &alice.device)
        .await
        .unwrap();
    assert_eq!(
        code(client.login("alice", "x", &alice.cert, &alice.device).await),
        Code::Auth
    );
}

#[tokio::test]
async fn users_come_back_to_a_central_that_lost_its_database() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, eve) = (Home::new("alice"), Home::new("eve"));
    registered(&server, &alice).await;
    let key = server.fingerprint();
    server.shutdown().await;
    for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if !entry.file_name().to_string_lossy().starts_with("identity.") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let server = central(folder.path()).await;
    assert_eq!(server.fingerprint(), key);
    let client = connect(&server).await;
    assert_eq!(code(client.resume(&alice.cert, &alice.device).await), Code::Auth);
    assert_eq!(
        client
            .resume_or_reclaim("alice", &alice.cert, &alice.device)
            .await
            .unwrap(),
        "alice"
    );
    assert_eq!(client.lookup("alice").await.unwrap().user, alice.user());
    let other = connect(&server).await;
    assert_eq!(
        code(other.resume_or_reclaim("alice", &eve.cert, &eve.device).await),
        Code::Exists
    );
    assert_eq!(
        code(other.register("alice", "hers", &eve.cert, &eve.device).await),
        Code::Exists
    );
    let lost = refusal(
        other
            .login("alice", "correct horse", &alice.cert, &alice.device)
            .await,
    );
    assert_eq!((lost.code, lost.hint.is_empty()), (Code::Auth, false));
    client
        .register("alice", "a new one", &alice.cert, &alice.device)
        .await
        .unwrap();
    other
        .login("alice", "a new one", &alice.cert, &alice.device)
        .await
        .unwrap();
}

#[tokio::test]
async fn another_key_is_told() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second) = (central(one.path()).await, central(two.path()).await);
    let address = second.local_addr().to_string();
    match Client::connect(&address, Pin::Key(first.fingerprint())).await {
        Err(ClientError::KeyChanged { expected, found, .. }) => {
            assert_eq!((expected, found), (first.fingerprint(), second.fingerprint()));
        }
        other => panic!("{other:?}"),
    }
    let (_, key) = Client::connect(&address, Pin::FirstUse).await.unwrap();
    assert_eq!(key, second.fingerprint());
    second.shutdown().await;
    assert!(matches!(
        Client::connect(&address, Pin::FirstUse).await,
        Err(ClientError::Unreachable { .. })
    ));
}

#[tokio::test]
async fn the_password_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, password) = (Home::new("alice"), "Tr0ub4dor&3 and some more of it");
    let client = connect(&server).await;
    client
        .register("alice", password, &alice.cert, &alice.device)
        .await
        .unwrap();
    client
        .login("alice", password, &alice.cert, &alice.device)
        .await
        .unwrap();
    let search = |needle: &[u8]| {
        std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    for _ in 0..2 {
        assert!(search(b"alice"), "the search finds what is there");
        assert!(!search(&password.as_bytes()[..12]));
        assert!(!search(blake3::hash(password.as_bytes()).as_bytes()));
    }
    server.shutdown().await;
    assert!(search(b"alice") && !search(&password.as_bytes()[..12]));
}
