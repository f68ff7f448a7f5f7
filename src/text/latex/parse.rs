//! Parses the LaTeX source of a formula and renders it as text.
//!
//! A recursive descent over the tokens. `row` parses a sequence up to its closing token, `item` one
//! element of it, `argument` the argument of a command, `scripted` superscripts and subscripts.
//! `commands` has the commands, `grid` rows and cells, `text` words in a formula. It never fails:
//! unknown or too deeply nested source is output unchanged.

use super::AccentStyle;
use super::letters;
use super::row::{FormulaRow, Gap, PieceClass, RowLayout, RowPiece, RowStart, enclosed};
use super::symbols::{self, Environment};
use super::tokens::{LatexToken, LatexTokens};

/// Deepest nesting of groups, arguments, brackets and environments.
const DEPTH_MAX: usize = 32;

/// Renders the source of a formula.
pub fn convert(source: &str, start: RowStart, marks: AccentStyle) -> String {
    let setting = RowLayout { tight: false, breaks: "\n", alone: false };
    let mut parser = Parser::new(source, marks);
    let row = parser.row(Inside::Top, setting, start);
    row.into_piece().text
}

/// The construct that contains a row, which determines the token that ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    Top,
    Brace,
    Brackets,
    Cell,
    /// A formula between dollars, in `\text{…}`.
    Dollars,
    /// A formula in `\( … \)`, in `\text{…}`.
    Parentheses,
}

/// The parser's tokens, and the constructs that are open.
pub struct Parser<'a> {
    pub tokens: LatexTokens<'a>,
    pub depth: usize,
    pub braces: usize,
    pub brackets: usize,
    pub grids: usize,
    /// Whether the next array follows a `\left\{`, and so holds cases.
    pub opens_cases: bool,
    pub marks: AccentStyle,
}

impl<'a> Parser<'a> {
    /// Makes a parser for a formula.
    pub fn new(source: &'a str, marks: AccentStyle) -> Parser<'a> {
        let tokens = LatexTokens::new(source);
        Parser { tokens, depth: 0, braces: 0, brackets: 0, grids: 0, opens_cases: false, marks }
    }

    /// Returns whether the deepest nesting is reached.
    pub fn is_deep(&self) -> bool {
        self.depth >= DEPTH_MAX
    }

    /// Parses a row up to its closing token, which is left for the caller.
    pub fn row(&mut self, inside: Inside, setting: RowLayout, start: RowStart) -> FormulaRow {
        let mut row = FormulaRow::new(setting, start);
        while let Some(token) = self.tokens.peek() {
            if self.ends(token, inside) {
                break;
            }
            if let LatexToken::Command(name @ ("over" | "choose" | "atop")) = token
                && !self.is_deep()
            {
                self.tokens.next();
                self.depth += 1;
                let below = self.row(inside, setting, RowStart::Fresh).into_piece();
                self.depth -= 1;
                let above =
                    std::mem::replace(&mut row, FormulaRow::new(setting, start)).into_piece();
                row.push(match name {
                    "over" => Self::fraction(above, below),
                    "atop" => Self::atop(above, below),
                    _ => Self::binomial(&above.text, &below.text),
                });
                break;
            }
            self.item(&mut row, setting);
        }
        row
    }

    /// Returns whether an open construct ends at this token.
    pub fn ends(&self, token: LatexToken, inside: Inside) -> bool {
        match token {
            LatexToken::Close => self.braces > 0,
            LatexToken::Command("right") => self.brackets > 0,
            LatexToken::Command("end") => self.grids > 0 && self.ends_grid(),
            LatexToken::Cell | LatexToken::Escape('\\') | LatexToken::Command("cr") => {
                inside == Inside::Cell
            }
            LatexToken::Other('$') => inside == Inside::Dollars,
            LatexToken::Escape(')') => inside == Inside::Parentheses,
            _ => false,
        }
    }

    fn ends_grid(&self) -> bool {
        let mut ahead = self.tokens.clone();
        ahead.next();
        let name = ahead.name().and_then(symbols::environment);
        matches!(name, Some(Environment::Grid(_)))
    }

    /// Parses one element and adds it to the row.
    pub fn item(&mut self, row: &mut FormulaRow, setting: RowLayout) {
        let from = self.tokens.at;
        let Some(token) = self.tokens.next() else { return };
        let piece = match token {
            LatexToken::Blank => return row.gap(Gap::Soft),
            LatexToken::Cell => return row.gap(Gap::Column),
            LatexToken::Escape('\\') => return self.line_break(row),
            LatexToken::Escape(',' | ';' | ':' | '>' | ' ' | '\t' | '\n' | '\r')
            | LatexToken::Other('~') => {
                return row.gap(Gap::Hard);
            }
            LatexToken::Escape('!' | '(' | ')' | '[' | ']' | '-' | '/' | '*' | '@') => return,
            LatexToken::Command(name) => return self.command(name, from, row, setting),
            LatexToken::Open => {
                self.tokens.at = from;
                self.group(setting)
            }
            LatexToken::Raise | LatexToken::Lower | LatexToken::Prime => {
                self.tokens.at = from;
                let piece = self.scripted(RowPiece::new(PieceClass::Letter, ""), setting);
                if self.tokens.at == from {
                    self.tokens.next();
                    RowPiece::new(PieceClass::Letter, self.tokens.since(from))
                } else {
                    piece
                }
            }
            LatexToken::Number(number) => RowPiece::new(PieceClass::Number, number),
            LatexToken::Close => RowPiece::new(PieceClass::Close, "}"),
            LatexToken::Escape(c) => match c {
                '{' => RowPiece::new(PieceClass::Open, "{"),
                '}' => RowPiece::new(PieceClass::Close, "}"),
                '|' => RowPiece::new(PieceClass::Bar, "‖"),
                '%' => RowPiece::new(PieceClass::Postfix, "%"),
                '$' | '#' | '&' | '_' => RowPiece::new(PieceClass::Letter, c),
                _ => RowPiece::new(PieceClass::Text, self.tokens.since(from)),
            },
            LatexToken::Other(c) => RowPiece::new(class(c), c),
        };
        let piece = self.scripted(piece, setting);
        row.push(piece);
    }

    /// Parses the optional star and length after `\\`.
    pub fn line_break(&mut self, row: &mut FormulaRow) {
        self.tokens.accept('*');
        let mut ahead = self.tokens.clone();
        let length = ahead.optional();
        if length
            .is_some_and(|l| l.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)))
        {
            self.tokens = ahead;
        }
        row.gap(Gap::Break);
    }

    /// Parses a group in braces.
    pub fn group(&mut self, setting: RowLayout) -> RowPiece {
        let from = self.tokens.at;
        if self.is_deep() {
            self.tokens.skip_group();
            return RowPiece::new(PieceClass::Text, self.tokens.since(from));
        }
        self.tokens.next();
        let breaks = if setting.breaks == "\n" { "; " } else { setting.breaks };
        let setting = RowLayout { breaks, alone: false, ..setting };
        (self.depth, self.braces) = (self.depth + 1, self.braces + 1);
        let row = self.row(Inside::Brace, setting, RowStart::Fresh);
        (self.depth, self.braces) = (self.depth - 1, self.braces - 1);
        self.tokens.accept('}');
        row.into_piece()
    }

    /// Parses the argument of a command: a group, or one element. `None` if it is missing.
    pub fn argument(&mut self, setting: RowLayout) -> Option<RowPiece> {
        self.tokens.skip_blanks();
        let from = self.tokens.at;
        let token = self.tokens.peek()?;
        if self.ends(token, Inside::Cell) {
            return None;
        }
        let setting = RowLayout { alone: true, ..setting };
        match token {
            LatexToken::Open => return Some(self.group(setting)),
            LatexToken::Number(_) => {
                self.tokens.at += 1;
                return Some(RowPiece::new(PieceClass::Number, self.tokens.since(from)));
            }
            _ if self.is_deep() => {
                self.tokens.next();
                return Some(RowPiece::new(PieceClass::Text, self.tokens.since(from)));
            }
            _ => {}
        }
        let mut row = FormulaRow::new(setting, RowStart::Fresh);
        self.depth += 1;
        self.item(&mut row, setting);
        self.depth -= 1;
        Some(row.into_piece())
    }

    /// Parses a superscript or subscript. Without braces TeX takes a single digit, but `2^10` and
    /// `x^-1` are not meant that way.
    fn script(&mut self, setting: RowLayout) -> Option<RowPiece> {
        let setting = RowLayout { tight: true, breaks: ", ", ..setting };
        self.tokens.skip_blanks();
        let from = self.tokens.at;
        let mut ahead = self.tokens.clone();
        if matches!(ahead.next(), Some(LatexToken::Other('-' | '+'))) {
            if let Some(LatexToken::Number(_)) = ahead.peek() {
                ahead.next();
                self.tokens = ahead;
                return Some(RowPiece::new(PieceClass::Letter, self.tokens.since(from)));
            }
        } else if let Some(LatexToken::Number(number)) = self.tokens.peek() {
            self.tokens.next();
            return Some(RowPiece::new(PieceClass::Number, number));
        }
        self.argument(setting)
    }

    /// Parses the superscript and subscript of a piece, and attaches them.
    pub fn scripted(&mut self, piece: RowPiece, setting: RowLayout) -> RowPiece {
        let scripts = self.scripts(setting, false);
        if scripts.is_none() { piece } else { scripts.after(piece) }
    }

    /// Parses the limits of an operator, and attaches them.
    pub fn limited(&mut self, piece: RowPiece, setting: RowLayout) -> RowPiece {
        let scripts = self.scripts(setting, true);
        if scripts.is_none() { piece } else { scripts.around(piece) }
    }

    fn scripts(&mut self, setting: RowLayout, limits: bool) -> Scripts {
        let mut scripts = Scripts::default();
        if setting.alone {
            return scripts;
        }
        loop {
            let from = self.tokens.at;
            self.tokens.skip_blanks();
            if !self.tokens.rest().starts_with(['^', '_', '\'', '\\']) {
                self.tokens.at = from;
                break;
            }
            let place = match self.tokens.next() {
                Some(LatexToken::Raise) if scripts.above.is_none() => &mut scripts.above,
                Some(LatexToken::Lower) if scripts.below.is_none() => &mut scripts.below,
                Some(LatexToken::Prime) if self.tokens.at == from + 1 => {
                    scripts.primes += 1;
                    continue;
                }
                Some(LatexToken::Command("limits" | "nolimits" | "displaylimits")) if limits => {
                    continue;
                }
                _ => {
                    self.tokens.at = from;
                    break;
                }
            };
            let Some(script) = self.script(setting) else {
                self.tokens.at = from;
                break;
            };
            *place = Some(script.text);
        }
        scripts
    }
}

/// The superscript and subscript of a piece.
#[derive(Default)]
struct Scripts {
    above: Option<String>,
    below: Option<String>,
    primes: usize,
}

impl Scripts {
    fn is_none(&self) -> bool {
        self.above.is_none() && self.below.is_none() && self.primes == 0
    }

    fn after(self, piece: RowPiece) -> RowPiece {
        let class = match piece.class {
            // A number in front of a fraction takes no superscript.
            PieceClass::Number => PieceClass::Letter,
            PieceClass::Fraction => PieceClass::Group,
            class => class,
        };
        let (bind, named, spaced) = (piece.bind, piece.named, piece.spaced);
        let (lead, trail) = (piece.lead, piece.trail);
        let mut text = piece.into_joined();
        let mut single = None;
        if let Some(below) = self.below {
            text.push_str(&small('_', &below, letters::lowered, &mut single));
        }
        if self.primes > 0 {
            single = None;
            text.push_str(&letters::primes(self.primes));
        }
        if let Some(above) = self.above {
            single = None;
            match above.as_str() {
                "∘" => text.push('°'),
                "°" | "′" | "″" => text.push_str(&above),
                "′′" => text.push('″'),
                _ => text.push_str(&small('^', &above, letters::raised, &mut single)),
            }
        }
        let joined = single.map(|c: char| format!("{}({c})", &text[..text.len() - c.len_utf8()]));
        RowPiece { class, text, joined, bind, named, spaced, lead, trail }
    }

    /// Renders `∑(i=1..n)`: on one line, and not mistakable for an index.
    fn around(self, piece: RowPiece) -> RowPiece {
        let below = self.below.unwrap_or_default();
        let above = self.above.map(|above| format!("..{above}")).unwrap_or_default();
        let limits = if below.is_empty() && above.is_empty() {
            String::new()
        } else {
            enclosed(&format!("{below}{above}"))
        };
        let text = format!("{}{}{limits}", piece.text, letters::primes(self.primes));
        RowPiece { class: PieceClass::Big, text, ..piece }
    }
}

/// Renders a superscript or subscript; `single` is a character that needs no braces.
pub fn small(
    mark: char,
    text: &str,
    letters: fn(&str) -> Option<String>,
    single: &mut Option<char>,
) -> String {
    if let Some(small) = letters(text) {
        return small;
    }
    let mut signs = text.chars();
    *single = signs.next().filter(|_| signs.next().is_none());
    if single.is_some() { format!("{mark}{text}") } else { format!("{mark}{}", enclosed(text)) }
}

/// Returns the class of a character that stands for itself.
fn class(c: char) -> PieceClass {
    match c {
        '+' | '-' | '*' | '−' | '×' | '·' | '÷' | '±' | '∓' | '∩' | '∪' => {
            PieceClass::Bin
        }
        '=' | '<' | '>' | ':' | '≤' | '≥' | '≠' | '≈' | '≡' | '→' | '∈' | '⇒' => {
            PieceClass::Rel
        }
        '/' => PieceClass::Slash,
        ',' | ';' | '.' => PieceClass::Punct,
        '(' | '[' => PieceClass::Open,
        ')' | ']' => PieceClass::Close,
        '!' | '%' | '°' => PieceClass::Postfix,
        '|' | '‖' => PieceClass::Bar,
        _ => PieceClass::Letter,
    }
}
