//! Text that is neither code nor a formula: output unchanged, except for LaTeX without delimiters.
//!
//! `x^2 + \frac{1}{2}` without dollars is a run: numbers, operators and single letters around a
//! known command. Until a command arrives a run is cold and is output unchanged; only the part that
//! a command could change is held back. A word of two letters ends a run.

use super::formula::ClosingToken;
use super::lists::OpenBlock;
use super::parse::convert;
use super::row::RowStart;
use super::symbols::{self, CommandKind, Environment};
use super::{Latex, OutputLine, is_blank};

/// The state of the scan at the current offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prose {
    /// Whether the run contains a known command.
    hot: bool,
    /// Whether its last part (after the last blank) contains one.
    part_hot: bool,
    /// RowStart of that part, as an offset from `start`.
    part: usize,
    /// Whether the run contains text that is rendered differently once it is hot.
    scripted: bool,
    /// Whether a brace here would open an argument of the previous token.
    argument: bool,
    /// Number of open braces.
    braces: usize,
    /// In braces: whether there were only blanks since a line break.
    newline: bool,
    /// Whether this part is a file name.
    path: bool,
    /// The previous character, and the last output character that is not a blank.
    before: char,
    given: char,
    /// Number of letters just before this offset, and whether one of them is lower case.
    letters: usize,
    small: bool,
    /// Whether a letter and a colon precede this offset.
    drive: bool,
    /// Whether only blanks precede this offset on its line.
    pub(super) leads: bool,
    /// Whether a formula on its own line has just closed.
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
    /// Starts over after a formula or code that ended with `last`.
    pub(super) fn after(&mut self, c: char) {
        *self = Prose { before: c, given: c, leads: false, ..Prose::default() };
    }

    /// Notes a scanned character.
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

    /// Returns whether a backslash here is more likely a path separator.
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
            '\n' => self.foreign_char(c),
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
            '*' if self.prose.argument && self.prose.part_hot => {
                self.member(1);
                self.prose.argument = true;
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
            c => self.foreign_char(c),
        }
        Some(())
    }

    /// Scans the character after a formula on its own line, which ends the line; returns whether it
    /// was consumed.
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

    /// Scans a character that belongs to the run.
    fn member(&mut self, bytes: usize) {
        let c = self.here();
        self.at += bytes;
        self.prose.took(c);
    }

    /// Scans a blank, which separates the parts of the run.
    fn blank(&mut self, c: char) {
        let cold = !self.prose.hot && !self.prose.scripted;
        if cold && !is_blank(self.prose.before) {
            self.end_run();
        }
        self.at += 1;
        self.prose.took(c);
        (self.prose.part, self.prose.part_hot) = (self.at - self.start, false);
    }

    /// Scans a character that excludes its whole part from the run.
    pub(super) fn foreign_char(&mut self, c: char) {
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
            self.foreign_char(c);
        } else {
            self.member(c.len_utf8());
        }
        Some(())
    }

    /// Scans the letters of a word that have arrived.
    fn rest_of_word(&mut self) {
        let mut end = self.at;
        for c in self.held[self.at..].chars().take_while(|c| c.is_alphabetic()) {
            self.prose.took(c);
            self.prose.given = c;
            end += c.len_utf8();
        }
        self.give(end);
    }

    /// Scans a character of an argument, up to its closing brace or the end of the paragraph.
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
            self.foreign_char('$');
            return Some(());
        }
        let count = if next == Some('$') { 2 } else { 1 };
        let third = if count == 2 { self.peek(self.at + 2)? } else { None };
        if count == 1 {
            self.end_run();
            self.open_dollars(1);
        } else if third.is_none_or(|c| c == '$') {
            // Three in a row are not mathematics.
            self.foreign_char('$');
        } else if self.prose.leads && third.is_some_and(|c| matches!(c, '\n' | '\r' | '\\')) {
            let gap = self.end_line();
            self.open_formula(ClosingToken::Dollars, 2, gap);
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
            _ if self.prose.path => self.foreign_char('\\'),
            Some('(') => {
                self.end_run();
                self.open_formula(ClosingToken::Parenthesis, 2, false);
            }
            Some('[') => {
                let gap = self.end_line();
                self.open_formula(ClosingToken::Bracket, 2, gap);
            }
            Some(c) if c.is_ascii_alphabetic() => return self.known_or_not(),
            Some('%') if hot || self.prose.before.is_ascii_digit() => self.hot_member(2),
            Some('$') if self.peek(self.at + 2)?.is_some_and(|c| c.is_ascii_digit()) => {
                self.break_run();
                // An escaped dollar is output without its backslash.
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
                self.foreign_char('\\');
                self.prose.path = c == '\\';
                self.foreign_char(c);
            }
            _ => self.foreign_char('\\'),
        }
        Some(())
    }

    fn hot_member(&mut self, bytes: usize) {
        (self.prose.hot, self.prose.part_hot) = (true, true);
        self.member(bytes);
    }

    /// Scans a backslash and a name.
    fn known_or_not(&mut self) -> Option<()> {
        let (letters, after) = self.name(self.at + 1)?;
        let name = &self.held[self.at + 1..self.at + 1 + letters];
        let bytes = 1 + letters;
        let kind = symbols::kind(name);
        let opens = |more: &[char]| after == Some('{') || after.is_some_and(|c| more.contains(&c));
        let digit = after.is_some_and(|c| c.is_ascii_digit() || c == '\\');
        let known = match kind {
            Some(CommandKind::Begin) => return self.begin_environment(),
            Some(CommandKind::End) if !self.blocks.is_empty() => return self.end_environment(),
            None if name == "item" && self.is_in_list() => return self.item_of_list(bytes),
            _ if letters == 1 => {
                let name = name.to_string();
                self.is_short_command(&name, kind)?
            }
            Some(CommandKind::Fraction) => opens(&[]) || digit,
            Some(CommandKind::Root) => opens(&['[']) || digit,
            Some(CommandKind::Left | CommandKind::Right) => {
                after.is_some_and(|c| "([{|.<)]}>\\/".contains(c))
            }
            Some(kind) if !kind.stands_bare() => false,
            Some(CommandKind::Not) => opens(&['=', '\\']),
            Some(CommandKind::Modulus | CommandKind::Font(_)) => opens(&[' ']) || digit,
            Some(kind) if kind.takes_arguments() => opens(&['*']),
            Some(_) => !self.prose.looks_like_a_path(),
            None => self.prose.part_hot,
        };
        if known {
            self.hot_member(bytes);
            self.prose.before = ')';
            self.prose.argument = kind.is_none_or(CommandKind::takes_arguments);
        } else {
            self.prose.path |= self.prose.looks_like_a_path();
            let path = self.prose.path;
            self.foreign_char('\\');
            self.prose.path = path;
        }
        Some(())
    }

    /// Scans an environment in the text, if it holds a formula.
    fn begin_environment(&mut self) -> Option<()> {
        let name = "\\begin".len();
        let found = self.name_in_braces(self.at + name)?;
        let environment = found.map(|(of, bytes)| (symbols::environment(of), name + bytes));
        match environment {
            Some((Some(Environment::Layout { .. }), _)) => {
                let gap = self.end_line();
                self.open_formula(ClosingToken::Layout, 0, gap);
            }
            Some((Some(Environment::Grid(_)), bytes)) => {
                self.end_run();
                self.open_formula(ClosingToken::Grid, bytes, false);
            }
            Some((Some(Environment::List { numbered: true }), bytes)) => {
                return self.open_block(OpenBlock::Numbered(0), bytes);
            }
            Some((Some(Environment::List { .. }), bytes)) => {
                return self.open_block(OpenBlock::Dashed, bytes);
            }
            Some((Some(Environment::Block), bytes)) => {
                return self.open_block(OpenBlock::Text, bytes);
            }
            _ => self.foreign_char('\\'),
        }
        Some(())
    }

    /// Scans the end of an environment of text.
    fn end_environment(&mut self) -> Option<()> {
        let name = "\\end".len();
        let found = self.name_in_braces(self.at + name)?;
        let environment = found.map(|(of, bytes)| (symbols::environment(of), name + bytes));
        match environment {
            Some((Some(Environment::List { .. } | Environment::Block), bytes)) => {
                self.close_block(bytes)
            }
            _ => {
                self.foreign_char('\\');
                Some(())
            }
        }
    }

    /// Returns whether a name of one letter is a command here: such names are also those of classes
    /// in regular expressions.
    fn is_short_command(&self, name: &str, kind: Option<CommandKind>) -> Option<bool> {
        let place = self.at + 1 + name.len();
        Some(match (name, kind) {
            ("S", _) => {
                let next = self.peek(place)?;
                let next = if next == Some(' ') { self.peek(place + 1)? } else { next };
                next.is_some_and(|c| c.is_ascii_digit())
            }
            ("H", _) => self.peek(place)? == Some('{'),
            (_, Some(CommandKind::Sign(..))) => self.prose.hot,
            _ => self.prose.part_hot,
        })
    }

    /// Renders the run up to the blank before this offset; the run continues and stays hot.
    fn settle_part(&mut self) {
        self.write_run(self.start + self.solid());
        self.prose.part = self.at - self.start;
    }

    /// Outputs the run because it is too long.
    pub(super) fn settle_prose(&mut self) {
        if self.prose.after_display {
            self.start = self.at;
            return;
        }
        self.write_run(self.at);
        self.prose.part = 0;
    }

    /// Ends the run at this offset.
    pub(super) fn end_run(&mut self) {
        self.write_run(self.at);
        let prose = &mut self.prose;
        (prose.hot, prose.part_hot, prose.scripted) = (false, false, false);
        (prose.part, prose.braces, prose.argument) = (0, 0, false);
    }

    /// Ends the run before its last part, unless that contains a command.
    fn break_run(&mut self) {
        if self.prose.hot && !self.prose.part_hot {
            self.write_run(self.start + self.prose.part);
            self.prose.hot = false;
        }
        self.end_run();
    }

    /// Ends the run and drops trailing blanks; returns whether there were any.
    pub(super) fn end_line(&mut self) -> bool {
        let at = self.at;
        self.at = self.start + self.solid();
        self.end_run();
        self.at = at;
        let drops = self.line == OutputLine::Written && self.start < at;
        if drops {
            self.start = at;
        } else {
            self.give(at);
        }
        drops
    }

    /// Returns the length of the held text without trailing blanks.
    fn solid(&self) -> usize {
        self.held[self.start..self.at].trim_end_matches(is_blank).len()
    }

    /// Renders the held part of the run up to an offset.
    fn write_run(&mut self, end: usize) {
        let run = &self.held[self.start..end];
        let body = run.trim_matches(is_blank);
        let given = body.chars().next_back();
        if self.prose.hot && !body.is_empty() {
            let lead = run.len() - run.trim_start_matches(is_blank).len();
            let continued = self.prose.given.is_alphanumeric() || ")]}".contains(self.prose.given);
            let start = if continued { RowStart::Continued } else { RowStart::Fresh };
            let trail = &run[lead + body.len()..];
            let text = convert(body, start, self.marks);
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
