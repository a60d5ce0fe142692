//! Why an address does not lead to a peer: each answer that a network gives has a name of its own.

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;
use crate::DialError;

async fn tried(node: &Node, peer: &Node, address: SocketAddr) -> Result<(), DialError> {
    timeout(DEADLINE, node.net.try_once(peer.key(), address))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_leads_to_the_peer_makes_a_link() {
    let (mut a, b) = (Node::start(1).await, Node::start(2).await);
    assert_eq!(tried(&a, &b, b.net.local_addr()).await, Ok(()));
    a.wait(|event| matches!(event, Event::LinkUp { .. }).then_some(()))
        .await;
    // It is linked: no address is tried any more.
    assert_eq!(tried(&a, &b, a.net.local_addr()).await, Ok(()));
    assert_eq!(a.net.links().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reaches_oneself_and_makes_no_link() {
    let (a, b) = (Node::start(1).await, Node::start(2).await);
    assert_eq!(tried(&a, &a, a.net.local_addr()).await, Ok(()));
    let other = tried(&a, &a, b.net.local_addr()).await;
    assert!(matches!(other, Err(DialError::Another(_))), "{other:?}");
    assert!(a.net.links().is_empty() && b.net.links().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_port_a_stranger_and_silence_are_three_things() {
    let quick = Times {
        handshake: Duration::from_millis(300),
        ..times()
    };
    let a = Node::start_with(1, quick).await;
    let (b, c) = (Node::start(2).await, Node::start(3).await);
    // A port that was just let go.
    let closed = std::net::TcpListener::bind(any_port())
        .unwrap()
        .local_addr()
        .unwrap();
    assert_eq!(tried(&a, &b, closed).await, Err(DialError::Refused));
    let stranger = tried(&a, &b, c.net.local_addr()).await;
    assert!(matches!(stranger, Err(DialError::Another(_))), "{stranger:?}");
    // The system takes the connection, and nobody ever speaks.
    let mute = TcpListener::bind(any_port()).await.unwrap();
    assert_eq!(
        tried(&a, &b, mute.local_addr().unwrap()).await,
        Err(DialError::Stuck)
    );
    let (full, _held) = full().await;
    assert_eq!(tried(&a, &b, full).await, Err(DialError::Silent));
}

/// A port whose queue is full: what comes is dropped, as a firewall does.
async fn full() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(any_port()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        held.push(connected.unwrap());
    }
    (address, (listener, held))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_want_the_link_is_told_apart() {
    let (a, b) = (Node::start(1).await, Node::start(2).await);
    let address = b.net.local_addr();
    // B has never heard of A.
    b.rules.forbid_link(a.key());
    let said = Err(DialError::Unwelcome("the device may not be here".into()));
    assert_eq!(tried(&a, &b, address).await, said);
    // B has blocked A, and says nothing.
    let (a, b) = (Node::start(1).await, Node::start(2).await);
    b.net.block(a.key());
    assert_eq!(
        tried(&a, &b, b.net.local_addr()).await,
        Err(DialError::Unwelcome(String::new()))
    );
    // A has blocked B.
    let (a, b) = (Node::start(1).await, Node::start(2).await);
    a.net.block(b.key());
    assert_eq!(
        tried(&a, &b, b.net.local_addr()).await,
        Err(DialError::Unwanted("blocked"))
    );
}
