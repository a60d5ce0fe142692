//! The decoder as a process of its own: what comes out of it, what it may touch, and what the program does when it dies,
//! hangs or lies. Real processes of the real binary; liars are shell scripts.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod world;

use std::ffi::OsString;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::task::Poll;
use std::time::Duration;

use codec::{CodecError, Media, Metadata, decode, decode_small, encode_as};
use filters::{Channels, Raster, Samples};
use peer::api::{Code, Picture, Shown};
use peer::cmd::{Color, names::Spelling};
use peer::decoder::{DecodeError, Decoder, Limits};
use peer::ui::{Ui, picture};
use rustix::process::{Pid, Signal, kill_process};
use world::{Run, World, bmp, wait_for};

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_calotype").into()
}

fn decoder(limits: Limits) -> Decoder {
    Decoder::new(program(), limits)
}

/// Limits that no other test of this process has, so that its decoders can be told from theirs.
fn marked(mark: u64) -> Limits {
    let mut limits = Limits::default();
    limits.codec.pixels_max += mark;
    limits
}

/// A picture with something in every place.
fn raster(width: u32, height: u32, channels: Channels, deep: bool) -> Raster {
    let len = width as usize * height as usize * channels.count();
    let noise = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 13;
    let samples = if deep {
        Samples::U16((0..len).map(|i| noise(i) as u16).collect())
    } else {
        Samples::U8((0..len).map(|i| noise(i) as u8).collect())
    };
    Raster::new(width, height, channels, samples).unwrap()
}

fn png(width: u32, height: u32, channels: Channels, deep: bool) -> Vec<u8> {
    let raster = raster(width, height, channels, deep);
    encode_as(Media::Png, &raster, &Metadata::default())
        .unwrap()
        .bytes
}

/// A progressive JPEG of some 100 kB that says next to nothing in a hundred scans over a million blocks: seconds of work.
fn slow_jpeg() -> Vec<u8> {
    const SIDE: u16 = 8000;
    let blocks = (usize::from(SIDE) / 8).pow(2);
    let mut out = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    out.extend([1; 64]);
    let [high, low] = SIDE.to_be_bytes();
    out.extend([0xff, 0xc2, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0]);
    // One code of one bit in each table: "no difference", and "nothing in the next 16384 blocks", which takes 14 bits more.
    for (table, symbol) in [(0, 0), (0x10, 0xe0)] {
        out.extend([0xff, 0xc4, 0, 20, table, 1]);
        out.extend([0; 15]);
        out.push(symbol);
    }
    let mut scan = |from: u8, to: u8, bits: u8, len: usize| {
        out.extend([0xff, 0xda, 0, 8, 1, 1, 0, from, to, bits]);
        out.resize(out.len() + len, 0);
    };
    scan(0, 0, 0, blocks.div_ceil(8));
    let run = (blocks.div_ceil(16384) * 15).div_ceil(8);
    scan(1, 63, 0x01, run);
    for _ in 0..97 {
        scan(1, 63, 0x10, run);
    }
    out.extend([0xff, 0xd9]);
    out
}

/// The process with this parent and this argument, if it is there.
fn find_child(parent: u32, argument: &str) -> Option<Pid> {
    let children = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let is_child = status.contains(&format!("\nPPid:\t{parent}\n"));
        let words = is_child.then(|| std::fs::read(path.join("cmdline")))?.ok()?;
        let is_it = words
            .split(|byte| *byte == 0)
            .any(|word| word == argument.as_bytes());
        is_it.then(|| path.file_name()?.to_str()?.parse().ok())?
    });
    children.filter_map(Pid::from_raw).next()
}

/// A decoder of ours that has taken its limits on; it tells its header and waits for memory.
fn waiting_child(limits: &Limits) -> Pid {
    let mark = limits.codec.pixels_max.to_string();
    let last = (limits.base_bytes + limits.codec.file_bytes_max).to_string();
    wait_for("a decoder that waits", || {
        let child = find_child(std::process::id(), &mark)?;
        let set = std::fs::read_to_string(proc(child, "limits")).ok()?;
        set.contains(&last).then_some(child)
    })
}

fn proc(pid: Pid, file: &str) -> String {
    format!("/proc/{}/{file}", pid.as_raw_nonzero())
}

fn gone(pid: Pid) -> bool {
    !Path::new(&proc(pid, "stat")).exists()
}

/// What a decoder gives is what decoding here gives: all channels and depths, turned, in several pieces, with metadata.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_comes_out_as_in_one_process() {
    let decoder = decoder(Limits::default());
    let mut files = Vec::new();
    for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
        for (deep, size) in [(false, (1, 1)), (false, (1311, 701)), (true, (611, 809))] {
            files.push(png(size.0, size.1, channels, deep));
        }
    }
    let jpeg = encode_as(
        Media::Jpeg,
        &raster(97, 61, Channels::Rgb, false),
        &Metadata::default(),
    )
    .unwrap();
    let mut turned = jpeg.bytes[..2].to_vec();
    // On its side, with a profile, XMP and IPTC.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    let icc = [&b"ICC_PROFILE\0\x01\x01"[..], &[9; 300]].concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<a dc:title='Hut'/>".to_vec();
    let iptc = b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x05\0\x03Hut".to_vec();
    for (marker, body) in [(0xe1, exif), (0xe2, icc), (0xe1, xmp), (0xed, iptc)] {
        turned.extend([0xff, marker]);
        turned.extend((body.len() as u16 + 2).to_be_bytes());
        turned.extend(body);
    }
    turned.extend(&jpeg.bytes[2..]);
    files.push(turned[..turned.len() - 9].to_vec());
    files.push(turned);
    files.push(bmp(3));
    for file in &files {
        let here = decode(file, &Limits::default().codec).unwrap();
        let looked = decoder.look(file).await.unwrap();
        assert_eq!(looked.preview, codec::preview(&here.raster).unwrap());
        assert_eq!(
            (&looked.probe, &looked.damaged, &looked.notes),
            (&here.probe, &here.damaged, &here.notes)
        );
        let small = decode_small(file, &Limits::default().codec).unwrap();
        let glanced = decoder.glance(file).await.unwrap();
        assert_eq!(glanced, codec::preview(&small).unwrap());
        let there = decoder.pixels(file).await.unwrap();
        assert!(there.decoded == here, "{:?}", here.probe);
    }
    let turned = decoder
        .pixels(files.iter().rev().nth(1).unwrap())
        .await
        .unwrap()
        .decoded;
    assert_eq!((turned.probe.orientation, turned.raster.width), (6, 61));
    assert!(turned.metadata.exif.is_some() && turned.metadata.icc.is_some());
    assert!(turned.metadata.xmp.is_some() && turned.metadata.iptc.is_some());
}

/// What is wrong with a file comes over as it is, also where the limits are the reason.
#[tokio::test(flavor = "multi_thread")]
async fn errors_come_over_as_they_are() {
    let mut limits = Limits::default();
    limits.codec.pixels_max = 1000;
    limits.codec.file_bytes_max = 5000;
    let decoder = decoder(limits);
    let sound = png(20, 20, Channels::Rgb, false);
    let files = [
        Vec::new(),
        b"no image at all".to_vec(),
        b"\0\0\0\x18ftypheic\0\0\0\0".to_vec(),
        sound[..sound.len() / 2].to_vec(),
        sound[..20].to_vec(),
        png(40, 26, Channels::Gray, false),
        vec![0xff; 5001],
    ];
    for file in files {
        let here = decode(&file, &limits.codec).unwrap_err();
        assert_eq!(
            decoder.pixels(&file).await.unwrap_err(),
            DecodeError::File(here.clone())
        );
        let glanced = decoder.glance(&file).await;
        assert_eq!(glanced.unwrap_err(), DecodeError::File(here.clone()));
        assert_eq!(decoder.look(&file).await.unwrap_err(), DecodeError::File(here));
    }
    decoder.pixels(&png(40, 25, Channels::Gray, false)).await.unwrap();
}

/// A file that makes the decoder ask for more than its limit ends the decoder, and nothing else. The limits here are less
/// than any decoder needs: in the first from the start, in the second from when the header has told how little that picture
/// explains.
#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_past_its_memory_is_killed() {
    let file = png(300, 300, Channels::Rgb, false);
    for file_bytes_max in [1 << 20, 1 << 40] {
        let mut limits = Limits {
            base_bytes: 1 << 20,
            ..Limits::default()
        };
        limits.codec.file_bytes_max = file_bytes_max;
        assert_eq!(
            decoder(limits).pixels(&file).await.unwrap_err(),
            DecodeError::Memory
        );
    }
    decoder(Limits::default()).pixels(&file).await.unwrap();
}

/// A small file that asks for endless work gets its seconds of the processor and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_past_its_time_is_killed() {
    let limits = Limits {
        cpu_seconds: 1,
        ..Limits::default()
    };
    let decoder = decoder(limits);
    assert_eq!(decoder.look(&slow_jpeg()).await.unwrap_err(), DecodeError::Time);
    decoder.look(&bmp(1)).await.unwrap();
}

/// A decoder that neither works nor ends is given up and taken away.
#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_stands_still_is_given_up() {
    let limits = Limits {
        patience: Duration::from_millis(300),
        ..marked(1)
    };
    let decoder = decoder(limits);
    let held = decoder.hold_memory().await;
    let asked = tokio::spawn({
        let decoder = decoder.clone();
        async move { decoder.pixels(&bmp(1)).await }
    });
    let child = waiting_child(&limits);
    kill_process(child, Signal::STOP).unwrap();
    drop(held);
    assert_eq!(asked.await.unwrap().unwrap_err(), DecodeError::Time);
    assert!(gone(child));
    decoder.pixels(&bmp(1)).await.unwrap();
}

/// `kill -9` in the middle costs one error; waiting for memory costs no patience.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_decoder_costs_one_error() {
    let limits = marked(2);
    let decoder = decoder(limits);
    let held = decoder.hold_memory().await;
    let asked = tokio::spawn({
        let decoder = decoder.clone();
        async move { decoder.pixels(&bmp(1)).await }
    });
    let child = waiting_child(&limits);
    assert!(!asked.is_finished());
    kill_process(child, Signal::KILL).unwrap();
    drop(held);
    assert_eq!(
        asked.await.unwrap().unwrap_err(),
        DecodeError::Killed("signal 9".into())
    );
    decoder.pixels(&bmp(1)).await.unwrap();
}

/// Who does not want the picture any more takes its decoder away.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_decoder_is_killed() {
    let limits = marked(3);
    let decoder = decoder(limits);
    let held = decoder.hold_memory().await;
    let asked = tokio::spawn({
        let decoder = decoder.clone();
        async move { decoder.pixels(&bmp(1)).await }
    });
    let child = waiting_child(&limits);
    // One that stands still does not end by itself, whatever is closed.
    kill_process(child, Signal::STOP).unwrap();
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    wait_for("the decoder's end", || {
        let state = std::fs::read_to_string(proc(child, "stat")).unwrap_or_default();
        (gone(child) || state.contains(") Z ")).then_some(())
    });
    drop(held);
    decoder.pixels(&bmp(1)).await.unwrap();
}

/// A picture counts as long as it lives; who wants more than is left waits.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_admitted_by_the_decoded_size() {
    let decoder = decoder(Limits::default());
    let file = png(800, 700, Channels::Rgba, false);
    let one = decoder.pixels(&file).await.unwrap();
    let mut all = pin!(decoder.hold_memory());
    let waits = poll_fn(|context| Poll::Ready(all.as_mut().poll(context).is_pending())).await;
    assert!(waits, "the picture that lives keeps its memory");
    // A second for the same work does not wait for it.
    decoder.beside(&one, &file).await.unwrap();
    drop(one);
    drop(all.await);
    decoder.pixels(&file).await.unwrap();
}

/// A decoder has nothing but its three pipes: no file, no socket, no environment; and every limit is set.
#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_holds_nothing() {
    let limits = Limits {
        cpu_seconds: 17,
        ..marked(4)
    };
    let decoder = decoder(limits);
    let held = decoder.hold_memory().await;
    let asked = tokio::spawn({
        let decoder = decoder.clone();
        async move { decoder.pixels(&bmp(1)).await }
    });
    let child = waiting_child(&limits);
    let links = |pid: &Path| -> Vec<(OsString, String)> {
        let entries = std::fs::read_dir(pid.join("fd")).unwrap().flatten();
        entries
            .filter_map(|entry| {
                let to = std::fs::read_link(entry.path()).ok()?;
                Some((entry.file_name(), to.display().to_string()))
            })
            .collect()
    };
    // What whoever started the tests left open for all their children is not ours to close.
    let own = Path::new("/proc/self");
    let is_handed_on = |number: &OsString| {
        let info = std::fs::read_to_string(own.join("fdinfo").join(number)).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.unwrap_or_default().trim(), 8);
        flags.is_ok_and(|flags| flags & 0o2_000_000 == 0)
    };
    let handed_on = links(own).into_iter().filter(|(number, _)| is_handed_on(number));
    let handed_on: Vec<String> = handed_on.map(|(_, to)| to).collect();
    let mut open: Vec<String> = links(Path::new(&proc(child, "")))
        .into_iter()
        .map(|(_, to)| to)
        .collect();
    open.retain(|to| !handed_on.contains(to));
    let allowed = |to: &String| to.starts_with("pipe:") || to == "/dev/null" || to.ends_with("/status");
    assert!(open.iter().all(allowed), "{open:?}");
    assert_eq!(std::fs::read(proc(child, "environ")).unwrap(), b"");
    assert_eq!(std::fs::read_link(proc(child, "cwd")).unwrap(), Path::new("/"));
    let set = std::fs::read_to_string(proc(child, "limits")).unwrap();
    let soft = |name: &str| {
        let line = set.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(soft("Max cpu time"), "17");
    assert_eq!(soft("Max file size"), "0");
    assert_eq!(soft("Max core file size"), "0");
    assert_eq!(soft("Max open files"), "3");
    let most = limits.base_bytes + limits.codec.file_bytes_max;
    assert_eq!(soft("Max address space"), most.to_string());
    let status = std::fs::read_to_string(proc(child, "status")).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"));
    drop(held);
    asked.await.unwrap().unwrap();
}

/// A program in place of the decoder that says `words`, whatever it is asked.
fn liar(dir: &Path, name: &str, words: &[&[u8]]) -> Decoder {
    let (said, script) = (dir.join(format!("{name}.said")), dir.join(name));
    std::fs::write(&said, words.concat()).unwrap();
    let text = format!(
        "#!/bin/sh\n/bin/cat '{}'\nexec /bin/cat >/dev/null\n",
        said.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    Decoder::new(
        script,
        Limits {
            patience: Duration::from_secs(60),
            ..Limits::default()
        },
    )
}

fn framed(json: &str) -> Vec<u8> {
    [&(json.len() as u32).to_le_bytes()[..], json.as_bytes()].concat()
}

fn head(width: u64, height: u64, decoded: u64) -> Vec<u8> {
    framed(&format!(
        r#"{{"Ok":{{"media":"image/png","width":{width},"height":{height},"decoded_bytes":{decoded},"orientation":1,"frames_ignored":false,"taken":null}}}}"#
    ))
}

fn rest(exif: &str, pixels: &str) -> Vec<u8> {
    framed(&format!(
        r#"{{"Ok":{{"damaged":null,"notes":[],"exif":{exif},"icc":null,"preview":null,"pixels":{pixels},"peak_bytes":null}}}}"#
    ))
}

/// A decoder that was taken over by what it decoded can say what it likes: sizes, lengths, endless words, half a picture.
#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_lies_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let said = |name: &'static str, words: Vec<Vec<u8>>| {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let decoder = liar(dir.path(), name, &words);
        async move { decoder.pixels(b"a file").await }
    };
    let sound = said("sound", vec![head(4, 4, 48), rest("null", "[3,8]"), vec![7; 48]])
        .await
        .unwrap();
    assert_eq!(sound.decoded.raster.samples, Samples::U8(vec![7; 48]));
    let disbelieved = [
        ("huge", vec![head(100_000, 100_000, 30_000_000_000)]),
        ("empty", vec![head(0, 4, 0)]),
        ("thin", vec![head(4, 4, 15)]),
        ("wide", vec![head(4, 4, 48), rest("null", "[4,8]"), vec![7; 64]]),
        ("deep", vec![head(4, 4, 48), rest("null", "[3,16]"), vec![7; 96]]),
        ("odd", vec![head(4, 4, 48), rest("null", "[5,8]"), vec![7; 48]]),
        ("nothing", vec![head(4, 4, 48), rest("null", "null")]),
        ("tale", vec![head(4, 4, 48), rest("99999999999", "[3,8]")]),
        ("endless", vec![vec![0xff; 4], vec![b' '; 1 << 16]]),
        ("babble", vec![framed("{}")]),
    ];
    for (name, words) in disbelieved {
        let error = said(name, words).await.unwrap_err();
        assert!(matches!(error, DecodeError::Disbelieved(_)), "{name}: {error:?}");
    }
    // A half picture, and the script then waits to be asked more: the pipe is closed, it ends, and is gone.
    let script = dir.path().join("half");
    let half = liar(
        dir.path(),
        "half",
        &[&head(4, 4, 48), &rest("null", "[3,8]"), &[7; 40]],
    );
    let text = std::fs::read_to_string(&script)
        .unwrap()
        .replace("exec /bin/cat >/dev/null", "exit 0");
    std::fs::write(&script, text).unwrap();
    let error = half.pixels(b"").await.unwrap_err();
    assert!(matches!(error, DecodeError::Killed(_)), "{error:?}");
    let escapes = framed(r#"{"Err":{"Damaged":{"media":"\u001b[2J","reason":"a\u001b]0;b\nc"}}}"#);
    let error = said("escapes", vec![escapes]).await.unwrap_err();
    let harmless = CodecError::Damaged {
        media: "picture",
        reason: "a ]0;b c".into(),
    };
    assert_eq!(error, DecodeError::File(harmless));
    let error = Decoder::new(dir.path().join("nowhere"), Limits::default())
        .pixels(b"")
        .await;
    assert!(matches!(error.unwrap_err(), DecodeError::NotStarted(_)));
}

/// `show` says why a picture cannot be drawn, with the name made harmless.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_drawn_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let ui = Ui::new(false, Spelling::Shell, Color::Never);
    let drawn = async |file: &[u8]| {
        let path = dir.path().join("picture");
        std::fs::write(&path, file).unwrap();
        let image = Picture {
            name: "a\x1b.jpg".into(),
            width: None,
            height: None,
            recipe: None,
            path: path.display().to_string(),
            preview: false,
        };
        let shown = Shown {
            recipe: None,
            album: "trip".into(),
            image,
            source: None,
        };
        picture::draw(&shown, Some(10), &ui, &decoder(Limits::default())).await
    };
    let failure = drawn(b"no image at all").await.unwrap_err();
    assert_eq!(failure.code, Code::NotAnImage);
    assert!(
        failure.message.starts_with("a.jpg cannot be drawn: "),
        "{failure}"
    );
    assert!(drawn(&bmp(1)).await.unwrap().ends_with("a.jpg\n"));
}

/// In a node: the picture whose decoder was killed is named with the reason, the others are in, and the node goes on. A
/// door that asks to stop takes the decoder away.
#[test]
fn a_node_outlives_its_decoders() {
    let world = World::new();
    let peer = world.up("alice", &["--register"]);
    let home = world.home("alice");
    home.ok(&["create-album", "trip"]);
    std::fs::write(world.path("slow.jpg"), slow_jpeg()).unwrap();
    world.image("good.bmp", 1);
    let begin = |args: &[&str]| {
        let mut command = home.command(args);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let decoder = || wait_for("a decoder", || find_child(peer.pid(), "__decode"));
    let adding = begin(&["add-image", "slow.jpg", "--json"]);
    kill_process(decoder(), Signal::KILL).unwrap();
    let output = adding.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("the decoder was killed (signal 9)"), "{text}");
    home.ok(&["add-image", "good.bmp"]);

    let adding = begin(&["add-image", "slow.jpg"]);
    let child = decoder();
    kill_process(Pid::from_child(&adding), Signal::INT).unwrap();
    wait_for("the decoder's end", || gone(child).then_some(()));
    let output = adding.wait_with_output().unwrap();
    assert!(!output.status.success());
    let Run { code, out, .. } = home.run(&["get-images"], "");
    assert_eq!(
        (code, out.lines().filter(|line| line.contains(".bmp")).count()),
        (0, 1),
        "{out}"
    );
    assert_eq!(peer.end(), 0);
}

/// The decoder is no command: no help speaks of it, and without limits it does nothing.
#[test]
fn the_decoder_is_no_command() {
    let world = World::new();
    let home = world.home("alice");
    assert!(!home.ok(&["--help"]).contains("decode"));
    for words in [
        &["__decode"][..],
        &["__decode", "1", "2", "3", "4"],
        &["__decode", "1", "2", "3", "4", "x"],
    ] {
        let mut command = std::process::Command::new(program());
        let output = command.args(words).stdin(Stdio::null()).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    }
    // After other words it is one of them.
    assert_eq!(home.run(&["__decode"], "").code, 2);
}
