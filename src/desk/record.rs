//! The record of one job: its text and its state, shared by the desk and any number of readers.
//!
//! All attempts of a job write to one log, interleaved in the order their text arrived; an offset
//! counts its bytes. The desk writes, and the journal's thread publishes an end once it is on the
//! disk. Readers follow a job with [`Feed`](super::feed::Feed), which waits here. The record knows
//! neither the engine nor its readers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::estimate::Eta;
use crate::answers::value::{Value, of_attempt};
use crate::answers::vote::Tally;
use crate::engine::split_at_lone_close;
use crate::types::answer::{Figures, Outcome, Part, Piece};
use crate::types::error::Error;
use crate::types::position::{LogPosition, Truncations};

/// The state of a job, as its readers see it.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Accepted; its prompt is not prepared yet, for example because the model is being loaded.
    Preparing,
    /// Prepared, and waiting for a slot of the engine.
    Queued,
    /// At least one attempt has started.
    Running,
    /// Interrupted because the box stops, for this reason; the job continues at the next start.
    Interrupted(Error),
    /// Ended. Of a durable job the end is on the disk, unless the disk cannot be written.
    Ended(Outcome, Figures),
}

impl State {
    /// Returns whether the record changes no more before the box is restarted.
    pub fn is_last(&self) -> bool {
        matches!(self, State::Ended(..) | State::Interrupted(_))
    }

    /// Returns the state's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            State::Preparing | State::Queued => "queued",
            // An interrupted job continues at the next start.
            State::Running | State::Interrupted(_) => "running",
            State::Ended(outcome, _) => outcome.state(),
        }
    }

    /// Returns the end for a reader that does not come back: to it an interrupted job has failed.
    pub fn end(&self) -> Option<(Outcome, Figures)> {
        match self {
            State::Ended(outcome, figures) => Some((outcome.clone(), *figures)),
            State::Interrupted(error) => Some((Outcome::Failed(error.clone()), Figures::default())),
            State::Preparing | State::Queued | State::Running => None,
        }
    }
}

/// A piece of text and the attempt that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptText {
    /// Index of the attempt, from 0.
    pub attempt: u32,
    /// The text, and whether it belongs to the thinking or to the answer.
    pub piece: Piece,
}

/// The end of one attempt of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptEnd {
    /// Index of the attempt, from 0.
    pub attempt: u32,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// Tokens and seconds that the attempt took.
    pub figures: Figures,
}

/// A snapshot of a job's record, from one offset of its log on.
#[derive(Clone, Debug)]
pub struct View {
    /// The text from the offset that was asked for.
    pub pieces: Vec<AttemptText>,
    /// The offset behind `pieces`, to continue from.
    pub offset: usize,
    /// Bytes of the log behind `offset`; 0 unless the read was limited.
    pub rest_bytes: usize,
    /// The state of the job.
    pub state: State,
    /// The job's place in the queue; see [`Record::place`].
    pub place: Option<usize>,
    /// The attempts that have ended, in that order; unless the read was limited, all their text is
    /// before `offset`.
    pub ends: Vec<AttemptEnd>,
    /// The votes so far, if the attempts vote and one has ended.
    pub tally: Option<Arc<Tally>>,
    /// The attempt whose text is the job's; the first until the job ends.
    pub best: u32,
    /// When the job is expected to end, once that has been estimated.
    pub eta: Option<Eta>,
    /// When the job ended, by the calendar.
    pub ended_at: Option<SystemTime>,
    /// Number of changes so far; [`Record::wait`] blocks until it differs.
    pub version: u64,
}

/// The record of one job: its log, its state, and what its readers wait for.
#[derive(Debug)]
pub struct Record {
    log: Mutex<Log>,
    cuts: Truncations,
    changed: Condvar,
    /// Separate from `changed`, so that waiting for the end does not wake at every token.
    ended: Condvar,
}

#[derive(Debug)]
struct Log {
    text: String,
    /// Divides the text into runs of one attempt and part.
    spans: Vec<Span>,
    state: State,
    /// Place in the queue while no attempt has started.
    place: Option<usize>,
    ends: Vec<AttemptEnd>,
    tally: Option<Arc<Tally>>,
    eta: Option<Eta>,
    best: u32,
    ended_at: Option<SystemTime>,
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
    /// Makes the empty record of a new job.
    pub fn new() -> Record {
        Record::cut(Truncations::default())
    }

    /// Makes the empty record of a restored job whose log was truncated at these restarts.
    pub fn cut(cuts: Truncations) -> Record {
        let log = Log {
            text: String::new(),
            spans: Vec::new(),
            state: State::Preparing,
            place: None,
            ends: Vec::new(),
            tally: None,
            eta: None,
            best: 0,
            ended_at: None,
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

    /// Changes the job's state; does nothing after the last one.
    pub fn set(&self, state: State) {
        let mut log = self.lock();
        if !log.state.is_last() && log.state != state {
            log.state = state;
            self.note(log);
        }
    }

    /// Publishes the job's end at the time `at`, and the attempt whose text is the job's.
    pub fn end(&self, best: u32, outcome: Outcome, figures: Figures, at: SystemTime) {
        let mut log = self.lock();
        if !log.state.is_last() {
            (log.best, log.ended_at) = (best, Some(at));
            log.state = State::Ended(outcome, figures);
            self.note(log);
        }
    }

    /// Publishes the state and the place in the queue of a job of which no attempt has started.
    pub fn set_queued(&self, state: State, place: usize) {
        let mut log = self.lock();
        if !log.state.is_last() && (&log.state, log.place) != (&state, Some(place)) {
            (log.state, log.place) = (state, Some(place));
            self.note(log);
        }
    }

    /// Adds the end of an attempt.
    pub fn end_attempt(&self, end: AttemptEnd) {
        let mut log = self.lock();
        log.ends.push(end);
        self.note(log);
    }

    /// Publishes the votes so far.
    pub fn set_tally(&self, tally: &Tally) {
        let mut log = self.lock();
        log.tally = Some(Arc::new(tally.clone()));
        self.note(log);
    }

    /// Publishes when the job is expected to end.
    pub fn set_eta(&self, eta: Eta) {
        let mut log = self.lock();
        log.eta = Some(eta);
        self.note(log);
    }

    /// Returns the whole text of one part of an attempt, trimmed.
    pub fn text_of(&self, attempt: u32, part: Part) -> String {
        self.lock().text_of(attempt, part)
    }

    /// Returns the answer of an attempt, as votes compare it; `None` if it gave none.
    pub fn value_of(&self, attempt: u32) -> Option<Value> {
        let (thinking, answer) = {
            let log = self.lock();
            (log.text_of(attempt, Part::Thinking), log.text_of(attempt, Part::Answer))
        };
        of_attempt(&thinking, &answer)
    }

    /// Returns the attempt whose text is the job's; the first until the job ends.
    pub fn best(&self) -> u32 {
        self.lock().best
    }

    /// Returns the job's state.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Returns the job's place in the queue: 1 for the next to start, 0 once an attempt has
    /// started, `None` after the last state and for a job that no desk has queued.
    ///
    /// Jobs that are not prepared yet come after all that are.
    pub fn place(&self) -> Option<usize> {
        self.lock().place()
    }

    /// Returns the length of the log in bytes.
    pub fn bytes(&self) -> usize {
        self.lock().text.len()
    }

    /// Returns where restarts of the box have truncated the log.
    pub fn cuts(&self) -> &Truncations {
        &self.cuts
    }

    /// Returns the offset from which a reader at this position continues: an earlier one if a
    /// restart of the box has truncated the log since.
    pub fn resume(&self, place: LogPosition) -> usize {
        let log = self.lock();
        log.text.floor_char_boundary(self.cuts.survived(place))
    }

    /// Returns a snapshot with all text from `offset` on.
    ///
    /// An offset past the end or inside a character is moved back to the nearest valid one.
    pub fn read(&self, offset: usize) -> View {
        self.read_some(offset, usize::MAX)
    }

    /// Returns a snapshot with about `bytes_max` bytes of the text from `offset` on, at least one
    /// character, for readers behind a slow line.
    pub fn read_some(&self, offset: usize, bytes_max: usize) -> View {
        self.lock().view(offset, bytes_max)
    }

    /// Blocks until the version differs from `version` or `timeout` has passed; returns a snapshot
    /// with all text from `offset` on.
    pub fn wait(&self, version: u64, offset: usize, timeout: Duration) -> View {
        self.wait_some(version, offset, usize::MAX, timeout)
    }

    /// Blocks like [`Record::wait`]; returns as much as [`Record::read_some`].
    pub(super) fn wait_some(
        &self,
        version: u64,
        offset: usize,
        bytes_max: usize,
        timeout: Duration,
    ) -> View {
        self.lock_changed(timeout, |log| log.version != version).view(offset, bytes_max)
    }

    /// Blocks until the prompt is prepared, the job has ended or `timeout` has passed; returns the
    /// state then.
    pub fn wait_prepared(&self, timeout: Duration) -> State {
        self.lock_changed(timeout, |log| log.state != State::Preparing).state.clone()
    }

    /// Blocks until the job has ended or is interrupted, or `timeout` has passed; returns whether
    /// it has ended.
    pub fn has_ended_within(&self, timeout: Duration) -> bool {
        self.lock_changed(timeout, |log| log.state.is_last()).state.is_last()
    }

    /// Blocks until the job has ended or is interrupted; returns its answer.
    pub fn wait_ended(&self) -> FinishedAnswer {
        let log = self.lock_ended();
        let (thinking, answer) =
            (log.text_of(log.best, Part::Thinking), log.text_of(log.best, Part::Answer));
        let (outcome, figures) = log.state.end().unwrap_or_else(|| unreachable!("it has ended"));
        FinishedAnswer { thinking, answer, outcome, figures, tally: log.tally.clone() }
    }

    /// Blocks until the job has ended or is interrupted; returns the answers of its attempts, by
    /// index.
    pub fn wait_choices(&self) -> Vec<FinishedAnswer> {
        let log = self.lock_ended();
        let mut ends: Vec<&AttemptEnd> = log.ends.iter().collect();
        ends.sort_by_key(|end| end.attempt);
        let whole = |end: &AttemptEnd| FinishedAnswer {
            thinking: log.text_of(end.attempt, Part::Thinking),
            answer: log.text_of(end.attempt, Part::Answer),
            outcome: end.outcome.clone(),
            figures: end.figures,
            tally: None,
        };
        ends.into_iter().map(whole).collect()
    }

    /// Blocks until `is_met` by the log or `timeout` has passed.
    fn lock_changed(
        &self,
        timeout: Duration,
        is_met: impl Fn(&Log) -> bool,
    ) -> MutexGuard<'_, Log> {
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, |log| !is_met(log));
        waited.unwrap_or_else(PoisonError::into_inner).0
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

/// The answer of a job or attempt that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedAnswer {
    /// The thinking, trimmed; the best attempt's if there are several.
    pub thinking: String,
    /// The answer, trimmed; the best attempt's if there are several.
    pub answer: String,
    /// How the job or attempt ended.
    pub outcome: Outcome,
    /// Tokens and seconds that it took.
    pub figures: Figures,
    /// The votes, if attempts voted.
    pub tally: Option<Arc<Tally>>,
}

impl Log {
    fn place(&self) -> Option<usize> {
        match self.state {
            State::Preparing | State::Queued => self.place,
            State::Running => Some(0),
            State::Interrupted(_) | State::Ended(..) => None,
        }
    }

    /// Returns the text of a part; a thinking that the model closed without having opened it was
    /// sent as a part of the answer.
    fn text_of(&self, attempt: u32, part: Part) -> String {
        let has_thinking =
            self.spans.iter().any(|span| (span.attempt, span.part) == (attempt, Part::Thinking));
        let text = self.text_sent(attempt, if has_thinking { part } else { Part::Answer });
        let text = match (part, split_at_lone_close(&text)) {
            _ if has_thinking => &text,
            (Part::Thinking, whole) => whole.map_or("", |(thinking, _)| thinking),
            (Part::Answer, whole) => whole.map_or(&*text, |(_, answer)| answer),
        };
        text.trim().to_string()
    }

    fn text_sent(&self, attempt: u32, part: Part) -> String {
        let mut start = 0;
        let mut text = String::new();
        for span in &self.spans {
            if (span.attempt, span.part) == (attempt, part) {
                text.push_str(&self.text[start..span.end]);
            }
            start = span.end;
        }
        text
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
            place: self.place(),
            ends: self.ends.clone(),
            tally: self.tally.clone(),
            best: self.best,
            eta: self.eta,
            ended_at: self.ended_at,
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
    fn a_thinking_that_is_closed_without_having_been_opened_is_split_from_the_answer() {
        let record = Record::new();
        record.append(0, &piece(Part::Answer, "17 × 23 </thi"));
        record.append(0, &piece(Part::Answer, "nk>\n\\boxed{391}"));
        let texts = [Part::Thinking, Part::Answer].map(|part| record.text_of(0, part));
        assert_eq!(texts, ["17 × 23", "\\boxed{391}"]);
        // Thinking that was split off as it came: the tag is text of the answer.
        record.append(1, &piece(Part::Thinking, "hm"));
        record.append(1, &piece(Part::Answer, "a</think>b"));
        let texts = [Part::Thinking, Part::Answer].map(|part| record.text_of(1, part));
        assert_eq!(texts, ["hm", "a</think>b"]);
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
