//! The commands: one file each, with its words, its help and what it means. Nothing here prints, asks the node or
//! needs a runtime, so parsing and `--help` stay instant.

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::api::{Failure, HeldAct, Reply, Request};

mod act;
mod add_image;
mod add_user;
pub mod apply;
mod approve_device;
mod block;
pub mod central;
mod chat;
mod check;
mod compare;
pub mod completions;
mod config;
mod create_album;
pub mod demo;
mod devices;
mod doctor;
mod enter_album;
mod escrow;
mod export;
mod filter;
mod filters;
pub mod fsck;
pub mod gallery;
mod get_images;
mod get_metadata;
mod get_or_set;
mod held;
mod invite;
mod invites;
mod join;
mod leave_album;
mod link;
mod list;
mod log;
mod login;
mod logout;
pub mod man;
mod members;
pub mod names;
mod net;
mod open;
pub mod paths;
pub mod pattern;
mod peers;
mod preview;
mod rate_image;
mod recover;
mod recovery_words;
mod register;
mod remove_image;
mod remove_user;
mod restore;
mod revoke_device;
mod save;
mod say;
mod select;
mod set_role;
pub mod settings;
mod show;
mod status;
mod sync;
mod trash;
mod unblock;
mod undo;
pub mod up;
pub mod usage;
mod verify;
mod verify_user;
mod watch;
mod when;
mod why;

pub use act::{Act, Context, FilterEntry, FilterList, Guarded, Local, PasswordFrom, WordsFrom};

/// Shared image albums between peers: everyone edits, also offline, and all copies agree.
///
/// Without a command calotype opens its prompt, where every command is typed with a slash (/addImage). A pipe on
/// standard input is a script of such lines.
#[derive(Debug, Parser)]
#[command(
    name = "calotype",
    version,
    subcommand_value_name = "COMMAND",
    disable_help_subcommand = true,
    help_template = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}"
)]
#[command(before_help = "Examples:
  calotype                              opens the prompt; type /register NAME there
  calotype register alice               the same from the shell
  calotype create-album trip
  calotype add-image ~/Pictures/trip
  calotype get-images --json | jq '.images[].name'
  calotype add-image --help             explains a command, with an example")]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub each: Each,
    /// What the process takes.
    #[command(flatten)]
    pub process: Process,
    /// What a node started by the prompt or a script takes.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Script: go on after an error
    #[arg(long)]
    pub keep_going: bool,
    /// What to do; none opens the prompt.
    #[command(subcommand)]
    pub command: Option<Shell>,
}

/// Flags that every command takes, in every door.
#[derive(Debug, Clone, Default, Args)]
pub struct Each {
    /// Album to act on, by name or id (default: the current one)
    #[arg(long, short, global = true, value_name = "ALBUM")]
    pub album: Option<String>,
    /// Print one JSON object (JSON Lines for streams)
    #[arg(long, global = true)]
    pub json: bool,
    /// Never ask on the terminal
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Answer yes to every question
    #[arg(long, short, global = true)]
    pub yes: bool,
    /// Read the password from the first line of FILE
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long, global = true, conflicts_with = "password_file")]
    pub password_stdin: bool,
}

/// Flags of the process.
#[derive(Debug, Clone, Default, Args)]
pub struct Process {
    /// Home folder: keys, albums, image bytes [env: CALOTYPE_HOME]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Central server (default: the embedded one of this account, in CALOTYPE_CENTRAL_DIR) [env: CALOTYPE_CENTRAL]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub central: Option<String>,
    /// Colours: auto means on a terminal [env: NO_COLOR, CLICOLOR_FORCE]
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<Color>,
    /// Tell more on stderr; twice for even more [env: CALOTYPE_LOG=FILTER]
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What your other devices call this one (default: the host's name) [env: CALOTYPE_DEVICE_NAME]
    #[arg(long, global = true, value_name = "NAME")]
    pub device_name: Option<String>,
    /// Do not wait for other members after a change
    #[arg(long, global = true)]
    pub no_sync: bool,
}

/// Flags of a node that stays.
#[derive(Debug, Clone, Default, Args)]
pub struct NodeArgs {
    /// How live edits are sent (default: op)
    #[arg(long, value_name = "HOW")]
    pub replication: Option<Replication>,
    /// Where other peers reach this one (default: 127.0.0.1:0 while the central is on loopback)
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<std::net::SocketAddr>,
    /// Neither say nor hear anything in the local network; on loopback it is so anyway
    #[arg(long)]
    pub no_mdns: bool,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb say otherwise
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The three ways to replicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Replication {
    /// Each edit by itself
    #[default]
    Op,
    /// The edits of a moment together
    Delta,
    /// The whole state
    State,
}

impl From<Replication> for engine::Strategy {
    fn from(how: Replication) -> Self {
        match how {
            Replication::Op => Self::Op,
            Replication::Delta => Self::Delta,
            Replication::State => Self::State,
        }
    }
}

/// Commands of the shell: those of every door, and the processes.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)]
pub enum Shell {
    /// Commands of every door.
    #[command(flatten)]
    Verb(Verb),
    #[allow(missing_docs)]
    Up(up::Up),
    #[allow(missing_docs)]
    Central(central::Central),
    #[allow(missing_docs)]
    Demo(demo::Demo),
    #[allow(missing_docs)]
    Apply(apply::Apply),
    #[allow(missing_docs)]
    Gallery(gallery::Gallery),
    #[allow(missing_docs)]
    Fsck(fsck::Fsck),
    #[allow(missing_docs)]
    Man(man::Man),
    #[allow(missing_docs)]
    Completions(completions::Completions),
}

/// A line of the prompt or of a script, without its slash.
#[derive(Debug, Parser)]
#[command(
    name = "",
    no_binary_name = true,
    disable_help_subcommand = true,
    disable_version_flag = true
)]
pub struct Line {
    /// What every command takes.
    #[command(flatten)]
    pub each: Each,
    /// What to do.
    #[command(subcommand)]
    pub command: Inside,
}

/// Commands of the prompt: those of every door, and its own.
#[derive(Debug, Subcommand)]
pub enum Inside {
    /// Commands of every door.
    #[command(flatten)]
    Verb(Verb),
    #[allow(missing_docs)]
    Central(central::AtPrompt),
    /// List the commands, or explain one
    #[command(after_help = "Example:\n  /help\n  /help addImage")]
    Help {
        /// Command to explain
        command: Option<String>,
    },
    /// Show the next page of the list shown last
    #[command(after_help = "Example:\n  /more")]
    More,
    /// End the prompt
    #[command(after_help = "Example:\n  /quit")]
    Quit,
}

macro_rules! verbs {
    ($($variant:ident($path:path)),* $(,)?) => {
        /// Commands that every door has.
        #[derive(Debug, Subcommand)]
        pub enum Verb {
            $(#[allow(missing_docs)] $variant($path),)*
        }

        impl Verb {
            /// What to do about it, with paths absolute and everything checked that can be checked here.
            ///
            /// # Errors
            /// Whatever is wrong with the words, or with the files they name.
            pub fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
                match self { $(Verb::$variant(it) => it.act(at),)* }
            }
        }
    };
}

verbs! {
    Register(register::Register),
    Login(login::Login),
    Logout(logout::Logout),
    Recover(recover::Recover),
    RecoveryWords(recovery_words::RecoveryWords),
    Devices(devices::Devices),
    ApproveDevice(approve_device::ApproveDevice),
    Link(link::Link),
    RevokeDevice(revoke_device::RevokeDevice),
    Escrow(escrow::Escrow),
    List(list::List),
    CreateAlbum(create_album::CreateAlbum),
    EnterAlbum(enter_album::EnterAlbum),
    LeaveAlbum(leave_album::LeaveAlbum),
    GetImages(get_images::GetImages),
    GetMetadata(get_metadata::GetMetadata),
    GetOrSet(get_or_set::GetOrSet),
    AddImage(add_image::AddImage),
    RemoveImage(remove_image::RemoveImage),
    RateImage(rate_image::RateImage),
    Filter(filter::Filter),
    Filters(filters::Filters),
    Preview(preview::Preview),
    Compare(compare::Compare),
    Verify(verify::Verify),
    Show(show::Show),
    Open(open::Open),
    Save(save::Save),
    Export(export::Export),
    Undo(undo::Undo),
    Log(log::Log),
    Why(why::Why),
    Trash(trash::Trash),
    Restore(restore::Restore),
    AddUser(add_user::AddUser),
    SetRole(set_role::SetRole),
    RemoveUser(remove_user::RemoveUser),
    Held(held::Held),
    VerifyUser(verify_user::VerifyUser),
    Invite(invite::Invite),
    Invites(invites::Invites),
    Join(join::Join),
    Members(members::Members),
    Say(say::Say),
    Chat(chat::Chat),
    Watch(watch::Watch),
    Peers(peers::Peers),
    Status(status::Status),
    Doctor(doctor::Doctor),
    Net(net::Net),
    Sync(sync::Sync),
    Block(block::Block),
    Unblock(unblock::Unblock),
    Config(config::Config),
}

/// The shell's definition: each command also by the prompt's word, the flags of every command under a heading of
/// their own.
pub fn shell() -> clap::Command {
    tidy(Cli::command())
}

/// The prompt's definition; a script of thousands of lines needs it once.
pub fn prompt() -> clap::Command {
    line().clone()
}

/// The prompt's definition of one command, by either spelling.
pub fn of_prompt(name: &str) -> Option<&'static clap::Command> {
    line().find_subcommand(names::kebab(name))
}

fn line() -> &'static clap::Command {
    static LINE: std::sync::OnceLock<clap::Command> = std::sync::OnceLock::new();
    LINE.get_or_init(|| tidy(Line::command()))
}

fn tidy(command: clap::Command) -> clap::Command {
    let mut command = command.mut_subcommands(|sub| {
        let camel = names::camel(sub.get_name());
        if camel == sub.get_name() {
            sub
        } else {
            sub.alias(camel)
        }
    });
    command.build();
    command.mut_subcommands(|sub| {
        sub.mut_args(|arg| {
            if arg.is_global_set() {
                arg.help_heading("Flags of every command")
            } else {
                arg
            }
        })
    })
}

/// Parses the shell's words, the program's name first.
///
/// # Errors
/// Clap's, help and version included.
pub fn parse_shell<I, T>(words: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    Cli::from_arg_matches(&shell().try_get_matches_from(words)?)
}

/// Parses the words of a line, the command's name (without its slash) first.
///
/// # Errors
/// Clap's, help included.
pub fn parse_line<I, T>(words: I) -> Result<Line, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    Line::from_arg_matches(&prompt().try_get_matches_from(words)?)
}

/// An account's name, in normal form.
///
/// # Errors
/// `usage` or `too_large`, with what is wrong with it.
pub fn user_name(text: &str) -> Result<String, Failure> {
    check::user(text)
}

/// Whether a one-shot that worked by itself should let the others know before it ends.
pub fn changes(request: &Request) -> bool {
    matches!(
        request,
        Request::CreateAlbum { .. }
            | Request::EnterAlbum { .. }
            | Request::AddImage { .. }
            | Request::AddClassic { .. }
            | Request::RemoveImage { .. }
            | Request::RateImage { .. }
            | Request::Undo { .. }
            | Request::Restore { .. }
            | Request::AddUser { .. }
            | Request::SetRole { .. }
            | Request::RemoveUser { .. }
            | Request::Held {
                act: HeldAct::Accept,
                ..
            }
            | Request::Join { .. }
            | Request::Filter { .. }
            | Request::FilterMany { .. }
            | Request::Say { .. }
    )
}

/// Whether a request changes nothing here or anywhere, so that it may be asked again and again.
pub fn only_looks(request: &Request) -> bool {
    matches!(
        request,
        Request::List
            | Request::GetImages { .. }
            | Request::GetMetadata { .. }
            | Request::GetOrSet { .. }
            | Request::Log { .. }
            | Request::Why { .. }
            | Request::Trash { .. }
            | Request::Chat { .. }
            | Request::Members { .. }
            | Request::Held {
                act: HeldAct::List,
                ..
            }
            | Request::Invites
            | Request::Peers
            | Request::Devices
            | Request::Status
            | Request::Net { reset: false }
    )
}

/// The request for the next page, where a reply is one page of a longer list.
pub fn next_page(request: &Request, reply: &Reply) -> Option<Request> {
    // Up to where the list goes, as far as is known.
    let (shown, offset, end) = match reply {
        Reply::Images(it) => (it.images.len(), it.offset, it.total),
        Reply::Metadata(it) => (it.images.len(), it.offset, it.total),
        Reply::Trash(it) => (it.images.len(), it.offset, it.total),
        Reply::Log(it) => (it.entries.len(), it.offset, if it.more { u64::MAX } else { 0 }),
        _ => return None,
    };
    let next = offset.saturating_add(shown as u64);
    if shown == 0 || next >= end {
        return None;
    }
    let mut request = request.clone();
    match &mut request {
        Request::GetImages { select, .. } | Request::GetMetadata { select, .. } => {
            select.offset = usize::try_from(next).ok()?;
        }
        Request::Trash { offset, .. } | Request::Log { offset, .. } => {
            *offset = usize::try_from(next).ok()?;
        }
        _ => return None,
    }
    Some(request)
}

/// The album a request acts on, where it names one.
pub fn album_of(request: &Request) -> Option<String> {
    match request {
        Request::EnterAlbum { album } => Some(album.clone()),
        Request::AddImage { album, .. }
        | Request::AddClassic { album, .. }
        | Request::RemoveImage { album, .. }
        | Request::RateImage { album, .. }
        | Request::Undo { album, .. }
        | Request::Restore { album, .. }
        | Request::AddUser { album, .. }
        | Request::SetRole { album, .. }
        | Request::RemoveUser { album, .. }
        | Request::Held { album, .. }
        | Request::Filter { album, .. }
        | Request::FilterMany { album, .. }
        | Request::Say { album, .. } => album.clone(),
        _ => None,
    }
}

#[cfg(test)]
mod walk;
