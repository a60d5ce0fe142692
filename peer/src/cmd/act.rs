//! What a command comes to: a request to the node, or something a door does by itself.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::settings::{Setting, Settings};
use crate::api::{Failure, Request};

/// What a door must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Ask the node and show its reply.
    Ask(Request),
    /// Get a password, then ask the node.
    Guarded {
        /// What for.
        what: Guarded,
        /// Where the password is.
        from: PasswordFrom,
    },
    /// Show news until stopped.
    Watch,
    /// Ask again and again until stopped, and show each answer in the place of the one before.
    Repeat {
        /// Time between two.
        every: std::time::Duration,
        /// The command as typed.
        line: String,
        /// What is asked.
        request: Request,
        /// Whether the answers are shown as JSON.
        json: bool,
    },
    /// Locate an image and show it with the system's viewer.
    Open(Request),
    /// Locate a picture of an image and draw it in the terminal.
    Show {
        /// What is asked.
        request: Request,
        /// Columns to use, where the person said.
        width: Option<u16>,
    },
    /// Locate an image, filter it here, and draw or write what comes out.
    Preview {
        /// What is asked.
        request: Request,
        /// The file to write instead.
        out: Option<PathBuf>,
        /// Columns to use, where the person said.
        width: Option<u16>,
        /// Whether the image as it is stands beside it.
        beside: bool,
    },
    /// Locate two images, compare them here, and draw both.
    Compare {
        /// What is asked.
        request: Request,
        /// The file that gets what differs.
        out: Option<PathBuf>,
        /// Columns to use, where the person said.
        width: Option<u16>,
    },
    /// Answered without a node.
    Local(Local),
}

/// What needs a password first.
#[derive(Debug, Clone, PartialEq)]
pub enum Guarded {
    /// A new account of this name.
    Register(String),
    /// The account of this name.
    Login(String),
    /// The account of this name in a new home, by its recovery words; the password is a new one.
    Recover {
        /// Account name.
        user: String,
        /// Where the words are.
        words: WordsFrom,
        /// Make the account anew where the central has lost it.
        anew: bool,
    },
    /// A new account, by which an album is entered with a code.
    Join {
        /// The code in its one spelling.
        code: String,
        /// The central to use.
        host: Option<String>,
        /// Account name; asked for where there is none.
        user: Option<String>,
        /// How long to wait for a device that answers.
        timeout_ms: u64,
    },
    /// The recovery words, shown again.
    RecoveryWords,
    /// The sealed root key is kept at the central from now on.
    EscrowOn,
    /// A code by which another machine becomes one of my devices.
    ApproveDevice,
    /// Ends one of my devices.
    RevokeDevice {
        /// Its label, or the first digits of its key.
        device: String,
        /// Whether the person said yes already.
        sure: bool,
    },
}

/// Where recovery words come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WordsFrom {
    /// The terminal.
    Terminal,
    /// Standard input, all of it.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Guarded {
    /// Whose password it is, for the question.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Register(user) | Self::Login(user) | Self::Recover { user, .. } => Some(user),
            Self::Join { user, .. } => user.as_deref(),
            Self::RecoveryWords | Self::EscrowOn | Self::ApproveDevice | Self::RevokeDevice { .. } => None,
        }
    }

    /// Whether the password is a new one, which is asked for twice.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::Register(_) | Self::Recover { .. } | Self::Join { .. })
    }
}

/// Where a password comes from; never from a flag's value or the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordFrom {
    /// The terminal, without echo.
    Terminal,
    /// The first line of standard input.
    Stdin,
    /// The first line of a file.
    File(PathBuf),
}

/// Answers that need no node.
#[derive(Debug, Clone, PartialEq)]
pub enum Local {
    /// `filters`.
    Filters(FilterList),
    /// `config show`; with or without origins.
    Config {
        /// Every setting.
        settings: Vec<Setting>,
        /// Whether to tell where each comes from.
        origin: bool,
    },
    /// `man`: the pages themselves.
    Man(Vec<super::man::ManPage>),
    /// `central words`.
    CentralKey(super::central::CentralKey),
    /// `man DIR`: the files that were written.
    Written(Vec<String>),
    /// `completions`.
    Completions {
        /// Whose.
        shell: String,
        /// The script.
        script: String,
    },
}

/// What `filters` lists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilterList {
    /// In the order people should meet them.
    pub filters: Vec<FilterEntry>,
}

/// One filter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilterEntry {
    /// As written in a recipe.
    pub name: &'static str,
    /// What it takes, in words; empty if nothing.
    pub parameters: &'static str,
    /// What it does.
    pub description: &'static str,
    /// A recipe that works.
    pub example: &'static str,
}

/// What a command needs to know of where it is given.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The flags of every command.
    pub each: &'a super::Each,
    /// The folder that relative paths start at.
    pub cwd: &'a Path,
    /// What `~` is.
    pub user_home: Option<&'a Path>,
    /// Whether somebody sits there who can be asked.
    pub terminal: bool,
    /// What is set, and where.
    pub settings: &'a Settings,
    /// Lines that fit on the prompt's terminal; none where everything is printed.
    pub lines: Option<usize>,
}

impl Context<'_> {
    /// The album named by `--album`.
    pub fn album(&self) -> Option<String> {
        self.each.album.clone()
    }

    /// Lines that a long list may take at once; none where everything is printed.
    pub fn page(&self) -> Option<usize> {
        self.lines.filter(|_| !self.each.json)
    }

    /// Where this command's password comes from; `line` is how the command was begun, for the remedy.
    ///
    /// # Errors
    /// `auth` where nobody can be asked and nothing was named.
    pub fn password(&self, line: &str, user: &str) -> Result<PasswordFrom, Failure> {
        if let Some(file) = &self.each.password_file {
            return Ok(PasswordFrom::File(super::paths::absolute(file, self)));
        }
        if self.each.password_stdin {
            return Ok(PasswordFrom::Stdin);
        }
        if self.asks() {
            return Ok(PasswordFrom::Terminal);
        }
        Err(Failure::new(
            crate::api::Code::Auth,
            format!("the password of {user} is needed, and nobody can be asked for it here"),
            format!("put it into a file that only you can read: {line} {user} --password-file FILE"),
        ))
    }

    /// The same for a command about the account of this home; `line` is the whole of it.
    ///
    /// # Errors
    /// As [`Context::password`].
    pub fn own_password(&self, line: &str) -> Result<PasswordFrom, Failure> {
        self.password(line, "").map_err(|failure| Failure {
            message: "your password is needed, and nobody can be asked for it here".to_owned(),
            hint: format!("put it into a file that only you can read: {line} --password-file FILE"),
            ..failure
        })
    }

    /// Whether somebody can be asked.
    pub fn asks(&self) -> bool {
        self.terminal && !self.each.no_input
    }
}
