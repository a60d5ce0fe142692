//! `man`: manual pages, made from the same definitions as the help.

use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man as Page;
use serde::Serialize;

/// Print the manual pages, or write them into a folder
///
/// One page for calotype and one for each command. Pages in ~/.local/share/man/man1 are found by man as they are:
/// man calotype, man calotype-add-image.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype man ~/.local/share/man/man1
  calotype man | man --local-file -")]
pub struct Man {
    /// Folder for the pages; made if it is not there
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManPage {
    /// Its file, as in `calotype-add-image.1`.
    pub name: String,
    /// Its text, roff.
    pub text: String,
}

/// All pages, calotype(1) first.
pub fn pages() -> Vec<ManPage> {
    let mut pages = Vec::new();
    add(super::shell(), "calotype".to_owned(), &mut pages);
    pages
}

fn add(command: clap::Command, name: String, pages: &mut Vec<ManPage>) {
    let inner: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    // Writing to memory does not fail.
    let text = page(command, &name).unwrap_or_default();
    pages.push(ManPage {
        name: format!("{name}.1"),
        text: String::from_utf8_lossy(&text).into_owned(),
    });
    for command in inner {
        let name = format!("{name}-{}", command.get_name());
        add(command, name, pages);
    }
}

fn page(command: clap::Command, name: &str) -> std::io::Result<Vec<u8>> {
    let examples = command.get_after_help().or(command.get_before_help());
    let examples = examples.map(ToString::to_string).unwrap_or_default();
    let inner = command.has_subcommands();
    let page = Page::new(command.name(name.to_owned()).display_name(name.to_owned()))
        .section("1")
        .manual("calotype");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    text.extend(section(&examples).into_bytes());
    page.render_options_section(&mut text)?;
    if inner {
        page.render_subcommands_section(&mut text)?;
    }
    if name == "calotype" {
        page.render_version_section(&mut text)?;
    }
    Ok(text)
}

/// `Example:` and its lines, which stay lines.
fn section(examples: &str) -> String {
    let Some((_, lines)) = examples.split_once('\n') else {
        return String::new();
    };
    let mut out = ".SH EXAMPLES\n.nf\n".to_owned();
    for line in lines.lines() {
        let line = line.strip_prefix("  ").unwrap_or(line);
        out.push_str(&format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-")));
    }
    out + ".fi\n"
}
