//! `central`: hands over to the server, shows the words of its key, or has the node trust it.

use std::path::{Path, PathBuf};

use central::cli::RunError;
use central::folder::FolderError;
use central::server::ServeError;

use super::{Here, failed};
use crate::api::{Code, Failure};
use crate::cmd::Local;
use crate::cmd::central::{Central, CentralKey, What};
use crate::cmd::names::Spelling;
use crate::ui::Ui;

/// Serves until told to end, or does what was asked instead; the exit code.
pub fn run(here: &Here, command: Central) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let folder = |data: Option<PathBuf>| {
        let embedded = || here.settings.central_dir.value.clone();
        here.cwd.join(data.unwrap_or_else(embedded))
    };
    let mut args = match command.what {
        None => command.args,
        Some(What::Trust(trust)) => return super::oneshot::carry_out(here, Ok(trust.act())),
        Some(What::Words { data }) => {
            return match words(&folder(data)) {
                Ok(key) => super::ended(ui.local(&Local::CentralKey(key))),
                Err(failure) => failed(&ui, &failure),
            };
        }
    };
    args.data = Some(folder(args.data));
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

/// The key in a central's data folder.
fn words(data: &Path) -> Result<CentralKey, Failure> {
    let key = central::identity::read_fingerprint(data).map_err(|error| {
        let message = format!("no central's key is in {}: {error}", data.display());
        let hint = "name the folder that the central was started with: --data DIR";
        Failure::new(Code::NotFound, message, hint)
    })?;
    Ok(CentralKey {
        key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
        words: central::words::fingerprint(&key),
    })
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
