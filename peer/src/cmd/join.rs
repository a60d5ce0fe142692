//! `join`: into an album by a code.

use clap::Args;

use super::{Act, Context, Guarded};
use crate::api::{Code, Failure, Request};

/// Where a central listens that was named without a port.
const PORT: u16 = 7440;

/// Enter an album with the code that somebody told you
///
/// Makes your account first, if this home has none. The code proves both sides to each other: you, and that it is the
/// album of the one who told it. Name the central (CODE@HOST) where your machine does not find it by itself.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype join 7-carpet-monkey-lamp
  calotype join 7-carpet-monkey-lamp@server:7440 --user bob
  /join 7 carpet monkey lamp")]
pub struct Join {
    /// The code: a number and three words; four letters of a word will do
    #[arg(required = true, value_name = "CODE[@HOST[:PORT]]")]
    pub code: Vec<String>,
    /// Name of the account to make (asked for otherwise)
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// How long to wait for a device that answers
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::when::span)]
    pub timeout: std::time::Duration,
}

impl Join {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let (code, host) = code_and_host(&self.code)?;
        let timeout_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        if crate::node::has_account(&at.settings.home.value) {
            return Ok(Act::Ask(Request::Join {
                code,
                host,
                account: None,
                timeout_ms,
            }));
        }
        let user = self.user.as_deref().map(super::check::user).transpose()?;
        let line = format!("/join {code} --user");
        let from = at.password(&line, user.as_deref().unwrap_or("NAME"))?;
        if user.is_none() && (!at.terminal || at.each.no_input) {
            return Err(Failure::new(
                Code::Auth,
                "this home has no account, and nobody can be asked for a name here",
                format!("{line} NAME makes one"),
            ));
        }
        let what = Guarded::Join {
            code,
            host,
            user,
            timeout_ms,
        };
        Ok(Act::Guarded { what, from })
    }
}

/// A code as typed, in its one spelling, and the central behind its `@`.
pub(super) fn code_and_host(typed: &[String]) -> Result<(String, Option<String>), Failure> {
    let typed = typed.join(" ");
    let (code, host) = match typed.split_once('@') {
        Some((code, host)) => (code, Some(address(host)?)),
        None => (&*typed, None),
    };
    Ok((crate::node::code(code)?, host))
}

/// `HOST` or `HOST:PORT` of a central.
fn address(host: &str) -> Result<String, Failure> {
    let failure = || {
        Failure::new(
            Code::Usage,
            format!("\"{}\" is no address of a central", crate::ui::shorten(host, 60)),
            "behind the @ comes HOST or HOST:PORT, for example 7-carpet-monkey-lamp@server:7440",
        )
    };
    if host.is_empty()
        || host.len() > 255
        || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
    {
        return Err(failure());
    }
    let bare_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let address = match host.rsplit_once(':') {
        _ if bare_v6 => format!("[{host}]:{PORT}"),
        Some((name, port)) if !name.is_empty() && !name.ends_with(':') => {
            port.parse::<u16>()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(failure)?;
            host.to_owned()
        }
        Some(_) => return Err(failure()),
        None => format!("{host}:{PORT}"),
    };
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_central_is_named_with_or_without_a_port() {
        for (host, expect) in [
            ("server", "server:7440"),
            ("server:1", "server:1"),
            ("192.0.2.1", "192.0.2.1:7440"),
            ("::1", "[::1]:7440"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(address(host).unwrap(), expect);
        }
        for host in [
            "",
            ":1",
            "a b",
            "server:",
            "server:0",
            "server:65536",
            "server:x",
            "a@b",
            "a\u{1b}",
        ] {
            assert_eq!(address(host).unwrap_err().code, Code::Usage, "{host:?}");
        }
        assert!(address(&"x".repeat(255)).is_ok() && address(&"x".repeat(256)).is_err());
    }
}
