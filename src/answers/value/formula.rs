//! Normalizes answers that are not numbers: words to lower case, formulas without redundant
//! notation.
//!
//! Cheap rules bring a formula to one spelling: no spaces, no redundant multiplication signs and
//! braces, `a/b` for `\frac{a}{b}`. Nothing is computed, and terms keep their order.

use super::clean::{SET_CLOSE, SET_OPEN, WORDS_CLOSE, WORDS_OPEN};
use super::{Value, number, opens, trimmed};

/// Deepest nesting of fractions that is rewritten.
const DEPTH_MAX: usize = 8;

/// Normalizes an answer that does not parse as a number. Words become lower case; in formulas,
/// where x is not X, only redundant notation is dropped.
pub fn words(text: &str) -> Option<Value> {
    let plain: String =
        text.chars().map(|c| if matches!(c, WORDS_OPEN | WORDS_CLOSE) { ' ' } else { c }).collect();
    let plain = trimmed(plain.trim());
    let is_prose = plain.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\''))
        && plain.split([' ', '-', '\'']).any(|word| word.chars().nth(1).is_some());
    let text = if is_prose {
        let folded = plain.to_lowercase();
        folded.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        formula(plain)
    };
    match number::read(&text) {
        // Marks around a number, such as **5**, were all that hid it.
        Some((ratio, "")) => Some(Value::Number(ratio)),
        _ => (!text.is_empty()).then_some(Value::Text(text)),
    }
}

/// Drops spaces, redundant multiplication signs and braces around one character from a formula.
fn formula(text: &str) -> String {
    let spaced: Vec<char> = text.chars().collect();
    let is_digit = |c: Option<&char>| c.is_some_and(char::is_ascii_digit);
    // A space between two digits keeps two numbers apart; `clean` leaves one space at most.
    let kept_space =
        |at: usize| is_digit(spaced.get(at.wrapping_sub(1))) && is_digit(spaced.get(at + 1));
    let signs: Vec<char> = (0..spaced.len())
        .filter(|&i| spaced[i] != ' ' || kept_space(i))
        .map(|i| spaced[i])
        .collect();
    let signs = without_fractions(&signs, 0);
    let mut kept = String::new();
    let mut at = 0;
    while at < signs.len() {
        let c = signs[at];
        // √{1}2 is not √12.
        let goes_on = is_digit(signs.get(at + 3));
        if c == '{' && signs.get(at + 2) == Some(&'}') && !opens(signs[at + 1]) && !goes_on {
            kept.push(signs[at + 1]);
            at += 3;
            continue;
        }
        let is_needless = match c {
            '×' => !(is_digit(signs.get(at.wrapping_sub(1))) && is_digit(signs.get(at + 1))),
            '+' => at == 0,
            _ => false,
        };
        match c {
            SET_OPEN => kept.push_str("\\{"),
            SET_CLOSE => kept.push_str("\\}"),
            _ if is_needless => {}
            _ => kept.push(c),
        }
        at += 1;
    }
    kept
}

/// Writes every `\frac{a}{b}` as `a/b`, with parentheses where the slash would bind less or
/// more.
fn without_fractions(signs: &[char], depth: usize) -> Vec<char> {
    const FRAC: [char; 5] = ['\\', 'f', 'r', 'a', 'c'];
    let mut out = Vec::with_capacity(signs.len());
    let mut rest = signs;
    while let Some((&first, after)) = rest.split_first() {
        let arguments = rest.strip_prefix(&FRAC).filter(|_| depth < DEPTH_MAX).and_then(|inside| {
            let (top, inside) = argument(inside)?;
            let (bottom, inside) = argument(inside)?;
            Some((top, bottom, inside))
        });
        let Some((top, bottom, after)) = arguments else {
            out.push(first);
            rest = after;
            continue;
        };
        let [top, bottom] = [top, bottom].map(|part| without_fractions(part, depth + 1));
        let is_sum = top.iter().skip(1).any(|c| matches!(c, '+' | '-' | '/' | '±'));
        let is_single = bottom.len() == 1 || bottom.iter().all(char::is_ascii_digit);
        let goes_on = after.first().is_some_and(|c| c.is_alphanumeric() || "\\(√".contains(*c));
        let fraction = [wrapped(&top, is_sum), wrapped(&bottom, !is_single)].join(&'/');
        match out.last() {
            Some('^' | '_') => out.extend([&['{'], &fraction[..], &['}']].concat()),
            // 2\frac{1}{x} is not 21/x.
            Some(c)
                if *c == '/'
                    || c.is_alphanumeric() && top.first().is_some_and(|c| c.is_ascii_digit()) =>
            {
                out.extend(wrapped(&fraction, true));
            }
            _ => out.extend(wrapped(&fraction, goes_on)),
        }
        rest = after;
    }
    out
}

fn wrapped(signs: &[char], wraps: bool) -> Vec<char> {
    if wraps { [&['('], signs, &[')']].concat() } else { signs.to_vec() }
}

/// Parses an argument of a fraction: a group in braces, or one character.
fn argument(signs: &[char]) -> Option<(&[char], &[char])> {
    match signs.split_first()? {
        ('{', inside) => {
            let mut depth = 1_u32;
            let end = inside.iter().position(|c| {
                depth += u32::from(*c == '{');
                depth -= u32::from(*c == '}');
                depth == 0
            })?;
            Some((&inside[..end], &inside[end + 1..]))
        }
        (c, _) if c.is_alphanumeric() => Some(signs.split_at(1)),
        _ => None,
    }
}
