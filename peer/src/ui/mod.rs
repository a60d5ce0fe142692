//! The only place that prints: replies, failures, news and progress, as text for people or JSON for scripts.
//! Data goes to stdout, everything else to stderr.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use crate::api::{Failure, Notice, Reply};
use crate::cmd::Local;
use crate::cmd::names::{self, Spelling};

mod album;
mod clean;
mod devices;
mod doctor;
pub mod failure;
mod fold;
mod held;
pub mod help;
mod history;
mod human;
mod inspect;
pub mod json;
mod local;
mod look;
mod node;
pub mod notice;
mod paint;
mod people;
pub mod picture;
mod progress;
mod screen;
mod table;
pub mod text;

pub use clean::{clean, in_quotes, shorten};
pub use human::bytes;
pub use paint::{Paint, wants_color};
pub use progress::{Meter, room};
pub use screen::{Screen, columns, lines};

/// What a reply looks like to a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Data, for stdout; whole lines.
    pub out: String,
    /// Remarks, for stderr; whole lines.
    pub notes: String,
    /// What could come next, in the prompt's spelling.
    pub next: Option<String>,
}

/// How this door shows things.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    /// JSON instead of text.
    pub json: bool,
    /// How commands are spelled in messages.
    pub spelling: Spelling,
    /// Colours on stdout.
    pub out: Paint,
    /// Colours on stderr.
    pub err: Paint,
    /// Whether a person sees stderr: progress and what could come next.
    pub person: bool,
}

impl Ui {
    /// For this process's stdout and stderr.
    pub fn new(json: bool, spelling: Spelling, color: crate::cmd::Color) -> Self {
        let var = |name: &str| std::env::var_os(name);
        Ui {
            json,
            spelling,
            out: Paint(wants_color(color, io::stdout().is_terminal(), &var)),
            err: Paint(wants_color(color, io::stderr().is_terminal(), &var)),
            person: io::stderr().is_terminal(),
        }
    }

    /// Shows what was answered.
    ///
    /// # Errors
    /// Only stdout's; a broken pipe is for the door to take as success.
    pub fn reply(&self, reply: &Reply) -> io::Result<()> {
        if self.json {
            return write_out(&json::reply(reply, None));
        }
        self.page(&text::page(reply, self.out, columns()))
    }

    /// Shows what was answered without a node.
    ///
    /// # Errors
    /// As [`Ui::reply`].
    pub fn local(&self, local: &Local) -> io::Result<()> {
        if self.json {
            return write_out(&json::local(local));
        }
        self.page(&local::page(local, self.out))
    }

    /// Shows what went wrong, and what was done all the same.
    ///
    /// # Errors
    /// As [`Ui::reply`].
    pub fn failure(&self, failure: &Failure) -> io::Result<()> {
        if self.json {
            write_out(&json::failure(failure, self.spelling))?;
            return Ok(());
        }
        if let Some(reply) = &failure.reply {
            let page = text::page(reply, self.out, columns());
            tell(&page.out)?;
            self.message(&page.notes);
        }
        self.message(&failure::text(failure, self.spelling, self.err));
        Ok(())
    }

    /// Shows one piece of news on stdout, at once.
    ///
    /// # Errors
    /// As [`Ui::reply`].
    pub fn notice(&self, notice: &Notice) -> io::Result<()> {
        if self.json {
            return write_out(&json::notice(notice));
        }
        let time = notice.at.get(11..19).unwrap_or_default();
        let text = names::respell(&notice::text(notice), self.spelling);
        tell(&format!("{}  {text}\n", self.out.dim(&clean(time))))
    }

    /// A text that is the answer itself (help, version).
    ///
    /// # Errors
    /// As [`Ui::reply`].
    pub fn answer(&self, text: &str) -> io::Result<()> {
        tell(text)
    }

    /// A drawing that was made for this terminal.
    ///
    /// # Errors
    /// As [`Ui::reply`].
    pub fn drawing(&self, text: &str) -> io::Result<()> {
        write_out(text)
    }

    /// A remark on stderr, whole lines; nobody minds if it cannot be written.
    pub fn message(&self, lines: &str) {
        if !lines.is_empty() {
            let mut err = io::stderr().lock();
            let lines = folded(lines, &err);
            let _ = err.write_all(lines.as_bytes()).and_then(|()| err.flush());
        }
    }

    /// A remark only for a person at a terminal.
    pub fn remark(&self, line: &str) {
        if self.person && !self.json {
            self.message(&format!(
                "{}\n",
                self.err.dim(&names::respell(line, self.spelling))
            ));
        }
    }

    fn page(&self, page: &Page) -> io::Result<()> {
        tell(&page.out)?;
        self.message(&names::respell(&page.notes, self.spelling));
        if let Some(next) = &page.next {
            self.remark(&format!("Next: {next}"));
        }
        Ok(())
    }
}

/// What a process says as it ends under its doors' hands: one line on stderr.
pub fn last_words(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

/// As wide as the terminal that a stream leads to, if it leads to one.
pub fn folded<'a>(text: &'a str, stream: &impl AsFd) -> Cow<'a, str> {
    match fold::columns(stream) {
        Some(columns) => Cow::Owned(fold::fold(text, columns)),
        None => Cow::Borrowed(text),
    }
}

/// Text for people on stdout.
fn tell(text: &str) -> io::Result<()> {
    write_out(&folded(text, &io::stdout()))
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod goldens;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod samples;
