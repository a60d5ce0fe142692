//! Keeps a link to a wanted peer: one task per peer, which dials whenever there is no link.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crdt::id::PublicKey;
use rand::Rng as _;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::DialError;
use crate::limits::Times;
use crate::link::{self, Established, HelloError};
use crate::state::{Advice, Shared};
use crate::transport;

/// Dials until `cancel`.
pub(crate) async fn keep(shared: Arc<Shared>, peer: PublicKey, cancel: CancellationToken) {
    tokio::select! {
        () = shared.stop.cancelled() => {}
        () = cancel.cancelled() => {}
        () = dial_again(&shared, peer) => {}
    }
}

async fn dial_again(shared: &Arc<Shared>, peer: PublicKey) {
    let mut changed = shared.peers.changed();
    let mut backoff = Backoff::new(&shared.times);
    let mut tried = 0;
    let mut not_before = Instant::now();
    loop {
        changed.mark_unchanged();
        let wait_until = match shared.peers.advice(&peer) {
            Advice::Dial(addresses, version) => {
                let now = Instant::now();
                if version != tried {
                    // Fresh addresses are tried at once.
                    (tried, not_before) = (version, now);
                    backoff = Backoff::new(&shared.times);
                } else if shared.peers.worked(&peer) {
                    // So is a peer that was here, unless its link lived but a moment.
                    backoff = Backoff::new(&shared.times);
                    not_before = not_before.min(now + backoff.next());
                }
                if not_before <= now {
                    shared.peers.set_trying(&peer, true);
                    dial_all(shared, peer, addresses).await;
                    shared.peers.set_trying(&peer, false);
                    not_before = Instant::now() + backoff.next();
                    continue;
                }
                Some(not_before)
            }
            Advice::WaitUntil(moment) => Some(moment),
            Advice::Wait => None,
        };
        let waited = async {
            match wait_until {
                Some(moment) => sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = waited => {}
            moved = changed.changed() => if moved.is_err() { return },
        }
    }
}

/// Tries each address until one leads to the peer; the link then runs on its own.
async fn dial_all(shared: &Arc<Shared>, peer: PublicKey, addresses: Vec<SocketAddr>) {
    for address in addresses {
        let Ok(_place) = shared.dials.acquire().await else {
            return;
        };
        if !matches!(shared.peers.advice(&peer), Advice::Dial(..)) {
            return;
        }
        match once(shared, peer, address).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%peer, %address, %error, "dial"),
        }
    }
}

/// Tries one address; where it leads to the peer, the link runs on its own.
pub(crate) async fn once(
    shared: &Arc<Shared>,
    peer: PublicKey,
    address: SocketAddr,
) -> Result<(), DialError> {
    let established = meet(shared, peer, address).await.inspect_err(|_| {
        shared.tally.add("dial_failed");
    })?;
    shared.tasks.spawn(link::run(shared.clone(), established));
    Ok(())
}

async fn meet(shared: &Shared, peer: PublicKey, address: SocketAddr) -> Result<Established, DialError> {
    let until = Instant::now() + shared.times.handshake;
    let connected = timeout_at(until, transport::connect(address, shared.times.tcp_user)).await;
    let tcp = match connected {
        Ok(connected) => connected.map_err(unconnected)?,
        Err(_) => return Err(DialError::Silent),
    };
    match timeout_at(until, link::greet(shared, tcp, peer, address)).await {
        Ok(greeted) => greeted.map_err(unlinked),
        Err(_) => Err(DialError::Stuck),
    }
}

/// Whether our own guard can be reached at an address: as far as the proof of its key, as no guard links with itself.
pub(crate) async fn myself(shared: &Shared, address: SocketAddr) -> Result<(), DialError> {
    let until = Instant::now() + shared.times.handshake;
    let connected = timeout_at(until, transport::connect(address, shared.times.tcp_user)).await;
    let tcp = match connected {
        Ok(connected) => connected.map_err(unconnected)?,
        Err(_) => return Err(DialError::Silent),
    };
    match timeout_at(until, shared.secure.dial_tls(tcp, shared.me)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unlinked(error.into())),
        Err(_) => Err(DialError::Stuck),
    }
}

fn unconnected(error: std::io::Error) -> DialError {
    match error.kind() {
        ErrorKind::ConnectionRefused => DialError::Refused,
        // In a local network a machine that is off does not even say where it is (ARP), and the system says that.
        ErrorKind::TimedOut | ErrorKind::HostUnreachable => DialError::Silent,
        _ => DialError::NoWay(error.to_string()),
    }
}

fn unlinked(error: HelloError) -> DialError {
    match error {
        HelloError::Transport(error) => DialError::Another(error.to_string()),
        HelloError::Bye(reason) => DialError::Unwelcome(reason),
        HelloError::Refused(_) | HelloError::Policy => DialError::Unwanted(error.kind()),
        HelloError::Certificate | HelloError::Frame(_) | HelloError::Form | HelloError::Ended => {
            DialError::Unwelcome(String::new())
        }
    }
}

/// Waits that double, with jitter so that two peers do not keep meeting at the same moment.
#[derive(Debug)]
struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    fn new(times: &Times) -> Self {
        Self {
            next: times.backoff_min,
            most: times.backoff_max,
        }
    }

    /// Between half and all of the current wait.
    fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        wait.mul_f64(rand::thread_rng().gen_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut backoff = Backoff::new(&Times::default());
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let wait = backoff.next().as_secs_f64();
            let most = f64::from(seconds);
            assert!((most / 2.0..=most).contains(&wait), "{wait} of {most}");
        }
    }
}
