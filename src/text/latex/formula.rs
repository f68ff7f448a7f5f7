//! Formulas in a text: where they end, and which part of one can already be rendered.
//!
//! `\(`, `\[`, an environment, or `$$` on a line of its own certainly opens a formula. It is
//! rendered up to each operator outside brackets, since later input cannot change what precedes
//! that. A dollar within a line opens a formula only if another one closes it, by Pandoc's rules;
//! until then the text is held back.

use super::parse::convert;
use super::row::RowStart;
use super::symbols::{self, CommandKind, Environment};
use super::{Latex, OutputLine, Scanning, is_blank};

/// The token that closes a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClosingToken {
    Parenthesis,
    Bracket,
    Dollars,
    /// The `\end` of an environment that stacks formulas.
    Layout,
    /// The `\end` of a matrix or of cases within a sentence.
    Grid,
}

impl ClosingToken {
    fn is_display(self) -> bool {
        matches!(self, ClosingToken::Bracket | ClosingToken::Dollars | ClosingToken::Layout)
    }

    fn opener(self) -> &'static str {
        match self {
            ClosingToken::Parenthesis => "\\(",
            ClosingToken::Bracket => "\\[",
            ClosingToken::Dollars => "$$",
            ClosingToken::Layout | ClosingToken::Grid => "",
        }
    }
}

/// Tracks the formula being scanned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Formula {
    close: ClosingToken,
    /// Whether part of it was output.
    begun: bool,
    /// Whether it holds a table.
    tall: bool,
    /// Whether a blank separates the held text from the output.
    gap: bool,
    /// Numbers of open braces, grid environments, other environments and brackets.
    braces: usize,
    grids: usize,
    layouts: usize,
    brackets: usize,
    /// Number of open `\(` in braces, which enclose formulas in the text of this one.
    inner: usize,
    /// Whether the next character belongs to the previous token.
    wants: bool,
    /// Whether the row holds anything yet.
    ready: bool,
    /// Line breaks since the last output.
    newlines: usize,
    blank: bool,
    /// Length of the held text without trailing blanks, in bytes.
    solid: usize,
}

impl Formula {
    fn is_free(&self) -> bool {
        let open = self.braces + self.grids + self.brackets;
        open == 0 && !self.wants && self.ready && self.solid > 0 && self.close != ClosingToken::Grid
    }

    fn is_empty(&self) -> bool {
        !self.begun && self.solid == 0
    }

    fn start(&self) -> RowStart {
        if self.begun { RowStart::Continued } else { RowStart::Fresh }
    }

    /// Notes that a token was scanned.
    fn took(&mut self, wants: bool, ready: bool) {
        (self.wants, self.ready) = (wants, ready);
        (self.newlines, self.blank) = (0, false);
    }
}

impl Latex {
    /// Begins a formula after its opening at the current offset, `length` bytes long.
    ///
    /// The parser reads the opening of an environment.
    pub(super) fn open_formula(&mut self, close: ClosingToken, length: usize, gap: bool) {
        self.at += length;
        if close != ClosingToken::Grid {
            self.start = self.at;
        }
        self.mode = Scanning::Formula(Formula {
            close,
            begun: false,
            tall: false,
            gap,
            braces: 0,
            grids: usize::from(close == ClosingToken::Grid),
            layouts: 0,
            brackets: 0,
            inner: 0,
            wants: false,
            ready: true,
            newlines: 0,
            blank: false,
            solid: self.at - self.start,
        });
    }

    pub(super) fn step_formula(&mut self, mut formula: Formula) -> Option<()> {
        let c = self.here();
        if is_blank(c) {
            formula.newlines += usize::from(c == '\n');
            formula.blank = true;
            self.at += 1;
            self.mode = Scanning::Formula(formula);
            return Some(());
        }
        if let Some(length) = self.closing(&formula)? {
            self.close_formula(formula, length);
            return Some(());
        }
        if formula.newlines > 1 && !(formula.is_empty() && formula.close.is_display()) {
            // The paragraph ended before the formula was closed.
            self.abandon(formula, self.start + formula.solid);
            return Some(());
        }
        match c {
            '\\' => self.escaped(&mut formula)?,
            '=' | '+' | '-' | '<' | '>' | '&' => {
                if formula.blank && formula.is_free() {
                    let end = self.start + formula.solid;
                    self.settle(&mut formula, end);
                }
                formula.took(false, c != '&');
                self.at += 1;
            }
            _ => {
                match c {
                    '{' => formula.braces += 1,
                    '}' => formula.braces = formula.braces.saturating_sub(1),
                    _ => {}
                }
                formula.took(matches!(c, '^' | '_'), true);
                self.at += c.len_utf8();
            }
        }
        formula.solid = self.at - self.start;
        self.mode = Scanning::Formula(formula);
        if formula.close == ClosingToken::Grid && formula.grids == 0 {
            self.close_formula(formula, 0);
        }
        Some(())
    }

    /// Returns the length of the closing token, if it is at the current offset.
    fn closing(&self, formula: &Formula) -> Option<Option<usize>> {
        let (first, second) = match formula.close {
            ClosingToken::Parenthesis => ('\\', ')'),
            ClosingToken::Bracket => ('\\', ']'),
            ClosingToken::Dollars => ('$', '$'),
            ClosingToken::Layout if formula.layouts == 1 && self.here() == '\\' => {
                let (length, _) = self.name(self.at + 1)?;
                let name = &self.held[self.at + 1..self.at + 1 + length];
                if name != "end" {
                    return Some(None);
                }
                let found = self.name_in_braces(self.at + 4)?;
                return Some(found.and_then(|(name, bytes)| {
                    let layout =
                        matches!(symbols::environment(name), Some(Environment::Layout { .. }));
                    layout.then_some(4 + bytes)
                }));
            }
            ClosingToken::Layout | ClosingToken::Grid => return Some(None),
        };
        if self.here() != first || formula.inner > 0 && formula.braces > 0 {
            return Some(None);
        }
        Some((self.peek(self.at + 1)? == Some(second)).then_some(2))
    }

    /// Scans a backslash and its name.
    fn escaped(&mut self, formula: &mut Formula) -> Option<()> {
        let next = self.peek(self.at + 1)?;
        if !next.is_some_and(|c| c.is_ascii_alphabetic()) {
            if next == Some('\\') && formula.is_free() {
                self.settle(formula, self.start + formula.solid);
            }
            match next {
                Some('(') if formula.braces > 0 => formula.inner += 1,
                Some(')') => formula.inner = formula.inner.saturating_sub(1),
                _ => {}
            }
            formula.took(false, next != Some('\\'));
            let whole = next.filter(|c| !is_blank(*c)).map_or(0, char::len_utf8);
            self.at += 1 + whole;
            return Some(());
        }
        let (length, _) = self.name(self.at + 1)?;
        let name = &self.held[self.at + 1..self.at + 1 + length];
        let mut bytes = 1 + length;
        let (mut wants, mut ready) = (false, true);
        match symbols::kind(name) {
            Some(CommandKind::Left) => (formula.brackets, wants) = (formula.brackets + 1, true),
            Some(CommandKind::Right) => {
                (formula.brackets, wants) = (formula.brackets.saturating_sub(1), true);
            }
            Some(kind @ (CommandKind::Begin | CommandKind::End)) => {
                let found = self.name_in_braces(self.at + bytes)?;
                if let Some((name, more)) = found {
                    bytes += more;
                    let count = match symbols::environment(name) {
                        Some(Environment::Grid(_)) => &mut formula.grids,
                        Some(Environment::Layout { .. }) => {
                            ready = false;
                            &mut formula.layouts
                        }
                        _ => &mut 0,
                    };
                    let begins = kind == CommandKind::Begin;
                    *count = if begins { *count + 1 } else { count.saturating_sub(1) };
                }
            }
            Some(CommandKind::Nothing) => wants = true,
            Some(kind) => wants = kind.takes_arguments(),
            None => {}
        }
        formula.took(wants, ready);
        self.at += bytes;
        Some(())
    }

    /// Renders the held text up to an offset.
    pub(super) fn settle(&mut self, formula: &mut Formula, end: usize) {
        let source = &self.held[self.start..end];
        let (body, start) = (source.trim_matches(is_blank), formula.start());
        let text = convert(body, start, self.marks);
        let (leads, trails) = (source.starts_with(is_blank), source.ends_with(is_blank));
        formula.gap |= leads;
        if !text.is_empty() {
            // The first line of a table begins where its others do.
            let own_line = formula.close.is_display() || text.contains('\n');
            if !formula.begun && own_line && self.line == OutputLine::Written {
                self.emit("\n");
            }
            if formula.begun && formula.gap && !text.starts_with(['\n', ' ']) {
                self.emit(" ");
            }
            self.emit(&text);
            (formula.begun, formula.gap) = (true, false);
            formula.tall |= text.contains('\n') && !text.starts_with('\n');
        }
        formula.gap |= trails;
        formula.solid = 0;
        self.start = end;
        self.at = self.at.max(end);
    }

    /// Ends a formula at its closing token, `length` bytes long at the current offset.
    fn close_formula(&mut self, mut formula: Formula, length: usize) {
        let end = self.at + length;
        if formula.is_empty() {
            self.give_empty(&formula, end);
        } else {
            self.settle(&mut formula, self.at);
            (self.start, self.at) = (end, end);
        }
        self.leave_formula(formula);
    }

    /// Ends an unclosed formula, rendered up to an offset.
    pub(super) fn abandon(&mut self, mut formula: Formula, end: usize) {
        if formula.is_empty() {
            self.give_empty(&formula, end);
        } else {
            self.settle(&mut formula, end);
        }
        self.at = end;
        self.leave_formula(formula);
    }

    /// Outputs an empty formula unchanged.
    fn give_empty(&mut self, formula: &Formula, end: usize) {
        if formula.gap {
            self.emit(" ");
        }
        self.emit(formula.close.opener());
        self.give(end);
    }

    fn leave_formula(&mut self, formula: Formula) {
        self.mode = Scanning::Prose;
        self.prose.after(')');
        self.prose.after_display = formula.begun && (formula.close.is_display() || formula.tall);
    }
}

/// A possible formula between dollars, until they close.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dollars {
    /// The blanks held before it, which end the line if the formula gets its own.
    blanks: usize,
    /// Number of opening dollars, 1 or 2.
    count: usize,
    newline: bool,
    /// The previous character.
    before: char,
    /// Number of open braces in the argument of a text command, where dollars enclose formulas.
    text_braces: usize,
    /// Whether there was a dollar in such an argument.
    nested: bool,
}

impl Dollars {
    fn opening(&self) -> usize {
        self.blanks + self.count
    }
}

impl Latex {
    /// Begins a possible formula at its dollars; only blanks are held before them.
    pub(super) fn open_dollars(&mut self, count: usize) {
        let blanks = self.at - self.start;
        self.at += count;
        let (newline, text_braces, nested) = (false, 0, false);
        let dollars = Dollars { blanks, count, newline, before: '$', text_braces, nested };
        self.mode = Scanning::Dollars(dollars);
    }

    pub(super) fn step_dollars(&mut self, mut dollars: Dollars) -> Option<()> {
        let c = self.here();
        match c {
            '\\' => {
                let next = self.peek(self.at + 1)?.filter(|c| !is_blank(*c));
                self.at += match self.opens_text(&dollars)? {
                    0 => 1 + next.map_or(0, char::len_utf8),
                    bytes => {
                        dollars.text_braces = 1;
                        bytes
                    }
                };
                (dollars.newline, dollars.before) = (false, '\\');
                self.mode = Scanning::Dollars(dollars);
                return Some(());
            }
            '$' if dollars.text_braces > 0 => dollars.nested = true,
            '{' if dollars.text_braces > 0 => dollars.text_braces += 1,
            '}' if dollars.text_braces > 0 => dollars.text_braces -= 1,
            '$' => {
                let next = self.peek(self.at + 1)?;
                let closes = match dollars.count {
                    1 => !is_blank(dollars.before) && !next.is_some_and(|c| c.is_ascii_digit()),
                    _ => next == Some('$') && self.peek(self.at + 2)? != Some('$'),
                };
                let body = &self.held[self.start + dollars.opening()..self.at];
                if !closes || dollars.count == 1 && is_money(body) || body.trim().is_empty() {
                    self.no_formula(dollars);
                } else {
                    self.close_dollars(dollars);
                }
                return Some(());
            }
            '`' => {
                self.no_formula(dollars);
                return Some(());
            }
            '\n' if dollars.newline => {
                self.no_formula(dollars);
                return Some(());
            }
            _ => {}
        }
        dollars.newline = c == '\n' || dollars.newline && is_blank(c);
        dollars.before = c;
        self.at += c.len_utf8();
        self.mode = Scanning::Dollars(dollars);
        Some(())
    }

    /// Returns the length of a text command and its opening brace, or 0 for any other command.
    fn opens_text(&self, dollars: &Dollars) -> Option<usize> {
        let (letters, after) = self.name(self.at + 1)?;
        let name = &self.held[self.at + 1..self.at + 1 + letters];
        let is_text = after == Some('{')
            && matches!(symbols::kind(name), Some(CommandKind::Text | CommandKind::Tag));
        let is_free = dollars.text_braces == 0 && self.at >= self.plain_until;
        Some(if is_text && is_free { letters + 2 } else { 0 })
    }

    fn close_dollars(&mut self, dollars: Dollars) {
        let body = self.start + dollars.opening()..self.at;
        let text = convert(self.held[body].trim_matches(is_blank), RowStart::Fresh, self.marks);
        let count = dollars.count;
        let own_line = count == 2 || text.contains('\n');
        if own_line && self.line == OutputLine::Written {
            self.emit("\n");
        } else {
            self.give(self.start + dollars.blanks);
        }
        self.emit(&text);
        self.at += count;
        self.start = self.at;
        self.mode = Scanning::Prose;
        self.prose.after(')');
        self.prose.after_display = own_line;
    }

    /// Outputs the dollars unchanged and leaves the text after them to be scanned as prose. It
    /// holds no dollar outside the arguments of text commands, and within those dollars are not
    /// searched for again, so each character is scanned a few times at most.
    pub(super) fn no_formula(&mut self, dollars: Dollars) {
        if dollars.nested {
            self.plain_until = self.at;
        }
        let end = self.start + dollars.opening();
        self.give(end);
        self.at = end;
        self.mode = Scanning::Prose;
        self.prose.after('$');
    }
}

/// Returns whether the text is amounts and words, such as `5 for you and 6`, not a measure, `5 cm`.
pub(super) fn is_money(body: &str) -> bool {
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    if !is_number(body) || body.contains(['\\', '^', '_', '=', '+', '{']) {
        return false;
    }
    let is_word = |word: &str| word.len() > 1 && word.chars().all(char::is_alphabetic);
    let mut after = body.split_whitespace().skip_while(|word| !is_word(word)).skip(1);
    after.any(|word| is_word(word) || is_number(word))
}
