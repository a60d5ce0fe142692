//! `gallery`: an album as a page in a browser on this machine. A door like the others: it asks the node over its control
//! socket and changes nothing. [`guard`] says who may ask, [`routes`] what, [`limits`] how much.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use super::{Here, ended, failed, oneshot};
use crate::api::{self, Code, Failure, Reply, Request, Select};
use crate::cmd;
use crate::cmd::names::Spelling;
use crate::ui::Ui;
use guard::Guard;
use link::Link;
use pictures::Pictures;

mod guard;
mod limits;
mod link;
mod pictures;
mod routes;
mod serve;

/// One album in a browser.
struct Gallery {
    link: Link,
    /// Id of the album: the current one may change.
    album: String,
    guard: Guard,
    pictures: Pictures,
    streams: Arc<Semaphore>,
}

impl Gallery {
    /// As requests name it.
    fn album(&self) -> Option<String> {
        Some(self.album.clone())
    }
}

/// Serves until told to end; its exit code.
pub fn run(here: &Here, flags: &cmd::gallery::Gallery) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&ui, &failure),
    };
    let code = runtime.block_on(show(here, flags, &ui));
    runtime.shutdown_background();
    code
}

async fn show(here: &Here, flags: &cmd::gallery::Gallery, ui: &Ui) -> u8 {
    let signals = || Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?));
    let (mut term, mut interrupt) = match signals() {
        Ok(both) => both,
        Err(error) => return failed(ui, &no_signals(&error)),
    };
    let link = tokio::select! {
        link = Link::open(here.settings.clone()) => match link {
            Ok(link) => link,
            Err(failure) => return failed(ui, &failure),
        },
        _ = term.recv() => return 0,
        _ = interrupt.recv() => return 0,
    };
    let opened = async {
        let listener = listen(flags.port).await?;
        let port = listener
            .local_addr()
            .map_err(|error| not_bound(flags.port, &error))?
            .port();
        Ok((listener, port, album(&link, here.each.album.clone()).await?))
    };
    let (listener, port, (id, name)) = match opened.await {
        Ok(opened) => opened,
        Err(failure) => {
            link.close().await;
            return failed(ui, &failure);
        }
    };
    let gallery = Arc::new(Gallery {
        link,
        album: id,
        guard: Guard::new(port),
        pictures: Pictures::new(),
        streams: Arc::new(Semaphore::new(limits::STREAMS_MAX)),
    });
    let shown = ui.reply(&Reply::Gallery(api::Gallery {
        album: name,
        url: gallery.guard.url(),
    }));
    let code = match shown {
        Err(_) => ended(shown),
        Ok(()) => tokio::select! {
            () = serve::serve(listener, routes::router(&gallery)) => 0,
            ended = gallery.link.ended() => oneshot::ended_early(ended, ui),
            _ = term.recv() => 0,
            _ = interrupt.recv() => 0,
        },
    };
    gallery.link.close().await;
    code
}

async fn listen(port: u16) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    bound.map_err(|error| not_bound(port, &error))
}

fn not_bound(port: u16, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::AddrInUse => Code::Busy,
        std::io::ErrorKind::PermissionDenied => Code::Denied,
        _ => Code::Internal,
    };
    let why = format!("cannot listen on 127.0.0.1:{port}: {error}");
    Failure::new(code, why, "without --port any free port is taken")
}

/// Id and name of the album that is meant.
async fn album(link: &Link, label: Option<String>) -> Result<(String, String), Failure> {
    let select = Select {
        limit: Some(0),
        ..Select::default()
    };
    match link.ask(Request::GetMetadata { album: label, select }).await? {
        Reply::Metadata(it) => Ok((it.album_id, it.album)),
        _ => Err(another_answer()),
    }
}

fn another_answer() -> Failure {
    let why = "the node gave another answer than was asked for";
    Failure::new(
        Code::Internal,
        why,
        "it may be another version: end it and start it again",
    )
}

fn no_signals(error: &std::io::Error) -> Failure {
    Failure::new(Code::Internal, format!("cannot listen for signals: {error}"), "")
}
