//! `up`: a node that stays, without a prompt, until it is told to end.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::control::Control;
use super::{Here, failed, password};
use crate::api::{Code, Failure, Reply, Request};
use crate::cmd::names::Spelling;
use crate::cmd::up::Up;
use crate::cmd::{Act, Guarded, PasswordFrom};
use crate::node::{self, Running};
use crate::ui::Ui;

/// A home that is just being let go of.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// SIGTERM to the end; what is not done by then is done at the next start.
const DRAIN: Duration = Duration::from_millis(4_500);

#[derive(Serialize)]
struct Ready<'a> {
    control: &'a Path,
    peer_address: String,
    pid: u32,
    user: Option<String>,
    album: Option<String>,
}

/// Serves until told to end; its exit code.
pub fn run(here: &Here, flags: Up) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&ui, &failure),
    };
    let code = match runtime.block_on(serve(here, &flags, &ui)) {
        Ok(()) => 0,
        Err(failure) => failed(&ui, &failure),
    };
    runtime.shutdown_background();
    code
}

async fn serve(here: &Here, flags: &Up, ui: &Ui) -> Result<(), Failure> {
    let no_signals = |e| Failure::new(Code::Internal, format!("cannot listen for signals: {e}"), "");
    let mut term = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let running = node::start(here.settings.node(LOCK_WAIT)).await?;
    if let Some(file) = &flags.ready_file {
        // One that is left of an earlier run would speak of a dead process. The home is ours: so is the file.
        let _ = std::fs::remove_file(here.cwd.join(file));
    }
    let result = tokio::select! {
        result = work(here, flags, &running, ui) => result,
        _ = term.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    if let Some(file) = &flags.ready_file {
        let _ = std::fs::remove_file(here.cwd.join(file));
    }
    let _ = tokio::time::timeout(DRAIN, running.stop()).await;
    result
}

/// Session, album, ready file; then until the node ends.
async fn work(here: &Here, flags: &Up, running: &Running, ui: &Ui) -> Result<(), Failure> {
    let control = Control::at(running.control());
    session(here, flags, &control).await?;
    if let Some(album) = &here.each.album {
        control
            .quick(Request::EnterAlbum { album: album.clone() })
            .await?;
    }
    let Reply::Prompt(now) = control.quick(Request::Prompt).await? else {
        return Err(Failure::new(
            Code::Internal,
            "the node gave another answer than was asked for",
            "",
        ));
    };
    let ready = Ready {
        control: running.control(),
        peer_address: running
            .peer_address()
            .await
            .map(|address| address.to_string())
            .unwrap_or_default(),
        pid: std::process::id(),
        user: now.user,
        album: now.album,
    };
    if let Some(file) = &flags.ready_file {
        write_ready(&here.cwd.join(file), &ready)?;
    }
    let who = ready.user.as_deref().unwrap_or("nobody yet");
    ui.remark(&format!(
        "serving {} as {who} on {}; Ctrl-C ends it",
        here.settings.home.value.display(),
        ready.peer_address
    ));
    running.ended().await
}

/// Makes this home the named user's. A home that is it already needs no password, and no central.
async fn session(here: &Here, flags: &Up, control: &Control) -> Result<(), Failure> {
    let Some(user) = flags.user.clone() else {
        return Ok(());
    };
    if let Reply::Prompt(now) = control.quick(Request::Prompt).await?
        && now.user.as_deref() == Some(user.as_str())
    {
        return Ok(());
    }
    let from = here.context(&here.each).password("calotype up --user", &user)?;
    let again = |register| {
        let what = match register {
            true => Guarded::Register(user.clone()),
            false => Guarded::Login(user.clone()),
        };
        let from = from.clone();
        let act = Act::Guarded { what, from };
        async move {
            let asked = tokio::task::spawn_blocking(move || password::resolve(act)).await;
            match asked {
                Ok(Ok(Act::Ask(request))) => Ok(request),
                Ok(Err(password::NoPassword::Failure(failure))) => Err(failure),
                _ => Err(Failure::new(
                    Code::Auth,
                    "no password was given",
                    "give it with --password-file FILE",
                )),
            }
        }
    };
    if !flags.register {
        return control.quick(again(false).await?).await.map(drop);
    }
    match control.quick(again(true).await?).await {
        Err(taken) if taken.code == Code::Exists && from != PasswordFrom::Stdin => {
            // The account may be this home's own, from a start that was cut short.
            control
                .quick(again(false).await?)
                .await
                .map(drop)
                .map_err(|_| taken)
        }
        other => other.map(drop),
    }
}

/// Whole or not at all: whoever sees the file can read it.
fn write_ready(path: &Path, ready: &Ready<'_>) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, ready)?;
        file.write_all(b"\n")?;
        file.persist(path).map(drop).map_err(|e| e.error)
    };
    write().map_err(|e| {
        let why = format!("cannot write the ready file {}: {e}", path.display());
        Failure::new(
            Code::NotFound,
            why,
            "name a file in a folder that is there and yours",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_is_one_object_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready.json");
        let ready = Ready {
            control: Path::new("/run/x/control"),
            peer_address: "127.0.0.1:4000".into(),
            pid: 7,
            user: Some("alice".into()),
            album: None,
        };
        write_ready(&path, &ready).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let expect = r#"{"control":"/run/x/control","peer_address":"127.0.0.1:4000","pid":7,"user":"alice","album":null}"#;
        assert_eq!(text, format!("{expect}\n"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(
            write_ready(&dir.path().join("no/ready"), &ready)
                .unwrap_err()
                .code,
            Code::NotFound
        );
    }
}
