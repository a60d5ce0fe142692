//! `central`: hands over to the server.

use central::cli::RunError;
use central::folder::FolderError;
use central::server::ServeError;

use super::{Here, failed};
use crate::api::{Code, Failure};
use crate::cmd::central::Central;
use crate::cmd::names::Spelling;
use crate::ui::Ui;

/// Serves until told to end; its exit code.
pub fn run(here: &Here, command: Central) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let mut args = command.args;
    args.data = Some(
        here.cwd.join(
            args.data
                .unwrap_or_else(|| here.settings.central_dir.value.clone()),
        ),
    );
    args.ready_file = args.ready_file.map(|file| here.cwd.join(file));
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return failed(&ui, &failure),
    };
    let code = match runtime.block_on(central::cli::run(args)) {
        Ok(()) => 0,
        Err(error) => failed(&ui, &failure(&error)),
    };
    runtime.shutdown_background();
    code
}

fn failure(error: &RunError) -> Failure {
    let (code, hint) = match error {
        RunError::Serve(ServeError::Folder(FolderError::Held { .. })) => (
            Code::Busy,
            "that central serves this folder already; use it, or name another folder with --data",
        ),
        RunError::Serve(ServeError::Folder(FolderError::NotOurs { .. })) => {
            (Code::Denied, "name another folder with --data")
        }
        RunError::Serve(ServeError::Listen { .. }) | RunError::Listen { .. } => (
            Code::Usage,
            "name a free address of this machine: --listen 127.0.0.1:0 takes any free port",
        ),
        RunError::ReadyFile(_) => (Code::NotFound, "name a file in a folder that is there and yours"),
        _ => (Code::Internal, "run it again with -vv to see more"),
    };
    Failure::new(code, error.to_string(), hint)
}
