//! Parses numbers as answers spell them into exact rationals.

use std::fmt;

/// Deepest nesting of numbers, as in a fraction of fractions.
const DEPTH_MAX: usize = 8;

/// A rational number in lowest terms; the denominator is positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio {
    top: i128,
    bottom: i128,
}

impl Ratio {
    /// Makes top / bottom; `None` if the bottom is 0 or a number has more than 38 digits.
    pub fn new(top: i128, bottom: i128) -> Option<Ratio> {
        if bottom == 0 || top == i128::MIN || bottom == i128::MIN {
            return None;
        }
        let shared = gcd(top.unsigned_abs(), bottom.unsigned_abs()) as i128 * bottom.signum();
        Some(Ratio { top: top / shared, bottom: bottom / shared })
    }

    /// Returns the negated number.
    pub fn negated(self) -> Ratio {
        // `new` keeps the one number out whose negative would not fit.
        Ratio { top: -self.top, ..self }
    }

    fn plus(self, other: Ratio) -> Option<Ratio> {
        let left = self.top.checked_mul(other.bottom)?;
        let right = other.top.checked_mul(self.bottom)?;
        Ratio::new(left.checked_add(right)?, self.bottom.checked_mul(other.bottom)?)
    }

    fn times(self, other: Ratio) -> Option<Ratio> {
        let (top, bottom) =
            (self.top.checked_mul(other.top)?, self.bottom.checked_mul(other.bottom)?);
        Ratio::new(top, bottom)
    }

    fn over(self, other: Ratio) -> Option<Ratio> {
        self.times(Ratio::new(other.bottom, other.top)?)
    }

    fn times_ten_to(self, exponent: i32) -> Option<Ratio> {
        let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
        let power = Ratio { top: power, bottom: 1 };
        if exponent < 0 { self.over(power) } else { self.times(power) }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bottom {
            1 => write!(f, "{}", self.top),
            bottom => write!(f, "{}/{bottom}", self.top),
        }
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// Parses the number at the start of `text`; returns it with the rest.
pub fn read(text: &str) -> Option<(Ratio, &str)> {
    signed(text, 0)
}

/// Normalizes an integer too long for a `Ratio`: without plus sign, leading zeros and separators.
pub fn long_integer(text: &str) -> Option<String> {
    let (minus, rest) = sign(text);
    let (digits, rest) = digits(rest)?;
    let digits = digits.trim_start_matches('0');
    (rest.is_empty() && digits.len() > 38)
        .then(|| format!("{}{digits}", if minus { "-" } else { "" }))
}

/// Returns whether the signs at the start are negative together, and the rest.
fn sign(text: &str) -> (bool, &str) {
    let (mut minus, mut rest) = (false, text.trim_start());
    while let Some(sign) = rest.chars().next().filter(|c| matches!(c, '+' | '-')) {
        minus ^= sign == '-';
        rest = rest[1..].trim_start();
    }
    (minus, rest)
}

fn signed(text: &str, depth: usize) -> Option<(Ratio, &str)> {
    let (minus, rest) = sign(text);
    let (ratio, rest) = quotient(rest, depth)?;
    Some((if minus { ratio.negated() } else { ratio }, rest))
}

/// A number, or two separated by a slash: `3`, `1/2`.
fn quotient(text: &str, depth: usize) -> Option<(Ratio, &str)> {
    let (top, rest) = scaled(text, depth)?;
    let Some(below) = rest.trim_start().strip_prefix('/') else { return Some((top, rest)) };
    match scaled(below.trim_start(), depth) {
        Some((bottom, rest)) => Some((top.over(bottom)?, rest)),
        // As in 5/x: not a number at all, which the caller sees by what is left.
        None => Some((top, rest)),
    }
}

/// A number, optionally times a power of ten, or such a power: `1.2 × 10^{3}`, `1.2e3`, `10^{18}`.
fn scaled(text: &str, depth: usize) -> Option<(Ratio, &str)> {
    if let Some(power) = text.strip_prefix("10^")
        && let Some((exponent, rest)) = exponent(power)
    {
        return Some((Ratio { top: 1, bottom: 1 }.times_ten_to(exponent)?, rest));
    }
    let (ratio, rest) = unsigned(text, depth)?;
    if let Some(power) = rest.trim_start().strip_prefix('×')
        && let Some(power) = power.trim_start().strip_prefix("10^")
    {
        return match exponent(power) {
            Some((exponent, rest)) => Some((ratio.times_ten_to(exponent)?, rest)),
            None => Some((ratio, rest)),
        };
    }
    if let Some(power) = rest.strip_prefix(['e', 'E']) {
        let end = power
            .char_indices()
            .find(|&(at, c)| !(c.is_ascii_digit() || at == 0 && matches!(c, '+' | '-')))
            .map_or(power.len(), |(at, _)| at);
        if let Ok(exponent) = power[..end].parse() {
            return Some((ratio.times_ten_to(exponent)?, &power[end..]));
        }
    }
    Some((ratio, rest))
}

/// An exponent: one digit, or a number in braces.
fn exponent(text: &str) -> Option<(i32, &str)> {
    let (exponent, rest) = match text.strip_prefix('{') {
        Some(inside) => inside.split_once('}')?,
        None => text.split_at(usize::from(text.starts_with(|c: char| c.is_ascii_digit()))),
    };
    Some((exponent.trim().parse().ok()?, rest))
}

/// A fraction, a number in parentheses, a decimal or a mixed number.
fn unsigned(text: &str, depth: usize) -> Option<(Ratio, &str)> {
    if depth >= DEPTH_MAX {
        return None;
    }
    if let Some(rest) = text.strip_prefix("\\frac") {
        let (top, rest) = argument(rest, depth)?;
        let (bottom, rest) = argument(rest, depth)?;
        return Some((top.over(bottom)?, rest));
    }
    if let Some(inside) = text.strip_prefix('(') {
        let (ratio, rest) = signed(inside, depth + 1)?;
        return Some((ratio, rest.trim_start().strip_prefix(')')?));
    }
    let (ratio, rest, is_whole) = decimal(text)?;
    let part = rest.trim_start();
    if is_whole && part.starts_with("\\frac") {
        let (fraction, rest) = unsigned(part, depth + 1)?;
        return Some((ratio.plus(fraction)?, rest));
    }
    // 2 1/3, which needs the space.
    if is_whole
        && part.len() < rest.len()
        && let Some((top, below, true)) = decimal(part)
        && let Some(below) = below.strip_prefix('/')
        && let Some((bottom, rest, true)) = decimal(below)
    {
        return Some((ratio.plus(top.over(bottom)?)?, rest));
    }
    Some((ratio, rest))
}

/// An argument of a fraction: a number in braces, or one digit.
fn argument(text: &str, depth: usize) -> Option<(Ratio, &str)> {
    let text = text.trim_start();
    if let Some(inside) = text.strip_prefix('{') {
        let (ratio, rest) = signed(inside, depth + 1)?;
        return Some((ratio, rest.trim_start().strip_prefix('}')?));
    }
    let digit = text.chars().next()?.to_digit(10)?;
    Some((Ratio { top: i128::from(digit), bottom: 1 }, &text[1..]))
}

/// Digits with or without a decimal point; and whether there is none.
fn decimal(text: &str) -> Option<(Ratio, &str, bool)> {
    let (whole, rest) = digits(text).unwrap_or((String::new(), text));
    let point = rest.strip_prefix('.').filter(|r| r.starts_with(|c: char| c.is_ascii_digit()));
    let Some(fraction) = point else {
        let whole: i128 = whole.parse().ok()?;
        return Some((Ratio::new(whole, 1)?, rest, true));
    };
    let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
    let places = fraction[..end].trim_end_matches('0');
    let top: i128 = format!("0{whole}{places}").parse().ok()?;
    let bottom = 10_i128.checked_pow(u32::try_from(places.len()).ok()?)?;
    Some((Ratio::new(top, bottom)?, &fraction[end..], false))
}

/// Digits, with groups of three after commas or spaces if the first group has at most three.
fn digits(text: &str) -> Option<(String, &str)> {
    let run = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let first = run(text);
    if first == 0 {
        return None;
    }
    let (mut digits, mut rest) = (text[..first].to_string(), &text[first..]);
    let separator = rest.chars().next().filter(|c| matches!(c, ',' | ' ') && first <= 3);
    if let Some(separator) = separator {
        while let Some(group) = rest.strip_prefix(separator)
            && run(group) == 3
        {
            // Three digits before a stroke are the top of a mixed number's fraction.
            if separator == ' ' && group[3..].starts_with('/') {
                break;
            }
            digits.push_str(&group[..3]);
            rest = &group[3..];
        }
    }
    Some((digits, rest))
}
