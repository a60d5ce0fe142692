//! Mailboxes over loopback: two people with a code between them, restarts, and what a guesser gets.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use central::proto::{Bytes, Code, End, MailboxKind, MailboxState, Role, SealedBox};
use central::{Client, Push};
use common::*;
use crdt::id::AlbumId;
use tokio::sync::mpsc;

const DAY: u64 = 24 * 60 * 60 * 1_000;

fn boxes(of: &[&Home]) -> Vec<SealedBox> {
    let sealed = |home: &&Home| SealedBox {
        device: home.device.public(),
        sealed: Bytes(home.name.as_bytes().to_vec()),
    };
    of.iter().map(sealed).collect()
}

/// An album of `owner` in which `curator` may invite too.
async fn album(client: &Client, owner: &Home, curator: &Home) -> AlbumId {
    let (album, genesis) = owner.genesis();
    let (list, sig) = owner.list(album, 2, &[(owner, Role::Owner), (curator, Role::Curator)]);
    let stored = client.album_put(&list, &sig, &owner.cert, Some(&genesis)).await;
    assert!(stored.unwrap());
    album
}

/// The next push about mailboxes.
async fn next(pushes: &mut mpsc::Receiver<Push>) -> Push {
    loop {
        match soon("a push", pushes.recv()).await.unwrap() {
            Push::Album { .. } | Push::Peer { .. } => {}
            push => return push,
        }
    }
}

/// Alice opens a mailbox and goes away. Bob knocks; Carol, who may answer too, comes later and is asked at once. Their
/// messages pass, the end is durable and Alice finds it when she comes back.
#[tokio::test]
async fn a_code_is_answered_by_who_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, bob, carol) = (Home::new("alice"), Home::new("bob"), Home::new("carol"));
    let (a, b, c) = tokio::join!(
        registered(&server, &alice),
        registered(&server, &bob),
        registered(&server, &carol)
    );
    let album = album(&a, &alice, &carol).await;
    let denied = b
        .mailbox_open(MailboxKind::Album, Some(album), boxes(&[&bob]), DAY)
        .await;
    assert_eq!(code(denied), Code::Denied);
    let open = a.mailbox_open(MailboxKind::Album, Some(album), boxes(&[&alice, &carol]), DAY);
    let number = open.await.unwrap();
    assert_eq!(number, 1);
    drop((a, c));
    let mut to_b = b.pushes().unwrap();
    eventually("both are away", || async {
        b.knock(number, b"first".to_vec()).await.unwrap().online == 0
    })
    .await;
    let exchange = b.knock(number, b"first".to_vec()).await.unwrap().exchange;
    assert_eq!(code(b.knock(number, b"other".to_vec()).await), Code::NotFound);
    assert_eq!(code(b.knock(number + 1, b"x".to_vec()).await), Code::NotFound);

    let c = resumed(&server, &carol).await;
    let mut to_c = c.pushes().unwrap();
    let knock = Push::Knock {
        exchange,
        number,
        kind: MailboxKind::Album,
        album: Some(album),
        sealed: Bytes(b"carol".to_vec()),
        body: Bytes(b"first".to_vec()),
    };
    assert_eq!(next(&mut to_c).await, knock);
    let mail = |body: &[u8], end| Push::Mail {
        exchange,
        body: Bytes(body.to_vec()),
        end,
    };
    c.mail(exchange, b"second".to_vec(), None).await.unwrap();
    assert_eq!(next(&mut to_b).await, mail(b"second", None));
    b.mail(exchange, b"third".to_vec(), None).await.unwrap();
    assert_eq!(next(&mut to_c).await, mail(b"third", None));
    c.mail(exchange, b"last".to_vec(), Some(End::Used)).await.unwrap();
    assert_eq!(next(&mut to_b).await, mail(b"last", Some(End::Used)));
    assert_eq!(code(b.mail(exchange, vec![], None).await), Code::NotFound);

    let a = resumed(&server, &alice).await;
    let mine = a.mailboxes().await.unwrap();
    assert_eq!((mine.len(), mine[0].state), (1, MailboxState::Used));
    assert_eq!(code(b.knock(number, b"first".to_vec()).await), Code::NotFound);
}

/// The central restarts: what was taken is taken still, and its owner goes on with the same message. One that is burnt
/// stays burnt, and the next code has another number.
#[tokio::test]
async fn a_restart_forgets_no_mailbox() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, bob, carol) = (Home::new("alice"), Home::new("bob"), Home::new("carol"));
    let (a, b, c) = tokio::join!(
        registered(&server, &alice),
        registered(&server, &bob),
        registered(&server, &carol)
    );
    let album = album(&a, &alice, &carol).await;
    let open = async |client: &Client| {
        let boxes = boxes(&[&alice]);
        let opened = client.mailbox_open(MailboxKind::Album, Some(album), boxes, DAY);
        opened.await.unwrap()
    };
    let (taken, burnt) = (open(&a).await, open(&a).await);
    let mut to_a = a.pushes().unwrap();
    b.knock(taken, b"guess".to_vec()).await.unwrap();
    let wrong = c.knock(burnt, b"wrong".to_vec()).await.unwrap().exchange;
    a.mail(wrong, b"no".to_vec(), Some(End::Burnt)).await.unwrap();
    let told = Push::Mailbox {
        number: burnt,
        state: MailboxState::Burnt,
    };
    while next(&mut to_a).await != told {}
    drop((a, b, c));
    server.shutdown().await;

    let server = central(folder.path()).await;
    let (a, b, c) = tokio::join!(
        resumed(&server, &alice),
        resumed(&server, &bob),
        resumed(&server, &carol)
    );
    let states: Vec<_> = a.mailboxes().await.unwrap().iter().map(|one| one.state).collect();
    assert_eq!(states, [MailboxState::Taken, MailboxState::Burnt]);
    assert!(
        a.mailboxes()
            .await
            .unwrap()
            .iter()
            .all(|one| one.left_ms > DAY - 60_000)
    );
    assert_eq!(code(c.knock(taken, b"guess".to_vec()).await), Code::NotFound);
    assert_eq!(code(c.knock(burnt, b"wrong".to_vec()).await), Code::NotFound);
    let mut to_a = a.pushes().unwrap();
    let again = b.knock(taken, b"guess".to_vec()).await.unwrap();
    assert_eq!(again.online, 1);
    let Push::Knock { exchange, .. } = next(&mut to_a).await else {
        panic!("alice is asked again")
    };
    assert_eq!(exchange, again.exchange);
    assert_eq!(open(&a).await, burnt + 1);
    a.mailbox_close(burnt + 1).await.unwrap();
    assert_eq!(code(c.knock(burnt + 1, vec![1]).await), Code::NotFound);
    assert_eq!(code(b.mailbox_close(taken).await), Code::NotFound);
}
