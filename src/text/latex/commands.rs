//! Commands and what they are written as: fractions, roots, accents, brackets and the rest.
//!
//! `command` is the parser's branch for everything that begins with a backslash and letters. What
//! lacks an argument is written as it stands in the source.

use super::letters::{self, Font};
use super::parse::{Inside, Parser};
use super::row::{Bind, Class, Gap, Piece, Row, Setting, Start, enclosed};
use super::symbols::{self, Kind};
use super::tokens::Token;

impl Parser<'_> {
    /// Reads what belongs to a command, whose name was read, and writes it to the row.
    pub fn command(&mut self, name: &str, from: usize, row: &mut Row, setting: Setting) {
        let kind = symbols::kind(name);
        let piece = match kind {
            None => {
                self.skip_arguments();
                None
            }
            Some(Kind::Space(gap)) => return row.gap(gap),
            Some(Kind::Nothing) => return,
            Some(Kind::Newline) => return self.line_break(row),
            Some(Kind::Hidden) => {
                if matches!(name, "hspace" | "phantom" | "hphantom" | "mspace") {
                    row.gap(Gap::Hard);
                }
                return drop(self.argument(setting));
            }
            Some(Kind::Begin) => return self.begin(from, row, setting),
            Some(Kind::End) => return self.stray_end(from, row),
            Some(Kind::Intertext) => {
                row.gap(Gap::Break);
                if let Some(text) = self.text(setting) {
                    row.push(text);
                }
                return row.gap(Gap::Break);
            }
            Some(Kind::Brace) => self.brace(setting),
            Some(kind) => {
                let piece = self.built(kind, name, setting);
                piece.map(|piece| self.with_scripts(kind, piece, setting))
            }
        };
        row.push(piece.unwrap_or_else(|| Piece::new(Class::Text, self.tokens.since(from))));
    }

    /// Reads past the arguments of a command nobody knows.
    fn skip_arguments(&mut self) {
        while self.tokens.rest().starts_with('{') || self.tokens.rest().starts_with('[') {
            if self.tokens.rest().starts_with('{') {
                self.tokens.skip_group();
            } else if self.tokens.optional().is_none() {
                return;
            }
        }
    }

    fn with_scripts(&mut self, kind: Kind, piece: Piece, setting: Setting) -> Piece {
        let takes_limits = matches!(kind, Kind::Limits(..)) || piece.class == Class::Big;
        if takes_limits { self.limited(piece, setting) } else { self.scripted(piece, setting) }
    }

    /// Reads the arguments; `None` where one is missing.
    fn built(&mut self, kind: Kind, name: &str, setting: Setting) -> Option<Piece> {
        let inner = Setting { breaks: "; ", ..setting };
        Some(match kind {
            Kind::Sign(class, sign) => self.named(Piece::new(class, sign)),
            Kind::Function => Piece::new(Class::Word, name),
            Kind::Limits(class, text) => Piece::new(class, text),
            Kind::Shown => self.argument(setting)?,
            Kind::SecondShown => {
                self.argument(setting)?;
                self.argument(setting)?
            }
            Kind::Text => self.text(setting)?,
            Kind::Font(font) => in_font(self.argument(inner)?, font),
            Kind::Accent(mark, word) => accented(self.argument(inner)?, mark, word),
            Kind::Underline => {
                let piece = self.argument(inner)?;
                if is_one(&piece.text) { accented(piece, '\u{332}', "") } else { piece }
            }
            Kind::Fraction => {
                self.tokens.optional();
                let above = self.argument(inner)?;
                Self::fraction(above, self.argument(inner)?)
            }
            Kind::Binomial => {
                let above = self.argument(inner)?;
                Self::binomial(&above.text, &self.argument(inner)?.text)
            }
            Kind::Root => self.root(inner)?,
            Kind::Boxed => {
                let text = self.argument(inner)?.text;
                Piece::new(Class::Group, format!("[ {text} ]"))
            }
            Kind::Modulus => {
                let text = format!("(mod {})", self.argument(inner)?.text);
                Piece { lead: true, ..Piece::new(Class::Group, text) }
            }
            Kind::Operator => {
                let limits = self.tokens.accept('*');
                let text = self.argument(inner)?.text;
                let limits = limits || matches!(text.as_str(), "argmax" | "argmin");
                let piece = Piece::new(Class::Word, text);
                if limits { self.limited(piece, setting) } else { piece }
            }
            Kind::Tag => {
                let starred = self.tokens.accept('*');
                let text = self.text(setting)?.text;
                let text = if starred { text } else { enclosed(&text) };
                Piece { lead: true, ..Piece::new(Class::Text, text) }
            }
            Kind::Not => {
                let piece = self.argument(inner)?;
                let struck = || format!("{}\u{338}", piece.text);
                let text = symbols::negated(&piece.text).map_or_else(struck, str::to_string);
                let class = if piece.class == Class::Wide { Class::Rel } else { piece.class };
                self.named(Piece::new(class, text))
            }
            Kind::Stacked => self.stacked(name, inner)?,
            Kind::Arrow(arrow) => self.arrow(arrow, inner)?,
            Kind::Substack => self.argument(Setting { breaks: ", ", ..setting })?,
            Kind::Left => self.brackets(setting)?,
            // Somebody's left bracket is missing.
            Kind::Right => Piece::new(Class::Close, self.delimiter()),
            Kind::Middle => Piece::new(Class::Wide, self.delimiter()),
            _ => return None,
        })
    }

    /// Marks a piece that came as a command.
    fn named(&self, piece: Piece) -> Piece {
        let spaced = self.tokens.peek() == Some(Token::Blank);
        Piece { named: true, spaced, ..piece }
    }

    /// `(a+b)/c`, with parentheses where they are needed.
    pub fn fraction(above: Piece, below: Piece) -> Piece {
        let above = match above.bind {
            Bind::Loose => enclosed(&above.text),
            Bind::Atom | Bind::Product | Bind::Signed => above.into_joined(),
        };
        let is_atom = below.bind == Bind::Atom;
        let below = if is_atom { below.text } else { enclosed(&below.text) };
        let text = format!("{above}/{below}");
        let joined = Some(format!("({text})"));
        Piece { joined, bind: Bind::Loose, ..Piece::new(Class::Fraction, text) }
    }

    /// `C(n, k)`
    pub fn binomial(above: &str, below: &str) -> Piece {
        Piece::new(Class::Group, format!("C({above}, {below})"))
    }

    /// `√3` alone, but `√(3)/2` and `√(3)x`: there it says how far the root reaches.
    fn root(&mut self, setting: Setting) -> Option<Piece> {
        let index = self.tokens.optional().map(|index| {
            let mut parser = Parser::new(index.trim());
            parser.depth = self.depth + 1;
            let tight = Setting { tight: true, ..setting };
            if parser.is_deep() { index.into() } else { parser.whole(tight) }
        });
        let of = self.argument(setting)?;
        let sign = match index.as_deref().unwrap_or("") {
            "" | "2" => "√".to_string(),
            "3" => "∛".to_string(),
            "4" => "∜".to_string(),
            index => match letters::raised(index) {
                Some(raised) => format!("{raised}√"),
                None => {
                    let text = format!("root({index}, {})", of.text);
                    return Some(Piece::new(Class::Group, text));
                }
            },
        };
        let enclosed = format!("{sign}{}", enclosed(&of.text));
        let is_number = of.class == Class::Number && !of.text.is_empty();
        if !is_number && !is_one(&of.text) {
            return Some(Piece::new(Class::Root, enclosed));
        }
        let text = format!("{sign}{}", of.text);
        Some(Piece { joined: Some(enclosed), ..Piece::new(Class::Root, text) })
    }

    fn whole(&mut self, setting: Setting) -> String {
        let setting = Setting { alone: false, ..setting };
        self.row(Inside::Top, setting, Start::Fresh).into_piece().text
    }

    /// `(1+…+1){n times}`
    fn brace(&mut self, setting: Setting) -> Option<Piece> {
        let of = self.argument(Setting { breaks: "; ", ..setting })?;
        let from = self.tokens.at;
        self.tokens.skip_blanks();
        if !matches!(self.tokens.next(), Some(Token::Raise | Token::Lower)) {
            self.tokens.at = from;
            return Some(of);
        }
        let note = self.argument(setting)?.text;
        let of = if of.bind == Bind::Atom { of.text } else { enclosed(&of.text) };
        Some(Piece::new(Class::Group, format!("{of}{{{note}}}")))
    }

    /// What stands over a sign comes behind it in parentheses.
    fn stacked(&mut self, name: &str, setting: Setting) -> Option<Piece> {
        let note = self.argument(Setting { tight: true, ..setting })?.text;
        let sign = self.argument(setting)?;
        let text = match (sign.text.as_str(), note.as_str()) {
            ("=", "?") => "≟".to_string(),
            ("=", "def") => "≝".to_string(),
            (of, "→") => return Some(accented(Piece::new(sign.class, of), '\u{20D7}', "vec")),
            (of, "⌢") => return Some(accented(Piece::new(sign.class, of), '\u{311}', "arc")),
            (of, note) => format!("{of}{}", enclosed(note)),
        };
        let takes_limits = matches!(sign.class, Class::Word | Class::Big) && name == "underset";
        let class = if takes_limits { Class::Big } else { sign.class };
        Some(self.named(Piece::new(class, text)))
    }

    fn arrow(&mut self, arrow: &str, setting: Setting) -> Option<Piece> {
        self.tokens.optional();
        let note = self.argument(Setting { tight: true, ..setting })?.text;
        let note = if note.is_empty() { note } else { enclosed(&note) };
        Some(Piece::new(Class::Wide, format!("{arrow}{note}")))
    }

    /// Reads `\left( … \right)`.
    fn brackets(&mut self, setting: Setting) -> Option<Piece> {
        let left = self.delimiter();
        if self.is_deep() {
            return Some(Piece::new(Class::Open, left));
        }
        let inner = Setting { breaks: "; ", alone: false, ..setting };
        let start = if left.is_empty() { Start::Fresh } else { Start::Opened };
        (self.depth, self.brackets) = (self.depth + 1, self.brackets + 1);
        let row = self.row(Inside::Brackets, inner, start);
        (self.depth, self.brackets) = (self.depth - 1, self.brackets - 1);
        let right = if self.tokens.peek() == Some(Token::Command("right")) {
            self.tokens.next();
            self.delimiter()
        } else {
            String::new()
        };
        let of = row.into_piece();
        let text = match (left.as_str(), right.as_str()) {
            ("{", "") => format!("{{ {}", of.text),
            ("", right) if !right.is_empty() => format!("{}{right}", of.into_joined()),
            (left, right) => format!("{left}{}{right}", of.text),
        };
        let whole = !left.is_empty() && !right.is_empty();
        let bind = if whole { Bind::Atom } else { Bind::Loose };
        Some(Piece { bind, ..Piece::new(Class::Group, text) })
    }

    /// Reads a bracket behind `\left` or `\right`; a point is none.
    fn delimiter(&mut self) -> String {
        self.tokens.skip_blanks();
        let from = self.tokens.at;
        match self.tokens.next() {
            Some(Token::Other('.')) => String::new(),
            Some(Token::Other(c)) => c.to_string(),
            Some(Token::Escape('|')) => "‖".to_string(),
            Some(Token::Escape(c @ ('{' | '}'))) => c.to_string(),
            Some(Token::Command(name)) => match symbols::kind(name) {
                Some(Kind::Sign(_, sign)) => sign.to_string(),
                _ => {
                    self.tokens.at = from;
                    String::new()
                }
            },
            _ => {
                self.tokens.at = from;
                String::new()
            }
        }
    }
}

fn is_one(text: &str) -> bool {
    text.chars().count() == 1
}

fn in_font(piece: Piece, font: Font) -> Piece {
    let text: String = piece.text.chars().map(|c| letters::in_font(c, font)).collect();
    // A word in upright letters is one name, not a product of letters.
    let bind = if piece.bind == Bind::Product { Bind::Atom } else { piece.bind };
    Piece { text, bind, joined: None, ..piece }
}

fn accented(piece: Piece, mark: char, word: &str) -> Piece {
    let (class, text) = if is_one(&piece.text) {
        (piece.class, format!("{}{mark}", piece.text))
    } else {
        (Class::Group, format!("{word}{}", enclosed(&piece.text)))
    };
    Piece { class, text, joined: None, bind: Bind::Atom, ..piece }
}
