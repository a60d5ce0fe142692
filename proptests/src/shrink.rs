//! Smaller runs that still fail: delta debugging (Zeller and Hildebrandt 2002) over a scenario's steps.

use crate::scenario::{Scenario, Step};

/// Leaves out steps as long as `fails` holds, within so many trials: first halves of them, then quarters, down to single
/// ones. What is left fails too.
pub fn shrink(scenario: &Scenario, trials: usize, mut fails: impl FnMut(&Scenario) -> bool) -> Scenario {
    let mut left = trials;
    let mut steps = scenario.steps.clone();
    let mut size = steps.len().div_ceil(2);
    while size > 0 && left > 0 {
        let mut at = 0;
        let mut gained = false;
        while at < steps.len() && left > 0 {
            let end = (at + size).min(steps.len());
            let fewer: Vec<Step> = steps[..at].iter().chain(&steps[end..]).cloned().collect();
            left -= 1;
            let candidate = Scenario {
                seed: scenario.seed,
                steps: fewer,
            };
            if fails(&candidate) {
                (steps, gained) = (candidate.steps, true);
            } else {
                at = end;
            }
        }
        // Once more with single steps until none can go.
        if size > 1 {
            size = size.div_ceil(2);
        } else if !gained {
            break;
        }
    }
    Scenario {
        seed: scenario.seed,
        steps,
    }
}
