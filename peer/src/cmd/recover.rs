//! `recover`: an account in a new home, by its 24 words.

use std::path::PathBuf;

use clap::Args;

use super::{Act, Context, Guarded, WordsFrom};
use crate::api::{Code, Failure};

/// Bring an account back in this home by its 24 recovery words
///
/// For a lost or broken machine: the same member again, with the same albums, as a new device. Asks for the words, then
/// twice for a new password, which replaces the old one. /devices shows the lost device, /revokeDevice ends it. With --yes
/// the account is made anew where the central has lost it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype recover alice
  calotype recover alice --words-file words --password-file pw
  /recover alice")]
pub struct Recover {
    /// Account name
    pub user: String,
    /// Read the recovery words from FILE (without a terminal: from standard input)
    #[arg(long, value_name = "FILE")]
    pub words_file: Option<PathBuf>,
}

impl Recover {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let user = super::check::user(&self.user)?;
        let words = match self.words_file {
            Some(file) => WordsFrom::File(super::paths::absolute(&file, at)),
            None if at.asks() => WordsFrom::Terminal,
            None if at.each.password_stdin => {
                return Err(Failure::new(
                    Code::Usage,
                    "standard input cannot be both the words and the password",
                    "give the words with --words-file FILE",
                ));
            }
            None => WordsFrom::Stdin,
        };
        let from = at.password("/recover", &user)?;
        Ok(Act::Guarded {
            what: Guarded::Recover {
                user,
                words,
                anew: at.each.yes,
            },
            from,
        })
    }
}
