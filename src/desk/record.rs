//! The record of one job: its text and how it stands, read by any number of viewers.
//!
//! An offset counts bytes of the job's text, thinking and answer interleaved as they came. Readers
//! wait for changes; the desk writes. Nothing here knows the engine or who reads.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::estimate::Eta;
use crate::words::answer::{Figures, Outcome, Part, Piece};
use crate::words::vote::Tally;

/// How a job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Asked; its prompt is not checked yet (the model may still be loading).
    Asked,
    /// In line, the so-manieth to be begun; 1 is next.
    Waiting(usize),
    /// Being answered.
    Running,
    /// Over.
    Ended(Outcome, Figures),
}

/// What a reader sees at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// The text from the offset asked for, in pieces.
    pub pieces: Vec<Piece>,
    /// The offset to ask for next.
    pub offset: usize,
    /// How the job stands.
    pub state: State,
    /// The votes so far, where attempts vote and one has ended.
    pub tally: Option<Arc<Tally>>,
    /// When it will be over, once that has been estimated.
    pub eta: Option<Eta>,
    /// Counts changes: hand it to [`Record::wait`] to sleep until the next.
    pub version: u64,
}

/// One job's record.
#[derive(Debug)]
pub struct Record {
    log: Mutex<Log>,
    changed: Condvar,
    /// Apart from `changed`, so that who waits for the end is not woken for every token.
    ended: Condvar,
}

#[derive(Debug)]
struct Log {
    text: String,
    /// Where each run of one part ends in `text`.
    runs: Vec<(usize, Part)>,
    state: State,
    tally: Option<Arc<Tally>>,
    eta: Option<Eta>,
    /// What stands for the job where several attempts were made.
    best: Option<Arc<Record>>,
    version: u64,
}

impl Record {
    /// Opens an empty record of a job just asked.
    pub fn new() -> Record {
        let log = Log {
            text: String::new(),
            runs: Vec::new(),
            state: State::Asked,
            tally: None,
            eta: None,
            best: None,
            version: 0,
        };
        Record { log: Mutex::new(log), changed: Condvar::new(), ended: Condvar::new() }
    }

    /// Appends text.
    pub fn append(&self, piece: &Piece) {
        let mut log = self.lock();
        log.text.push_str(&piece.text);
        let end = log.text.len();
        match log.runs.last_mut() {
            Some(run) if run.1 == piece.part => run.0 = end,
            _ => log.runs.push((end, piece.part)),
        }
        self.note(log);
    }

    /// Changes how the job stands; after `Ended` nothing changes any more.
    pub fn set(&self, state: State) {
        let mut log = self.lock();
        if !matches!(log.state, State::Ended(..)) && log.state != state {
            log.state = state;
            self.note(log);
        }
    }

    /// Shows the votes so far.
    pub fn set_tally(&self, tally: &Tally) {
        let mut log = self.lock();
        log.tally = Some(Arc::new(tally.clone()));
        self.note(log);
    }

    /// Says when the job will be over.
    pub fn set_eta(&self, eta: Eta) {
        let mut log = self.lock();
        log.eta = Some(eta);
        self.note(log);
    }

    /// Names the attempt whose texts are the job's, to be done before its end.
    pub fn set_best(&self, best: Arc<Record>) {
        self.lock().best = Some(best);
    }

    /// Wakes readers for what has changed elsewhere: a record of one of the job's answers.
    pub fn touch(&self) {
        self.note(self.lock());
    }

    /// Returns all the text of one part, without white space around it.
    pub fn text_of(&self, part: Part) -> String {
        self.lock().text_of(part)
    }

    /// Returns the text from `offset` and how the job stands.
    ///
    /// An offset past the end, or inside a character, is moved back to the nearest place that is
    /// not.
    pub fn read(&self, offset: usize) -> View {
        self.lock().view(offset)
    }

    /// Blocks until something changed since `version` or `timeout` passed, then reads.
    pub fn wait(&self, version: u64, offset: usize, timeout: Duration) -> View {
        let until = Instant::now() + timeout;
        let mut log = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if log.version != version || left.is_zero() {
                return log.view(offset);
            }
            log = self.changed.wait_timeout(log, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Blocks until the question is accepted or refused, or `timeout` passed, then reads.
    pub fn wait_verdict(&self, timeout: Duration) -> View {
        let until = Instant::now() + timeout;
        let mut view = self.read(0);
        // Other things change as well, such as when it will be over.
        while view.state == State::Asked && Instant::now() < until {
            view = self.wait(view.version, 0, until.saturating_duration_since(Instant::now()));
        }
        view
    }

    /// Blocks until the job has ended, and returns all of it.
    pub fn wait_ended(&self) -> Whole {
        let mut log = self.lock();
        loop {
            if let State::Ended(outcome, figures) = &log.state {
                let (outcome, figures) = (outcome.clone(), *figures);
                let best = log.best.clone();
                let of = |part| match &best {
                    Some(record) => record.text_of(part),
                    None => log.text_of(part),
                };
                let (thinking, answer) = (of(Part::Thinking), of(Part::Answer));
                return Whole { thinking, answer, outcome, figures, tally: log.tally.clone() };
            }
            log = self.ended.wait(log).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // Every change leaves the log whole, so a writer's panic does not spoil it.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, mut log: MutexGuard<'_, Log>) {
        log.version += 1;
        let ended = matches!(log.state, State::Ended(..));
        drop(log);
        self.changed.notify_all();
        if ended {
            self.ended.notify_all();
        }
    }
}

impl Default for Record {
    fn default() -> Record {
        Record::new()
    }
}

/// An ended job: its parts, each without white space around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// All that was thought, by the best attempt where several were made.
    pub thinking: String,
    /// All that was answered.
    pub answer: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it took.
    pub figures: Figures,
    /// The votes, where attempts voted.
    pub tally: Option<Arc<Tally>>,
}

impl Log {
    fn text_of(&self, part: Part) -> String {
        let mut start = 0;
        let mut text = String::new();
        for &(end, of) in &self.runs {
            if of == part {
                text.push_str(&self.text[start..end]);
            }
            start = end;
        }
        text.trim().to_string()
    }

    fn view(&self, offset: usize) -> View {
        let from = self.text.floor_char_boundary(offset);
        let mut start = 0;
        let mut pieces = Vec::new();
        for &(end, part) in &self.runs {
            if end > from {
                pieces.push(Piece { part, text: self.text[start.max(from)..end].to_string() });
            }
            start = end;
        }
        let (state, version) = (self.state.clone(), self.version);
        let (tally, eta) = (self.tally.clone(), self.eta);
        View { pieces, offset: self.text.len(), state, tally, eta, version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(part: Part, text: &str) -> Piece {
        Piece { part, text: text.into() }
    }

    fn sample() -> Record {
        let record = Record::new();
        record.append(&piece(Part::Thinking, "hm "));
        record.append(&piece(Part::Thinking, "数 "));
        record.append(&piece(Part::Answer, "391"));
        record
    }

    #[test]
    fn a_reader_from_any_offset_gets_exactly_the_rest() {
        let record = sample();
        let whole: String = record.read(0).pieces.iter().map(|p| p.text.clone()).collect();
        assert_eq!(whole, "hm 数 391");
        for offset in (0..=whole.len()).filter(|&i| whole.is_char_boundary(i)) {
            let rest: String = record.read(offset).pieces.iter().map(|p| p.text.clone()).collect();
            assert_eq!(rest, whole[offset..]);
        }
        assert_eq!(record.read(4).pieces[0].text, "数 ");
        assert!(record.read(999).pieces.is_empty());
    }

    #[test]
    fn nothing_changes_after_the_end() {
        let record = sample();
        record.set(State::Ended(Outcome::Done, Figures::default()));
        record.set(State::Running);
        let whole = record.wait_ended();
        assert_eq!((whole.thinking.as_str(), whole.answer.as_str()), ("hm 数", "391"));
        assert_eq!(whole.outcome, Outcome::Done);
    }

    #[test]
    fn a_waiting_reader_wakes_at_a_change() {
        let record = sample();
        let seen = record.read(0);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| record.wait(seen.version, seen.offset, Duration::MAX / 4));
            record.append(&piece(Part::Answer, "!"));
            assert_eq!(reader.join().unwrap().pieces[0].text, "!");
        });
    }
}
