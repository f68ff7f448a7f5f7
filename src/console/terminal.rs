//! A session with a person at a terminal: typed questions, streamed answers, commands (`/help`).
//!
//! Keys come in, text goes out. The desk keeps questions and answers, so a pulled cable loses
//! nothing. While a person types, the answer pauses; it continues below the typed line. `typing`
//! handles input, `screen` formats output, `actions` executes commands.

mod actions;
mod command;
mod screen;
mod typing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::following::FollowedJob;
use super::history::LineHistory;
use super::keys::KeyDecoder;
use super::line_editor::{Edit, LineEditor};
use super::link::{Ends, Link, LinkEvent};
use super::paint::{Painter, Terminal};
use super::stdio::Standard;
use super::wire::Wire;
use super::{ConsoleContext, SessionEnd};
use crate::desk::feed::QueueStatus;
use crate::desk::{Health, JobEvent};
use crate::types::answer::{Figures, Outcome, Part};
use crate::types::error::{Error, Kind, printable};
use crate::types::job::{Client, JobName};
use crate::types::limits;
use crate::types::mode::Mode;
use screen::{Formulas, Letters, Looks, TerminalScreen, spoken};
use typing::{Lines, TypedText};

/// The note of a box that stops.
const CLOSING: &str = "(The box is stopping. Your questions continue when it is back: /last)";

/// Least free room in bytes for which an answer continues.
const ROOM_BYTES_MIN: usize = 64;

/// State of a person's console that survives a pulled cable.
pub struct TerminalMemory {
    mode: Arc<Mode>,
    /// Attempts, if not the mode's default.
    attempts: Option<u32>,
    budget_tokens: Option<u32>,
    shows_thinking: bool,
    formulas: Formulas,
    /// Kind of terminal, if the person has set it.
    terminal: Option<Terminal>,
    columns: Option<usize>,
    past: LineHistory,
    /// The job shown to its end most recently.
    last_shown: Option<JobName>,
    /// The jobs not shown to their end when the cable was pulled, oldest first.
    unshown: Vec<JobName>,
}

impl TerminalMemory {
    /// Makes the state of a new console.
    pub fn new(mode: Arc<Mode>) -> TerminalMemory {
        TerminalMemory {
            mode,
            attempts: None,
            budget_tokens: None,
            shows_thinking: true,
            formulas: Formulas::Readable,
            terminal: None,
            columns: None,
            past: LineHistory::new(limits::CONSOLE_HISTORY_LINES, limits::CONSOLE_HISTORY_BYTES),
            last_shown: None,
            unshown: Vec::new(),
        }
    }

    /// Remembers a job that was not shown to its end; bounded, the oldest are dropped.
    fn keep_unshown(&mut self, job: JobName) {
        if !self.unshown.contains(&job) {
            self.unshown.push(job);
        }
        if self.unshown.len() > limits::CONSOLE_KNOWN_MAX {
            self.unshown.remove(0);
        }
    }
}

/// A session with a person.
pub struct TerminalSession<'a> {
    context: &'a ConsoleContext,
    memory: &'a mut TerminalMemory,
    client: Client,
    link: &'a mut Link,
    keys: KeyDecoder,
    line: LineEditor,
    painter: Painter,
    screen: TerminalScreen,
    /// What the typed text will be, and its finished lines.
    text: TypedText,
    lines: Lines,
    is_pasting: bool,
    /// Time of the last key.
    typed_at: Instant,
    /// Whether the bell has rung for this batch of input.
    has_rung: bool,
    /// Longest time between the bytes of a sequence.
    key_wait: Duration,
    /// Time of the last invalid bytes.
    noise: Option<Instant>,
    /// Whether the current line contained invalid bytes.
    is_garbled: bool,
    /// Time of the last note about that.
    noise_reported: Option<Instant>,
    /// The followed jobs, shown one after another.
    followed: VecDeque<FollowedJob>,
    /// Whether the prompt is on the screen.
    is_prompted: bool,
    /// Whether input arrives key by key and we echo it.
    has_keys: bool,
    /// Whether the session ends once all answers are shown.
    is_leaving: bool,
    /// Why it ends earlier.
    end: Option<SessionEnd>,
}

impl<'a> TerminalSession<'a> {
    /// Makes a session with an empty line and no job.
    pub fn new(
        context: &'a ConsoleContext,
        memory: &'a mut TerminalMemory,
        client: Client,
        link: &'a mut Link,
        wire: &Wire,
    ) -> TerminalSession<'a> {
        let has_keys = match link.ends() {
            Ends::Port(_) => true,
            Ends::Standard(standard) => standard.has_keys,
        };
        let letters = if wire.framing.data_bits == 7 { Letters::Ascii } else { Letters::All };
        let looks = looks(link.ends(), memory, letters);
        TerminalSession {
            context,
            client,
            keys: KeyDecoder::new(),
            line: LineEditor::new(limits::CONSOLE_LINE_BYTES_MAX),
            painter: Painter::new(looks.terminal, looks.columns),
            screen: TerminalScreen::new(looks),
            memory,
            link,
            text: TypedText::Question,
            lines: Lines::None,
            is_pasting: false,
            typed_at: Instant::now(),
            has_rung: false,
            key_wait: limits::CONSOLE_KEY_WAIT + Duration::from_secs_f64(wire.seconds(3)),
            noise: None,
            is_garbled: false,
            noise_reported: None,
            followed: VecDeque::new(),
            is_prompted: false,
            has_keys,
            is_leaving: false,
            end: None,
        }
    }

    /// Runs until the person leaves, the cable is pulled, or the box stops.
    pub fn run(mut self) -> SessionEnd {
        if self.has_keys {
            self.switch_paste("\x1b[?2004h");
            self.unfinished().into_iter().for_each(|job| self.memory.keep_unshown(job));
            self.greet();
        }
        let end = self.talk();
        self.hide_prompt();
        self.switch_paste("\x1b[?2004l");
        for followed in &self.followed {
            self.memory.keep_unshown(followed.ticket.name);
        }
        end
    }

    fn talk(&mut self) -> SessionEnd {
        loop {
            self.watch_width();
            self.show_pending();
            if let Some(end) = self.end.take() {
                return end;
            }
            if self.is_leaving && self.followed.is_empty() {
                return SessionEnd::Bye;
            }
            self.link.pause(self.is_full());
            match self.link.next_event(self.event_timeout()) {
                LinkEvent::Bytes(bytes) => self.hear(&bytes),
                LinkEvent::Nothing => {
                    if let Some(key) = self.keys.idle() {
                        self.press(key);
                    }
                }
                LinkEvent::Changed => {}
                // A terminal's input ends with its connection.
                LinkEvent::EndOfInput if self.has_keys => return SessionEnd::Gone,
                LinkEvent::EndOfInput => {
                    self.finish();
                    self.is_leaving = true;
                }
                LinkEvent::Gone => return SessionEnd::Gone,
                LinkEvent::Closing => {
                    self.note(CLOSING);
                    return SessionEnd::Closing;
                }
            }
        }
    }

    /// Returns how long to wait for the next event.
    fn event_timeout(&self) -> Option<Duration> {
        if self.keys.is_between() {
            return Some(self.key_wait);
        }
        // An abandoned line must not hold an answer back forever.
        let holds = self.is_prompted && self.is_typing() && !self.followed.is_empty();
        holds.then_some(limits::CONSOLE_TYPING_LASTS)
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.has_rung = false;
        for (at, &byte) in bytes.iter().enumerate() {
            let key = self.keys.push(byte);
            if self.keys.take_noise() {
                self.noise = Some(Instant::now());
                self.is_garbled = true;
            }
            if let Some(key) = key {
                self.press(key);
            }
            if self.end.is_some() || self.is_full() {
                // For the next session, or for later.
                return self.link.give_back(&bytes[at + 1..]);
            }
        }
    }

    /// Returns whether input must wait: a pipe holds more questions than may be asked at once.
    fn is_full(&self) -> bool {
        !self.has_keys && self.followed.len() >= limits::CONSOLE_PIPE_JOBS
    }

    /// Turns bracketed paste on or off.
    fn switch_paste(&mut self, sequence: &str) {
        if self.has_keys && self.screen.looks().terminal == Terminal::Ansi {
            self.link.send(sequence);
        }
    }

    fn greet(&mut self) {
        let mode = &self.memory.mode;
        let hello = format!(
            "solverbox {} on {}: {}\nMode {}: {}. Type a question and press Enter; /help lists \
             the commands.",
            env!("CARGO_PKG_VERSION"),
            self.context.name,
            self.context.model,
            mode.name,
            mode.about,
        );
        self.note(&hello);
        match self.context.desk.health() {
            Health::Loading { .. } => {
                self.note("(The model is still being loaded; questions wait for it.)");
            }
            Health::Broken(error) => self.show_error(&error),
            Health::Ready { .. } | Health::Closing => {}
        }
        self.offer_last();
    }

    /// Shows a note of the box.
    fn note(&mut self, text: &str) {
        self.hide_prompt();
        let shown = self.screen.note(text);
        self.link.send(&shown);
    }

    /// Shows an error with its remedy.
    fn show_error(&mut self, error: &Error) {
        let error = match self.link.ends() {
            Ends::Port(_) => error.for_remote_users(),
            // This person started the box and may see paths.
            Ends::Standard(_) => error.clone(),
        };
        self.note(&format!("{}. {}", printable(&error.message), error.remedy));
    }

    /// Moves below the prompt, which stays on the screen.
    fn leave_prompt(&mut self) {
        if self.is_prompted {
            self.is_prompted = false;
            let left = self.painter.leave();
            self.link.send(&left);
        }
    }

    /// Erases the prompt, for the answer to continue there.
    fn hide_prompt(&mut self) {
        if self.is_prompted {
            self.is_prompted = false;
            let erased = self.painter.erase();
            self.link.send(&erased);
        }
    }

    /// Shows the prompt after the text so far.
    fn show_prompt(&mut self) {
        if self.is_prompted || !self.has_keys || self.is_leaving {
            return;
        }
        let paused = self.screen.pause();
        self.link.send(&paused);
        self.is_prompted = true;
        self.paint(Edit::Changed);
    }

    fn paint(&mut self, edit: Edit) {
        let prompt = self.prompt();
        let painted = self.painter.paint(&prompt, &self.line, edit);
        self.link.send(&painted);
    }

    fn prompt(&self) -> String {
        match (&self.lines, &self.text) {
            (Lines::None, TypedText::Question) => format!("{}> ", self.memory.mode.name),
            (Lines::None, TypedText::Attempt(_)) => "your attempt> ".to_string(),
            (Lines::Some(..), _) => "... ".to_string(),
            (Lines::TooMany(_), _) => "(too long) ".to_string(),
        }
    }

    /// Shows pending events of the followed jobs while the line has room, then the prompt.
    fn show_pending(&mut self) {
        // An answer must not split the line being typed; without keys the line is not on the
        // screen.
        let is_new = self.typed_at.elapsed() < limits::CONSOLE_TYPING_LASTS;
        if self.has_keys && self.is_typing() && (is_new || self.followed.is_empty()) {
            return self.show_prompt();
        }
        while let Some(followed) = self.followed.front_mut() {
            let room = self.link.room();
            if room < ROOM_BYTES_MIN {
                return;
            }
            // A character may take more bytes on the wire than in the text.
            let Some(event) = followed.next(room / 4) else { return };
            self.show(event);
        }
        self.show_prompt();
    }

    fn show(&mut self, event: JobEvent) {
        match event {
            JobEvent::Text { piece, .. } => {
                if piece.part == Part::Thinking && !self.memory.shows_thinking {
                    return;
                }
                self.hide_prompt();
                let shown = self.screen.text(&piece);
                self.link.send(&shown);
            }
            JobEvent::Queued(QueueStatus { place, eta, stage: _ }) => {
                // Without an estimate the job is new and likely to start at once.
                let (Some(place @ 1..), Some(eta)) = (place, eta) else { return };
                let [middle, low, high] = [eta.seconds, eta.low, eta.high].map(spoken);
                self.note(&format!(
                    "(in line: place {place}; done in about {middle}, {low} to {high})"
                ));
            }
            JobEvent::VoteChanged(tally) => self.note(&format!("({tally})")),
            JobEvent::Interrupted(error) => {
                self.end_text();
                if let Some(interrupted) = self.followed.pop_front() {
                    self.memory.keep_unshown(interrupted.ticket.name);
                }
                // The stop of the box is shown once, for all jobs.
                if error.kind != Kind::Stopped {
                    self.show_error(&error);
                }
            }
            JobEvent::Ended(end) => {
                self.end_text();
                self.memory.last_shown =
                    self.followed.pop_front().map(|followed| followed.ticket.name);
                self.show_end(&end.outcome, &end.figures);
            }
            // Votes are shown instead, and text on a screen cannot be taken back.
            JobEvent::AttemptEnded(_) | JobEvent::Rewound { .. } => {}
        }
    }

    fn show_end(&mut self, outcome: &Outcome, figures: &Figures) {
        let speed = format!(
            "{} tokens in {}, {:.1} tokens/s",
            figures.completion_tokens,
            spoken(figures.decode_seconds),
            figures.tokens_per_second()
        );
        match outcome {
            Outcome::Done if !self.has_keys => {}
            Outcome::Done => self.note(&format!("({speed})")),
            Outcome::Budget => self.note(&format!("(the token budget is used up: {speed})")),
            Outcome::Stopped => self.note("(stopped)"),
            Outcome::Failed(error) => self.show_error(error),
        }
    }

    fn end_text(&mut self) {
        self.hide_prompt();
        let shown = self.screen.end_text();
        self.link.send(&shown);
    }

    /// Adapts to a changed width of the terminal.
    fn watch_width(&mut self) {
        let looks = looks(self.link.ends(), self.memory, self.screen.looks().letters);
        if looks.columns != self.screen.looks().columns {
            self.apply_looks();
        }
    }

    /// Applies changed display settings.
    fn apply_looks(&mut self) {
        let looks = looks(self.link.ends(), self.memory, self.screen.looks().letters);
        self.hide_prompt();
        self.screen.set_looks(looks);
        self.painter.set_terminal(looks.terminal);
        self.painter.set_width(looks.columns);
    }
}

/// Returns the display settings: the person's, else the defaults of the connection.
fn looks(ends: &Ends, memory: &TerminalMemory, letters: Letters) -> Looks {
    let (terminal, columns, line_end) = match ends {
        Ends::Port(_) => (Terminal::Ansi, limits::CONSOLE_COLUMNS_DEFAULT, "\r\n"),
        Ends::Standard(standard) if standard.has_screen => {
            let columns = Standard::columns().unwrap_or(limits::CONSOLE_COLUMNS_DEFAULT);
            (Terminal::Ansi, columns, if standard.has_keys { "\r\n" } else { "\n" })
        }
        Ends::Standard(_) => (Terminal::Plain, usize::MAX, "\n"),
    };
    Looks {
        terminal: memory.terminal.unwrap_or(terminal),
        columns: memory.columns.unwrap_or(columns),
        line_end,
        letters,
        formulas: memory.formulas,
    }
}
