//! One command from the shell: attach or open the home, do it, tell the others, end.

use std::time::Instant;

use super::host::{Host, LOCK_WAIT};
use super::interrupt::Interrupt;
use super::password::{self, NoPassword};
use super::perform::{Trouble, stoppable};
use super::{CANCELLED, Here, failed};
use crate::api::{Failure, Request};
use crate::cmd::names::Spelling;
use crate::cmd::{self, Act, Verb};
use crate::ui::Ui;

/// How long a change waits for others before the process ends.
pub const SYNC_MS: u64 = 2_000;

/// Runs it; its exit code.
pub fn run(here: &Here, verb: Verb) -> u8 {
    carry_out(here, verb.act(&here.context(&here.each)))
}

/// Does what a command came to; its exit code.
pub fn carry_out(here: &Here, act: Result<Act, Failure>) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let act = act.map_err(NoPassword::Failure).and_then(password::resolve);
    let act = match act {
        Ok(act) => act,
        Err(NoPassword::Failure(failure)) => return failed(&ui, &failure),
        Err(NoPassword::Cancelled) => return CANCELLED,
    };
    if let Act::Local(local) = &act {
        return super::ended(ui.local(local));
    }
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&ui, &failure),
    };
    let code = runtime.block_on(with_node(here, act, &ui));
    runtime.shutdown_background();
    code
}

async fn with_node(here: &Here, act: Act, ui: &Ui) -> u8 {
    let mut interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(failure) => return failed(ui, &failure),
    };
    let until = Instant::now() + LOCK_WAIT;
    let (host, code) = loop {
        let host = tokio::select! {
            host = Host::open(&here.settings) => match host {
                Ok(host) => host,
                Err(failure) => return failed(ui, &failure),
            },
            () = interrupt.pressed() => return CANCELLED,
        };
        let code = tokio::select! {
            done = stoppable(act.clone(), &host.control, ui, &mut interrupt) => match done {
                // Another one-shot's node that was ending: the next one, or ours.
                Some(Err(trouble)) if trouble.was_ending() && Instant::now() < until => continue,
                done => done.map_or(CANCELLED, |done| exit(done, ui)),
            },
            ended = host.ended() => ended_early(ended, ui),
        };
        break (host, code);
    };
    let after = wish(&act).filter(|_| host.is_own() && !here.no_sync);
    if let Some(sync) = after.filter(|_| code == 0 || code == 7) {
        // Nobody there is fine, and so is a person who does not want to wait.
        tokio::select! {
            _ = host.control.quick(sync) => {}
            () = interrupt.pressed() => {}
        }
    }
    host.close().await;
    code
}

/// The exit code of what was done, shown if it failed.
pub fn exit(done: Result<(), Trouble>, ui: &Ui) -> u8 {
    match done {
        Ok(()) | Err(Trouble::NobodyReads) => 0,
        Err(Trouble::Failure(failure)) => failed(ui, &failure),
    }
}

/// The exit code when our node ended under us.
pub fn ended_early(ended: Result<(), Failure>, ui: &Ui) -> u8 {
    match ended {
        Ok(()) => 0,
        Err(failure) => failed(ui, &failure),
    }
}

/// What a changing command wants done before its own node ends.
pub fn wish(act: &Act) -> Option<Request> {
    let Act::Ask(request) = act else { return None };
    cmd::changes(request).then(|| Request::Sync {
        album: cmd::album_of(request),
        timeout_ms: SYNC_MS,
        quiet: true,
    })
}
