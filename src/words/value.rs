//! What an answer *is*: the last `\boxed{…}` of a reply, normalised so that two answers are equal
//! exactly when they say the same.
//!
//! Numbers are exact rationals, tuples keep their order, sets do not, all else is normalised text;
//! `clean` takes the writing off (LaTeX, full-width signs), `number` reads numbers. Pure, never
//! panics, time and memory linear in the text. Where a rule has to choose, two answers are rather
//! called different than meaning is lost. The choices:
//! - A sum or product is not computed: `348 + 577` is not the answer 925. Fractions, mixed numbers
//!   and powers of ten are read.
//! - A percent sign, degrees and units are dropped, as the graders of MATH do (Hendrycks et al.,
//!   arXiv 2103.03874, and Minerva's appendix, arXiv 2206.14858): `50%` is 50, and not 1/2.
//! - Outside brackets `1,234` is one number and `1, 234` are two; inside brackets a comma always
//!   separates.
//! - An answer of several parts without brackets is a set, and a set of one is its element.

mod clean;
mod number;
#[cfg(test)]
mod tests;

use std::fmt;

use clean::{SET_CLOSE, SET_OPEN, WORDS_CLOSE, WORDS_OPEN, clean};
pub use number::Ratio;

/// Longest answer that is taken apart, in bytes; of a longer one only the white space is folded.
const TAKEN_APART_BYTES_MAX: usize = 4096;
/// Most brackets inside each other that are taken apart.
const DEPTH_MAX: usize = 16;

/// A normalised answer. Displayed in LaTeX's way, from which it can be parsed again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A number.
    Number(Ratio),
    /// A tuple or an interval, in order: opening bracket, parts, closing bracket.
    Tuple(char, Vec<Value>, char),
    /// Two or more different parts, in the order of `Ord`.
    Set(Vec<Value>),
    /// Anything else.
    Text(String),
}

impl Value {
    /// Returns what a bare answer is, such as a question set gives it; `None` where nothing is left.
    pub fn parse(text: &str) -> Option<Value> {
        let text = boxed(text).unwrap_or(text);
        if text.len() > TAKEN_APART_BYTES_MAX {
            let words: Vec<&str> = text.split_whitespace().collect();
            return Some(Value::Text(words.join(" "))).filter(|_| !words.is_empty());
        }
        whole(&clean(text), 0)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Value]| {
            parts.iter().enumerate().try_for_each(|(at, part)| {
                let comma = if at == 0 { "" } else { ", " };
                write!(f, "{comma}{part}")
            })
        };
        match self {
            Value::Number(ratio) => write!(f, "{ratio}"),
            Value::Text(text) => f.write_str(text),
            Value::Tuple(open, parts, close) => {
                write!(f, "{open}")?;
                list(f, parts)?;
                write!(f, "{close}")
            }
            Value::Set(parts) => {
                f.write_str("\\{")?;
                list(f, parts)?;
                f.write_str("\\}")
            }
        }
    }
}

/// Returns the value of the last box in a reply, `None` where there is none or it is empty.
pub fn of_reply(text: &str) -> Option<Value> {
    boxed(text).and_then(Value::parse)
}

/// Returns the content of the last complete `\boxed{…}` or `\fbox{…}`, nested braces included.
pub fn boxed(text: &str) -> Option<&str> {
    text.rmatch_indices("box").find_map(|(at, name)| {
        let before = &text[..at];
        let rest = &text[at + name.len()..];
        let rest = match (before.ends_with("\\f"), before.ends_with('\\')) {
            (true, _) => rest,
            (_, true) => rest.strip_prefix("ed")?,
            _ => return None,
        };
        let inside = rest.trim_start().strip_prefix('{')?;
        closing(inside).map(|end| inside[..end].trim())
    })
}

/// Returns where the brace that is open at the start of `text` closes.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut escaped) = (1_u32, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Takes cleaned text apart: brackets and lists first, then single answers.
fn whole(text: &str, depth: usize) -> Option<Value> {
    let text = without_label(trimmed(text));
    if text.is_empty() {
        return None;
    }
    if depth >= DEPTH_MAX {
        return words(text);
    }
    if let Some(inside) = text.strip_prefix(WORDS_OPEN).and_then(|t| t.strip_suffix(WORDS_CLOSE))
        && !inside.contains([WORDS_OPEN, WORDS_CLOSE])
    {
        return whole(inside, depth + 1);
    }
    if let Some((open, inside, close)) = bracketed(text) {
        let parts = split(inside, Commas::Separate);
        let is_set = open == SET_OPEN;
        if is_set || (parts.len() > 1 && open != '{') {
            let values: Option<Vec<Value>> = parts.iter().map(|p| whole(p, depth + 1)).collect();
            return match values {
                Some(values) if is_set => set(values),
                Some(values) => Some(Value::Tuple(open, values, close)),
                None => words(text),
            };
        }
        if matches!(open, '(' | '{') {
            return whole(inside, depth + 1);
        }
        return words(text);
    }
    let parts = split(text, Commas::MayGroup);
    if parts.len() > 1 {
        let values: Option<Vec<Value>> = parts.iter().map(|p| whole(p, depth + 1)).collect();
        return values.map_or_else(|| words(text), set);
    }
    if let Some(rest) = text.strip_prefix('±')
        && let Some(Value::Number(ratio)) = single(rest.trim_start())
    {
        return set(vec![Value::Number(ratio), Value::Number(ratio.negated())]);
    }
    single(text)
}

fn set(mut values: Vec<Value>) -> Option<Value> {
    values.sort();
    values.dedup();
    if values.len() > 1 { Some(Value::Set(values)) } else { values.pop() }
}

/// Drops white space and marks of punctuation around an answer.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, ':' | ';' | ','))
        .trim_end_matches(['.', ' '])
}

/// Returns the bracket around all of `text`, if there is one.
fn bracketed(text: &str) -> Option<(char, &str, char)> {
    let (open, close) = (text.chars().next()?, text.chars().next_back()?);
    let fits = matches!((open, close), ('(' | '[', ')' | ']') | ('{', '}') | (SET_OPEN, SET_CLOSE));
    let inside = text.get(open.len_utf8()..text.len().checked_sub(close.len_utf8())?)?;
    let mut depth = 0_i32;
    let mut closes_early = false;
    for c in inside.chars() {
        depth += i32::from(opens(c)) - i32::from(closes(c));
        closes_early |= depth < 0;
    }
    (fits && depth == 0 && !closes_early).then_some((open, inside, close))
}

fn opens(c: char) -> bool {
    matches!(c, '(' | '[' | '{' | SET_OPEN)
}

fn closes(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | SET_CLOSE)
}

/// What a comma between digits means.
#[derive(Clone, Copy, PartialEq)]
enum Commas {
    Separate,
    MayGroup,
}

/// Splits at commas, semicolons and words for "and" or "or" that stand outside all brackets.
fn split(text: &str, commas: Commas) -> Vec<String> {
    let text = text.replace([WORDS_OPEN, WORDS_CLOSE], " ");
    let mut parts = vec![String::new()];
    let (mut depth, mut rest) = (0_i32, text.as_str());
    while let Some(c) = rest.chars().next() {
        depth += i32::from(opens(c)) - i32::from(closes(c));
        let groups = commas == Commas::MayGroup && c == ',' && is_group(&text, rest);
        let word = [" and ", " or ", "和", "或"].into_iter().find(|word| rest.starts_with(word));
        let separator = match c {
            _ if depth != 0 => None,
            ',' if !groups => Some(1),
            ';' => Some(1),
            _ => word.map(str::len),
        };
        match separator {
            Some(bytes) => {
                parts.push(String::new());
                rest = &rest[bytes..];
            }
            None => {
                parts.last_mut().expect("there is always one").push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    parts.retain(|part| !trimmed(part).is_empty());
    parts
}

/// Returns whether the comma at the start of `rest` stands between groups of three digits.
fn is_group(text: &str, rest: &str) -> bool {
    let before = &text[..text.len() - rest.len()];
    let run = before.chars().rev().take_while(|c| c.is_ascii_digit()).count();
    let start = before[..before.len() - run].chars().next_back();
    let after = rest[1..].chars().take_while(|c| c.is_ascii_digit()).count();
    let first = (1..=3).contains(&run) && (start != Some(',') || run == 3) && start != Some('.');
    first && after == 3
}

/// Drops what stands before the answer itself: `x =`, `Answer:`, 答案是.
fn without_label(text: &str) -> &str {
    const LABELS: [&str; 12] = [
        "the final answer is",
        "the answer is",
        "final answer is",
        "answer is",
        "final answer",
        "the answer",
        "answer",
        "答案是",
        "答案为",
        "答案",
        "答",
        "等于",
    ];
    let text = text.trim();
    let plain = text.trim_start_matches([WORDS_OPEN, ' ']);
    for label in LABELS {
        let head = plain.get(..label.len()).unwrap_or_default();
        if head.eq_ignore_ascii_case(label) {
            let rest = plain[label.len()..].trim_start_matches([WORDS_CLOSE, ' ', ':', '=']);
            let goes_on = plain[label.len()..].starts_with(|c: char| c.is_ascii_alphabetic());
            if !rest.is_empty() && !goes_on {
                return without_label(trimmed(rest));
            }
        }
    }
    match text.split_once('=') {
        Some((left, right)) if is_name(left) && !right.contains('=') => right.trim_start(),
        _ => text,
    }
}

/// Returns whether `text` is a variable, such as `x`, `x_1`, `x_{12}` or `\alpha`.
fn is_name(text: &str) -> bool {
    let text = text.trim();
    let (name, index) = text.split_once('_').unwrap_or((text, "0"));
    let index = index.strip_prefix('{').and_then(|i| i.strip_suffix('}')).unwrap_or(index);
    let letters = name.strip_prefix('\\').unwrap_or(name);
    let is_word = !letters.is_empty() && letters.chars().all(char::is_alphabetic);
    let is_short = letters.len() < name.len() || letters.chars().count() == 1;
    is_word && is_short && index.chars().all(char::is_alphanumeric) && !index.is_empty()
}

/// Reads one answer: a number, with what may follow it, or words.
fn single(text: &str) -> Option<Value> {
    let plain = text.trim_start_matches(['€', '£', '¥']).trim_start();
    if let Some((ratio, rest)) = number::read(plain)
        && is_unit(rest)
    {
        return Some(Value::Number(ratio));
    }
    if let Some(digits) = number::long_integer(plain) {
        return Some(Value::Text(digits));
    }
    words(text)
}

/// Returns whether what follows a number does not change it: nothing, percent, degrees, a unit.
fn is_unit(rest: &str) -> bool {
    let rest = rest.trim().trim_end_matches(['%', '°', ' ']).trim_start_matches(['%', '°', ' ']);
    // A unit's square or cube.
    let rest = rest.strip_suffix(['2', '3']).and_then(|r| r.strip_suffix('^')).unwrap_or(rest);
    let rest = rest.strip_suffix("^{2}").or_else(|| rest.strip_suffix("^{3}")).unwrap_or(rest);
    if rest.is_empty() {
        return true;
    }
    if rest.starts_with(WORDS_OPEN) {
        // Set as words: it is no variable, whatever its length.
        return !rest.contains(|c: char| c.is_ascii_digit() || c == '\\' || c == '=');
    }
    let is_cjk = |c: char| ('\u{4E00}'..='\u{9FFF}').contains(&c);
    if rest.chars().all(is_cjk) {
        return true;
    }
    // Plain letters: words of two and more; a single one, as in 5x, may be a variable.
    const NO_UNITS: [&str; 11] =
        ["and", "or", "to", "mod", "if", "for", "sin", "cos", "tan", "log", "ln"];
    rest.split([' ', '/']).filter(|word| !word.is_empty()).enumerate().all(|(at, word)| {
        let is_word = word.chars().all(|c| c.is_ascii_alphabetic());
        is_word && (word.len() > 1 || at > 0) && !NO_UNITS.contains(&word)
    })
}

/// Normalises what is no number. Words are folded to lower case; in formulas, where x is not X,
/// only writing that means nothing is dropped.
fn words(text: &str) -> Option<Value> {
    let plain: String =
        text.chars().map(|c| if matches!(c, WORDS_OPEN | WORDS_CLOSE) { ' ' } else { c }).collect();
    let plain = trimmed(plain.trim());
    let is_prose = plain.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\''))
        && plain.chars().count() > 1;
    let text = if is_prose {
        let folded = plain.to_lowercase();
        folded.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        formula(plain)
    };
    (!text.is_empty()).then_some(Value::Text(text))
}

/// Drops from a formula spaces, multiplication signs that can be left out, braces around one sign.
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
    let mut kept = String::new();
    let mut at = 0;
    while at < signs.len() {
        let c = signs[at];
        if c == '{' && signs.get(at + 2) == Some(&'}') && !opens(signs[at + 1]) {
            kept.push(signs[at + 1]);
            at += 3;
            continue;
        }
        let is_needless =
            c == '×' && !(is_digit(signs.get(at.wrapping_sub(1))) && is_digit(signs.get(at + 1)));
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
