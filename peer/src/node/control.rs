//! The control socket: doors ask here, one connection a request, JSON Lines (`api::Ask` in, `api::Answer` out).
//! The folder is ours alone and the other end's user id is checked as well. A door that hangs up cancels its request; one
//! that sends another byte asks it to stop and answer with what was done.

use std::path::Path;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Handle;
use super::commands;
use crate::api::{Answer, Ask, Code, Failure, Notice, Progress, Request};

/// Longest line from a door: a thousand long paths.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Progress lines that may wait for a slow door before newer ones replace them.
const PROGRESS_QUEUE: usize = 16;

/// Binds the socket; whatever an earlier process left under that name is removed (the caller holds the home's lock).
pub(super) fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}

/// Serves doors until the task is aborted; `doors` counts those at work.
pub(super) async fn serve(listener: UnixListener, handle: Handle, doors: TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let ours = stream
                    .peer_cred()
                    .is_ok_and(|cred| cred.uid() == rustix::process::getuid().as_raw());
                if ours {
                    // A node that is told to end lets those at work finish.
                    tokio::spawn(serve_door(stream, handle.clone(), doors.token()));
                }
            }
            Err(error) => {
                tracing::warn!("control socket: {error}");
                // Out of descriptors: let some close.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_door(stream: UnixStream, handle: Handle, at_work: TaskTrackerToken) {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    let mut line = String::new();
    let mut limited = (&mut reader).take(LINE_BYTES_MAX);
    match limited.read_line(&mut line).await {
        Ok(0) | Err(_) => return,
        Ok(_) => {}
    }
    let ask: Ask = match serde_json::from_str(&line) {
        Ok(ask) => ask,
        Err(error) => {
            let failure = Failure::new(
                Code::Usage,
                format!("the node does not understand this request: {error}"),
                "is the running node of another version? stop it and start it again",
            );
            return drop(say(&mut write, &Answer::Failure(failure)).await);
        }
    };
    // From here on nothing is missed once the door hears that it watches.
    let notices = (ask.request == Request::Watch).then(|| handle.notices());
    if say(&mut write, &Answer::Taken).await.is_err() {
        return;
    }
    if let Some(notices) = notices {
        drop(at_work);
        // What became of codes is told to the first who listens.
        let _ = handle.with(|node| node.central.albums_changed()).await;
        return watch(notices, &mut write, &mut reader).await;
    }
    // The prompt asks by itself, and that is no work.
    let at_work = !matches!(ask.request, Request::Prompt | Request::Names { .. });
    let _at_work = at_work.then(|| handle.busy.enter());
    let (progress, mut steps) = mpsc::channel::<Progress>(PROGRESS_QUEUE);
    let work = commands::execute(handle, ask.request, progress);
    tokio::pin!(work);
    let mut rest = [0; 1];
    loop {
        tokio::select! {
            result = &mut work => {
                let answer = match result {
                    Ok(reply) => Answer::Reply(reply),
                    Err(failure) => Answer::Failure(failure),
                };
                return drop(say(&mut write, &answer).await);
            }
            Some(step) = steps.recv() => {
                if say(&mut write, &Answer::Progress(step)).await.is_err() {
                    return;
                }
            }
            said = reader.read(&mut rest) => match said {
                // A word after the request asks to stop: whoever says how far it is sees that nobody listens any more.
                Ok(1..) => steps.close(),
                // Hung up: dropping `work` cancels it at its next step.
                _ => return,
            }
        }
    }
}

async fn watch(
    mut notices: broadcast::Receiver<Notice>,
    write: &mut tokio::net::unix::OwnedWriteHalf,
    reader: &mut BufReader<tokio::net::unix::OwnedReadHalf>,
) {
    let mut rest = [0; 1];
    loop {
        tokio::select! {
            notice = notices.recv() => match notice {
                Ok(notice) => {
                    if say(write, &Answer::Notice(notice)).await.is_err() {
                        return;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::debug!("a door missed {missed} notices");
                }
                Err(broadcast::error::RecvError::Closed) => return,
            },
            _ = reader.read(&mut rest) => return,
        }
    }
}

async fn say(write: &mut tokio::net::unix::OwnedWriteHalf, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer).expect("plain data has a JSON text");
    line.push(b'\n');
    write.write_all(&line).await
}
