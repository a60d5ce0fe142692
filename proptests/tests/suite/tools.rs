//! The language of scenarios and the search for smaller ones.

use proptests::generate;
use proptests::run::run;
use proptests::scenario::{Scenario, Step};
use proptests::shrink::shrink;

/// What a generator draws can be written down and read again.
#[test]
fn every_scenario_has_a_text() {
    for seed in 0..200 {
        let drawn = generate::scenario(seed, 1 + (seed % 60) as usize);
        let read: Scenario = drawn.to_string().parse().unwrap();
        assert_eq!(drawn, read);
    }
}

#[test]
fn a_line_that_is_no_step_is_named() {
    let why = "people 2 op\n\np1 dances a0 # ?\n"
        .parse::<Scenario>()
        .unwrap_err();
    assert_eq!(why.line, 3);
    for bad in [
        "people x op",
        "net loss=101",
        "net latency=9..3",
        "p0 say",
        "a0 say p0",
        "p0 grant a0 p1 owner",
        "expect p0 a0 images ~ 3",
    ] {
        assert!(bad.parse::<Scenario>().is_err(), "{bad}");
    }
}

/// Any part of a run is a run: numbers mean something whatever exists.
#[test]
fn parts_of_a_run_are_runs() {
    let whole = generate::scenario(3, 7);
    for (skip, every) in [(0, 2), (1, 2), (5, 3)] {
        let steps = whole.steps.iter().skip(skip).step_by(every).cloned().collect();
        let part = Scenario { seed: 3, steps };
        run(&part).unwrap();
    }
    run(&Scenario {
        seed: 3,
        steps: vec![],
    })
    .unwrap();
}

/// A run of many steps that fails for three of them: "Alice's album has fewer than two lines" is shown to be wrong by two
/// lines in it, and nothing else is left.
#[test]
fn a_failing_run_shrinks_to_what_makes_it_fail() {
    let mut long = generate::scenario(5, 7);
    long.steps
        .insert(0, "people 1 op".parse::<Scenario>().unwrap().steps[0].clone());
    let text = "p0 create\np0 say a0\nwait 100\np0 add a0\np0 say a0\nexpect p0 a0 lines < 2\n";
    let tail = text.parse::<Scenario>().unwrap().steps;
    long.steps.truncate(30);
    long.steps.extend(tail);
    let fails = |scenario: &Scenario| run(scenario).is_err_and(|why| why.contains("lines < 2"));
    assert!(fails(&long), "{:?}", run(&long));
    let small = shrink(&long, 300, fails);
    assert!(fails(&small));
    let says = |step: &&Step| step.to_string().contains(" say ");
    assert_eq!(small.steps.iter().filter(says).count(), 2, "{small}");
    assert!(small.steps.len() <= 5, "{small}");
}
