//! `completions`: what a shell needs to complete commands and flags, made from the same definitions as the help.

use clap::Args;
use clap_complete::Shell;

/// Print the completion script of a shell
///
/// bash finds it in ~/.local/share/bash-completion/completions/calotype, fish in
/// ~/.config/fish/completions/calotype.fish, zsh as _calotype in a folder of its fpath; elvish and PowerShell read it at
/// their start. It completes commands, flags and files; the names of images and albums complete at calotype's own prompt.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype completions bash > ~/.local/share/bash-completion/completions/calotype
  calotype completions fish > ~/.config/fish/completions/calotype.fish")]
pub struct Completions {
    /// Shell that reads it
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// The script.
pub fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut super::shell(), "calotype", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
