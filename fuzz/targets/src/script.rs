//! What people and programs say to the peer: lines of the prompt and of scripts, requests on the control socket, and
//! the node's answers as they are shown. A line that begins with a brace is one of the latter two.

use std::path::Path;

use peer::api::{Answer, Ask, Done, Failure, Reply, Request};
use peer::cmd::names::Spelling;
use peer::cmd::settings::Settings;
use peer::cmd::{Act, Context, Inside, parse_line, usage};
use peer::doors::words::{self, Typed};
use peer::ui::{self, Paint};

use crate::{Seed, seed};

/// Lines of one input; more are not read.
const LINES_MAX: usize = 16;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for line in text.lines().take(LINES_MAX) {
        match line.starts_with('{') {
            true => socket(line),
            false => typed(line),
        }
    }
}

fn typed(line: &str) {
    match words::read(line) {
        Ok(Typed::Command(words)) => {
            quoted(&words);
            command(&words);
        }
        Ok(Typed::Chat(text)) => assert!(!text.is_empty() && text.trim() == text),
        Ok(Typed::Nothing) => assert!(line.trim().is_empty()),
        Err(failure) => shown(&failure),
    }
}

/// Names in quotes, as replies and completion write them, are cut into the same words again.
fn quoted(words: &[String]) {
    let clean: Vec<String> = words.iter().map(|word| ui::clean(word).into_owned()).collect();
    let line: Vec<String> = clean.iter().map(|word| ui::in_quotes(word)).collect();
    assert_eq!(words::split(&line.join(" ")).unwrap(), clean);
}

fn command(words: &[String]) {
    let line = match parse_line(words) {
        Ok(line) => line,
        Err(error) if usage::is_answer(&error) => return,
        Err(error) => return shown(&usage::failure(&error, Spelling::Slash)),
    };
    // Paths are looked up on the disk; nothing here is.
    let on_disk =
        |word: &String| word.contains(['*', '?', '[', '~']) || word.starts_with('/') || word.contains("..");
    let Inside::Verb(verb) = line.command else { return };
    if words.iter().any(on_disk) || words.iter().any(|word| word.starts_with("file:")) {
        return;
    }
    let settings = Settings::default();
    let at = Context {
        each: &line.each,
        cwd: Path::new("/nowhere"),
        user_home: None,
        terminal: false,
        settings: &settings,
    };
    match verb.act(&at) {
        Ok(Act::Ask(request) | Act::Open(request)) => same_again(&Ask { request }),
        Ok(_) => {}
        Err(failure) => shown(&failure),
    }
}

fn socket(line: &str) {
    if let Ok(ask) = serde_json::from_str::<Ask>(line) {
        same_again(&ask);
    }
    match serde_json::from_str::<Answer>(line) {
        Ok(Answer::Reply(reply)) => {
            let page = ui::text::reply(&reply, Paint(false));
            harmless(&page.out);
            harmless(&page.notes);
            harmless(page.next.as_deref().unwrap_or_default());
            one_line(&ui::json::reply(&reply, None));
        }
        Ok(Answer::Failure(failure)) => shown(&failure),
        Ok(Answer::Notice(notice)) => {
            let text = ui::notice::text(&notice);
            harmless(&text);
            assert!(!text.contains('\n'), "news of several lines: {text:?}");
            one_line(&ui::json::notice(&notice));
        }
        Ok(Answer::Progress(_)) | Err(_) => {}
    }
}

fn same_again(ask: &Ask) {
    let text = serde_json::to_string(ask).expect("a request has a JSON text");
    assert!(!text.contains('\n'), "a request is one line");
    let again: Ask = serde_json::from_str(&text).expect("its own text is read");
    assert_eq!(&again, ask, "a request changed on its way");
}

fn shown(failure: &Failure) {
    for spelling in [Spelling::Slash, Spelling::Shell] {
        harmless(&ui::failure::text(failure, spelling, Paint(false)));
        one_line(&ui::json::failure(failure, spelling));
    }
}

/// Nothing that a terminal would act upon, save the ends of lines.
fn harmless(text: &str) {
    let lines: String = text.chars().filter(|c| *c != '\n').collect();
    assert_eq!(ui::clean(&lines), lines, "a terminal would act upon this");
}

fn one_line(json: &str) {
    assert_eq!(
        json.trim_end_matches('\n').lines().count(),
        1,
        "JSON of several lines"
    );
    serde_json::from_str::<serde::de::IgnoredAny>(json).expect("JSON");
}

pub fn seeds() -> Vec<Seed> {
    let hash = "0123456789abcdef".repeat(4);
    let lines = [
        ("words", r#"/addImage 'a b.jpg' "c\"d" e\ f --as x"#.to_owned()),
        ("chat", "it's fine\n# a remark\n\n /say it's fine".to_owned()),
        ("classic", format!("/addImage a.jpg {hash} 100")),
        (
            "rate",
            "/rateImage a.jpg 5\n/rate-image a.jpg --clear\n/rateImage a.jpg 6".to_owned(),
        ),
        ("filter", "/filter a.jpg grayscale+blur:2 --as b.jpg".to_owned()),
        (
            "members",
            "/addUser bob\n/removeUser bob --album trip\n/block 9cb034e1".to_owned(),
        ),
        (
            "flags",
            "/getImages --json -y --no-input --album 'x y'\n/sync --timeout 5s".to_owned(),
        ),
        (
            "session",
            "/register alice --password-file pw\n/login alice\n/logout".to_owned(),
        ),
        (
            "files",
            "/save a.jpg out.jpg --force\n/export out\n/open a.jpg".to_owned(),
        ),
        (
            "odd",
            "/addImage it's\n/\n/nothing\n/config show --origin\n/help addImage\n/quit".to_owned(),
        ),
        (
            "acting",
            "/add-user a\u{1b}[31m\u{202e}b\n/addImage '\u{7}.jpg' x y z".to_owned(),
        ),
    ];
    let mut seeds: Vec<Seed> = lines.into_iter().map(|(name, text)| seed(name, text)).collect();
    for (name, request) in [
        ("ask-watch", Request::Watch),
        (
            "ask-say",
            Request::Say {
                album: None,
                text: "hello".to_owned(),
            },
        ),
        (
            "ask-classic",
            Request::AddClassic {
                album: Some("trip".to_owned()),
                name: "a.jpg".to_owned(),
                hash,
                size: u64::MAX,
            },
        ),
    ] {
        seeds.push(seed(name, serde_json::to_string(&Ask { request }).unwrap()));
    }
    let done = Reply::Done(Done {
        done: "created trip\u{1b}]0;x\u{7}".to_owned(),
    });
    let failure = Failure::new(
        peer::api::Code::Usage,
        "no\nsuch \u{1b}[2J thing",
        "try\u{202e} this",
    );
    seeds.push(seed(
        "reply",
        serde_json::to_string(&Answer::Reply(done)).unwrap(),
    ));
    seeds.push(seed(
        "failure",
        serde_json::to_string(&Answer::Failure(failure)).unwrap(),
    ));
    seeds
}

pub fn large() -> Vec<Vec<u8>> {
    let of = |piece: &str| piece.repeat((1 << 18) / piece.len());
    vec![
        format!("/addImage {}", of("a ")).into_bytes(),
        format!("/{}", of("a")).into_bytes(),
        format!("/addUser {}", of("é")).into_bytes(),
        format!(r#"{{"request":{}"#, of("[")).into_bytes(),
        format!(r#"{{"request":{{"say":{{"album":null,"text":"{}"}}}}}}"#, of("x")).into_bytes(),
        of("'\"").into_bytes(),
    ]
}
