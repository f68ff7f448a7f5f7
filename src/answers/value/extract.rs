//! Finds the answer in a reply: its last box, else what follows a phrase such as "The answer is".

use super::Value;

/// Commands that draw a box around an answer.
const BOXES: [&str; 3] = ["\\boxed", "\\fbox", "\\framebox"];
/// Phrases that announce a final answer, in lower case; the last one counts.
const PHRASES: [&str; 17] = [
    "final answer is",
    "final answer:",
    "final answer",
    "the answer is",
    "answer is",
    "answer:",
    "answer：",
    "最终答案是",
    "最终答案为",
    "最终答案",
    "答案是",
    "答案为",
    "答案為",
    "答案：",
    "答案:",
    "故选",
    "应选",
];
/// Longest answer after a phrase, in bytes, and in words.
const PHRASE_BYTES_MAX: usize = 200;
const PHRASE_WORDS_MAX: usize = 8;

/// Returns the answer of a reply: the value of its last box, or of the boxes that its last line
/// joins, as in `x = \boxed{1} and y = \boxed{2}`; without a box, what follows the last phrase for
/// a final answer. `None` if there is neither. Empty boxes and placeholders do not count.
pub fn of_reply(text: &str) -> Option<Value> {
    let boxes = boxes(text);
    let mut filled = filled(text, &boxes);
    let Some((last, value)) = filled.next() else { return of_phrase(text) };
    let mut joined = vec![last];
    for (before, _) in filled {
        if !joins(&text[before.after..joined[joined.len() - 1].before]) {
            break;
        }
        joined.push(before);
    }
    if joined.len() == 1 {
        return Some(value);
    }
    joined.reverse();
    // The labels between the boxes belong to the answer: x = 1, y = 2.
    let first = joined[0];
    let start = text[..first.before].rfind(['\n', '.', '$']).map_or(0, |at| at + 1);
    let label = label_before(&text[start..first.before]);
    let mut list = format!("{label}{}", first.inside(text));
    for pair in joined.windows(2) {
        let between = &text[pair[0].after..pair[1].before];
        list.push_str(&format!(", {}{}", label_before(between), pair[1].inside(text)));
    }
    Value::parse_inside(&list)
}

/// Returns the answer of an attempt: that of its reply, else that of the last box in its thinking.
pub fn of_attempt(thinking: &str, answer: &str) -> Option<Value> {
    of_reply(answer).or_else(|| Some(filled(thinking, &boxes(thinking)).next()?.1))
}

/// Returns the answer of an attempt as it wrote it: the content of its box, else the normal form of
/// what [`of_attempt`] finds.
pub fn shown_of_attempt(thinking: &str, answer: &str) -> Option<String> {
    let value = of_attempt(thinking, answer)?;
    let written = [answer, thinking].into_iter().find_map(boxed);
    let is_same = |text: &&str| Value::parse_inside(text).as_ref() == Some(&value);
    Some(written.filter(is_same).map_or_else(|| value.to_string(), str::to_string))
}

/// Returns the boxes that hold an answer, with it, the last one first.
fn filled<'b>(text: &str, boxes: &'b [Boxed]) -> impl Iterator<Item = (&'b Boxed, Value)> {
    boxes.iter().rev().filter_map(|b| Some((b, Value::parse_inside(b.inside(text))?)))
}

/// Returns the content of the last box that says something: `\boxed{…}`, `\fbox{…}`, `\boxed 5`,
/// nested braces included; that of the last box if all are empty.
pub fn boxed(text: &str) -> Option<&str> {
    let boxes = boxes(text);
    let filled = boxes.iter().rfind(|b| !b.inside(text).is_empty());
    filled.or(boxes.last()).map(|b| b.inside(text))
}

/// Where a box stands: its first byte, its content, the first byte after it.
struct Boxed {
    before: usize,
    start: usize,
    end: usize,
    after: usize,
}

impl Boxed {
    fn inside<'t>(&self, text: &'t str) -> &'t str {
        text[self.start..self.end].trim()
    }
}

/// Finds the complete boxes in the order of their beginnings, leaving out those around others.
fn boxes(text: &str) -> Vec<Boxed> {
    // Where each open brace's content starts, and where its box begins if it is a box's.
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let (mut found, mut escaped): (Vec<Boxed>, bool) = (Vec::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => open.push((at + 1, box_before(&text[..at]))),
            '}' => {
                if let Some((start, Some(before))) = open.pop()
                    && found.last().is_none_or(|last: &Boxed| last.before < before)
                {
                    found.push(Boxed { before, start, end: at, after: at + 1 });
                }
            }
            _ => {}
        }
    }
    if found.is_empty() {
        found.extend(bare_box(text).or_else(|| unclosed_box(text, &open)));
    }
    found
}

/// Takes the rest of the line of the last box whose brace is not closed. A line that was cut off in
/// the middle is left alone: 12 may be the beginning of 125.
fn unclosed_box(text: &str, open: &[(usize, Option<usize>)]) -> Option<Boxed> {
    let (start, before) = open.iter().rev().find_map(|&(start, box_)| Some((start, box_?)))?;
    let line = &text[start..start + text[start..].find('\n')?];
    let end = start + line.trim_end_matches(['$', ' ', '\r']).len();
    Some(Boxed { before, start, end, after: start + line.len() })
}

/// Returns where the box command begins that ends here, spaces and an option aside.
fn box_before(text: &str) -> Option<usize> {
    let text = text.trim_end();
    // \framebox[3cm]{5}
    let text = match text.strip_suffix(']').and_then(|t| t.rfind('[').map(|at| &text[..at])) {
        Some(without) if without.ends_with("\\framebox") => without,
        _ => text,
    };
    BOXES.iter().find_map(|name| text.strip_suffix(name)).map(str::len)
}

/// Finds the last `\boxed 5`.
fn bare_box(text: &str) -> Option<Boxed> {
    let before = text.rfind("\\boxed ")?;
    let start = before + "\\boxed ".len();
    let rest = &text[start..];
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '$' | ',' | '{'))
        .unwrap_or(rest.len());
    let inside = rest[..end].trim_end_matches('.');
    (!inside.is_empty()).then(|| Boxed {
        before,
        start,
        end: start + inside.len(),
        after: start + end,
    })
}

/// Returns whether what stands between two boxes joins them: a comma, "and", the next name.
fn joins(between: &str) -> bool {
    if between.contains('\n') || between.len() > 40 {
        return false;
    }
    let mut rest =
        between.replace(['$', ',', ' ', '(', ')', ';', '，', '、', '\\', '和', '或'], "");
    for word in ["and", "or", "quad", "text", "{}", "qquad"] {
        rest = rest.replace(word, "");
    }
    let name =
        rest.strip_suffix('=').map(|name| name.trim_start_matches('{').trim_end_matches('}'));
    let is_name = |name: &str| name.chars().count() <= 4 && name.starts_with(char::is_alphabetic);
    rest.is_empty() || name.is_some_and(is_name)
}

/// Returns the `y =` at the end of what stands before a box.
fn label_before(text: &str) -> String {
    let text = text.trim_end();
    let Some(left) = text.strip_suffix('=') else { return String::new() };
    let name = left.trim_end();
    let start = name
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    match &name[start..] {
        "" => String::new(),
        name => format!("{name}="),
    }
}

/// Returns the answer after the last phrase that announces one.
fn of_phrase(text: &str) -> Option<Value> {
    let lower = text.to_ascii_lowercase();
    let (at, phrase) = PHRASES
        .iter()
        .filter_map(|phrase| Some((lower.rfind(phrase)?, *phrase)))
        .max_by_key(|(at, phrase)| (*at + phrase.len(), phrase.len()))?;
    let rest = text[at + phrase.len()..].trim_start_matches(['*', ':', '：', ' ', '=', '_', '#']);
    let line = rest.trim_start().lines().next()?;
    let end =
        ["。", ". ", "；"].iter().filter_map(|stop| line.find(stop)).min().unwrap_or(line.len());
    let answer = line[..end].trim_matches(['*', ' ', '`', '"', '_']);
    let words = answer
        .split_whitespace()
        .filter(|w| w.chars().next().is_some_and(char::is_alphabetic))
        .count();
    if answer.is_empty() || answer.len() > PHRASE_BYTES_MAX || words > PHRASE_WORDS_MAX {
        return None;
    }
    Value::parse_inside(answer)
}
