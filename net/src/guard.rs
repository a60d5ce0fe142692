//! The only network listener: takes connections, keeps half-open ones few, and hands on those that prove a
//! key and say a proper hello.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::link;
use crate::state::Shared;

/// Wait after the system refused a connection, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until stopped.
pub(crate) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    let half_open = HalfOpen::default();
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, address)) => {
                let (place, evicted) = half_open.admit(address.ip());
                for kind in evicted {
                    shared.refuse("half_open", None, kind);
                }
                shared.tasks.spawn(meet(shared.clone(), tcp, address, place));
            }
            Err(error) => {
                tracing::warn!(%error, "accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// From a connection to a link.
async fn meet(shared: Arc<Shared>, tcp: TcpStream, address: SocketAddr, place: Place) {
    let mut seen = None;
    let met = tokio::select! {
        () = shared.stop.cancelled() => return,
        // Already counted by the listener.
        () = place.evicted.cancelled() => return,
        met = timeout(shared.times.handshake, link::answer(&shared, tcp, address, &mut seen)) => met,
    };
    drop(place);
    match met {
        Ok(Ok(established)) => link::run(shared, established).await,
        Ok(Err(error)) => shared.refuse(error.kind(), seen, format!("{address}: {error}")),
        Err(_) => shared.refuse("handshake", seen, format!("{address}: took too long")),
    }
}

/// Connections between accept and hello, oldest first.
#[derive(Debug, Clone, Default)]
struct HalfOpen(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    entries: VecDeque<(u64, IpAddr, CancellationToken)>,
}

/// A half-open connection's place; leaves it when dropped.
struct Place {
    table: HalfOpen,
    id: u64,
    evicted: CancellationToken,
}

impl HalfOpen {
    /// Takes a connection in; where its address or the whole has too many, the oldest goes: whoever floods
    /// throws out himself, and an honest handshake takes a few milliseconds.
    fn admit(&self, ip: IpAddr) -> (Place, Vec<&'static str>) {
        let ip = origin(ip);
        let most = if ip.is_loopback() {
            limits::HALF_OPEN_ON_LOOPBACK_MAX
        } else {
            limits::HALF_OPEN_PER_ADDRESS_MAX
        };
        let mut evicted = Vec::new();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = &mut waiting.entries;
        if entries.iter().filter(|entry| entry.1 == ip).count() >= most
            && let Some(at) = entries.iter().position(|entry| entry.1 == ip)
            && let Some((_, _, token)) = entries.remove(at)
        {
            token.cancel();
            evicted.push("too many from one address");
        }
        if entries.len() >= limits::HALF_OPEN_MAX
            && let Some((_, _, token)) = entries.pop_front()
        {
            token.cancel();
            evicted.push("too many in all");
        }
        let id = waiting.next;
        waiting.next += 1;
        let token = CancellationToken::new();
        waiting.entries.push_back((id, ip, token.clone()));
        (
            Place {
                table: self.clone(),
                id,
                evicted: token,
            },
            evicted,
        )
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.table.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entries.retain(|entry| entry.0 != self.id);
    }
}

/// What counts as one address: IPv4 also in IPv6's clothes; an IPv6 /64, which one host has to itself.
fn origin(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn len(table: &HalfOpen) -> usize {
        table.0.lock().unwrap().entries.len()
    }

    #[test]
    fn one_address_holds_four_places_and_loopback_sixteen() {
        for (ip, most) in [
            (ip(1), limits::HALF_OPEN_PER_ADDRESS_MAX),
            (IpAddr::from([127, 0, 0, 1]), limits::HALF_OPEN_ON_LOOPBACK_MAX),
            (
                IpAddr::from(Ipv6Addr::LOCALHOST),
                limits::HALF_OPEN_ON_LOOPBACK_MAX,
            ),
        ] {
            let table = HalfOpen::default();
            let mut places: Vec<Place> = (0..most).map(|_| table.admit(ip).0).collect();
            assert!(places.iter().all(|place| !place.evicted.is_cancelled()));
            places.push(table.admit(ip).0);
            let gone: Vec<bool> = places.iter().map(|place| place.evicted.is_cancelled()).collect();
            assert!(gone[0] && gone[1..].iter().all(|gone| !gone));
            assert_eq!(len(&table), most);
            drop(places);
            assert_eq!(len(&table), 0);
        }
    }

    #[test]
    fn all_together_hold_sixty_four() {
        let table = HalfOpen::default();
        let most = u8::try_from(limits::HALF_OPEN_MAX).unwrap();
        let places: Vec<Place> = (0..=most).map(|n| table.admit(ip(n)).0).collect();
        assert!(places[0].evicted.is_cancelled());
        assert_eq!(
            places.iter().filter(|place| place.evicted.is_cancelled()).count(),
            1
        );
        assert_eq!(len(&table), limits::HALF_OPEN_MAX);
    }

    #[test]
    fn clothes_do_not_make_addresses() {
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(origin(mapped), ip(1));
        let (a, b): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::ffff".parse().unwrap());
        assert_eq!(origin(a), origin(b));
    }
}
