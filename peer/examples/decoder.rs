//! What a decoder of its own costs: pictures decoded by children and in this process, times and memory, as rows of
//! docs/performance.md. `cargo run --release -p peer --example decoder [TIMES]`

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use codec::{Limits, Media, Metadata, decode, encode_as};
use filters::{Channels, Raster, Samples};
use peer::decoder::{Decoder, child};

fn main() -> ExitCode {
    child::run(std::env::args_os()).unwrap_or_else(|| {
        let times = std::env::args().nth(1).map_or(20, |text| text.parse().unwrap());
        println!("| picture | here, ms | by a child, ms | only a preview, ms | memory of both at once, × the samples |");
        println!("|---|---|---|---|---|");
        for (name, width, height, media, times) in [
            ("JPEG, 768 × 512", 768, 512, Media::Jpeg, times * 10),
            ("JPEG, 24 megapixels", 6000, 4000, Media::Jpeg, times),
            ("PNG, 24 megapixels", 6000, 4000, Media::Png, times),
        ] {
            row(name, &photo(width, height, media), times);
        }
        ExitCode::SUCCESS
    })
}

/// Slow waves with some noise: as large a file as a photograph's.
fn photo(width: u32, height: u32, media: Media) -> Vec<u8> {
    let mut samples = Vec::with_capacity((width * height * 3) as usize);
    let mut state = 1_u32;
    for y in 0..height {
        for x in 0..width {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let wave = |of: u32| {
                let at = of % 512;
                if at < 256 { at } else { 511 - at }
            };
            let noise = state >> 29;
            samples.extend([wave(x / 2), wave(y / 3), wave((x + y) / 5)].map(|c| (c + noise).min(255) as u8));
        }
    }
    let raster = Raster::new(width, height, Channels::Rgb, Samples::U8(samples)).unwrap();
    encode_as(media, &raster, &Metadata::default()).unwrap().bytes
}

fn row(name: &str, file: &[u8], times: usize) {
    let limits = Limits::default();
    let here = median(times, || drop(decode(file, &limits).unwrap()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let decoder = Decoder::own();
    let child = median(times, || drop(runtime.block_on(decoder.pixels(file)).unwrap()));
    let look = median(times, || drop(runtime.block_on(decoder.look(file)).unwrap()));
    let samples = decode(file, &limits).unwrap().probe.decoded_bytes;
    let before = resident(std::process::id());
    let most = watched(|| drop(runtime.block_on(decoder.pixels(file)).unwrap()));
    let extra = (most.saturating_sub(before)) as f64 / samples as f64;
    println!("| {name} | {here:.1} | {child:.1} | {look:.1} | {extra:.2} |");
}

fn median(times: usize, mut work: impl FnMut()) -> f64 {
    let mut took: Vec<f64> = (0..times)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took[times / 2]
}

/// The most that this process and its child had at once, looked at all the time.
fn watched(work: impl FnOnce()) -> u64 {
    let (most, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watcher = std::thread::spawn({
        let (most, done) = (most.clone(), done.clone());
        move || {
            while !done.load(Ordering::Relaxed) {
                let children = child_of(std::process::id()).map_or(0, resident);
                most.fetch_max(resident(std::process::id()) + children, Ordering::Relaxed);
            }
        }
    });
    work();
    done.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    most.load(Ordering::Relaxed)
}

fn child_of(pid: u32) -> Option<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

/// Bytes of memory of its own that a process has: `RssAnon` of proc(5).
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0) * 1024
}
