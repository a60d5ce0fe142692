//! The doors: how a person or a script reaches the node. One-shot commands, the prompt, scripts from a pipe, and `up`;
//! all of them speak to a node through its control socket, also when it lives in this very process.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::api::{Code, Failure};
use crate::cmd::names::Spelling;
use crate::cmd::settings::Settings;
use crate::cmd::{self, Cli, Color, Context, Each, Shell};
use crate::ui::{Paint, Ui};
use perform::Trouble;

mod apply;
mod control;
mod demo;
mod fsck;
mod gallery;
mod host;
mod interrupt;
mod look;
mod oneshot;
mod papers;
mod password;
mod perform;
mod repeat;
mod repl;
mod script;
mod serve;
mod up;
pub mod words;

#[cfg(test)]
pub(crate) use words::{Typed, read as read_line, split as split_line};

/// Exit code after Ctrl-C.
const CANCELLED: u8 = 130;

/// What every door knows about the process it runs in.
struct Here {
    settings: Settings,
    each: Each,
    cwd: PathBuf,
    user_home: Option<PathBuf>,
    keep_going: bool,
    no_sync: bool,
}

impl Here {
    /// What a command given here needs to know; `each` are the flags of its line.
    fn context<'a>(&'a self, each: &'a Each) -> Context<'a> {
        Context {
            each,
            cwd: &self.cwd,
            user_home: self.user_home.as_deref(),
            terminal: std::io::stdin().is_terminal(),
            settings: &self.settings,
            lines: None,
        }
    }

    /// The flags of a line, where it is silent those of the process.
    fn each(&self, line: Each) -> Each {
        let of = &self.each;
        let password = line.password_file.is_some() || line.password_stdin;
        Each {
            album: line.album.or_else(|| of.album.clone()),
            json: line.json || of.json,
            no_input: line.no_input || of.no_input,
            yes: line.yes || of.yes,
            password_file: if password {
                line.password_file
            } else {
                of.password_file.clone()
            },
            password_stdin: line.password_stdin || (!password && of.password_stdin),
        }
    }
}

/// Parse, mean, run.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    ExitCode::from(run(words))
}

fn run(words: Vec<OsString>) -> u8 {
    // Failures before the flags are understood still honour --json.
    let json = words.iter().any(|word| word == "--json");
    let cli = match cmd::parse_shell(words) {
        Ok(cli) => cli,
        Err(error) if cmd::usage::is_answer(&error) => {
            let ui = Ui::new(false, Spelling::Shell, Color::Auto);
            let text = error.render();
            let text = if ui.out.0 {
                text.ansi().to_string()
            } else {
                text.to_string()
            };
            return ended(ui.answer(&text));
        }
        Err(error) => {
            let ui = Ui::new(json, Spelling::Shell, Color::Auto);
            return failed(&ui, &cmd::usage::failure(&error, Spelling::Shell));
        }
    };
    let (here, command) = match here(cli) {
        Ok(both) => both,
        Err(failure) => return failed(&Ui::new(json, Spelling::Shell, Color::Auto), &failure),
    };
    match command {
        Some(Shell::Verb(verb)) => oneshot::run(&here, verb),
        Some(Shell::Up(flags)) => up::run(&here, flags),
        Some(Shell::Central(command)) => serve::run(&here, command),
        Some(Shell::Demo(flags)) => demo::run(&here, flags),
        Some(Shell::Apply(flags)) => apply::run(&here, &flags),
        Some(Shell::Gallery(flags)) => gallery::run(&here, &flags),
        Some(Shell::Fsck(_)) => fsck::run(&here),
        Some(Shell::Man(flags)) => papers::man(&here, &flags),
        Some(Shell::Completions(flags)) => papers::completions(&here, &flags),
        None if std::io::stdin().is_terminal() => repl::run(&here),
        None => script::run(&here),
    }
}

/// Flags, environment and file put together.
fn here(cli: Cli) -> Result<(Here, Option<Shell>), Failure> {
    let cwd = std::env::current_dir().map_err(|e| {
        Failure::new(
            Code::Usage,
            format!("the current folder cannot be used: {e}"),
            "go to another folder first",
        )
    })?;
    // `up --listen` and `--listen up` mean the same.
    let node = match &cli.command {
        Some(Shell::Up(up)) => cmd::NodeArgs {
            replication: up.node.replication.or(cli.node.replication),
            listen: up.node.listen.or(cli.node.listen),
            no_mdns: up.node.no_mdns || cli.node.no_mdns,
        },
        _ => cli.node.clone(),
    };
    let settings = Settings::read(&cli.process, &node, &cwd, &|name| std::env::var_os(name))?;
    let quiet = match &cli.command {
        Some(Shell::Up(_)) => false,
        Some(Shell::Central(command)) => command.what.is_some(),
        _ => true,
    };
    trace(cli.process.verbose, quiet);
    let here = Here {
        settings,
        each: cli.each,
        cwd,
        user_home: std::env::var_os("HOME")
            .filter(|h| !h.is_empty())
            .map(PathBuf::from),
        keep_going: cli.keep_going,
        no_sync: cli.process.no_sync,
    };
    Ok((here, cli.command))
}

/// Logs to stderr as `-v` and CALOTYPE_LOG say; nothing is set up where nobody asked.
fn trace(verbose: u8, quiet: bool) {
    let asked = std::env::var("CALOTYPE_LOG").ok().filter(|f| !f.is_empty());
    let filter = match (asked, verbose) {
        (Some(filter), _) => filter,
        (None, 0) if quiet => return,
        (None, 0) => "warn".to_owned(),
        (None, 1) => "info".to_owned(),
        (None, _) => "debug".to_owned(),
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

/// The runtime of the doors that need a node.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| {
            Failure::new(
                Code::Internal,
                format!("no threads to work with: {e}"),
                "end other programs and try again",
            )
        })
}

/// Shows a failure; its exit code.
fn failed(ui: &Ui, failure: &Failure) -> u8 {
    match ui.failure(failure) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => 1,
        _ => failure.code.exit(),
    }
}

/// The exit code after printing: whoever closed the pipe has read enough; what else is wrong with stdout is told on stderr.
fn ended(printed: std::io::Result<()>) -> u8 {
    match printed.map_err(Trouble::from) {
        Ok(()) | Err(Trouble::NobodyReads) => 0,
        Err(Trouble::Failure(failure)) => {
            crate::ui::last_words(&crate::ui::failure::text(&failure, Spelling::Shell, Paint(false)));
            failure.code.exit()
        }
    }
}
