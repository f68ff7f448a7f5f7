//! One job at the desk: its attempts, what they wrote, and what becomes of them together.
//!
//! Pure but for the record it fills: it gives no orders and knows no line. A job that the journal
//! has kept becomes a case again, with its attempts where they were.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::estimate::Pending;
use super::record::{AttemptEnd, Record, State};
use super::{Durability, Submitted, Ticket};
use crate::answers::value::of_reply;
use crate::answers::vote::{Ballot, Tally};
use crate::engine::Prompt;
use crate::store::{Journal, NewJob, StoredJob};
use crate::types::answer::{Delta, Figures, Outcome, Part};
use crate::types::error::Error;
use crate::types::job::{Client, JobId, JobName, Question};

/// Why a job's attempts are being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// They are not.
    No,
    /// A person wants no more of it.
    Unwanted,
    /// The vote is decided.
    Decided,
}

/// Which of the attempts that the engine has never heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// All.
    All,
    /// Those that had not begun in an earlier life of the box either.
    Unbegun,
}

/// One job.
pub struct JobState {
    /// Its number.
    pub id: JobId,
    /// What it is called outside.
    pub name: JobName,
    /// What was asked.
    pub question: Arc<Question>,
    /// Who asked.
    pub client: Client,
    /// When, or when this box was started if that was later.
    pub asked: Instant,
    /// When, by the calendar.
    pub asked_at: SystemTime,
    /// What is kept of it.
    pub durability: Durability,
    /// Its prompt, once it is prepared.
    pub prompt: Option<Arc<Prompt>>,
    /// What the doors read.
    pub record: Arc<Record>,
    /// Whether it is on the disk as far as it has to be, so that others may learn of it.
    pub is_accepted: bool,
    /// Whether its client had it deleted.
    pub is_forgotten: bool,
    /// Whether its attempts are being stopped.
    pub stopping: Stopping,
    /// Whether a person wants the answer at once.
    pub answer_now: bool,
    /// How often the box crashed over it.
    pub crashes: u32,
    runs: Vec<AttemptState>,
    tally: Tally,
}

struct AttemptState {
    stage: Stage,
    generated_tokens: u32,
    /// What it gained before the box was started, until it goes on with it.
    written: Vec<Delta>,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Waiting,
    Started,
    Ended(Outcome, Figures),
}

impl JobState {
    /// Opens one for a question just asked.
    pub fn new(new: NewJob, durability: Durability) -> JobState {
        let NewJob { id, name, client, question, asked: asked_at, request: _ } = new;
        let attempts = question.attempts;
        let run =
            |_| AttemptState { stage: Stage::Waiting, generated_tokens: 0, written: Vec::new() };
        JobState {
            id,
            name,
            runs: (0..attempts).map(run).collect(),
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

    /// Opens one as the journal has kept it.
    pub fn restore(kept: StoredJob) -> JobState {
        let StoredJob { id, name, client, question, asked, .. } = kept;
        let new = NewJob { id, name, client, question, asked, request: None };
        let mut job_state = JobState::new(new, Durability::Durable);
        job_state.record = Arc::new(Record::cut(kept.cuts));
        (job_state.answer_now, job_state.crashes) = (kept.answer_now, kept.crashes);
        if kept.stopping {
            job_state.stopping = Stopping::Unwanted;
        }
        for (number, delta) in kept.log {
            job_state.append(number, &delta);
            job_state.runs[number as usize].generated_tokens += delta.tokens.len() as u32;
            job_state.runs[number as usize].written.push(delta);
        }
        for (number, outcome, figures) in kept.ends {
            job_state.end_attempt(number, outcome, figures);
        }
        if let Some((outcome, figures)) = kept.end {
            job_state.record.end(job_state.best(), outcome, figures);
        }
        job_state
    }

    /// Returns it as the journal keeps it, without what would be needed to go on with it.
    pub fn kept(&self) -> StoredJob {
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
            end: match view.state {
                State::Ended(outcome, figures) => Some((outcome, figures)),
                _ => None,
            },
            cuts: self.record.cuts().clone(),
            crashes: self.crashes,
            answer_now: self.answer_now,
            stopping: self.stopping == Stopping::Unwanted,
        }
    }

    /// Returns what a door holds of it.
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

    /// Returns whether any attempt has been started.
    pub fn is_started(&self) -> bool {
        self.runs.iter().any(|run| run.stage != Stage::Waiting)
    }

    /// Returns whether any attempt has begun, in this life of the box or an earlier one.
    pub fn has_begun(&self) -> bool {
        let has_begun = |run: &AttemptState| run.stage != Stage::Waiting || !run.written.is_empty();
        self.runs.iter().any(has_begun)
    }

    /// Returns the attempts that have not ended.
    pub fn running(&self) -> impl Iterator<Item = u32> {
        let running = |run: &(u32, &AttemptState)| !matches!(run.1.stage, Stage::Ended(..));
        (0..).zip(&self.runs).filter(running).map(|(number, _)| number)
    }

    /// Notes that an attempt starts or goes on; returns what it had gained before the box was
    /// started where the engine does not know it yet.
    pub fn slot(&mut self, number: u32) -> Option<Vec<Delta>> {
        let run = &mut self.runs[number as usize];
        if run.stage != Stage::Waiting {
            return None;
        }
        run.stage = Stage::Started;
        self.record.set(State::Running);
        Some(std::mem::take(&mut run.written))
    }

    /// Takes text of an attempt.
    pub fn append(&mut self, number: u32, delta: &Delta) {
        delta.pieces.iter().for_each(|piece| self.record.append(number, piece));
    }

    /// Counts tokens an attempt has drawn.
    pub fn count(&mut self, number: u32, tokens: u32) {
        self.runs[number as usize].generated_tokens += tokens;
    }

    /// Returns how many tokens its attempts have drawn.
    pub fn tokens(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.generated_tokens)).sum()
    }

    /// Returns what estimates need to know of the job.
    pub fn pending(&self, job: JobId) -> Pending<'_> {
        let running = self.runs.iter().filter(|run| !matches!(run.stage, Stage::Ended(..)));
        let generated: Vec<u32> = running.map(|run| run.generated_tokens).collect();
        Pending {
            job,
            client: self.client,
            mode: &self.question.mode,
            budget_tokens: self.question.budget_tokens,
            needed: match self.question.is_voted() {
                true => generated.len().min(self.tally.still_needed() as usize),
                false => generated.len(),
            },
            generated,
        }
    }

    /// Takes an attempt's end and its ballot.
    pub fn end_attempt(&mut self, number: u32, outcome: Outcome, figures: Figures) {
        let run = &mut self.runs[number as usize];
        if matches!(run.stage, Stage::Ended(..)) {
            return;
        }
        run.stage = Stage::Ended(outcome.clone(), figures);
        run.written = Vec::new();
        let counts = matches!(outcome, Outcome::Done | Outcome::Budget);
        self.record.end_attempt(AttemptEnd { attempt: number, outcome, figures });
        if self.question.attempts > 1 && counts {
            let value = of_reply(&self.record.text_of(number, Part::Answer));
            let mean_logprob = figures.mean_log_probability;
            self.tally.add(Ballot { attempt: number, value, mean_logprob });
            if self.question.is_voted() {
                self.record.set_tally(&self.tally);
            }
        }
    }

    /// Ends attempts that the engine has never heard of, for the outcome given. Returns their
    /// numbers, and what they had taken before the box was started.
    pub fn end_waiting(&mut self, which: Waiting, outcome: &Outcome) -> Vec<(u32, Figures)> {
        let figures = |run: &AttemptState| Figures {
            completion_tokens: run.generated_tokens,
            ..Figures::default()
        };
        let waits = |run: &AttemptState| {
            let counts = which == Waiting::All || run.written.is_empty();
            run.stage == Stage::Waiting && counts
        };
        let runs = (0..).zip(&self.runs).filter(|(_, run)| waits(run));
        let waiting: Vec<(u32, Figures)> =
            runs.map(|(number, run)| (number, figures(run))).collect();
        for &(number, figures) in &waiting {
            self.end_attempt(number, outcome.clone(), figures);
        }
        waiting
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
        self.runs.iter().all(|run| matches!(run.stage, Stage::Ended(..)))
    }

    /// Returns the end of a job all of whose attempts have ended.
    pub fn end(&self) -> (Outcome, Figures) {
        let ends = self.runs.iter().filter_map(|run| match &run.stage {
            Stage::Ended(outcome, figures) => Some((outcome, figures)),
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
        let (record, best) = (self.record.clone(), self.best());
        match journal.filter(|_| self.durability == Durability::Durable) {
            Some(journal) => {
                let end = outcome.clone();
                let publish = move || record.end(best, end, figures);
                journal.ended(self.id, outcome, figures, Box::new(publish));
            }
            None => record.end(best, outcome, figures),
        }
    }

    fn best(&self) -> u32 {
        self.tally.winner().unwrap_or(0)
    }

    /// Interrupts the job because the box stops; only a durable one continues at the next start.
    pub fn interrupt(&self, error: &Error) {
        if self.is_durable() {
            self.record.set(State::Interrupted(error.clone()));
        } else {
            self.record.end(self.best(), Outcome::Failed(error.clone()), Figures::default());
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

/// Returns what several attempts took together: tokens in all, and the time from the first of them
/// to the last.
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
    use crate::types::answer::Piece;
    use crate::types::job::{Role, Turn};
    use crate::types::mode::Modes;

    fn job_state(attempts: u32) -> JobState {
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
        Delta { tokens: vec![1, 2], pieces: vec![piece], ..Delta::default() }
    }

    fn end(job_state: &mut JobState, number: u32, answer: &str) {
        job_state.append(number, &delta(answer));
        job_state.end_attempt(number, Outcome::Done, Figures::default());
    }

    #[test]
    fn a_case_that_was_kept_is_what_it_was() {
        let mut job_state = job_state(4);
        (0..4)
            .for_each(|number| end(&mut job_state, number, if number == 2 { "41" } else { "42" }));
        let (outcome, figures) = job_state.end();
        job_state.close(outcome.clone(), figures, None);
        let again = JobState::restore(job_state.kept());
        let (was, is) = (job_state.record.wait_ended(), again.record.wait_ended());
        assert_eq!(was, is);
        assert_eq!((is.outcome, is.figures), (outcome, figures));
        assert_eq!(job_state.record.wait_choices(), again.record.wait_choices());
        assert_eq!(again.running().count(), 0);
    }

    #[test]
    fn a_case_that_was_not_over_goes_on_with_what_its_attempts_gained() {
        let mut job_state = job_state(3);
        end(&mut job_state, 1, "42");
        let mut kept = job_state.kept();
        kept.log.push((2, delta("4")));
        kept.log.push((2, delta("2")));
        let mut again = JobState::restore(kept);
        assert_eq!(again.running().collect::<Vec<u32>>(), [0, 2]);
        assert!(again.has_begun());
        assert_eq!(again.slot(0), Some(Vec::new()));
        let written = again.slot(2).unwrap();
        assert_eq!(written.len(), 2);
        assert_eq!(again.slot(2), None, "the engine has it now");
        assert_eq!(again.pending(JobId(1)).generated, [0, 4]);
    }

    #[test]
    fn an_attempt_that_was_begun_before_and_goes_on_no_more_has_taken_what_it_took() {
        let mut kept = job_state(2).kept();
        kept.log.push((1, delta("4")));
        let ended = JobState::restore(kept).end_waiting(Waiting::All, &Outcome::Stopped);
        let tokens: Vec<(u32, u32)> =
            ended.iter().map(|(number, figures)| (*number, figures.completion_tokens)).collect();
        assert_eq!(tokens, [(0, 0), (1, 2)]);
    }

    #[test]
    fn estimates_wait_for_as_many_attempts_as_the_vote_is_likely_to_need() {
        let mut job_state = job_state(8);
        let needed = |job_state: &JobState| {
            let pending = job_state.pending(JobId(1));
            (pending.generated.len(), pending.needed)
        };
        assert_eq!(needed(&job_state), (8, 8));
        end(&mut job_state, 0, "42");
        end(&mut job_state, 1, "42");
        assert_eq!(needed(&job_state), (6, 1));
        end(&mut job_state, 2, "41");
        assert!((2..=5).contains(&needed(&job_state).1), "{:?}", needed(&job_state));
    }

    #[test]
    fn only_drawn_tokens_are_generated() {
        let mut job_state = job_state(1);
        job_state.count(0, 0);
        assert_eq!(job_state.pending(JobId(1)).generated, [0], "its prompt is being read");
        job_state.count(0, 4);
        assert_eq!(job_state.pending(JobId(1)).generated, [4]);
    }
}
