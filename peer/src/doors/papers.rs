//! `man` and `completions`: texts made from the definition of the commands, printed or written.

use std::path::Path;

use super::{Here, ended, failed};
use crate::api::{Code, Failure};
use crate::cmd::completions::{self, Completions};
use crate::cmd::man::{self, Man};
use crate::cmd::names::Spelling;
use crate::cmd::{Local, paths};
use crate::ui::Ui;

/// Prints or writes the pages; the exit code.
pub fn man(here: &Here, flags: &Man) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let pages = man::pages();
    let local = match &flags.dir {
        None => Local::Man(pages),
        Some(dir) => match write(&paths::absolute(dir, &here.context(&here.each)), &pages) {
            Ok(written) => Local::Written(written),
            Err(failure) => return failed(&ui, &failure),
        },
    };
    ended(ui.local(&local))
}

/// Prints the script; the exit code.
pub fn completions(here: &Here, flags: &Completions) -> u8 {
    let ui = Ui::new(here.each.json, Spelling::Shell, here.settings.color.value);
    let (shell, script) = (flags.shell.to_string(), completions::script(flags.shell));
    ended(ui.local(&Local::Completions { shell, script }))
}

/// Writes the pages into a folder; their paths.
fn write(dir: &Path, pages: &[man::ManPage]) -> Result<Vec<String>, Failure> {
    let failure = |path: &Path, e: std::io::Error| {
        let why = format!("cannot write {}: {e}", path.display());
        Failure::new(Code::Denied, why, "name a folder that you may write")
    };
    std::fs::create_dir_all(dir).map_err(|e| failure(dir, e))?;
    let mut written = Vec::new();
    for page in pages {
        let path = dir.join(&page.name);
        std::fs::write(&path, &page.text).map_err(|e| failure(&path, e))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}
