//! Points in time as `--since` takes them (a date, a date and time, or how long ago), and spans of time.

use std::time::{Duration, SystemTime};

const DAY: u64 = 24 * 3600;

/// What may be written.
const HELP: &str = "write a date (2026-01-31), a date and time (2026-01-31T18:30:00Z), today, yesterday, or how long ago \
                    (3d, 12h, 2weeks); dates are UTC, as all that calotype prints";

/// A point in time, milliseconds since 1970, read by the clock of this machine.
///
/// # Errors
/// What may be written.
pub fn since(text: &str) -> Result<u64, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    read(text, now.unwrap_or_default().as_secs()).map_err(str::to_owned)
}

/// A span of time.
///
/// # Errors
/// What may be written.
pub fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a time such as 500ms, 10s or 2min".to_owned())
}

/// [`since`], with the seconds since 1970 that are now.
fn read(text: &str, now: u64) -> Result<u64, &'static str> {
    let ms = |seconds: u64| seconds.checked_mul(1000).ok_or(HELP);
    let midnight = now - now % DAY;
    match text {
        "now" => return ms(now),
        "today" => return ms(midnight),
        "yesterday" => return ms(midnight.saturating_sub(DAY)),
        _ => {}
    }
    let ago = text.strip_suffix("ago").unwrap_or(text).trim_end();
    if let Ok(ago) = humantime::parse_duration(ago) {
        return ms(now.saturating_sub(ago.as_secs()));
    }
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => text.to_owned(),
    };
    let at = humantime::parse_rfc3339_weak(&whole).map_err(|_| HELP)?;
    let since: Duration = at.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| HELP)?;
    u64::try_from(since.as_millis()).map_err(|_| HELP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_spans_are_read_and_everything_else_is_told_what_may_be_written() {
        // 2026-03-02T10:30:00Z
        let now = 1_772_447_400;
        let read = |text: &str| {
            let at = read(text, now).map(|ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
            at.map(|at| humantime::format_rfc3339_seconds(at).to_string())
        };
        let check = |text: &str, at: &str| assert_eq!(read(text), Ok(at.to_owned()), "{text}");
        check("2026-01-31", "2026-01-31T00:00:00Z");
        check("2026-01-31T18:30", "2026-01-31T18:30:00Z");
        check("2026-01-31 18:30", "2026-01-31T18:30:00Z");
        check("2026-01-31 18:30:15", "2026-01-31T18:30:15Z");
        check("2026-01-31T18:30:15Z", "2026-01-31T18:30:15Z");
        check("today", "2026-03-02T00:00:00Z");
        check("yesterday", "2026-03-01T00:00:00Z");
        check("now", "2026-03-02T10:30:00Z");
        check("3d", "2026-02-27T10:30:00Z");
        check("36h", "2026-02-28T22:30:00Z");
        check("2 days ago", "2026-02-28T10:30:00Z");
        check("9999y", "1970-01-01T00:00:00Z");
        let wrong = [
            "",
            "ago",
            "soon",
            "2026-13-01",
            "2026-02-30",
            "31.1.2026",
            "-3d",
            "1969-12-31",
            "3 moons",
        ];
        for text in wrong
            .into_iter()
            .chain(["\u{202e}2026-01-31", "2026-01-31T18:30:15+01:00"])
        {
            assert_eq!(read(text), Err(HELP), "{text}");
        }
        assert_eq!(read(&"9".repeat(10_000)), Err(HELP));
    }
}
