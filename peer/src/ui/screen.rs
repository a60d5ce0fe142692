//! How wide the screen is that a page is for.

use std::io::IsTerminal;

/// Columns of the terminal on stdout; none where stdout is no terminal, or one that does not tell: a page may then be as
/// wide as it likes.
pub fn columns() -> Option<usize> {
    let out = std::io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out));
    size?
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0)
}
