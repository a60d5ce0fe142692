//! The promises to scripts that no other test keeps: exact keys, what is resolved when, who is waited for.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;

use crate::world::{PATIENCE, World, bmp, wait_for};

/// These keys, and no `null` where a value is promised.
fn keys(value: &Value, promised: &str) {
    let have: BTreeSet<&str> = value
        .as_object()
        .unwrap_or_else(|| panic!("{value}"))
        .keys()
        .map(String::as_str)
        .collect();
    for key in promised.split_whitespace() {
        assert!(have.contains(key), "{key} is not in {value}");
    }
}

/// The objects that scripts read, key by key as they were promised.
#[test]
fn objects_have_the_promised_keys() {
    let world = World::new();
    let peers = world.trip(&["alice", "bob"]);
    let alice = world.home("alice");
    world.image("a.bmp", 1);
    let added = alice.json(&["add-image", "a.bmp"]);
    keys(&added, "schema added already failed");
    let made = alice.json(&["filter", "a.bmp", "blur:2", "--as", "soft.png"]);
    let image = "name hash size width height author added rating version_of recipe verified local state";
    keys(&made["image"], image);
    world.sync(&["alice", "bob"]);
    let images = world.home("bob").json(&["get-images"]);
    keys(&images, "schema album images");
    let all = images["images"].as_array().unwrap();
    for entry in all {
        keys(entry, image);
        keys(&entry["rating"], "mean count mine");
        assert!(
            entry["rating"]["mean"].is_null()
                && entry["rating"]["mine"].is_null()
                && entry["rating"]["count"] == 0
        );
        assert!(entry["size"].is_u64() && entry["width"] == 4 && entry["height"] == 2);
        assert_eq!(entry["hash"].as_str().unwrap().len(), 64);
        let added = entry["added"].as_str().unwrap();
        assert!(
            added.len() >= 20 && added.ends_with('Z') && added.as_bytes()[10] == b'T',
            "{added}"
        );
        assert!(entry["local"].is_boolean());
        assert!(["ready", "fetching", "missing"].contains(&entry["state"].as_str().unwrap()));
    }
    assert_eq!(
        (&all[0]["version_of"], &all[0]["recipe"], &all[0]["author"]),
        (&Value::Null, &Value::Null, &"alice".into())
    );
    assert_eq!(
        (&all[1]["version_of"], &all[1]["recipe"]),
        (&all[0]["hash"], &"blur:2".into())
    );
    let metadata = alice.json(&["get-metadata"]);
    keys(&metadata, "schema album album_id owner members images");
    keys(&metadata["members"][0], "user role online");
    let inside = alice.json(&["get-or-set"]);
    keys(&inside, "schema album replica clock elements digest");
    let element = &inside["elements"][0];
    keys(element, "dot kind value");
    assert!(
        element["dot"][0].is_string() && element["dot"][1].is_u64(),
        "{element}"
    );
    assert!(inside["clock"].as_object().unwrap().values().all(Value::is_u64));
    let status = alice.json(&["status"]);
    keys(
        &status,
        "user album peers pending_bytes pending_images disk_bytes only_copies central refused",
    );
    assert_eq!(
        (&status["peers"], &status["central"]),
        (&1.into(), &"connected".into())
    );
    let synced = alice.json(&["sync", "--timeout", "20s"]);
    keys(&synced, "synced compared digest");
    assert_eq!(synced["compared"], serde_json::json!(["bob"]));
    assert!(alice.ok(&["sync"]).contains("bob"), "it prints who was compared");
    let filters = alice.json(&["filters"]);
    let known: BTreeSet<&str> = filters["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    keys(&filters["filters"][0], "name parameters description");
    for name in "grayscale sepia invert brightness contrast blur sharpen edges rotate crop resize".split(' ')
    {
        assert!(known.contains(name), "no filter {name}");
    }
    // What a home and a central keep, and where.
    let hash = blake3::hash(&bmp(1));
    let files = |dir: &str| walk(&world.path(dir));
    assert!(
        files("alice/blobs")
            .iter()
            .any(|path| std::fs::read(path).unwrap() == bmp(1)),
        "no file with the bytes of {hash}"
    );
    for name in ["identity.key", "identity.cert"] {
        assert!(world.path("central").join(name).is_file(), "{name}");
    }
    // Bob is there no more: nobody is reached.
    let mut peers = peers.into_iter();
    let alice_up = peers.next().unwrap();
    peers.for_each(|bob| assert_eq!(bob.end(), 0));
    wait_for("bob to be away", || {
        (alice_up.control().status().peers == 0).then_some(())
    });
    let run = alice.run(&["sync", "--timeout", "100ms", "--json"], "");
    assert_eq!(run.code, 6, "{run:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&run.out).unwrap()["error"]["code"],
        "unreachable"
    );
    assert_eq!(alice_up.end(), 0);
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] })
        .collect()
}

/// `--album` counts where an album is acted on, and nowhere else; `--yes`, `--no-input` and `--no-sync` fit every command.
#[test]
fn flags_of_every_command() {
    let world = World::new();
    let home = world.home("alice");
    home.ok(&["register", "alice", "--password-file", "pw", "--album", "nowhere"]);
    let up = home.up(&[]);
    for words in [
        &["create-album", "trip"][..],
        &["create-album", "tour"],
        &["enter-album", "trip"],
        &["list"],
        &["status"],
        &["peers"],
        &["net"],
        &["filters"],
        &["config", "show"],
    ] {
        home.ok(&[words, &["--album", "nowhere"]].concat());
    }
    let run = home.run(&["get-images", "--album", "nowhere"], "");
    assert_eq!(run.code, 4);
    // By name, by id, and without entering it.
    world.image("a.bmp", 1);
    home.ok(&["add-image", "a.bmp", "--album", "tour"]);
    assert_eq!(home.json(&["get-images"])["images"], serde_json::json!([]));
    let tour = home.json(&["get-metadata", "--album", "tour"]);
    let id = tour["album_id"].as_str().unwrap();
    assert_eq!(
        home.json(&["get-images", "--album", id])["images"][0]["name"],
        "a.bmp"
    );
    for command in peer::cmd::shell()
        .get_subcommands()
        .chain(peer::cmd::prompt().get_subcommands())
    {
        for flag in ["album", "json", "yes", "no-input"] {
            let has = command.get_arguments().any(|arg| arg.get_long() == Some(flag));
            assert!(has, "{} does not take --{flag}", command.get_name());
        }
    }
    // No password comes from a flag's value or the environment.
    let all = peer::cmd::shell();
    let args = all
        .get_arguments()
        .chain(all.get_subcommands().flat_map(clap::Command::get_arguments));
    let secret: BTreeSet<_> = args
        .filter_map(clap::Arg::get_long)
        .filter(|long| long.contains("pass"))
        .collect();
    assert_eq!(secret, BTreeSet::from(["password-file", "password-stdin"]));
    let mut command = home.command(&["login", "alice"]);
    let output = command
        .env("CALOTYPE_PASSWORD", "a password of tests")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(up.end(), 0);
}

/// Nobody runs alice's node: her command opens the home itself, and waits a moment until bob, who is there, has her change.
#[test]
fn a_command_by_itself_tells_the_others() {
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    assert_eq!(peers.remove(0).end(), 0);
    let bob = peers.remove(0);
    world.image("a.bmp", 1);
    world.home("alice").ok(&["add-image", "a.bmp"]);
    // On a busy machine the moment may be too short; the next command takes everything along.
    wait_for("alice's image", || {
        world.home("alice").ok(&["rate-image", "a.bmp", "5"]);
        bob.control().names().contains(&"a.bmp".to_owned()).then_some(())
    });
    assert_eq!(bob.end(), 0);
}

/// A flag beats the environment, which beats the file, which beats the default; each value names its origin.
#[test]
fn settings_come_from_where_they_say() {
    let world = World::new();
    let home = world.home("alice");
    std::fs::create_dir_all(world.path("config/calotype")).unwrap();
    let file = world.path("config/calotype/config.toml");
    std::fs::write(&file, "home = \"~/of-file\"\ncentral = \"of-file:1\"\nreplication = \"delta\"\nlisten = \"127.0.0.1:4000\"\n").unwrap();
    let show = |words: &[&str], env: &[(&str, &str)]| {
        let mut command = home.command(&[words, &["config", "show", "--json"]].concat());
        command
            .env("XDG_CONFIG_HOME", world.path("config"))
            .env("NO_COLOR", "1");
        let out = command.envs(env.iter().copied()).output().unwrap().stdout;
        let all: Value = serde_json::from_slice(&out).unwrap();
        let list = all["settings"].as_array().unwrap().clone();
        list.into_iter()
            .map(|it| {
                (
                    it["key"].as_str().unwrap().to_owned(),
                    (it["value"].clone(), it["origin"].as_str().unwrap().to_owned()),
                )
            })
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let of_file = file.display().to_string();
    let check = |words: &[&str], env: &[(&str, &str)], key: &str, value: &str, origin: &str| {
        let all = show(words, env);
        assert_eq!(all[key], (value.into(), origin.to_owned()), "{words:?} {env:?}");
    };
    check(
        &[],
        &[],
        "home",
        world.path("alice").to_str().unwrap(),
        "flag --home",
    );
    check(&[], &[], "central", "of-file:1", &of_file);
    check(
        &[],
        &[("CALOTYPE_CENTRAL", "of-env:1")],
        "central",
        "of-env:1",
        "environment CALOTYPE_CENTRAL",
    );
    check(
        &["--central", "of-flag:1"],
        &[("CALOTYPE_CENTRAL", "of-env:1")],
        "central",
        "of-flag:1",
        "flag --central",
    );
    check(&[], &[], "replication", "delta", &of_file);
    check(
        &["--replication", "state"],
        &[],
        "replication",
        "state",
        "flag --replication",
    );
    check(
        &["--listen", "127.0.0.1:5000"],
        &[],
        "listen",
        "127.0.0.1:5000",
        "flag --listen",
    );
    check(&[], &[], "color", "auto", "default");
    assert!(!world.path("alice").exists(), "nothing is made by looking");
}

/// Bob enters before alice lets him in: he is waited for, a moment.
#[test]
fn entering_waits_for_a_grant_under_way() {
    let world = World::new();
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    let alice_up = world.up("alice", &["--register"]);
    let bob_up = world.up("bob", &["--register"]);
    alice.ok(&["create-album", "trip"]);
    let enter = bob
        .command(&["enter-album", "trip"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    alice.ok(&["add-user", "bob"]);
    let output = enter.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!((alice_up.end(), bob_up.end()), (0, 0));
    // A restart resumes user and album without a password.
    let again = bob.up(&[]);
    assert_eq!(
        (&again.ready["user"], &again.ready["album"]),
        (&"bob".into(), &"trip".into())
    );
    assert_eq!(again.end(), 0);
}

/// Files, folders, patterns, `~` and what is no picture: each is added, known, refused by name, or left out and counted.
#[test]
fn images_are_added_as_people_name_them() {
    let world = World::new();
    let home = world.home("alice");
    let up = world.up("alice", &["--register"]);
    home.ok(&["create-album", "trip"]);
    std::fs::create_dir_all(world.path("photos/deep/er")).unwrap();
    for (i, name) in [
        "photos/1.bmp",
        "photos/deep/2.bmp",
        "photos/deep/er/3.bmp",
        "4.bmp",
        "5.bmp",
        "sun set.bmp",
    ]
    .iter()
    .enumerate()
    {
        world.image(name, i as u8);
    }
    std::fs::write(world.path("photos/notes.txt"), "no picture").unwrap();
    // A path is that of the person who types it, wherever the node was started.
    let there = world
        .home(world.path("alice").to_str().unwrap())
        .command(&["add-image", "2.bmp", "--json"])
        .current_dir(world.path("photos/deep"))
        .output()
        .unwrap();
    let there: Value = serde_json::from_slice(&there.stdout).unwrap();
    assert_eq!(there["added"][0]["name"], "2.bmp", "{there}");
    home.ok(&["remove-image", "2.bmp"]);
    let folder = home.json(&["add-image", "photos"]);
    assert_eq!(
        (folder["added"].as_array().unwrap().len(), &folder["skipped"]),
        (3, &1.into()),
        "{folder}"
    );
    // The quotes of a script, `~` that no shell expanded, a pattern, a dropped link.
    let link = format!("file://{}", world.path("sun%20set.bmp").display());
    let script = format!("/addImage '~/4.bmp' '?.bmp' \"{link}\" --json\n");
    let run = home.run(&[], &script);
    let added: Value = serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("{e}: {run:?}"));
    let names: BTreeSet<&str> = added["added"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        BTreeSet::from(["4.bmp", "5.bmp", "sun set.bmp"]),
        "{added}"
    );
    // Known by their first bytes, and told that they are not supported yet.
    let foreign: [(&str, &[u8]); 5] = [
        ("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("photo.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
        ("photo.cr2", b"II*\0\x10\0\0\0CR\x02\0"),
        ("film.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isommp42"),
        ("film.mkv", b"\x1a\x45\xdf\xa3\x01\0\0\0"),
    ];
    for (name, bytes) in foreign {
        std::fs::write(world.path(name), bytes).unwrap();
        let run = home.run(&["add-image", name], "");
        assert_eq!(run.code, 1, "{name}: {run:?}");
        assert!(
            run.err.contains("recognised, not supported yet"),
            "{name}: {run:?}"
        );
    }
    // All failed: the first one's code. Some failed: 7, with the others done.
    std::fs::write(world.path("cut.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let run = home.run(&["add-image", "--json", "cut.png", "photo.heic"], "");
    let all: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (run.code, &all["error"]["code"]),
        (1, &all["failed"][0]["code"]),
        "{all}"
    );
    assert!(!all["error"]["hint"].as_str().unwrap().is_empty(), "{all}");
    let run = home.run(&["add-image", "--json", "4.bmp", "photo.heic"], "");
    let part: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (run.code, &part["error"]["code"], &part["already"][0]["name"]),
        (7, &"partial".into(), &"4.bmp".into()),
        "{part}"
    );
    // Exactly three words, of which the second is a hash and the third a number; else they are paths.
    let hash = "ab".repeat(32);
    home.ok(&["add-image", "later.jpg", &hash, "12"]);
    assert_eq!(
        home.run(&["add-image", "later.jpg", &hash[1..], "12"], "").code,
        4
    );
    // Its bytes are not here: the others are written, and it is named.
    let run = home.run(&["export", "out"], "");
    assert_eq!(
        (run.code, run.out.starts_with("wrote 6 files to ")),
        (7, true),
        "{run:?}"
    );
    assert!(
        run.err.contains("later.jpg") && run.err.contains("calotype sync"),
        "{run:?}"
    );
    assert_eq!(up.end(), 0);
}

/// News as JSON Lines: each kind with what was promised, each line there as soon as it happens.
#[test]
fn a_stream_of_news() {
    use std::io::{BufRead, BufReader};
    let world = World::new();
    let peers = world.trip(&["alice", "bob"]);
    let (alice, bob) = (world.home("alice"), world.home("bob"));
    let mut watch = bob
        .command(&["watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (tell, news) = std::sync::mpsc::channel::<Value>();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = tell.send(serde_json::from_str(&line).unwrap());
        }
    });
    // Until it listens.
    let mut heard = Vec::new();
    while heard.is_empty() {
        alice.ok(&["say", "hello"]);
        heard.extend(news.try_iter());
    }
    world.image("a.bmp", 1);
    alice.ok(&["add-image", "a.bmp"]);
    let until = |kind: &str| {
        loop {
            let notice = news
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no {kind}"));
            if notice["kind"] == kind {
                keys(&notice, "schema at kind album");
                assert_eq!((&notice["schema"], &notice["album"]), (&1.into(), &"trip".into()));
                assert!(notice["at"].as_str().unwrap().ends_with('Z'));
                return notice;
            }
        }
    };
    let image = |kind: &str| {
        let notice = until(kind);
        assert_eq!(
            (&notice["name"], &notice["author"]),
            (&"a.bmp".into(), &"alice".into()),
            "{notice}"
        );
        assert_eq!(notice["hash"], blake3::hash(&bmp(1)).to_hex().as_str());
    };
    image("image-added");
    image("bytes-ready");
    alice.ok(&["rate-image", "a.bmp", "5"]);
    image("rated");
    alice.ok(&["remove-image", "a.bmp"]);
    image("image-removed");
    world
        .home("carol")
        .ok(&["register", "carol", "--password-file", "pw"]);
    alice.ok(&["add-user", "carol"]);
    assert_eq!(until("member-added")["user"], "carol");
    alice.ok(&["remove-user", "carol"]);
    assert_eq!(until("member-removed")["user"], "carol");
    alice.ok(&["say", "  two  spaces \u{202e} and more"]);
    assert_eq!(
        until("chat")["text"],
        "  two  spaces \u{202e} and more",
        "as it was said"
    );
    let mut peers = peers.into_iter();
    assert_eq!(peers.next().unwrap().end(), 0);
    let left = loop {
        let notice = news.recv_timeout(PATIENCE).unwrap();
        if notice["kind"] == "peer-left" {
            break notice;
        }
    };
    assert_eq!(left["user"], "alice");
    let again = alice.up(&[]);
    let joined = loop {
        let notice = news.recv_timeout(PATIENCE).unwrap();
        if notice["kind"] == "peer-joined" {
            break notice;
        }
    };
    assert_eq!(joined["user"], "alice");
    // It ends with its node, or when it is stopped.
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&watch),
        rustix::process::Signal::INT,
    )
    .unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(130));
    reader.join().unwrap();
    assert_eq!(again.end(), 0);
    peers.for_each(|bob| assert_eq!(bob.end(), 0));
}
