//! The state machine of one job: its attempts, their vote, and its end.
//!
//! Fills the job's record, and hands the end of a durable job to the journal. Gives no orders and
//! does not know the queue. A job that the journal has stored is restored with its attempts where
//! they were.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::estimate::Pending;
use super::record::{AttemptEnd, Record, State};
use super::{Durability, Submitted, Ticket};
use crate::answers::vote::{Ballot, Tally, shown_value};
use crate::engine::protocol::Prompt;
use crate::store::{Journal, NewJob, StoredEnd, StoredJob};
use crate::types::answer::{Delta, Figures, Outcome, Part};
use crate::types::error::Error;
use crate::types::job::{Client, JobId, JobName, Question};

/// Why a job's attempts are being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    /// They are not being stopped.
    No,
    /// A person stopped the job.
    Unwanted,
    /// The vote is decided.
    Decided,
}

/// A selection of the attempts that the engine does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unstarted {
    /// All of these attempts.
    All,
    /// The attempts that had not begun before a restart either.
    NeverBegun,
}

/// One job that has not ended.
pub struct JobState {
    pub(super) id: JobId,
    pub(super) name: JobName,
    pub(super) question: Arc<Question>,
    pub(super) client: Client,
    /// When the question was asked, or when this process was started if that was later.
    pub(super) asked: Instant,
    /// When the question was asked, by the calendar.
    asked_at: SystemTime,
    pub(super) durability: Durability,
    /// `None` until the engine has prepared it.
    pub(super) prompt: Option<Arc<Prompt>>,
    pub(super) record: Arc<Record>,
    /// Whether others may learn of the job: a durable one is on the disk by then.
    pub(super) is_accepted: bool,
    /// Whether the job is deleted from the journal as soon as possible.
    pub(super) is_forgotten: bool,
    stopping: Stopping,
    /// Whether a person asked for the answer at once.
    pub(super) answer_now: bool,
    /// How often the process crashed while it worked on the job.
    pub(super) crashes: u32,
    attempts: Vec<AttemptState>,
    tally: Tally,
}

struct AttemptState {
    stage: AttemptStage,
    generated_tokens: u32,
    /// What it wrote before a restart, until it is handed to the engine.
    written: Vec<Delta>,
}

#[derive(Clone, Debug, PartialEq)]
enum AttemptStage {
    Waiting,
    Started,
    Ended(Outcome, Figures),
}

impl JobState {
    /// Makes the state of a new job.
    pub fn new(new: NewJob, durability: Durability) -> JobState {
        let NewJob { id, name, client, question, asked: asked_at, request: _ } = new;
        let attempts = question.attempts;
        let attempt = |_| AttemptState {
            stage: AttemptStage::Waiting,
            generated_tokens: 0,
            written: Vec::new(),
        };
        JobState {
            id,
            name,
            attempts: (0..attempts).map(attempt).collect(),
            tally: Tally::new(attempts),
            asked: Instant::now(),
            asked_at,
            durability,
            prompt: None,
            record: Arc::new(Record::new()),
            is_accepted: false,
            is_forgotten: false,
            stopping: Stopping::No,
            answer_now: false,
            crashes: 0,
            question,
            client,
        }
    }

    /// Restores the state of a job from the journal.
    pub fn restore(stored: StoredJob) -> JobState {
        let StoredJob { id, name, client, question, asked, .. } = stored;
        let new = NewJob { id, name, client, question, asked, request: None };
        let mut job = JobState::new(new, Durability::Durable);
        job.record = Arc::new(Record::cut(stored.cuts));
        (job.answer_now, job.crashes) = (stored.answer_now, stored.crashes);
        if stored.stopping {
            job.stopping = Stopping::Unwanted;
        }
        for (number, delta) in stored.log {
            job.append(number, &delta);
            job.attempts[number as usize].generated_tokens += delta.tokens.len() as u32;
            job.attempts[number as usize].written.push(delta);
        }
        for (number, outcome, figures) in stored.ends {
            job.end_attempt(number, outcome, figures);
        }
        if let Some(StoredEnd { outcome, figures, at }) = stored.end {
            job.record.end(job.best(), outcome, figures, at);
        }
        job
    }

    /// Returns the job for the journal, without the tokens that continuing it would need.
    pub fn stored(&self) -> StoredJob {
        let view = self.record.read(0);
        let log = view.pieces.into_iter().map(|said| {
            let pieces = vec![said.piece];
            (said.attempt, Delta { pieces, ..Delta::default() })
        });
        StoredJob {
            id: self.id,
            name: self.name,
            client: self.client,
            question: self.question.clone(),
            asked: self.asked_at,
            log: log.collect(),
            ends: view.ends.into_iter().map(|e| (e.attempt, e.outcome, e.figures)).collect(),
            end: match (view.state, view.ended_at) {
                (State::Ended(outcome, figures), Some(at)) => {
                    Some(StoredEnd { outcome, figures, at })
                }
                _ => None,
            },
            cuts: self.record.cuts().clone(),
            crashes: self.crashes,
            answer_now: self.answer_now,
            stopping: self.stopping == Stopping::Unwanted,
        }
    }

    /// Returns a ticket for the job.
    pub fn ticket(&self) -> Ticket {
        Ticket {
            job: self.id,
            name: self.name,
            client: self.client,
            question: self.question.clone(),
            asked: self.asked_at,
            durability: self.durability,
            submitted: Submitted::New,
            record: self.record.clone(),
        }
    }

    /// Returns whether any attempt was started since the process was.
    pub fn is_started(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.stage != AttemptStage::Waiting)
    }

    /// Returns whether any attempt has begun, be it before a restart.
    pub fn has_begun(&self) -> bool {
        let has_begun = |attempt: &AttemptState| {
            attempt.stage != AttemptStage::Waiting || !attempt.written.is_empty()
        };
        self.attempts.iter().any(has_begun)
    }

    /// Returns the attempts that have not ended.
    pub fn running(&self) -> impl Iterator<Item = u32> {
        let running =
            |attempt: &(u32, &AttemptState)| !matches!(attempt.1.stage, AttemptStage::Ended(..));
        (0..).zip(&self.attempts).filter(running).map(|(number, _)| number)
    }

    /// Starts an attempt; returns what it wrote before a restart, or `None` if the engine knows the
    /// attempt already.
    pub fn start_attempt(&mut self, number: u32) -> Option<Vec<Delta>> {
        let attempt = &mut self.attempts[number as usize];
        if attempt.stage != AttemptStage::Waiting {
            return None;
        }
        attempt.stage = AttemptStage::Started;
        self.record.set(State::Running);
        Some(std::mem::take(&mut attempt.written))
    }

    /// Appends an attempt's text to the record.
    pub fn append(&mut self, number: u32, delta: &Delta) {
        delta.pieces.iter().for_each(|piece| self.record.append(number, piece));
    }

    /// Counts tokens that an attempt has drawn.
    pub fn count(&mut self, number: u32, tokens: u32) {
        self.attempts[number as usize].generated_tokens += tokens;
    }

    /// Returns how many tokens all attempts have drawn.
    pub fn tokens(&self) -> u64 {
        self.attempts.iter().map(|attempt| u64::from(attempt.generated_tokens)).sum()
    }

    /// Returns what an estimate needs to know about the job.
    pub fn pending(&self, job: JobId) -> Pending {
        let running = self
            .attempts
            .iter()
            .filter(|attempt| !matches!(attempt.stage, AttemptStage::Ended(..)));
        let generated: Vec<u32> = running.map(|attempt| attempt.generated_tokens).collect();
        Pending {
            job,
            client: self.client,
            mode: self.question.mode.clone(),
            budget_tokens: self.question.budget_tokens,
            needed: match self.question.is_voted() {
                true => generated.len().min(self.tally.still_needed() as usize),
                false => generated.len(),
            },
            generated,
        }
    }

    /// Ends an attempt, and adds its answer to the votes.
    pub fn end_attempt(&mut self, number: u32, outcome: Outcome, figures: Figures) {
        let attempt = &mut self.attempts[number as usize];
        if matches!(attempt.stage, AttemptStage::Ended(..)) {
            return;
        }
        attempt.stage = AttemptStage::Ended(outcome.clone(), figures);
        attempt.written = Vec::new();
        let counts = matches!(outcome, Outcome::Done | Outcome::Budget);
        self.record.end_attempt(AttemptEnd { attempt: number, outcome, figures });
        if self.question.attempts > 1 && counts {
            let value = self.record.value_of(number);
            let mean_logprob = figures.mean_log_probability;
            self.tally.add(Ballot { attempt: number, value, mean_logprob });
            if self.question.is_voted() {
                self.record.set_tally(&self.tally);
            }
        }
    }

    /// Ends attempts that the engine does not know with this outcome. Returns their indices, and
    /// what they took before a restart.
    pub fn end_unstarted(&mut self, which: Unstarted, outcome: &Outcome) -> Vec<(u32, Figures)> {
        let figures = |attempt: &AttemptState| Figures {
            completion_tokens: attempt.generated_tokens,
            ..Figures::default()
        };
        let waits = |attempt: &AttemptState| {
            let is_meant = which == Unstarted::All || attempt.written.is_empty();
            attempt.stage == AttemptStage::Waiting && is_meant
        };
        let attempts = (0..).zip(&self.attempts).filter(|(_, attempt)| waits(attempt));
        let waiting: Vec<(u32, Figures)> =
            attempts.map(|(number, attempt)| (number, figures(attempt))).collect();
        for &(number, figures) in &waiting {
            self.end_attempt(number, outcome.clone(), figures);
        }
        waiting
    }

    /// Marks the job as stopped by a person; returns false if it is being stopped already.
    pub fn stop(&mut self) -> bool {
        let is_first = self.stopping == Stopping::No;
        if is_first {
            self.stopping = Stopping::Unwanted;
        }
        is_first
    }

    /// Returns whether a person stopped the job.
    pub fn is_unwanted(&self) -> bool {
        self.stopping == Stopping::Unwanted
    }

    /// Marks the job as decided, so that its other attempts are stopped.
    pub fn decide(&mut self) {
        self.stopping = Stopping::Decided;
    }

    /// Returns whether the vote is decided before all attempts have ended.
    pub fn is_decided(&self) -> bool {
        self.question.is_voted()
            && self.stopping == Stopping::No
            && !self.is_over()
            && self.tally.is_decided()
    }

    /// Returns whether all attempts have ended.
    pub fn is_over(&self) -> bool {
        self.attempts.iter().all(|attempt| matches!(attempt.stage, AttemptStage::Ended(..)))
    }

    /// Returns the end of a job all of whose attempts have ended.
    pub fn end(&self) -> (Outcome, Figures) {
        let ends = self.attempts.iter().filter_map(|attempt| match &attempt.stage {
            AttemptStage::Ended(outcome, figures) => Some((outcome, figures)),
            _ => None,
        });
        let figures = together(ends.clone().map(|(_, figures)| figures));
        let outcome = match self.stopping {
            Stopping::Unwanted => Outcome::Stopped,
            _ => ends
                .clone()
                .nth(self.best() as usize)
                .map_or(Outcome::Stopped, |(outcome, _)| outcome.clone()),
        };
        (outcome, figures)
    }

    /// Publishes the job's end: once it is on the disk if the job is durable, else at once.
    pub fn close(&self, outcome: Outcome, figures: Figures, journal: Option<&Journal>) {
        let (record, best, at) = (self.record.clone(), self.best(), SystemTime::now());
        match journal.filter(|_| self.durability == Durability::Durable) {
            Some(journal) => {
                let end = StoredEnd { outcome: outcome.clone(), figures, at };
                let publish = move || record.end(best, outcome, figures, at);
                journal.ended(self.id, end, self.value(), Box::new(publish));
            }
            None => record.end(best, outcome, figures, at),
        }
    }

    /// Returns the value of the answer of a job that has ended.
    pub fn value(&self) -> Option<String> {
        let text = |part| self.record.text_of(self.best(), part);
        shown_value(&self.question, Some(&self.tally), &text(Part::Thinking), &text(Part::Answer))
    }

    fn best(&self) -> u32 {
        self.tally.winner().unwrap_or(0)
    }

    /// Interrupts the job because the box stops; only a durable one continues at the next start.
    pub fn interrupt(&self, error: &Error) {
        if self.is_durable() {
            self.record.set(State::Interrupted(error.clone()));
        } else {
            let outcome = Outcome::Failed(error.clone());
            self.record.end(self.best(), outcome, Figures::default(), SystemTime::now());
        }
    }

    /// Returns whether the job is in the journal and continues after a restart.
    pub fn is_durable(&self) -> bool {
        self.durability == Durability::Durable && !self.is_forgotten
    }

    /// Returns whether the job can be found by its name.
    pub fn is_findable(&self) -> bool {
        self.durability != Durability::Never && !self.is_forgotten
    }
}

/// Returns what several attempts took together: the sum of their tokens, and the time from the
/// start of the first to the end of the last.
fn together<'f>(figures: impl Iterator<Item = &'f Figures>) -> Figures {
    let began = |figures: &&Figures| figures.completion_tokens > 0;
    let mut all = figures.filter(began).copied();
    let Some(first) = all.next() else { return Figures::default() };
    all.fold(first, |sum, one| Figures {
        prompt_tokens: sum.prompt_tokens.max(one.prompt_tokens),
        completion_tokens: sum.completion_tokens + one.completion_tokens,
        thinking_tokens: sum.thinking_tokens + one.thinking_tokens,
        thinking_was_cut_off: sum.thinking_was_cut_off || one.thinking_was_cut_off,
        prompt_seconds: sum.prompt_seconds.min(one.prompt_seconds),
        first_token_seconds: sum.first_token_seconds.min(one.first_token_seconds),
        decode_seconds: sum.decode_seconds.max(one.decode_seconds),
        mean_log_probability: sum.mean_log_probability.max(one.mean_log_probability),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::answer::{Piece, Token};
    use crate::types::job::{Role, Turn};
    use crate::types::mode::Modes;

    fn job(attempts: u32) -> JobState {
        let mode = Modes::built_in().find("math").unwrap();
        let turn = Turn { role: Role::User, text: "6 times 7?".to_string() };
        let mut question = Question::new(mode, vec![turn], 1);
        question.attempts = attempts;
        let new = NewJob {
            id: JobId(1),
            name: JobName(1),
            client: Client::alone(),
            request: None,
            question: Arc::new(question),
            asked: SystemTime::now(),
        };
        JobState::new(new, Durability::WhileListening)
    }

    fn delta(answer: &str) -> Delta {
        let piece = Piece { part: Part::Answer, text: format!("\\boxed{{{answer}}}") };
        Delta { tokens: Token::all([1, 2]).to_vec(), pieces: vec![piece], ..Delta::default() }
    }

    fn end(job: &mut JobState, number: u32, answer: &str) {
        job.append(number, &delta(answer));
        job.end_attempt(number, Outcome::Done, Figures::default());
    }

    #[test]
    fn a_job_that_was_kept_is_what_it_was() {
        let mut job = job(4);
        (0..4).for_each(|number| end(&mut job, number, if number == 2 { "41" } else { "42" }));
        let (outcome, figures) = job.end();
        job.close(outcome.clone(), figures, None);
        let again = JobState::restore(job.stored());
        let (was, is) = (job.record.wait_ended(), again.record.wait_ended());
        assert_eq!(was, is);
        assert_eq!((is.outcome, is.figures), (outcome, figures));
        assert_eq!(job.record.wait_choices(), again.record.wait_choices());
        assert_eq!(again.running().count(), 0);
    }

    #[test]
    fn a_job_that_was_not_over_goes_on_with_what_its_attempts_gained() {
        let mut job = job(3);
        end(&mut job, 1, "42");
        let mut stored = job.stored();
        stored.log.push((2, delta("4")));
        stored.log.push((2, delta("2")));
        let mut again = JobState::restore(stored);
        assert_eq!(again.running().collect::<Vec<u32>>(), [0, 2]);
        assert!(again.has_begun());
        assert_eq!(again.start_attempt(0), Some(Vec::new()));
        let written = again.start_attempt(2).unwrap();
        assert_eq!(written.len(), 2);
        assert_eq!(again.start_attempt(2), None, "the engine has it now");
        assert_eq!(again.pending(JobId(1)).generated, [0, 4]);
    }

    #[test]
    fn an_attempt_that_was_begun_before_and_goes_on_no_more_has_taken_what_it_took() {
        let mut stored = job(2).stored();
        stored.log.push((1, delta("4")));
        let ended = JobState::restore(stored).end_unstarted(Unstarted::All, &Outcome::Stopped);
        let tokens: Vec<(u32, u32)> =
            ended.iter().map(|(number, figures)| (*number, figures.completion_tokens)).collect();
        assert_eq!(tokens, [(0, 0), (1, 2)]);
    }

    #[test]
    fn estimates_wait_for_as_many_attempts_as_the_vote_is_likely_to_need() {
        let mut job = job(8);
        let needed = |job: &JobState| {
            let pending = job.pending(JobId(1));
            (pending.generated.len(), pending.needed)
        };
        assert_eq!(needed(&job), (8, 8));
        end(&mut job, 0, "42");
        end(&mut job, 1, "42");
        assert_eq!(needed(&job), (6, 1));
        end(&mut job, 2, "41");
        assert!((2..=5).contains(&needed(&job).1), "{:?}", needed(&job));
    }

    #[test]
    fn only_drawn_tokens_are_generated() {
        let mut job = job(1);
        job.count(0, 0);
        assert_eq!(job.pending(JobId(1)).generated, [0], "its prompt is being read");
        job.count(0, 4);
        assert_eq!(job.pending(JobId(1)).generated, [4]);
    }
}
