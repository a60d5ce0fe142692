//! The prompt as a person has it: the binary on a pseudo-terminal, keys typed and the screen read. Every wait is for a
//! text or a state of the terminal, with a deadline.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use peer::api::Request;
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use world::{PATIENCE, World, wait_for};

const ROWS: usize = 40;
const COLUMNS: usize = 120;

/// What a terminal shows: enough of ECMA-48 for a prompt.
struct Screen {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Bytes that may be the beginning of more.
    rest: Vec<u8>,
}

impl Screen {
    fn new() -> Self {
        Self {
            rows: vec![vec![' '; COLUMNS]; ROWS],
            row: 0,
            column: 0,
            rest: Vec::new(),
        }
    }

    fn text(&self, row: usize) -> String {
        self.rows[row].iter().collect::<String>().trim_end().to_owned()
    }

    /// Whether it stands anywhere.
    fn has(&self, text: &str) -> bool {
        (0..ROWS).any(|row| self.text(row).contains(text))
    }

    fn down(&mut self) {
        if self.row + 1 == ROWS {
            self.rows.remove(0);
            self.rows.push(vec![' '; COLUMNS]);
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
                if self.column == COLUMNS {
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
            b'A' => self.row = self.row.saturating_sub(by),
            b'B' => self.row = (self.row + by).min(ROWS - 1),
            b'C' => self.column = (self.column + by).min(COLUMNS - 1),
            b'D' => self.column = self.column.saturating_sub(by),
            b'H' if parameters.is_empty() => (self.row, self.column) = (0, 0),
            b'G' => self.column = by - 1,
            b'K' if n == Some(2) => self.rows[self.row].fill(' '),
            b'K' => self.rows[self.row][self.column.min(COLUMNS)..].fill(' '),
            b'J' => {
                self.rows[self.row][self.column.min(COLUMNS)..].fill(' ');
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

/// A person at a terminal; gone when dropped.
struct Person {
    child: Child,
    keys: File,
    pieces: Receiver<Vec<u8>>,
    screen: Screen,
}

impl Person {
    /// Sits down at a home's prompt.
    fn sit(world: &World, home: &str) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let size = Winsize {
            ws_row: ROWS as u16,
            ws_col: COLUMNS as u16,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let tty =
            File::from(rustix::fs::open(ptsname(&keys, Vec::new()).unwrap(), flags, Mode::empty()).unwrap());
        tcsetwinsize(&tty, size).unwrap();
        let inner = world.home(home).command(&["--color", "never"]);
        // A terminal of its own, so that Ctrl-C is a signal to whoever is in the foreground.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(inner.get_program())
            .args(inner.get_args());
        command.env_clear().current_dir(inner.get_current_dir().unwrap());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TERM", "xterm");
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
            screen: Screen::new(),
        }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Screen) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(&self.screen) {
            match self
                .pieces
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.screen.take(&bytes),
                Err(why) => {
                    let rows: Vec<String> = (0..ROWS).map(|row| self.screen.text(row)).collect();
                    panic!("waited for {what} ({why}) on\n{}", rows.join("\n").trim_end());
                }
            }
        }
    }

    /// Waits until the line of the cursor is alice's prompt with this typed; a hint may follow.
    fn line(&mut self, typed: &str) {
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
    fn above(&mut self, text: &str) {
        self.until(&format!("{text:?} above"), |screen| {
            (0..screen.row).any(|row| screen.text(row).contains(text))
        });
    }

    /// Waits until a command has the terminal, no line being typed: then Ctrl-C is a signal.
    fn is_at_work(&self) {
        wait_for("the command to run", || {
            let modes = tcgetattr(&self.keys).unwrap().local_modes;
            modes
                .contains(LocalModes::ISIG | LocalModes::ICANON)
                .then_some(())
        });
    }

    fn ends(mut self) -> i32 {
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

/// Alice is half-way through a line when bob says something: it appears above, and her line is as it was. Tab finishes
/// the image's name. Ctrl-C takes back a line, then ends a command that waits for a bob who is away, and nothing else:
/// she goes on at the same prompt, in the same process, until Ctrl-D.
#[test]
fn a_sitting_at_the_prompt() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    world.image("harbour at night.jpg", 1);
    world.home("alice").ok(&["add-image", "harbour at night.jpg"]);
    world.sync(&["alice", "bob"]);
    assert_eq!(peers.remove(0).end(), 0);
    let bob = peers[0].control();

    let mut alice = Person::sit(&world, "alice");
    alice.above("/help lists the commands");
    alice.line("");

    // News above the half-typed line, which is drawn again with its prompt; the prompt itself follows the peers.
    alice.types("/rateImage ha");
    alice.until("bob in the prompt", |screen| {
        screen
            .text(screen.row)
            .starts_with("alice@trip (1 peer) > /rateImage ha")
    });
    wait_for("a link", || (bob.status().peers == 1).then_some(()));
    alice.line("/rateImage ha");
    let text = "what a view".to_owned();
    bob.ask(Request::Say { album: None, text }).unwrap();
    alice.above("what a view");
    alice.line("/rateImage ha");
    // A name with spaces comes quoted.
    alice.types("\t");
    alice.line("/rateImage 'harbour at night.jpg'");
    alice.types("4\r");
    alice.above("rated harbour at night.jpg 4");
    alice.line("");

    // Ctrl-C at the prompt takes the line back; twice where nothing is typed, it says how to leave.
    alice.types("/removeImage har");
    alice.line("/removeImage har");
    alice.types("\x03");
    alice.above("/removeImage har");
    alice.line("");
    assert!(!alice.screen.has("ends the prompt"));
    alice.types("\x03");
    alice.until("a second prompt", |screen| {
        let [this, before] = [0, 1].map(|up| screen.text(screen.row - up));
        this == before && this.ends_with('>')
    });
    alice.types("\x03");
    alice.above("Ctrl-D or /quit ends the prompt");
    alice.line("");

    // A command that looks, again and again on a screen of its own; what changes something is refused.
    alice.types("/watch 100ms /status\r");
    alice.until("the other screen", |screen| {
        screen.has("every 100 ms, q ends") && screen.has("user         alice")
    });
    bob.ask(Request::Say {
        album: None,
        text: "not over it".into(),
    })
    .unwrap();
    alice.types("q");
    alice.above("not over it");
    alice.line("");
    alice.types("/watch 1s /removeImage 'harbour at night.jpg'\r");
    alice.above("/removeImage is not repeated");
    alice.line("");

    // Bob is away for a moment: whoever waits for him may stop waiting.
    peers[0].signal(Signal::STOP);
    alice.types(&format!("/addImage late.jpg {} 5\r", "11".repeat(32)));
    alice.above("added");
    alice.line("");
    alice.types("/sync --timeout 55s\r");
    alice.above("/sync --timeout 55s");
    alice.is_at_work();
    alice.types("\x03");
    alice.above("stopped; what was done by then stays");
    alice.line("");
    peers[0].signal(Signal::CONT);
    wait_for("her image", || {
        bob.names().contains(&"late.jpg".to_owned()).then_some(())
    });
    alice.types("/status\r");
    alice.above(&format!("process      {}", alice.child.id()));
    alice.line("");
    alice.types("\x04");
    assert_eq!(alice.ends(), 0);
}
