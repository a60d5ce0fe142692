//! Numbers for people.

/// Bytes as people say them: `1.2 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut scale: u64 = 1;
    while unit + 1 < UNITS.len() && n >= scale.saturating_mul(1000) {
        scale *= 1000;
        unit += 1;
    }
    if unit == 0 {
        return format!("{n} B");
    }
    let tenths = n / (scale / 10);
    if tenths >= 1000 {
        return format!("{} {}", tenths / 10, UNITS[unit]);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `1 image`, `12 images`, `1,203 images`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{} {many}", grouped(n))
    }
}

/// `1,203`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration to come: `8 s`, `3 min`, `2 h`.
pub(super) fn seconds(s: u64) -> String {
    match s {
        0..=99 => format!("{s} s"),
        100..=5_999 => format!("{} min", s.div_ceil(60)),
        _ => format!("{} h", s.div_ceil(3600)),
    }
}

/// `alice`, `alice and bob`, `alice, bob and 3 more`.
pub(super) fn several(names: &[String], shown: usize) -> String {
    let clean = |name: &String| super::shorten(name, 40);
    match names {
        [] => String::new(),
        [one] => clean(one),
        [init @ .., last] if names.len() <= shown => {
            format!(
                "{} and {}",
                init.iter().map(clean).collect::<Vec<_>>().join(", "),
                clean(last)
            )
        }
        _ => {
            let first: Vec<String> = names.iter().take(shown).map(clean).collect();
            format!("{} and {} more", first.join(", "), names.len() - shown)
        }
    }
}

/// The first digits of a hash or key.
pub(super) fn brief(hex: &str) -> String {
    super::shorten(hex.get(..8).unwrap_or(hex), 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_people_say_them() {
        let check = |n, expect: &str| assert_eq!(bytes(n), expect);
        check(0, "0 B");
        check(999, "999 B");
        check(1_000, "1.0 kB");
        check(1_250_000, "1.2 MB");
        check(999_999, "999 kB");
        check(123_456_789, "123 MB");
        check(u64::MAX, "18446744 TB");
    }

    #[test]
    fn long_numbers_are_grouped() {
        let check = |n, expect: &str| assert_eq!(grouped(n), expect);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(100_000, "100,000");
        check(u64::MAX, "18,446,744,073,709,551,615");
    }

    #[test]
    fn lists_end() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
        let check = |n: usize, expect: &str| assert_eq!(several(&names[..n], 3), expect);
        check(0, "");
        check(1, "a");
        check(2, "a and b");
        check(3, "a, b and c");
        check(4, "a, b, c and 1 more");
    }
}
