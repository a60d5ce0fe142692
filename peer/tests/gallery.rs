//! The gallery over real HTTP: who may ask, what is told, and how much may be taken.

#![allow(clippy::unwrap_used, missing_docs)]

mod world;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use world::{Home, PATIENCE, World, wait_for};

/// As in `doors/gallery/limits.rs`.
const CONNECTIONS_MAX: usize = 64;
const STREAMS_MAX: usize = 16;
const PAGE_IMAGES_MAX: usize = 200;
const HEADERS_MAX: usize = 64;

/// A gallery that runs; killed if the test ends early.
struct Gallery {
    child: Child,
    url: String,
    /// Address, as in the Host header.
    host: String,
}

/// What a browser has after it opened the link.
struct Browser<'a> {
    gallery: &'a Gallery,
    place: String,
    cookie: String,
}

struct Answer {
    status: u16,
    /// Header lines, names in small letters.
    heads: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn head(&self, name: &str) -> &str {
        let found = self.heads.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        assert_eq!(self.head("content-type"), "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Gallery {
    fn start(home: &Home<'_>, more: &[&str]) -> Self {
        let mut command = home.command(&[&["gallery", "--json"], more].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(told["schema"], 1);
        let url = told["url"].as_str().unwrap().to_owned();
        let (host, _) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let host = host.to_owned();
        Gallery { child, url, host }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The request as it stands, line by line; an empty answer has status 0.
    fn raw(&self, lines: &[&str]) -> Answer {
        let mut stream = self.connect();
        let request = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
        // A server that refuses early may close before it has read all.
        let _ = stream.write_all(request.as_bytes());
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let cut = all.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = all.split_at(cut.map_or(0, |at| at + 4));
        let mut lines = std::str::from_utf8(head).unwrap().lines();
        let status = lines.next().and_then(|line| line.get(9..12)).unwrap_or("0");
        let heads = lines.filter_map(|line| line.split_once(": "));
        Answer {
            status: status.parse().unwrap(),
            heads: heads
                .map(|(key, value)| (key.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_vec(),
        }
    }

    /// The same to the right host; whatever the answer is, it tells the browser what it must not do.
    fn ask(&self, request: &str, more: &[&str]) -> Answer {
        let answer = self.raw(
            &[
                &[
                    &format!("{request} HTTP/1.1"),
                    &format!("Host: {}", self.host)[..],
                ],
                more,
            ]
            .concat(),
        );
        sealed(&answer);
        answer
    }

    fn path(&self) -> &str {
        &self.url[self.url.rfind('/').unwrap()..]
    }

    fn enter(&self) -> Browser<'_> {
        let answer = self.ask(&format!("GET {}", self.path()), &[]);
        assert_eq!(answer.status, 200);
        let cookie = answer.head("set-cookie");
        let (pair, rest) = cookie.split_once("; ").unwrap();
        let place = rest.strip_prefix("Path=").unwrap().split("; ").next().unwrap();
        assert_eq!(rest, format!("Path={place}; HttpOnly; SameSite=Strict"));
        assert!(
            answer.text().contains(&format!("url={place}\"")),
            "{}",
            answer.text()
        );
        Browser {
            gallery: self,
            place: place.to_owned(),
            cookie: format!("Cookie: {pair}"),
        }
    }

    /// SIGTERM; its exit code.
    fn end(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser<'_> {
    fn get(&self, path: &str) -> Answer {
        let request = format!("GET {}{path}", self.place);
        self.gallery.ask(&request, &[&self.cookie])
    }

    /// The lines of the news from now on; the first one is `online`.
    fn news(&self) -> Result<BufReader<TcpStream>, u16> {
        let mut stream = self.gallery.connect();
        let (place, host, cookie) = (&self.place, &self.gallery.host, &self.cookie);
        let request = format!("GET {place}api/events HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        match first[9..12].parse().unwrap() {
            200 => {
                until(&mut lines, "event: online");
                Ok(lines)
            }
            status => Err(status),
        }
    }
}

/// Reads up to a line that begins so.
fn until(lines: &mut impl BufRead, begins: &str) -> String {
    let mut line = String::new();
    while !line.starts_with(begins) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "no {begins}");
    }
    line.trim_end().to_owned()
}

/// The next news of a kind; what was said is not among those before.
fn heard(lines: &mut impl BufRead, kind: &str) -> Value {
    loop {
        let line = until(lines, "data: {\"schema\"");
        let told: Value = serde_json::from_str(&line["data: ".len()..]).unwrap();
        assert_ne!(told["kind"], "chat");
        if told["kind"] == kind {
            return told;
        }
    }
}

fn sealed(answer: &Answer) {
    let policy = answer.head("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.head(name), value, "{name}");
    }
}

/// Alice opens the link. Whoever has found the port, or has her browser ask from another page, or holds the link after
/// her, gets nothing.
#[test]
fn a_link_is_good_for_one_browser_and_no_other_page() {
    let world = World::new();
    let alice = world.home("alice");
    alice.ok(&["register", "alice", "--password-file", "pw"]);
    let no_album = alice.run(&["gallery"], "");
    assert_eq!((no_album.code, no_album.out.as_str()), (2, ""), "{no_album:?}");
    alice.ok(&["create-album", "trip"]);
    let mut gallery = Gallery::start(&alice, &[]);
    assert!(gallery.url.starts_with("http://127.0.0.1:"), "{}", gallery.url);
    let link = gallery.path().to_owned();

    // Before anybody came in: no link, a wrong one, one that is only looked at.
    for path in [
        "/",
        "/?token=",
        "/?token=00000000000000000000000000000000",
        "/api/images",
    ] {
        assert_eq!(gallery.ask(&format!("GET {path}"), &[]).status, 403, "{path}");
    }
    assert_eq!(gallery.ask(&format!("HEAD {link}"), &[]).status, 200);
    let browser = gallery.enter();

    // Used once, it is used up.
    let again = gallery.ask(&format!("GET {link}"), &[]);
    assert_eq!(again.status, 410);
    assert!(again.text().contains("start it again") && again.head("set-cookie").is_empty());

    // Every address is behind the cookie, also one that does not exist.
    let paths = [
        "",
        "page.css",
        "page.js",
        "icon.svg",
        "api/images",
        "api/members",
        "api/status",
        "api/events",
        "none",
    ];
    for path in paths {
        let path = format!("GET {}{path}", browser.place);
        for cookie in [
            "Cookie: other=1",
            "Cookie: calotype=",
            "Cookie: calotype=00000000000000000000000000000000",
        ] {
            assert_eq!(gallery.ask(&path, &[cookie]).status, 403, "{path} {cookie}");
        }
        assert_eq!(gallery.ask(&path, &[]).status, 403, "{path}");
    }
    for (path, kind) in [
        ("", "text/html; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let answer = browser.get(path);
        assert_eq!((answer.status, answer.head("content-type")), (200, kind));
    }
    assert_eq!(browser.get("none").status, 404);
    // Nothing in the page that the policy would not let run.
    let page = browser.get("");
    assert!(!page.text().contains("style=") && !page.text().contains("onclick"));

    // It only shows.
    let place = &browser.place;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = gallery.ask(&format!("{method} {place}api/images"), &[&browser.cookie]);
        assert_eq!(
            (answer.status, answer.head("allow")),
            (405, "GET, HEAD"),
            "{method}"
        );
    }
    let head = gallery.ask(&format!("HEAD {place}api/images"), &[&browser.cookie]);
    assert_eq!((head.status, head.body.len()), (200, 0));

    // A name that was made to point here is not this page, and neither is another port.
    let get = format!("GET {place} HTTP/1.1");
    let port = gallery.host.split_once(':').unwrap().1;
    for host in [
        "Host: evil.example".to_owned(),
        format!("Host: evil.example:{port}"),
        format!("Host: localhost:{port}"),
        "Host: 127.0.0.1:1".to_owned(),
        "Host: 127.0.0.1".to_owned(),
        format!("Host: {}\r\nHost: evil.example", gallery.host),
        "X-Host: none".to_owned(),
    ] {
        let answer = gallery.raw(&[&get, &host, &browser.cookie]);
        assert_eq!(answer.status, 421, "{host}");
        sealed(&answer);
    }
    let whole = format!("GET http://evil.example{place} HTTP/1.1");
    let named = gallery.raw(&[&whole, &format!("Host: {}", gallery.host), &browser.cookie]);
    assert_eq!(named.status, 421);

    // Asked from another page, even one of this machine.
    let request = format!("GET {place}api/images");
    for (more, status) in [
        ("Origin: http://evil.example".to_owned(), 403),
        ("Origin: null".to_owned(), 403),
        ("Origin: http://127.0.0.1:1".to_owned(), 403),
        (format!("Origin: http://{}", gallery.host), 200),
        ("Sec-Fetch-Site: cross-site".to_owned(), 403),
        ("Sec-Fetch-Site: same-site".to_owned(), 403),
        ("Sec-Fetch-Site: same-origin".to_owned(), 200),
        ("Sec-Fetch-Site: none".to_owned(), 200),
    ] {
        let answer = gallery.ask(&request, &[&browser.cookie, &more]);
        assert_eq!(answer.status, status, "{more}");
    }
    drop(browser);

    // The port is taken, for others too.
    let taken = alice.run(&["gallery", "--port", port, "--json"], "");
    let told: Value = serde_json::from_str(&taken.out).unwrap();
    assert_eq!((taken.code, &told["error"]["code"]), (1, &Value::from("busy")));
    assert_eq!(gallery.end(), Some(0));
    assert!(TcpStream::connect(&gallery.host).is_err());
}

/// Alice and bob fill an album, with names that would be markup in a page and a name that reads like another image's hash.
/// The page is told what the commands print; pictures are made here; what bob adds from his shell is told at once.
#[test]
fn the_page_is_told_what_the_commands_print() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    (1..=4).for_each(|seed| world.image(&format!("{seed}.bmp"), seed));
    std::fs::write(world.path("large.bmp"), world::bitmap(2100, 40)).unwrap();
    let markup = "<img src=x onerror=alert(1)>.bmp";
    let hash = blake3::hash(&world::bmp(1)).to_hex().to_string();
    let nowhere = "0".repeat(64);
    alice.ok(&["add-image", "1.bmp", "large.bmp"]);
    alice.ok(&["add-image", "2.bmp", "--as", markup]);
    alice.ok(&["add-image", "3.bmp", "--as", &hash]);
    alice.ok(&["add-image", "nowhere.jpg", &nowhere, "7"]);
    world.sync(&["alice", "bob"]);
    bob.ok(&["filter", "1.bmp", "sepia", "--as", "old.png"]);
    bob.ok(&["rate-image", "1.bmp", "5"]);
    alice.ok(&["rate-image", "1.bmp", "4"]);
    world.sync(&["alice", "bob"]);
    // What was found stays so; nobody has to find it while this is read.
    alice.ok(&["verify", "old.png"]);
    // Alice is in another album by now.
    alice.ok(&["create-album", "other"]);
    let mut gallery = Gallery::start(&alice, &["--album", "trip"]);
    let browser = gallery.enter();

    let printed = alice.json(&["get-images", "--album", "trip"]);
    assert_eq!(browser.get("api/images").json(), printed);
    assert_eq!(printed["images"][2]["name"], markup);
    assert_eq!(printed["images"][5]["verified"], true);
    let sorted = alice.json(&[
        "get-images",
        "--album",
        "trip",
        "--sort",
        "name",
        "--reverse",
        "--limit",
        "2",
    ]);
    assert_eq!(
        browser.get("api/images?sort=name&reverse=true&limit=2").json(),
        sorted
    );
    let found = browser.get("api/images?name=*onerror*").json();
    assert_eq!(
        (&found["total"], &found["images"][0]["name"]),
        (&1.into(), &markup.into())
    );
    assert_eq!(
        browser.get("api/members").json(),
        alice.json(&["members", "--album", "trip"])
    );
    assert_eq!(browser.get("api/status").json()["user"], "alice");

    // By bytes, whatever is called like them.
    let details = browser.get(&format!("api/image/{hash}")).json();
    assert_eq!(details["image"], printed["images"][0]);
    assert_eq!(details["versions"][0], printed["images"][5]);
    let ratings = serde_json::json!([{"user": "alice", "stars": 4}, {"user": "bob", "stars": 5}]);
    assert_eq!(details["ratings"], ratings);
    let version = browser.get(&format!(
        "api/image/{}",
        printed["images"][5]["hash"].as_str().unwrap()
    ));
    assert_eq!(version.json()["source"], printed["images"][0]);

    // Pictures are JPEGs of ours, no larger than a window.
    let picture = |path: String| {
        let answer = browser.get(&path);
        assert_eq!(
            (answer.status, answer.head("content-type")),
            (200, "image/jpeg"),
            "{path}"
        );
        let decoded = codec::decode(&answer.body, &codec::Limits::default()).unwrap();
        (decoded.raster.width, decoded.raster.height)
    };
    assert_eq!(picture(format!("small/{hash}")), (4, 2));
    assert_eq!(picture(format!("large/{hash}")), (4, 2));
    let wide = printed["images"][1]["hash"].as_str().unwrap();
    assert_eq!(picture(format!("small/{wide}")), (512, 10));
    assert_eq!(picture(format!("large/{wide}")), (2048, 39));
    // What is not here, or is no hash, is not found.
    for path in [
        &format!("small/{nowhere}"),
        &format!("large/{nowhere}"),
        "small/1.bmp",
        "api/image/1.bmp",
    ] {
        let answer = browser.get(path);
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].as_str()),
            (404, Some("not_found")),
            "{path}"
        );
    }

    // As many as a screen needs, and questions that make sense.
    for (query, status) in [
        (format!("limit={PAGE_IMAGES_MAX}"), 200),
        (format!("limit={}", PAGE_IMAGES_MAX + 1), 400),
        ("limit=-1".to_owned(), 400),
        ("sort=luck".to_owned(), 400),
        ("album=other".to_owned(), 400),
        ("name=%5B".to_owned(), 400),
        (format!("name={}", "x".repeat(1000)), 400),
    ] {
        assert_eq!(
            browser.get(&format!("api/images?{query}")).status,
            status,
            "{query}"
        );
    }

    // News of this kind at once, in the words of `watch --json`; chat is none of the page's business.
    let mut news = browser.news().unwrap();
    bob.ok(&["say", "hello"]);
    bob.ok(&["add-image", "4.bmp"]);
    let told = heard(&mut news, "image-added");
    assert_eq!((&told["name"], &told["author"]), (&"4.bmp".into(), &"bob".into()));
    assert_eq!(browser.get("api/images?limit=0").json()["total"], 7);

    // The node ends: the page says so and goes on with another, which is this process.
    assert_eq!(peers.remove(0).end(), 0);
    until(&mut news, "event: offline");
    until(&mut news, "event: online");
    assert_eq!(browser.get("api/images?limit=0").json()["total"], 7);
    alice.ok(&["rate-image", "4.bmp", "3", "--album", "trip"]);
    assert_eq!(heard(&mut news, "rated")["name"], "4.bmp");
    drop(browser);
    assert_eq!(gallery.end(), Some(0));
}

/// A program on this machine that found the port opens what it can: there is an end to it, and the page is there again
/// when it lets go.
#[test]
fn there_is_an_end_to_what_may_be_taken() {
    let world = World::new();
    let alice = world.home("alice");
    alice.ok(&["register", "alice", "--password-file", "pw"]);
    alice.ok(&["create-album", "trip"]);
    let gallery = Gallery::start(&alice, &[]);
    let browser = gallery.enter();

    // Streams.
    let mut streams: Vec<_> = (0..STREAMS_MAX).map(|_| browser.news().unwrap()).collect();
    assert_eq!(browser.news().err(), Some(503));
    streams.pop();
    wait_for("room for a stream", || browser.news().ok());
    streams.clear();

    // Headers: their number, and their bytes. Host, cookie and `Connection` are three.
    let request = format!("GET {}", browser.place);
    let many = |n: usize| {
        let more: Vec<String> = (3..n).map(|i| format!("X-{i}: 1")).collect();
        let lines = [
            vec![browser.cookie.as_str()],
            more.iter().map(String::as_str).collect(),
        ]
        .concat();
        let host = format!("Host: {}", gallery.host);
        gallery
            .raw(&[vec![&format!("{request} HTTP/1.1")[..], &host], lines].concat())
            .status
    };
    assert_eq!((many(HEADERS_MAX), many(HEADERS_MAX + 1)), (200, 431));
    let long = |bytes: usize| {
        let (line, host) = (format!("{request} HTTP/1.1"), format!("Host: {}", gallery.host));
        gallery
            .raw(&[
                &line,
                &host,
                &browser.cookie,
                &format!("X: {}", "x".repeat(bytes)),
            ])
            .status
    };
    assert_eq!((long(15 * 1024), long(17 * 1024)), (200, 431));

    // Connections that say nothing: as many as there may be are kept, the next one is closed.
    let kept = wait_for("all places", || {
        let quiet: Vec<TcpStream> = (0..CONNECTIONS_MAX).map(|_| gallery.connect()).collect();
        quiet.iter().all(is_open).then_some(quiet)
    });
    let mut refused = gallery.connect();
    let mut rest = Vec::new();
    assert_eq!(refused.read_to_end(&mut rest).unwrap_or(0), 0);
    // For want of a place, not because it said nothing for long: so did these.
    assert!(kept.iter().all(is_open));
    drop(kept);
    // Until the server has seen them go it may still close a new one without a word: no answer, so none that is sealed.
    let request = format!("GET {} HTTP/1.1", browser.place);
    let host = format!("Host: {}", gallery.host);
    wait_for("a place", || {
        let answer = gallery.raw(&[&request, &host, &browser.cookie]);
        (answer.status == 200).then_some(())
    });
    sealed(&browser.get(""));
}

/// Whether the server has not closed it.
fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}
