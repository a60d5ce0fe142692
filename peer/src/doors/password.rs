//! Passwords: from the terminal without echo, from a file, from standard input; never from a flag or the environment.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use rustix::termios::{self, LocalModes, OptionalActions};

use crate::api::{Code, Failure, Request, Secret};
use crate::cmd::{Act, PasswordFrom};

/// Longest password that is read.
const BYTES_MAX: u64 = 1024;

/// Why there is no password.
pub enum NoPassword {
    /// Something to tell.
    Failure(Failure),
    /// Ctrl-C or Ctrl-D at the question.
    Cancelled,
}

/// The request for a session, its password read; any other act unchanged. Blocks at the terminal.
pub fn resolve(act: Act) -> Result<Act, NoPassword> {
    let Act::Session { register, user, from } = act else {
        return Ok(act);
    };
    let password = match from {
        PasswordFrom::File(path) => of_file(&path).map_err(NoPassword::Failure)?,
        PasswordFrom::Stdin => {
            first_line(std::io::stdin().lock(), "standard input").map_err(NoPassword::Failure)?
        }
        PasswordFrom::Terminal => asked(&user, register)?,
    };
    Ok(Act::Ask(match register {
        true => Request::Register { user, password },
        false => Request::Login { user, password },
    }))
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

/// Asks; twice for a new account.
fn asked(user: &str, twice: bool) -> Result<Secret, NoPassword> {
    let failure = |message: &str, hint: &str| NoPassword::Failure(Failure::new(Code::Auth, message, hint));
    let shown = crate::ui::clean(user);
    let password = question(&format!("Password of {shown}: "))?;
    if password.0.is_empty() {
        return Err(failure(
            "the password is empty",
            "type one; nothing shows while you do",
        ));
    }
    if twice && question("The same again: ")? != password {
        return Err(failure("the two passwords differ", "try again"));
    }
    Ok(password)
}

/// Reads one line from the terminal itself, without echo; the terminal is as before afterwards, also after Ctrl-C.
fn question(prompt: &str) -> Result<Secret, NoPassword> {
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
    silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    // Silent before it asks: whoever types at once is neither shown nor lost.
    termios::tcsetattr(&tty, OptionalActions::Flush, &silent).map_err(|e| failed(e.into()))?;
    let typed = tty.write_all(prompt.as_bytes()).and_then(|()| keys(&mut tty));
    let _ = termios::tcsetattr(&tty, OptionalActions::Flush, &before);
    let _ = tty.write_all(b"\n");
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
