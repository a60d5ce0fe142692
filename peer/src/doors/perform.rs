//! Doing what a command came to, the same from every door: ask the node, show the answer.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use filters::RecipeError;
use tokio_util::sync::CancellationToken;

use super::control::{Control, was_ending};
use super::interrupt::Interrupt;
use super::look::{self, Preview};
use super::repeat;
use crate::api::{Code, Failure, Reply, Request};
use crate::cmd::Act;
use crate::decoder::Decoder;
use crate::explain::Explained as _;
use crate::ui::{Meter, Ui, picture};

/// How often the meter may be drawn while nothing is heard.
const TICK: Duration = Duration::from_millis(50);

/// Why a command did not end well.
#[derive(Debug)]
pub enum Trouble {
    /// It failed; not shown yet.
    Failure(Box<Failure>),
    /// Nobody reads our output any more, which is no failure.
    NobodyReads,
}

impl Trouble {
    /// Whether nothing was done because the node was just ending.
    pub fn was_ending(&self) -> bool {
        matches!(self, Trouble::Failure(failure) if was_ending(failure))
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Failure(Box::new(failure))
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Trouble::NobodyReads;
        }
        Failure::new(
            Code::Internal,
            format!("cannot write the output: {error}"),
            "check where it goes",
        )
        .into()
    }
}

/// Does it and shows the answer; none where Ctrl-C came. What can stop cleanly does, and its answer is shown; a second
/// Ctrl-C does not wait for it. Passwords are resolved before.
pub async fn stoppable(
    act: Act,
    control: &Control,
    ui: &Ui,
    interrupt: &mut Interrupt,
) -> Option<Result<(), Trouble>> {
    let stop = CancellationToken::new();
    let cleanly = matches!(
        &act,
        Act::Ask(Request::AddImage { .. } | Request::FilterMany { .. } | Request::Export { .. })
    );
    let work = perform(act, control, ui, &stop);
    // What runs in this process ends with its command.
    let _ended = stop.clone().drop_guard();
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done.err().map(Err).or((!stop.is_cancelled()).then_some(Ok(()))),
            () = interrupt.pressed() => {
                if !cleanly || stop.is_cancelled() {
                    return None;
                }
                stop.cancel();
            }
        }
    }
}

async fn perform(act: Act, control: &Control, ui: &Ui, stop: &CancellationToken) -> Result<(), Trouble> {
    match act {
        Act::Ask(request) => {
            let reply = ask(request, control, ui, stop).await?;
            ui.reply(&reply)?;
            if let Reply::Approving(_) = reply {
                // The code is shown at once, and good as long as somebody waits for its end.
                ui.reply(&ask(Request::Approval, control, ui, stop).await?)?;
            }
        }
        Act::Open(request) => {
            let reply = ask(request, control, ui, stop).await?;
            if let Reply::Saved(saved) = &reply {
                show(&saved.path).await?;
            }
            if ui.json {
                ui.reply(&reply)?;
            } else {
                ui.remark("handed to the system's viewer");
            }
        }
        Act::Show { request, width } => {
            let reply = ask(request, control, ui, stop).await?;
            match &reply {
                Reply::Shown(shown) if !ui.json => {
                    ui.drawing(&picture::draw(shown, width, ui, &Decoder::own()).await?)?;
                }
                reply => ui.reply(reply)?,
            }
        }
        Act::Preview {
            request,
            out,
            width,
            beside,
        } => {
            if let Reply::Shown(shown) = ask(request, control, ui, stop).await? {
                let recipe = shown.recipe.as_deref().unwrap_or_default();
                let what = Preview {
                    recipe: recipe.parse().map_err(|error: RecipeError| error.failure())?,
                    out,
                    width,
                    beside,
                };
                let (told, drawing) = look::preview(shown, what, *ui, stop.clone()).await?;
                seen(Reply::Previewed(told), drawing.as_deref(), ui)?;
            }
        }
        Act::Compare { request, out, width } => {
            if let Reply::Shown(shown) = ask(request, control, ui, stop).await? {
                let (told, drawing) = look::compare(shown, out, width, *ui).await?;
                seen(Reply::Compared(Box::new(told)), drawing.as_deref(), ui)?;
            }
        }
        Act::Watch => {
            let mut news = control.watch().await?;
            while let Some(notice) = news.next().await? {
                ui.notice(&notice)?;
            }
        }
        Act::Repeat {
            every,
            line,
            request,
            json,
        } => {
            let ui = Ui {
                json: json || ui.json,
                ..*ui
            };
            repeat::run(every, &line, &request, control, &ui).await?;
        }
        Act::Local(local) => ui.local(&local)?,
        Act::Guarded { .. } => {
            return Err(Failure::new(
                Code::Auth,
                "there is no password yet",
                "give --password-file FILE",
            )
            .into());
        }
    }
    Ok(())
}

/// A drawing, where there is one, and what is told of it.
fn seen(reply: Reply, drawing: Option<&str>, ui: &Ui) -> Result<(), Trouble> {
    if let Some(drawing) = drawing {
        ui.drawing(drawing)?;
    }
    Ok(ui.reply(&reply)?)
}

/// Asks with progress; what was done only in part is a failure that carries the reply.
async fn ask(
    request: Request,
    control: &Control,
    ui: &Ui,
    stop: &CancellationToken,
) -> Result<Reply, Failure> {
    let meter = RefCell::new(Meter::new(ui));
    let reply = control.ask_until(request, stop, |progress| meter.borrow_mut().update(progress));
    tokio::pin!(reply);
    let mut ticks = tokio::time::interval(TICK);
    let reply = loop {
        tokio::select! {
            reply = &mut reply => break reply,
            _ = ticks.tick() => meter.borrow_mut().tick(),
        }
    };
    meter.borrow_mut().clear();
    settle(reply?)
}

/// A reply that tells of something not done is a failure to scripts.
fn settle(reply: Reply) -> Result<Reply, Failure> {
    let (code, message, hint) = match &reply {
        Reply::Added(it) if !it.failed.is_empty() => {
            let all = it.added.is_empty() && it.already.is_empty();
            match it.failed.first() {
                Some(first) if all && it.failed.len() == 1 => {
                    (first.code, first.message.clone(), first.hint.clone())
                }
                Some(first) if all => (
                    first.code,
                    format!("none of {} files could be added", it.failed.len()),
                    String::new(),
                ),
                _ => (
                    Code::Partial,
                    format!("{} could not be added", it.failed.len()),
                    "the others were".to_owned(),
                ),
            }
        }
        Reply::Verified(it) if it.verified == Some(false) => (
            Code::Damaged,
            format!("{} is not what it says", it.name),
            "/why tells who made it, /removeImage takes it out".to_owned(),
        ),
        Reply::Verified(it) if it.verified.is_none() => (
            Code::Partial,
            format!("{} cannot be judged here", it.name),
            "a calotype with the same filters and decoder can".to_owned(),
        ),
        Reply::Diagnosis(it) if !it.healthy => {
            let message = match it.findings.len() {
                1 => "one thing was found".to_owned(),
                count => format!("{count} things were found"),
            };
            (Code::Partial, message, "each says what to do".to_owned())
        }
        Reply::Synced(it) if !it.synced => (
            Code::Partial,
            "not everything is equal yet".to_owned(),
            "wait longer with --timeout, or see /peers".to_owned(),
        ),
        _ => return Ok(reply),
    };
    Err(Failure {
        reply: Some(Box::new(reply)),
        ..Failure::new(code, message, hint)
    })
}

/// Hands a file to the system's viewer.
async fn show(path: &str) -> Result<(), Failure> {
    let viewer = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let failure = |why: String| {
        Failure::new(
            Code::Internal,
            why,
            "/save NAME PATH writes it where another program finds it",
        )
    };
    let status = tokio::process::Command::new(viewer)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .map_err(|e| failure(format!("cannot start {viewer}: {e}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(failure(format!("{viewer} could not show {path}")))
    }
}
