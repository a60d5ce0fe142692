//! Tables over the registry, in virtual time.

use crdt::keys::{Domain, KeyPair};

use super::*;
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, ALBUMS_PER_OWNER_MAX, LIST_BYTES_MAX, LISTS_BYTES_MAX, PAGE_BYTES_MAX,
    PRESENCE_MS, PUSHES_PER_REQUEST_MAX,
};
use crate::proto::{AlbumList, Member, Role};

pub(super) const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

pub(super) fn remote(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

pub(super) struct Home {
    pub(super) name: &'static str,
    pub(super) device: KeyPair,
    pub(super) cert: Certificate,
}

pub(super) fn home(name: &'static str, seed: u8) -> Home {
    let device = KeyPair::from_seed(&[seed + 100; 32]);
    let cert = Certificate::issue(&KeyPair::from_seed(&[seed; 32]), &device.public());
    Home { name, device, cert }
}

pub(super) fn second_device(seed: u8, device: u8) -> Certificate {
    Certificate::issue(
        &KeyPair::from_seed(&[seed; 32]),
        &KeyPair::from_seed(&[device; 32]).public(),
    )
}

/// A registry in which these have accounts, and a session each: 1, 2, …
pub(super) fn registry(homes: &[&Home]) -> Registry {
    let (mut registry, left_out) = Registry::load(Rows::default());
    assert_eq!(left_out, 0);
    for (home, session) in homes.iter().zip(1..) {
        let change = registry
            .plan_register(home.name, &home.cert, vec![7; 192], None)
            .unwrap();
        registry.apply(change, session, 0);
        registry.begin(session, home.cert.clone()).unwrap();
    }
    registry
}

pub(super) fn list(album: u8, lamport: u64, members: &[(&Home, Role)]) -> AlbumList {
    let member = |(home, role): &(&Home, Role)| Member {
        user: home.cert.user(),
        name: home.name.to_owned(),
        role: *role,
    };
    AlbumList {
        v: 1,
        album: AlbumId([album; 32]),
        name: "trip".to_owned(),
        lamport,
        members: members.iter().map(member).collect(),
    }
}

/// A list by `by`, with a genesis of `owner` if given.
pub(super) fn signed(list: &AlbumList, by: &Home, owner: Option<&Home>) -> VerifiedList {
    let text = serde_json::to_string(list).unwrap();
    let sig = by.device.sign(Domain::AlbumList, text.as_bytes());
    let mut put = VerifiedList::check(text, sig, by.cert.clone(), None).unwrap();
    put.genesis = owner.map(|owner| crdt::op::Genesis {
        album: list.album,
        root: owner.cert.root,
        user: owner.cert.user(),
    });
    put
}

/// Puts and applies; the pushes.
pub(super) fn put(
    registry: &mut Registry,
    session: SessionId,
    put: VerifiedList,
    now_ms: u64,
) -> Result<Vec<Delivery>, Failure> {
    match registry.plan_list(session, put)? {
        ListPlan::Store(change) => Ok(registry.apply(change, session, now_ms)),
        other => panic!("{other:?}"),
    }
}

pub(super) fn code<T: std::fmt::Debug>(result: Result<T, Failure>) -> Code {
    result.unwrap_err().code
}

#[test]
fn one_account_per_name_and_per_root() {
    let (alice, bob) = (home("alice", 1), home("bob", 2));
    let registry = registry(&[&alice]);
    let taken = registry.check_name("alice", None).unwrap_err();
    assert_eq!((taken.code, taken.hint.is_empty()), (Code::Exists, false));
    assert_eq!(code(registry.check_name("alice", Some(1))), Code::Exists);
    assert!(registry.check_name("Alice", None).is_ok());
    assert_eq!(
        code(registry.plan_register("alice", &bob.cert, vec![], None)),
        Code::Exists
    );
    assert_eq!(
        code(registry.plan_register("alice2", &alice.cert, vec![], None)),
        Code::Exists
    );
    assert!(registry.plan_register("bob", &bob.cert, vec![], None).is_ok());
    assert_eq!(registry.lookup("alice").unwrap().root, alice.cert.root);
    assert_eq!(code(registry.lookup("bob")), Code::NotFound);
}

#[test]
fn a_reclaimed_account_gets_its_password_from_its_own_session_only() {
    let (alice, bob) = (home("alice", 1), home("bob", 2));
    let mut registry = registry(&[&bob]);
    assert_eq!(code(registry.plan_reclaim("bob", &alice.cert)), Code::Exists);
    let change = registry.plan_reclaim("alice", &alice.cert).unwrap();
    registry.apply(change, 9, 0);
    registry.begin(9, alice.cert.clone()).unwrap();
    assert_eq!(code(registry.password("alice")), Code::Auth);
    for by in [None, Some(1)] {
        assert_eq!(
            code(registry.plan_register("alice", &alice.cert, vec![1], by)),
            Code::Exists
        );
    }
    assert_eq!(
        code(registry.plan_register("alice", &bob.cert, vec![1], Some(9))),
        Code::Auth
    );
    let change = registry
        .plan_register("alice", &alice.cert, vec![1], Some(9))
        .unwrap();
    assert_eq!(
        change,
        Change::Password {
            name: "alice".to_owned(),
            password: vec![1]
        }
    );
    registry.apply(change, 9, 0);
    assert_eq!(registry.password("alice").unwrap(), Some(&[1][..]));
    assert_eq!(code(registry.check_name("alice", Some(9))), Code::Exists);
}

#[test]
fn devices_by_their_root_up_to_the_limit() {
    let (alice, bob) = (home("alice", 1), home("bob", 2));
    let mut registry = registry(&[&alice]);
    assert_eq!(registry.plan_device("alice", &alice.cert), Ok(None));
    let other = registry.plan_device("alice", &bob.cert).unwrap_err();
    assert_eq!(other.code, Code::Auth);
    assert!(
        other
            .message
            .contains("this device is not known to the account alice")
    );
    for device in 1..DEVICES_PER_ACCOUNT_MAX as u8 {
        let change = registry
            .plan_device("alice", &second_device(1, 150 + device))
            .unwrap()
            .unwrap();
        registry.apply(change, 1, 0);
    }
    assert_eq!(
        code(registry.plan_device("alice", &second_device(1, 99))),
        Code::Denied
    );
    assert_eq!(registry.plan_device("alice", &second_device(1, 151)), Ok(None));
}

#[test]
fn sessions_of_one_device() {
    let alice = home("alice", 1);
    let mut registry = registry(&[&alice]);
    for session in 2..=SESSIONS_PER_DEVICE_MAX as u64 {
        assert_eq!(registry.begin(session, alice.cert.clone()), Ok(vec![]));
    }
    assert_eq!(registry.begin(99, alice.cert.clone()), Ok(vec![1]));
    assert_eq!(code(registry.session_user(1)), Code::Auth);
    assert_eq!(registry.session_user(99), Ok(alice.cert.user()));
    // The same connection again counts once.
    assert_eq!(registry.begin(99, alice.cert.clone()), Ok(vec![]));
    registry.end(99);
    registry.end(99);
    assert_eq!(registry.sessions_len(), SESSIONS_PER_DEVICE_MAX - 1);
}

#[test]
fn sessions_in_all() {
    let mut registry = registry(&[]);
    let cert = |number: u64| {
        let mut device = [0; 32];
        device[..8].copy_from_slice(&number.to_be_bytes());
        Certificate {
            root: PublicKey(device),
            device: PublicKey(device),
            sig: Signature([0; 64]),
        }
    };
    for session in 0..SESSIONS_MAX as u64 {
        assert!(registry.begin(session, cert(session)).is_ok());
    }
    let full = registry.begin(SESSIONS_MAX as u64, cert(u64::MAX)).unwrap_err();
    assert_eq!((full.code, full.retry_after_ms.is_some()), (Code::Busy, true));
    registry.end(5);
    assert!(registry.begin(SESSIONS_MAX as u64, cert(u64::MAX)).is_ok());
}

#[test]
fn failed_logins_are_limited_per_account_and_address() {
    let (alice, bob) = (home("alice", 1), home("bob", 2));
    let mut registry = registry(&[&alice, &bob]);
    let stranger = 50;
    for name in ["alice", "nobody"] {
        for _ in 0..ATTEMPTS_BURST {
            assert_eq!(registry.attempt(name, remote(1), stranger, 0), Ok(true));
        }
        let refused = registry.attempt(name, remote(1), stranger, 0).unwrap_err();
        assert_eq!(
            (refused.code, refused.retry_after_ms),
            (Code::Busy, Some(ATTEMPTS_INTERVAL_MS))
        );
        assert!(
            registry
                .attempt(name, remote(1), stranger, ATTEMPTS_INTERVAL_MS - 1)
                .is_err()
        );
        assert!(registry.attempt(name, remote(2), stranger, 0).is_ok());
        // On this machine the account alone counts.
        for _ in 0..ATTEMPTS_BURST {
            assert!(registry.attempt(name, LOOPBACK, stranger, 0).is_ok());
        }
        assert!(
            registry
                .attempt(name, IpAddr::from([127, 0, 0, 9]), stranger, 0)
                .is_err()
        );
    }
    // A known device is not held up, on its own account.
    assert_eq!(registry.attempt("alice", remote(1), 1, 0), Ok(false));
    assert!(registry.attempt("alice", remote(1), 2, 0).is_err());
    assert_eq!(
        registry.attempt("alice", remote(1), stranger, ATTEMPTS_INTERVAL_MS),
        Ok(true)
    );
}

#[test]
fn right_passwords_are_not_counted() {
    let mut registry = registry(&[]);
    for _ in 0..100 {
        assert!(registry.attempt("alice", remote(1), 50, 0).is_ok());
        registry.attempt_succeeded("alice", remote(1), 0);
    }
}

#[test]
fn registrations_per_address() {
    let mut registry = registry(&[]);
    for _ in 0..REGISTRATIONS_BURST {
        assert!(registry.count_registration(remote(1), 0).is_ok());
    }
    assert_eq!(code(registry.count_registration(remote(1), 0)), Code::Busy);
    assert!(
        registry
            .count_registration(remote(1), REGISTRATIONS_INTERVAL_MS - 1)
            .is_err()
    );
    assert!(
        registry
            .count_registration(remote(1), REGISTRATIONS_INTERVAL_MS)
            .is_ok()
    );
    assert!(registry.count_registration(remote(2), 0).is_ok());
    for _ in 0..1_000 {
        assert!(registry.count_registration(LOOPBACK, 0).is_ok());
    }
}

/// Attempts are remembered under so many accounts; while all of them are being guessed at, a further one waits.
#[test]
fn so_many_accounts_may_be_guessed_at() {
    let mut registry = registry(&[]);
    for number in 0..ATTEMPTS_KEYS_MAX {
        assert!(registry.attempt(&format!("u{number}"), LOOPBACK, 50, 0).is_ok());
    }
    assert_eq!(code(registry.attempt("one more", LOOPBACK, 50, 0)), Code::Busy);
    assert!(registry.attempt("u7", LOOPBACK, 50, 0).is_ok(), "one of them");
    assert!(
        registry
            .attempt("one more", LOOPBACK, 50, 2 * ATTEMPTS_INTERVAL_MS)
            .is_ok()
    );
}

#[test]
fn accounts_up_to_the_limit() {
    let (alice, bob) = (home("alice", 1), home("bob", 2));
    let account = |number: usize| {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&(number as u64).to_be_bytes());
        AccountRow {
            name: format!("u{number}"),
            root: PublicKey(root),
            password: None,
            escrow: None,
        }
    };
    let rows = Rows {
        accounts: (1..ACCOUNTS_MAX).map(account).collect(),
        ..Rows::default()
    };
    let (mut registry, _) = Registry::load(rows);
    let last = registry
        .plan_register("alice", &alice.cert, vec![], None)
        .unwrap();
    registry.apply(last, 1, 0);
    assert_eq!(
        code(registry.plan_register("bob", &bob.cert, vec![], None)),
        Code::Busy
    );
    assert_eq!(code(registry.plan_reclaim("bob", &bob.cert)), Code::Busy);
}

#[test]
fn what_can_be_announced() {
    let check = |addresses: &[&str]| {
        check_addresses(
            &addresses
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    // Leading zeros are allowed, so that length alone decides here.
    let padded = |bytes: usize| format!("[fe80::1]:{:0>1$}", 7, bytes - "[fe80::1]:".len());
    assert_eq!(check(&[&padded(ADDRESS_BYTES_MAX)]), Ok(()));
    for good in [
        "127.0.0.1:1",
        "[::1]:65535",
        "[fe80::ffff:ffff:ffff:ffff%4294967295]:65535",
    ] {
        assert_eq!(check(&[good]), Ok(()), "{good}");
    }
    let long = padded(ADDRESS_BYTES_MAX + 1);
    for bad in [
        "",
        "localhost:1",
        "127.0.0.1",
        "127.0.0.1:0",
        "0.0.0.0:1",
        "[::]:1",
        "224.0.0.1:1",
        &long,
    ] {
        assert_eq!(code(check(&[bad])), Code::Usage, "{bad}");
    }
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&["127.0.0.1:1"; ADDRESSES_MAX]), Ok(()));
    assert_eq!(code(check(&["127.0.0.1:1"; ADDRESSES_MAX + 1])), Code::Usage);
}

#[test]
fn presence_expires_and_ends_with_its_session() {
    let (alice, bob) = (home("alice", 1), home("bob", 2));
    let mut registry = registry(&[&alice, &bob]);
    let members = list(1, 1, &[(&alice, Role::Owner), (&bob, Role::Viewer)]);
    put(&mut registry, 1, signed(&members, &alice, Some(&alice)), 0).unwrap();
    let album = AlbumId([1; 32]);
    let bobs = |registry: &Registry, now_ms| {
        let (page, _) = registry.album_peers(1, &album, None, now_ms).unwrap();
        assert_eq!(page.peers.len(), 2, "certificates of those who are away, too");
        let peer = page.peers.into_iter().find(|peer| peer.name == "bob").unwrap();
        (peer.addresses, peer.seen_ms)
    };
    assert_eq!(bobs(&registry, 0), (vec![], None));
    let here = vec!["127.0.0.1:9".to_owned()];
    registry.announce(2, here.clone(), 1_000).unwrap();
    assert_eq!(bobs(&registry, 1_500), (here.clone(), Some(500)));
    assert_eq!(
        bobs(&registry, 999 + PRESENCE_MS),
        (here.clone(), Some(PRESENCE_MS - 1))
    );
    assert_eq!(bobs(&registry, 1_000 + PRESENCE_MS), (vec![], None));
    registry.sweep(999 + PRESENCE_MS);
    assert_eq!(registry.presence.len(), 1);
    registry.sweep(1_000 + PRESENCE_MS);
    assert_eq!(registry.presence.len(), 0);
    registry.announce(2, here.clone(), 2_000).unwrap();
    registry.end(2);
    assert_eq!(bobs(&registry, 2_001), (vec![], None));
    assert_eq!(code(registry.announce(2, here, 2_000)), Code::Auth);
}

#[test]
fn an_older_connection_of_a_device_does_not_take_the_newer_ones_presence_along() {
    let alice = home("alice", 1);
    let mut registry = registry(&[&alice]);
    registry.begin(2, alice.cert.clone()).unwrap();
    registry.announce(1, vec!["127.0.0.1:1".to_owned()], 0).unwrap();
    registry.announce(2, vec!["127.0.0.1:1".to_owned()], 0).unwrap();
    registry.end(1);
    assert_eq!(registry.presence.len(), 1);
    registry.end(2);
    assert_eq!(registry.presence.len(), 0);
}

#[test]
fn members_hear_what_is_new_to_them() {
    let (alice, bob, carol) = (home("alice", 1), home("bob", 2), home("carol", 3));
    let mut registry = registry(&[&alice, &bob, &carol]);
    let here = vec!["127.0.0.1:9".to_owned()];
    let album = AlbumId([1; 32]);
    let album_push = |removed| Push::Album {
        album,
        name: "trip".to_owned(),
        by: "alice".to_owned(),
        removed,
    };
    let bob_is_here = Push::Peer {
        album,
        cert: bob.cert.clone(),
        addresses: here.clone(),
    };

    assert_eq!(registry.announce(2, here.clone(), 0).unwrap(), []);
    let first = list(1, 1, &[(&alice, Role::Owner), (&bob, Role::Viewer)]);
    let told = put(&mut registry, 1, signed(&first, &alice, Some(&alice)), 0).unwrap();
    // Alice gave the list and hears by other means where he is; bob's own announcement is no news to him.
    assert_eq!(
        told,
        [Delivery {
            to: vec![2],
            push: album_push(false)
        }]
    );

    let third = list(
        1,
        2,
        &[
            (&alice, Role::Owner),
            (&bob, Role::Viewer),
            (&carol, Role::Viewer),
        ],
    );
    let told = put(&mut registry, 1, signed(&third, &alice, None), 0).unwrap();
    assert_eq!(
        told,
        [Delivery {
            to: vec![3],
            push: album_push(false)
        }]
    );

    // The same again is no news; another address is, and so is coming back.
    assert_eq!(registry.announce(2, here.clone(), 1).unwrap(), []);
    assert_eq!(registry.announce(2, vec![], 2).unwrap().len(), 1);
    let told = registry.announce(2, here.clone(), 3).unwrap();
    assert_eq!(
        told,
        [Delivery {
            to: vec![1, 3],
            push: bob_is_here.clone()
        }]
    );
    assert_eq!(registry.announce(2, here, 3 + PRESENCE_MS).unwrap().len(), 1);

    let without = list(1, 3, &[(&alice, Role::Owner), (&carol, Role::Viewer)]);
    let told = put(&mut registry, 1, signed(&without, &alice, None), 0).unwrap();
    assert_eq!(
        told,
        [Delivery {
            to: vec![2],
            push: album_push(true)
        }]
    );
    assert_eq!(registry.albums(2, None).unwrap().albums, []);
    assert_eq!(code(registry.album_peers(2, &album, None, 0)), Code::NotFound);
    assert_eq!(registry.announce(2, vec![], 9).unwrap(), []);

    // Back again, with a live device: the others hear where.
    registry.announce(2, vec!["127.0.0.1:9".to_owned()], 9).unwrap();
    let again = list(
        1,
        4,
        &[
            (&alice, Role::Owner),
            (&bob, Role::Viewer),
            (&carol, Role::Viewer),
        ],
    );
    let told = put(&mut registry, 1, signed(&again, &alice, None), 9).unwrap();
    assert_eq!(
        told,
        [
            Delivery {
                to: vec![2],
                push: album_push(false)
            },
            Delivery {
                to: vec![3],
                push: bob_is_here
            },
        ]
    );
}

#[test]
fn who_may_change_a_list() {
    let (alice, bob, carol) = (home("alice", 1), home("bob", 2), home("carol", 3));
    let mut registry = registry(&[&alice, &bob, &carol]);
    let with = |lamport, bobs| {
        list(
            1,
            lamport,
            &[(&alice, Role::Owner), (&bob, bobs), (&carol, Role::Viewer)],
        )
    };
    let plan = |registry: &Registry, session, list: &AlbumList, by, owner| {
        registry.plan_list(session, signed(list, by, owner))
    };
    // Unknown album: by its owner, with its genesis.
    assert_eq!(
        code(plan(&registry, 1, &with(1, Role::Viewer), &alice, None)),
        Code::NotFound
    );
    assert_eq!(
        code(plan(&registry, 2, &with(1, Role::Viewer), &bob, Some(&alice))),
        Code::Denied
    );
    assert_eq!(
        code(plan(&registry, 1, &with(1, Role::Viewer), &alice, Some(&bob))),
        Code::Denied
    );
    assert_eq!(
        code(plan(&registry, 9, &with(1, Role::Viewer), &alice, Some(&alice))),
        Code::Auth
    );
    put(
        &mut registry,
        1,
        signed(&with(5, Role::Contributor), &alice, Some(&alice)),
        0,
    )
    .unwrap();
    // A genesis that comes again changes nothing.
    assert_eq!(
        code(plan(&registry, 2, &with(6, Role::Curator), &bob, Some(&bob))),
        Code::Denied
    );
    // Another's signature, carried by a session of his own.
    assert_eq!(
        code(plan(&registry, 2, &with(6, Role::Curator), &alice, None)),
        Code::Denied
    );
    put(&mut registry, 1, signed(&with(6, Role::Curator), &alice, None), 0).unwrap();
    assert_eq!(
        code(plan(&registry, 3, &with(7, Role::Curator), &carol, None)),
        Code::Denied
    );
    put(&mut registry, 2, signed(&with(7, Role::Curator), &bob, None), 0).unwrap();
    // Not without the owner, nor with another.
    let usurped = list(1, 8, &[(&bob, Role::Owner)]);
    assert_eq!(code(plan(&registry, 2, &usurped, &bob, None)), Code::Usage);
    // Highest lamport, then highest hash; the same again is held.
    assert_eq!(
        plan(&registry, 1, &with(6, Role::Viewer), &alice, None),
        Ok(ListPlan::Stale)
    );
    assert_eq!(
        plan(&registry, 2, &with(7, Role::Curator), &bob, None),
        Ok(ListPlan::Held)
    );
    let hash = |list: &AlbumList| *blake3::hash(serde_json::to_string(list).unwrap().as_bytes()).as_bytes();
    let rival = with(7, Role::Viewer);
    let wins = hash(&rival) > hash(&with(7, Role::Curator));
    let planned = plan(&registry, 1, &rival, &alice, None).unwrap();
    assert_eq!(planned != ListPlan::Stale, wins);
}

#[test]
fn albums_of_one_owner_up_to_the_limit() {
    let alice = home("alice", 1);
    let mut registry = registry(&[&alice]);
    let album = |number: usize| {
        let mut list = list(0, 1, &[(&alice, Role::Owner)]);
        list.album.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
        signed(&list, &alice, Some(&alice))
    };
    for number in 0..ALBUMS_PER_OWNER_MAX {
        put(&mut registry, 1, album(number), 0).unwrap();
    }
    assert_eq!(
        code(registry.plan_list(1, album(ALBUMS_PER_OWNER_MAX))),
        Code::Denied
    );
    assert_eq!(registry.plan_list(1, album(0)), Ok(ListPlan::Held));
}

#[test]
fn bytes_of_all_lists_up_to_the_limit() {
    let alice = home("alice", 1);
    let mut registry = registry(&[&alice]);
    let one = |lamport| signed(&list(1, lamport, &[(&alice, Role::Owner)]), &alice, Some(&alice));
    let bytes = serde_json::to_string(&list(1, 1, &[(&alice, Role::Owner)]))
        .unwrap()
        .len();
    registry.lists_bytes = LISTS_BYTES_MAX - bytes + 1;
    assert_eq!(code(registry.plan_list(1, one(1))), Code::Busy);
    registry.lists_bytes = LISTS_BYTES_MAX - bytes;
    put(&mut registry, 1, one(1), 0).unwrap();
    assert_eq!(registry.lists_bytes, LISTS_BYTES_MAX);
    // One that takes another's place takes no more.
    put(&mut registry, 1, one(2), 0).unwrap();
    assert_eq!(registry.lists_bytes, LISTS_BYTES_MAX);
    assert_eq!(code(registry.plan_list(1, one(10))), Code::Busy, "a digit longer");
}

/// An announcement in an album whose members have 4,096 sessions reaches all of them; with more, so many.
#[test]
fn pushes_of_one_request_up_to_the_limit() {
    let alice = home("alice", 1);
    let per_member = DEVICES_PER_ACCOUNT_MAX * SESSIONS_PER_DEVICE_MAX;
    let exactly = PUSHES_PER_REQUEST_MAX / per_member;
    for others in [exactly, exactly + 1] {
        let mut registry = registry(&[&alice]);
        let mut members = list(1, 1, &[(&alice, Role::Owner)]);
        let mut session = 1;
        for other in 0..others {
            let root = PublicKey([other as u8 + 100; 32]);
            for device in 0..DEVICES_PER_ACCOUNT_MAX {
                let cert = Certificate {
                    root,
                    device: PublicKey([device as u8; 32]),
                    sig: Signature([0; 64]),
                };
                for _ in 0..SESSIONS_PER_DEVICE_MAX {
                    session += 1;
                    registry.begin(session, cert.clone()).unwrap();
                }
            }
            members.members.push(Member {
                user: user_id(&root),
                name: "m".to_owned(),
                role: Role::Viewer,
            });
        }
        let reached =
            |deliveries: Vec<Delivery>| deliveries.iter().map(|delivery| delivery.to.len()).sum::<usize>();
        assert_eq!(session as usize - 1, others * per_member);
        let told = put(&mut registry, 1, signed(&members, &alice, Some(&alice)), 0).unwrap();
        assert_eq!(reached(told), PUSHES_PER_REQUEST_MAX);
        let here = registry.announce(1, vec!["127.0.0.1:1".to_owned()], 0).unwrap();
        assert_eq!(reached(here), PUSHES_PER_REQUEST_MAX);
    }
}

#[test]
fn pages_hold_everything_once_and_fit_a_frame() {
    let alice = home("alice", 1);
    let mut registry = registry(&[&alice]);
    for number in 0..7 {
        let mut list = list(number, 1, &[(&alice, Role::Owner)]);
        // Names that are long and full of what JSON escapes.
        for other in 0..200_u8 {
            let mut user = alice.cert.user();
            user.0[0] ^= other + 1;
            list.members.push(Member {
                user,
                name: "\"".repeat(60),
                role: Role::Viewer,
            });
        }
        while serde_json::to_string(&list).unwrap().len() > LIST_BYTES_MAX {
            list.members.pop();
        }
        let put_one = signed(&list, &alice, Some(&alice));
        match registry.plan_list(1, put_one) {
            Ok(ListPlan::Store(change)) => drop(registry.apply(change, 1, 0)),
            // A list that no page could hold is not taken.
            other => {
                assert_eq!(code(other), Code::Usage);
                list.members.truncate(100);
                put(&mut registry, 1, signed(&list, &alice, Some(&alice)), 0).unwrap();
            }
        }
    }
    let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = registry.albums(1, after).unwrap();
        let bytes = crate::proto::Answer::new(u64::MAX, Ok(&page)).encode().len();
        assert!(bytes <= crate::limits::FRAME_BYTES_MAX, "{bytes} bytes");
        pages += 1;
        seen.extend(page.albums.iter().map(|entry| entry.album));
        after = seen.last().copied();
        if !page.more {
            break;
        }
    }
    assert!(pages > 1);
    assert_eq!(
        seen,
        (0..7).map(|number| AlbumId([number; 32])).collect::<Vec<_>>()
    );
}

#[test]
fn peers_of_a_large_album_come_in_pages() {
    let alice = home("alice", 1);
    let mut registry = registry(&[&alice]);
    let mut members = list(1, 1, &[(&alice, Role::Owner)]);
    for number in 0..300_u64 {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&number.to_be_bytes());
        let cert = Certificate {
            root: PublicKey(root),
            device: PublicKey(root),
            sig: Signature([1; 64]),
        };
        let name = format!("user{number}");
        members.members.push(Member {
            user: cert.user(),
            name: "m".to_owned(),
            role: Role::Viewer,
        });
        registry.apply(
            Change::Account {
                name,
                password: None,
                cert,
            },
            0,
            0,
        );
    }
    put(&mut registry, 1, signed(&members, &alice, Some(&alice)), 0).unwrap();
    let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let (page, devices) = registry.album_peers(1, &AlbumId([1; 32]), after, 0).unwrap();
        assert_eq!(devices, 301);
        assert!(serde_json::to_vec(&page).unwrap().len() <= PAGE_BYTES_MAX + 64);
        pages += 1;
        seen.extend(page.peers.iter().map(|peer| peer.cert.device));
        after = seen.last().copied();
        if !page.more {
            break;
        }
    }
    assert!(pages > 1);
    assert_eq!(seen.len(), 301);
    assert!(seen.is_sorted());
}

#[test]
fn what_is_loaded_is_what_was_applied() {
    let (alice, bob) = (home("alice", 1), home("bob", 2));
    let mut before = registry(&[&alice, &bob]);
    let members = list(1, 1, &[(&alice, Role::Owner), (&bob, Role::Curator)]);
    put(&mut before, 1, signed(&members, &alice, Some(&alice)), 0).unwrap();
    let rows = Rows {
        accounts: [&alice, &bob]
            .map(|home| AccountRow {
                name: home.name.to_owned(),
                root: home.cert.root,
                password: Some(vec![7; 192]),
                escrow: None,
            })
            .to_vec(),
        devices: [alice.cert.clone(), bob.cert.clone(), second_device(77, 78)]
            .map(|cert| DeviceRow { cert, label: None })
            .to_vec(),
        revoked: vec![],
        albums: before.albums(1, None).unwrap().albums,
        mailboxes: vec![],
    };
    let (mut after, left_out) = Registry::load(rows);
    assert_eq!(left_out, 1, "a device without an account");
    after.begin(2, bob.cert.clone()).unwrap();
    assert_eq!(after.albums(2, None), before.albums(2, None));
    assert_eq!(after.lists_bytes, before.lists_bytes);
    let newer = list(1, 2, &[(&alice, Role::Owner), (&bob, Role::Curator)]);
    put(&mut after, 2, signed(&newer, &bob, None), 0).unwrap();
}
