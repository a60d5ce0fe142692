//! What the demo tells: each step as it goes for people, one object at the end for scripts.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::api::{Code, SCHEMA};
use crate::ui::{Ui, clean};

/// Widest line.
const COLUMNS: usize = 80;

/// One step as it went.
#[derive(Debug, Serialize)]
struct Step {
    step: usize,
    title: &'static str,
    proves: &'static str,
    held: bool,
    did: Vec<String>,
    saw: Vec<Saw>,
    ms: u64,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Saw {
    what: String,
    held: bool,
}

/// The whole demo, for scripts.
#[derive(Serialize)]
struct Whole<'a> {
    schema: u32,
    held: usize,
    of: usize,
    seconds: f64,
    folder: Option<&'a Path>,
    steps: &'a [Step],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Wrong>,
}

#[derive(Serialize)]
struct Wrong {
    code: Code,
    message: String,
    hint: &'static str,
}

/// The report in the making.
pub struct Report {
    ui: Ui,
    started: Instant,
    of: usize,
    steps: Vec<Step>,
    step_started: Instant,
    broken: bool,
}

impl Report {
    /// Of so many steps to come.
    pub fn new(ui: Ui, of: usize) -> Self {
        let now = Instant::now();
        Report {
            ui,
            started: now,
            of,
            steps: Vec::new(),
            step_started: now,
            broken: false,
        }
    }

    /// What happens before the first step.
    pub fn opening(&mut self, folder: &Path) {
        let text = format!(
            "Three peers on this machine, with a central of their own, in\n{}\n",
            clean(&folder.display().to_string())
        );
        self.print(&self.ui.out.dim(&text));
    }

    /// A step begins.
    pub fn begin(&mut self, title: &'static str, proves: &'static str) {
        let step = self.steps.len() + 1;
        self.step_started = Instant::now();
        self.steps.push(Step {
            step,
            title,
            proves,
            held: true,
            did: Vec::new(),
            saw: Vec::new(),
            ms: 0,
        });
        self.print(&format!("\n{}\n", self.ui.out.bold(&format!("{step}  {title}"))));
    }

    /// Something was done.
    pub fn did(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.print(&fold("   · ", &what, |line| line.to_owned()));
        if let Some(step) = self.steps.last_mut() {
            step.did.push(what);
        }
    }

    /// Something was looked at: it is as it must be, or it is not.
    pub fn saw(&mut self, held: bool, what: impl Into<String>) {
        let (what, paint) = (what.into(), self.ui.out);
        let text = match held {
            true => fold("   ✓ ", &what, |line| paint.good(line)),
            false => fold("   ✗ ", &what, |line| paint.bad(line)),
        };
        self.print(&text);
        if let Some(step) = self.steps.last_mut() {
            step.held &= held;
            step.saw.push(Saw { what, held });
        }
    }

    /// The step is over; whether all of it held.
    pub fn end(&mut self) -> bool {
        let spent = self.step_started.elapsed();
        let Some(step) = self.steps.last_mut() else {
            return false;
        };
        step.ms = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
        let (held, proves, paint) = (step.held, step.proves, self.ui.out);
        let lead = if held { "   So: " } else { "   Should be: " };
        let text = format!("{proves} ({:.1} s)", spent.as_secs_f64());
        self.print(&fold(lead, &text, |line| paint.dim(line)));
        held
    }

    /// Something besides the steps went wrong.
    pub fn broken(&mut self, what: &str) {
        self.broken = true;
        let paint = self.ui.out;
        self.print(&fold("   ✗ ", what, |line| paint.bad(line)));
    }

    /// Whether all held so far, and nothing was left out.
    pub fn holds(&self) -> bool {
        !self.broken && self.steps.len() == self.of && self.steps.iter().all(|step| step.held)
    }

    /// The last line; whether all held. `folder`: where the homes were left.
    pub fn summary(&mut self, folder: Option<&Path>) -> bool {
        let held = self.steps.iter().filter(|step| step.held).count();
        let all = self.holds();
        let seconds = self.started.elapsed().as_secs_f64();
        let line = format!("{held} of {} held in {seconds:.1} s", self.of);
        let failed: Vec<String> = (self.steps.iter())
            .filter(|step| !step.held)
            .map(|step| format!("step {} did not hold: {}", step.step, step.title))
            .collect();
        let mut why = failed.join("; ");
        if self.broken && why.is_empty() {
            why = "not every peer ended as it should".to_owned();
        }
        let untried = self.of - self.steps.len();
        if untried > 0 {
            why.push_str(&format!("; {untried} after it were not tried"));
        }
        if self.ui.json {
            let whole = Whole {
                schema: SCHEMA,
                held,
                of: self.of,
                seconds: (seconds * 1000.0).round() / 1000.0,
                folder,
                steps: &self.steps,
                error: (!all).then_some(Wrong {
                    code: Code::Internal,
                    message: why,
                    hint: "look at the homes and logs in the folder, and report this",
                }),
            };
            let text = serde_json::to_string(&whole).unwrap_or_default();
            let _ = self.ui.answer(&format!("{text}\n"));
            return all;
        }
        let paint = self.ui.out;
        let line = if all { paint.good(&line) } else { paint.bad(&line) };
        self.print(&format!("\n{line}\n"));
        if !all {
            self.print(&fold("", &why, |line| line.to_owned()));
        }
        if let Some(folder) = folder {
            self.print(&format!(
                "homes and logs: {}\n",
                clean(&folder.display().to_string())
            ));
        }
        all
    }

    /// Shows text to people at once. Whoever closed the pipe has read enough; the demo goes on for its exit code.
    fn print(&self, text: &str) {
        if !self.ui.json {
            let _ = self.ui.answer(text);
        }
    }
}

/// Text behind a lead, folded between words, the lines after the first as far to the right as it.
fn fold(lead: &str, text: &str, paint: impl Fn(&str) -> String) -> String {
    let indent = lead.chars().count();
    let mut lines = vec![String::new()];
    for word in clean(text).split_whitespace() {
        let fits = |line: &String| indent + line.chars().count() + 1 + word.chars().count() <= COLUMNS;
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if fits(line) => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let before = if index == 0 {
            lead.to_owned()
        } else {
            " ".repeat(indent)
        };
        out.push_str(&paint(&format!("{before}{line}")));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fold_within_eighty_columns() {
        let text = "all three show the same album, and every byte of every image was hashed again \u{1b}[2J";
        let out = fold("   ✓ ", text, str::to_owned);
        assert!(out.lines().all(|line| line.chars().count() <= COLUMNS), "{out}");
        assert_eq!(
            out,
            "   ✓ all three show the same album, and every byte of every image was hashed\n     again [2J\n"
        );
    }
}
