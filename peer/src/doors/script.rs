//! A script: standard input that is not a terminal, one command a line, the same data on stdout as one by one.

use std::io::{BufRead, Read};
use std::time::Instant;

use tokio::sync::mpsc;

use super::host::{Host, LOCK_WAIT};
use super::interrupt::Interrupt;
use super::oneshot::{ended_early, exit, wish};
use super::password::{self, NoPassword};
use super::perform::stoppable;
use super::words::{self, Typed};
use super::{CANCELLED, Here, failed};
use crate::api::{Code, Failure, Request};
use crate::cmd::names::Spelling;
use crate::cmd::{self, Act, Guarded, Inside, PasswordFrom, WordsFrom};
use crate::ui::Ui;

/// Longest line of a script, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Runs all lines; the exit code of the first that failed.
pub fn run(here: &Here) -> u8 {
    let ui = Ui {
        person: false,
        ..Ui::new(here.each.json, Spelling::Slash, here.settings.color.value)
    };
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&ui, &failure),
    };
    let code = runtime.block_on(all(here, &ui));
    runtime.shutdown_background();
    code
}

async fn all(here: &Here, ui: &Ui) -> u8 {
    let mut lines = lines();
    let mut first_failure = None;
    let mut host: Option<Host> = None;
    let mut number = 0;
    let mut told = None;
    let mut interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(failure) => return failed(ui, &failure),
    };
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            () = interrupt.pressed() => {
                first_failure = Some(CANCELLED);
                None
            }
        };
        let Some(line) = line else { break };
        number += 1;
        // Words that do not parse honour --json all the same.
        let json = matches!(&line, Ok(line) if line.starts_with('/') && line.split(' ').any(|word| word == "--json"));
        let ui = &Ui {
            json: ui.json || json,
            ..*ui
        };
        let act = match line.and_then(|line| read(here, &line, *ui)) {
            Ok(Step::Nothing) => continue,
            Ok(Step::Quit) => break,
            Ok(Step::Help(text)) => {
                let _ = ui.answer(&text);
                continue;
            }
            Ok(Step::Act(act, ui)) => Ok((act, ui)),
            Err(failure) => Err(failure),
        };
        let code = match act {
            Ok((act, ui)) => {
                told = wish(&act).or(told);
                one(here, act, &mut host, &mut interrupt, &ui).await
            }
            Err(failure) => failed(ui, &failure),
        };
        if code != 0 {
            if code != CANCELLED && !ui.json {
                ui.message(&format!("in line {number} of the script\n"));
            }
            first_failure = first_failure.or(Some(code));
            if !here.keep_going || code == CANCELLED {
                break;
            }
        }
    }
    if let Some(host) = host {
        if let Some(sync) =
            told.filter(|_| host.is_own() && !here.no_sync && first_failure != Some(CANCELLED))
        {
            tokio::select! {
                _ = host.control.quick(sync) => {}
                () = interrupt.pressed() => {}
            }
        }
        host.close().await;
    }
    first_failure.unwrap_or(0)
}

/// What a line of a script means.
#[allow(clippy::large_enum_variant)] // one at a time
enum Step {
    Nothing,
    Quit,
    Help(String),
    Act(Act, Ui),
}

fn read(here: &Here, line: &str, ui: Ui) -> Result<Step, Failure> {
    if line.trim_start().starts_with('#') {
        return Ok(Step::Nothing);
    }
    let words = match words::read(line)? {
        Typed::Nothing => return Ok(Step::Nothing),
        Typed::Chat(text) => {
            let say = Request::Say {
                album: here.each.album.clone(),
                text,
            };
            return Ok(Step::Act(Act::Ask(say), ui));
        }
        Typed::Command(words) => words,
    };
    let line = match cmd::parse_line(&words) {
        Ok(line) => line,
        Err(error) if cmd::usage::is_answer(&error) => {
            return Ok(Step::Help(
                crate::ui::help::one(&words[0]).unwrap_or_else(|| error.to_string()),
            ));
        }
        Err(error) => return Err(cmd::usage::failure(&error, Spelling::Slash)),
    };
    let each = here.each(line.each);
    let ui = Ui {
        json: each.json,
        ..ui
    };
    match line.command {
        Inside::Quit => Ok(Step::Quit),
        Inside::More => Err(Failure::new(
            Code::Usage,
            "a script has no pages: every list is printed whole",
            "leave /more out, or ask for a part with --limit and --offset",
        )),
        Inside::Help { command } => help(command.as_deref(), &ui).map(Step::Help),
        Inside::Central(command) => Ok(Step::Act(command.act(&here.context(&each))?, ui)),
        Inside::Verb(verb) => {
            let act = verb.act(&here.context(&each))?;
            if matches!(
                act,
                Act::Guarded {
                    from: PasswordFrom::Stdin,
                    ..
                }
            ) {
                let why = "standard input is the script, so it cannot be the password as well";
                return Err(Failure::new(Code::Auth, why, "give it with --password-file FILE"));
            }
            if let Act::Guarded {
                what:
                    Guarded::Recover {
                        words: WordsFrom::Stdin,
                        ..
                    },
                ..
            } = &act
            {
                let why = "standard input is the script, so it cannot be the recovery words as well";
                return Err(Failure::new(Code::Usage, why, "give them with --words-file FILE"));
            }
            match password::resolve(act) {
                Ok(act) => Ok(Step::Act(act, ui)),
                Err(NoPassword::Failure(failure)) => Err(failure),
                Err(NoPassword::Cancelled) => {
                    Err(Failure::new(Code::Auth, "no password was given", "try again"))
                }
            }
        }
    }
}

/// The text of `/help` and `/help COMMAND`.
pub fn help(command: Option<&str>, ui: &Ui) -> Result<String, Failure> {
    let text = match command {
        None => crate::ui::help::all(ui.out),
        Some(name) => crate::ui::help::one(name)
            .ok_or_else(|| cmd::usage::unknown(name.trim_start_matches('/'), Spelling::Slash))?,
    };
    Ok(if ui.json {
        crate::ui::json::help(&text)
    } else {
        text
    })
}

async fn one(here: &Here, act: Act, host: &mut Option<Host>, interrupt: &mut Interrupt, ui: &Ui) -> u8 {
    if let Act::Local(local) = &act {
        return super::ended(ui.local(local));
    }
    let until = Instant::now() + LOCK_WAIT;
    loop {
        let opened = match host {
            Some(open) => open,
            None => match Host::open(&here.settings).await {
                Ok(opened) => host.insert(opened),
                Err(failure) => return failed(ui, &failure),
            },
        };
        let done = tokio::select! {
            done = stoppable(act.clone(), &opened.control, ui, interrupt) => done,
            ended = opened.ended() => return ended_early(ended, ui),
        };
        match done {
            // Another process's node: the next one, or ours.
            Some(Err(trouble)) if trouble.was_ending() && Instant::now() < until => *host = None,
            done => return done.map_or(CANCELLED, |done| exit(done, ui)),
        }
    }
}

/// Lines of standard input, read on a thread of their own: one that waits for more must not keep the process.
fn lines() -> mpsc::Receiver<Result<String, Failure>> {
    let (to, from) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(line) = next_line(&mut input).transpose() {
            // What cannot be read now cannot be read later.
            let last = matches!(&line, Err(failure) if failure.code == Code::Internal);
            if to.blocking_send(line).is_err() || last {
                return;
            }
        }
    });
    from
}

/// The next line without its end; none after the last. Of one that is too long no more is kept than the limit.
fn next_line(input: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let unread = |e| {
        Failure::new(
            Code::Internal,
            format!("cannot read the script: {e}"),
            "check the file it comes from",
        )
    };
    let mut bytes = Vec::new();
    let limit = LINE_BYTES_MAX + 1;
    input
        .by_ref()
        .take(limit)
        .read_until(b'\n', &mut bytes)
        .map_err(unread)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.len() as u64 == limit {
        input.skip_until(b'\n').map_err(unread)?;
        let why = format!(
            "a line of the script is longer than {}",
            crate::ui::bytes(LINE_BYTES_MAX)
        );
        return Err(Failure::new(Code::TooLarge, why, "cut it into several commands"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| {
        let why = "a line of the script is not UTF-8";
        Failure::new(Code::Usage, why, "save the script as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_limit() {
        let max = LINE_BYTES_MAX as usize;
        let fits = "x".repeat(max);
        let text = format!("{fits}\n{fits}y\nshort\n\n{fits}");
        let mut input = text.as_bytes();
        let mut next = || next_line(&mut input);
        assert_eq!(next().unwrap().unwrap(), fits);
        assert_eq!(next().unwrap_err().code, Code::TooLarge);
        assert_eq!(next().unwrap().as_deref(), Some("short"));
        assert_eq!(next().unwrap().as_deref(), Some(""));
        assert_eq!(next().unwrap().unwrap(), fits);
        assert_eq!(next().unwrap(), None);
        assert_eq!(next_line(&mut &b"\xff\nfine"[..]).unwrap_err().code, Code::Usage);
    }
}
