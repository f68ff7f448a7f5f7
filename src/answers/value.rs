//! The value of a reply: its last `\boxed{…}`, normalized so that two answers compare equal exactly
//! when they mean the same.
//!
//! Numbers are exact rationals, tuples keep their order, sets do not, everything else is normalized
//! text. `clean` removes notation (LaTeX, full-width characters), `label` a leading `x =` or
//! `Answer:`, `number` parses numbers, `unit` what may follow them, `formula` the rest. Pure, never
//! panics, time and memory linear in the text. When in doubt a rule treats two answers as different
//! rather than lose meaning. The choices:
//! - A sum, a product, a power is not computed: `348 + 577` and `348 + 577 = 925` are not the
//!   answer 925, `2^{10}` is not 1024. Fractions, mixed numbers and powers of ten are read.
//! - A percent sign, degrees and units are dropped, as the graders of MATH do (Hendrycks et al.,
//!   arXiv 2103.03874, and Minerva's appendix, arXiv 2206.14858): `50%` is 50, and not 1/2.
//! - Outside brackets `1,234` is one number and `1, 234` are two; inside brackets a comma always
//!   separates.
//! - An answer of several parts without brackets is a set, and a set of one is its element.
//! - A variable's name is dropped, `x = 5`, unless several are given values: `x = 1, y = 2`.

mod clean;
mod formula;
mod label;
mod number;
#[cfg(test)]
mod tests;
mod unit;

use std::fmt;

use clean::{SET_CLOSE, SET_OPEN, WORDS_CLOSE, WORDS_OPEN, clean};
use formula::words;
use label::{variable, without_label};
pub use number::Ratio;
use unit::is_unit;

/// Longest answer that is parsed, in bytes; a longer one only has its white space collapsed.
const TAKEN_APART_BYTES_MAX: usize = 4096;
/// Deepest nesting of brackets that is parsed.
const DEPTH_MAX: usize = 16;

/// A normalized answer. It displays as LaTeX that parses to the same value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A number, as an exact rational.
    Number(Ratio),
    /// A tuple or an interval, in order: opening bracket, parts, closing bracket.
    Tuple(char, Vec<Value>, char),
    /// A set of two or more distinct parts, sorted by `Ord`.
    Set(Vec<Value>),
    /// Any other answer, as normalized text.
    Text(String),
}

impl Value {
    /// Parses a bare answer, as in a question set; `None` if it is empty.
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

/// Returns the value of the last box in a reply; `None` if it has no box or an empty one.
pub fn of_reply(text: &str) -> Option<Value> {
    boxed(text).and_then(Value::parse)
}

/// Returns the content of the last complete `\boxed{…}` or `\fbox{…}`, nested braces included.
pub fn boxed(text: &str) -> Option<&str> {
    // Where each open brace's content starts, and whether it is a box's.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let (mut last, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => {
                let before = text[..at].trim_end();
                open.push((at + 1, before.ends_with("\\boxed") || before.ends_with("\\fbox")));
            }
            '}' => {
                if let Some((start, true)) = open.pop()
                    && last.is_none_or(|(known, _)| known < start)
                {
                    last = Some((start, at));
                }
            }
            _ => {}
        }
    }
    last.map(|(start, end)| text[start..end].trim())
}

/// Parses cleaned text: brackets and lists first, then single answers.
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
            return match values(&parts, depth + 1) {
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
        return values(&parts, depth + 1).map_or_else(|| words(text), set);
    }
    if let Some(rest) = text.strip_prefix('±')
        && let Some(Value::Number(ratio)) = single(rest.trim_start())
    {
        return set(vec![Value::Number(ratio), Value::Number(ratio.negated())]);
    }
    single(text)
}

/// Parses the parts of a list. If they assign values to several variables, as the solution of a
/// system does, each keeps its variable's name.
fn values(parts: &[String], depth: usize) -> Option<Vec<Value>> {
    let names: Vec<Option<&str>> = parts.iter().map(|part| variable(part)).collect();
    let mut known = names.iter().flatten();
    let first = known.next();
    let are_several = known.any(|name| Some(name) != first);
    let named = names.into_iter().map(|name| name.filter(|_| are_several));
    parts
        .iter()
        .zip(named)
        .map(|(part, name)| match (whole(part, depth)?, name) {
            (value, Some(name)) => Some(Value::Text(format!("{name}={value}"))),
            (value, None) => Some(value),
        })
        .collect()
}

fn set(mut values: Vec<Value>) -> Option<Value> {
    values.sort();
    values.dedup();
    if values.len() > 1 { Some(Value::Set(values)) } else { values.pop() }
}

/// Trims white space and punctuation around an answer.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, ':' | ';' | ','))
        .trim_end_matches(['.', ' '])
}

/// Returns the bracket that encloses all of `text`, if any.
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

/// Returns whether the comma at the start of `rest` separates groups of three digits.
fn is_group(text: &str, rest: &str) -> bool {
    let before = &text[..text.len() - rest.len()];
    let run = before.chars().rev().take_while(|c| c.is_ascii_digit()).count();
    let start = before[..before.len() - run].chars().next_back();
    let after = rest[1..].chars().take_while(|c| c.is_ascii_digit()).count();
    let first = (1..=3).contains(&run) && (start != Some(',') || run == 3) && start != Some('.');
    first && after == 3
}

/// Parses one answer: a number with an optional unit, or words.
fn single(text: &str) -> Option<Value> {
    let plain = text.trim_start_matches(['€', '£', '¥', ' ', WORDS_OPEN, WORDS_CLOSE]);
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
