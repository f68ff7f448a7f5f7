//! Words within a formula: `\text{ if }` and its relatives.
//!
//! In a text blanks count and signs stand for themselves. Formulas between dollars and commands in
//! it are written as everywhere.

use super::parse::{Inside, Parser};
use super::row::{Bind, Class, Piece, Row, Setting, Start};
use super::symbols::{self, Kind};
use super::tokens::Token;

impl Parser<'_> {
    /// Reads the argument of a command that has text in it.
    pub fn text(&mut self, setting: Setting) -> Option<Piece> {
        self.tokens.skip_blanks();
        if self.tokens.peek() != Some(Token::Open) {
            return self.argument(setting);
        }
        let mut text = String::new();
        self.words(&mut text, Setting { breaks: " ", alone: false, ..setting });
        let words = text.trim_matches(' ');
        let bind = if words.contains(' ') { Bind::Loose } else { Bind::Atom };
        let lead = text.starts_with(' ') && !words.is_empty();
        let trail = text.ends_with(' ') && !words.is_empty();
        Some(Piece { bind, lead, trail, ..Piece::new(Class::Text, words) })
    }

    /// Reads a group of words and adds them.
    fn words(&mut self, text: &mut String, setting: Setting) {
        let from = self.tokens.at;
        if self.is_deep() {
            self.tokens.skip_group();
            return text.push_str(self.tokens.since(from));
        }
        self.tokens.next();
        (self.depth, self.braces) = (self.depth + 1, self.braces + 1);
        while let Some(token) = self.tokens.peek() {
            if token == Token::Close {
                self.tokens.next();
                break;
            }
            self.word(token, text, setting);
        }
        (self.depth, self.braces) = (self.depth - 1, self.braces - 1);
    }

    /// Returns whether another dollar comes in this group.
    fn closes_dollar(&self) -> bool {
        let mut depth = 0_usize;
        for byte in self.tokens.rest().bytes() {
            match byte {
                b'$' => return true,
                b'{' => depth += 1,
                b'}' if depth == 0 => return false,
                b'}' => depth -= 1,
                _ => {}
            }
        }
        false
    }

    fn word(&mut self, token: Token, text: &mut String, setting: Setting) {
        if token == Token::Open {
            return self.words(text, setting);
        }
        let from = self.tokens.at;
        self.tokens.next();
        match token {
            Token::Blank | Token::Other('~') | Token::Escape('\\' | ',' | ';' | ':' | ' ') => {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            Token::Escape(c @ ('%' | '$' | '&' | '#' | '_' | '{' | '}')) => text.push(c),
            Token::Other('$') if self.closes_dollar() => {
                let row = self.row(Inside::Dollars, setting, Start::Fresh);
                self.tokens.accept('$');
                text.push_str(&row.into_piece().text);
            }
            Token::Command(name) => match symbols::kind(name) {
                Some(Kind::Text) if self.tokens.peek() == Some(Token::Open) => {
                    self.words(text, setting);
                }
                _ => {
                    let mut row = Row::new(setting, Start::Fresh);
                    self.command(name, from, &mut row, Setting { alone: true, ..setting });
                    text.push_str(&row.into_piece().text);
                }
            },
            _ => text.push_str(self.tokens.since(from)),
        }
    }
}
