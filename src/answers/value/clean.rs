//! Removes notation from an answer: LaTeX's layout, fonts and spacing, full-width characters.
//!
//! The result has one character per meaning: set braces are `SET_OPEN` and `SET_CLOSE`, the
//! contents of `\text{…}` are enclosed in `WORDS_OPEN` and `WORDS_CLOSE`, runs of spaces are one
//! space.

/// `\{`, the brace of a set.
pub const SET_OPEN: char = '\u{E000}';
/// `\}`, the closing brace of a set.
pub const SET_CLOSE: char = '\u{E001}';
/// The start of `\text{…}`.
pub const WORDS_OPEN: char = '\u{E002}';
/// The end of `\text{…}`.
pub const WORDS_CLOSE: char = '\u{E003}';

/// Commands that only change the layout.
const LAYOUT: [&str; 16] = [
    "left",
    "right",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "displaystyle",
    "textstyle",
    "limits",
    "mathstrut",
    "bf",
    "rm",
];
/// Commands that set words.
const WORDS: [&str; 9] = [
    "text",
    "mathrm",
    "mbox",
    "textbf",
    "textit",
    "textrm",
    "textnormal",
    "operatorname",
    "texttt",
];
/// Commands that set symbols in another font.
const FONTS: [&str; 5] = ["mathbf", "boldsymbol", "mathit", "mathsf", "bm"];
/// Commands that stand for one character.
const SIGNS: [(&str, &str); 43] = [
    ("quad", " "),
    ("qquad", " "),
    ("thinspace", " "),
    ("enspace", " "),
    ("space", " "),
    ("dfrac", "\\frac"),
    ("tfrac", "\\frac"),
    ("cfrac", "\\frac"),
    ("frac", "\\frac"),
    ("lbrace", "\u{E000}"),
    ("rbrace", "\u{E001}"),
    ("langle", "("),
    ("rangle", ")"),
    ("lbrack", "["),
    ("rbrack", "]"),
    ("degree", "°"),
    ("circ", "°"),
    ("times", "×"),
    ("cdot", "×"),
    ("ast", "×"),
    ("div", "÷"),
    ("infty", "∞"),
    ("pi", "π"),
    ("sqrt", "√"),
    ("le", "≤"),
    ("leq", "≤"),
    ("leqslant", "≤"),
    ("ge", "≥"),
    ("geq", "≥"),
    ("geqslant", "≥"),
    ("ne", "≠"),
    ("neq", "≠"),
    ("approx", "≈"),
    ("lt", "<"),
    ("gt", ">"),
    ("pm", "±"),
    ("cup", "∪"),
    ("in", "∈"),
    ("dots", "…"),
    ("ldots", "…"),
    ("cdots", "…"),
    ("emptyset", "∅"),
    ("varnothing", "∅"),
];
/// Fractions that Unicode has as one character.
const VULGAR: [(char, &str); 9] = [
    ('½', "1/2"),
    ('⅓', "1/3"),
    ('⅔', "2/3"),
    ('¼', "1/4"),
    ('¾', "3/4"),
    ('⅕', "1/5"),
    ('⅙', "1/6"),
    ('⅛', "1/8"),
    ('⅜', "3/8"),
];

/// Removes the notation of an answer.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // How many braces are open, and which of them were opened by words, innermost last.
    let (mut depth, mut words) = (0_u32, Vec::new());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = command(rest, &mut out, (&mut depth, &mut words)),
            '{' if rest.starts_with(",}") => {
                rest = &rest[2..];
                if !is_group(&out, rest) {
                    out.push(',');
                }
            }
            '{' => {
                depth += 1;
                out.push('{');
            }
            '}' if words.last() == Some(&depth) => {
                words.pop();
                depth -= 1;
                out.push(WORDS_CLOSE);
            }
            '}' => {
                depth = depth.saturating_sub(1);
                out.push('}');
            }
            SET_OPEN..=WORDS_CLOSE => {}
            c => plain(c, &mut out),
        }
    }
    folded(&out)
}

/// Returns whether the character between `before` and `after` is a thousands separator.
fn is_group(before: &str, after: &str) -> bool {
    let digits = |c: &char| c.is_ascii_digit();
    before.ends_with(|c: char| c.is_ascii_digit()) && after.chars().take_while(digits).count() == 3
}

/// Appends what a command stands for and returns the rest after it.
fn command<'t>(
    rest: &'t str,
    out: &mut String,
    (depth, words): (&mut u32, &mut Vec<u32>),
) -> &'t str {
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    if name.is_empty() {
        let Some(sign) = rest.chars().next() else { return rest };
        match sign {
            ',' | ';' | ':' | '>' | ' ' | '\\' => out.push(' '),
            '{' => out.push(SET_OPEN),
            '}' => out.push(SET_CLOSE),
            '!' | '$' | '(' | ')' | '[' | ']' => {}
            sign => plain(sign, out),
        }
        return &rest[sign.len_utf8()..];
    }
    if LAYOUT.contains(&name) {
        // \left. is a bracket nobody sees.
        return after.strip_prefix('.').filter(|_| name.ends_with("t")).unwrap_or(after);
    }
    let braced = after.trim_start().strip_prefix('{');
    match (WORDS.contains(&name) || FONTS.contains(&name), braced) {
        (true, Some(inside)) if WORDS.contains(&name) => {
            *depth += 1;
            words.push(*depth);
            out.push(WORDS_OPEN);
            return inside;
        }
        (true, Some(inside)) => {
            // The braces around one symbol go with its font; formula() drops those left.
            *depth += 1;
            out.push('{');
            return inside;
        }
        _ => {}
    }
    match SIGNS.iter().find(|(known, _)| *known == name) {
        Some((_, sign)) => out.push_str(sign),
        None => {
            out.push('\\');
            out.push_str(name);
        }
    }
    after
}

/// Appends one character in its canonical form.
fn plain(c: char, out: &mut String) {
    match c {
        '$' => {}
        '~' | '\u{3000}' => out.push(' '),
        c if c.is_whitespace() => out.push(' '),
        '，' | '、' => out.push(','),
        '。' | '．' => out.push('.'),
        '−' | '–' | '—' | '－' => out.push('-'),
        '·' | '⋅' | '*' | '∙' => out.push('×'),
        '℃' => out.push('°'),
        '￥' => out.push('¥'),
        '₀'..='₉' => {
            out.push('_');
            out.extend(char::from_digit(c as u32 - '₀' as u32, 10));
        }
        '²' => out.push_str("^2"),
        '³' => out.push_str("^3"),
        '\u{FF01}'..='\u{FF5E}' => {
            // The full-width forms are ASCII, in its order.
            let ascii = char::from_u32(c as u32 - 0xFF01 + 0x21).unwrap_or(c);
            match ascii {
                '{' => out.push(SET_OPEN),
                '}' => out.push(SET_CLOSE),
                ascii => plain(ascii, out),
            }
        }
        c => match VULGAR.iter().find(|(sign, _)| *sign == c) {
            Some((_, fraction)) => {
                out.push(' ');
                out.push_str(fraction);
            }
            None => out.push(c),
        },
    }
}

/// Collapses runs of spaces, and turns `^°` and `^{°}` into a degree sign.
fn folded(text: &str) -> String {
    let text = text.replace("^{°}", "°").replace("^°", "°");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
