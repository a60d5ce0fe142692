//! Filters over an album by the real binary: many images in one run, and what comes out before it is added.

#![allow(clippy::unwrap_used, missing_docs)]

mod world;

use std::process::Stdio;

use serde_json::Value;
use world::{Home, World, bitmap, wait_for};

/// A home that is alice's, with the album `trip` and three pictures in it.
fn album(world: &World) -> Home<'_> {
    let home = world.home("alice");
    home.ok(&["register", "alice", "--password-file", "pw"]);
    home.ok(&["create-album", "trip"]);
    for (name, seed) in [("a.bmp", 1), ("b.bmp", 2), ("c.bmp", 3)] {
        world.image(name, seed);
    }
    home.ok(&["add-image", "a.bmp", "b.bmp", "c.bmp"]);
    home
}

/// What a run says: made, already, failed, left.
fn counts(it: &Value) -> [u64; 4] {
    let long = |key: &str| it[key].as_array().unwrap().len() as u64;
    [
        long("made"),
        long("already"),
        long("failed"),
        it["left"].as_u64().unwrap(),
    ]
}

/// Versions of the best, then of all: what is there is passed over, what is not here or rotten is named and the others go
/// on; one undo takes a whole run back.
#[test]
fn many_images_in_one_run() {
    let world = World::new();
    let home = album(&world);
    home.ok(&["rate-image", "a.bmp", "4"]);
    home.ok(&["rate-image", "b.bmp", "5"]);
    let best = home.json(&["filter", "--all", "Sepia", "--min-rating", "4"]);
    assert_eq!((counts(&best), &best["total"]), ([2, 0, 0, 0], &2.into()));
    assert_eq!(
        (&best["recipe"], &best["made"][1]["source"]),
        (&"sepia".into(), &"b.bmp".into())
    );
    assert_eq!(
        counts(&home.json(&["filter", "--all", "sepia", "--min-rating", "4"])),
        [0, 2, 0, 0]
    );

    home.ok(&["add-image", "later.jpg", &"ab".repeat(32), "1000"]);
    let all = home.run(&["filter", "--all", "sepia", "--json"], "");
    let told: Value = serde_json::from_str(&all.out).unwrap();
    assert_eq!((all.code, counts(&told)), (7, [1, 2, 1, 0]));
    assert_eq!(told["error"]["code"], "partial");
    assert_eq!(
        (&told["failed"][0]["source"], &told["failed"][0]["code"]),
        (&"later.jpg".into(), &"not_found".into())
    );

    // Versions are left out, unless they are what is meant.
    let before = home.names();
    assert_eq!(before.len(), 7);
    let c = blake3::hash(&world::bmp(3)).to_hex().to_string();
    let blob = find(&world.path("alice/blobs"), &c);
    let mut rotten = std::fs::read(&blob).unwrap();
    rotten[60] ^= 1;
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, rotten).unwrap();
    let script = home.run(&[], "/filter --all invert --filter any\n/filter --all invert\n");
    assert_eq!(script.code, 7, "{script:?}");
    assert!(
        script.out.starts_with("made 3 versions: invert\n"),
        "{}",
        script.out
    );
    assert!(script.err.contains("c.bmp: cannot read"), "{}", script.err);
    assert_eq!(home.names().len(), 12);
    let undone = home.json(&["undo"]);
    assert_eq!(undone["did"][0]["count"], 2, "{undone}");
    home.ok(&["undo"]);
    assert_eq!(home.names(), before);

    // None can be cut out of; nobody fits; words that do not go together.
    let none = home.run(&["filter", "--all", "crop:90,90,5,5", "--name", "[ab].bmp"], "");
    assert_eq!(none.code, 2, "{none:?}");
    assert_eq!(
        counts(&home.json(&["filter", "--all", "sepia", "--name", "z*"])),
        [0; 4]
    );
    for wrong in [
        &["sepia"][..],
        &["--all", "a.bmp", "sepia"],
        &["a.bmp", "sepia", "--min-rating", "4"],
        &["--all", "sepia", "--as", "x.jpg"],
    ] {
        assert_eq!(home.run(&[&["filter"], wrong].concat(), "").code, 2, "{wrong:?}");
    }
    assert_eq!(home.names(), before);
}

/// The file below a folder whose name, with its folder's, is that of a hash.
fn find(dir: &std::path::Path, hash: &str) -> std::path::PathBuf {
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                dirs.push(entry.path());
            } else if !name.is_empty() && hash.ends_with(&name) {
                return entry.path();
            }
        }
    }
    panic!("no blob {hash}");
}

/// How many files there are below a folder.
fn files(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                files(&entry.path())
            } else {
                1
            }
        })
        .sum()
}

/// Two small images and three large ones, on which the recipe takes long. Ctrl-C once the small ones are through: those
/// stay, the others are left, and the album holds what was said.
#[test]
fn what_is_made_when_the_run_is_stopped_stays() {
    let world = World::new();
    let home = album(&world);
    home.ok(&["remove-image", "c.bmp"]);
    for height in [2000, 2001, 2002] {
        let name = format!("{height}.bmp");
        std::fs::write(world.path(&name), bitmap(2000, height)).unwrap();
        home.ok(&["add-image", &name]);
    }
    let blobs = world.path("alice/blobs");
    let before = files(&blobs);
    let slow = ["median:10"; 8].join("+");
    let child = home
        .command(&["filter", "--all", &slow, "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Each has a preview, too.
    wait_for("two versions", || (files(&blobs) >= before + 4).then_some(()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((counts(&told), &told["total"]), ([2, 0, 0, 3], &5.into()));
    assert_eq!(home.names().len(), 7);
}

/// What a recipe makes is shown and written, and neither the album nor its image files change; a version is compared with its
/// source, two images with each other.
#[test]
fn looked_at_before_it_is_added() {
    let world = World::new();
    let home = album(&world);
    std::fs::write(world.path("large.bmp"), bitmap(64, 48)).unwrap();
    home.ok(&["add-image", "large.bmp"]);
    let (names, stored) = (home.names(), files(&world.path("alice/blobs")));
    let drawn = home.ok(&["preview", "large.bmp", "oil:4", "--width", "20"]);
    assert_eq!(drawn.lines().count(), 8 + 1, "{drawn}");
    assert!(drawn.ends_with("oil:4 of large.bmp, 64×48\n"), "{drawn}");
    let small = home.json(&["preview", "large.bmp", "Sepia"]);
    assert_eq!((&small["small"], &small["path"]), (&true.into(), &Value::Null));
    let wrote = home.json(&["preview", "large.bmp", "sepia+resize:32", "-o", "seen.webp"]);
    assert_eq!(
        (&wrote["small"], &wrote["width"], &wrote["height"]),
        (&false.into(), &32.into(), &24.into())
    );
    assert_eq!(home.run(&["preview", "large.bmp", "sepai"], "").code, 2);
    assert_eq!(home.run(&["preview", "large.bmp", "crop:60,0,9,9"], "").code, 2);
    assert_eq!(home.run(&["preview", "nowhere.bmp", "sepia"], "").code, 4);
    assert_eq!((home.names(), files(&world.path("alice/blobs"))), (names, stored));

    // The file is the one that /filter adds.
    home.ok(&["filter", "large.bmp", "sepia+resize:32", "--as", "added.webp"]);
    home.ok(&["save", "added.webp", "saved.webp"]);
    let [seen, saved] = ["seen.webp", "saved.webp"].map(|name| std::fs::read(world.path(name)).unwrap());
    assert!(seen == saved);

    let versions = home.json(&["compare", "added.webp"]);
    assert_eq!(
        (&versions["b"]["name"], &versions["width"], &versions["scaled"]),
        (&"large.bmp".into(), &32.into(), &true.into())
    );
    assert!(versions["psnr"].as_f64().unwrap() < 30.0 && versions["ssim"].as_f64().unwrap() < 1.0);
    let bins = versions["a"]["histogram"].as_array().unwrap();
    let pixels: u64 = bins.iter().map(|bin| bin.as_u64().unwrap()).sum();
    assert_eq!((bins.len(), pixels), (256, 32 * 24));
    let same = home.json(&["compare", "large.bmp", "large.bmp", "-o", "nothing.png"]);
    assert_eq!(
        (&same["identical"], &same["psnr"], &same["ssim"], &same["mse"]),
        (&true.into(), &Value::Null, &1.0.into(), &0.0.into())
    );
    assert!(world.path("nothing.png").exists());
    let text = home.ok(&["compare", "a.bmp", "b.bmp", "--width", "30"]);
    assert!(
        text.contains("SSIM none below 11 pixels") && text.contains("240–255"),
        "{text}"
    );
    let refused = home.run(&["compare", "a.bmp", "large.bmp"], "");
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("a.bmp has 4×2, large.bmp has 64×48"),
        "{}",
        refused.err
    );
    // An original was made of nothing.
    assert_eq!(home.run(&["compare", "a.bmp"], "").code, 4);
}

/// The colours of one image go to another. Its name stands in what is typed and its numbers in the recipe, so that the version
/// can be made again where that image is gone.
#[test]
fn colours_of_another_image() {
    let world = World::new();
    let home = album(&world);
    std::fs::write(world.path("large.bmp"), bitmap(64, 48)).unwrap();
    home.ok(&["add-image", "large.bmp"]);
    let made = home.json(&["filter", "large.bmp", "transfer:b.bmp+blur:2"]);
    let recipe = made["image"]["recipe"].as_str().unwrap().to_owned();
    assert!(
        recipe.starts_with("transfer:") && !recipe.contains("b.bmp"),
        "{recipe}"
    );
    let name = made["image"]["name"].as_str().unwrap();
    assert_eq!(name, "large.transfer+blur-2.webp");
    // The same by the album, by a preview and by files.
    let seen = home.json(&["preview", "large.bmp", "transfer:b.bmp+blur:2", "-o", "seen.webp"]);
    assert_eq!(seen["recipe"], recipe.as_str());
    let applied = home.json(&["apply", "large.bmp", "seen2.webp", "transfer:b.bmp+blur:2"]);
    assert_eq!(applied["recipe"], recipe.as_str());
    home.ok(&["save", name, "saved.webp"]);
    let read = |name: &str| std::fs::read(world.path(name)).unwrap();
    assert!(read("seen.webp") == read("saved.webp") && read("seen2.webp") == read("saved.webp"));
    home.ok(&["remove-image", "b.bmp"]);
    assert_eq!(home.json(&["verify", name])["verified"], true);
    // What is not there, and what is no image.
    assert_eq!(home.run(&["filter", "large.bmp", "transfer:b.bmp"], "").code, 4);
    assert_eq!(home.run(&["preview", "large.bmp", "transfer:nobody"], "").code, 4);
    let pw = home.run(&["apply", "large.bmp", "no.webp", "transfer:pw"], "");
    assert!(pw.code == 1 && pw.err.contains("pw: "), "{pw:?}");
}

/// A photo that tells where it was taken, added as it is and without the place: by a flag, and filtered into a file. What is stored is what everybody gets.
#[test]
fn the_place_is_taken_out() {
    let world = World::new();
    let home = album(&world);
    let place = b"2026:11:21\0";
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        let words = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        [&words[..], &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    // One directory with one entry, the GPS directory; in that the date stamp of the fix.
    let directory = |entry: Vec<u8>| [&[1, 0][..], &entry, &[0; 4]].concat();
    let exif = [
        &b"II*\0\x08\0\0\0"[..],
        &directory(entry(0x8825, 4, 1, 26)),
        &directory(entry(0x1d, 2, 11, 44)),
        place,
    ];
    let photo = |seed: u8| {
        let samples = filters::Samples::U8((0..16 * 8 * 3).map(|i| (i as u8).wrapping_mul(seed)).collect());
        let raster = filters::Raster::new(16, 8, filters::Channels::Rgb, samples).unwrap();
        let metadata = codec::Metadata {
            exif: Some(exif.concat()),
            ..codec::Metadata::default()
        };
        codec::encode_as(codec::Media::Jpeg, &raster, &metadata)
            .unwrap()
            .bytes
    };
    for (name, seed) in [("told.jpg", 3), ("flag.jpg", 5), ("plain.jpg", 7)] {
        std::fs::write(world.path(name), photo(seed)).unwrap();
    }
    home.ok(&["add-image", "told.jpg"]);
    home.ok(&["add-image", "--strip-gps", "flag.jpg"]);
    let tells = |name: &str| {
        home.ok(&["save", name, "out.jpg"]);
        let bytes = std::fs::read(world.path("out.jpg")).unwrap();
        std::fs::remove_file(world.path("out.jpg")).unwrap();
        bytes.windows(place.len()).any(|window| window == place)
    };
    assert!(tells("told.jpg") && !tells("flag.jpg"));
    home.ok(&["filter", "flag.jpg", "sepia", "--as", "version.jpg"]);
    assert!(!tells("version.jpg"));
    for (flag, expect) in [(None, true), (Some("--strip-gps"), false)] {
        let args = ["apply", "plain.jpg", "applied.jpg", "invert"];
        home.ok(&args.into_iter().chain(flag).collect::<Vec<_>>());
        let bytes = std::fs::read(world.path("applied.jpg")).unwrap();
        assert_eq!(bytes.windows(place.len()).any(|window| window == place), expect);
    }
}
