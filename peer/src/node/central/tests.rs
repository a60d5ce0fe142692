//! When an album counts as arrived, and what else the node makes of its central.

use std::sync::Arc;

use crdt::id::{AlbumSeed, Incarnation};
use crdt::{Author, Draft, Receipt, Trust};

use super::*;

/// Bob was killed when no more than the first op of the album had reached his disk. At his next start every device
/// that the central names may link with him, not the owner's alone.
#[test]
fn an_album_has_arrived_when_it_names_me() {
    let author = |person: u8| {
        let (root, device) = (
            KeyPair::from_seed(&[person; 32]),
            KeyPair::from_seed(&[!person; 32]),
        );
        Author {
            certificate: Certificate::issue(&root, &device.public()),
            device,
            incarnation: Incarnation([person; 16]),
        }
    };
    let (alice, bob) = (author(1), author(2));
    let (mut album, genesis) = Album::create(&alice, AlbumSeed([0; 16]), "trip", "alice", 0).unwrap();
    let grant = crdt::fact::Fact::Grant {
        user: bob.user(),
        role: Role::Viewer,
        name: "bob".into(),
        at: 0,
        invite: None,
    };
    let mut bobs = Album::empty(album.id());
    assert!(!has_arrived(None, Some(&bob.user())));
    assert!(matches!(
        bobs.receive(genesis, Trust::Verify),
        Receipt::Received(_)
    ));
    assert!(bobs.has_genesis());
    assert!(!has_arrived(Some(&bobs), Some(&bob.user())));
    let draft = Draft {
        facts: vec![grant],
        removes: vec![],
    };
    for op in album.author(&alice, draft).unwrap() {
        bobs.receive(Arc::clone(&op), Trust::Verify);
    }
    assert!(has_arrived(Some(&bobs), Some(&bob.user())));
    assert!(!has_arrived(Some(&bobs), None));
}
