//! Bad input at every door, and a world that does not play along: what is said, and how it ends.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::redact::Redact;
use crate::world::terminal::Person;
use crate::world::{Run, World, bitmap, wait_for};

/// A world in which alice has the album trip with `a.bmp`; no node runs.
fn alone() -> World {
    let world = World::new();
    let home = world.home("alice");
    world.image("a.bmp", 1);
    let script = "/register alice --password-file pw\n/createAlbum trip\n/addImage a.bmp\n";
    assert_eq!(home.run(&[], script).code, 0);
    world
}

/// What a process left, when its arguments or its standard streams are not what the helpers of a world give.
fn left(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What is said of words and lines that cannot be, with the exit codes: golden.
#[test]
fn wrong_words_are_told_what_and_why_and_what_to_do() {
    let world = alone();
    let home = world.home("alice");
    let mut redact = Redact::new(&world.path(""));
    let mut all = String::new();
    let mut show = |what: &str, run: &Run| {
        assert!(
            run.code > 0 && run.out.is_empty() && run.err.starts_with("error: "),
            "{what}: {run:?}"
        );
        let text = redact.text(&run.err);
        all.push_str(&format!("## {what}\n{text}exit {}\n\n", run.code));
    };
    let no_utf8 = OsStr::from_bytes(b"caf\xe9.jpg");
    show(
        "an argument that is not UTF-8",
        &left(home.command(&["remove-image"]).arg(no_utf8)),
    );
    show(
        "a path that is not UTF-8",
        &left(home.command(&["add-image"]).arg(no_utf8)),
    );
    show(
        "an unknown album",
        &home.run(&["get-images", "--album", "paris"], ""),
    );
    show(
        "a name of 10,000 characters",
        &home.run(&["remove-image", &"x".repeat(10_000)], ""),
    );
    show(
        "a name that acts on terminals",
        &home.run(&["remove-image", "a\u{1b}[2Jb\u{202e}gpj.c"], ""),
    );
    show(
        "a command that acts on terminals",
        &home.run(&["\u{1b}[2J\u{202e}list"], ""),
    );
    show(
        "a command of 10,000 characters",
        &home.run(&[&"x".repeat(10_000)], ""),
    );
    show(
        "an error in the middle",
        &home.run(&[], "# fine\n/leaveAlbum --quietly\n/enterAlbum trip\n"),
    );
    show("an unknown command", &home.run(&[], "/getImage\n"));
    show(
        "a quote that is never closed",
        &home.run(&[], "/rateImage 'a.bmp 5\n"),
    );
    show("a slash alone", &home.run(&[], "/\n"));
    let mut script = home.command(&[]);
    std::fs::write(world.path("latin1"), b"/removeImage caf\xe9.jpg\n").unwrap();
    show(
        "a script that is not UTF-8",
        &left(script.stdin(File::open(world.path("latin1")).unwrap())),
    );
    std::fs::write(world.path("huge"), vec![b'x'; 8 << 20]).unwrap();
    show(
        "a line without an end",
        &left(home.command(&[]).stdin(File::open(world.path("huge")).unwrap())),
    );
    show("a file in the home's place", &world.home("pw").run(&["list"], ""));
    show("a folder that is none", &home.run(&["export", "pw"], ""));
    insta::assert_snapshot!(all);
}

/// Two albums of one name: whoever means one of them is told how to say which. Two images of one name have two names.
#[test]
fn names_that_mean_several() {
    let world = World::new();
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    let (alice_up, bob_up) = (
        world.up("alice", &["--register"]),
        world.up("bob", &["--register"]),
    );
    for home in [&alice, &bob] {
        home.ok(&["create-album", "trip"]);
    }
    bob.ok(&["add-user", "alice"]);
    // The ids get their names in the golden in this order.
    let mut redact = Redact::new(&world.path(""));
    redact.text(&alice.ok(&["get-metadata"]));
    redact.text(&bob.ok(&["get-metadata"]));
    let mut all = String::new();
    let mut show = |what: &str, run: &Run| {
        assert!(
            run.code == 1 && run.out.is_empty() && run.err.starts_with("error: "),
            "{what}: {run:?}"
        );
        all.push_str(&format!(
            "## {what}\n{}exit {}\n\n",
            redact.text(&run.err),
            run.code
        ));
    };
    wait_for("both albums", || {
        (alice.json(&["list"])["albums"].as_array()?.len() == 2).then_some(())
    });
    show("two albums", &alice.run(&["enter-album", "trip"], ""));
    // By its id it can be entered, and then both are here.
    let albums = alice.json(&["list"]);
    let bobs = albums["albums"]
        .as_array()
        .unwrap()
        .iter()
        .find(|album| album["owner"] == "bob")
        .unwrap();
    alice.ok(&["enter-album", bobs["album_id"].as_str().unwrap()]);
    show(
        "two albums here",
        &alice.run(&["get-images", "--album", "trip"], ""),
    );
    world.image("a.bmp", 1);
    bob.ok(&["add-image", "a.bmp"]);
    world.image("b.bmp", 2);
    bob.ok(&["add-image", "b.bmp", "--as", "a.bmp"]);
    // Each image has a name that means it alone.
    for name in bob.names() {
        let rated = bob.json(&["rate-image", &name, "4"]);
        assert_eq!(
            (&rated["name"], &rated["rating"]["count"]),
            (&Value::from(name.as_str()), &1.into())
        );
    }
    insta::assert_snapshot!(all);
    assert_eq!((alice_up.end(), bob_up.end()), (0, 0));
}

/// A script does what stands before its error, nothing after it, and ends with its code; with `--keep-going` all the rest.
#[test]
fn an_error_in_the_middle_of_a_script() {
    let world = alone();
    let home = world.home("alice");
    let script = "/rateImage a.bmp 3\n/rateImage nowhere 3\n/rateImage a.bmp 5\n/rateImage a.bmp 6\n";
    let run = home.run(&[], script);
    assert_eq!(
        (run.code, run.out.as_str()),
        (4, "rated a.bmp 3; mean 3.00 (1)\n"),
        "{run:?}"
    );
    assert!(run.err.ends_with("in line 2 of the script\n"), "{run:?}");
    let run = home.run(&["--keep-going"], script);
    assert_eq!(run.code, 4, "of the first that failed");
    assert_eq!(
        run.out,
        "rated a.bmp 3; mean 3.00 (1)\nrated a.bmp 5; mean 5.00 (1)\n"
    );
    assert!(
        run.err.contains("in line 2") && run.err.contains("in line 4"),
        "{run:?}"
    );
    // Each line's object by itself, errors too.
    let run = home.run(&["--json", "--keep-going"], script);
    let kinds: Vec<bool> = run
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["error"].is_null())
        .collect();
    assert_eq!(
        (run.code, kinds, run.err.as_str()),
        (4, vec![true, false, true, false], "")
    );
}

/// Whoever closed the pipe has read enough: for a list, a script, help, and a stream. A disk that is full is another thing.
#[test]
fn nobody_reads_the_output() {
    let world = alone();
    let home = world.home("alice");
    let closed = |words: &[&str], input: &str| {
        let script = world.path("script");
        std::fs::write(&script, input).unwrap();
        let mut command = home.command(words);
        let mut child = command
            .stdin(File::open(script).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), err.as_str()),
            (Some(0), ""),
            "{words:?}"
        );
    };
    closed(&["get-images"], "");
    closed(&["get-images", "--json"], "");
    closed(&["filters", "--json"], "");
    closed(&["--help"], "");
    closed(&["man"], "");
    closed(&[], "/getImages\n/help\n/status\n");
    let up = home.up(&[]);
    let mut watch = home
        .command(&["watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(watch.stdout.take());
    // The first words may be said before it listens.
    while watch.try_wait().unwrap().is_none() {
        home.ok(&["say", "hello"]);
    }
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    for words in [&["get-images"][..], &["filters"], &["--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let run = left(home.command(words).stdout(full));
        assert_eq!(run.code, 1, "{words:?}: {run:?}");
        assert!(
            run.err.starts_with("error: cannot write the output: "),
            "{words:?}: {run:?}"
        );
    }
    assert_eq!(up.end(), 0);
}

/// Standard streams that are closed altogether are as empty ones.
#[test]
fn closed_streams() {
    let world = alone();
    let shell = |line: &str| {
        let inner = world.home("alice").command(&[]);
        let mut command = Command::new("sh");
        command.env_clear().current_dir(inner.get_current_dir().unwrap());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.args(["-c", line, "sh", env!("CARGO_BIN_EXE_calotype")]);
        left(command.stdin(Stdio::null()))
    };
    assert_eq!(
        shell("exec \"$1\" --home alice <&-").code,
        0,
        "a script without a line"
    );
    assert_eq!(shell("exec \"$1\" --home alice get-images >&- 2>&-").code, 0);
    assert_eq!(shell("exec \"$1\" --home alice get-images <&- >&- 2>&-").code, 0);
    let run = shell("exec \"$1\" --home bob register bob <&-");
    assert_eq!(run.code, 3, "nobody can be asked: {run:?}");
}

/// Colours are wanted on terminals, and where somebody says so.
#[test]
fn who_wants_colours() {
    let world = World::new();
    let home = world.home("alice");
    let coloured = |words: &[&str], env: &[(&str, &str)]| {
        let run = left(home.command(words).envs(env.iter().copied()));
        assert_eq!(run.code, 0);
        run.out.contains('\u{1b}')
    };
    for words in [&["filters"][..], &["--help"], &["add-image", "--help"]] {
        assert!(!coloured(words, &[]), "{words:?}");
        assert!(coloured(words, &[("CLICOLOR_FORCE", "1")]), "{words:?}");
        assert!(
            !coloured(words, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]),
            "{words:?}"
        );
        assert!(!coloured(words, &[("CLICOLOR_FORCE", "0")]), "{words:?}");
    }
    assert!(coloured(
        &["filters", "--color", "always"],
        &[("NO_COLOR", "1"), ("TERM", "dumb")]
    ));
    assert!(!coloured(
        &["filters", "--color", "never"],
        &[("CLICOLOR_FORCE", "1")]
    ));
    assert!(
        !coloured(&["filters", "--json", "--color", "always"], &[]),
        "scripts read no colours"
    );
}

/// On a terminal of 20 columns that only prints: no byte that acts, and no line wider than it unless it is one word.
#[test]
fn a_small_terminal_that_only_prints() {
    let world = alone();
    let home = world.home("alice");
    home.ok(&["rate-image", "a.bmp", "4"]);
    for words in [
        &["--help"][..],
        &["add-image", "--help"],
        &["filters"],
        &["config", "show", "--origin"],
        &["get-images"],
        &["get-metadata"],
        &["status"],
        &["list"],
        &["remove-image", "a name of several words"],
        &["say", "several words that are said to nobody in particular"],
    ] {
        let mut command = home.command(words);
        command.env("TERM", "dumb");
        let (text, _) = Person::start(&command, 20, 24).last();
        assert!(
            !text.is_empty() && !text.contains('\u{1b}'),
            "{words:?}: {}",
            text.escape_debug()
        );
        for line in text.lines() {
            let one_word = !line.trim().contains(' ');
            assert!(
                one_word || line.chars().count() <= 20,
                "{words:?}: {line:?} in\n{text}"
            );
        }
    }
    // The prompt itself, as in an editor's shell.
    let mut command = home.command(&[]);
    command.env("TERM", "dumb");
    let mut person = Person::start(&command, 80, 24);
    person.until("the prompt", |screen| screen.has("alice@trip (0 peers) >"));
    person.types("/getImages\r");
    person.until("the images", |screen| screen.has("4.00 (1)"));
    person.types("/quit\r");
    let (text, code) = person.last();
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains('\u{1b}'), "{}", text.escape_debug());
}

/// Several commands at once in a home that no node has: each gets its turn, none is lost. With a node, a script and
/// one-shots share it.
#[test]
fn several_doors_at_once() {
    let world = alone();
    let home = world.home("alice");
    let add = |from: u8| {
        let all: Vec<_> = (from..from + 4)
            .map(|i| {
                let name = format!("{i}.bmp");
                world.image(&name, i);
                home.command(&["add-image", &name, "--no-sync"])
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for child in all {
            let output = child.wait_with_output().unwrap();
            assert_eq!(
                output.status.code(),
                Some(0),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    };
    add(10);
    let up = home.up(&[]);
    add(20);
    assert_eq!(
        home.run(&[], "/rateImage 10.bmp 1\n/rateImage 20.bmp 2\n").code,
        0
    );
    assert_eq!(home.names().len(), 9);
    // Only a second `up` is refused, and says by whom.
    let second = home.run(&["up"], "");
    assert_eq!(second.code, 1);
    assert!(
        second.err.contains(&format!("process {}", up.pid())),
        "{second:?}"
    );
    assert_eq!(up.end(), 0);
}

/// A central that nobody runs: what needs it says so, what does not goes on.
#[test]
fn a_central_that_is_nobody() {
    let world = alone();
    let home = world.home("alice");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let run = world.home("bob").run(
        &["--central", &nobody, "register", "bob", "--password-file", "pw"],
        "",
    );
    assert_eq!((run.code, run.out.as_str()), (6, ""), "{run:?}");
    assert!(
        run.err.contains("central") && run.err.contains("hint: "),
        "{run:?}"
    );
    let at_nobody = |words: &[&str]| home.ok(&[&["--central", &nobody, "--no-sync"], words].concat());
    at_nobody(&["rate-image", "a.bmp", "4"]);
    assert!(at_nobody(&["get-images"]).contains("4.00 (1)"));
    let status: Value = serde_json::from_str(&at_nobody(&["status", "--json"])).unwrap();
    assert_eq!(status["central"], "down");
}

/// A home on a disk of two megabytes: what does not fit is refused whole, with its code; then the home works as before.
/// A disk that nobody may write to is told as such.
#[test]
fn a_full_disk() {
    let world = World::new();
    std::fs::create_dir(world.path("disk")).unwrap();
    std::fs::write(world.path("small.bmp"), bitmap(8, 8)).unwrap();
    std::fs::write(world.path("big.bmp"), bitmap(1500, 1500)).unwrap();
    let inner = world.home("disk/alice").command(&[]);
    let script = "mount -t tmpfs -o size=2m tmpfs disk || { echo no mounts here; exit 77; }\n\
        run() { \"$0\" --home disk/alice --no-sync \"$@\"; }\n\
        run register alice --password-file pw && run create-album trip && run add-image small.bmp || exit 1\n\
        run add-image big.bmp --json; echo \"exit $?\"\n\
        run get-images --json && run rate-image small.bmp 3\n\
        mount -o remount,ro disk; run list --json; echo \"exit $?\"\n\
        rm -rf bob; mkdir bob && mount -o bind,ro disk bob; \"$0\" --home bob/home list --json; echo \"exit $?\"\n";
    let mut command = Command::new("unshare");
    command.env_clear().current_dir(inner.get_current_dir().unwrap());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args([
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
        env!("CARGO_BIN_EXE_calotype"),
    ]);
    let Ok(output) = command.stdin(Stdio::null()).output() else {
        return println!("not tried: there is no unshare here");
    };
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if out.starts_with("no mounts here") || err.starts_with("unshare: ") {
        return println!("not tried: this machine lets nobody mount: {err}");
    }
    let lines: Vec<&str> = out.lines().collect();
    let failed = lines
        .iter()
        .position(|line| line.starts_with("exit "))
        .unwrap_or_else(|| panic!("{out}{err}"));
    let refused: Value = serde_json::from_str(lines[failed - 1]).unwrap();
    assert_eq!(
        (&refused["error"]["code"], lines[failed]),
        (&"disk_full".into(), "exit 1"),
        "{out}{err}"
    );
    let images: Value = serde_json::from_str(lines[failed + 1]).unwrap();
    assert_eq!(
        images["images"].as_array().unwrap().len(),
        1,
        "nothing is half-added"
    );
    assert!(lines[failed + 2].starts_with("rated small.bmp 3"), "{out}{err}");
    for refused in [failed + 3, failed + 5] {
        let json: Value = serde_json::from_str(lines[refused]).unwrap();
        assert_eq!(
            (&json["error"]["code"], lines[refused + 1]),
            (&"denied".into(), "exit 5"),
            "{out}{err}"
        );
        assert!(
            json["error"]["message"].as_str().unwrap().contains("Read-only"),
            "{json}"
        );
    }
}
