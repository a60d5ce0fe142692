//! The seam: what carries links. Beyond this folder no type of TLS or of the multiplexer is known, so that
//! another carrier (QUIC with NAT traversal) can stand beside it.
//!
//! A [`Link`] is an authenticated connection to one device key; streams are byte pipes with flow control,
//! opened by either side.

mod meter;
mod mux;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

pub(crate) use meter::Meter;
pub(crate) use mux::{Link, Opener, Stream, Windows};
pub(crate) use tls::Secure;

/// Why no link came about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// TCP or TLS failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The peer did not show one well-formed Ed25519 key.
    #[error("the peer showed no usable key")]
    Key,
    /// The peer speaks something else.
    #[error("the peer did not agree on the protocol")]
    Protocol,
}

/// Connects to `address` by TCP and sets the options every connection of ours has.
pub(crate) async fn connect(address: SocketAddr, user_timeout: Duration) -> std::io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tune(&tcp, user_timeout)?;
    Ok(tcp)
}

/// No delay for small writes; bytes unacknowledged for `user_timeout` end the connection.
pub(crate) fn tune(tcp: &TcpStream, user_timeout: Duration) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        let ms = u32::try_from(user_timeout.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(tcp, ms)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = user_timeout;
    Ok(())
}
