//! Everything as JSON: one object on one line, `"schema":1` first, then the reply's own keys.

use serde::Serialize;

use super::clean;
use crate::api::{Code, Failure, Notice, Reply, SCHEMA};
use crate::cmd::Local;
use crate::cmd::names::{self, Spelling};

#[derive(Serialize)]
struct Envelope<'a, T: Serialize> {
    schema: u32,
    #[serde(flatten)]
    inner: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
}

#[derive(Serialize)]
struct Error<'a> {
    code: Code,
    message: &'a str,
    hint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Settings<'a> {
    settings: &'a [crate::cmd::settings::Setting],
}

#[derive(Serialize)]
struct Help<'a> {
    help: &'a str,
}

#[derive(Serialize)]
struct Pages<'a> {
    pages: &'a [crate::cmd::man::ManPage],
}

#[derive(Serialize)]
struct Written<'a> {
    written: &'a [String],
}

#[derive(Serialize)]
struct Script<'a> {
    shell: &'a str,
    script: &'a str,
}

/// A reply, with what went wrong if not all of it worked.
pub fn reply(reply: &Reply, failure: Option<(&Failure, Spelling)>) -> String {
    macro_rules! each {
        ($($kind:ident),*) => { match reply { $(Reply::$kind(it) => line(it, failure),)* } };
    }
    each!(
        Session,
        Done,
        Recovered,
        Approving,
        Approved,
        RecoveryWords,
        Escrow,
        Devices,
        Revoked,
        Albums,
        Entered,
        Images,
        Metadata,
        OrSet,
        Added,
        Removed,
        Rated,
        Membership,
        Held,
        SafetyWords,
        Filtered,
        FilteredMany,
        Verified,
        Log,
        Why,
        Undone,
        Trash,
        Restored,
        Said,
        Chat,
        Invite,
        Invites,
        Joined,
        Members,
        Away,
        Peers,
        Status,
        Diagnosis,
        Trusted,
        Net,
        Synced,
        Exported,
        Saved,
        Applied,
        Previewed,
        Compared,
        Checked,
        Prompt,
        Names,
        Shown,
        Details,
        Gallery
    )
}

/// A failure, with what was done all the same.
pub fn failure(it: &Failure, spelling: Spelling) -> String {
    match &it.reply {
        Some(done) => reply(done, Some((it, spelling))),
        None => line(&Nothing {}, Some((it, spelling))),
    }
}

/// One piece of news.
pub fn notice(it: &Notice) -> String {
    line(it, None)
}

/// The text of `/help`.
pub fn help(text: &str) -> String {
    line(&Help { help: text }, None)
}

/// An answer without a node.
pub fn local(it: &Local) -> String {
    match it {
        Local::Filters(list) => line(list, None),
        Local::Config { settings, .. } => line(&Settings { settings }, None),
        Local::Man(pages) => line(&Pages { pages }, None),
        Local::CentralKey(it) => line(it, None),
        Local::Written(written) => line(&Written { written }, None),
        Local::Completions { shell, script } => line(&Script { shell, script }, None),
    }
}

fn line<T: Serialize>(inner: &T, failure: Option<(&Failure, Spelling)>) -> String {
    let error = failure.map(|(it, spelling)| Error {
        code: it.code,
        message: &it.message,
        hint: names::respell(&it.hint, spelling),
        retry_after_ms: it.retry_after_ms,
    });
    let mut text = escape(
        &serde_json::to_string(&Envelope {
            schema: SCHEMA,
            inner,
            error,
        })
        .unwrap_or_default(),
    );
    text.push('\n');
    text
}

/// Characters that act on a terminal can only stand inside strings here; written as escapes they mean the same.
fn escape(json: &str) -> String {
    if !json.contains(clean::acts) {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() + 32);
    for c in json.chars() {
        if clean::acts(c) {
            let mut units = [0u16; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_mean_the_same() {
        let text = "a\u{202e}b\u{9b}c\u{e0041}d\x1b\n";
        let json = escape(&serde_json::to_string(text).unwrap());
        assert_eq!(json, r#""a\u202eb\u009bc\udb40\udc41d\u001b\n""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
