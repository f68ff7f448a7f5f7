//! A person at a terminal: questions are typed, answers come in lines, and `/help` says what else
//! there is.
//!
//! KeyDecoder come in, text goes out; the desk has the questions and their records the text, so that
//! nothing is lost where the cable is. While something is typed the text waits, and goes on behind
//! it. `actions` has what commands do.

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
use super::link::{Ends, Heard, Link};
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

/// What is said when the box is stopped.
const CLOSING: &str = "(The box is being stopped. What was asked goes on when it is back: /last)";

/// Least room on the line for which a text goes on.
const ROOM_BYTES_MIN: usize = 64;

/// What a console remembers of whoever sits there, over pulled cables.
pub struct Memory {
    mode: Arc<Mode>,
    /// Where it is not the mode's own.
    attempts: Option<u32>,
    budget_tokens: Option<u32>,
    shows_thinking: bool,
    formulas: Formulas,
    /// Where somebody has said so.
    terminal: Option<Terminal>,
    columns: Option<usize>,
    past: LineHistory,
    /// The job that was told to its end last.
    told: Option<JobName>,
    /// The jobs that were not, when the cable was pulled, in the order in which they were asked.
    untold: Vec<JobName>,
}

impl Memory {
    /// Remembers nothing yet.
    pub fn new(mode: Arc<Mode>) -> Memory {
        Memory {
            mode,
            attempts: None,
            budget_tokens: None,
            shows_thinking: true,
            formulas: Formulas::Readable,
            terminal: None,
            columns: None,
            past: LineHistory::new(limits::CONSOLE_HISTORY_LINES, limits::CONSOLE_HISTORY_BYTES),
            told: None,
            untold: Vec::new(),
        }
    }

    /// Keeps a job that was not told to its end, for a bounded number of them.
    fn keep_untold(&mut self, job: JobName) {
        if !self.untold.contains(&job) {
            self.untold.push(job);
        }
        if self.untold.len() > limits::CONSOLE_KNOWN_MAX {
            self.untold.remove(0);
        }
    }
}

/// A session with a person.
pub struct Person<'a> {
    house: &'a ConsoleContext,
    memory: &'a mut Memory,
    client: Client,
    link: &'a mut Link,
    keys: KeyDecoder,
    line: LineEditor,
    painter: Painter,
    screen: TerminalScreen,
    /// What is typed, and its lines before the one that is.
    text: TypedText,
    lines: Lines,
    is_pasting: bool,
    /// When a key came last.
    typed_at: Instant,
    /// Whether the bell has rung for what was read together.
    has_rung: bool,
    /// How long the rest of a sequence may take to come.
    key_wait: Duration,
    /// When bytes came last that no terminal sends.
    noise: Option<Instant>,
    /// Whether they came in the line that is typed.
    is_garbled: bool,
    /// When that was said last.
    told_noise: Option<Instant>,
    /// The jobs that are told, one after the other.
    followed: VecDeque<FollowedJob>,
    /// Whether what is typed stands on the screen.
    is_prompted: bool,
    /// Whether keys come one by one, to be shown by us.
    has_keys: bool,
    /// Whether the session ends when all is told.
    is_leaving: bool,
    /// How it ends before that.
    end: Option<SessionEnd>,
}

impl<'a> Person<'a> {
    /// Begins a session.
    pub fn new(
        house: &'a ConsoleContext,
        memory: &'a mut Memory,
        client: Client,
        link: &'a mut Link,
        wire: &Wire,
    ) -> Person<'a> {
        let has_keys = match link.ends() {
            Ends::Port(_) => true,
            Ends::Standard(standard) => standard.has_keys,
        };
        let letters = if wire.framing.data_bits == 7 { Letters::Ascii } else { Letters::All };
        let looks = looks(link.ends(), memory, letters);
        Person {
            house,
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
            told_noise: None,
            followed: VecDeque::new(),
            is_prompted: false,
            has_keys,
            is_leaving: false,
            end: None,
        }
    }

    /// Runs until the person leaves, the cable does, or the box is stopped.
    pub fn run(mut self) -> SessionEnd {
        if self.has_keys {
            self.switch_paste("\x1b[?2004h");
            self.unfinished().into_iter().for_each(|job| self.memory.keep_untold(job));
            self.greet();
        }
        let end = self.talk();
        self.hide_prompt();
        self.switch_paste("\x1b[?2004l");
        for followed in &self.followed {
            self.memory.keep_untold(followed.ticket.name);
        }
        end
    }

    fn talk(&mut self) -> SessionEnd {
        loop {
            self.watch_width();
            self.tell_on();
            if let Some(end) = self.end.take() {
                return end;
            }
            if self.is_leaving && self.followed.is_empty() {
                return SessionEnd::Bye;
            }
            self.link.pause(self.is_full());
            match self.link.hear(self.patience()) {
                Heard::Bytes(bytes) => self.hear(&bytes),
                Heard::Nothing => {
                    if let Some(key) = self.keys.idle() {
                        self.press(key);
                    }
                }
                Heard::Changed => {}
                // Of a terminal it is the end of all.
                Heard::EndOfInput if self.has_keys => return SessionEnd::Gone,
                Heard::EndOfInput => {
                    self.finish();
                    self.is_leaving = true;
                }
                Heard::Gone => return SessionEnd::Gone,
                Heard::Closing => {
                    self.note(CLOSING);
                    return SessionEnd::Closing;
                }
            }
        }
    }

    /// Returns how long to wait for something to be heard.
    fn patience(&self) -> Option<Duration> {
        if self.keys.is_between() {
            return Some(self.key_wait);
        }
        // What nobody types on does not hold an answer back for ever.
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
                // For whoever goes on here, or for later.
                return self.link.give_back(&bytes[at + 1..]);
            }
        }
    }

    /// Returns whether no more is taken for now: a pipe has more questions than may be asked at
    /// once, and they wait where they are.
    fn is_full(&self) -> bool {
        !self.has_keys && self.followed.len() >= limits::CONSOLE_PIPE_JOBS
    }

    /// Has the terminal say where something is pasted, or not any more.
    fn switch_paste(&mut self, sequence: &str) {
        if self.has_keys && self.screen.looks().terminal == Terminal::Ansi {
            self.link.say(sequence);
        }
    }

    fn greet(&mut self) {
        let mode = &self.memory.mode;
        let hello = format!(
            "solverbox {} on {}: {}\nMode {}: {}. Type a question and press Enter; /help lists \
             what else there is.",
            env!("CARGO_PKG_VERSION"),
            self.house.name,
            self.house.model,
            mode.name,
            mode.about,
        );
        self.note(&hello);
        match self.house.desk.health() {
            Health::Loading { .. } => {
                self.note("(The model is still being loaded; questions wait for it.)");
            }
            Health::Broken(error) => self.complain(&error),
            Health::Ready { .. } | Health::Closing => {}
        }
        self.offer_last();
    }

    /// Says something of the box's own.
    fn note(&mut self, text: &str) {
        self.hide_prompt();
        let shown = self.screen.note(text);
        self.link.say(&shown);
    }

    /// Says what went wrong, and what can be done.
    fn complain(&mut self, error: &Error) {
        let error = match self.link.ends() {
            Ends::Port(_) => error.for_remote_users(),
            // Whoever started the box sits here.
            Ends::Standard(_) => error.clone(),
        };
        self.note(&format!("{}. {}", printable(&error.message), error.remedy));
    }

    /// Goes below what is typed, which stays.
    fn leave_prompt(&mut self) {
        if self.is_prompted {
            self.is_prompted = false;
            let left = self.painter.leave();
            self.link.say(&left);
        }
    }

    /// Takes what is typed off the screen, for text to go on where it is.
    fn hide_prompt(&mut self) {
        if self.is_prompted {
            self.is_prompted = false;
            let erased = self.painter.erase();
            self.link.say(&erased);
        }
    }

    /// Shows what is typed, behind the text so far.
    fn show_prompt(&mut self) {
        if self.is_prompted || !self.has_keys || self.is_leaving {
            return;
        }
        let paused = self.screen.pause();
        self.link.say(&paused);
        self.is_prompted = true;
        self.paint(Edit::Changed);
    }

    fn paint(&mut self, edit: Edit) {
        let prompt = self.prompt();
        let painted = self.painter.paint(&prompt, &self.line, edit);
        self.link.say(&painted);
    }

    fn prompt(&self) -> String {
        match (&self.lines, &self.text) {
            (Lines::None, TypedText::Question) => format!("{}> ", self.memory.mode.name),
            (Lines::None, TypedText::Attempt(_)) => "your attempt> ".to_string(),
            (Lines::Some(..), _) => "... ".to_string(),
            (Lines::TooMany(_), _) => "(too long) ".to_string(),
        }
    }

    /// Tells what there is to tell, as far as the line takes it; then shows what is typed where
    /// nothing more comes.
    fn tell_on(&mut self) {
        // What is typed is not torn apart; without keys nothing is seen of it.
        let is_new = self.typed_at.elapsed() < limits::CONSOLE_TYPING_LASTS;
        if self.has_keys && self.is_typing() && (is_new || self.followed.is_empty()) {
            return self.show_prompt();
        }
        while let Some(followed) = self.followed.front_mut() {
            let room = self.link.room();
            if room < ROOM_BYTES_MIN {
                return;
            }
            // A character may take several bytes more on the wire than it has.
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
                self.link.say(&shown);
            }
            JobEvent::Queued(QueueStatus { place, eta, stage: _ }) => {
                // Without an estimate it was asked just now, and is likely to begin at once.
                let (Some(place @ 1..), Some(eta)) = (place, eta) else { return };
                let [middle, low, high] = [eta.seconds, eta.low, eta.high].map(spoken);
                self.note(&format!(
                    "(in line: place {place}; over in about {middle}, {low} to {high})"
                ));
            }
            JobEvent::VoteChanged(tally) => self.note(&format!("({tally})")),
            JobEvent::Interrupted(error) => {
                self.end_text();
                if let Some(interrupted) = self.followed.pop_front() {
                    self.memory.keep_untold(interrupted.ticket.name);
                }
                // That the box is being stopped is said once.
                if error.kind != Kind::Stopped {
                    self.complain(&error);
                }
            }
            JobEvent::Ended(end) => {
                self.end_text();
                self.memory.told = self.followed.pop_front().map(|followed| followed.ticket.name);
                self.tell_end(&end.outcome, &end.figures);
            }
            // The votes say as much, and what is on the screen already stays there.
            JobEvent::AttemptEnded(_) | JobEvent::Rewound { .. } => {}
        }
    }

    fn tell_end(&mut self, outcome: &Outcome, figures: &Figures) {
        let speed = format!(
            "{} tokens in {}, {:.1} tokens/s",
            figures.completion_tokens,
            spoken(figures.decode_seconds),
            figures.tokens_per_second()
        );
        match outcome {
            Outcome::Done if !self.has_keys => {}
            Outcome::Done => self.note(&format!("({speed})")),
            Outcome::Budget => self.note(&format!("(the budget of tokens ran out: {speed})")),
            Outcome::Stopped => self.note("(stopped)"),
            Outcome::Failed(error) => self.complain(error),
        }
    }

    fn end_text(&mut self) {
        self.hide_prompt();
        let shown = self.screen.end_text();
        self.link.say(&shown);
    }

    /// Looks whether the terminal has another width than it had.
    fn watch_width(&mut self) {
        let looks = looks(self.link.ends(), self.memory, self.screen.looks().letters);
        if looks.columns != self.screen.looks().columns {
            self.show_otherwise();
        }
    }

    /// Shows things as they are wished from here on.
    fn show_otherwise(&mut self) {
        let looks = looks(self.link.ends(), self.memory, self.screen.looks().letters);
        self.hide_prompt();
        self.screen.set_looks(looks);
        self.painter.set_terminal(looks.terminal);
        self.painter.set_width(looks.columns);
    }
}

/// Returns how things are shown at these ends, as far as nobody has said otherwise.
fn looks(ends: &Ends, memory: &Memory, letters: Letters) -> Looks {
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
