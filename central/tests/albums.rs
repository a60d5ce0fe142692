//! Album lists, presence and pushes over loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use central::Push;
use central::proto::{AlbumList, Code, Genesis, Member, Role};
use common::*;
use crdt::id::{AlbumId, Signature, UserId};

#[tokio::test]
async fn three_people_find_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, bob, carol) = (Home::new("alice"), Home::new("bob"), Home::new("carol"));
    let (a, b, c) = tokio::join!(
        registered(&server, &alice),
        registered(&server, &bob),
        registered(&server, &carol)
    );
    let (mut to_a, mut to_b, mut to_c) = (a.pushes().unwrap(), b.pushes().unwrap(), c.pushes().unwrap());
    assert!(a.pushes().is_none(), "taken once");
    let (album, genesis) = alice.genesis();

    let members = [(&alice, Role::Owner), (&bob, Role::Contributor)];
    let (list, sig) = alice.list(album, 2, &members);
    assert!(
        a.album_put(&list, &sig, &alice.cert, Some(&genesis))
            .await
            .unwrap()
    );
    let listed = Push::Album {
        album,
        name: "trip".to_owned(),
        by: "alice".to_owned(),
        removed: false,
    };
    assert_eq!(soon("bob is told", to_b.recv()).await, Some(listed.clone()));
    let albums = b.albums().await.unwrap();
    assert_eq!(albums.len(), 1);
    assert_eq!(
        (albums[0].album, albums[0].owner, &*albums[0].list),
        (album, alice.user(), &*list)
    );
    central::lists::verify(&albums[0].list, &albums[0].sig, &albums[0].cert).unwrap();

    let here = vec!["127.0.0.1:4242".to_owned()];
    assert_eq!(b.announce(&here).await.unwrap(), 60_000);
    let peer = Push::Peer {
        album,
        cert: bob.cert.clone(),
        addresses: here.clone(),
    };
    assert_eq!(soon("alice is told", to_a.recv()).await, Some(peer));
    let peers = a.album_peers(&album).await.unwrap();
    assert_eq!(peers.len(), 2);
    let of = |name: &str| peers.iter().find(|peer| peer.name == name).unwrap();
    assert_eq!(
        (of("bob").user, &of("bob").cert, &of("bob").addresses),
        (bob.user(), &bob.cert, &here)
    );
    assert!(of("bob").seen_ms.is_some_and(|ms| ms < 20_000));
    assert_eq!((of("alice").addresses.len(), of("alice").seen_ms), (0, None));

    // Carol is nobody here: she sees nothing and hears nothing.
    assert_eq!(c.albums().await.unwrap(), []);
    assert_eq!(code(c.album_peers(&album).await), Code::NotFound);
    assert_eq!(code(c.album_peers(&AlbumId([9; 32])).await), Code::NotFound);
    assert!(to_c.try_recv().is_err());

    // Bob leaves the central: his certificate stays, his address does not.
    drop(b);
    eventually("bob is away", || async {
        let peers = a.album_peers(&album).await.unwrap();
        peers
            .iter()
            .any(|peer| peer.name == "bob" && peer.addresses.is_empty())
    })
    .await;

    // Removed: he is told, and it is no album of his any more.
    let b = resumed(&server, &bob).await;
    let mut to_b = b.pushes().unwrap();
    let (list, sig) = alice.list(album, 3, &members[..1]);
    assert!(a.album_put(&list, &sig, &alice.cert, None).await.unwrap());
    let removed = Push::Album {
        album,
        name: "trip".to_owned(),
        by: "alice".to_owned(),
        removed: true,
    };
    assert_eq!(soon("bob is told", to_b.recv()).await, Some(removed));
    assert_eq!(b.albums().await.unwrap(), []);
    assert_eq!(code(b.album_peers(&album).await), Code::NotFound);

    // What was stored survives, a restart included.
    server.shutdown().await;
    let server = central(folder.path()).await;
    let a = resumed(&server, &alice).await;
    assert_eq!(a.albums().await.unwrap()[0].list, list);
    assert_eq!(code(a.announce(&vec![here[0].clone(); 9]).await), Code::Usage);
    assert_eq!(
        code(a.announce(&["not an address".to_owned()]).await),
        Code::Usage
    );
}

#[tokio::test]
async fn which_lists_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let (a, b) = tokio::join!(registered(&server, &alice), registered(&server, &bob));
    let (album, genesis) = alice.genesis();
    let with = |lamport: u64, bobs: Role| alice.list(album, lamport, &[(&alice, Role::Owner), (&bob, bobs)]);
    let (list, sig) = with(5, Role::Viewer);
    let by_bob = |lamport: u64| bob.list(album, lamport, &[(&alice, Role::Owner), (&bob, Role::Curator)]);

    // Not known, and not proved to be hers.
    assert_eq!(
        code(a.album_put(&list, &sig, &alice.cert, None).await),
        Code::NotFound
    );
    let forged = Genesis {
        sig: Signature([7; 64]),
        ..genesis.clone()
    };
    assert_eq!(
        code(a.album_put(&list, &sig, &alice.cert, Some(&forged)).await),
        Code::Usage
    );
    let other = alice.genesis().1;
    assert_eq!(
        code(a.album_put(&list, &sig, &alice.cert, Some(&other)).await),
        Code::Usage
    );
    let garbage = Genesis {
        header: "{}".to_owned(),
        ..genesis.clone()
    };
    assert_eq!(
        code(a.album_put(&list, &sig, &alice.cert, Some(&garbage)).await),
        Code::Usage
    );
    // Somebody else's album with the real genesis.
    let (bobs, bobs_sig) = by_bob(5);
    assert_eq!(
        code(b.album_put(&bobs, &bobs_sig, &bob.cert, Some(&genesis)).await),
        Code::Denied
    );
    // Signed by nobody, by another, changed afterwards.
    assert_eq!(
        code(
            a.album_put(&list, &Signature([7; 64]), &alice.cert, Some(&genesis))
                .await
        ),
        Code::Usage
    );
    assert_eq!(
        code(a.album_put(&list, &sig, &bob.cert, Some(&genesis)).await),
        Code::Usage
    );
    let changed = list.replace("viewer", "curator");
    assert_eq!(
        code(a.album_put(&changed, &sig, &alice.cert, Some(&genesis)).await),
        Code::Usage
    );
    assert_eq!(a.albums().await.unwrap(), []);

    assert!(
        a.album_put(&list, &sig, &alice.cert, Some(&genesis))
            .await
            .unwrap()
    );
    assert!(
        a.album_put(&list, &sig, &alice.cert, None).await.unwrap(),
        "the same again is held"
    );
    let (older, older_sig) = with(4, Role::Curator);
    assert!(
        !a.album_put(&older, &older_sig, &alice.cert, None).await.unwrap(),
        "stale"
    );
    // A viewer may not, a curator may.
    let (newer, newer_sig) = by_bob(6);
    assert_eq!(
        code(b.album_put(&newer, &newer_sig, &bob.cert, None).await),
        Code::Denied
    );
    let (promoted, promoted_sig) = with(7, Role::Curator);
    assert!(
        a.album_put(&promoted, &promoted_sig, &alice.cert, None)
            .await
            .unwrap()
    );
    assert!(
        !b.album_put(&newer, &newer_sig, &bob.cert, None).await.unwrap(),
        "curator now, but stale"
    );
    let (newer, newer_sig) = by_bob(8);
    assert!(b.album_put(&newer, &newer_sig, &bob.cert, None).await.unwrap());
    assert_eq!(a.albums().await.unwrap()[0].list, newer);

    // Too long for a list, too long for a frame.
    let many = |count: u64| {
        let member = |number: u64| {
            let mut user = [0; 32];
            user[..8].copy_from_slice(&number.to_be_bytes());
            Member {
                user: UserId(user),
                name: format!("member-{number}"),
                role: Role::Contributor,
            }
        };
        let mut members = vec![Member {
            user: alice.user(),
            name: "alice".to_owned(),
            role: Role::Owner,
        }];
        members.extend((0..count).map(member));
        alice.sign_list(&AlbumList {
            v: 1,
            album,
            name: "trip".to_owned(),
            lamport: 9,
            members,
        })
    };
    for count in [600, 2_000] {
        let (list, sig) = many(count);
        assert_eq!(
            code(a.album_put(&list, &sig, &alice.cert, None).await),
            Code::Usage
        );
    }
    let (list, sig) = many(400);
    assert!(a.album_put(&list, &sig, &alice.cert, None).await.unwrap());
}

#[tokio::test]
async fn many_albums_come_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let mut albums = Vec::new();
    for _ in 0..6 {
        let (album, genesis) = alice.genesis();
        let mut members = vec![Member {
            user: alice.user(),
            name: "alice".to_owned(),
            role: Role::Owner,
        }];
        members.extend((0..200).map(|_| Member {
            user: UserId(rand::random()),
            name: "x".repeat(60),
            role: Role::Viewer,
        }));
        let list = AlbumList {
            v: 1,
            album,
            name: "trip".to_owned(),
            lamport: 1,
            members,
        };
        let (list, sig) = alice.sign_list(&list);
        assert!(
            client
                .album_put(&list, &sig, &alice.cert, Some(&genesis))
                .await
                .unwrap()
        );
        albums.push(album);
    }
    albums.sort_unstable();
    let found = client.albums().await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.album).collect::<Vec<_>>(), albums);
}

#[tokio::test]
async fn requests_at_once_get_their_own_answers() {
    let folder = tempfile::tempdir().unwrap();
    let server = central(folder.path()).await;
    let alice = Home::new("alice");
    let client = registered(&server, &alice).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let client = client.clone();
        tasks.spawn(async move {
            let name = if number % 2 == 0 {
                "alice".to_owned()
            } else {
                format!("nobody{number}")
            };
            match client.lookup(&name).await {
                Ok(found) => assert_eq!((number % 2, found.name), (0, name)),
                Err(error) => assert!(number % 2 == 1 && error.to_string().contains(&name), "{error}"),
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
