//! How links come and go.

use super::*;
use crate::limits;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_up_says_who_came() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    a.dial(&b);
    let up = |event: &Event| match event {
        Event::LinkUp {
            peer,
            certificate,
            address,
            dialled,
            hello,
        } => Some((*peer, certificate.clone(), *address, *dialled, hello.clone())),
        _ => None,
    };
    let at_a = a.wait(up).await;
    assert_eq!(
        at_a,
        (b.key(), certificate(2), b.net.local_addr(), true, vec![2; 3])
    );
    let at_b = b.wait(up).await;
    assert_eq!(
        (at_b.0, at_b.1, at_b.3, at_b.4),
        (a.key(), certificate(1), false, vec![1; 3])
    );
}

/// Both dial at once, again and again: each time one link is left, the same at both ends, and up and down
/// alternate. Which one stays is judged in `crate::state`'s tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_dials_at_once_one_link_is_left() {
    for round in 0..10 {
        let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
        a.dial(&b);
        b.dial(&a);
        let mut up = [0; 2];
        let start = Instant::now();
        let mut quiet_since = Instant::now();
        while up != [1, 1] || quiet_since.elapsed() < Duration::from_millis(30) {
            assert!(start.elapsed() < DEADLINE);
            for (node, up) in [&mut a, &mut b].into_iter().zip(&mut up) {
                let change = node.wait_within(Duration::from_millis(5), |event| match event {
                    Event::LinkUp { .. } => Some(1),
                    Event::LinkDown { .. } => Some(-1),
                    _ => None,
                });
                if let Some(change) = change.await {
                    *up += change;
                    quiet_since = Instant::now();
                }
                assert!((0..=1).contains(up), "round {round}");
            }
        }
        let (at_a, at_b) = (a.net.links(), b.net.links());
        assert!(
            at_a.len() == 1 && at_b.len() == 1 && at_a[0].dialled != at_b[0].dialled,
            "round {round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_peer_is_found_again_at_its_address() {
    let (mut a, b) = pair(1, 2).await;
    let address = b.net.local_addr();
    let b_key = b.key();
    b.net.shutdown().await;
    a.unlinked(b_key).await;
    let mut b = loop {
        // The port is free a moment after the old listener is gone.
        match Node::start_at(2, times(), address).await {
            Ok(node) => break node,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let start = Instant::now();
    a.linked(b_key).await;
    b.linked(a.key()).await;
    assert!(start.elapsed() < Duration::from_secs(5));
    b.net.subscribe(album(1));
    a.net.publish(album(1), b"again".to_vec()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_address_is_tried_at_once() {
    let slow = Times {
        backoff_min: Duration::from_secs(60),
        ..times()
    };
    let (mut a, b) = (Node::start_with(1, slow).await, Node::start(2).await);
    // Nobody listens here.
    let nowhere = std::net::TcpListener::bind(any_port())
        .unwrap()
        .local_addr()
        .unwrap();
    a.net.dial(b.key(), vec![nowhere]);
    until("a failed dial", || a.counter("dial_failed") > 0).await;
    a.net.dial(b.key(), vec![nowhere, b.net.local_addr()]);
    a.linked(b.key()).await;
}

/// A peer that moved: the same key at another port. The old address leads nowhere, the central or another peer tells the
/// new one, and the link is there; what was subscribed is heard again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_moved_is_found_at_its_new_address() {
    let (mut a, b) = pair(1, 2).await;
    let (old, b_key) = (b.net.local_addr(), b.key());
    b.net.shutdown().await;
    a.unlinked(b_key).await;
    // Its old port is somebody else's now.
    let mut other = Node::start_at(3, times(), old).await;
    while other.is_err() {
        tokio::task::yield_now().await;
        other = Node::start_at(3, times(), old).await;
    }
    until("the old address in vain", || a.counter("dial_failed") > 0).await;
    let mut b = Node::start(2).await;
    b.net.subscribe(album(1));
    a.dial(&b);
    a.linked(b_key).await;
    b.linked(a.key()).await;
    assert_eq!(a.net.links()[0].address, b.net.local_addr());
    assert_ne!(old, b.net.local_addr());
    a.net.publish(album(1), b"found".to_vec()).await.unwrap();
    assert_eq!(b.gossip().await.2, b"found");
}

/// A peer that moved without a goodbye (another network, the same run of the program): its old link is still up here when
/// it dials again. The new one takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_from_elsewhere_replaces_the_one_that_nobody_ended() {
    use super::liar::Liar;
    let mut node = Node::start(1).await;
    let (old, _to_sub, _to_pub) = Liar::linked(2, &mut node).await;
    let mut new = Liar::join(2, &node).await;
    let _to_pub = new.be_sub().await;
    let _to_sub = new.be_pub().await;
    assert_eq!(node.unlinked(old.key).await, "replaced by another link");
    node.linked(new.key).await;
    assert_eq!(node.net.links().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_closes_and_refuses_until_unblocked() {
    let (mut a, mut b) = pair(1, 2).await;
    b.net.block(a.key());
    assert_eq!(b.unlinked(a.key()).await, "blocked");
    assert_eq!(a.unlinked(b.key()).await, "the peer said: blocked");
    // The dialler tries again and is refused by its key.
    assert_eq!(b.refused("blocked").await.0, Some(a.key()));
    assert!(b.net.links().is_empty());
    b.net.unblock(a.key());
    a.linked(b.key()).await;
    b.linked(a.key()).await;
    // The dialling side's own block.
    a.net.block(b.key());
    a.unlinked(b.key()).await;
    b.unlinked(a.key()).await;
    a.net.unblock(b.key());
    a.linked(b.key()).await;
    b.linked(a.key()).await;
    // Forgotten is not blocked: it is just not dialled.
    a.net.forget(b.key());
    assert_eq!(a.unlinked(b.key()).await, "no longer wanted");
    b.unlinked(a.key()).await;
    b.dial(&a);
    a.linked(b.key()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_handle_stops_everything() {
    let (a, mut b) = pair(1, 2).await;
    let key = a.key();
    drop(a);
    b.unlinked(key).await;
}

#[tokio::test]
async fn one_does_not_dial_oneself_and_not_without_end() {
    let node = Node::start(1).await;
    node.net.dial(node.key(), vec![node.net.local_addr()]);
    let address = SocketAddr::from(([192, 0, 2, 1], 1));
    let peers = &node.net.shared.peers;
    for n in 0..limits::DIALS_MAX {
        let key = PublicKey(std::array::from_fn(|at| (n >> (at % 2 * 8)) as u8));
        assert!(peers.dial(key, vec![address; 40]).is_some());
        let crate::state::Advice::Dial(kept, _) = peers.advice(&key) else {
            panic!("peer {n}")
        };
        assert_eq!(kept.len(), limits::ADDRESSES_MAX);
    }
    for given in [limits::ADDRESSES_MAX, limits::ADDRESSES_MAX + 1] {
        let addresses: Vec<SocketAddr> = (0..given)
            .map(|n| SocketAddr::from(([192, 0, 2, 1], n as u16)))
            .collect();
        let key = PublicKey([0; 32]);
        peers.dial(key, addresses.clone());
        let crate::state::Advice::Dial(kept, _) = peers.advice(&key) else {
            panic!("given {given}")
        };
        assert_eq!(kept, addresses[..limits::ADDRESSES_MAX], "the first ones");
    }
    assert!(peers.dial(PublicKey([0xee; 32]), vec![address]).is_none());
    assert!(node.net.links().is_empty());
}

#[tokio::test]
async fn the_folder_must_be_ours_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    let folder = tempfile::Builder::new().prefix("net").tempdir().unwrap();
    let start = async |ipc_dir: std::path::PathBuf| {
        let config = Config {
            ipc_dir,
            ..config(1, &folder, any_port())
        };
        let (sender, _events) = mpsc::channel(1);
        Net::start(config, Arc::new(Rules::default()), sender).await
    };
    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(start(open.clone()).await, Err(StartError::Folder { why, .. }) if why.contains("750")));
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o700)).unwrap();
    // Left over from a crash: removed. Not a socket: left alone.
    drop(UnixListener::bind(open.join("pub")).unwrap());
    start(open.clone()).await.unwrap().shutdown().await;
    std::fs::write(open.join("sub"), b"precious").unwrap();
    assert!(matches!(
        start(open.clone()).await,
        Err(StartError::Folder { .. })
    ));
    assert_eq!(std::fs::read(open.join("sub")).unwrap(), b"precious");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    assert!(matches!(start(link).await, Err(StartError::Folder { .. })));
    // A path at the limit and one past it: "/pub" and a NUL follow.
    let base = folder.path().as_os_str().len();
    let most = limits::IPC_PATH_BYTES_MAX - 1 - "/pub".len();
    start(folder.path().join("x".repeat(most - base - 1)))
        .await
        .unwrap()
        .shutdown()
        .await;
    let past = start(folder.path().join("x".repeat(most - base))).await;
    assert!(matches!(past, Err(StartError::Folder { why, .. }) if why.contains("105")));
}

#[tokio::test]
async fn a_wrong_configuration_is_refused() {
    let folder = tempfile::Builder::new().prefix("net").tempdir().unwrap();
    let start = async |config: Config| {
        let (sender, _events) = mpsc::channel(1);
        Net::start(config, Arc::new(Rules::default()), sender)
            .await
            .map(|_| ())
    };
    let good = || config(1, &folder, any_port());
    let other = Config {
        certificate: certificate(2),
        ..good()
    };
    assert!(matches!(start(other).await, Err(StartError::Certificate)));
    let bytes = limits::HELLO_EXTRA_BYTES_MAX + 1;
    let long = Config {
        hello: vec![0; bytes],
        ..good()
    };
    assert!(matches!(start(long).await, Err(StartError::Hello { bytes: b }) if b == bytes));
    assert!(
        start(Config {
            hello: vec![0; bytes - 1],
            ..good()
        })
        .await
        .is_ok()
    );
    let taken = std::net::TcpListener::bind(any_port()).unwrap();
    let busy = Config {
        listen: taken.local_addr().unwrap(),
        ..good()
    };
    assert!(matches!(start(busy).await, Err(StartError::Listen { .. })));
}

/// Rules that only the caller can read are broken: whom it cuts loses the link, comes again, and after three cuts stays away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_caller_cuts_three_times_is_away_for_an_hour() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    a.dial(&b);
    for cut in 1..=limits::STRIKES_MAX {
        a.linked(b.key()).await;
        b.linked(a.key()).await;
        assert_eq!(b.counter("banned"), 0, "cut {cut}");
        b.net.cut(a.key(), "too many faults");
        b.unlinked(a.key()).await;
        a.unlinked(b.key()).await;
    }
    assert_eq!((b.counter("faulty_peer"), b.counter("banned")), (3, 1));
    b.refused("banned_link").await;
    assert!(b.net.links().is_empty());
}
