//! The `calotype` binary: parse, mean, run.

fn main() -> std::process::ExitCode {
    peer::doors::main()
}
