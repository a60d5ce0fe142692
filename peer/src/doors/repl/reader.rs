//! Readline on its own thread: asked for one line at a time, so that a running command has the terminal to itself.

use std::any::Any;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{self, InputModes, LocalModes, OptionalActions, Termios};
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, CompletionType, ConditionalEventHandler, Config, Editor, Event, EventContext, EventHandler,
    ExternalPrinter, KeyEvent, RepeatCount,
};
use tokio::sync::mpsc;

use super::facts::Facts;
use super::helper::Helper;
use super::history;
use super::sign::{Begun, Left, Sign};
use crate::api::{Code, Failure};
use crate::ui::Paint;

/// Prints above the line that is being typed.
pub type Printer = Box<dyn ExternalPrinter + Send>;

/// More candidates than these are shown after a question only.
const LIST_MAX: usize = 100;
/// How long a stop may take to reach this thread: it may be another thread of the process that is told of it.
const STOP_WAIT: Duration = Duration::from_millis(50);

/// What came of asking for a line.
pub enum Read {
    /// A line.
    Line(String),
    /// Ctrl-C, with nothing typed or something.
    Interrupted {
        /// Whether nothing was typed.
        empty: bool,
    },
    /// Ctrl-D, or the terminal is gone.
    End,
}

/// The readline thread's handle.
pub struct Reader {
    ask: std::sync::mpsc::Sender<()>,
    lines: mpsc::UnboundedReceiver<Read>,
    facts: Arc<Facts>,
    sign: Arc<Sign>,
}

impl Reader {
    /// Starts the thread; the printer is absent where the terminal has no cursor to move.
    ///
    /// # Errors
    /// A terminal that cannot be used.
    pub fn start(facts: Facts, history: &Path, paint: Paint) -> Result<(Self, Option<Printer>), Failure> {
        let no_terminal = |e: ReadlineError| {
            let hint = "give commands one by one (calotype --help), or as a script on standard input";
            Failure::new(Code::Usage, format!("this terminal cannot be used: {e}"), hint)
        };
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .completion_prompt_limit(LIST_MAX)
            .auto_add_history(false)
            .history_ignore_dups(true)
            .and_then(|c| c.max_history_size(history::LINES_MAX))
            .map_err(no_terminal)?
            .build();
        let facts = Arc::new(facts);
        let sign = Arc::new(Sign::default());
        let mut editor: Editor<Helper, FileHistory> = Editor::with_config(config).map_err(no_terminal)?;
        // A prompt that changes leaves in the middle of a drawing (`sign`), and would leave the screen held.
        editor.enable_synchronized_output(false);
        editor.set_helper(Some(Helper::new(facts.clone(), sign.clone(), paint)));
        editor.bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Suspend)));
        let _ = editor.load_history(history);
        let printer = editor
            .create_external_printer()
            .ok()
            .map(|p| Box::new(p) as Printer);
        let (ask, asked) = std::sync::mpsc::channel::<()>();
        let (to, lines) = mpsc::unbounded_channel();
        let has_cursor = printer.is_some();
        let (history, shown): (PathBuf, _) = (history.to_owned(), sign.clone());
        std::thread::spawn(move || {
            while asked.recv().is_ok() {
                let raw = has_cursor.then(Raw::begin);
                let read = read(&mut editor, &shown, raw);
                if let Read::Line(line) = &read {
                    remember(&mut editor, line, &history);
                }
                if to.send(read).is_err() {
                    return;
                }
            }
        });
        let reader = Reader {
            ask,
            lines,
            facts,
            sign,
        };
        Ok((reader, printer))
    }

    /// Asks for a line.
    pub fn read(&self, prompt: String) {
        self.sign.want(prompt);
        let _ = self.ask.send(());
    }

    /// The line that was asked for.
    pub async fn next(&mut self) -> Read {
        self.lines.recv().await.unwrap_or(Read::End)
    }

    /// What completion knows.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What the prompt shows.
    pub fn sign(&self) -> &Sign {
        &self.sign
    }
}

/// One line. Where the prompt changed meanwhile, or the process was stopped and goes on, it is drawn anew and what was
/// typed goes on. The terminal stays raw all the time: a key between two of readline's rounds is a key like any other.
fn read(editor: &mut Editor<Helper, FileHistory>, sign: &Sign, mut raw: Option<Raw>) -> Read {
    let mut begun = Begun::default();
    loop {
        let prompt = sign.draw();
        let typed = (begun.left.as_str(), begun.right.as_str());
        let line = catch_unwind(AssertUnwindSafe(|| editor.readline_with_initial(&prompt, typed)));
        return match line {
            Ok(Ok(line)) => Read::Line(line),
            Ok(Err(ReadlineError::Interrupted)) => Read::Interrupted {
                empty: sign.line_is_empty(),
            },
            Ok(Err(_)) => Read::End,
            Err(left) => match (left as Box<dyn Any>).downcast::<Left>() {
                Ok(left) => {
                    begun = match *left {
                        Left::Drawing(begun) => begun,
                        Left::Suspended(begun) => {
                            drop(raw);
                            suspend();
                            raw = Some(Raw::begin());
                            begun
                        }
                    };
                    continue;
                }
                Err(_) => Read::End,
            },
        };
    }
}

/// Ctrl-Z leaves readline, which knows the raw terminal only and would leave it so.
struct Suspend;

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, at: &EventContext<'_>) -> Option<Cmd> {
        let (left, right) = at.line().split_at_checked(at.pos())?;
        let begun = Begun {
            left: left.to_owned(),
            right: right.to_owned(),
        };
        resume_unwind(Box::new(Left::Suspended(begun)))
    }
}

/// Stops the process until the shell has it go on.
fn suspend() {
    let _ = writeln!(io::stdout());
    if kill_current_process_group(Signal::TSTP).is_ok() {
        std::thread::sleep(STOP_WAIT);
    }
}

/// Keeps a line for later sittings; a home that cannot be written is no reason to stop.
fn remember(editor: &mut Editor<Helper, FileHistory>, line: &str, path: &Path) {
    if let Some(kept) = history::kept(line)
        && editor.add_history_entry(kept).unwrap_or(false)
    {
        let _ = editor.append_history(path);
    }
}

/// The terminal's modes at one time, for them to be as they were.
pub struct Saved(Option<Termios>);

impl Saved {
    /// The modes now.
    pub fn now() -> Self {
        Saved(termios::tcgetattr(io::stdin()).ok())
    }

    /// Back to them.
    pub fn restore(&self) {
        if let Some(modes) = &self.0 {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, modes);
        }
    }
}

/// The terminal gives keys as they are pressed, not lines, until this is dropped.
struct Raw(Saved);

impl Raw {
    /// From now on, with the modes that readline sets too.
    fn begin() -> Self {
        let saved = Saved::now();
        if let Some(mut modes) = saved.0.clone() {
            modes.input_modes -= InputModes::BRKINT
                | InputModes::ICRNL
                | InputModes::INPCK
                | InputModes::ISTRIP
                | InputModes::IXON;
            modes.local_modes -=
                LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
            Saved(Some(modes)).restore();
        }
        Raw(saved)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.0.restore();
    }
}
