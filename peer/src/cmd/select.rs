//! Words that select images, the same in every command that lists or writes them.

use clap::Args;

use super::{names, pattern, when};
use crate::api::{Made, Select, Sort};

/// Flags that select images.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which images")]
pub struct Which {
    /// Order them; without it the oldest come first
    #[arg(long, value_name = "BY")]
    pub sort: Option<Sort>,
    /// Turn the order round
    #[arg(long, short)]
    pub reverse: bool,
    /// Only those whose mean is at least that, 0 to 5
    #[arg(long, value_name = "STARS", value_parser = rating, allow_negative_numbers = true)]
    pub min_rating: Option<f64>,
    /// Only those that this member added
    #[arg(long, value_name = "MEMBER")]
    pub by: Option<String>,
    /// Only names that fit, as in 'IMG*'; a capital in it makes capitals matter
    #[arg(long, value_name = "PATTERN", value_parser = fitting)]
    pub name: Option<String>,
    /// Only those added since: 2026-01-31 (UTC), today, yesterday, 3d
    #[arg(long, value_name = "WHEN", value_parser = when::since)]
    pub since: Option<u64>,
    /// Only versions made with this filter; any of them; or none, the originals
    #[arg(long, value_name = "FILTER", value_parser = made)]
    pub filter: Option<Made>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub limit: Option<usize>,
    /// Leave out the first so many
    #[arg(long, value_name = "N", value_parser = skipped, default_value = "0", hide_default_value = true)]
    #[arg(allow_negative_numbers = true)]
    pub offset: usize,
}

impl Which {
    /// As it is sent; `page` is how many a door shows at once if nobody says otherwise.
    pub(super) fn select(self, page: Option<usize>) -> Select {
        Select {
            sort: self.sort,
            reverse: self.reverse,
            min_rating: self.min_rating,
            by: self.by,
            name: self.name,
            since: self.since,
            filter: self.filter,
            limit: self.limit.or(page),
            offset: self.offset,
        }
    }
}

fn rating(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(stars) if (0.0..=5.0).contains(&stars) => Ok(stars),
        _ => Err("a rating is a number from 0 to 5, such as 4 or 4.5".to_owned()),
    }
}

fn fitting(text: &str) -> Result<String, String> {
    pattern::Pattern::new(text).map(|_| text.to_owned())
}

/// A number of things to show.
pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("write a whole number from 1".to_owned()),
    }
}

fn skipped(text: &str) -> Result<usize, String> {
    let wrong = |_| "write a whole number from 0".to_owned();
    text.parse::<usize>().map_err(wrong)
}

fn made(text: &str) -> Result<Made, String> {
    match text {
        "any" => return Ok(Made::Any),
        "none" => return Ok(Made::None),
        _ => {}
    }
    let mut known: Vec<String> = filters::catalog().iter().map(|it| it.name.to_owned()).collect();
    if known.iter().any(|name| name == text) {
        return Ok(Made::With(text.to_owned()));
    }
    known.extend(["any".to_owned(), "none".to_owned()]);
    Err(match names::nearest(text, &known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.join(", ")),
    })
}
