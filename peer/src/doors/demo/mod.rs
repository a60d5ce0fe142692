//! `demo`: three real peers on this machine, taken through edits, a partition, a crash, a cheat and a removal, and a report of
//! what each step proves.

mod cast;
mod cheat;
mod crash;
mod mallory;
mod pictures;
mod report;
mod stage;
mod steps;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CANCELLED, Here, failed};
use crate::api::{Code, Failure};
use crate::cmd::demo::Demo;
use crate::cmd::names::Spelling;
use crate::ui::Ui;
use report::Report;
use stage::Stage;

/// What is shown, and what it proves where it holds.
const STEPS: [(&str, &str); 9] = [
    (
        "Three people share an album",
        "edits and image bytes reach every member, and arrive unharmed.",
    ),
    (
        "Two add an image of the same name at the same moment",
        "no edit overwrites another; equal names are told apart, everywhere alike.",
    ),
    (
        "A filtered version is a new entry",
        "a version travels like any image and stays linked to its source.",
    ),
    (
        "Carol makes bob's version again",
        "nobody has to believe a recipe: anyone can run it, and gets the same bits.",
    ),
    (
        "Everyone rates, someone chats",
        "each member's rating counts once, and all see the same mean.",
    ),
    (
        "A partition: both sides go on, then meet",
        "edits made apart merge without a leader; a remove takes away only what it saw.",
    ),
    (
        "A crash: bob is killed with the central in him",
        "what was acknowledged is durable, transfers go on, and any peer can be the central.",
    ),
    (
        "A member cheats",
        "every peer judges by itself: what a role does not allow is held, what is forged dropped.",
    ),
    (
        "A member is removed",
        "what the removal saw stays; what comes after it is not accepted, nor anything sent.",
    ),
];

/// Why the play ended early.
enum Ended {
    Interrupted,
    Failed(Failure),
}

/// Plays; the exit code.
pub fn run(here: &Here, flags: Demo) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&ui, &failure),
    };
    let code = match runtime.block_on(demo(here, &flags, ui)) {
        Ok(true) => 0,
        Ok(false) => Code::Internal.exit(),
        Err(Ended::Interrupted) => CANCELLED,
        Err(Ended::Failed(failure)) => failed(&ui, &failure),
    };
    runtime.shutdown_background();
    code
}

async fn demo(here: &Here, flags: &Demo, ui: Ui) -> Result<bool, Ended> {
    let no_signals = |e| {
        Ended::Failed(Failure::new(
            Code::Internal,
            format!("cannot listen for signals: {e}"),
            "",
        ))
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let (photos, left_out) = match &flags.photos {
        Some(dir) => stage::photos_in(&here.cwd.join(dir)).map_err(Ended::Failed)?,
        None => (Vec::new(), 0),
    };
    let folder = tempfile::Builder::new()
        .prefix("calotype-demo-")
        .tempdir()
        .map_err(|e| {
            let why = format!("cannot make a temporary folder: {e}");
            Ended::Failed(Failure::new(
                Code::Denied,
                why,
                "set TMPDIR to a folder that you may write",
            ))
        })?;
    let mut stage = Stage::new(folder.path(), photos).map_err(Ended::Failed)?;
    let mut report = Report::new(ui, STEPS.len());
    report.opening(folder.path());
    if left_out > 0 {
        ui.message(&format!(
            "{left_out} images of that folder stay out of the demo\n"
        ));
    }
    let played = tokio::select! {
        biased;
        () = either(&mut interrupt, &mut terminate) => false,
        () = play(&mut stage, &mut report) => true,
    };
    let slow = stage.end().await;
    if !played {
        if flags.keep {
            ui.message(&format!("homes and logs: {}\n", folder.keep().display()));
        }
        return Err(Ended::Interrupted);
    }
    if !slow.is_empty() {
        report.broken(&format!("{} did not end well when told to", stage::list(&slow)));
    }
    if flags.keep || !report.holds() {
        return Ok(report.summary(Some(&folder.keep())));
    }
    Ok(report.summary(None))
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// All steps, up to the first that does not hold: the later ones build on it.
async fn play(stage: &mut Stage, report: &mut Report) {
    for (index, (title, proves)) in STEPS.into_iter().enumerate() {
        report.begin(title, proves);
        let played = match index {
            0 => steps::share(stage, report).await,
            1 => steps::same_name(stage, report).await,
            2 => steps::version(stage, report).await,
            3 => steps::verified(stage, report).await,
            4 => steps::opinions(stage, report).await,
            5 => steps::partition(stage, report).await,
            6 => crash::crash(stage, report).await,
            7 => cheat::cheat(stage, report).await,
            _ => steps::removal(stage, report).await,
        };
        if let Err(failure) = played {
            report.saw(false, failure.message);
        }
        if !report.end() {
            return;
        }
    }
}
