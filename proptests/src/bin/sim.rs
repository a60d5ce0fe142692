//! Runs many simulated worlds, one a seed, and says whether all converged.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use proptests::run::{Report, run};
use proptests::scenario::Scenario;
use proptests::{generate, shrink};

/// Runs simulated worlds of peers, with the real engine, codec and signatures, and checks each one.
#[derive(Parser)]
#[command(after_help = "Examples:
  sim --peers 7 --seeds 1000                 seeds 1 to 1000, seven peers each
  sim --peers 7 --seeds 1 --seed 42          seed 42 alone, with the hash of its trace
  sim --peers 7 --seeds 1 --seed 42 --print  its steps, to be kept as a file
  sim --scenario proptests/scenarios/removal.txt
  sim --scenario FILE --seeds 100            one scenario under 100 seeds of latency and loss")]
struct Args {
    /// Peers in each world, 1 to 200. Some scenarios let more come later.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=200))]
    peers: u16,
    /// How many worlds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed; the scenario's own, or 1, without it.
    #[arg(long)]
    seed: Option<u64>,
    /// A scenario to run instead of random ones.
    #[arg(long)]
    scenario: Option<PathBuf>,
    /// Print the hash of each world's trace.
    #[arg(long)]
    trace: bool,
    /// Print the steps of the first seed and run nothing.
    #[arg(long)]
    print: bool,
    /// Worlds at a time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Runs that the search for a smaller failing scenario may take.
    #[arg(long, default_value_t = 400)]
    trials: usize,
}

impl Args {
    /// The line that replays a seed.
    fn replay(&self, seed: u64) -> String {
        let what = match &self.scenario {
            Some(file) => format!("--scenario {}", file.display()),
            None => format!("--peers {}", self.peers),
        };
        format!("cargo run --release -p proptests --bin sim -- {what} --seeds 1 --seed {seed}")
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let file = match &args.scenario {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Some(text.parse::<Scenario>()?)
        }
        None => None,
    };
    let first = args.seed.or(file.as_ref().map(|file| file.seed)).unwrap_or(1);
    let of = |seed: u64| match &file {
        Some(file) => Scenario { seed, ..file.clone() },
        None => generate::scenario(seed, usize::from(args.peers)),
    };
    if args.print {
        print!("{}", of(first));
        return Ok(ExitCode::SUCCESS);
    }
    let start = Instant::now();
    let runs = all(&args, first, &of);
    let seconds = start.elapsed().as_secs_f64().max(1e-6);
    let (mut converged, mut delivered) = (0, 0);
    for (seed, report) in &runs {
        match report {
            Ok(report) => {
                converged += 1;
                delivered += report.delivered;
                if args.trace || args.seeds == 1 {
                    println!(
                        "seed {seed}: {} messages, {} with a flipped bit, trace {}",
                        report.delivered, report.flipped, report.trace
                    );
                }
            }
            Err(why) => tell(&args, &of(*seed), why),
        }
    }
    println!(
        "{} seeds, {converged} converged, {:.0} messages/s",
        runs.len(),
        delivered as f64 / seconds
    );
    Ok(match converged == runs.len() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Runs the seeds, so many at a time.
fn all(
    args: &Args,
    first: u64,
    of: &(impl Fn(u64) -> Scenario + Sync),
) -> Vec<(u64, Result<Report, String>)> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= args.seeds {
                return done;
            }
            let seed = first.wrapping_add(number);
            let report = run(&of(seed));
            if report.is_err() {
                eprintln!("SEED {seed}\n{}", args.replay(seed));
            }
            done.push((seed, report));
        }
    };
    let mut runs = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..args.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let done = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default());
        done.collect::<Vec<_>>()
    });
    runs.sort_by_key(|(seed, _)| *seed);
    runs
}

/// Says what failed, how to replay it, and what is left of it.
fn tell(args: &Args, scenario: &Scenario, why: &str) {
    println!("SEED {}\n{why}\n{}", scenario.seed, args.replay(scenario.seed));
    let small = shrink::shrink(scenario, args.trials, |fewer| run(fewer).is_err());
    let why = run(&small).err().unwrap_or_default();
    println!(
        "{} of {} steps are enough; kept as a file they run with --scenario:\n\n{small}\n# {}\n",
        small.steps.len(),
        scenario.steps.len(),
        why.lines().next().unwrap_or_default()
    );
}
