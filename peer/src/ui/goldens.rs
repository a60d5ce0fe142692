//! Golden texts: what each reply, failure and notice looks like, as text and as JSON.

use super::samples::{EVIL, failures, notices, replies};
use super::{Paint, clean, failure, json, notice, text};
use crate::api::{Code, Failure, News, Notice, Reply};
use crate::cmd::names::Spelling;

/// All replies as a person sees them: stdout, then `|` stderr, then what comes next.
fn pages(paint: Paint) -> String {
    let mut all = String::new();
    for (name, reply) in replies() {
        let page = text::reply(&reply, paint);
        all.push_str(&format!("## {name}\n{}", page.out));
        page.notes
            .lines()
            .for_each(|line| all.push_str(&format!("| {line}\n")));
        all.extend(page.next.map(|next| format!("> {next}\n")));
        all.push('\n');
    }
    all
}

#[test]
fn replies_as_text() {
    insta::assert_snapshot!(pages(Paint(false)));
}

#[test]
fn nothing_of_others_acts_on_a_terminal() {
    let uncontrolled = |text: &str| text.replace('\n', "").contains(super::clean::acts);
    assert!(!uncontrolled(&pages(Paint(false))));
    let painted = pages(Paint(true)).replace("\x1b[0m", "");
    let own = [
        "\x1b[1m",
        "\x1b[2m",
        "\x1b[31m",
        "\x1b[32m",
        "\x1b[33m",
        "\x1b[1;31m",
    ];
    let rest = own.iter().fold(painted, |text, code| text.replace(code, ""));
    assert!(!uncontrolled(&rest), "{}", rest.escape_debug());
    for (_, reply) in replies() {
        assert!(!uncontrolled(&json::reply(&reply, None)));
    }
    for notice in notices() {
        assert!(!uncontrolled(&notice::text(&notice)));
        assert!(!uncontrolled(&json::notice(&notice)));
    }
    let failure = Failure::new(Code::Internal, EVIL, EVIL);
    assert!(!uncontrolled(&failure::text(
        &failure,
        Spelling::Slash,
        Paint(false)
    )));
}

#[test]
fn replies_as_json() {
    let mut all = String::new();
    for (name, reply) in replies() {
        let line = json::reply(&reply, None);
        assert!(
            line.starts_with("{\"schema\":1,") && line.ends_with("}\n"),
            "{line}"
        );
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        all.push_str(&format!(
            "## {name}\n{}\n",
            serde_json::to_string_pretty(&parsed).unwrap()
        ));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn keys_stand_in_the_contracts_order() {
    let (_, images) = replies().into_iter().find(|(name, _)| *name == "images").unwrap();
    let line = json::reply(&images, None);
    let keys = [
        "\"schema\"",
        "\"album\"",
        "\"images\"",
        "\"name\"",
        "\"hash\"",
        "\"size\"",
        "\"width\"",
        "\"height\"",
    ];
    let places: Vec<_> = keys.iter().map(|key| line.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
}

#[test]
fn failures_in_both_spellings_and_as_json() {
    let mut all = String::new();
    for it in failures() {
        all.push_str(&failure::text(&it, Spelling::Slash, Paint(false)));
        all.push_str(&failure::text(&it, Spelling::Shell, Paint(false)));
        all.push_str(&json::failure(&it, Spelling::Shell));
        all.push_str(&format!("exit {}\n\n", it.code.exit()));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_partial_failure_carries_what_was_done() {
    let (_, added) = replies()
        .into_iter()
        .find(|(name, _)| *name == "added in part")
        .unwrap();
    let it = Failure {
        reply: Some(Box::new(added)),
        ..Failure::new(Code::Partial, "1 could not be added", "the others were")
    };
    let line = json::failure(&it, Spelling::Shell);
    let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(parsed["schema"], 1);
    assert_eq!(parsed["added"][0]["name"], "sunset.jpg");
    assert_eq!(parsed["failed"][0]["code"], "not_an_image");
    assert_eq!(parsed["error"]["code"], "partial");
    assert!(line.starts_with("{\"schema\":1,\"album\":\"trip\",\"added\":["));
}

#[test]
fn news_as_text_and_json() {
    let mut all = String::new();
    for it in notices() {
        all.push_str(&format!("{}\n{}", notice::text(&it), json::notice(&it)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn news_of_a_moment_become_few_lines() {
    let added = |name: &str, author: &str| Notice {
        at: "2026-11-21T08:30:00Z".into(),
        news: News::ImageAdded {
            name: name.into(),
            hash: String::new(),
            author: author.into(),
            version_of: None,
            recipe: None,
        },
        album: Some("trip".into()),
    };
    let mut many: Vec<Notice> = (0..12).map(|i| added(&format!("{i}.jpg"), "bob")).collect();
    many.push(added("c.jpg", "carol"));
    many.push(added("d.jpg", "carol"));
    let expect = [
        "bob added 12 images to trip: 0.jpg, 1.jpg, 2.jpg and 9 more",
        "carol added c.jpg to trip",
        "carol added d.jpg to trip",
    ];
    assert_eq!(notice::several(&many), expect);
    assert_eq!(notice::several(&[]), Vec::<String>::new());
}

/// What those see who look inside, on a terminal of 80 columns and on one of 20: nothing is wider, nothing acts.
#[test]
fn what_is_inside_fits_the_screen() {
    let mut all = String::new();
    for columns in [80, 20] {
        for (name, reply) in replies()
            .into_iter()
            .filter(|(name, _)| matches!(*name, "or-set" | "net"))
        {
            let page = text::page(&reply, Paint(false), Some(columns));
            for line in page.out.lines() {
                assert!(
                    unicode_width::UnicodeWidthStr::width(line) <= columns,
                    "{columns}: {line}"
                );
            }
            all.push_str(&format!("## {name}, {columns} columns\n{}\n", page.out));
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn long_texts_of_others_stay_short_in_tables() {
    let long = "x".repeat(10_000);
    let mut entry = super::samples::image(&long, "00");
    entry.author = long.clone();
    entry.recipe = Some(long.clone());
    entry.version_of = Some(long.clone());
    let reply = Reply::Images(crate::api::Images {
        album: "trip".into(),
        images: vec![entry],
        total: 1,
        offset: 0,
        in_album: 1,
        held: 0,
    });
    let page = text::reply(&reply, Paint(false));
    assert!(page.out.chars().count() < 250, "{}", page.out.len());
    assert!(clean(&page.out).starts_with("xxx"));
}
