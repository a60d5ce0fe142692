//! `calotype-central`: the central server as a program of its own.

fn main() {}
