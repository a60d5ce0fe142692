//! `gallery`: an album in a browser.

use clap::Args;

/// Show an album in a browser on this machine, to look and not to touch
///
/// Prints a link that works once, in one browser; the page follows what happens in the album until Ctrl-C or SIGTERM.
/// It listens on 127.0.0.1 only. With --json the link is the url of one object.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype gallery
  calotype gallery --album trip --port 8080")]
pub struct Gallery {
    /// Port to listen on; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
}
