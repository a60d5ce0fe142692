//! News above the half-typed line, gathered for a moment so that an import of others is one line.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::super::control::Control;
use super::reader::Printer;
use crate::api::{self, Notice};
use crate::ui::{self, Ui, notice};

/// How long news is gathered before it is shown.
const GATHER: Duration = Duration::from_millis(100);

/// The task that shows news.
pub struct News {
    me: Arc<Mutex<Option<String>>>,
    lines: std::sync::mpsc::Sender<String>,
    task: JoinHandle<()>,
}

impl News {
    /// Begins to show what this node hears.
    pub fn start(control: &Control, printer: Option<Printer>, ui: Ui) -> Self {
        let me = Arc::new(Mutex::new(None));
        let (lines, texts) = std::sync::mpsc::channel::<String>();
        // The printer blocks while readline is busy; it must not hold up the runtime.
        std::thread::spawn(move || {
            let mut printer = printer;
            while let Ok(line) = texts.recv() {
                let line = format!("{}{}\n", ui::room(), ui.out.warn(&line));
                let printed = printer.as_mut().is_some_and(|p| p.print(line.clone()).is_ok());
                if !printed {
                    let _ = ui.answer(&line);
                }
            }
        });
        let task = tokio::spawn(show(control.clone(), lines.clone(), me.clone()));
        News { me, lines, task }
    }

    /// Whose own deeds are no news here.
    pub fn me(&self, user: Option<String>) {
        *self.me.lock().unwrap_or_else(PoisonError::into_inner) = user;
    }

    /// Listens to another node from now on.
    pub fn follow(&mut self, control: &Control) {
        self.task.abort();
        self.task = tokio::spawn(show(control.clone(), self.lines.clone(), self.me.clone()));
    }

    /// No more news.
    pub fn stop(&self) {
        self.task.abort();
    }
}

async fn show(control: Control, lines: std::sync::mpsc::Sender<String>, me: Arc<Mutex<Option<String>>>) {
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
            if lines.send(line).is_err() {
                return;
            }
        }
    }
}

/// What I did myself was answered where I did it.
fn is_mine(notice: &Notice, me: Option<&str>) -> bool {
    let Some(me) = me else { return false };
    match &notice.news {
        api::News::ImageAdded { author, .. } | api::News::BytesReady { author, .. } => author == me,
        api::News::ImageRemoved { by, .. } | api::News::Rated { by, .. } => by == me,
        api::News::MemberAdded { by, .. } | api::News::MemberRemoved { by, .. } => by == me,
        api::News::Chat { user, .. } => user == me,
        _ => false,
    }
}
