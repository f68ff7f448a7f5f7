//! Labels in front of an answer: `x =`, `Answer:`, 答案是.

use super::clean::{WORDS_CLOSE, WORDS_OPEN};
use super::trimmed;

const LABELS: [&str; 13] = [
    "the final answer is",
    "the answer is",
    "final answer is",
    "answer is",
    "final answer",
    "the answer",
    "answer",
    "答案是",
    "答案为",
    "答案為",
    "答案",
    "答",
    "等于",
];

/// Drops a label in front of the answer.
pub fn without_label(text: &str) -> &str {
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
    let text = text.strip_prefix('≈').unwrap_or(text);
    split_name(text).map_or(text.trim_start(), |(_, right)| right)
}

/// Returns the name of the variable that `text` assigns a value to, without its index.
pub fn variable(text: &str) -> Option<&str> {
    let (name, _) = split_name(trimmed(text))?;
    Some(name.split_once('_').map_or(name, |(name, _)| name))
}

/// Splits `x = 5`, `(x, y) = (1, 2)`, `x ∈ (1, 2)`.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let (left, right) = text.split_once(['=', '∈', '≈'])?;
    let left = left.trim();
    let listed = left.strip_prefix('(').and_then(|l| l.strip_suffix(')')).unwrap_or(left);
    let are_names = listed.split(',').all(is_name) && (listed != left || !listed.contains(','));
    (are_names && !right.contains('=')).then(|| (left, right.trim_start()))
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
