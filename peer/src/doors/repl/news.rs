//! News above the half-typed line, gathered for a moment so that an import of others is one line. While a command has
//! the terminal they come between its lines; while a password is asked for, or the screen is full, they wait.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::super::control::Control;
use super::reader::Printer;
use super::sign;
use crate::api::{self, Notice};
use crate::ui::{self, Ui, notice};

/// How long news is gathered before it is shown.
const GATHER: Duration = Duration::from_millis(100);

/// Who has the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floor {
    /// Readline, with a line in the making.
    Line,
    /// A command that prints whole lines.
    Work,
    /// Somebody who must not be disturbed.
    Silent,
}

/// What goes above the line.
enum Above {
    News(String),
    /// Nothing: the prompt is to be drawn again.
    Again,
}

/// Who has the terminal, and what waits for it.
struct Terminal {
    floor: Mutex<(Floor, Vec<String>)>,
    /// Whether a drawing was asked for that has not come yet.
    again: AtomicBool,
    ui: Ui,
}

impl Terminal {
    fn floor(&self) -> MutexGuard<'_, (Floor, Vec<String>)> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of its own, where no line is in the making.
    fn tell(&self, line: &str) {
        let _ = self.ui.answer(&format!("{}{line}\n", ui::room()));
    }
}

/// The task that shows news.
pub struct News {
    me: Arc<Mutex<Option<String>>>,
    lines: std::sync::mpsc::Sender<Above>,
    terminal: Arc<Terminal>,
    came: Arc<Notify>,
    task: JoinHandle<()>,
}

impl News {
    /// Begins to show what this node hears.
    pub fn start(control: &Control, printer: Option<Printer>, ui: Ui) -> Self {
        let me = Arc::new(Mutex::new(None));
        let terminal = Arc::new(Terminal {
            floor: Mutex::new((Floor::Work, Vec::new())),
            again: AtomicBool::new(false),
            ui,
        });
        let (lines, texts) = std::sync::mpsc::channel();
        let (ours, came) = (terminal.clone(), Arc::new(Notify::new()));
        // Printing blocks while readline is busy; it must not hold up the runtime.
        std::thread::spawn(move || print(&texts, &ours, printer));
        let task = tokio::spawn(show(control.clone(), lines.clone(), me.clone(), came.clone()));
        News {
            me,
            lines,
            terminal,
            came,
            task,
        }
    }

    /// Whose own deeds are no news here.
    pub fn me(&self, user: Option<String>) {
        *self.me.lock().unwrap_or_else(PoisonError::into_inner) = user;
    }

    /// Says who has the terminal from now on, before they take it. What waited is shown first.
    pub fn floor(&self, next: Floor) {
        let mut floor = self.terminal.floor();
        floor.0 = next;
        if next != Floor::Silent {
            floor.1.drain(..).for_each(|line| self.terminal.tell(&line));
        }
    }

    /// Has the prompt drawn again.
    pub fn again(&self) {
        // One that waits is enough: a search through the history may keep it long.
        if !self.terminal.again.swap(true, Ordering::Relaxed) {
            let _ = self.lines.send(Above::Again);
        }
    }

    /// Says a line of our own among the news.
    pub fn say(&self, line: &str) {
        let _ = self.lines.send(Above::News(line.to_owned()));
    }

    /// Waits until there was news.
    pub async fn came(&self) {
        self.came.notified().await;
    }

    /// Listens to another node from now on.
    pub fn follow(&mut self, control: &Control) {
        self.task.abort();
        let (lines, me, came) = (self.lines.clone(), self.me.clone(), self.came.clone());
        self.task = tokio::spawn(show(control.clone(), lines, me, came));
    }

    /// No more news.
    pub fn stop(&self) {
        self.task.abort();
    }
}

/// Prints what comes, whole lines, or keeps it until whoever has the terminal is done.
fn print(texts: &std::sync::mpsc::Receiver<Above>, terminal: &Terminal, mut printer: Option<Printer>) {
    while let Ok(above) = texts.recv() {
        let line = match above {
            Above::Again => {
                terminal.again.store(false, Ordering::Relaxed);
                None
            }
            Above::News(line) => Some(terminal.ui.out.warn(&line)),
        };
        let mut floor = terminal.floor();
        match (floor.0, &mut printer, line) {
            (Floor::Line, Some(printer), line) => {
                // Blocks where readline is busy.
                drop(floor);
                let text = line.map_or_else(
                    || sign::AGAIN.to_owned(),
                    |line| ui::folded(&line, &io::stdout()).into_owned() + "\n",
                );
                let _ = printer.print(text);
            }
            (Floor::Work, _, Some(line)) => terminal.tell(&line),
            // Without a cursor to move, a line in the making would be torn.
            (Floor::Silent | Floor::Line, _, Some(line)) => floor.1.push(line),
            (_, _, None) => {}
        }
    }
}

async fn show(
    control: Control,
    lines: std::sync::mpsc::Sender<Above>,
    me: Arc<Mutex<Option<String>>>,
    came: Arc<Notify>,
) {
    let Ok(mut news) = control.watch().await else {
        return;
    };
    while let Ok(Some(first)) = news.next().await {
        let mut these = vec![first];
        let until = tokio::time::Instant::now() + GATHER;
        while let Ok(Ok(Some(more))) = tokio::time::timeout_at(until, news.next()).await {
            these.push(more);
        }
        let user = me.lock().unwrap_or_else(PoisonError::into_inner).clone();
        these.retain(|notice| !is_mine(notice, user.as_deref()));
        for line in notice::several(&these) {
            if lines.send(Above::News(line)).is_err() {
                return;
            }
        }
        came.notify_one();
    }
    // The node is gone: whoever waits should look.
    came.notify_one();
}

/// What I did myself was answered where I did it.
fn is_mine(notice: &Notice, me: Option<&str>) -> bool {
    let Some(me) = me else { return false };
    match &notice.news {
        api::News::ImageAdded { author, .. } | api::News::BytesReady { author, .. } => author == me,
        api::News::ImageRemoved { by, .. } | api::News::Rated { by, .. } => by == me,
        api::News::MemberAdded { by, .. }
        | api::News::MemberRemoved { by, .. }
        | api::News::RoleChanged { by, .. } => by == me,
        api::News::Chat { user, .. } => user == me,
        _ => false,
    }
}
