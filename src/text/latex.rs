//! Turns the LaTeX a mathematics model writes into text a person can read on a terminal.
//!
//! The console's sessions push an answer through it as it comes. Formulas become Unicode text on a
//! line: `x² + √(3)/2`. What is not LaTeX comes out as it went in, and so does all code. It is
//! pure: no terminal is asked what it can show, and no escape sequence is written.
//!
//! prose.rs finds what is a formula, code.rs what is code, formula.rs where a formula ends, and
//! parse.rs writes it out. They look at one character after the other and wait where the next one
//! decides, so that it does not matter how the text is cut.

mod code;
mod commands;
mod formula;
mod grid;
mod letters;
mod parse;
mod prose;
mod row;
mod symbols;
mod text;
mod tokens;

use code::Code;
use formula::{Dollars, Formula};
use prose::Prose;

use crate::types::limits;

/// The bytes of it kept free for what a step looks ahead: a command's or an environment's name.
const AHEAD_BYTES: usize = 128;

/// One stream of text. It holds back only what could still turn out otherwise.
#[derive(Debug, Default)]
pub struct Latex {
    /// What has come and is not given out; `start` bytes of it are, until the call ends.
    held: String,
    start: usize,
    /// How far `held` is looked through.
    at: usize,
    /// No more comes.
    last: bool,
    mode: Mode,
    prose: Prose,
    out: String,
    line: Line,
}

/// What the characters are part of.
#[derive(Clone, Copy, Debug, Default)]
enum Mode {
    #[default]
    Prose,
    Code(Code),
    /// A formula, unless its closing dollar does not come.
    Dollars(Dollars),
    Formula(Formula),
}

/// What is on the line that was given out last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Blank,
    Written,
}

impl Latex {
    /// Begins a text.
    pub fn new() -> Latex {
        Latex::default()
    }

    /// Takes text as it comes, in any cuts, and returns what is certain by now.
    pub fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        self.work();
        self.held.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        std::mem::take(&mut self.out)
    }

    /// Returns the rest; afterwards it is as new.
    pub fn finish(&mut self) -> String {
        self.last = true;
        self.work();
        let out = std::mem::take(&mut self.out);
        *self = Latex::default();
        out
    }

    fn work(&mut self) {
        loop {
            while self.at < self.held.len() {
                if self.step().is_none() {
                    return;
                }
                if self.at - self.start >= limits::LATEX_HELD_BYTES_MAX - AHEAD_BYTES {
                    self.overflow();
                }
            }
            let is_done = self.start == self.held.len() && !matches!(self.mode, Mode::Formula(_));
            if !self.last || is_done {
                return;
            }
            self.end();
        }
    }

    /// Looks through the next characters; `None` if those that decide have not come.
    fn step(&mut self) -> Option<()> {
        match self.mode {
            Mode::Prose => self.step_prose(),
            Mode::Code(code) => {
                self.step_code(code);
                Some(())
            }
            Mode::Dollars(dollars) => self.step_dollars(dollars),
            Mode::Formula(formula) => self.step_formula(formula),
        }
    }

    /// Gives out what is held, because it is too much.
    fn overflow(&mut self) {
        match self.mode {
            Mode::Prose => self.settle_prose(),
            Mode::Code(_) => {}
            Mode::Dollars(dollars) => self.no_formula(dollars),
            Mode::Formula(mut formula) => {
                self.settle(&mut formula, self.at);
                self.mode = Mode::Formula(formula);
            }
        }
    }

    /// Gives out what is held, because nothing more comes. Dollars that do not close leave their
    /// text to be looked through again.
    fn end(&mut self) {
        match self.mode {
            Mode::Formula(formula) => self.abandon(formula, self.at),
            _ => self.overflow(),
        }
    }

    /// Returns the character that is looked at.
    fn here(&self) -> char {
        self.held[self.at..].chars().next().expect("a step is made only where there is one")
    }

    /// Returns the character at a place or that none will come; `None` if that is not known yet.
    fn peek(&self, place: usize) -> Option<Option<char>> {
        let c = self.held.get(place..).and_then(|rest| rest.chars().next());
        if c.is_none() && !self.last { None } else { Some(c) }
    }

    /// Returns how many letters a command's name has that begins at a place, as far as a name can
    /// be known, and what follows it.
    fn name(&self, place: usize) -> Option<(usize, Option<char>)> {
        /// Longer than any name we know.
        const NAME_BYTES_MAX: usize = 32;
        let rest = self.held[place..].bytes().take(NAME_BYTES_MAX);
        let length = rest.take_while(u8::is_ascii_alphabetic).count();
        Some((length, self.peek(place + length)?))
    }

    /// Returns what is in braces at a place if it can be an environment's name, and its length
    /// with the braces.
    fn name_in_braces(&self, place: usize) -> Option<Option<(&str, usize)>> {
        if self.peek(place)? != Some('{') {
            return Some(None);
        }
        let (letters, mut next) = self.name(place + 1)?;
        let mut end = place + 1 + letters;
        if next == Some('*') {
            end += 1;
            next = self.peek(end)?;
        }
        let name = &self.held[place + 1..end];
        Some((next == Some('}')).then_some((name, end + 1 - place)))
    }

    /// Gives text out.
    fn emit(&mut self, text: &str) {
        let line = text.rsplit('\n').next().unwrap_or("");
        if line.len() < text.len() {
            self.line = Line::Blank;
        }
        if !line.chars().all(is_blank) {
            self.line = Line::Written;
        }
        self.out.push_str(text);
    }

    /// Gives out what is held up to a place, as it is.
    fn give(&mut self, end: usize) {
        let held = std::mem::take(&mut self.held);
        self.emit(&held[self.start..end]);
        self.held = held;
        self.start = end;
        self.at = self.at.max(end);
    }
}

/// Returns all of a text as it can be read.
#[cfg(test)]
pub fn readable(text: &str) -> String {
    let mut latex = Latex::new();
    let mut out = latex.push(text);
    out.push_str(&latex.finish());
    out
}

/// Returns whether it is a blank or the end of a line.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests;
