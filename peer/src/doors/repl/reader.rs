//! Readline on its own thread: asked for one line at a time, so that a running command has the terminal to itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::termios::{self, OptionalActions, Termios};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor, ExternalPrinter};
use tokio::sync::mpsc;

use super::facts::Facts;
use super::helper::Helper;
use super::history;
use crate::api::{Code, Failure};
use crate::ui::Paint;

/// Prints above the line that is being typed.
pub type Printer = Box<dyn ExternalPrinter + Send>;

/// What came of asking for a line.
pub enum Read {
    /// A line.
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or the terminal is gone.
    End,
}

/// The readline thread's handle.
pub struct Reader {
    ask: std::sync::mpsc::Sender<String>,
    lines: mpsc::UnboundedReceiver<Read>,
    facts: Arc<Facts>,
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
            .auto_add_history(false)
            .history_ignore_dups(true)
            .and_then(|c| c.max_history_size(history::LINES_MAX))
            .map_err(no_terminal)?
            .build();
        let facts = Arc::new(facts);
        let mut editor: Editor<Helper, FileHistory> = Editor::with_config(config).map_err(no_terminal)?;
        editor.set_helper(Some(Helper::new(facts.clone(), paint)));
        let _ = editor.load_history(history);
        let printer = editor
            .create_external_printer()
            .ok()
            .map(|p| Box::new(p) as Printer);
        let (ask, asked) = std::sync::mpsc::channel::<String>();
        let (to, lines) = mpsc::unbounded_channel();
        let history: PathBuf = history.to_owned();
        std::thread::spawn(move || {
            while let Ok(prompt) = asked.recv() {
                let read = match editor.readline(&prompt) {
                    Ok(line) => {
                        remember(&mut editor, &line, &history);
                        Read::Line(line)
                    }
                    Err(ReadlineError::Interrupted) => Read::Interrupted,
                    Err(_) => Read::End,
                };
                if to.send(read).is_err() {
                    return;
                }
            }
        });
        Ok((Reader { ask, lines, facts }, printer))
    }

    /// Asks for a line.
    pub fn read(&self, prompt: String) {
        let _ = self.ask.send(prompt);
    }

    /// The line that was asked for.
    pub async fn next(&mut self) -> Read {
        self.lines.recv().await.unwrap_or(Read::End)
    }

    /// What completion knows.
    pub fn facts(&self) -> &Facts {
        &self.facts
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

/// The terminal's modes at the start: a prompt that is ended from outside leaves them as they were.
pub struct Saved(Option<Termios>);

impl Saved {
    /// The modes now.
    pub fn now() -> Self {
        Saved(termios::tcgetattr(std::io::stdin()).ok())
    }

    /// Back to them.
    pub fn restore(self) {
        if let Some(modes) = self.0 {
            let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &modes);
        }
    }
}
