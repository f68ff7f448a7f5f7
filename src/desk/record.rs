//! The record of one job: its text and how it stands, read by any number of viewers.
//!
//! There is one log for all attempts of a job, interleaved as their texts came; an offset counts
//! its bytes. Readers wait for changes; the desk writes. Nothing here knows the engine or who
//! reads.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::estimate::Eta;
use crate::answers::vote::Tally;
use crate::types::answer::{Figures, Outcome, Part, Piece};
use crate::types::error::Error;
use crate::types::position::{LogPosition, Truncations};

/// How a job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Asked; its prompt is not checked yet (the model may still be loading).
    Asked,
    /// In line, the so-manieth to be begun; 1 is next.
    Waiting(usize),
    /// Being answered.
    Running,
    /// Over for this life of the box, which has the reason; the job goes on in the next.
    Interrupted(Error),
    /// Over.
    Ended(Outcome, Figures),
}

impl State {
    /// Returns whether nothing more comes in this life of the box.
    pub fn is_last(&self) -> bool {
        matches!(self, State::Ended(..) | State::Interrupted(_))
    }

    /// Returns its name, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            State::Asked | State::Waiting(_) => "queued",
            // Of one that is interrupted it is known only that it goes on.
            State::Running | State::Interrupted(_) => "running",
            State::Ended(outcome, _) => outcome.state(),
        }
    }

    /// Returns how it ended for who does not come back: an interrupted job has failed.
    pub fn end(&self) -> Option<(Outcome, Figures)> {
        match self {
            State::Ended(outcome, figures) => Some((outcome.clone(), *figures)),
            State::Interrupted(error) => Some((Outcome::Failed(error.clone()), Figures::default())),
            State::Asked | State::Waiting(_) | State::Running => None,
        }
    }
}

/// Text of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptText {
    /// Whose, from 0.
    pub attempt: u32,
    /// What.
    pub piece: Piece,
}

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptEnd {
    /// Which, from 0.
    pub attempt: u32,
    /// How.
    pub outcome: Outcome,
    /// What it took.
    pub figures: Figures,
}

/// What a reader sees at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// The text from the offset asked for.
    pub pieces: Vec<AttemptText>,
    /// The offset to ask for next.
    pub offset: usize,
    /// Bytes of text there are behind it: none, unless less was asked for than there is.
    pub rest_bytes: usize,
    /// How the job stands.
    pub state: State,
    /// The attempts that have ended, in that order; all their text is before `offset`.
    pub ends: Vec<AttemptEnd>,
    /// The votes so far, where attempts vote and one has ended.
    pub tally: Option<Arc<Tally>>,
    /// The attempt whose text is the job's; before its end the first.
    pub best: u32,
    /// When it will be over, once that has been estimated.
    pub eta: Option<Eta>,
    /// Counts changes: hand it to [`Record::wait`] to sleep until the next.
    pub version: u64,
}

/// One job's record.
#[derive(Debug)]
pub struct Record {
    log: Mutex<Log>,
    cuts: Truncations,
    changed: Condvar,
    /// Apart from `changed`, so that who waits for the end is not woken for every token.
    ended: Condvar,
}

#[derive(Debug)]
struct Log {
    text: String,
    /// The text in runs of one attempt and part.
    spans: Vec<Span>,
    state: State,
    ends: Vec<AttemptEnd>,
    tally: Option<Arc<Tally>>,
    eta: Option<Eta>,
    /// The attempt whose text is the job's.
    best: u32,
    version: u64,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    /// Where it ends in the text.
    end: usize,
    attempt: u32,
    part: Part,
}

impl Record {
    /// Opens an empty record of a job just asked.
    pub fn new() -> Record {
        Record::cut(Truncations::default())
    }

    /// Opens one of a job whose text was cut off by stops of the box.
    pub fn cut(cuts: Truncations) -> Record {
        let log = Log {
            text: String::new(),
            spans: Vec::new(),
            state: State::Asked,
            ends: Vec::new(),
            tally: None,
            eta: None,
            best: 0,
            version: 0,
        };
        Record { log: Mutex::new(log), cuts, changed: Condvar::new(), ended: Condvar::new() }
    }

    /// Appends text of an attempt.
    pub fn append(&self, attempt: u32, piece: &Piece) {
        let mut log = self.lock();
        log.text.push_str(&piece.text);
        let end = log.text.len();
        match log.spans.last_mut() {
            Some(last) if (last.attempt, last.part) == (attempt, piece.part) => last.end = end,
            _ => log.spans.push(Span { end, attempt, part: piece.part }),
        }
        self.note(log);
    }

    /// Changes how the job stands; after the last state nothing changes any more.
    pub fn set(&self, state: State) {
        let mut log = self.lock();
        if !log.state.is_last() && log.state != state {
            log.state = state;
            self.note(log);
        }
    }

    /// Notes that an attempt has ended.
    pub fn end_attempt(&self, end: AttemptEnd) {
        let mut log = self.lock();
        log.ends.push(end);
        self.note(log);
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
    pub fn set_best(&self, attempt: u32) {
        self.lock().best = attempt;
    }

    /// Returns all the text of one part of an attempt, without white space around it.
    pub fn text_of(&self, attempt: u32, part: Part) -> String {
        self.lock().text_of(attempt, part)
    }

    /// Returns the attempt whose texts are the job's; before its end the first.
    pub fn best(&self) -> u32 {
        self.lock().best
    }

    /// Returns how the job stands.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Returns how many bytes of text there are.
    pub fn bytes(&self) -> usize {
        self.lock().text.len()
    }

    /// Returns which stops of the box have cut off text of it.
    pub fn cuts(&self) -> &Truncations {
        &self.cuts
    }

    /// Returns where a reader goes on that has read to `place`; less far where it had seen what is
    /// not there any more.
    pub fn resume(&self, place: LogPosition) -> usize {
        let log = self.lock();
        log.text.floor_char_boundary(self.cuts.survived(place))
    }

    /// Returns the text from `offset` and how the job stands.
    ///
    /// An offset past the end, or inside a character, is moved back to the nearest place that is
    /// not.
    pub fn read(&self, offset: usize) -> View {
        self.read_some(offset, usize::MAX)
    }

    /// Returns no more than about `bytes_max` bytes of the text from `offset`, one character at
    /// least, and how the job stands: for who takes it slowly.
    pub fn read_some(&self, offset: usize, bytes_max: usize) -> View {
        self.lock().view(offset, bytes_max)
    }

    /// Blocks until something changed since `version` or `timeout` passed, then reads.
    pub fn wait(&self, version: u64, offset: usize, timeout: Duration) -> View {
        let until = Instant::now() + timeout;
        let mut log = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if log.version != version || left.is_zero() {
                return log.view(offset, usize::MAX);
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

    /// Blocks until the job has ended or is interrupted, and returns all of it.
    pub fn wait_ended(&self) -> Whole {
        let log = self.lock_ended();
        let (thinking, answer) =
            (log.text_of(log.best, Part::Thinking), log.text_of(log.best, Part::Answer));
        let (outcome, figures) = log.state.end().unwrap_or_else(|| unreachable!("it has ended"));
        Whole { thinking, answer, outcome, figures, tally: log.tally.clone() }
    }

    /// Blocks until the job has ended, and returns each of its attempts, by number.
    pub fn wait_choices(&self) -> Vec<Whole> {
        let log = self.lock_ended();
        let mut ends: Vec<&AttemptEnd> = log.ends.iter().collect();
        ends.sort_by_key(|end| end.attempt);
        let whole = |end: &AttemptEnd| Whole {
            thinking: log.text_of(end.attempt, Part::Thinking),
            answer: log.text_of(end.attempt, Part::Answer),
            outcome: end.outcome.clone(),
            figures: end.figures,
            tally: None,
        };
        ends.into_iter().map(whole).collect()
    }

    fn lock_ended(&self) -> MutexGuard<'_, Log> {
        let mut log = self.lock();
        while !log.state.is_last() {
            log = self.ended.wait(log).unwrap_or_else(PoisonError::into_inner);
        }
        log
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // Every change leaves the log whole, so a writer's panic does not spoil it.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, mut log: MutexGuard<'_, Log>) {
        log.version += 1;
        let ended = log.state.is_last();
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

/// An ended job or attempt: its parts, each without white space around it.
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
    fn text_of(&self, attempt: u32, part: Part) -> String {
        let mut start = 0;
        let mut text = String::new();
        for span in &self.spans {
            if (span.attempt, span.part) == (attempt, part) {
                text.push_str(&self.text[start..span.end]);
            }
            start = span.end;
        }
        text.trim().to_string()
    }

    fn view(&self, offset: usize, bytes_max: usize) -> View {
        let mut from = self.text.floor_char_boundary(offset);
        let to = self.text.ceil_char_boundary(from.saturating_add(bytes_max));
        // Readers are mostly near the end, of a log with a hundred thousand spans.
        let first = self.spans.partition_point(|span| span.end <= from);
        let mut pieces = Vec::new();
        for &Span { end, attempt, part } in &self.spans[first..] {
            if from >= to {
                break;
            }
            let end = end.min(to);
            let text = self.text[from..end].to_string();
            pieces.push(AttemptText { attempt, piece: Piece { part, text } });
            from = end;
        }
        View {
            pieces,
            offset: to.max(from),
            rest_bytes: self.text.len() - to.max(from),
            state: self.state.clone(),
            ends: self.ends.clone(),
            tally: self.tally.clone(),
            best: self.best,
            eta: self.eta,
            version: self.version,
        }
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
        record.append(0, &piece(Part::Thinking, "hm "));
        record.append(0, &piece(Part::Thinking, "数 "));
        record.append(0, &piece(Part::Answer, "391"));
        record
    }

    #[test]
    fn a_reader_from_any_offset_gets_exactly_the_rest() {
        let record = sample();
        let whole: String =
            record.read(0).pieces.iter().map(|said| said.piece.text.clone()).collect();
        assert_eq!(whole, "hm 数 391");
        for offset in (0..=whole.len()).filter(|&i| whole.is_char_boundary(i)) {
            let rest: String =
                record.read(offset).pieces.iter().map(|said| said.piece.text.clone()).collect();
            assert_eq!(rest, whole[offset..]);
        }
        assert_eq!(record.read(4).pieces[0].piece.text, "数 ");
        assert!(record.read(999).pieces.is_empty());
    }

    #[test]
    fn a_slow_reader_gets_all_of_it_in_parts() {
        let record = sample();
        for most in 1..12 {
            let (mut whole, mut offset) = (String::new(), 0);
            loop {
                let view = record.read_some(offset, most);
                let text: String = view.pieces.iter().map(|s| s.piece.text.as_str()).collect();
                assert!(text.len() <= most + 2, "a character of 3 bytes may be the last");
                assert_eq!(view.offset, offset + text.len());
                whole += &text;
                offset = view.offset;
                if view.rest_bytes == 0 {
                    break;
                }
            }
            assert_eq!(whole, "hm 数 391");
        }
    }

    #[test]
    fn attempts_are_interleaved_in_one_log_and_told_apart() {
        let record = Record::new();
        let texts = [(0, "a1 "), (1, "b1 "), (1, "b2 "), (0, "a2 ")];
        for (attempt, text) in texts {
            record.append(attempt, &piece(Part::Answer, text));
        }
        let view = record.read(4);
        let pieces: Vec<(u32, &str)> =
            view.pieces.iter().map(|said| (said.attempt, said.piece.text.as_str())).collect();
        assert_eq!(pieces, [(1, "1 b2 "), (0, "a2 ")]);
        assert_eq!(record.text_of(0, Part::Answer), "a1 a2");
        assert_eq!(record.text_of(1, Part::Answer), "b1 b2");
    }

    #[test]
    fn a_reader_that_saw_more_than_survived_goes_back_to_what_did() {
        let record = Record::cut([10, 6].into_iter().collect());
        record.append(0, &piece(Part::Answer, "0123456789abcdef"));
        let at = |offset, start| record.resume(LogPosition { offset, start });
        assert_eq!([at(4, 0), at(8, 0), at(12, 0)], [4, 6, 6]);
        assert_eq!([at(8, 1), at(8, 2), at(99, 2)], [6, 8, 16]);
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
            record.append(0, &piece(Part::Answer, "!"));
            assert_eq!(reader.join().unwrap().pieces[0].piece.text, "!");
        });
    }
}
