//! `calotype-central`: the central server as a program of its own.

use std::process::ExitCode;

use central::cli::{Args, log_to_stderr, run};
use clap::Parser;

/// Run a central server: it introduces peers to each other and keeps no album
#[derive(Parser)]
#[command(name = "calotype-central", version)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn main() -> anyhow::Result<ExitCode> {
    let Cli { args } = Cli::parse();
    log_to_stderr(args.verbose);
    tokio::runtime::Runtime::new()?.block_on(run(args))?;
    Ok(ExitCode::SUCCESS)
}
