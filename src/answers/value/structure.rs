//! Finds the structure of an answer: labels, brackets, lists, sets; then single answers.

use super::label::without_label;
use super::single::{single, text};
use super::token::{MathToken, ROW_END, SET_CLOSE, SET_OPEN, Symbol};
use super::{AnswerForm, Joined, Value, matrix, region, relation, render};

/// Deepest nesting of brackets that is parsed.
pub const DEPTH_MAX: usize = 16;

/// Parses tokens: labels and brackets first, then lists, then single answers. `None` if empty.
pub fn whole(tokens: &[MathToken], depth: usize) -> Option<Value> {
    let (label, tokens) = without_label(trimmed(tokens));
    let tokens = trimmed(&tokens);
    if tokens.is_empty() || is_placeholder(tokens) {
        return None;
    }
    let mut value = unlabelled(tokens, depth)?;
    if let Some(label) = label {
        value.label = Some(label);
    }
    Some(value)
}

fn unlabelled(tokens: &[MathToken], depth: usize) -> Option<Value> {
    if depth >= DEPTH_MAX {
        return text(tokens);
    }
    // An approximation in brackets adds nothing.
    let depths = depths(tokens);
    let aside = (1..tokens.len()).find(|&at| {
        depths[at] == 0 && tokens[at].is('(') && tokens.get(at + 1).is_some_and(|t| t.is('≈'))
    });
    if let Some(at) = aside
        && tokens.last().is_some_and(|last| last.is(')'))
    {
        return unlabelled(&tokens[..at], depth + 1);
    }
    if let Some(matrix) = matrix::parse(tokens, depth) {
        return Some(matrix);
    }
    if let Some(value) = bracketed(tokens, depth) {
        return value;
    }
    if let Some(value) = list(tokens, depth) {
        return value;
    }
    if let Some(value) = relation::parse(tokens, depth) {
        return Some(value);
    }
    single(tokens)
}

/// Trims punctuation and marks around an answer.
pub fn trimmed(tokens: &[MathToken]) -> &[MathToken] {
    let mut inside = tokens;
    while let [first, rest @ ..] = inside
        && [':', ';', ',', '.', '⇒', '→', '=', '≈', '^', '`', '"', '“', '#']
            .iter()
            .any(|&sign| first.is(sign))
    {
        inside = rest;
    }
    while let [rest @ .., last] = inside
        && [':', ';', ',', '.', '`', '"', '”', '=', ROW_END].iter().any(|&sign| last.is(sign))
    {
        inside = rest;
    }
    // **5** reads as a power at both ends.
    match inside {
        [rest @ .., last] if last.is('^') => trimmed(rest),
        inside => inside,
    }
}

/// Returns whether the answer only says where one belongs: `?`, `…`, `your answer`.
fn is_placeholder(tokens: &[MathToken]) -> bool {
    let blank = |t: &MathToken| {
        matches!(t.symbol, Symbol::Sign('?' | '…' | '.' | '_' | '□' | '？' | '×' | '-'))
    };
    if tokens.iter().all(blank) {
        return true;
    }
    const BLANKS: [&str; 12] = [
        "your answer",
        "answer",
        "final answer",
        "your final answer",
        "answer here",
        "the answer",
        "insert answer here",
        "placeholder",
        "blank",
        "your answer here",
        "result",
        "答案",
    ];
    render::prose(tokens).is_some_and(|text| BLANKS.contains(&text.as_str()))
}

fn opens(token: &MathToken) -> bool {
    matches!(token.symbol, Symbol::Sign('(' | '[' | '{' | SET_OPEN | '⌊' | '⌈'))
        || token.nesting() > 0
}

fn closes(token: &MathToken) -> bool {
    matches!(token.symbol, Symbol::Sign(')' | ']' | '}' | SET_CLOSE | '⌋' | '⌉'))
        || token.nesting() < 0
}

/// Returns the depth of brackets in front of each token.
pub fn depths(tokens: &[MathToken]) -> Vec<i32> {
    let mut depth = 0;
    let at = |token: &MathToken| {
        depth -= i32::from(closes(token));
        let here = depth;
        depth += i32::from(opens(token));
        here
    };
    tokens.iter().map(at).collect()
}

/// Parses an answer that is in brackets as a whole.
fn bracketed(tokens: &[MathToken], depth: usize) -> Option<Option<Value>> {
    let [first, inside @ .., last] = tokens else { return None };
    let (Symbol::Sign(open), Symbol::Sign(close)) = (&first.symbol, &last.symbol) else {
        return None;
    };
    let (open, close) = (*open, *close);
    // ]1, 3[ is the interval that leaves its ends out.
    if matches!((open, close), (']', '[' | ']') | ('[', '[')) {
        let parts = split(inside, Commas::Separate)?.1;
        let [low, high] = &parts[..] else { return None };
        let (low, high) = (whole(low, depth + 1)?, whole(high, depth + 1)?);
        let (open, close) =
            (if open == '[' { '[' } else { '(' }, if close == ']' { ']' } else { ')' });
        return Some(Some(tuple(open, vec![low, high], close)));
    }
    let fits = matches!((open, close), ('(' | '[', ')' | ']') | ('{', '}') | (SET_OPEN, SET_CLOSE));
    if !fits || depths(inside).iter().any(|&d| d < 0) || depths(tokens).last() != Some(&0) {
        return None;
    }
    let inner = trimmed(inside);
    if open == SET_OPEN {
        if inner.is_empty() {
            return Some(Some(Value::text("\\emptyset".into())));
        }
        if region::is_described(inner) {
            return Some(region::set_builder(inner, depth).or_else(|| text(tokens)));
        }
    }
    let (joined, parts) = split(inner, Commas::Separate)?;
    if open == SET_OPEN || (parts.len() > 1 && open != '{') {
        let values = values(&parts, depth + 1);
        return Some(match values {
            Some((label, values)) if open == SET_OPEN => Some(list_of(joined, label, values)),
            Some((_, values)) if joined == Joined::Comma => Some(tuple(open, values, close)),
            Some((label, values)) => Some(list_of(joined, label, values)),
            None => text(tokens),
        });
    }
    // Brackets around one answer: but not |S| or [ABC].
    match open {
        '(' | '{' => Some(whole(inner, depth + 1)),
        _ => None,
    }
}

fn tuple(open: char, parts: Vec<Value>, close: char) -> Value {
    let inside: Vec<String> = parts.iter().map(|part| part.shown.clone()).collect();
    let shown = format!("{open}{}{close}", inside.join(", "));
    Value::of(shown, AnswerForm::Tuple(open, parts, close))
}

/// Returns both values of an element with ±.
fn each_sign(value: Value) -> Vec<Value> {
    match value.form {
        AnswerForm::List(Joined::Comma, parts) if value.shown.contains("\\pm") => parts,
        form => vec![Value { form, ..value }],
    }
}

/// Makes a list; a list of one is its element.
pub(super) fn list_of(joined: Joined, label: Option<String>, mut values: Vec<Value>) -> Value {
    if values.len() == 1 {
        let mut only = values.remove(0);
        only.label = only.label.or(label);
        return only;
    }
    // {0, ±1} has three elements.
    let mut values: Vec<Value> = values.into_iter().flat_map(each_sign).collect();
    let number = |value: &Value| match &value.form {
        AnswerForm::Formula { key, .. } => key.approximate(),
        _ => None,
    };
    values.sort_by(|a, b| match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        (x, y) => y.is_some().cmp(&x.is_some()).then_with(|| a.shown.cmp(&b.shown)),
    });
    let inside: Vec<&str> = values.iter().map(|value| value.shown.as_str()).collect();
    let shown = match joined {
        Joined::Or => inside.join(" \\text{ or } "),
        Joined::And => inside.join(" \\text{ and } "),
        Joined::Comma => format!("\\{{{}\\}}", inside.join(", ")),
    };
    Value { label, ..Value::of(shown, AnswerForm::List(joined, values)) }
}

/// Parses a list without brackets: `1, 2`, `x = 1 or x = 2`.
fn list(tokens: &[MathToken], depth: usize) -> Option<Option<Value>> {
    let (joined, mut parts) = split(tokens, Commas::MayGroup)?;
    if let [only] = &mut parts[..] {
        // 1,234 has become one number.
        return (only.len() < tokens.len()).then(|| whole(only, depth + 1));
    }
    let Some((label, values)) = values(&parts, depth + 1) else { return Some(text(tokens)) };
    let is_region = values.iter().any(|value| matches!(value.form, AnswerForm::Region(..)));
    if is_region
        && let Some(region) =
            region::joined_regions(joined == Joined::Or, joined == Joined::And, &values)
    {
        return Some(Some(region));
    }
    // The solutions of one variable are a list, whatever the word between them.
    let joined = if label.is_some() { Joined::Comma } else { joined };
    Some(Some(list_of(joined, label, values)))
}

/// Parses the parts of a list. If they are all values of one variable, its name is the list's; if
/// of several, as in the solution of a system, each keeps its own.
fn values(parts: &[Vec<MathToken>], depth: usize) -> Option<(Option<String>, Vec<Value>)> {
    let mut values = parts.iter().map(|part| whole(part, depth)).collect::<Option<Vec<_>>>()?;
    let stem = |value: &Value| {
        let label = value.label.as_deref()?;
        Some(label.split_once('_').map_or(label, |(name, _)| name).to_string())
    };
    let mut stems = values.iter().filter_map(stem);
    let first = stems.next();
    let is_one = stems.all(|name| Some(&name) == first.as_ref());
    let is_plain = values.iter().all(|value| !matches!(value.form, AnswerForm::Region(..)));
    if let (Some(name), true, true) = (&first, is_one, is_plain) {
        values.iter_mut().for_each(|value| {
            value.label = None;
            if let AnswerForm::Formula { equation, .. } = &mut value.form {
                *equation = None;
            }
            if let Some((_, right)) = value.shown.split_once('=') {
                value.shown = right.to_string();
            }
        });
        return Some((Some(name.clone()), values));
    }
    Some((None, values))
}

/// What a comma between digits means.
#[derive(Clone, Copy, PartialEq)]
pub enum Commas {
    Separate,
    MayGroup,
}

/// Splits at commas, semicolons, ends of rows and words for "and" or "or" that stand outside all
/// brackets. `None` if there are no tokens in any part.
pub fn split(tokens: &[MathToken], commas: Commas) -> Option<(Joined, Vec<Vec<MathToken>>)> {
    let depths = depths(tokens);
    let mut parts: Vec<Vec<MathToken>> = vec![Vec::new()];
    let mut joined = Joined::Comma;
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        let outside = depths[at] == 0;
        if outside && token.is(',') && commas == Commas::MayGroup && is_group(tokens, at) {
            join_group(parts.last_mut()?, &tokens[at + 1]);
            at += 2;
            continue;
        }
        let word = match &token.symbol {
            Symbol::Sign(',' | ';' | ROW_END) => Some(joined),
            Symbol::Sign('∧') => Some(Joined::And),
            Symbol::Sign('∨') => Some(Joined::Or),
            Symbol::Word(word) => match word.as_str() {
                "and" | "和" | "与" | "且" | "及" => Some(Joined::And),
                "or" | "或" | "或者" => Some(Joined::Or),
                _ => None,
            },
            _ => None,
        };
        match word.filter(|_| outside) {
            Some(word) => {
                joined = word;
                parts.push(Vec::new());
            }
            None => parts.last_mut()?.push(token.clone()),
        }
        at += 1;
    }
    parts.retain(|part| !trimmed(part).is_empty());
    (!parts.is_empty()).then_some((joined, parts))
}

/// Returns whether the comma at `at` separates groups of three digits.
fn is_group(tokens: &[MathToken], at: usize) -> bool {
    let Some((before, after)) = tokens.get(at.wrapping_sub(1)).zip(tokens.get(at + 1)) else {
        return false;
    };
    let (Some(before), Symbol::Digits(digits)) = (before.whole(), &after.symbol) else {
        return false;
    };
    let group = digits.split('.').next().unwrap_or_default();
    let mut start = at - 1;
    // All groups but the first have three digits.
    while start >= 2
        && tokens[start - 1].is(',')
        && !tokens[start].spaced
        && tokens[start - 2].whole().is_some()
    {
        if tokens[start].whole().is_none_or(|d| d.len() != 3) {
            return false;
        }
        start -= 2;
    }
    let first = tokens[start].whole().map_or(0, str::len);
    let joins_more =
        tokens.get(at + 2).is_some_and(|t| matches!(t.symbol, Symbol::Digits(_)) && !t.spaced);
    !after.spaced
        && !tokens[at].spaced
        && group.len() == 3
        && (1..=3).contains(&first)
        && !joins_more
        && (1..=3).contains(&before.len())
}

fn join_group(part: &mut [MathToken], group: &MathToken) {
    if let (Some(MathToken { symbol: Symbol::Digits(digits), .. }), Symbol::Digits(more)) =
        (part.last_mut(), &group.symbol)
    {
        digits.push_str(more);
    }
}
