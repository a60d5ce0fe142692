//! The prompt people live in: readline on its own thread, commands on the runtime, news above the half-typed line.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use self::news::News;
use self::reader::{Read, Reader};
use super::host::Host;
use super::interrupt::Interrupt;
use super::password::{self, NoPassword};
use super::perform::{Trouble, perform};
use super::words::{self, Typed};
use super::{CANCELLED, Here, failed, oneshot, script};
use crate::api::{Code, Failure, Prompt, Reply, Request};
use crate::cmd::names::{self, Spelling};
use crate::cmd::{self, Act, Inside};
use crate::ui::{Ui, clean, shorten};

mod complete;
mod facts;
mod helper;
mod history;
mod news;
mod reader;

/// How long after the start a central that is not there yet is not called away.
const CENTRAL_GRACE: Duration = Duration::from_secs(3);

/// Opens the prompt; its exit code.
pub fn run(here: &Here) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Slash, here.settings.color.value);
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&ui, &failure),
    };
    let terminal = reader::Saved::now();
    let code = runtime.block_on(async {
        let host = tokio::select! {
            host = Host::open(&here.settings) => host,
            _ = tokio::signal::ctrl_c() => return CANCELLED,
        };
        match host {
            Ok(host) => match Session::open(here, host, ui).await {
                Ok(session) => session.live().await,
                Err(failure) => failed(&ui, &failure),
            },
            Err(failure) => failed(&ui, &failure),
        }
    });
    runtime.shutdown_background();
    terminal.restore();
    code
}

/// One sitting at the prompt.
struct Session<'a> {
    here: &'a Here,
    host: Host,
    ui: Ui,
    reader: Reader,
    news: News,
}

/// Whether the prompt goes on.
enum Then {
    Go,
    End,
}

impl<'a> Session<'a> {
    async fn open(here: &'a Here, host: Host, ui: Ui) -> Result<Self, Failure> {
        let facts = facts::Facts::new(host.control.clone(), here);
        let history = here.settings.home.value.join("history");
        let (reader, printer) = Reader::start(facts, &history, ui.out)?;
        let news = News::start(&host.control, printer, ui);
        let session = Session {
            here,
            host,
            ui,
            reader,
            news,
        };
        session.greet().await;
        Ok(session)
    }

    /// What is here, and what to type first.
    async fn greet(&self) {
        let version = env!("CARGO_PKG_VERSION");
        let home = self.here.settings.home.value.display();
        let whose = if self.host.is_own() {
            ""
        } else {
            " (its node runs already)"
        };
        self.ui.remark(&format!(
            "calotype {version}, home {home}{whose}. /help lists the commands, Ctrl-D ends."
        ));
        let now = self.now().await;
        match (&now.user, &now.album) {
            (None, _) => self
                .ui
                .message("Type /register NAME to begin; it asks for a new password.\n"),
            (_, None) => self
                .ui
                .message("Type /createAlbum NAME to begin an album, or /list to see yours.\n"),
            _ => {}
        }
    }

    async fn now(&self) -> Prompt {
        match self.host.control.quick(Request::Prompt).await {
            Ok(Reply::Prompt(now)) => now,
            _ => Prompt::default(),
        }
    }

    async fn live(mut self) -> u8 {
        let stop = || signal(SignalKind::terminate()).and_then(|t| Ok((t, signal(SignalKind::hangup())?)));
        let Ok((mut term, mut hangup)) = stop() else {
            return 1;
        };
        let mut interrupt = match Interrupt::listen() {
            Ok(interrupt) => interrupt,
            Err(failure) => return failed(&self.ui, &failure),
        };
        let mut code = 0;
        let opened = Instant::now();
        loop {
            let mut now = self.now().await;
            if opened.elapsed() < CENTRAL_GRACE && now.central == "down" {
                now.central.clear();
            }
            self.news.me(now.user.clone());
            interrupt.forget().await;
            self.reader.read(prompt(&now));
            let read = tokio::select! {
                read = self.reader.next() => read,
                ended = self.host.ended() => {
                    code = oneshot::ended_early(ended, &self.ui);
                    break;
                }
                _ = term.recv() => break,
                _ = hangup.recv() => break,
            };
            match read {
                Read::Line(text) => {
                    let then = tokio::select! {
                        then = self.lines(&text, &mut interrupt) => then,
                        _ = term.recv() => Then::End,
                        _ = hangup.recv() => Then::End,
                    };
                    if matches!(then, Then::End) {
                        break;
                    }
                }
                Read::Interrupted => self.ui.remark("Ctrl-D or /quit ends the prompt"),
                Read::End => break,
            }
        }
        self.news.stop();
        self.host.close().await;
        code
    }

    /// A line, or the lines of a paste one after the other.
    async fn lines(&mut self, text: &str, interrupt: &mut Interrupt) -> Then {
        for line in text.lines() {
            if matches!(self.line(line, interrupt).await, Then::End) {
                return Then::End;
            }
        }
        Then::Go
    }

    /// One line: what it means, done, shown. Ctrl-C cancels it.
    async fn line(&mut self, line: &str, interrupt: &mut Interrupt) -> Then {
        let (act, ui, chat) = match self.meaning(line) {
            Ok(Meaning::Nothing) => return Then::Go,
            Ok(Meaning::Quit) => return Then::End,
            Ok(Meaning::Text(text)) => {
                let _ = self.ui.answer(&text);
                return Then::Go;
            }
            Ok(Meaning::Say(text)) => {
                let album = self.here.each.album.clone();
                (
                    Act::Ask(Request::Say {
                        album,
                        text: text.clone(),
                    }),
                    self.ui,
                    Some(text),
                )
            }
            Ok(Meaning::Act(act, ui)) => (act, ui, None),
            Err(failure) => {
                failed(&self.ui, &failure);
                return Then::Go;
            }
        };
        let act = match tokio::task::spawn_blocking(move || password::resolve(act)).await {
            Ok(Ok(act)) => act,
            Ok(Err(NoPassword::Failure(failure))) => {
                failed(&ui, &failure);
                return Then::Go;
            }
            _ => {
                self.ui.remark("cancelled");
                return Then::Go;
            }
        };
        if let Err(failure) = self.node_is_there().await {
            failed(&ui, &failure);
            return Then::Go;
        }
        let done = tokio::select! {
            done = self.perform(act, &ui, chat.is_some()) => done,
            () = interrupt.pressed() => {
                self.ui.remark("cancelled; what was done by then stays");
                return Then::Go;
            }
        };
        match done {
            Ok(()) => Then::Go,
            Err(Trouble::NobodyReads) => Then::End,
            Err(Trouble::Failure(failure)) => {
                failed(&ui, &chat.map_or(*failure.clone(), |text| meant(&text, *failure)));
                Then::Go
            }
        }
    }

    /// What is said is not repeated: it stands right above.
    async fn perform(&self, act: Act, ui: &Ui, said: bool) -> Result<(), Trouble> {
        match act {
            Act::Ask(say) if said && !ui.json => Ok(self.host.control.quick(say).await.map(drop)?),
            act => perform(act, &self.host.control, ui).await,
        }
    }

    fn meaning(&self, line: &str) -> Result<Meaning, Failure> {
        if let Some(add) = words::dropped(line) {
            let hint = format!("{add} adds it to the album");
            return Err(Failure::new(Code::Usage, "this is a file, not a command", hint));
        }
        let words = match words::read(line)? {
            Typed::Nothing => return Ok(Meaning::Nothing),
            Typed::Chat(text) => return Ok(Meaning::Say(text)),
            Typed::Command(words) => words,
        };
        let parsed = match cmd::parse_line(&words) {
            Ok(parsed) => parsed,
            Err(error) if cmd::usage::is_answer(&error) => {
                return Ok(Meaning::Text(script::help(
                    words.first().map(String::as_str),
                    &self.ui,
                )?));
            }
            Err(error) => return Err(cmd::usage::failure(&error, Spelling::Slash)),
        };
        let each = self.here.each(parsed.each);
        let ui = Ui {
            json: each.json,
            ..self.ui
        };
        match parsed.command {
            Inside::Quit => Ok(Meaning::Quit),
            Inside::Help { command } => Ok(Meaning::Text(script::help(command.as_deref(), &self.ui)?)),
            Inside::Verb(verb) => Ok(Meaning::Act(verb.act(&self.here.context(&each))?, ui)),
        }
    }

    /// A node of another process may have ended meanwhile: then this process becomes the node.
    async fn node_is_there(&mut self) -> Result<(), Failure> {
        if self.host.is_own() || self.host.control.answers().await {
            return Ok(());
        }
        self.host = Host::open(&self.here.settings).await?;
        self.reader.facts().follow(self.host.control.clone());
        self.news.follow(&self.host.control);
        self.ui
            .remark("the node of this home had ended; this prompt is its node now");
        Ok(())
    }
}

/// What a line means.
enum Meaning {
    Nothing,
    Quit,
    Text(String),
    Say(String),
    Act(Act, Ui),
}

/// `alice@trip (3 peers, ↓2) > `
fn prompt(now: &Prompt) -> String {
    let Some(user) = &now.user else {
        return "calotype > ".to_owned();
    };
    let user = shorten(user, 20);
    let mut state = Vec::new();
    let name = match &now.album {
        Some(album) => {
            state.push(if now.peers == 1 {
                "1 peer".to_owned()
            } else {
                format!("{} peers", now.peers)
            });
            format!("{user}@{}", shorten(album, 20))
        }
        None => user,
    };
    if now.fetching > 0 {
        state.push(format!("↓{}", now.fetching));
    }
    if now.central == "down" {
        state.push("central away".to_owned());
    }
    if state.is_empty() {
        format!("{name} > ")
    } else {
        format!("{name} ({}) > ", state.join(", "))
    }
}

/// Chat that could not be said may have been meant as a command.
fn meant(text: &str, failure: Failure) -> Failure {
    let first = text.split_whitespace().next().unwrap_or_default();
    let name = names::kebab(first);
    if !names::of_prompt().contains(&name) {
        return failure;
    }
    let line = text.replacen(first, &names::camel(&name), 1);
    Failure {
        hint: format!("did you mean the command /{}? {}", clean(&line), failure.hint)
            .trim_end()
            .to_owned(),
        ..failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_says_where_we_are() {
        let check =
            |user: Option<&str>, album: Option<&str>, peers, fetching, central: &str, expect: &str| {
                let [user, album] = [user, album].map(|t| t.map(str::to_owned));
                assert_eq!(
                    prompt(&Prompt {
                        user,
                        album,
                        peers,
                        fetching,
                        central: central.into()
                    }),
                    expect
                );
            };
        check(None, None, 0, 0, "connected", "calotype > ");
        check(Some("alice"), None, 0, 0, "connected", "alice > ");
        check(
            Some("alice"),
            Some("trip"),
            3,
            2,
            "connected",
            "alice@trip (3 peers, ↓2) > ",
        );
        check(
            Some("alice"),
            Some("trip"),
            1,
            0,
            "connected",
            "alice@trip (1 peer) > ",
        );
        check(
            Some("alice"),
            Some("trip"),
            0,
            0,
            "down",
            "alice@trip (0 peers, central away) > ",
        );
        check(
            Some("a\x1b[2J"),
            Some("t\u{202e}"),
            0,
            0,
            "none",
            "a[2J@t (0 peers) > ",
        );
    }

    #[test]
    fn a_forgotten_slash_is_noticed() {
        let failure = || Failure::new(Code::NotFound, "no album is entered", "/createAlbum NAME");
        let hint = meant("register alice", failure()).hint;
        assert_eq!(
            hint,
            "did you mean the command /register alice? /createAlbum NAME"
        );
        assert_eq!(meant("hello", failure()), failure());
    }
}
