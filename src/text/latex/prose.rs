//! What is no code and no formula: it is given out as it is, but for the LaTeX models write bare.
//!
//! `x^2 + \frac{1}{2}` without any dollars is a run: numbers, operators and single letters around a
//! command that is known. Until a command comes a run is cold and stays as it is; of it only what a
//! command could change is held back. A word of two letters ends a run.

use super::formula::Close;
use super::parse::convert;
use super::row::Start;
use super::symbols::{self, Environment, Kind};
use super::{Latex, Line, is_blank};

/// What is known of the prose up to the place that is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prose {
    /// A command that is known is in the run.
    hot: bool,
    /// One is in its last part, which no blank divides.
    part_hot: bool,
    /// Where that part begins, after `start`.
    part: usize,
    /// Something is in the run that is written otherwise if it gets hot.
    scripted: bool,
    /// A brace that comes now opens an argument; what comes belongs to what came last.
    argument: bool,
    /// Open braces.
    braces: usize,
    /// In braces: nothing but blanks since a new line.
    newline: bool,
    /// This part is the name of a file.
    path: bool,
    /// The last character, and the last one given out that is no blank.
    before: char,
    given: char,
    /// How many letters stand before this place, and whether a small one is among them.
    letters: usize,
    small: bool,
    /// A letter and a colon stand before this place.
    drive: bool,
    /// Nothing but blanks stand before this place in its line.
    leads: bool,
    /// A formula on its own line was just closed.
    pub(super) after_display: bool,
}

impl Default for Prose {
    fn default() -> Prose {
        Prose {
            hot: false,
            part_hot: false,
            part: 0,
            scripted: false,
            argument: false,
            braces: 0,
            newline: false,
            path: false,
            before: '\n',
            given: '\n',
            letters: 0,
            small: false,
            drive: false,
            leads: true,
            after_display: false,
        }
    }
}

impl Prose {
    /// Begins anew behind something else that ended with a character.
    pub(super) fn after(&mut self, c: char) {
        *self = Prose { before: c, given: c, leads: false, ..Prose::default() };
    }

    /// Notes a character that was read.
    fn took(&mut self, c: char) {
        self.drive = c == ':' && self.letters == 1;
        (self.letters, self.small) = match c.is_alphabetic() {
            true => (self.letters.saturating_add(1), self.small || c.is_lowercase()),
            false => (0, false),
        };
        self.leads = c == '\n' || self.leads && is_blank(c);
        self.path &= !is_blank(c);
        self.argument = matches!(c, '^' | '_') || self.part_hot && matches!(c, '}' | ']');
        self.before = c;
    }

    /// Returns whether a backslash here more likely divides names of folders.
    fn looks_like_a_path(&self) -> bool {
        self.drive
            || matches!(self.before, '/' | '\\' | '\'' | '"')
            || self.letters > 1 && self.small && !self.part_hot
    }
}

impl Latex {
    pub(super) fn step_prose(&mut self) -> Option<()> {
        let c = self.here();
        if self.prose.after_display && self.step_after_display(c) {
            return Some(());
        }
        if self.prose.braces > 0 {
            return self.step_argument(c);
        }
        match c {
            '\n' => self.stranger(c),
            ' ' | '\t' => self.blank(c),
            '`' => {
                self.end_run();
                self.open_code('`', self.prose.leads);
            }
            '~' if self.prose.leads => {
                self.end_run();
                self.open_code('~', true);
            }
            '$' => return self.dollar(),
            '\\' => return self.backslash(),
            '^' | '_' if self.at > self.start && !is_blank(self.prose.before) => {
                self.prose.scripted = true;
                self.member(1);
            }
            '{' if self.prose.argument => {
                self.member(1);
                (self.prose.braces, self.prose.newline) = (1, false);
            }
            '=' | '+' | '-' | '<' | '>' => {
                if self.prose.hot && is_blank(self.prose.before) && !self.prose.argument {
                    self.settle_part();
                }
                self.member(1);
            }
            '0'..='9' | '*' | '/' | '(' | ')' | '[' | ']' | '|' | ',' | ';' | '.' | ':' | '!' => {
                self.member(1);
            }
            c if c.is_alphabetic() => return self.letter(c),
            c => self.stranger(c),
        }
        Some(())
    }

    /// Takes what comes behind a formula on its own line, which ends its line; returns whether
    /// that was all.
    fn step_after_display(&mut self, c: char) -> bool {
        match c {
            ' ' | '\t' | '\r' => {
                self.at += 1;
                return true;
            }
            '.' | ',' | ';' | ':' | '!' | '?' if self.at == self.start => {
                self.give(self.at + 1);
                return true;
            }
            '\n' => {}
            _ => self.emit("\n"),
        }
        self.start = self.at;
        self.prose.after('\n');
        self.prose.leads = true;
        false
    }

    /// Takes a character that belongs to the run.
    fn member(&mut self, bytes: usize) {
        let c = self.here();
        self.at += bytes;
        self.prose.took(c);
    }

    /// Takes a blank: it divides the parts of the run.
    fn blank(&mut self, c: char) {
        let cold = !self.prose.hot && !self.prose.scripted;
        if cold && !is_blank(self.prose.before) {
            self.end_run();
        }
        self.at += 1;
        self.prose.took(c);
        (self.prose.part, self.prose.part_hot) = (self.at - self.start, false);
    }

    /// Takes a character that belongs to no run, nor what stands before it in its part.
    fn stranger(&mut self, c: char) {
        self.break_run();
        self.give(self.at + c.len_utf8());
        self.prose.took(c);
        self.prose.given = c;
    }

    fn letter(&mut self, c: char) -> Option<()> {
        if self.at == self.start && self.prose.letters > 0 {
            self.rest_of_word();
            return Some(());
        }
        let next = self.peek(self.at + c.len_utf8())?;
        let in_word = self.prose.letters > 0 || next.is_some_and(char::is_alphabetic);
        if in_word && !self.prose.part_hot {
            self.stranger(c);
        } else {
            self.member(c.len_utf8());
        }
        Some(())
    }

    /// Takes the letters of a word that have come.
    fn rest_of_word(&mut self) {
        let mut end = self.at;
        for c in self.held[self.at..].chars().take_while(|c| c.is_alphabetic()) {
            self.prose.took(c);
            self.prose.given = c;
            end += c.len_utf8();
        }
        self.give(end);
    }

    /// Takes a character of an argument, up to its closing brace or the end of the paragraph.
    fn step_argument(&mut self, c: char) -> Option<()> {
        let mut bytes = c.len_utf8();
        match c {
            '\\' => {
                let next = self.peek(self.at + 1)?;
                let pair = next.filter(|c| !c.is_ascii_alphabetic() && !is_blank(*c));
                bytes += pair.map_or(0, char::len_utf8);
            }
            '{' => self.prose.braces += 1,
            '}' => self.prose.braces -= 1,
            '\n' if self.prose.newline => {
                self.end_run();
                return Some(());
            }
            _ => {}
        }
        self.prose.newline = c == '\n' || self.prose.newline && is_blank(c);
        self.member(bytes);
        Some(())
    }

    fn dollar(&mut self) -> Option<()> {
        let next = self.peek(self.at + 1)?;
        if self.prose.before == '$' && self.start == self.at || next.is_none_or(is_blank) {
            self.stranger('$');
            return Some(());
        }
        let count = if next == Some('$') { 2 } else { 1 };
        let third = if count == 2 { self.peek(self.at + 2)? } else { None };
        if count == 1 {
            self.end_run();
            self.open_dollars(1);
        } else if third.is_none_or(|c| c == '$') {
            // Three in a row are no mathematics.
            self.stranger('$');
        } else if self.prose.leads && third.is_some_and(|c| matches!(c, '\n' | '\r' | '\\')) {
            let gap = self.end_line();
            self.open_formula(Close::Dollars, 2, gap);
        } else {
            let at = self.at;
            self.at = self.start + self.solid();
            self.end_run();
            self.at = at;
            self.open_dollars(2);
        }
        Some(())
    }

    fn backslash(&mut self) -> Option<()> {
        let next = self.peek(self.at + 1)?;
        let hot = self.prose.hot;
        match next {
            _ if self.prose.path => self.stranger('\\'),
            Some('(') => {
                self.end_run();
                self.open_formula(Close::Parenthesis, 2, false);
            }
            Some('[') => {
                let gap = self.end_line();
                self.open_formula(Close::Bracket, 2, gap);
            }
            Some(c) if c.is_ascii_alphabetic() => return self.known_or_not(),
            Some('%') if hot || self.prose.before.is_ascii_digit() => self.hot_member(2),
            Some('$') if self.peek(self.at + 2)?.is_some_and(|c| c.is_ascii_digit()) => {
                self.break_run();
                // The dollar without its backslash.
                self.start += 1;
                self.give(self.start + 1);
                self.prose.took('$');
                self.prose.given = '$';
            }
            Some('{' | '}' | '|') => {
                self.prose.scripted = true;
                self.member(2);
            }
            Some(',' | ';' | ':' | '!' | '>' | '&' | '#' | '_' | ' ' | '\\') if hot => {
                self.member(2);
            }
            Some(c) if c.is_ascii_punctuation() => {
                self.stranger('\\');
                self.prose.path = c == '\\';
                self.stranger(c);
            }
            _ => self.stranger('\\'),
        }
        Some(())
    }

    fn hot_member(&mut self, bytes: usize) {
        (self.prose.hot, self.prose.part_hot) = (true, true);
        self.member(bytes);
    }

    /// Takes a backslash and a name.
    fn known_or_not(&mut self) -> Option<()> {
        let (letters, after) = self.name(self.at + 1)?;
        let name = &self.held[self.at + 1..self.at + 1 + letters];
        let bytes = 1 + letters;
        let kind = symbols::kind(name);
        let opens = |more: &[char]| after == Some('{') || after.is_some_and(|c| more.contains(&c));
        let digit = after.is_some_and(|c| c.is_ascii_digit() || c == '\\');
        let known = match kind {
            Some(Kind::Begin) => return self.begin_environment(),
            Some(Kind::Fraction) => opens(&[]) || digit,
            Some(Kind::Root) => opens(&['[']) || digit,
            Some(Kind::Left | Kind::Right) => after.is_some_and(|c| "([{|.<)]}>\\/".contains(c)),
            Some(kind) if !kind.stands_bare() => false,
            Some(Kind::Not) => opens(&['=', '\\']),
            Some(Kind::Modulus | Kind::Font(_)) => opens(&[' ']) || digit,
            Some(kind) if kind.takes_arguments() => opens(&['*']),
            Some(_) => !self.prose.looks_like_a_path(),
            None => self.prose.part_hot,
        };
        if known {
            self.hot_member(bytes);
            self.prose.before = ')';
            self.prose.argument = kind.is_none_or(Kind::takes_arguments);
        } else {
            self.prose.path |= self.prose.looks_like_a_path();
            let path = self.prose.path;
            self.stranger('\\');
            self.prose.path = path;
        }
        Some(())
    }

    /// Takes an environment that stands in the text, if it is one of a formula.
    fn begin_environment(&mut self) -> Option<()> {
        let name = "\\begin".len();
        let found = self.name_in_braces(self.at + name)?;
        let environment = found.map(|(of, bytes)| (symbols::environment(of), name + bytes));
        match environment {
            Some((Some(Environment::Layout { .. }), _)) => {
                let gap = self.end_line();
                self.open_formula(Close::Layout, 0, gap);
            }
            Some((Some(Environment::Grid(_)), bytes)) => {
                self.end_run();
                self.open_formula(Close::Grid, bytes, false);
            }
            _ => self.stranger('\\'),
        }
        Some(())
    }

    /// Writes the run out up to the blank before this place; it goes on, and stays hot.
    fn settle_part(&mut self) {
        self.write_run(self.start + self.solid());
        self.prose.part = self.at - self.start;
    }

    /// Gives the run out because it is too long.
    pub(super) fn settle_prose(&mut self) {
        if self.prose.after_display {
            self.start = self.at;
            return;
        }
        self.write_run(self.at);
        self.prose.part = 0;
    }

    /// Ends the run.
    fn end_run(&mut self) {
        self.write_run(self.at);
        let prose = &mut self.prose;
        (prose.hot, prose.part_hot, prose.scripted) = (false, false, false);
        (prose.part, prose.braces, prose.argument) = (0, 0, false);
    }

    /// Ends the run before its last part, unless a command is in that.
    fn break_run(&mut self) {
        if self.prose.hot && !self.prose.part_hot {
            self.write_run(self.start + self.prose.part);
            self.prose.hot = false;
        }
        self.end_run();
    }

    /// Ends the run, and drops the blanks that would end its line; returns whether there were some.
    fn end_line(&mut self) -> bool {
        let at = self.at;
        self.at = self.start + self.solid();
        self.end_run();
        self.at = at;
        let drops = self.line == Line::Written && self.start < at;
        if drops {
            self.start = at;
        } else {
            self.give(at);
        }
        drops
    }

    /// Returns how much is held before the blanks at its end.
    fn solid(&self) -> usize {
        self.held[self.start..self.at].trim_end_matches(is_blank).len()
    }

    /// Writes out what is held of the run up to a place.
    fn write_run(&mut self, end: usize) {
        let run = &self.held[self.start..end];
        let body = run.trim_matches(is_blank);
        let given = body.chars().next_back();
        if self.prose.hot && !body.is_empty() {
            let lead = run.len() - run.trim_start_matches(is_blank).len();
            let continued = self.prose.given.is_alphanumeric() || ")]}".contains(self.prose.given);
            let start = if continued { Start::Continued } else { Start::Fresh };
            let trail = &run[lead + body.len()..];
            let text = convert(body, start);
            let text = if lead > 0 { text.trim_start_matches(' ') } else { &text };
            let text = format!("{}{text}{trail}", &run[..lead]);
            self.emit(&text);
            self.start = end;
        } else {
            self.give(end);
        }
        self.prose.given = given.unwrap_or(self.prose.given);
    }
}
