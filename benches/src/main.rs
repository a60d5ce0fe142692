//! Times all subjects in turn, several rounds, and prints a Markdown table of medians of CPU time with ratios against
//! crdts: `scripts/bench_crdt.sh`. Heap is another program, `heap`, since counting it costs time.

use std::collections::BTreeMap;
use std::time::Duration;

use benches::ours::Ours;
use benches::theirs::{Automerge, Crdts, Loro};
use benches::{ACTORS, APART, FACT_BYTES, FACTS, ROWS, Subject};

fn main() {
    let rounds: usize = std::env::args()
        .nth(1)
        .map_or(5, |n| n.parse().expect("a number of rounds"));
    let mut subjects: Vec<Box<dyn Subject>> = vec![
        Box::new(Crdts::new()),
        Box::new(Ours::new(1)),
        Box::new(Ours::new(250)),
    ];
    // Without the last two it takes a third of the time: `benches ROUNDS short`.
    if std::env::args().nth(2).is_none() {
        subjects.push(Box::new(Automerge::new()));
        subjects.push(Box::new(Loro::new()));
    }
    let mut times: BTreeMap<(usize, usize), Vec<Duration>> = BTreeMap::new();
    for round in 0..=rounds {
        for (column, subject) in subjects.iter_mut().enumerate() {
            for (row, took) in subject.round() {
                // The first round warms up.
                if round > 0 {
                    times.entry((row, column)).or_default().push(took);
                }
            }
        }
    }
    println!("{FACTS} facts of {FACT_BYTES} B by {ACTORS} writers, {APART} apart on either side of a join;");
    println!(
        "medians of the CPU time of {rounds} rounds in turn; in brackets how many times faster than crdts in the same row.\n"
    );
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name()).collect();
    println!("| figure | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
    for (row, (what, _)) in ROWS.iter().enumerate() {
        let median = |column| {
            let mut all = times.get(&(row, column)).cloned().unwrap_or_default();
            all.sort_unstable();
            all.get(all.len() / 2).copied()
        };
        // Rows that crdts has no part in stand beside its plain remote add.
        let base = median(0);
        let cells = (0..subjects.len()).map(|column| match (median(column), base) {
            (Some(took), Some(base)) if column > 0 => format!("{} ({})", shown(took), ratio(base, took)),
            (Some(took), _) => shown(took),
            (None, _) => "–".to_owned(),
        });
        println!("| {what} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    println!();
    for (what, covers) in ROWS {
        println!("- {what}: {covers}.");
    }
}

fn shown(took: Duration) -> String {
    let ns = took.as_nanos() as f64;
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        ..1e6 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}

fn ratio(base: Duration, took: Duration) -> String {
    let times = base.as_secs_f64() / took.as_secs_f64().max(1e-9);
    if times < 100.0 {
        format!("{times:.2}")
    } else {
        format!("{times:.0}")
    }
}
