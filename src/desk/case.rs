//! One job at the desk: its attempts, what they wrote, and what becomes of them together.
//!
//! Pure but for the records it fills: it gives no orders and knows no line. A single attempt's
//! record is the job's own. Where attempts vote, the job's record shows the first one's thinking
//! while it comes, and at the end the winner's answer; where all are wanted, each has its record.

use std::sync::Arc;
use std::time::Instant;

use super::estimate::Pending;
use super::record::{Record, State};
use crate::engine::Prompt;
use crate::words::answer::{Figures, Outcome, Part, Piece};
use crate::words::error::Error;
use crate::words::job::{Choices, Client, JobId, Question};
use crate::words::value::of_reply;
use crate::words::vote::{Ballot, Tally};

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

/// One job.
pub struct Case {
    /// What was asked.
    pub question: Arc<Question>,
    /// Who asked.
    pub client: Client,
    /// When.
    pub asked: Instant,
    /// Its prompt, once it is prepared.
    pub prompt: Option<Arc<Prompt>>,
    /// What the doors read.
    pub record: Arc<Record>,
    /// Whether its attempts are being stopped.
    pub stopping: Stopping,
    runs: Vec<Run>,
    tally: Tally,
}

struct Run {
    record: Arc<Record>,
    stage: Stage,
    generated_tokens: u32,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Waiting,
    Started,
    Ended(Outcome, Figures),
}

impl Run {
    fn new(record: Arc<Record>) -> Run {
        Run { record, stage: Stage::Waiting, generated_tokens: 0 }
    }
}

impl Case {
    /// Opens one for a question just asked.
    pub fn new(question: Arc<Question>, client: Client) -> Case {
        let record = Arc::new(Record::new());
        let attempts = question.attempts;
        let run = |_| match attempts {
            1 => Run::new(record.clone()),
            _ => Run::new(Arc::new(Record::new())),
        };
        Case {
            runs: (0..attempts).map(run).collect(),
            tally: Tally::new(attempts),
            asked: Instant::now(),
            prompt: None,
            stopping: Stopping::No,
            question,
            client,
            record,
        }
    }

    /// Returns a record for each answer, where all are wanted.
    pub fn choices(&self) -> Vec<Arc<Record>> {
        match self.question.choices {
            Choices::All => self.runs.iter().map(|run| run.record.clone()).collect(),
            Choices::Voted => Vec::new(),
        }
    }

    /// Returns whether any attempt has been started.
    pub fn is_started(&self) -> bool {
        self.runs.iter().any(|run| run.stage != Stage::Waiting)
    }

    /// Notes that an attempt starts or goes on; returns whether it starts.
    pub fn seat(&mut self, number: u32) -> bool {
        let run = &mut self.runs[number as usize];
        let starts = run.stage == Stage::Waiting;
        if starts {
            run.stage = Stage::Started;
            run.record.set(State::Running);
            self.record.set(State::Running);
        }
        starts
    }

    /// Takes text of an attempt.
    pub fn append(&mut self, number: u32, piece: &Piece) {
        self.runs[number as usize].record.append(piece);
        if self.question.is_voted() && number == 0 && piece.part == Part::Thinking {
            self.record.append(piece);
        } else if self.question.choices == Choices::All {
            self.record.touch();
        }
    }

    /// Counts tokens an attempt has drawn.
    pub fn count(&mut self, number: u32, tokens: u32) {
        self.runs[number as usize].generated_tokens += tokens;
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
    pub fn end_run(&mut self, number: u32, outcome: Outcome, figures: Figures) {
        let run = &mut self.runs[number as usize];
        if matches!(run.stage, Stage::Ended(..)) {
            return;
        }
        run.stage = Stage::Ended(outcome.clone(), figures);
        let counts = matches!(outcome, Outcome::Done | Outcome::Budget);
        if self.question.attempts > 1 {
            run.record.set(State::Ended(outcome, figures));
            if counts {
                let value = of_reply(&run.record.text_of(Part::Answer));
                let mean_logprob = figures.mean_log_probability;
                self.tally.add(Ballot { attempt: number, value, mean_logprob });
                if self.question.is_voted() {
                    self.record.set_tally(&self.tally);
                }
            }
            self.record.touch();
        }
    }

    /// Ends the attempts that have not started, for the outcome given; the engine has never heard
    /// of them. Returns their numbers.
    pub fn end_waiting(&mut self, outcome: &Outcome) -> Vec<u32> {
        let waits = |&number: &u32| self.runs[number as usize].stage == Stage::Waiting;
        let waiting: Vec<u32> = (0..self.question.attempts).filter(waits).collect();
        for &number in &waiting {
            self.end_run(number, outcome.clone(), Figures::default());
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

    /// Ends the job as its attempts say, all of which have ended; returns what it was answered.
    pub fn close(&self) -> Option<String> {
        let ends = self.runs.iter().filter_map(|run| match &run.stage {
            Stage::Ended(outcome, figures) => Some((outcome, figures)),
            _ => None,
        });
        let best = self.tally.winner().unwrap_or(0) as usize;
        let figures = together(ends.clone().map(|(_, figures)| figures));
        let outcome = match self.stopping {
            Stopping::Unwanted => Outcome::Stopped,
            _ => ends.clone().nth(best).map_or(Outcome::Stopped, |(outcome, _)| outcome.clone()),
        };
        let answer = self.runs[best].record.text_of(Part::Answer);
        if self.question.is_voted() {
            self.record.set_best(self.runs[best].record.clone());
            if !answer.is_empty() {
                self.record.append(&Piece { part: Part::Answer, text: answer.clone() });
            }
        }
        let is_answered = matches!(outcome, Outcome::Done | Outcome::Budget);
        self.record.set(State::Ended(outcome, figures));
        is_answered.then_some(answer)
    }

    /// Ends the job for `error`, whatever its attempts do.
    pub fn fail(&self, error: &Error) {
        let ended = State::Ended(Outcome::Failed(error.clone()), Figures::default());
        self.runs.iter().for_each(|run| run.record.set(ended.clone()));
        self.record.set(ended);
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
    use crate::words::job::{Role, Turn};
    use crate::words::mode::Modes;

    fn case(attempts: u32) -> Case {
        let mode = Modes::built_in().find("math").unwrap();
        let turn = Turn { role: Role::User, text: "6 times 7?".to_string() };
        let mut question = Question::new(mode, vec![turn], 1);
        question.attempts = attempts;
        Case::new(Arc::new(question), Client::alone())
    }

    fn end(case: &mut Case, number: u32, answer: &str) {
        let text = format!("\\boxed{{{answer}}}");
        case.append(number, &Piece { part: Part::Answer, text });
        case.end_run(number, Outcome::Done, Figures::default());
    }

    #[test]
    fn estimates_wait_for_as_many_attempts_as_the_vote_is_likely_to_need() {
        let mut case = case(8);
        let needed = |case: &Case| {
            let pending = case.pending(JobId(1));
            (pending.generated.len(), pending.needed)
        };
        assert_eq!(needed(&case), (8, 8));
        end(&mut case, 0, "42");
        end(&mut case, 1, "42");
        assert_eq!(needed(&case), (6, 1));
        end(&mut case, 2, "41");
        assert!((2..=5).contains(&needed(&case).1), "{:?}", needed(&case));
    }

    #[test]
    fn only_drawn_tokens_are_generated() {
        let mut case = case(1);
        case.count(0, 0);
        assert_eq!(case.pending(JobId(1)).generated, [0], "its prompt is being read");
        case.count(0, 4);
        assert_eq!(case.pending(JobId(1)).generated, [4]);
    }
}
