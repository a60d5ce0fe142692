//! What the history keeps: everything but secrets.

use crate::cmd::names;

/// Lines kept.
pub const LINES_MAX: usize = 5_000;

/// The line as it is kept: of `/register` and `/login` only the user, whatever else somebody typed there.
pub fn kept(line: &str) -> Option<String> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let mut words = line.split_whitespace();
    let command = words.next()?;
    let name = names::kebab(command.trim_start_matches('/'));
    if !matches!(name.as_str(), "register" | "login") {
        return Some(line.to_owned());
    }
    let user = words.next().filter(|word| !word.starts_with('-'));
    Some(user.map_or_else(|| command.to_owned(), |user| format!("{command} {user}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        let check = |line: &str, expect: Option<&str>| assert_eq!(kept(line).as_deref(), expect, "{line}");
        check("/list", Some("/list"));
        check("  hello there ", Some("hello there"));
        check("", None);
        check("/register alice secret", Some("/register alice"));
        check(
            "/login alice --password-file /home/alice/pw",
            Some("/login alice"),
        );
        check("/login --password-file pw alice", Some("/login"));
        check("register alice secret", Some("register alice"));
        check("/Login alice secret", Some("/Login alice secret"));
    }
}
