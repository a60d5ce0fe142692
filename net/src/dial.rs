//! Keeps a link to a wanted peer: one task per peer, which dials whenever there is no link.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crdt::id::PublicKey;
use rand::Rng as _;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::limits::Times;
use crate::link;
use crate::state::{Advice, Shared};

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
        match timeout(shared.times.handshake, link::dial(shared, peer, address)).await {
            Ok(Ok(established)) => {
                shared.tasks.spawn(link::run(shared.clone(), established));
                return;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %address, %error, "dial"),
            Err(_) => tracing::debug!(%peer, %address, "dial took too long"),
        }
        shared.tally.add("dial_failed");
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
