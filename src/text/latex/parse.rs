//! Writes a formula out: LaTeX's source in, a text out.
//!
//! A recursive descent over the tokens. `row` reads what stands beside each other up to what ends
//! it, `item` one thing of it, `argument` what belongs to a command, `scripted` what is raised and
//! lowered. commands.rs has the commands, grid.rs rows and cells, text.rs words in a formula. It
//! never fails: what it does not know, or what is nested too deeply, stays as it is written.

use super::letters;
use super::row::{Class, Gap, Piece, Row, Setting, Start, enclosed};
use super::symbols::{self, Environment};
use super::tokens::{Token, Tokens};

/// How deeply groups, arguments, brackets and environments are read into each other.
const DEPTH_MAX: usize = 32;

/// Returns what the source of a formula reads as.
pub fn convert(source: &str, start: Start) -> String {
    let setting = Setting { tight: false, breaks: "\n", alone: false };
    let mut parser = Parser::new(source);
    let row = parser.row(Inside::Top, setting, start);
    row.into_piece().text
}

/// What a row stands in, which says what ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    Top,
    Brace,
    Brackets,
    Cell,
    /// A formula between dollars, in a text.
    Dollars,
}

/// What is read, and what waits for its end.
pub struct Parser<'a> {
    pub tokens: Tokens<'a>,
    pub depth: usize,
    pub braces: usize,
    pub brackets: usize,
    pub grids: usize,
}

impl<'a> Parser<'a> {
    /// Begins to read a formula.
    pub fn new(source: &'a str) -> Parser<'a> {
        Parser { tokens: Tokens::new(source), depth: 0, braces: 0, brackets: 0, grids: 0 }
    }

    /// Returns whether nothing may be nested any deeper.
    pub fn is_deep(&self) -> bool {
        self.depth >= DEPTH_MAX
    }

    /// Reads up to what ends the row, which is left to who waits for it.
    pub fn row(&mut self, inside: Inside, setting: Setting, start: Start) -> Row {
        let mut row = Row::new(setting, start);
        while let Some(token) = self.tokens.peek() {
            if self.ends(token, inside) {
                break;
            }
            if let Token::Command(name @ ("over" | "choose")) = token
                && !self.is_deep()
            {
                self.tokens.next();
                self.depth += 1;
                let below = self.row(inside, setting, Start::Fresh).into_piece();
                self.depth -= 1;
                let above = std::mem::replace(&mut row, Row::new(setting, start)).into_piece();
                row.push(if name == "over" {
                    Self::fraction(above, below)
                } else {
                    Self::binomial(&above.text, &below.text)
                });
                break;
            }
            self.item(&mut row, setting);
        }
        row
    }

    /// Returns whether somebody waits for this token.
    fn ends(&self, token: Token, inside: Inside) -> bool {
        match token {
            Token::Close => self.braces > 0,
            Token::Command("right") => self.brackets > 0,
            Token::Command("end") => self.grids > 0 && self.ends_grid(),
            Token::Cell | Token::Escape('\\') | Token::Command("cr") => inside == Inside::Cell,
            Token::Other('$') => inside == Inside::Dollars,
            _ => false,
        }
    }

    fn ends_grid(&self) -> bool {
        let mut ahead = self.tokens.clone();
        ahead.next();
        let name = ahead.name().and_then(symbols::environment);
        matches!(name, Some(Environment::Grid(_)))
    }

    /// Reads one thing and writes it to the row.
    pub fn item(&mut self, row: &mut Row, setting: Setting) {
        let from = self.tokens.at;
        let Some(token) = self.tokens.next() else { return };
        let piece = match token {
            Token::Blank => return row.gap(Gap::Soft),
            Token::Cell => return row.gap(Gap::Column),
            Token::Escape('\\') => return self.line_break(row),
            Token::Escape(',' | ';' | ':' | '>' | ' ' | '\t' | '\n' | '\r') | Token::Other('~') => {
                return row.gap(Gap::Hard);
            }
            Token::Escape('!' | '(' | ')' | '[' | ']' | '-' | '/') => return,
            Token::Command(name) => return self.command(name, from, row, setting),
            Token::Open => {
                self.tokens.at = from;
                self.group(setting)
            }
            Token::Raise | Token::Lower | Token::Prime => {
                self.tokens.at = from;
                let piece = self.scripted(Piece::new(Class::Letter, ""), setting);
                if self.tokens.at == from {
                    self.tokens.next();
                    Piece::new(Class::Letter, self.tokens.since(from))
                } else {
                    piece
                }
            }
            Token::Number(number) => Piece::new(Class::Number, number),
            Token::Close => Piece::new(Class::Close, "}"),
            Token::Escape(c) => match c {
                '{' => Piece::new(Class::Open, "{"),
                '}' => Piece::new(Class::Close, "}"),
                '|' => Piece::new(Class::Bar, "‖"),
                '%' => Piece::new(Class::Postfix, "%"),
                '$' | '#' | '&' | '_' => Piece::new(Class::Letter, c),
                _ => Piece::new(Class::Text, self.tokens.since(from)),
            },
            Token::Other(c) => Piece::new(class(c), c),
        };
        let piece = self.scripted(piece, setting);
        row.push(piece);
    }

    /// Reads what may follow `\\`: a star and a length.
    pub fn line_break(&mut self, row: &mut Row) {
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

    /// Reads a group in braces.
    pub fn group(&mut self, setting: Setting) -> Piece {
        let from = self.tokens.at;
        if self.is_deep() {
            self.tokens.skip_group();
            return Piece::new(Class::Text, self.tokens.since(from));
        }
        self.tokens.next();
        let breaks = if setting.breaks == "\n" { "; " } else { setting.breaks };
        let setting = Setting { breaks, alone: false, ..setting };
        (self.depth, self.braces) = (self.depth + 1, self.braces + 1);
        let row = self.row(Inside::Brace, setting, Start::Fresh);
        (self.depth, self.braces) = (self.depth - 1, self.braces - 1);
        self.tokens.accept('}');
        row.into_piece()
    }

    /// Reads what belongs to a command: a group, or one thing. `None` where nothing comes.
    pub fn argument(&mut self, setting: Setting) -> Option<Piece> {
        self.tokens.skip_blanks();
        let from = self.tokens.at;
        let token = self.tokens.peek()?;
        if self.ends(token, Inside::Cell) {
            return None;
        }
        let setting = Setting { alone: true, ..setting };
        match token {
            Token::Open => return Some(self.group(setting)),
            Token::Number(_) => {
                self.tokens.at += 1;
                return Some(Piece::new(Class::Number, self.tokens.since(from)));
            }
            _ if self.is_deep() => {
                self.tokens.next();
                return Some(Piece::new(Class::Text, self.tokens.since(from)));
            }
            _ => {}
        }
        let mut row = Row::new(setting, Start::Fresh);
        self.depth += 1;
        self.item(&mut row, setting);
        self.depth -= 1;
        Some(row.into_piece())
    }

    /// Reads what is raised or lowered. TeX takes one digit only where there are no braces, but who
    /// writes `2^10` or `x^-1` does not mean that.
    fn script(&mut self, setting: Setting) -> Option<Piece> {
        let setting = Setting { tight: true, breaks: ", ", ..setting };
        self.tokens.skip_blanks();
        let from = self.tokens.at;
        let mut ahead = self.tokens.clone();
        if matches!(ahead.next(), Some(Token::Other('-' | '+'))) {
            if let Some(Token::Number(_)) = ahead.peek() {
                ahead.next();
                self.tokens = ahead;
                return Some(Piece::new(Class::Letter, self.tokens.since(from)));
            }
        } else if let Some(Token::Number(number)) = self.tokens.peek() {
            self.tokens.next();
            return Some(Piece::new(Class::Number, number));
        }
        self.argument(setting)
    }

    /// Reads what is raised and lowered beside a piece, and joins it.
    pub fn scripted(&mut self, piece: Piece, setting: Setting) -> Piece {
        let scripts = self.scripts(setting, false);
        if scripts.is_none() { piece } else { scripts.beside(piece) }
    }

    /// Reads the limits of an operator, and joins them.
    pub fn limited(&mut self, piece: Piece, setting: Setting) -> Piece {
        let scripts = self.scripts(setting, true);
        if scripts.is_none() { piece } else { scripts.around(piece) }
    }

    fn scripts(&mut self, setting: Setting, limits: bool) -> Scripts {
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
                Some(Token::Raise) if scripts.above.is_none() => &mut scripts.above,
                Some(Token::Lower) if scripts.below.is_none() => &mut scripts.below,
                Some(Token::Prime) if self.tokens.at == from + 1 => {
                    scripts.primes += 1;
                    continue;
                }
                Some(Token::Command("limits" | "nolimits" | "displaylimits")) if limits => continue,
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

/// What stands above and below a piece.
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

    fn beside(self, piece: Piece) -> Piece {
        let class = match piece.class {
            // The number before a fraction is not raised.
            Class::Number => Class::Letter,
            Class::Fraction => Class::Group,
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
        Piece { class, text, joined, bind, named, spaced, lead, trail }
    }

    /// `∑(i=1..n)`: on one line, and never taken for an index.
    fn around(self, piece: Piece) -> Piece {
        let below = self.below.unwrap_or_default();
        let above = self.above.map(|above| format!("..{above}")).unwrap_or_default();
        let limits = if below.is_empty() && above.is_empty() {
            String::new()
        } else {
            enclosed(&format!("{below}{above}"))
        };
        let text = format!("{}{}{limits}", piece.text, letters::primes(self.primes));
        Piece { class: Class::Big, text, ..piece }
    }
}

/// Returns a raised or lowered text; `single` is the character that stands there alone as it is.
fn small(
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

/// Returns what a character is that stands for itself.
fn class(c: char) -> Class {
    match c {
        '+' | '-' | '*' | '−' | '×' | '·' | '÷' | '±' | '∓' | '∩' | '∪' => Class::Bin,
        '=' | '<' | '>' | ':' | '≤' | '≥' | '≠' | '≈' | '≡' | '→' | '∈' | '⇒' => {
            Class::Rel
        }
        '/' => Class::Slash,
        ',' | ';' | '.' => Class::Punct,
        '(' | '[' => Class::Open,
        ')' | ']' => Class::Close,
        '!' | '%' | '°' => Class::Postfix,
        '|' | '‖' => Class::Bar,
        _ => Class::Letter,
    }
}
