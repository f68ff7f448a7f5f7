//! Input of a terminal session: keys become lines, lines become questions and commands.
//!
//! `keys`, `line_editor` and `history` do the editing; this is what a finished line means.

use std::time::Instant;

use super::super::keys::Key;
use super::super::line_editor::Edit;
use super::super::paint::Terminal;
use super::{TerminalSession, command};
use crate::types::job::JobName;
use crate::types::limits;
use crate::types::mode::Reads;

/// The delimiter of a text of several lines.
const QUOTES: &str = "\"\"\"";

/// What the typed text will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypedText {
    /// A question, or a command.
    Question,
    /// The student's own attempt at this question.
    Attempt(TypedQuestion),
}

/// A question to be submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedQuestion {
    /// The text of the question.
    pub question: String,
    /// The job whose conversation it continues.
    pub previous: Option<JobName>,
}

/// The finished lines of a text of several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lines {
    /// No lines before the current one.
    None,
    /// The lines so far, and what ends the text.
    Some(String, LinesEnd),
    /// The text is too long: it is dropped up to its end.
    TooMany(LinesEnd),
}

/// What ends a text of several lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinesEnd {
    /// A line without a backslash at its end.
    NoBackslash,
    /// Quotes at the end of a line.
    Quotes,
}

impl TerminalSession<'_> {
    /// Handles a key and repaints what it changed.
    pub fn press(&mut self, key: Key) {
        self.typed_at = Instant::now();
        if self.is_noisy() && matches!(key, Key::EndOfInput | Key::Redraw) {
            return;
        }
        // A person who is leaving types no more, but may interrupt the wait.
        if self.is_leaving && self.has_keys && key != Key::Interrupt {
            return;
        }
        match key {
            Key::Enter if self.is_pasting => self.paste_line(),
            Key::Enter => self.enter(),
            Key::PasteBegin => self.is_pasting = true,
            Key::PasteEnd => self.end_paste(),
            Key::Interrupt => self.interrupt(),
            Key::EndOfInput if !self.is_typing() => self.bye(),
            Key::Redraw => self.redraw(),
            Key::Up | Key::Down => self.walk_past(key),
            key if !self.painter.takes(key) => self.show_edit(Edit::Refused),
            key => {
                let edit = self.line.apply(key);
                self.show_edit(edit);
            }
        }
    }

    /// Returns whether an unfinished text has been typed.
    pub fn is_typing(&self) -> bool {
        !self.line.text().is_empty()
            || self.lines != Lines::None
            || self.text != TypedText::Question
    }

    /// Returns whether input is likely to be noise, because some arrived a moment ago.
    fn is_noisy(&self) -> bool {
        self.noise.is_some_and(|last| last.elapsed() < limits::CONSOLE_NOISE_LASTS)
    }

    fn show_edit(&mut self, edit: Edit) {
        if !self.has_keys {
            return;
        }
        if edit == Edit::Refused {
            // One bell is enough for what was read together.
            if !std::mem::replace(&mut self.has_rung, true) {
                self.link.send("\x07");
            }
            return;
        }
        if !self.is_prompted {
            return self.show_prompt();
        }
        self.paint(edit);
        if !self.is_typing() && !self.followed.is_empty() {
            // The answer's text continues.
            self.hide_prompt();
        }
    }

    fn walk_past(&mut self, key: Key) {
        let is_up = key == Key::Up;
        let past = &mut self.memory.past;
        let other = if is_up { past.up(self.line.text()) } else { past.down() };
        let other = other.map(str::to_string);
        let Some(other) = other else { return self.show_edit(Edit::Refused) };
        self.line.set(&other);
        self.show_edit(Edit::Changed);
    }

    fn redraw(&mut self) {
        if self.screen.looks().terminal == Terminal::Ansi && self.has_keys {
            self.hide_prompt();
            self.link.send("\x1b[H\x1b[2J");
        }
        self.greet();
    }

    /// Handles Ctrl-C: drops the typed text, or else stops the answer.
    fn interrupt(&mut self) {
        self.is_garbled = false;
        self.memory.past.end_walk();
        if self.is_typing() {
            self.line.take();
            (self.text, self.lines) = (TypedText::Question, Lines::None);
            self.is_pasting = false;
            self.hide_prompt();
        } else if self.followed.is_empty() {
            self.note("(/bye or Ctrl-D leaves; /help lists the commands)");
        } else {
            self.stop();
        }
    }

    /// Finishes the typed line and executes it.
    pub fn enter(&mut self) {
        self.leave_prompt();
        let line = self.line.take();
        // A garbled line would ask the wrong question, and noise is not a question.
        if std::mem::take(&mut self.is_garbled) || self.is_noisy() {
            self.memory.past.end_walk();
            return self.report_noise();
        }
        self.memory.past.add(&line);
        match std::mem::replace(&mut self.lines, Lines::None) {
            Lines::None => self.first_line(&line),
            Lines::Some(text, end) => self.more_lines(text, &line, end),
            Lines::TooMany(end) => {
                if goes_on(&line, end) {
                    self.lines = Lines::TooMany(end);
                }
            }
        }
    }

    /// Reports a garbled line, unless that was reported a moment ago.
    fn report_noise(&mut self) {
        let is_reported = self.noise_reported.is_some_and(|reported| {
            let since = self.noise.unwrap_or(reported);
            since.saturating_duration_since(reported) < limits::CONSOLE_TYPING_LASTS
        });
        if !is_reported {
            self.noise_reported = Some(Instant::now());
            self.note("(That line was garbled on the wire or is not UTF-8; it was ignored.)");
        }
    }

    fn first_line(&mut self, line: &str) {
        let trimmed = line.trim();
        if let Some(rest) = trimmed.strip_prefix(QUOTES) {
            match rest.strip_suffix(QUOTES) {
                Some(whole) => self.complete(whole.to_string()),
                None if rest.is_empty() => {
                    self.lines = Lines::Some(String::new(), LinesEnd::Quotes);
                }
                None => self.more_lines(String::new(), rest, LinesEnd::Quotes),
            }
        } else if trimmed.is_empty() {
            self.show_status();
        } else if trimmed.starts_with('/') && self.text == TypedText::Question {
            match command::parse(trimmed) {
                Ok(command) => self.act(command),
                Err(what) => self.note(&what),
            }
        } else {
            self.more_lines(String::new(), line, LinesEnd::NoBackslash);
        }
    }

    /// Adds a line to a text of several lines; completes the text if it was the last.
    fn more_lines(&mut self, text: String, line: &str, end: LinesEnd) {
        let goes_on = goes_on(line, end);
        let own = match end {
            LinesEnd::Quotes if goes_on => line,
            LinesEnd::Quotes => line.trim_end().trim_end_matches('"'),
            LinesEnd::NoBackslash => line.strip_suffix('\\').unwrap_or(line),
        };
        let whole = text + own;
        if whole.len() > limits::QUESTION_BYTES_MAX {
            self.note(&format!(
                "The question has more than {} bytes. Ask a shorter one.",
                limits::QUESTION_BYTES_MAX
            ));
            self.lines = if goes_on { Lines::TooMany(end) } else { Lines::None };
        } else if goes_on {
            self.lines = Lines::Some(whole + "\n", end);
        } else {
            self.complete(whole);
        }
    }

    /// Adds a pasted line to a text of several lines.
    fn paste_line(&mut self) {
        if self.lines == Lines::None && self.line.text().is_empty() {
            return;
        }
        self.leave_prompt();
        let line = self.line.take();
        let (text, end) = match std::mem::replace(&mut self.lines, Lines::None) {
            Lines::None => (String::new(), LinesEnd::NoBackslash),
            Lines::Some(text, end) => (text, end),
            Lines::TooMany(end) => {
                self.lines = Lines::TooMany(end);
                return;
            }
        };
        let line = if end == LinesEnd::NoBackslash { line + "\\" } else { line };
        self.more_lines(text, &line, end);
    }

    fn end_paste(&mut self) {
        self.is_pasting = false;
        if self.lines == Lines::TooMany(LinesEnd::NoBackslash) {
            self.lines = Lines::None;
            self.line.take();
            self.hide_prompt();
        }
    }

    /// Completes an unfinished text at the end of the input.
    pub fn finish(&mut self) {
        if self.is_typing() {
            self.enter();
        }
        if let Lines::Some(text, _) = std::mem::replace(&mut self.lines, Lines::None) {
            self.complete(text);
        }
        if let TypedText::Attempt(asking) = std::mem::replace(&mut self.text, TypedText::Question) {
            self.ask(&asking, None);
        }
    }

    /// Handles a complete text.
    fn complete(&mut self, text: String) {
        match std::mem::replace(&mut self.text, TypedText::Question) {
            TypedText::Question => {
                self.take_question(TypedQuestion { question: text, previous: None })
            }
            TypedText::Attempt(asking) => self.ask(&asking, Some(&text)),
        }
    }

    /// Submits a question, or asks for the student's attempt first if the mode needs it.
    pub fn take_question(&mut self, asking: TypedQuestion) {
        if self.memory.mode.reads == Reads::StudentAttempt {
            self.text = TypedText::Attempt(asking);
            self.note("(Now type your own attempt; several lines work as in a question.)");
        } else {
            self.ask(&asking, None);
        }
    }
}

/// Returns whether a text of several lines continues after this line.
fn goes_on(line: &str, end: LinesEnd) -> bool {
    match end {
        LinesEnd::Quotes => !line.trim_end().ends_with(QUOTES),
        LinesEnd::NoBackslash => line.ends_with('\\'),
    }
}
