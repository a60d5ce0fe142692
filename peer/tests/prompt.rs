//! The prompt as a person has it: the binary on a pseudo-terminal, keys typed and the screen read. Every wait is for a
//! text or a state of the terminal, with a deadline.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod world;

use peer::api::Request;
use rustix::process::Signal;
use world::terminal::Person;
use world::{World, wait_for};

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
