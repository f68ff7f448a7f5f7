//! Splits an answer into tokens: LaTeX, Unicode and plain ASCII notation become one alphabet.
//!
//! What only changes the layout (fonts, sizes, `\left`, spaces, dollars) is dropped here, so that
//! the parsers see meaning alone. White space survives as a flag, because `2 1/3` is not `21/3`.
//! Linear in the text.

use super::grouping::grouped;
use super::notation::{
    DROPPED, FONTS, FUNCTIONS, GREEK, GREEK_SIGNS, LAYOUT, SIGNS, SUBSCRIPTS, SUPERSCRIPTS, WORDS,
    alias, is_listed, vulgar,
};

/// One symbol of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// Digits with at most one point, without separators: `12`, `0.5`, `.5`, `0.`.
    Digits(String),
    /// A variable of one letter, `x`, or a Greek one, `\alpha`.
    Letter(String),
    /// Letters that were set as words, or a run of plain letters.
    Word(String),
    /// A command with a meaning, without the backslash: `frac`, `sqrt`, `sin`.
    Command(String),
    /// Any other sign: operators, relations, brackets, commas. `⟨` and `⟩` are the braces of a set.
    Sign(char),
}

/// A symbol with what stood around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MathToken {
    pub symbol: Symbol,
    /// Whether white space stood before it.
    pub spaced: bool,
    /// Whether it was set as text, by `\text{…}` and the like.
    pub as_text: bool,
}

impl MathToken {
    /// Makes a token of a formula with no white space before it.
    pub fn plain(symbol: Symbol) -> MathToken {
        MathToken { symbol, spaced: false, as_text: false }
    }

    /// Returns whether it is this sign.
    pub fn is(&self, sign: char) -> bool {
        self.symbol == Symbol::Sign(sign)
    }

    /// Returns whether it is this command.
    pub fn is_command(&self, name: &str) -> bool {
        matches!(&self.symbol, Symbol::Command(known) if known == name)
    }

    /// Returns 1 if it begins a LaTeX environment, -1 if it ends one, else 0.
    pub fn nesting(&self) -> i32 {
        match &self.symbol {
            Symbol::Command(name) if name.starts_with("begin ") => 1,
            Symbol::Command(name) if name.starts_with("end ") => -1,
            _ => 0,
        }
    }

    /// Returns the digits of a whole number.
    pub fn whole(&self) -> Option<&str> {
        match &self.symbol {
            Symbol::Digits(digits) if !digits.contains('.') => Some(digits),
            _ => None,
        }
    }
}

/// The opening brace of a set, `\{`.
pub const SET_OPEN: char = '⟨';
/// The closing brace of a set, `\}`.
pub const SET_CLOSE: char = '⟩';
/// The end of a row of a matrix, `\\`.
pub const ROW_END: char = '↵';
/// A comma that cannot separate: between the digits of one number.
pub(super) const GROUPING: char = '‚';

/// Splits an answer into its tokens.
pub fn tokens(text: &str) -> Vec<MathToken> {
    let mut lexer = Lexer { out: Vec::new(), spaced: false, groups: Vec::new() };
    let mut rest = text;
    while !rest.is_empty() {
        rest = lexer.step(rest);
    }
    grouped(lexer.out)
}

/// What a brace that is open belongs to.
#[derive(Clone, Copy, PartialEq)]
enum BraceGroup {
    /// A group of the formula: its braces are tokens.
    Formula,
    /// Text, whose braces are dropped.
    Text,
    /// A font around a formula, whose braces become a group only if needed.
    Font,
}

struct Lexer {
    out: Vec<MathToken>,
    spaced: bool,
    groups: Vec<BraceGroup>,
}

impl Lexer {
    fn in_text(&self) -> bool {
        self.groups.last() == Some(&BraceGroup::Text)
    }

    fn push(&mut self, symbol: Symbol) {
        let as_text = self.in_text();
        self.out.push(MathToken { symbol, spaced: self.spaced, as_text });
        self.spaced = false;
    }

    fn sign(&mut self, sign: char) {
        self.push(Symbol::Sign(sign));
    }

    /// Reads the symbol at the start of `rest`; returns what follows.
    fn step<'t>(&mut self, rest: &'t str) -> &'t str {
        let c = rest.chars().next().expect("the caller checked that there is a character");
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' => return self.command(after),
            '{' if after.starts_with(",}") => {
                self.sign(GROUPING);
                return &after[2..];
            }
            '{' => {
                self.groups.push(if self.in_text() {
                    BraceGroup::Text
                } else {
                    BraceGroup::Formula
                });
                if self.groups.last() == Some(&BraceGroup::Formula) {
                    self.sign('{');
                }
            }
            '}' => match self.groups.pop() {
                Some(BraceGroup::Text) => self.spaced = self.spaced || ends_in_word(&self.out),
                Some(BraceGroup::Font) => {}
                Some(BraceGroup::Formula) | None => self.sign('}'),
            },
            '$' if after.starts_with(|c: char| c.is_ascii_digit())
                && self.out.is_empty()
                && !rest[1..].contains('$') =>
            {
                self.sign('$');
            }
            '$' => {}
            '0'..='9' | '.' => return self.digits(rest),
            c if c.is_alphabetic() => return self.letters(rest),
            c => return self.plain(c, after),
        }
        after
    }

    fn digits<'t>(&mut self, rest: &'t str) -> &'t str {
        let whole = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let point = rest[whole..].strip_prefix('.');
        let fraction =
            point.map_or(0, |r| r.find(|c: char| !c.is_ascii_digit()).unwrap_or(r.len()));
        // `0.` goes on with `\overline{3}` or `(3)`; else the point ends a sentence.
        let goes_on = point.is_some_and(|r| {
            whole > 0
                && (r.starts_with("\\overline")
                    || r.starts_with("\\bar")
                    || r.starts_with("\\dot{")
                    || r.starts_with('('))
        });
        let end = if fraction > 0 || goes_on { whole + 1 + fraction } else { whole };
        if end == 0 {
            self.sign('.');
            return &rest[1..];
        }
        // An argument without braces is one digit: \frac12.
        let end = if self.takes_one_digit() { 1 } else { end };
        self.push(Symbol::Digits(rest[..end].to_string()));
        match exponent(&rest[end..]) {
            Some((exponent, after)) => {
                self.power_of_ten(exponent);
                after
            }
            None => &rest[end..],
        }
    }

    /// Writes what `e3` after digits stands for.
    fn power_of_ten(&mut self, exponent: &str) {
        self.sign('×');
        self.push(Symbol::Digits("10".into()));
        self.sign('^');
        self.sign('{');
        if exponent.starts_with('-') {
            self.sign('-');
        }
        self.push(Symbol::Digits(exponent.trim_start_matches(['+', '-']).into()));
        self.sign('}');
    }

    /// Returns whether the next symbol is an argument of `\frac` or `\binom`.
    fn takes_one_digit(&self) -> bool {
        let takes = |at: usize| {
            let token = self.out.len().checked_sub(at).and_then(|at| self.out.get(at));
            token.is_some_and(|t| t.is_command("frac") || t.is_command("binom"))
        };
        let last_is_digit =
            matches!(self.out.last().map(MathToken::whole), Some(Some(digit)) if digit.len() == 1);
        takes(1) || takes(2) && last_is_digit && !self.spaced
    }

    fn letters<'t>(&mut self, rest: &'t str) -> &'t str {
        let first = rest.chars().next().expect("it starts with a letter");
        if !first.is_ascii_alphabetic() {
            return self.foreign(first, rest);
        }
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if run.len() == 1 {
            self.push(if self.in_text() {
                Symbol::Word(run.into())
            } else {
                Symbol::Letter(run.into())
            });
            return after;
        }
        match run {
            "pi" => self.sign('π'),
            "infinity" | "inf" if !self.in_text() => self.sign('∞'),
            run if is_listed(FUNCTIONS, run) => self.push(Symbol::Command(alias(run).into())),
            run => self.push(Symbol::Word(run.into())),
        }
        after
    }

    fn foreign<'t>(&mut self, first: char, rest: &'t str) -> &'t str {
        let after = &rest[first.len_utf8()..];
        match first {
            'π' | '𝜋' => self.sign('π'),
            'ℝ' | 'ℤ' | 'ℕ' | 'ℚ' | 'ℂ' => {
                let letter = match first {
                    'ℝ' => 'R',
                    'ℤ' => 'Z',
                    'ℕ' => 'N',
                    'ℚ' => 'Q',
                    _ => 'C',
                };
                self.push(Symbol::Command(format!("mathbb {letter}")));
            }
            '\u{FF21}'..='\u{FF5A}' => {
                let ascii = char::from_u32(first as u32 - 0xFF01 + 0x21).unwrap_or(first);
                self.push(Symbol::Letter(ascii.into()));
            }
            'º' => self.sign('°'),
            first => {
                let greek = GREEK_SIGNS.split(' ').find(|entry| entry.starts_with(first));
                if let Some(entry) = greek {
                    self.push(Symbol::Letter(format!("\\{}", &entry[first.len_utf8()..])));
                    return after;
                }
                let end =
                    rest.find(|c: char| !c.is_alphabetic() || c.is_ascii()).unwrap_or(rest.len());
                // 是C and 5个 are words next to other things.
                self.push(Symbol::Word(rest[..end].into()));
                return &rest[end..];
            }
        }
        after
    }

    /// Reads the command whose backslash was just read.
    fn command<'t>(&mut self, rest: &'t str) -> &'t str {
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return self.escaped(rest);
        }
        let braced = after.trim_start().strip_prefix('{');
        if is_listed(LAYOUT, name) {
            // \left. is an invisible bracket.
            let hidden =
                matches!(name, "left" | "right").then(|| after.strip_prefix('.')).flatten();
            return hidden.unwrap_or(after);
        }
        if is_listed(DROPPED, name) {
            return braced.and_then(after_group).unwrap_or(after);
        }
        if name == "textcolor" || name == "colorbox" {
            let inside =
                braced.and_then(after_group).and_then(|r| r.trim_start().strip_prefix('{'));
            return self.open(inside, BraceGroup::Font, after);
        }
        if is_listed(WORDS, name) {
            return self.open(braced, BraceGroup::Text, after);
        }
        if is_listed(FONTS, name) {
            return self.open(braced, BraceGroup::Font, after);
        }
        if name == "mathbb" || name == "Bbb" {
            let inside = braced.and_then(|r| r.split_once('}')).or_else(|| {
                let letter = after.trim_start();
                letter.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| letter.split_at(1))
            });
            let Some((letter, rest)) = inside else { return after };
            self.push(Symbol::Command(format!("mathbb {}", letter.trim())));
            return rest;
        }
        if name == "begin" || name == "end" {
            let Some((environment, rest)) = braced.and_then(|r| r.split_once('}')) else {
                return after;
            };
            self.push(Symbol::Command(format!("{name} {}", environment.trim_end_matches('*'))));
            // The columns of an array say nothing.
            let columns = rest
                .trim_start()
                .strip_prefix('{')
                .filter(|_| name == "begin" && environment == "array");
            return columns.and_then(after_group).unwrap_or(rest);
        }
        if let Some((_, sign)) = SIGNS.iter().find(|(known, _)| *known == name) {
            match *sign {
                " " => self.spaced = true,
                sign => self.sign(sign.chars().next().expect("each has a sign")),
            }
        } else if is_listed(GREEK, name) || alias(name) != name && is_listed(GREEK, alias(name)) {
            self.push(Symbol::Letter(format!("\\{}", alias(name))));
        } else {
            self.push(Symbol::Command(alias(name).into()));
        }
        after
    }

    fn open<'t>(&mut self, inside: Option<&'t str>, group: BraceGroup, after: &'t str) -> &'t str {
        let Some(inside) = inside else { return after };
        self.groups.push(group);
        if group == BraceGroup::Text && ends_in_word(&self.out) {
            self.spaced = true;
        }
        inside
    }

    fn escaped<'t>(&mut self, rest: &'t str) -> &'t str {
        let Some(sign) = rest.chars().next() else { return rest };
        let after = &rest[sign.len_utf8()..];
        match sign {
            '\\' => self.sign(ROW_END),
            ',' | ';' | ':' | '>' | ' ' | '\n' | '\t' => {
                // 1\,234 is a number in groups, which a space before three digits says too.
                self.spaced = true;
            }
            '{' => self.sign(SET_OPEN),
            '}' => self.sign(SET_CLOSE),
            '!' => {
                if let Some(MathToken { symbol: Symbol::Sign(last @ ','), .. }) =
                    self.out.last_mut()
                {
                    *last = GROUPING;
                    return after.trim_start();
                }
            }
            '(' | ')' | '[' | ']' => {}
            '|' => self.sign('‖'),
            '$' => self.sign('$'),
            sign => return self.plain(sign, after),
        }
        after
    }

    /// Reads one character in its canonical form.
    fn plain<'t>(&mut self, c: char, after: &'t str) -> &'t str {
        let pairs = [
            ("<=", '≤'),
            (">=", '≥'),
            ("=<", '≤'),
            ("!=", '≠'),
            ("<>", '≠'),
            ("==", '='),
            ("~=", '≈'),
            ("+-", '±'),
            ("+/-", '±'),
            ("**", '^'),
            ("->", '→'),
            ("=>", '⇒'),
        ];
        for (pair, sign) in pairs {
            if pair.starts_with(c) && after.starts_with(&pair[c.len_utf8()..]) {
                self.sign(sign);
                return &after[pair.len() - c.len_utf8()..];
            }
        }
        match c {
            '~' | '\u{3000}' => self.spaced = true,
            '\u{2060}' | '\u{200B}' | '\u{FEFF}' => {}
            c if c.is_whitespace() => self.spaced = true,
            '，' | '、' => self.sign(','),
            '；' => self.sign(';'),
            '：' | '∶' => self.sign(':'),
            '。' | '．' => self.sign('.'),
            '−' | '–' | '—' | '－' | '‐' => self.sign('-'),
            '·' | '⋅' | '*' | '∙' | '•' | '✕' => self.sign('×'),
            '⩽' | '≦' => self.sign('≤'),
            '⩾' | '≧' => self.sign('≥'),
            '∕' | '⁄' => self.sign('/'),
            '﹣' => self.sign('-'),
            '√' => self.push(Symbol::Command("sqrt".into())),
            '∛' => self.push(Symbol::Command("cbrt".into())),
            '℃' => {
                self.sign('°');
                self.push(Symbol::Letter("C".into()));
            }
            '￥' => self.sign('¥'),
            '❘' | '｜' | '∣' => self.sign('|'),
            '【' => self.sign('('),
            '】' => self.sign(')'),
            '₀'..='₉' => return self.script('_', SUBSCRIPTS, c, after),
            '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' | '⁻' => {
                return self.script('^', SUPERSCRIPTS, c, after);
            }
            '\u{FF01}'..='\u{FF5E}' => {
                // The full-width forms are ASCII, in its order.
                let ascii = char::from_u32(c as u32 - 0xFF01 + 0x21).unwrap_or(c);
                match ascii {
                    '{' => self.sign(SET_OPEN),
                    '}' => self.sign(SET_CLOSE),
                    '0'..='9' => self.wide_digit(ascii),
                    ascii => return self.plain(ascii, after),
                }
            }
            SET_OPEN => self.sign('('),
            SET_CLOSE => self.sign(')'),
            c => match vulgar(c) {
                Some((top, bottom)) => self.fraction(top, bottom),
                None => self.sign(c),
            },
        }
        after
    }

    /// Reads a run of raised or lowered digits, which begins with `first`.
    fn script<'t>(&mut self, sign: char, signs: &str, first: char, after: &'t str) -> &'t str {
        let position = |c: char| signs.chars().position(|known| known == c);
        let end = after.find(|c| position(c).is_none()).unwrap_or(after.len());
        self.sign(sign);
        self.sign('{');
        let run = std::iter::once(first).chain(after[..end].chars());
        let mut digits = String::new();
        for at in run.filter_map(position) {
            match char::from_digit(at as u32, 10) {
                Some(digit) => digits.push(digit),
                None => self.sign('-'),
            }
        }
        self.push(Symbol::Digits(digits));
        self.sign('}');
        &after[end..]
    }

    fn wide_digit(&mut self, digit: char) {
        match self.out.last_mut() {
            Some(MathToken { symbol: Symbol::Digits(digits), .. }) if !self.spaced => {
                digits.push(digit)
            }
            _ => self.push(Symbol::Digits(digit.into())),
        }
    }

    fn fraction(&mut self, top: u32, bottom: u32) {
        self.push(Symbol::Command("frac".into()));
        for number in [top, bottom] {
            self.sign('{');
            self.push(Symbol::Digits(number.to_string()));
            self.sign('}');
        }
    }
}

fn ends_in_word(out: &[MathToken]) -> bool {
    matches!(out.last(), Some(MathToken { symbol: Symbol::Word(_), .. }))
}

/// Splits the exponent `e+3` off the start of what follows a number.
fn exponent(rest: &str) -> Option<(&str, &str)> {
    let power = rest.strip_prefix(['e', 'E'])?;
    let signed = usize::from(power.starts_with(['+', '-']));
    let digits =
        power[signed..].find(|c: char| !c.is_ascii_digit()).unwrap_or(power.len() - signed);
    let (exponent, after) = power.split_at(signed + digits);
    (digits > 0 && !after.starts_with(char::is_alphanumeric)).then_some((exponent, after))
}

/// Returns what follows the group whose opening brace was just read.
fn after_group(inside: &str) -> Option<&str> {
    let mut depth = 1_u32;
    let end = inside.find(|c: char| {
        depth += u32::from(c == '{');
        depth -= u32::from(c == '}');
        depth == 0
    })?;
    Some(&inside[end + 1..])
}
