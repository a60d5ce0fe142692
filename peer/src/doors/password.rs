//! Passwords: from the terminal without echo, from a file, from standard input; never from a flag or the environment.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use rustix::termios::{self, LocalModes, OptionalActions};

use crate::api::{Code, Failure, NewAccount, Request, Secret};
use crate::cmd::{Act, Guarded, PasswordFrom, WordsFrom};
use crate::recovery;

/// Longest password that is read.
const BYTES_MAX: u64 = 1024;

/// Why there is no password.
pub enum NoPassword {
    /// Something to tell.
    Failure(Failure),
    /// Ctrl-C or Ctrl-D at the question.
    Cancelled,
}

/// The request with its password, and whatever else only a person or a file can tell; any other act unchanged. Blocks at
/// the terminal.
pub fn resolve(act: Act) -> Result<Act, NoPassword> {
    let Act::Guarded { mut what, from } = act else {
        return Ok(act);
    };
    // First what may be wrong for other reasons than the password.
    let mut words = Secret(String::new());
    match &mut what {
        Guarded::Recover { words: from, .. } => words = recovery_words(from)?,
        Guarded::RevokeDevice { device, sure: false } => is_sure(device)?,
        Guarded::Join { user, .. } if user.is_none() => *user = Some(asked_name()?),
        _ => {}
    }
    let password = match from {
        PasswordFrom::File(path) => of_file(&path).map_err(NoPassword::Failure)?,
        PasswordFrom::Stdin => {
            first_line(std::io::stdin().lock(), "standard input").map_err(NoPassword::Failure)?
        }
        PasswordFrom::Terminal => asked(&what)?,
    };
    Ok(Act::Ask(match what {
        Guarded::Register(user) => Request::Register { user, password },
        Guarded::Login(user) => Request::Login { user, password },
        Guarded::Recover { user, anew, .. } => Request::Recover {
            user,
            words,
            password,
            anew,
        },
        Guarded::Join {
            code,
            host,
            user,
            timeout_ms,
        } => Request::Join {
            code,
            host,
            account: Some(NewAccount {
                user: user.unwrap_or_default(),
                password,
            }),
            timeout_ms,
        },
        Guarded::RecoveryWords => Request::RecoveryWords { password },
        Guarded::EscrowOn => Request::EscrowOn { password },
        Guarded::ApproveDevice => Request::ApproveDevice { password },
        Guarded::RevokeDevice { device, .. } => Request::RevokeDevice { device, password },
    }))
}

/// The 24 words, checked here so that a misspelt one is told before anything else is asked.
fn recovery_words(from: &WordsFrom) -> Result<Secret, NoPassword> {
    let unreadable = |shown: &str, error: std::io::Error| {
        NoPassword::Failure(Failure::new(
            Code::NotFound,
            format!("cannot read the recovery words from {shown}: {error}"),
            "name a file that holds the 24 words",
        ))
    };
    let all = |from: &mut dyn Read, shown: &str| -> Result<Secret, NoPassword> {
        let mut text = Secret(String::new());
        from.take(BYTES_MAX)
            .read_to_string(&mut text.0)
            .map_err(|error| unreadable(shown, error))?;
        Ok(text)
    };
    let words = match from {
        WordsFrom::File(path) => {
            let shown = path.display().to_string();
            let mut file = File::open(path).map_err(|error| unreadable(&shown, error))?;
            all(&mut file, &shown)?
        }
        WordsFrom::Stdin => all(&mut std::io::stdin().lock(), "standard input")?,
        WordsFrom::Terminal => {
            let mut words = Secret(String::new());
            loop {
                let known = recovery::words_in(&words.0).map_err(NoPassword::Failure)?.len();
                if known >= recovery::WORDS {
                    break words;
                }
                let next = known + 1;
                let line = question(&format!("Recovery words, from word {next} on: "), Echo::On)?;
                // A misspelt word is asked for again, with the others of its line.
                match recovery::words_in(&line.0) {
                    Ok(_) => words.0.extend([" ", line.0.as_str()]),
                    Err(failure) => say(&format!("{}; {}", failure.message, failure.hint)),
                }
            }
        }
    };
    recovery::seed_of(&words.0).map_err(NoPassword::Failure)?;
    Ok(words)
}

/// Asks for the name of a new account.
fn asked_name() -> Result<String, NoPassword> {
    let name = question("Your name here, as others will see it: ", Echo::On)?;
    crate::cmd::user_name(name.0.trim()).map_err(NoPassword::Failure)
}

/// Asks before what cannot be taken back.
fn is_sure(device: &str) -> Result<(), NoPassword> {
    let shown = crate::ui::clean(device);
    let answer = question(
        &format!("Revoke {shown}? It cannot come back as that device. Type yes: "),
        Echo::On,
    )?;
    match answer.0.trim() {
        "yes" | "y" => Ok(()),
        _ => Err(NoPassword::Cancelled),
    }
}

/// The first line of a file.
pub fn of_file(path: &Path) -> Result<Secret, Failure> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|e| {
        let code = if e.kind() == std::io::ErrorKind::NotFound {
            Code::NotFound
        } else {
            Code::Auth
        };
        Failure::new(
            code,
            format!("cannot read the password file {shown}: {e}"),
            "name a file whose first line is the password",
        )
    })?;
    first_line(BufReader::new(file), &shown)
}

fn first_line(from: impl BufRead, shown: &str) -> Result<Secret, Failure> {
    let mut line = Vec::new();
    let failure = |why: String| Failure::new(Code::Auth, why, "its first line must be the password");
    from.take(BYTES_MAX + 2)
        .read_until(b'\n', &mut line)
        .map_err(|e| failure(format!("cannot read the password from {shown}: {e}")))?;
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    if line.is_empty() {
        return Err(failure(format!("there is no password in {shown}")));
    }
    if line.len() as u64 > BYTES_MAX {
        return Err(failure(format!(
            "the first line of {shown} is longer than {BYTES_MAX} bytes"
        )));
    }
    String::from_utf8(line)
        .map(Secret)
        .map_err(|_| failure(format!("the first line of {shown} is not UTF-8")))
}

/// Asks; twice for a new password.
fn asked(what: &Guarded) -> Result<Secret, NoPassword> {
    let failure = |message: &str, hint: &str| NoPassword::Failure(Failure::new(Code::Auth, message, hint));
    let new = if matches!(what, Guarded::Recover { .. }) {
        "New password"
    } else {
        "Password"
    };
    let password = match what.user() {
        Some(user) => question(&format!("{new} of {}: ", crate::ui::clean(user)), Echo::Off)?,
        None => question("Your password: ", Echo::Off)?,
    };
    if password.0.is_empty() {
        return Err(failure(
            "the password is empty",
            "type one; nothing shows while you do",
        ));
    }
    if what.is_new() && question("The same again: ", Echo::Off)? != password {
        return Err(failure("the two passwords differ", "try again"));
    }
    Ok(password)
}

/// Whether what is typed shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

/// A line for the person, on the terminal itself.
fn say(line: &str) {
    if let Ok(mut tty) = File::options().write(true).open("/dev/tty") {
        let _ = tty.write_all(format!("{}\n", crate::ui::clean(line)).as_bytes());
    }
}

/// Reads one line from the terminal itself; the terminal is as before afterwards, also after Ctrl-C.
fn question(prompt: &str, echo: Echo) -> Result<Secret, NoPassword> {
    let failed = |e: std::io::Error| {
        let why = format!("the terminal cannot be asked for a password: {e}");
        NoPassword::Failure(Failure::new(Code::Auth, why, "give it with --password-file FILE"))
    };
    let mut tty = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(failed)?;
    let before = termios::tcgetattr(&tty).map_err(|e| failed(e.into()))?;
    let mut silent = before.clone();
    silent.local_modes -= LocalModes::ISIG;
    match echo {
        // The terminal's own line editing, and what is typed shows.
        Echo::On => silent.local_modes |= LocalModes::ECHO | LocalModes::ICANON,
        Echo::Off => silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON,
    }
    // Silent before it asks: whoever types at once is neither shown nor lost.
    termios::tcsetattr(&tty, OptionalActions::Flush, &silent).map_err(|e| failed(e.into()))?;
    let typed = tty.write_all(prompt.as_bytes()).and_then(|()| keys(&mut tty));
    let _ = termios::tcsetattr(&tty, OptionalActions::Flush, &before);
    if echo == Echo::Off {
        let _ = tty.write_all(b"\n");
    }
    match typed.map_err(failed)? {
        Some(bytes) => String::from_utf8(bytes).map(Secret).map_err(|_| {
            NoPassword::Failure(Failure::new(
                Code::Auth,
                "the password is not UTF-8",
                "check the terminal's encoding",
            ))
        }),
        None => Err(NoPassword::Cancelled),
    }
}

/// Keys until Enter; none after Ctrl-C or Ctrl-D.
fn keys(tty: &mut File) -> std::io::Result<Option<Vec<u8>>> {
    let mut typed: Vec<u8> = Vec::new();
    let mut key = [0u8];
    loop {
        if tty.read(&mut key)? == 0 {
            return Ok(None);
        }
        match key[0] {
            b'\r' | b'\n' => return Ok(Some(typed)),
            3 => return Ok(None),
            4 if typed.is_empty() => return Ok(None),
            4 => return Ok(Some(typed)),
            8 | 127 => while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            21 => typed.clear(),
            byte if byte >= 32 && (typed.len() as u64) < BYTES_MAX => typed.push(byte),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts() {
        let check = |text: &[u8], expect: Result<&str, &str>| match (first_line(text, "pw"), expect) {
            (Ok(secret), Ok(password)) => assert_eq!(secret.0, password),
            (Err(failure), Err(message)) => {
                assert_eq!((failure.code, failure.message.as_str()), (Code::Auth, message))
            }
            (got, _) => panic!("{got:?} for {text:?}"),
        };
        check(b"secret\n", Ok("secret"));
        check(b"secret\r\nmore", Ok("secret"));
        check(b" with spaces \n", Ok(" with spaces "));
        check(b"no end", Ok("no end"));
        check(b"", Err("there is no password in pw"));
        check(b"\nsecond", Err("there is no password in pw"));
        check(b"\xff\n", Err("the first line of pw is not UTF-8"));
        check(
            &[b'x'; 2000],
            Err("the first line of pw is longer than 1024 bytes"),
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let failure = of_file(Path::new("/no/such/pw")).unwrap_err();
        assert_eq!(failure.code, Code::NotFound);
        assert!(
            failure
                .message
                .starts_with("cannot read the password file /no/such/pw")
        );
    }
}
