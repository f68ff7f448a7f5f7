//! Renders the rarer commands: units, derivatives, indices in front, blanks to fill in.
//!
//! `commands` calls `shape` for each kind it does not render itself. A command that lacks an
//! argument yields `None` and is output as in the source.

use super::chemistry;
use super::letters;
use super::marks::BLANK_LINE;
use super::parse::{Parser, small};
use super::row::{Bind, FormulaRow, Gap, PieceClass, RowLayout, RowPiece, RowStart, enclosed};
use super::symbols::CommandKind;
use super::tokens::LatexToken;

impl Parser<'_> {
    /// Renders a command by its kind.
    pub fn shape(&mut self, kind: CommandKind, setting: RowLayout) -> Option<RowPiece> {
        let group = |text: String| RowPiece::new(PieceClass::Group, text);
        Some(match kind {
            CommandKind::ThirdShown => {
                self.tokens.optional();
                self.argument(setting)?;
                self.argument(setting)?;
                self.argument(setting)?
            }
            CommandKind::Rule => {
                self.tokens.optional();
                while self.tokens.peek() == Some(LatexToken::Open) {
                    self.tokens.skip_group();
                }
                RowPiece::new(PieceClass::Letter, BLANK_LINE)
            }
            CommandKind::Reference => {
                let text = enclosed(&self.text(setting)?.text);
                RowPiece { lead: true, ..RowPiece::new(PieceClass::Text, text) }
            }
            CommandKind::CancelTo => {
                let value = self.argument(setting)?.text;
                group(format!("({}→{value})", self.argument(setting)?.text))
            }
            CommandKind::Chemistry => RowPiece::new(PieceClass::Text, self.chemistry()?),
            CommandKind::Genfrac => self.genfrac(setting)?,
            CommandKind::Quantity => self.quantity(setting)?,
            CommandKind::Angle => {
                let text = self.argument(setting)?.text;
                RowPiece::new(PieceClass::Letter, format!("{}°", text.trim_end_matches(['°', ';'])))
            }
            CommandKind::Derivative(d) => self.derivative(d, setting)?,
            CommandKind::Prescript => {
                let (above, below) = (self.argument(setting)?.text, self.argument(setting)?.text);
                let mut text = String::new();
                for (mark, script, of) in [
                    ('^', above, letters::raised as fn(&str) -> Option<String>),
                    ('_', below, letters::lowered),
                ] {
                    if !script.is_empty() {
                        text.push_str(&small(mark, &script, of, &mut None));
                    }
                }
                RowPiece::new(PieceClass::Letter, text + &self.argument(setting)?.text)
            }
            CommandKind::Sideset => {
                let (left, right) = (self.argument(setting)?.text, self.argument(setting)?.text);
                let text = format!("{left}{}{right}", self.argument(setting)?.text);
                RowPiece::new(PieceClass::Big, text)
            }
            CommandKind::Between(open, close) => {
                self.tokens.accept('*');
                group(format!("{open}{}{close}", self.argument(setting)?.text))
            }
            CommandKind::Pod => {
                let piece = group(format!("({})", self.argument(setting)?.text));
                RowPiece { lead: true, ..piece }
            }
            _ => return None,
        })
    }

    /// Skips a length such as `-3mu`, which stands for a blank.
    pub fn length(&mut self, row: &mut FormulaRow) {
        self.tokens.accept('*');
        self.tokens.skip_blanks();
        if self.tokens.peek() == Some(LatexToken::Open) {
            self.tokens.skip_group();
            return row.gap(Gap::Hard);
        }
        let is_negative = self.tokens.accept('-');
        if matches!(self.tokens.peek(), Some(LatexToken::Number(_))) {
            self.tokens.next();
        }
        let rest = self.tokens.rest().trim_start_matches(' ');
        if ["pt", "mu", "em", "ex", "cm", "mm", "in", "pc", "bp"]
            .iter()
            .any(|u| rest.starts_with(u))
        {
            self.tokens.skip_blanks();
            self.tokens.at += 2;
        }
        if !is_negative {
            row.gap(Gap::Hard);
        }
    }

    /// Returns the chemical formula in the group that follows.
    fn chemistry(&mut self) -> Option<String> {
        if self.tokens.peek() != Some(LatexToken::Open) {
            return None;
        }
        let from = self.tokens.at;
        self.tokens.skip_group();
        let source = self.tokens.since(from);
        let source = source.strip_prefix('{').unwrap_or(source);
        Some(chemistry::rendered(source.strip_suffix('}').unwrap_or(source)))
    }

    fn genfrac(&mut self, setting: RowLayout) -> Option<RowPiece> {
        let (left, right) = (self.argument(setting)?.text, self.argument(setting)?.text);
        let thickness = self.argument(setting)?.text;
        self.argument(setting)?;
        let (above, below) = (self.argument(setting)?, self.argument(setting)?);
        Some(match (left.as_str(), right.as_str()) {
            ("(", ")") => Self::binomial(&above.text, &below.text),
            ("", "") if thickness.starts_with('0') => Self::atop(above, below),
            ("", "") => Self::fraction(above, below),
            (left, right) => {
                let text = format!("{left}{}{right}", Self::fraction(above, below).text);
                RowPiece::new(PieceClass::Group, text)
            }
        })
    }

    /// Renders two lines without a fraction bar.
    pub fn atop(above: RowPiece, below: RowPiece) -> RowPiece {
        let text = format!("{}; {}", above.text, below.text);
        RowPiece { bind: Bind::Loose, ..RowPiece::new(PieceClass::Group, text) }
    }

    fn quantity(&mut self, setting: RowLayout) -> Option<RowPiece> {
        self.tokens.optional();
        if self.tokens.peek() != Some(LatexToken::Open) {
            return Some(RowPiece::new(PieceClass::Letter, ""));
        }
        let number = self.argument(setting)?.text;
        let unit = match self.tokens.peek() {
            Some(LatexToken::Open) => self.argument(setting)?.text,
            _ => String::new(),
        };
        let blank = if number.is_empty() || unit.is_empty() { "" } else { " " };
        let piece = RowPiece::new(PieceClass::Letter, format!("{number}{blank}{unit}"));
        Some(RowPiece { bind: Bind::Loose, ..piece })
    }

    fn derivative(&mut self, d: &str, setting: RowLayout) -> Option<RowPiece> {
        self.tokens.accept('*');
        let order = self.tokens.optional().unwrap_or("");
        let order = if order.is_empty() {
            String::new()
        } else {
            small('^', order, letters::raised, &mut None)
        };
        let first = self.argument(setting)?.text;
        let (of, by) = match self.tokens.peek() {
            Some(LatexToken::Open) => (first, self.argument(setting)?.text),
            _ => (String::new(), first),
        };
        let atom = |text: String| RowPiece::new(PieceClass::Letter, text);
        Some(Self::fraction(atom(format!("{d}{order}{of}")), atom(format!("{d}{by}{order}"))))
    }

    /// Parses a formula in text up to `\)`.
    pub fn formula_in_text(&mut self, text: &mut String, setting: RowLayout) {
        let row = self.row(super::parse::Inside::Parentheses, setting, RowStart::Fresh);
        if self.tokens.peek() == Some(LatexToken::Escape(')')) {
            self.tokens.next();
        }
        text.push_str(&row.into_piece().text);
    }
}
