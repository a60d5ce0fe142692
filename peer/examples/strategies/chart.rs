//! The comparison as a picture: one panel a figure, both axes logarithmic, readable on light and dark pages.

use std::fmt::Write as _;

/// One figure of all strategies.
pub struct Panel {
    pub title: &'static str,
    pub unit: Unit,
    /// Of each strategy (images, value).
    pub series: [(&'static str, Vec<(f64, f64)>); 3],
}

/// What a value is.
#[derive(Clone, Copy)]
pub enum Unit {
    Bytes,
    Seconds,
}

impl Unit {
    fn label(self, value: f64) -> String {
        match self {
            Unit::Bytes => match value.round() as u64 {
                n @ 0..1_000 => format!("{n} B"),
                n @ 1_000..1_000_000 => format!("{} kB", n / 1_000),
                n => format!("{} MB", n / 1_000_000),
            },
            Unit::Seconds if value < 0.9 => format!("{:.0} ms", value * 1000.0),
            Unit::Seconds => format!("{value:.0} s"),
        }
    }
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 330.0;
const TOP: f64 = 78.0;
const BOTTOM: f64 = 46.0;
const LEFT: f64 = 62.0;
const GAP: f64 = 18.0;

const STYLE: &str = "
text { font-family: system-ui, sans-serif; font-size: 12px; fill: #3b434b }
.title { font-size: 14px; font-weight: 600; fill: #1f2328 }
.paper { fill: #ffffff }
.grid { stroke: #d5dbe1; stroke-width: 1 }
.line { fill: none; stroke-width: 2.2 }
.op { stroke: #0067a8 } .delta { stroke: #00795a; stroke-dasharray: 7 5 } .state { stroke: #c24a00 }
.dot { stroke: none } .op.dot { fill: #0067a8 } .delta.dot { fill: #00795a } .state.dot { fill: #c24a00 }
@media (prefers-color-scheme: dark) {
  text { fill: #b9c2cb } .title { fill: #eef2f5 } .paper { fill: #0d1117 } .grid { stroke: #30363d }
  .op { stroke: #58b4f0 } .delta { stroke: #35c898 } .state { stroke: #ff9248 }
  .op.dot { fill: #58b4f0 } .delta.dot { fill: #35c898 } .state.dot { fill: #ff9248 }
  .dot { stroke: none }
}";

/// The whole picture as SVG.
pub fn draw(panels: &[Panel]) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\">\n<title>The three strategies compared</title>\n<style>{STYLE}\n</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n"
    );
    for (at, (strategy, _)) in panels
        .iter()
        .flat_map(|panel| panel.series.iter())
        .take(3)
        .enumerate()
    {
        let x = LEFT + at as f64 * 96.0;
        let _ = writeln!(out, "<path class=\"line {strategy}\" d=\"M{x} 22h30\"/>");
        mark(&mut out, strategy, x + 15.0, 22.0);
        let _ = writeln!(out, "<text x=\"{}\" y=\"26\">{strategy}</text>", x + 38.0);
    }
    let wide = WIDTH / panels.len() as f64;
    for (at, panel) in panels.iter().enumerate() {
        let area = Area {
            left: at as f64 * wide + LEFT,
            right: (at + 1) as f64 * wide - GAP,
        };
        area.panel(&mut out, panel);
    }
    out.push_str("</svg>\n");
    out
}

/// Where a panel's lines are.
struct Area {
    left: f64,
    right: f64,
}

impl Area {
    fn panel(&self, out: &mut String, panel: &Panel) {
        let points = || panel.series.iter().flat_map(|(_, points)| points);
        let (x_min, x_max) = span(points().map(|(x, _)| *x));
        let (y_min, y_max) = span(points().map(|(_, y)| *y));
        let (low, high) = (
            y_min.log10().floor(),
            y_max.log10().ceil().max(y_min.log10().floor() + 1.0),
        );
        let x_range = (x_max / x_min).log10().max(0.001);
        let x = |value: f64| self.left + (value / x_min).log10() / x_range * (self.right - self.left);
        let y = |power: f64| HEIGHT - BOTTOM - (power - low) / (high - low) * (HEIGHT - BOTTOM - TOP);
        let (left, right) = (self.left, self.right);
        let _ = writeln!(
            out,
            "<text class=\"title\" x=\"{left:.0}\" y=\"58\">{}</text>",
            panel.title
        );
        let mut power = low;
        while power <= high {
            let (at, label) = (y(power), panel.unit.label(10f64.powf(power)));
            let _ = writeln!(out, "<path class=\"grid\" d=\"M{left:.1} {at:.1}H{right:.1}\"/>");
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                left - 8.0,
                at + 4.0
            );
            power += 1.0;
        }
        for (size, _) in &panel.series[0].1 {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{size}</text>",
                x(*size),
                HEIGHT - BOTTOM + 18.0
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">images in the album</text>",
            (left + right) / 2.0,
            HEIGHT - 10.0
        );
        for (strategy, points) in &panel.series {
            let at: Vec<(f64, f64)> = points
                .iter()
                .map(|(size, value)| (x(*size), y(value.log10())))
                .collect();
            let path: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
            let _ = writeln!(out, "<path class=\"line {strategy}\" d=\"M{}\"/>", path.join("L"));
            for (x, y) in at {
                mark(out, strategy, x, y);
            }
        }
    }
}

/// A point: each strategy has a shape of its own, for those who do not tell the colours apart.
fn mark(out: &mut String, strategy: &str, x: f64, y: f64) {
    let path = match strategy {
        "op" => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", x - 4.0),
        "delta" => format!("M{:.1} {:.1}h7v7h-7z", x - 3.5, y - 3.5),
        _ => format!("M{x:.1} {:.1}l5 9h-10z", y - 5.5),
    };
    let _ = writeln!(out, "<path class=\"{strategy} dot\" d=\"{path}\"/>");
}

fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
