//! The prompt people live in: readline on its own thread, commands on the runtime, news above the half-typed line.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use unicode_width::UnicodeWidthStr as _;

use self::news::{Floor, News};
use self::reader::{Read, Reader};
use super::host::Host;
use super::interrupt::Interrupt;
use super::password::{self, NoPassword};
use super::perform::{Trouble, stoppable};
use super::words::{self, Typed};
use super::{CANCELLED, Here, failed, oneshot, script};
use crate::api::{Code, Failure, Prompt, Reply, Request};
use crate::cmd::names::{self, Spelling};
use crate::cmd::{self, Act, Context, Inside};
use crate::ui::{Screen, Ui, clean, columns, shorten, text};

mod complete;
mod facts;
mod helper;
mod history;
mod news;
mod reader;
mod sign;

/// How often the prompt's state is looked at while nothing happens.
const LOOK: Duration = Duration::from_secs(1);
/// How long a look may take.
const LOOK_MAX: Duration = Duration::from_millis(500);
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
    opened: Instant,
    /// The node ended, none could be started in its place, and this was said.
    lost: bool,
    /// The next page of the list shown last.
    more: Option<Request>,
    /// The user and the album that the person has before them.
    at: Option<(String, String)>,
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
            opened: Instant::now(),
            lost: false,
            more: None,
            at: None,
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
        let now = self.now().await.unwrap_or_default();
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

    /// The node's state; none where it does not answer.
    async fn now(&self) -> Option<Prompt> {
        match self.host.control.quick(Request::Prompt).await {
            Ok(Reply::Prompt(now)) => Some(now),
            _ => None,
        }
    }

    /// Where the person comes back to an album, what others did meanwhile.
    async fn arrive(&mut self, now: &Prompt) {
        let album = self.here.each.album.clone().or_else(|| now.album.clone());
        let at = now.user.clone().zip(album);
        if at != self.at {
            self.at = at;
            if let Some(away) = self.seen().await.filter(|_| !self.ui.json) {
                self.ui.message(&text::reply(&away, self.ui.err).out);
            }
        }
    }

    /// Marks what has come by now as seen; what was new.
    async fn seen(&self) -> Option<Reply> {
        self.at.as_ref()?;
        let album = self.here.each.album.clone();
        let asked = self.host.control.quick(Request::Seen { album });
        tokio::time::timeout(LOOK_MAX, asked).await.ok()?.ok()
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
        let mut presses = 0;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let now = self.now().await.unwrap_or_default();
            self.arrive(&now).await;
            interrupt.forget().await;
            let prompt = self.prompt(now);
            self.news.floor(Floor::Line);
            self.reader.read(prompt);
            let read = loop {
                tokio::select! {
                    read = self.reader.next() => break Ok(read),
                    ended = self.host.ended() => break Err(oneshot::ended_early(ended, &self.ui)),
                    _ = term.recv() => break Err(0),
                    _ = hangup.recv() => break Err(0),
                    () = self.news.came() => self.look().await,
                    _ = look.tick() => self.look().await,
                }
            };
            self.news.floor(Floor::Work);
            let then = match read {
                Err(ended) => {
                    code = ended;
                    Then::End
                }
                Ok(Read::Line(text)) => {
                    presses = 0;
                    self.seen().await;
                    tokio::select! {
                        then = self.lines(&text, &mut interrupt) => then,
                        _ = term.recv() => Then::End,
                        _ = hangup.recv() => Then::End,
                    }
                }
                Ok(Read::Interrupted { empty }) => {
                    presses = if empty { presses + 1 } else { 0 };
                    if presses > 1 {
                        self.ui.remark("Ctrl-D or /quit ends the prompt");
                    }
                    Then::Go
                }
                Ok(Read::End) => Then::End,
            };
            if matches!(then, Then::End) {
                break;
            }
        }
        self.news.floor(Floor::Work);
        self.news.stop();
        self.seen().await;
        self.host.close().await;
        code
    }

    /// The prompt for this state, as wide as the terminal allows.
    fn prompt(&self, mut now: Prompt) -> String {
        if self.opened.elapsed() < CENTRAL_GRACE && now.central == "down" {
            now.central.clear();
        }
        self.news.me(now.user.clone());
        prompt(&now, columns().unwrap_or(80))
    }

    /// Looks at the state while a line is being typed: the prompt follows it, and a node that ended is replaced.
    async fn look(&mut self) {
        match tokio::time::timeout(LOOK_MAX, self.now()).await {
            Ok(Some(now)) => {
                let prompt = self.prompt(now);
                if self.reader.sign().want(prompt) {
                    self.news.again();
                }
            }
            Ok(None) if !self.host.is_own() => match self.node_is_there().await {
                Ok(said) => said.into_iter().for_each(|line| self.news.say(line)),
                Err(failure) if !std::mem::replace(&mut self.lost, true) => {
                    self.news
                        .say(&format!("the node of this home ended: {}", failure.message));
                }
                Err(_) => {}
            },
            _ => {}
        }
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
        let act = match self.with_password(act).await {
            Ok(act) => act,
            Err(NoPassword::Failure(failure)) => {
                failed(&ui, &failure);
                return Then::Go;
            }
            Err(NoPassword::Cancelled) => {
                self.ui.remark("cancelled");
                return Then::Go;
            }
        };
        match self.node_is_there().await {
            Ok(said) => said.into_iter().for_each(|line| self.ui.remark(line)),
            Err(failure) => {
                failed(&ui, &failure);
                return Then::Go;
            }
        }
        if matches!(&act, Act::Repeat { .. }) && Screen::fits(&ui) {
            self.news.floor(Floor::Silent);
        }
        let looks = matches!(act, Act::Watch | Act::Repeat { .. });
        let done = self.perform(act, &ui, chat.is_some(), interrupt).await;
        self.news.floor(Floor::Work);
        match done {
            None if looks => Then::Go,
            None => {
                self.ui.remark("stopped; what was done by then stays");
                Then::Go
            }
            Some(Ok(())) => Then::Go,
            Some(Err(Trouble::NobodyReads)) => Then::End,
            Some(Err(Trouble::Failure(failure))) => {
                failed(&ui, &chat.map_or(*failure.clone(), |text| meant(&text, *failure)));
                Then::Go
            }
        }
    }

    /// The act with its password, for which the terminal is asked in silence.
    async fn with_password(&self, act: Act) -> Result<Act, NoPassword> {
        if !matches!(act, Act::Guarded { .. }) {
            return Ok(act);
        }
        self.news.floor(Floor::Silent);
        let asked = tokio::task::spawn_blocking(move || password::resolve(act)).await;
        self.news.floor(Floor::Work);
        asked.unwrap_or(Err(NoPassword::Cancelled))
    }

    /// Does it; none where Ctrl-C ended it. What is said is not repeated: it stands right above.
    async fn perform(
        &mut self,
        act: Act,
        ui: &Ui,
        said: bool,
        interrupt: &mut Interrupt,
    ) -> Option<Result<(), Trouble>> {
        let control = &self.host.control;
        match act {
            Act::Ask(say) if said && !ui.json => tokio::select! {
                said = control.quick(say) => Some(said.map(drop).map_err(Trouble::from)),
                () = interrupt.pressed() => None,
            },
            Act::Ask(
                list @ (Request::GetImages { .. }
                | Request::GetMetadata { .. }
                | Request::Log { .. }
                | Request::Trash { .. }),
            ) if !ui.json => {
                tokio::select! {
                    shown = self.show_page(list, ui) => Some(shown),
                    () = interrupt.pressed() => None,
                }
            }
            act => stoppable(act, control, ui, interrupt).await,
        }
    }

    /// Shows a list, and remembers where it goes on.
    async fn show_page(&mut self, list: Request, ui: &Ui) -> Result<(), Trouble> {
        let page = self.host.control.quick(list.clone()).await?;
        ui.reply(&page)?;
        self.more = cmd::next_page(&list, &page);
        if self.more.is_some() {
            ui.remark("Next: /more");
        }
        Ok(())
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
            Inside::More => match &self.more {
                Some(request) => Ok(Meaning::Act(Act::Ask(request.clone()), ui)),
                None => Err(Failure::new(
                    Code::NotFound,
                    "there is no next page",
                    "/getImages shows the first one",
                )),
            },
            Inside::Help { command } => Ok(Meaning::Text(script::help(command.as_deref(), &ui)?)),
            Inside::Central(command) => Ok(Meaning::Act(command.act(&self.here.context(&each))?, ui)),
            Inside::Verb(verb) => {
                let at = Context {
                    lines: crate::ui::lines(),
                    ..self.here.context(&each)
                };
                Ok(Meaning::Act(verb.act(&at)?, ui))
            }
        }
    }

    /// A node of another process may have ended meanwhile: then this process becomes the node. What to say of it.
    async fn node_is_there(&mut self) -> Result<Option<&'static str>, Failure> {
        if self.host.is_own() || self.host.control.answers().await {
            return Ok(None);
        }
        self.host = Host::open(&self.here.settings).await?;
        self.lost = false;
        self.reader.facts().follow(self.host.control.clone());
        self.news.follow(&self.host.control);
        Ok(Some(if self.host.is_own() {
            "the node of this home had ended; this prompt is its node now"
        } else {
            "the node of this home had ended; this prompt follows the one that took its place"
        }))
    }
}

/// What a line means.
#[allow(clippy::large_enum_variant)] // one at a time
enum Meaning {
    Nothing,
    Quit,
    Text(String),
    Say(String),
    Act(Act, Ui),
}

/// `alice@trip (3 peers, ↓2) > `, less of it on a narrow terminal: a third of the columns stays for typing.
fn prompt(now: &Prompt, columns: usize) -> String {
    let Some(user) = &now.user else {
        return "calotype > ".to_owned();
    };
    let state = state(now);
    let lengths = [(20, true), (10, true), (20, false), (10, false), (5, false)];
    let written = lengths.map(|(most, with_state)| {
        let user = shorten(user, most);
        let name = match &now.album {
            Some(album) => format!("{user}@{}", shorten(album, most)),
            None => user,
        };
        if with_state && !state.is_empty() {
            format!("{name} ({state}) > ")
        } else {
            format!("{name} > ")
        }
    });
    let fits = |text: &String| text.width() * 3 <= columns * 2;
    written.into_iter().find(fits).unwrap_or_else(|| "> ".to_owned())
}

fn state(now: &Prompt) -> String {
    let mut state = Vec::new();
    if now.album.is_some() {
        state.push(match now.peers {
            1 => "1 peer".to_owned(),
            n => format!("{n} peers"),
        });
    }
    if now.fetching > 0 {
        state.push(format!("↓{}", now.fetching));
    }
    if now.central == "down" {
        state.push("central away".to_owned());
    }
    state.join(", ")
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
        let at = |columns,
                  user: Option<&str>,
                  album: Option<&str>,
                  peers,
                  fetching,
                  central: &str,
                  expect: &str| {
            let [user, album] = [user, album].map(|t| t.map(str::to_owned));
            let now = Prompt {
                user,
                album,
                peers,
                fetching,
                central: central.into(),
            };
            assert_eq!(prompt(&now, columns), expect);
        };
        let check = |user, album, peers, fetching, central, expect| {
            at(80, user, album, peers, fetching, central, expect);
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
        // Narrow terminals, wide characters, long names.
        let narrow = |columns, expect| {
            let (user, album) = (Some("alexandra"), Some("写真のアルバム"));
            at(columns, user, album, 3, 2, "connected", expect);
        };
        narrow(80, "alexandra@写真のアルバム (3 peers, ↓2) > ");
        narrow(58, "alexandra@写真のア… (3 peers, ↓2) > ");
        narrow(45, "alexandra@写真のアルバム > ");
        narrow(35, "alexandra@写真のア… > ");
        narrow(21, "alex…@写真… > ");
        narrow(20, "> ");
        at(
            20,
            Some("alice"),
            Some("trip"),
            3,
            2,
            "connected",
            "alice@trip > ",
        );
        let long = "x".repeat(10_000);
        let cut = format!("{}@{} (0 peers, central away) > ", "xxxxxxxxx…", "xxxxxxxxx…");
        at(80, Some(&long), Some(&long), 0, 0, "down", &cut);
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
