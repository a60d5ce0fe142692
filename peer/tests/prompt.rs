//! The prompt as a person has it: the binary on a pseudo-terminal, keys typed and the screen read. Every wait is for a
//! text or a state of the terminal, with a deadline.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use std::process::Command;
use std::time::Instant;

use peer::api::Request;
use rustix::process::Signal;
use world::terminal::Person;
use world::{PATIENCE, World, wait_for};

/// Alice is half-way through a line when bob says something: it appears above, and her line is as it was. Tab finishes
/// the image's name. Ctrl-C takes back a line, then ends a command that waits for a bob who is away, and nothing else:
/// she goes on at the same prompt, in the same process, until Ctrl-D.
#[test]
fn a_sitting_at_the_prompt() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    world.image("harbour at night.jpg", 1);
    world.home("alice").ok(&["add-image", "harbour at night.jpg"]);
    world.sync(&["alice", "bob"]);
    assert_eq!(peers.remove(0).end(), 0);
    let bob = peers[0].control();

    let mut alice = Person::sit(&world, "alice");
    alice.above("/help lists the commands");
    alice.line("");

    // News above the half-typed line, which is drawn again with its prompt; the prompt itself follows the peers.
    alice.types("/rateImage ha");
    alice.until("bob in the prompt", |screen| {
        screen
            .text(screen.row)
            .starts_with("alice@trip (1 peer) > /rateImage ha")
    });
    wait_for("a link", || (bob.status().peers == 1).then_some(()));
    alice.line("/rateImage ha");
    let text = "what a view".to_owned();
    bob.ask(Request::Say { album: None, text }).unwrap();
    alice.above("what a view");
    alice.line("/rateImage ha");
    // A name with spaces comes quoted.
    alice.types("\t");
    alice.line("/rateImage 'harbour at night.jpg'");
    alice.types("4\r");
    alice.above("rated harbour at night.jpg 4");
    alice.line("");

    // Ctrl-C at the prompt takes the line back; twice where nothing is typed, it says how to leave.
    alice.types("/removeImage har");
    alice.line("/removeImage har");
    alice.types("\x03");
    alice.above("/removeImage har");
    alice.line("");
    assert!(!alice.screen.has("ends the prompt"));
    alice.types("\x03");
    alice.until("a second prompt", |screen| {
        let [this, before] = [0, 1].map(|up| screen.text(screen.row - up));
        this == before && this.ends_with('>')
    });
    alice.types("\x03");
    alice.above("Ctrl-D or /quit ends the prompt");
    alice.line("");

    // A command that looks, again and again on a screen of its own; what changes something is refused.
    alice.types("/watch 100ms /status\r");
    alice.until("the other screen", |screen| {
        screen.has("every 100 ms, q ends") && screen.has("user         alice")
    });
    bob.ask(Request::Say {
        album: None,
        text: "not over it".into(),
    })
    .unwrap();
    alice.types("q");
    alice.above("not over it");
    alice.line("");
    alice.types("/watch 1s /removeImage 'harbour at night.jpg'\r");
    alice.above("/removeImage is not repeated");
    alice.line("");

    // Bob is away for a moment: whoever waits for him may stop waiting.
    peers[0].signal(Signal::STOP);
    alice.types(&format!("/addImage late.jpg {} 5\r", "11".repeat(32)));
    alice.above("added");
    alice.line("");
    alice.types("/sync --timeout 55s\r");
    alice.above("/sync --timeout 55s");
    alice.is_at_work();
    alice.types("\x03");
    alice.above("stopped; what was done by then stays");
    alice.line("");
    peers[0].signal(Signal::CONT);
    wait_for("her image", || {
        bob.names().contains(&"late.jpg".to_owned()).then_some(())
    });
    alice.types("/status\r");
    alice.above(&format!("process      {}", alice.child.id()));
    alice.line("");
    alice.types("\x04");
    assert_eq!(alice.ends(), 0);
}

/// Tab knows who and what lives in the album. Nothing disturbs a password. An import that is stopped says what it did. The
/// node dies under the prompt, which takes its place, the half-typed line untouched; the history has all but secrets. A
/// terminal of 20 columns is enough.
#[test]
fn whatever_happens_the_prompt_stays() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    world.image("harbour at night.jpg", 1);
    world.home("alice").ok(&["add-image", "harbour at night.jpg"]);
    world.sync(&["alice", "bob"]);
    let bob = peers[1].control();
    let mut alice = Person::sit(&world, "alice");
    alice.above("its node runs already");
    alice.line("");

    alice.tab("/removeUser b", "/removeUser bob");
    alice.tab("/rateImage --album tr", "/rateImage --album trip");
    alice.tab(
        "/rateImage --album trip har",
        "/rateImage --album trip 'harbour at night.jpg'",
    );
    alice.tab("/filter x sepia+blu", "/filter x sepia+blur:2");
    alice.tab("/filter x --a", "/filter x --a");
    alice.tab("/save x harbour", "/save x harbour\\ at\\ night.jpg");
    alice.does(
        "/removeImage 'harbour at night.jpg'",
        "removed harbour at night.jpg",
    );
    alice.tab("/rateImage h", "/rateImage h");
    alice.tab("/restore h", "/restore 'harbour at night.jpg'");
    alice.does("/undo", "harbour at night.jpg");
    alice.does("/removeUser bbo", "did you mean bob?");
    alice.does("/filter x blr", "did you mean blur?");

    // What bob says meanwhile comes after the password, and not into its line.
    alice.types("/login alice\r");
    alice.until("the question", |screen| {
        screen.text(screen.row) == "Password of alice:"
    });
    let text = "nothing to see here".to_owned();
    bob.ask(Request::Say { album: None, text }).unwrap();
    let of_alice = peers[0].control();
    wait_for("his words", || {
        let chat = of_alice.ask(Request::Chat {
            album: None,
            limit: None,
            since: None,
        });
        format!("{chat:?}").contains("nothing to see here").then_some(())
    });
    alice.types("a password of tests\r");
    alice.above("logged in as alice");
    alice.above("nothing to see here");
    alice.line("");
    assert!((0..alice.screen.row).any(|row| alice.screen.text(row) == "Password of alice:"));
    assert!(!alice.screen.has("a password of tests"));

    // Sixty pictures take a while: there is a meter, and Ctrl-C keeps what was looked at.
    std::fs::create_dir(world.path("many")).unwrap();
    let mut picture = world::bitmap(500, 500);
    for i in 0..60u8 {
        *picture.last_mut().unwrap() = i;
        std::fs::write(world.path("many").join(format!("{i}.bmp")), &picture).unwrap();
    }
    alice.types("/addImage many\r");
    alice.until("a meter that moves", |screen| {
        let meter = screen.text(screen.row);
        meter.starts_with("importing ") && !meter.starts_with("importing 0 of")
    });
    alice.types("\x03");
    alice.above(" not looked at");
    alice.above("stopped; what was done by then stays");
    alice.line("");
    let names = of_alice.names().len();
    assert!(names > 1 && names < 61, "{names}");

    // The node dies: the prompt is its node now.
    alice.types("/rateImage 'harb");
    alice.line("/rateImage 'harb");
    peers.remove(0).kill();
    alice.above("this prompt is its node now");
    alice.line("/rateImage 'harb");
    alice.types("our at night.jpg' 4\r");
    alice.above("rated harbour at night.jpg 4");
    alice.line("");
    alice.types("/status\r");
    alice.above(&format!("process      {}", alice.child.id()));
    alice.line("");

    // The history is searched; it has the login, not the password.
    alice.types("\x12/filter x");
    alice.until("what was found", |screen| {
        screen.text(screen.row).contains("/filter x blr")
    });
    alice.types("\x07");
    alice.line("");
    let history = std::fs::read_to_string(world.path("alice").join("history")).unwrap();
    assert!(history.contains("/login alice\n/addImage many\n") && !history.contains("password"));

    // Twenty columns, then wide again.
    alice.resize(20);
    alice.types("\r");
    alice.until("a short prompt", |screen| {
        screen.text(screen.row) == "alice@trip >"
    });
    alice.types("/rateImage ha\t");
    alice.until("a folded line", |screen| {
        let above = screen.text(screen.row.saturating_sub(2)) + &screen.text(screen.row.saturating_sub(1));
        let all = above + &screen.text(screen.row);
        all.contains("/rateImage 'harbour at night.jpg'")
    });
    alice.types("\x15/status\r");
    alice.until("the state", |screen| {
        screen.has("replication  op") && screen.text(screen.row) == "alice@trip >"
    });
    alice.resize(120);
    alice.types("\r");
    alice.line("");
    alice.types("/quit\r");
    assert_eq!(alice.ends(), 0);
}

/// Ctrl-Z gives the terminal back to the shell as it was; fg finds the half-typed line.
#[test]
fn a_prompt_that_is_stopped_goes_on() {
    let world = World::new();
    let _peers = world.trip(&["alice"]);
    let calotype = world.home("alice").command(&["--color", "never"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "set -m; \"$@\"; stty -a; fg", "sh"])
        .arg(calotype.get_program())
        .args(calotype.get_args())
        .current_dir(calotype.get_current_dir().unwrap());
    shell.envs(
        calotype
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let mut alice = Person::start(&shell, 120, 40);
    alice.above("/help lists the commands");
    alice.line("");
    alice.types("/rateImage ha");
    alice.line("/rateImage ha");
    alice.types("\x1a");
    alice.until("the shell's terminal", |screen| screen.has("isig icanon"));
    alice.line("/rateImage ha");
    alice.types("\x15/quit\r");
    assert_eq!(alice.ends(), 0);
}

/// A terminal that only prints: no news within a line, no escapes; what came is told once the line is done. When its input
/// is closed, the prompt ends.
#[test]
fn a_terminal_that_only_prints() {
    let world = World::new();
    let peers = world.trip(&["alice", "bob"]);
    let (of_alice, bob) = (peers[0].control(), peers[1].control());
    let mut dumb = world.home("alice").command(&[]);
    dumb.env("TERM", "dumb");
    let mut alice = Person::start(&dumb, 120, 40);
    alice.until("a prompt", |screen| screen.text(screen.row).ends_with(") >"));
    let text = "what a view".to_owned();
    bob.ask(Request::Say { album: None, text }).unwrap();
    wait_for("his words", || {
        let chat = of_alice.ask(Request::Chat {
            album: None,
            limit: None,
            since: None,
        });
        format!("{chat:?}").contains("what a view").then_some(())
    });
    alice.types("/show nothing.jpg\n");
    alice.above("no image \"nothing.jpg\"");
    // News is gathered for a moment, so it may take another line.
    let until = Instant::now() + PATIENCE;
    while !alice.screen.has("bob: what a view") {
        assert!(Instant::now() < until, "no news");
        alice.blank();
        alice.types("\n");
        alice.until("another prompt", |screen| {
            screen.text(screen.row).ends_with(") >")
        });
    }
    alice.types("/watch 100ms /peers\n");
    alice.above("linked");
    alice.is_at_work();
    alice.types("\x03");
    alice.until("a prompt", |screen| screen.text(screen.row).ends_with(") >"));
    assert_eq!(alice.escaped, "");
    alice.types("\x04");
    assert_eq!(alice.ends(), 0);
}
