//! The `calotype` binary: parse, mean, run.

fn main() -> std::process::ExitCode {
    // A decoder of foreign bytes is this same program; see peer::decoder.
    peer::decoder::child::run(std::env::args_os()).unwrap_or_else(peer::doors::main)
}
