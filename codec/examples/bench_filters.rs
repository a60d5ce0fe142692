//! Our side of `scripts/bench_filters.sh`: makes the picture, then times what it is told, one line at a time.
//!
//! `bench_filters DIR` writes the picture to `DIR/picture.rgb` and, as `encode_version` stores it, to
//! `DIR/picture.jpg`. Lines on standard input: `alone RECIPE`, `encode`, `thumbnail`, `decode`, `selftest`
//! (answered by seconds of processor time of one thread), `apply THREADS RECIPE` (by seconds on the wall) and
//! `memory THREADS RECIPE` (by bytes).

use std::fs;
use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use codec::{Limits, Media, Metadata};
use filters::{Channels, Raster, Recipe, Samples};

const WIDTH: u32 = 6000;
const HEIGHT: u32 = 4000;

/// 24 megapixels that are a little like a photograph: a sky that grows darker, hills, round things with
/// edges, texture, and the noise of a sensor.
fn picture() -> Raster {
    let mut samples = Vec::with_capacity(WIDTH as usize * HEIGHT as usize * 3);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let noise = (0..4).map(|i| (state >> (16 * i)) as i32 & 7).sum::<i32>() - 14;
            let (cell_x, cell_y) = (x % 750, y % 500);
            let away = cell_x.abs_diff(375).pow(2) + cell_y.abs_diff(250).pow(2);
            let disc = if away < (60 + (x / 750 * 31 + y / 500 * 17) % 120).pow(2) {
                60
            } else {
                0
            };
            let texture = (((x / 3) ^ (y / 5)) & 15) as i32 * if y > HEIGHT / 2 { 2 } else { 0 };
            let (across, down) = ((x * 90 / WIDTH) as i32, (y * 120 / HEIGHT) as i32);
            let color = [40 + across + disc, 60 + down / 2 + texture, 200 - down - disc / 2];
            samples.extend(color.map(|c| (c + noise).clamp(0, 255) as u8));
        }
    }
    Raster {
        width: WIDTH,
        height: HEIGHT,
        channels: Channels::Rgb,
        samples: Samples::U8(samples),
    }
}

fn apply(recipe: &str, source: &Raster) -> Raster {
    let recipe: Recipe = recipe.parse().expect("a recipe");
    recipe
        .apply(source, &mut |_| ControlFlow::Continue(()))
        .expect("the recipe fits the picture")
}

fn in_threads<R: Send>(threads: &str, work: impl FnOnce() -> R + Send) -> R {
    let threads = threads.parse().expect("a number of threads");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads").install(work)
}

/// Processor time that this thread has had, from the kernel's scheduler.
fn cpu() -> f64 {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = schedstat
        .split(' ')
        .next()
        .and_then(|first| first.parse::<f64>().ok());
    nanoseconds.expect("a number of nanoseconds") / 1e9
}

/// Processor time of work that stays on this thread.
fn alone<R>(work: impl FnOnce() -> R) -> f64 {
    let start = cpu();
    drop(work());
    cpu() - start
}

/// Time by the clock on the wall.
fn seconds<R>(work: impl FnOnce() -> R) -> f64 {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed().as_secs_f64();
    drop(result);
    took
}

/// A line of /proc/self/status, in bytes.
fn status(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kilobytes.expect("a number of kB") * 1024.0
}

/// How much the process grows, at its peak, while `work` runs.
fn grown<R>(work: impl FnOnce() -> R) -> f64 {
    // 5 makes the peak start anew (proc(5), clear_refs).
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
    let before = status("VmRSS:");
    let result = work();
    let peak = status("VmHWM:");
    drop(result);
    peak - before
}

fn main() {
    let dir = std::env::args().nth(1).expect("a folder to write the picture to");
    let dir = Path::new(&dir);
    let source = picture();
    let encode =
        || codec::encode_version(&source, Media::Jpeg, &Metadata::default()).expect("it can be written");
    let jpeg = encode().bytes;
    let Samples::U8(samples) = &source.samples else {
        unreachable!("picture() gives 8 bits")
    };
    fs::write(dir.join("picture.rgb"), samples).expect("the folder can be written");
    fs::write(dir.join("picture.jpg"), &jpeg).expect("the folder can be written");
    // A pool of this very thread.
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build();
    let one = one.expect("a pool");
    println!("{WIDTH} {HEIGHT}");
    let decode = || {
        codec::decode(&jpeg, &Limits::default())
            .expect("our own file")
            .raster
    };
    let small = || codec::decode_small(&jpeg, &Limits::default()).expect("our own file");
    for line in io::stdin().lock().lines() {
        let line = line.expect("standard input");
        let words: Vec<&str> = line.split(' ').collect();
        let number = match words[..] {
            ["apply", threads, recipe] => in_threads(threads, || seconds(|| apply(recipe, &source))),
            ["memory", threads, recipe] => in_threads(threads, || grown(|| apply(recipe, &source))),
            ["alone", recipe] => one.install(|| alone(|| apply(recipe, &source))),
            ["encode"] => alone(encode),
            ["selftest"] => one.install(|| alone(codec::SelfTest::run)),
            ["decode"] => alone(decode),
            ["thumbnail"] => alone(|| codec::preview(&small()).expect("it can be written")),
            _ => panic!("not a line this knows: {line}"),
        };
        println!("{number}");
        io::stdout().flush().expect("standard output");
    }
}
