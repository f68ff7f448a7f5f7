//! What formulas read as, and what holds for any text in any cuts.
//!
//! The cases are in tests/cases.rs and tests/more.rs. Random texts are made of whole commands and
//! delimiters, since random bytes are hardly ever LaTeX. Times are only compared
//! with each other, and only to tell linear work from quadratic.

use std::time::{Duration, Instant};

use bolero::check;

use super::parse::convert;
use super::row::RowStart;
use super::{AccentStyle, Latex, readable, symbols};
use crate::types::limits;

mod cases;
mod contest;
mod more;

/// Returns the cases of both tables.
fn all_cases() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    cases::CASES.iter().chain(more::CASES)
}

#[test]
fn formulas_read_as_a_person_writes_them_on_one_line() {
    let wrong: Vec<String> = all_cases()
        .map(|(source, text)| (source, readable(source), text))
        .filter(|(_, shown, text)| shown != *text)
        .map(|(source, shown, text)| format!("{source}\n  shown: {shown:?}\n wanted: {text:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How long each target runs.
const TIME: Duration = Duration::from_secs(1);

/// What random texts are made of: whatever means something here, and a little that does not.
const PARTS: [&str; 64] = [
    "\\frac",
    "\\sqrt",
    "\\boxed",
    "\\text",
    "{",
    "}",
    "{1}",
    "[",
    "]",
    "$",
    "$$",
    "\\(",
    "\\)",
    "\\[",
    "\\]",
    "\\",
    "\\\\",
    "\\begin{align*}",
    "\\end{align*}",
    "\\begin{cases}",
    "\\end{cases}",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "\\begin{",
    "\\left(",
    "\\right)",
    "\\left\\{",
    "\\right.",
    "^",
    "_",
    "'",
    "&",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "`",
    "```",
    "~~~",
    "~",
    "=",
    "+",
    "-",
    "/",
    "x",
    "ab",
    "7",
    "3.5",
    ".",
    ",",
    "(",
    ")",
    "|",
    "\\alpha",
    "\\times",
    "\\sum",
    "\\foo",
    "\\over",
    "\\not",
    "é",
    "数",
    "\u{7}",
];

fn random_text(input: &[u8]) -> String {
    input.iter().map(|byte| PARTS[usize::from(*byte % 64)]).collect()
}

/// Pushes a text in pieces of these lengths in turn, and returns the whole output.
fn in_cuts(text: &str, cuts: &[u8]) -> String {
    let (mut latex, mut out) = (Latex::new(), String::new());
    let mut rest = text;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let characters = cuts.next().map_or(1, |cut| usize::from(cut % 7));
        let end = rest.char_indices().nth(characters.max(1)).map_or(rest.len(), |(at, _)| at);
        out.push_str(&latex.push(&rest[..end]));
        assert!(latex.held.len() <= limits::LATEX_HELD_BYTES_MAX, "{text:?}");
        rest = &rest[end..];
    }
    out.push_str(&latex.finish());
    out
}

fn assert_lawful(text: &str, cuts: &[u8]) {
    let whole = readable(text);
    assert_eq!(in_cuts(text, cuts), whole, "{text:?}");
    assert_eq!(in_cuts(text, &[1]), whole, "{text:?}");
    let control = |c: &char| c.is_control() && *c != '\n';
    assert!(whole.chars().filter(control).all(|c| text.contains(c)), "{text:?}");
}

#[test]
fn any_cuts_of_any_text_give_the_same() {
    check!().with_test_time(TIME).for_each(|input: &[u8]| {
        assert_lawful(&String::from_utf8_lossy(input), input);
        assert_lawful(&random_text(input), input);
    });
}

#[test]
fn every_case_is_the_same_in_any_cuts() {
    let all: Vec<&str> = all_cases().map(|(source, _)| *source).collect();
    for text in all.iter().copied().chain([all.join("\n").as_str(), all.join("\n\n").as_str()]) {
        for cuts in [&[1][..], &[2], &[5], &[3, 1, 6, 2]] {
            assert_lawful(text, cuts);
        }
    }
}

#[test]
fn a_text_with_neither_backslash_nor_dollar_is_unchanged() {
    check!().with_test_time(TIME).for_each(|input: &[u8]| {
        for text in [String::from_utf8_lossy(input).into_owned(), random_text(input)] {
            let plain = text.replace(['\\', '$'], "");
            assert_eq!(readable(&plain), plain);
        }
    });
}

#[test]
fn long_random_texts_keep_to_the_bound() {
    use rand_chacha::rand_core::{Rng, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    for round in 0..40_u32 {
        // Few parts at a time, so that formulas get long and deep.
        let few: Vec<u8> = (0..=round % 23).map(|_| random.next_u32() as u8).collect();
        let input: Vec<u8> =
            (0..9_000).map(|_| few[random.next_u32() as usize % few.len()]).collect();
        assert_lawful(&random_text(&input), &few);
    }
}

fn time_for(text: &str) -> Duration {
    let begun = Instant::now();
    readable(text);
    begun.elapsed()
}

/// Asserts that a part repeated up to this many bytes takes about as long as an answer of that
/// length. Where a byte is looked at again for each byte that is held, it takes a thousand times as
/// long; what else the machine does meanwhile does not last through all tries.
fn assert_linear(part: &str, bytes: usize) {
    const TIMES_MAX: u32 = 100;
    let answer = "So $x^2 + \\frac{1}{2} = 5$, and the answer is \\(\\boxed{x}\\). ";
    let answer = answer.repeat(bytes / answer.len());
    for opening in ["", "\\["] {
        let text = format!("{opening}{}", part.repeat(bytes / part.len()));
        let linear = (0..5).any(|_| time_for(&text) < TIMES_MAX * time_for(&answer));
        assert!(linear, "{opening}{part}");
    }
}

#[test]
fn a_megabyte_of_openings_is_linear_work() {
    for part in ["{", "$", "$a ", "\\frac", "\\begin{"] {
        assert_linear(part, 1_000_000);
    }
}

#[test]
fn whatever_is_repeated_is_linear_work() {
    let more = ["$$a ", "x^{", "\\foo{", "{a\\over ", "`a", "\\[{", "\\[\\sqrt[", "\\text{$"];
    for part in PARTS.iter().chain(&more) {
        assert_linear(part, 50_000);
    }
}

#[test]
fn words_are_given_out_as_they_come() {
    let mut latex = Latex::new();
    assert_eq!(latex.push("The ans"), "The ans");
    assert_eq!(latex.push("wer is 5"), "wer is");
    assert_eq!(latex.push(" now"), " 5 now");
    assert_eq!(latex.finish(), "");
}

#[test]
fn a_formula_is_given_out_operator_by_operator() {
    let mut latex = Latex::new();
    assert_eq!(latex.push("\\[ x^2 + \\frac{1}{2}"), "x²");
    assert_eq!(latex.push(" = y \\]"), " + 1/2 = y");
    assert_eq!(latex.push(" so"), "\nso");
    assert_eq!(latex.finish(), "");
}

#[test]
fn a_dollar_is_held_until_it_is_known_what_it_is() {
    let mut latex = Latex::new();
    assert_eq!(latex.push("costs $5 and "), "costs ");
    assert_eq!(latex.push("$6"), "$5 and ");
    assert_eq!(latex.finish(), "$6");
    assert_eq!(latex.push("$x^2$"), "");
    assert_eq!(latex.push(" "), "x²");
}

#[test]
fn marks_are_words_where_only_ascii_can_be_shown() {
    let mut latex = Latex::new();
    latex.set_marks(AccentStyle::Words);
    for _ in 0..2 {
        let source = r"\(\overline{AB} + \hat{x} + 0.\overline{3} + \underline{x} + \bar y\)";
        let text = latex.push(source) + &latex.finish();
        assert_eq!(text, "overline(AB) + hat(x) + 0.overline(3) + x + bar(y)");
    }
}

#[test]
fn after_its_end_it_is_as_new() {
    let mut latex = Latex::new();
    latex.push("```\n\\(");
    latex.finish();
    assert_eq!(latex.push("\\(x^2\\)") + &latex.finish(), "x²");
}

#[test]
fn a_formula_longer_than_the_bound_is_given_out_in_parts() {
    let source = format!("\\({}\\)", "x^2+".repeat(5_000));
    assert_eq!(readable(&source), "x²+".repeat(5_000));
    let source = format!("${}$", "x^2+".repeat(5_000));
    assert_eq!(readable(&source), source);
}

#[test]
fn what_is_nested_too_deeply_stays_as_it_is() {
    let nested = |depth: usize| format!("{}x{}", "\\sqrt{".repeat(depth), "}".repeat(depth));
    assert!(!convert(&nested(30), RowStart::Fresh, AccentStyle::Combining).contains("sqrt"));
    let deep = convert(&nested(40), RowStart::Fresh, AccentStyle::Combining);
    assert!(deep.starts_with("√(√(") && deep.contains(&nested(7)), "{deep}");
}

#[test]
fn every_command_of_the_tables_has_one_meaning_and_no_command_panics() {
    let names = symbols::names();
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        assert!(seen.insert(name), "{name} is there twice");
        for rest in ["", "{", "{a}", "{a}{b}", " a b", "[", "[a]{b}", "_1^2", "\\alpha"] {
            assert_lawful(&format!("\\[\\{name}{rest}\\] \\{name}{rest}"), &[2]);
        }
    }
}
