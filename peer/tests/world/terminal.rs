//! A person at a terminal: the binary on a pseudo-terminal, keys typed and the screen read. Every wait is for a text or a
//! state of the terminal, with a deadline.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::{PATIENCE, World, wait_for};

/// What a terminal shows: enough of ECMA-48 for a prompt.
pub struct Screen {
    rows: Vec<Vec<char>>,
    columns: usize,
    /// Where the cursor is.
    pub row: usize,
    column: usize,
    /// The rows and the cursor of the first screen, while the other one is shown.
    first: Option<(Vec<Vec<char>>, usize, usize)>,
    /// Bytes that may be the beginning of more.
    rest: Vec<u8>,
}

impl Screen {
    fn new(columns: usize, rows: usize) -> Self {
        Self {
            rows: vec![vec![' '; columns]; rows],
            columns,
            row: 0,
            column: 0,
            first: None,
            rest: Vec::new(),
        }
    }

    /// One row, without the spaces at its end.
    pub fn text(&self, row: usize) -> String {
        self.rows[row].iter().collect::<String>().trim_end().to_owned()
    }

    /// Whether it stands anywhere.
    pub fn has(&self, text: &str) -> bool {
        (0..self.rows.len()).any(|row| self.text(row).contains(text))
    }

    fn down(&mut self) {
        if self.row + 1 == self.rows.len() {
            self.rows.remove(0);
            self.rows.push(vec![' '; self.columns]);
        } else {
            self.row += 1;
        }
    }

    fn put(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\n' => self.down(),
            '\x08' => self.column = self.column.saturating_sub(1),
            c if c.is_control() => {}
            c => {
                if self.column == self.columns {
                    self.column = 0;
                    self.down();
                }
                self.rows[self.row][self.column] = c;
                self.column += 1;
            }
        }
    }

    /// A control sequence: its parameters and final byte.
    fn control(&mut self, parameters: &[u8], last: u8) {
        let n = std::str::from_utf8(parameters).unwrap().parse().ok();
        let by = n.unwrap_or(1).max(1);
        match last {
            b'h' if parameters == b"?1049" => {
                let blank = vec![vec![' '; self.columns]; self.rows.len()];
                let rows = std::mem::replace(&mut self.rows, blank);
                self.first = Some((rows, self.row, self.column));
            }
            b'l' if parameters == b"?1049" => {
                if let Some(first) = self.first.take() {
                    (self.rows, self.row, self.column) = first;
                }
            }
            b'A' => self.row = self.row.saturating_sub(by),
            b'B' => self.row = (self.row + by).min(self.rows.len() - 1),
            b'C' => self.column = (self.column + by).min(self.columns - 1),
            b'D' => self.column = self.column.saturating_sub(by),
            b'H' if parameters.is_empty() => (self.row, self.column) = (0, 0),
            b'G' => self.column = by - 1,
            b'K' if n == Some(2) => self.rows[self.row].fill(' '),
            b'K' => self.rows[self.row][self.column.min(self.columns)..].fill(' '),
            b'J' => {
                self.rows[self.row][self.column.min(self.columns)..].fill(' ');
                self.rows[self.row + 1..].iter_mut().for_each(|row| row.fill(' '));
            }
            _ => {}
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend(bytes);
        let all = std::mem::take(&mut self.rest);
        let mut at = 0;
        while at < all.len() {
            let here = &all[at..];
            at += match here {
                [0x1b, b'[', tail @ ..] => match tail.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
                    Some(end) => {
                        self.control(&tail[..end], tail[end]);
                        end + 3
                    }
                    None => break,
                },
                [0x1b] => break,
                [0x1b, ..] => 2,
                [first, ..] => {
                    let wide = match first {
                        0xf0.. => 4,
                        0xe0.. => 3,
                        0xc0.. => 2,
                        _ => 1,
                    };
                    let Some(text) = here.get(..wide) else { break };
                    String::from_utf8_lossy(text).chars().for_each(|c| self.put(c));
                    wide
                }
                [] => break,
            };
        }
        self.rest = all[at..].to_vec();
    }
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// A person at a terminal; gone when dropped.
pub struct Person {
    pub child: Child,
    keys: File,
    pieces: Receiver<Vec<u8>>,
    pub screen: Screen,
    /// What came from the first escape on.
    pub escaped: String,
    /// Every byte that came.
    pub bytes: Vec<u8>,
}

impl Person {
    /// Sits down at a home's prompt, 120 columns by 40 rows.
    pub fn sit(world: &World, home: &str) -> Self {
        let inner = world.home(home).command(&["--color", "never"]);
        Self::start(&inner, 120, 40)
    }

    /// Starts a program on a terminal of this size.
    pub fn start(inner: &Command, columns: u16, rows: u16) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let tty =
            File::from(rustix::fs::open(ptsname(&keys, Vec::new()).unwrap(), flags, Mode::empty()).unwrap());
        tcsetwinsize(&tty, size(columns, rows)).unwrap();
        // A terminal of its own, so that Ctrl-C is a signal to whoever is in the foreground.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(inner.get_program())
            .args(inner.get_args());
        command.env_clear().current_dir(inner.get_current_dir().unwrap());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // What the world does not say is as on most terminals.
        if inner.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm");
        }
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let child = command
            .stdin(tty.try_clone().unwrap())
            .stdout(tty.try_clone().unwrap())
            .stderr(tty)
            .spawn()
            .unwrap();
        let (keys, (tell, pieces)) = (File::from(keys), mpsc::channel());
        let mut eyes = keys.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // Ends when the other side is closed.
            while let Ok(n @ 1..) = eyes.read(&mut piece) {
                if tell.send(piece[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keys,
            pieces,
            screen: Screen::new(columns.into(), rows.into()),
            escaped: String::new(),
            bytes: Vec::new(),
        }
    }

    /// The terminal becomes as wide, and blank.
    pub fn resize(&mut self, columns: u16) {
        let rows = self.screen.rows.len();
        tcsetwinsize(&self.keys, size(columns, rows as u16)).unwrap();
        self.screen = Screen::new(columns.into(), rows);
    }

    /// Forgets what the screen shows.
    pub fn blank(&mut self) {
        self.screen = Screen::new(self.screen.columns, self.screen.rows.len());
    }

    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen is so.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&Screen) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(&self.screen) {
            match self
                .pieces
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => {
                    if !self.escaped.is_empty() || bytes.contains(&0x1b) {
                        self.escaped += &String::from_utf8_lossy(&bytes);
                    }
                    self.screen.take(&bytes);
                    self.bytes.extend(bytes);
                }
                Err(why) => {
                    let rows: Vec<String> = (0..self.screen.rows.len())
                        .map(|row| self.screen.text(row))
                        .collect();
                    panic!("waited for {what} ({why}) on\n{}", rows.join("\n").trim_end());
                }
            }
        }
    }

    /// Waits until the line of the cursor is alice's prompt with this typed; a hint may follow.
    pub fn line(&mut self, typed: &str) {
        self.until(&format!("the line {typed:?}"), |screen| {
            let line = screen.text(screen.row);
            let rest = line
                .strip_prefix("alice@trip (")
                .and_then(|line| line.split_once(" >"));
            rest.is_some_and(|(_, rest)| match typed {
                "" => rest.is_empty(),
                typed => rest.trim_start().starts_with(typed),
            })
        });
    }

    /// Waits until this stands above the line of the cursor.
    pub fn above(&mut self, text: &str) {
        self.until(&format!("{text:?} above"), |screen| {
            (0..screen.row).any(|row| screen.text(row).contains(text))
        });
    }

    /// Waits until a command has the terminal, no line being typed: then Ctrl-C is a signal.
    pub fn is_at_work(&self) {
        wait_for("the command to run", || {
            let modes = tcgetattr(&self.keys).unwrap().local_modes;
            modes
                .contains(LocalModes::ISIG | LocalModes::ICANON)
                .then_some(())
        });
    }

    /// Types a line at the prompt and waits for what it brings, then for the next prompt.
    pub fn does(&mut self, line: &str, brings: &str) {
        self.types(&format!("{line}\r"));
        self.above(brings);
        self.line("");
    }

    /// Presses Tab and waits for the line that it makes, then takes it back.
    pub fn tab(&mut self, typed: &str, makes: &str) {
        self.types(typed);
        self.line(typed);
        self.types("\t");
        self.line(makes);
        self.types("\x15");
        self.line("");
    }

    /// Waits for the end; what came until then, and the exit code.
    pub fn last(mut self) -> (String, i32) {
        while let Ok(bytes) = self.pieces.recv_timeout(PATIENCE) {
            self.bytes.extend(bytes);
        }
        let bytes = std::mem::take(&mut self.bytes);
        (String::from_utf8(bytes).unwrap(), self.ends())
    }

    pub fn ends(mut self) -> i32 {
        wait_for("the end", || self.child.try_wait().unwrap())
            .code()
            .unwrap_or(-1)
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
