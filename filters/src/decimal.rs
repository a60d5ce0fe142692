//! Decimal parameters as integer thousandths: `2.5` is 2500.

use std::fmt;

use crate::limits::DECIMALS_MAX;

/// Why a text is not a decimal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotADecimal {
    /// Not of the form `digits[.digits]`.
    Form,
    /// More than [`DECIMALS_MAX`] digits after the point.
    TooPrecise,
}

/// Thousandths of `text`, which is `digits[.digits]`: no sign, no exponent. Values beyond `u32` are
/// saturated: they are out of every range.
pub(crate) fn parse(text: &str) -> Result<u32, NotADecimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(NotADecimal::Form);
    }
    if fraction.len() > DECIMALS_MAX {
        return Err(NotADecimal::TooPrecise);
    }
    let whole = whole.parse::<u32>().unwrap_or(u32::MAX);
    let fraction = format!("{fraction:0<DECIMALS_MAX$}")
        .parse::<u32>()
        .map_err(|_| NotADecimal::Form)?;
    Ok(whole.saturating_mul(1000).saturating_add(fraction))
}

/// Shows thousandths without zeros that say nothing: 2000 as `2`, 2500 as `2.5`.
pub(crate) struct Thousandths(pub u32);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1000, self.0 % 1000);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:03}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let check = |text: &str, thousandths, shown: &str| {
            assert_eq!(parse(text), Ok(thousandths));
            assert_eq!(Thousandths(thousandths).to_string(), shown);
        };
        check("2", 2000, "2");
        check("2.0", 2000, "2");
        check("2.50", 2500, "2.5");
        check("0.125", 125, "0.125");
        check("007.05", 7050, "7.05");
        assert_eq!(parse("99999999999999999999"), Ok(u32::MAX));
        assert_eq!(parse("0.1234"), Err(NotADecimal::TooPrecise));
        for text in ["", ".", "2.", ".5", "-1", "+1", "1e3", "1,5", "٣", "1.2.3", " 1"] {
            assert_eq!(parse(text), Err(NotADecimal::Form), "{text}");
        }
    }
}
