//! Chemical formulas in the notation of mhchem, as in `\ce{2H2 + O2 -> 2H2O}`.
//!
//! Digits after an element are lowered, charges and what follows `^` raised, arrows become signs.
//! `commands` calls it with the source between the braces. It knows no other commands of LaTeX.

use super::letters;

/// Pairs of an arrow and its sign, longest first.
const ARROWS: &[(&str, &str)] = &[("<=>", "⇌"), ("<->", "↔"), ("->", "→"), ("<-", "←")];

/// Renders a chemical formula.
pub fn rendered(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source.trim();
    while let Some(c) = rest.chars().next() {
        if let Some((arrow, sign)) = ARROWS.iter().find(|(arrow, _)| rest.starts_with(arrow)) {
            out.push_str(sign);
            rest = &rest[arrow.len()..];
            continue;
        }
        let before = out.chars().next_back();
        let after_atom = before.is_some_and(|c| c.is_alphabetic() || ")]".contains(c));
        rest = &rest[c.len_utf8()..];
        match c {
            '^' | '_' if before.is_none_or(|c| c == ' ') && is_end(rest) => out.push('↑'),
            '^' => rest = script(rest, '^', letters::raised, &mut out),
            '_' => rest = script(rest, '_', letters::lowered, &mut out),
            'v' if before.is_none_or(|c| c == ' ') && is_end(rest) => out.push('↓'),
            '0'..='9' if after_atom => {
                out.push_str(&letters::lowered(&c.to_string()).unwrap_or_else(|| c.to_string()));
                let digits =
                    rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                out.push_str(&letters::lowered(&rest[..digits]).unwrap_or_default());
                rest = &rest[digits..];
            }
            '+' | '-' if is_end(rest) && before.is_some_and(|c| c != ' ') => {
                out.push(if c == '+' { '⁺' } else { '⁻' });
            }
            '{' | '}' | '$' | '\\' => {}
            c => out.push(c),
        }
    }
    out
}

fn is_end(rest: &str) -> bool {
    rest.chars().next().is_none_or(|c| " )],".contains(c))
}

/// Renders a superscript or subscript, in braces or up to a blank; returns the text after it.
fn script<'a>(
    rest: &'a str,
    mark: char,
    letters: fn(&str) -> Option<String>,
    out: &mut String,
) -> &'a str {
    let (inner, after) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        Some(parts) => parts,
        None => {
            let sign = |c: char| !(c.is_ascii_digit() || c == '+' || c == '-');
            rest.split_at(rest.find(sign).unwrap_or(rest.len()))
        }
    };
    match letters(inner) {
        Some(small) => out.push_str(&small),
        None => out.push_str(&format!("{mark}({})", inner.replace(['\\', '{', '$'], ""))),
    }
    after
}
