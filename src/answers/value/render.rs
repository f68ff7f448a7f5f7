//! Writes tokens as LaTeX again, in one spelling for each meaning.

use super::operand::is_product;
use super::token::{MathToken, ROW_END, SET_CLOSE, SET_OPEN, Symbol};

/// Signs and the LaTeX that stands for them.
const SIGNS: &[(char, &str)] = &[
    ('×', "\\cdot "),
    ('÷', "\\div "),
    ('≤', "\\le "),
    ('≥', "\\ge "),
    ('≠', "\\ne "),
    ('∞', "\\infty "),
    ('π', "\\pi "),
    ('±', "\\pm "),
    ('∓', "\\mp "),
    ('∪', "\\cup "),
    ('∩', "\\cap "),
    ('∈', "\\in "),
    ('∉', "\\notin "),
    ('∖', "\\setminus "),
    ('°', "^\\circ "),
    ('%', "\\%"),
    ('…', "\\ldots "),
    ('∅', "\\emptyset "),
    ('$', "\\$"),
    ('≈', "\\approx "),
    ('≡', "\\equiv "),
    ('→', "\\to "),
    ('∠', "\\angle "),
    ('△', "\\triangle "),
    ('⌊', "\\lfloor "),
    ('⌋', "\\rfloor "),
    ('⌈', "\\lceil "),
    ('⌉', "\\rceil "),
    ('‖', "\\|"),
    (SET_OPEN, "\\{"),
    (SET_CLOSE, "\\}"),
    (ROW_END, "\\\\"),
    ('&', "\\&"),
];

/// Writes a formula: without spaces but those that LaTeX needs, without needless signs and braces.
pub fn formula(tokens: &[MathToken]) -> String {
    let mut out = String::new();
    let mut after_word = false;
    // a/b × c is not a/bc.
    let keeps_times = tokens.iter().any(|t| t.is('/'));
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        // A space keeps two numbers apart, and letters from a command.
        let digits = |t: &MathToken| matches!(t.symbol, Symbol::Digits(_));
        if at > 0 && digits(token) && digits(&tokens[at - 1]) && token.spaced {
            out.push(' ');
        }
        let is_letter = |t: &MathToken| matches!(t.symbol, Symbol::Letter(_) | Symbol::Word(_));
        if at > 0 && is_letter(token) && is_letter(&tokens[at - 1]) && !after_word {
            out.push(' ');
        }
        match &token.symbol {
            Symbol::Digits(text) => out.push_str(text),
            Symbol::Letter(name) => {
                out.push_str(name);
                if name.starts_with('\\') {
                    out.push(' ');
                }
            }
            Symbol::Word(word) if !token.as_text && is_product(word) => out.push_str(word),
            Symbol::Word(word) => {
                let text =
                    if after_word && token.spaced { format!(" {word}") } else { word.clone() };
                match (after_word, out.strip_suffix('}')) {
                    (true, Some(open)) => out = format!("{open}{text}}}"),
                    _ => out.push_str(&format!("\\text{{{text}}}")),
                }
            }
            Symbol::Command(name) => match name.split_once(' ') {
                Some((kind, environment)) => out.push_str(&format!("\\{kind}{{{environment}}}")),
                None => out.push_str(&format!("\\{name} ")),
            },
            // Multiplication needs no sign but between numbers.
            Symbol::Sign('×') if at > 0 && !keeps_times && !next.is_some_and(digits) => {}
            Symbol::Sign('+') if at == 0 => {}
            Symbol::Sign(sign) => match SIGNS.iter().find(|(known, _)| known == sign) {
                Some((_, latex)) => out.push_str(latex),
                None => out.push(*sign),
            },
        }
        after_word = matches!(token.symbol, Symbol::Word(_)) && out.ends_with('}');
    }
    tidied(&out)
}

/// Drops spaces that separate nothing.
fn tidied(latex: &str) -> String {
    let mut out = String::with_capacity(latex.len());
    let mut rest = latex.chars().peekable();
    while let Some(c) = rest.next() {
        let needed = c != ' '
            || rest.peek().is_some_and(|n| n.is_alphanumeric())
                && out.ends_with(|l: char| l.is_alphanumeric());
        if needed {
            out.push(c);
        }
    }
    out
}

/// Returns the words of tokens that are prose: lower case, single spaces. `None` if there is
/// anything but words in it.
pub fn prose(tokens: &[MathToken]) -> Option<String> {
    let mut out = String::new();
    let mut has_word = false;
    for (at, token) in tokens.iter().enumerate() {
        match &token.symbol {
            Symbol::Word(word) => {
                if at > 0 && (token.spaced || !out.ends_with(['-', '\''])) {
                    out.push(' ');
                }
                has_word |= word.chars().nth(1).is_some() || !word.is_ascii();
                out.push_str(&word.to_lowercase());
            }
            Symbol::Letter(letter) if letter.len() == 1 => {
                if !out.is_empty() && !out.ends_with(['-', '\'']) {
                    out.push(' ');
                }
                out.push_str(&letter.to_lowercase());
            }
            Symbol::Sign(sign @ ('-' | '\'' | '’')) if at > 0 => {
                out.push(if *sign == '-' { '-' } else { '\'' })
            }
            _ => return None,
        }
    }
    has_word.then_some(out)
}
