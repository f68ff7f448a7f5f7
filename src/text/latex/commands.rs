//! Renders commands: fractions, roots, accents, brackets and the rest.
//!
//! `command` is the parser's branch for a backslash followed by letters. A command that lacks an
//! argument is output as in the source.

use super::letters::{self, Font};
use super::marks::{accented, is_one, lined};
use super::parse::{Inside, Parser, convert};
use super::row::{Bind, FormulaRow, Gap, PieceClass, RowLayout, RowPiece, RowStart, enclosed};
use super::symbols::{self, CommandKind};
use super::tokens::LatexToken;

impl Parser<'_> {
    /// Parses the arguments of a command whose name was read, and adds the result to the row.
    pub fn command(&mut self, name: &str, from: usize, row: &mut FormulaRow, setting: RowLayout) {
        let kind = symbols::kind(name);
        let piece = match kind {
            None => {
                self.skip_arguments();
                None
            }
            Some(CommandKind::Space(gap)) => return row.gap(gap),
            Some(CommandKind::Nothing) => return,
            Some(CommandKind::Newline) => return self.line_break(row),
            Some(CommandKind::Hidden) => {
                if matches!(name, "hspace" | "phantom" | "hphantom" | "mspace") {
                    row.gap(Gap::Hard);
                }
                return drop(self.argument(setting));
            }
            Some(CommandKind::Begin) => return self.begin(from, row, setting),
            Some(CommandKind::End) => return self.stray_end(from, row),
            Some(CommandKind::Intertext) => {
                row.gap(Gap::Break);
                if let Some(text) = self.text(setting) {
                    row.push(text);
                }
                return row.gap(Gap::Break);
            }
            Some(CommandKind::HiddenPair) => {
                self.argument(setting);
                while self.tokens.optional().is_some() {}
                return drop(self.argument(setting));
            }
            Some(CommandKind::Length) => return self.length(row),
            Some(CommandKind::Tag) => {
                if let Some(tag) = self.tag(setting) {
                    row.gap(Gap::Wide);
                    row.push(tag);
                    return row.gap(Gap::Wide);
                }
                None
            }
            Some(CommandKind::Brace) => self.brace(setting),
            Some(kind) => {
                let piece = self.built(kind, name, setting);
                piece.map(|piece| self.with_scripts(kind, piece, setting))
            }
        };
        row.push(piece.unwrap_or_else(|| RowPiece::new(PieceClass::Text, self.tokens.since(from))));
    }

    /// Skips the arguments of an unknown command.
    fn skip_arguments(&mut self) {
        while self.tokens.rest().starts_with('{') || self.tokens.rest().starts_with('[') {
            if self.tokens.rest().starts_with('{') {
                self.tokens.skip_group();
            } else if self.tokens.optional().is_none() {
                return;
            }
        }
    }

    fn with_scripts(&mut self, kind: CommandKind, piece: RowPiece, setting: RowLayout) -> RowPiece {
        let takes_limits =
            matches!(kind, CommandKind::Limits(..)) || piece.class == PieceClass::Big;
        if takes_limits { self.limited(piece, setting) } else { self.scripted(piece, setting) }
    }

    /// Parses the arguments; `None` if one is missing.
    fn built(&mut self, kind: CommandKind, name: &str, setting: RowLayout) -> Option<RowPiece> {
        let inner = RowLayout { breaks: "; ", ..setting };
        Some(match kind {
            CommandKind::Sign(class, sign) => self.named(RowPiece::new(class, sign)),
            CommandKind::Function => RowPiece::new(PieceClass::Word, name),
            CommandKind::Limits(class, text) => RowPiece::new(class, text),
            CommandKind::Shown => {
                self.tokens.optional();
                self.argument(setting)?
            }
            CommandKind::SecondShown => {
                self.tokens.optional();
                self.argument(setting)?;
                self.argument(setting)?
            }
            CommandKind::Text => self.text(setting)?,
            CommandKind::Font(font) => in_font(self.argument(inner)?, font),
            CommandKind::Accent(mark, word) => {
                accented(self.argument(inner)?, mark, word, self.marks)
            }
            CommandKind::Line(mark, word) => {
                self.tokens.optional();
                let of = self.argument(RowLayout { tight: true, ..inner })?;
                lined(of, mark, word, self.marks)
            }
            CommandKind::Underline => self.underlined(inner)?,
            CommandKind::Fraction => {
                self.tokens.optional();
                let above = self.argument(inner)?;
                Self::fraction(above, self.argument(inner)?)
            }
            CommandKind::Binomial => {
                let above = self.argument(inner)?;
                Self::binomial(&above.text, &self.argument(inner)?.text)
            }
            CommandKind::Root => self.root(inner)?,
            CommandKind::Boxed => {
                let text = self.argument(inner)?.text;
                RowPiece::new(PieceClass::Group, format!("[ {text} ]"))
            }
            CommandKind::Modulus => {
                let text = format!("(mod {})", self.argument(inner)?.text);
                RowPiece { lead: true, ..RowPiece::new(PieceClass::Group, text) }
            }
            CommandKind::Operator => {
                let limits = self.tokens.accept('*');
                let text = self.argument(inner)?.text;
                let limits = limits || matches!(text.as_str(), "argmax" | "argmin");
                let piece = RowPiece::new(PieceClass::Word, text);
                if limits { self.limited(piece, setting) } else { piece }
            }
            CommandKind::Not => {
                let piece = self.argument(inner)?;
                let struck = || format!("{}\u{338}", piece.text);
                let text = symbols::negated(&piece.text).map_or_else(struck, str::to_string);
                let class =
                    if piece.class == PieceClass::Wide { PieceClass::Rel } else { piece.class };
                self.named(RowPiece::new(class, text))
            }
            CommandKind::Stacked => self.stacked(name, inner)?,
            CommandKind::Arrow(arrow) => self.arrow(arrow, inner)?,
            CommandKind::Substack => self.argument(RowLayout { breaks: ", ", ..setting })?,
            CommandKind::Left => self.brackets(setting)?,
            // A `\right` without its `\left`.
            CommandKind::Right => RowPiece::new(PieceClass::Close, self.delimiter()),
            CommandKind::Middle => RowPiece::new(PieceClass::Wide, self.delimiter()),
            kind => self.shape(kind, inner)?,
        })
    }

    /// Renders the number of a formula.
    fn tag(&mut self, setting: RowLayout) -> Option<RowPiece> {
        let starred = self.tokens.accept('*');
        let text = self.text(setting)?.text;
        let text = if starred { text } else { enclosed(&text) };
        Some(RowPiece::new(PieceClass::Text, text))
    }

    /// AccentStyle a piece that a command produced.
    fn named(&self, piece: RowPiece) -> RowPiece {
        let spaced = self.tokens.peek() == Some(LatexToken::Blank);
        RowPiece { named: true, spaced, ..piece }
    }

    /// Renders `(a+b)/c`, with parentheses where they are needed.
    pub fn fraction(above: RowPiece, below: RowPiece) -> RowPiece {
        let above = match above.bind {
            Bind::Loose => enclosed(&above.text),
            Bind::Atom | Bind::Product | Bind::Signed => above.into_joined(),
        };
        let is_atom = below.bind == Bind::Atom;
        let below = if is_atom { below.text } else { enclosed(&below.text) };
        let text = format!("{above}/{below}");
        let joined = Some(format!("({text})"));
        RowPiece { joined, bind: Bind::Loose, ..RowPiece::new(PieceClass::Fraction, text) }
    }

    /// Renders a binomial as `C(n, k)`.
    pub fn binomial(above: &str, below: &str) -> RowPiece {
        RowPiece::new(PieceClass::Group, format!("C({above}, {below})"))
    }

    /// Renders `√3` alone, but `√(3)/2` and `√(3)x`, where parentheses show the extent of the root.
    fn root(&mut self, setting: RowLayout) -> Option<RowPiece> {
        let index = self.tokens.optional().map(|index| {
            let mut parser = Parser::new(index.trim(), self.marks);
            parser.depth = self.depth + 1;
            let tight = RowLayout { tight: true, ..setting };
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
                    return Some(RowPiece::new(PieceClass::Group, text));
                }
            },
        };
        let enclosed = format!("{sign}{}", enclosed(&of.text));
        let is_number = of.class == PieceClass::Number && !of.text.is_empty();
        if !is_number && !is_one(&of.text) {
            return Some(RowPiece::new(PieceClass::Root, enclosed));
        }
        let text = format!("{sign}{}", of.text);
        Some(RowPiece { joined: Some(enclosed), ..RowPiece::new(PieceClass::Root, text) })
    }

    fn whole(&mut self, setting: RowLayout) -> String {
        let setting = RowLayout { alone: false, ..setting };
        self.row(Inside::Top, setting, RowStart::Fresh).into_piece().text
    }

    /// Renders what is stacked over a symbol in parentheses after it.
    fn stacked(&mut self, name: &str, setting: RowLayout) -> Option<RowPiece> {
        let note = self.argument(RowLayout { tight: true, ..setting })?.text;
        let sign = self.argument(setting)?;
        let text = match (sign.text.as_str(), note.as_str()) {
            ("=", "?") => "≟".to_string(),
            ("=", "def") => "≝".to_string(),
            (of, "→") => {
                return Some(accented(
                    RowPiece::new(sign.class, of),
                    '\u{20D7}',
                    "vec",
                    self.marks,
                ));
            }
            (of, "⌢") => {
                return Some(accented(RowPiece::new(sign.class, of), '\u{311}', "arc", self.marks));
            }
            (of, note) => format!("{of}{}", enclosed(note)),
        };
        let takes_limits =
            matches!(sign.class, PieceClass::Word | PieceClass::Big) && name == "underset";
        let class = if takes_limits { PieceClass::Big } else { sign.class };
        Some(self.named(RowPiece::new(class, text)))
    }

    fn arrow(&mut self, arrow: &str, setting: RowLayout) -> Option<RowPiece> {
        let below = self.tokens.optional().map(|below| convert(below, RowStart::Fresh, self.marks));
        let above = self.argument(RowLayout { tight: true, ..setting })?.text;
        let notes = [above, below.unwrap_or_default()].into_iter().filter(|note| !note.is_empty());
        let note = notes.collect::<Vec<String>>().join("; ");
        let note = if note.is_empty() { note } else { enclosed(&note) };
        Some(RowPiece::new(PieceClass::Wide, format!("{arrow}{note}")))
    }

    /// Parses `\left( … \right)`.
    fn brackets(&mut self, setting: RowLayout) -> Option<RowPiece> {
        let left = self.delimiter();
        if self.is_deep() {
            return Some(RowPiece::new(PieceClass::Open, left));
        }
        let inner = RowLayout { breaks: "; ", alone: false, ..setting };
        let start = if left.is_empty() { RowStart::Fresh } else { RowStart::Opened };
        let source = self.tokens.rest();
        (self.depth, self.brackets) = (self.depth + 1, self.brackets + 1);
        self.opens_cases = left == "{"
            && [r"\begin{array}", r"\begin{matrix}"]
                .iter()
                .any(|b| source.trim_start().starts_with(b));
        let row = self.row(Inside::Brackets, inner, start);
        (self.depth, self.brackets) = (self.depth - 1, self.brackets - 1);
        let right = if self.tokens.peek() == Some(LatexToken::Command("right")) {
            self.tokens.next();
            self.delimiter()
        } else {
            String::new()
        };
        let of = row.into_piece();
        if let Some(binomial) = Self::stacked_binomial(source, &left, &right, &of.text) {
            return Some(binomial);
        }
        let text = match (left.as_str(), right.as_str()) {
            ("{", "") => format!("{{ {} }}", of.text),
            ("", "}") => {
                let rows = of.text.strip_prefix('[').and_then(|rows| rows.strip_suffix(']'));
                let is_grid = source.trim_start().starts_with("\\begin{");
                format!("{{ {} }}", rows.filter(|_| is_grid).unwrap_or(&of.text))
            }
            ("", right) if !right.is_empty() => format!("{}{right}", of.into_joined()),
            (left, right) => format!("{left}{}{right}", of.text),
        };
        let whole = !left.is_empty() && !right.is_empty();
        let bind = if whole { Bind::Atom } else { Bind::Loose };
        Some(RowPiece { bind, ..RowPiece::new(PieceClass::Group, text) })
    }

    /// Parses the bracket after `\left` or `\right`; a dot means none.
    fn delimiter(&mut self) -> String {
        self.tokens.skip_blanks();
        let from = self.tokens.at;
        match self.tokens.next() {
            Some(LatexToken::Other('.')) => String::new(),
            Some(LatexToken::Other(c)) => c.to_string(),
            Some(LatexToken::Escape('|')) => "‖".to_string(),
            Some(LatexToken::Escape(c @ ('{' | '}'))) => c.to_string(),
            Some(LatexToken::Command(name)) => match symbols::kind(name) {
                Some(CommandKind::Sign(_, sign)) => sign.to_string(),
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

fn in_font(piece: RowPiece, font: Font) -> RowPiece {
    let text: String = piece.text.chars().map(|c| letters::in_font(c, font)).collect();
    // A word in upright letters is one name, not a product of letters.
    let bind = if piece.bind == Bind::Product { Bind::Atom } else { piece.bind };
    RowPiece { text, bind, joined: None, ..piece }
}
