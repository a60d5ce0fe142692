//! One line a command: how it is called so that it works, and how so that it fails. The calls are made in this order in
//! one world: the nodes of alice and bob run, carol's home has none; `a.bmp` and `b.bmp` are pictures in the current folder.
//!
//! A new command needs its line here, its help with an example, and its row in the guide; the test `walk` says what is missing.

/// How a command is seen to work.
pub enum Good {
    /// It prints one object with `--json`.
    Prints(&'static [&'static str]),
    /// The same; then this line of chat makes it print one.
    Streams(&'static [&'static str]),
    /// It serves; its ready file holds one object.
    Serves(&'static [&'static str]),
    /// Another test shows it: which.
    Elsewhere(&'static str),
}

/// One command.
pub struct Call {
    /// As in `calotype NAME`.
    pub name: &'static str,
    /// Whose home.
    pub home: &'static str,
    /// What works, the command's name left out.
    pub good: Good,
    /// What fails, the command's name left out.
    pub bad: &'static [&'static str],
}

const fn call(name: &'static str, good: &'static [&'static str], bad: &'static [&'static str]) -> Call {
    at("alice", name, Good::Prints(good), bad)
}

const fn at(home: &'static str, name: &'static str, good: Good, bad: &'static [&'static str]) -> Call {
    Call {
        name,
        home,
        good,
        bad,
    }
}

const NOWHERE: &[&str] = &["--album", "nowhere"];

/// All commands of the shell, in the order they are tried.
pub const CALLS: &[Call] = &[
    at(
        "carol",
        "register",
        Good::Prints(&["carol", "--password-file", "pw"]),
        &["alice", "--password-file", "pw"],
    ),
    at(
        "carol",
        "login",
        Good::Prints(&["carol", "--password-file", "pw"]),
        &["carol", "--password-file", "wrong"],
    ),
    at("carol", "logout", Good::Prints(&[]), &["now"]),
    at(
        "dave",
        "recover",
        Good::Elsewhere("devices.rs: with the words of an account"),
        &["carol", "--words-file", "notes.txt", "--password-file", "pw"],
    ),
    at(
        "carol",
        "recovery-words",
        Good::Prints(&["--password-file", "pw"]),
        &["--password-file", "wrong"],
    ),
    at("carol", "escrow", Good::Prints(&["status"]), &["maybe"]),
    call("devices", &[], &["all"]),
    at(
        "alice",
        "approve-device",
        Good::Elsewhere("devices.rs: a second machine by a code"),
        &["--password-file", "wrong"],
    ),
    at(
        "dave",
        "link",
        Good::Elsewhere("devices.rs: a second machine by a code"),
        &["7-carpet-monkey-lampe"],
    ),
    at(
        "alice",
        "revoke-device",
        Good::Elsewhere("devices.rs: a stolen machine"),
        &["laptop", "--yes", "--password-file", "pw"],
    ),
    call("create-album", &["trip"], &["a/b"]),
    call("list", &[], &["all"]),
    call("add-user", &["bob"], &["nobody"]),
    call("set-role", &["bob", "curator"], &["alice", "viewer"]),
    at("bob", "enter-album", Good::Prints(&["trip"]), &["trip", "tour"]),
    call("add-image", &["a.bmp", "b.bmp"], &["notes.txt"]),
    call("rate-image", &["a.bmp", "4"], &["a.bmp", "6"]),
    call(
        "filter",
        &["a.bmp", "grayscale", "--as", "gray.png"],
        &["a.bmp", "blurr:2"],
    ),
    call("filters", &[], &["all"]),
    call(
        "apply",
        &["a.bmp", "applied.png", "invert"],
        &["a.bmp", "applied.gif", "invert"],
    ),
    call(
        "preview",
        &["a.bmp", "sepia"],
        &["a.bmp", "sepia", "-o", "preview.gif"],
    ),
    call("compare", &["gray.png"], &["a.bmp"]),
    call("verify", &["gray.png"], &["a.bmp"]),
    call("remove-image", &["b.bmp"], &["b.bmp~1"]),
    call("trash", &[], NOWHERE),
    call("why", &["b.bmp"], &["nowhere.jpg"]),
    call("restore", &["b.bmp"], &["a.bmp"]),
    call("undo", &[], &["00000000"]),
    call("log", &[], &["--by", "nobody"]),
    call("sync", &["--timeout", "30s"], &["--timeout", "soon"]),
    call("get-images", &[], NOWHERE),
    call("get-metadata", &[], NOWHERE),
    call("get-or-set", &[], NOWHERE),
    call("show", &["gray.png", "--source"], &["a.bmp", "--source"]),
    call("open", &["a.bmp"], &["nowhere.jpg"]),
    call("save", &["a.bmp", "saved.bmp"], &["a.bmp", "a.bmp"]),
    call("export", &["exported"], &["a.bmp"]),
    call("say", &["hello", "there"], &["--album", "nowhere", "hello"]),
    call("invite", &["--role", "viewer"], &["nowhere"]),
    call("invites", &[], &["all"]),
    at(
        "carol",
        "join",
        Good::Elsewhere("invite.rs: with nothing but the code"),
        &["7-carpet-monkey-lampe"],
    ),
    call("members", &[], NOWHERE),
    call("chat", &[], NOWHERE),
    at("alice", "watch", Good::Streams(&[]), &["all"]),
    call("peers", &[], &["all"]),
    call("status", &[], &["all"]),
    call("doctor", &[], &["all"]),
    call("net", &[], &["all"]),
    call("block", &["bob"], &["nobody"]),
    call("unblock", &["bob"], &["nobody"]),
    call("remove-user", &["bob"], &["nobody"]),
    call("verify-user", &["bob", "--yes"], &["nobody"]),
    call("held", &[], &["accept", "bob"]),
    call("leave-album", &[], &["trip"]),
    call("config", &["show", "--origin"], &["hide"]),
    at("carol", "fsck", Good::Prints(&[]), &["--deep"]),
    at(
        "carol",
        "up",
        Good::Serves(&["--user", "carol", "--password-file", "pw"]),
        &["--user", "dave"],
    ),
    at(
        "carol",
        "central",
        Good::Serves(&["--listen", "127.0.0.1:0", "--data", "other"]),
        &["--listen", "nowhere"],
    ),
    at(
        "alice",
        "man",
        Good::Elsewhere("papers.rs: all pages"),
        &["notes.txt"],
    ),
    at(
        "alice",
        "completions",
        Good::Elsewhere("papers.rs: the whole script"),
        &["csh"],
    ),
    at(
        "alice",
        "gallery",
        Good::Elsewhere("gallery.rs: its link, and what is behind it"),
        NOWHERE,
    ),
    at(
        "alice",
        "demo",
        Good::Elsewhere("demo.rs: one object at the end"),
        &["--photos", "nowhere"],
    ),
];

/// Commands of the prompt alone, as lines of a script.
pub const LINES: &[Call] = &[
    call("help", &["addImage"], &["nonsense"]),
    at(
        "alice",
        "more",
        Good::Elsewhere("the prompt's own, as lists have pages only there"),
        &[],
    ),
    call("quit", &[], &["now"]),
];
