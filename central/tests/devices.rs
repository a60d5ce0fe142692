//! A user with several devices: what they are called, one that is revoked, a password that the root sets, a key in escrow.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use central::limits::{DEVICES_PER_ACCOUNT_MAX, REVOKED_PER_ACCOUNT_MAX};
use central::password::LoggingIn;
use central::proto::{Ask, Bytes, Code, Role};
use common::*;
use crdt::id::PublicKey;
use crdt::keys::{Certificate, Revocation};

/// Alice's laptop is stolen. She revokes it from her desk: its session ends, no other begins, nobody is told where it is,
/// and a restart of the central changes nothing of that.
#[tokio::test]
async fn a_revoked_device_has_no_session_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (desk, bob) = (Home::new("alice"), Home::new("bob"));
    let laptop = desk.second();
    let at_desk = registered(&server, &desk).await;
    let at_bobs = registered(&server, &bob).await;
    let (album, genesis) = desk.genesis();
    let (list, sig) = desk.list(album, 1, &[(&desk, Role::Owner), (&bob, Role::Viewer)]);
    at_desk
        .album_put(&list, &sig, &desk.cert, Some(&genesis))
        .await
        .unwrap();
    let at_thief = resumed(&server, &laptop).await;
    at_thief
        .announce_as(&["127.0.0.1:9".to_owned()], "laptop")
        .await
        .unwrap();
    assert_eq!(at_bobs.album_peers(&album).await.unwrap().len(), 3);

    let revocation = Revocation::issue(&desk.root, &laptop.device.public());
    // The thief has the device key, not the root's.
    let forged = Revocation {
        sig: laptop.cert.sig,
        ..revocation.clone()
    };
    assert_eq!(code(at_thief.revoke_device(&forged).await), Code::Denied);
    // What another user's root says of that key is about a device of his own.
    let bobs = Revocation::issue(&bob.root, &laptop.device.public());
    at_bobs.revoke_device(&bobs).await.unwrap();
    assert_eq!(code(at_bobs.revoke_device(&revocation).await), Code::Denied);
    assert!(!at_thief.is_closed());
    at_desk.revoke_device(&revocation).await.unwrap();
    soon("the end of the thief's session", at_thief.closed()).await;
    // Said again, it changes nothing.
    at_desk.revoke_device(&revocation).await.unwrap();

    let server = {
        server.shutdown().await;
        central(folder.path()).await
    };
    let again = connect(&server).await;
    let refused = again.resume(&laptop.cert, &laptop.device).await;
    let Err(central::ClientError::Refused(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(refused.code, Code::Revoked);
    // With the proof: a central that only says so is not believed.
    assert_eq!(*refused.revocation.unwrap(), revocation);
    let by_password = again
        .login("alice", "correct horse", &laptop.cert, &laptop.device)
        .await;
    assert_eq!(code(by_password), Code::Revoked);
    let at_bobs = resumed(&server, &bob).await;
    let peers = at_bobs.album_peers(&album).await.unwrap();
    assert!(
        peers
            .iter()
            .all(|peer| peer.cert.device != laptop.device.public())
    );
    let at_desk = resumed(&server, &desk).await;
    let devices = at_desk.devices().await.unwrap().devices;
    let of = |home: &Home| {
        let entry = devices
            .iter()
            .find(|entry| entry.cert.device == home.device.public());
        entry.unwrap().clone()
    };
    assert_eq!(of(&desk).revoked, None);
    assert_eq!(of(&laptop).revoked, Some(revocation.sig));
    assert_eq!(of(&laptop).label.as_deref(), Some("laptop"));
}

/// A device that was never seen can be revoked too, and then never comes in. Revoked ones take no places of others, and
/// have an end of their own.
#[tokio::test]
async fn places_of_devices_and_of_revoked_ones() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let revoke = |device: PublicKey| {
        let revocation = Revocation::issue(&alice.root, &device);
        let client = client.clone();
        async move { client.revoke_device(&revocation).await }
    };
    let unseen = alice.second();
    revoke(unseen.device.public()).await.unwrap();
    let other = connect(&server).await;
    assert_eq!(
        code(other.resume(&unseen.cert, &unseen.device).await),
        Code::Revoked
    );
    let more: Vec<Home> = (1..DEVICES_PER_ACCOUNT_MAX).map(|_| alice.second()).collect();
    for home in &more {
        other.resume(&home.cert, &home.device).await.unwrap();
    }
    let late = alice.second();
    assert_eq!(code(other.resume(&late.cert, &late.device).await), Code::Denied);
    revoke(more[0].device.public()).await.unwrap();
    other.resume(&late.cert, &late.device).await.unwrap();
    for n in 2..REVOKED_PER_ACCOUNT_MAX {
        let mut device = [0; 32];
        device[..8].copy_from_slice(&n.to_be_bytes());
        revoke(PublicKey(device)).await.unwrap();
    }
    assert_eq!(code(revoke(PublicKey([9; 32])).await), Code::Denied);
}

#[tokio::test]
async fn what_a_device_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let label = async || client.devices().await.unwrap().devices[0].label.clone();
    assert_eq!(label().await, None);
    for good in ["laptop", "Alice's laptop", &"x".repeat(64)] {
        client.announce_as(&[], good).await.unwrap();
        assert_eq!(label().await.as_deref(), Some(good));
    }
    client.announce_as(&[], "laptop").await.unwrap();
    for bad in ["", "a\u{1b}[2J", "a\u{202e}b", "e\u{301}", &"x".repeat(65)] {
        assert_eq!(code(client.announce_as(&[], bad).await), Code::Usage, "{bad:?}");
    }
    // An older program says nothing of it.
    client.announce(&[]).await.unwrap();
    assert_eq!(label().await.as_deref(), Some("laptop"));
}

/// Alice has her 24 words and no device. The root sets a new password; no device does, though its session is alive, and
/// no other root. Without the proof the central does not even begin, for its answer would help a guesser.
#[tokio::test]
async fn the_root_alone_sets_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let session = registered(&server, &alice).await;
    registered(&server, &bob).await;
    assert_eq!(
        code(session.set_password("alice", "mine now", &alice.device).await),
        Code::Auth
    );
    assert_eq!(
        code(session.set_password("alice", "mine now", &bob.root).await),
        Code::Auth
    );
    let mut raw = Raw::connect(&server).await;
    let point = Bytes([&[0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71][..], &[0; 24]].concat());
    for (cert, signer) in [
        // A device with the root's certificate, who proves itself.
        (alice.cert.clone(), &alice.device),
        // The root's own certificate, and the root did not sign.
        (
            Certificate::issue(&alice.root, &alice.root.public()),
            &alice.device,
        ),
    ] {
        let sig = Home {
            name: String::new(),
            root: alice.root.clone(),
            device: signer.clone(),
            cert: cert.clone(),
        }
        .sign_session(&raw.nonce);
        let ask = Ask::PasswordStart {
            name: "alice".to_owned(),
            request: point.clone(),
            cert,
            sig,
        };
        assert_eq!(raw.ask(ask).await.error.unwrap().code, Code::Auth);
    }
    let anew = connect(&server).await;
    anew.set_password("alice", "new", &alice.root).await.unwrap();
    let home = alice.second();
    assert_eq!(
        code(
            anew.login("alice", "correct horse", &home.cert, &home.device)
                .await
        ),
        Code::Auth
    );
    anew.login("alice", "new", &home.cert, &home.device)
        .await
        .unwrap();
}

/// What is in escrow comes out for the password alone, and under the limit of logins: three guesses, then a wait. A new
/// password makes it worthless, so it goes.
#[tokio::test]
async fn escrow_opens_by_the_password_and_counts_as_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let stranger = connect(&server).await;
    assert_eq!(
        code(stranger.escrow_open("alice", "correct horse").await),
        Code::NotFound
    );
    let key = client
        .export_key("alice", "correct horse", &alice.cert, &alice.device)
        .await
        .unwrap();
    client.escrow_put(Some(vec![7; 72])).await.unwrap();
    assert!(client.devices().await.unwrap().escrow);
    let (sealed, again) = stranger.escrow_open("alice", "correct horse").await.unwrap();
    assert_eq!((sealed, &again[..]), (vec![7; 72], &key[..]));
    // That was no session.
    assert_eq!(code(stranger.devices().await), Code::Auth);
    for _ in 0..3 {
        assert_eq!(code(stranger.escrow_open("alice", "a guess").await), Code::Auth);
    }
    assert_eq!(
        code(stranger.escrow_open("alice", "correct horse").await),
        Code::Busy
    );
    client.set_password("alice", "new", &alice.root).await.unwrap();
    assert!(!client.devices().await.unwrap().escrow);
    client.escrow_put(Some(vec![8; 72])).await.unwrap();
    client.escrow_put(None).await.unwrap();
    assert!(!client.devices().await.unwrap().escrow);
}

/// A guesser with a program of his own: each start is counted, and nothing that he says after it gives it back.
#[tokio::test]
async fn guesses_at_the_escrow_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    client.escrow_put(Some(vec![7; 72])).await.unwrap();
    let mut raw = Raw::connect(&server).await;
    let start = |nonce| {
        let (_, request) = LoggingIn::start("alice", "a guess", nonce).unwrap();
        Ask::LoginStart {
            name: "alice".to_owned(),
            request: Bytes(request),
        }
    };
    for _ in 0..3 {
        let (nonce, finalization) = (raw.nonce, Bytes(vec![7; 64]));
        assert!(raw.ask(start(nonce)).await.error.is_none());
        let opened = raw.ask(Ask::EscrowOpen { finalization }).await;
        assert_eq!(opened.error.unwrap().code, Code::Auth);
    }
    let nonce = raw.nonce;
    assert_eq!(raw.ask(start(nonce)).await.error.unwrap().code, Code::Busy);
}
