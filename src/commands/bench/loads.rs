//! Typical loads, submitted through the desk: one stream with and without drafts, several attempts
//! at one question, several clients at once.
//!
//! All questions are different and share a system prompt; all answers have the same length,
//! whatever the model generates.

use std::sync::Arc;
use std::time::Instant;

use crate::desk::{Capacity, Desk, Durability, SubmitOptions};
use crate::types::answer::{Figures, Outcome};
use crate::types::error::{Error, Kind};
use crate::types::job::{Choices, Client, Ending, Question, Role, Turn};
use crate::types::kernels::SelfTest;
use crate::types::limits;
use crate::types::mode::{Mode, Modes};
use crate::types::plan::{Drafts, Pacing, Plan};

/// Numbers of attempts at one question, and of clients at once, that are measured.
const COUNTS: [u32; 3] = [1, 4, 8];

/// Number of loads measured.
pub const COUNT: u64 = 2 + 2 * COUNTS.len() as u64;

/// The length of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Length of each answer in tokens.
    pub answer_tokens: u32,
    /// Length of the answers measured with and without drafts, in tokens.
    pub stream_tokens: u32,
    /// Number of repetitions; the median counts.
    pub rounds: u32,
}

/// What runs concurrently in a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concurrency {
    /// This many attempts at one client's question.
    Attempts(u32),
    /// This many clients with one question each.
    Clients(u32),
}

/// The result of one load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadResult {
    /// Number of attempts or clients.
    pub count: u32,
    /// Tokens generated in all answers together.
    pub tokens: u32,
    /// Seconds from the first question to the last answer's end, the prompts included.
    pub seconds: f64,
    /// Seconds from a question to the first token of its answer, median of all questions.
    pub first_token_seconds: f64,
}

impl LoadResult {
    /// Returns the throughput of all answers together, in tokens/s.
    pub fn tokens_per_second(&self) -> f64 {
        f64::from(self.tokens) / self.seconds
    }
}

/// The results of all loads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loads {
    /// One stream, without and with drafts.
    pub streams: Vec<(Drafts, LoadResult)>,
    /// Several attempts at one question, with drafts as planned.
    pub attempts: Vec<LoadResult>,
    /// Several clients with one question each, with drafts as planned.
    pub clients: Vec<LoadResult>,
}

/// Measures all loads, loading the model once with and once without drafts; calls `done` after each
/// load.
///
/// # Errors
/// Errors of the desk, and of answers that failed.
pub fn measure(plan: &Plan, length: Length, mut done: impl FnMut()) -> Result<Loads, Error> {
    let Length { answer_tokens, stream_tokens, rounds } = length;
    let mut loads = Loads::default();
    for drafts in [Drafts::Off, Drafts::Auto] {
        let mut generator =
            LoadGenerator::open(Plan { pacing: Pacing { drafts, ..plan.pacing }, ..plan.clone() })?;
        // The first question brings the system prompt into the cache.
        generator.ask(Concurrency::Clients(1), answer_tokens)?;
        let stream = generator.median(Concurrency::Clients(1), stream_tokens, rounds)?;
        loads.streams.push((drafts, stream));
        done();
        if drafts != plan.pacing.drafts {
            continue;
        }
        for count in COUNTS {
            loads.attempts.push(generator.median(
                Concurrency::Attempts(count),
                answer_tokens,
                rounds,
            )?);
            done();
            loads.clients.push(generator.median(
                Concurrency::Clients(count),
                answer_tokens,
                rounds,
            )?);
            done();
        }
    }
    Ok(loads)
}

/// A desk with its engine, and the number of questions asked so far.
struct LoadGenerator {
    desk: Desk,
    mode: Arc<Mode>,
    asked: u32,
}

impl LoadGenerator {
    fn open(plan: Plan) -> Result<LoadGenerator, Error> {
        let capacity = Capacity::alone(limits::QUEUE_JOBS_DEFAULT);
        let desk = Desk::open(plan, capacity, SelfTest::Skip, None, |_| {})?;
        Ok(LoadGenerator { desk, mode: Modes::built_in().find("math")?, asked: 0 })
    }

    /// Measures a load `rounds` times and returns the one with the median time.
    fn median(
        &mut self,
        concurrency: Concurrency,
        tokens: u32,
        rounds: u32,
    ) -> Result<LoadResult, Error> {
        let mut loads = (0..rounds.max(1))
            .map(|_| self.ask(concurrency, tokens))
            .collect::<Result<Vec<_>, _>>()?;
        loads.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        Ok(loads[loads.len() / 2])
    }

    fn ask(&mut self, concurrency: Concurrency, tokens: u32) -> Result<LoadResult, Error> {
        let (clients, attempts) = match concurrency {
            Concurrency::Attempts(count) => (1, count),
            Concurrency::Clients(count) => (count, 1),
        };
        let questions: Vec<Question> =
            (0..clients).map(|_| self.question(attempts, tokens)).collect();
        let began = Instant::now();
        let submit = |(client, question): (u32, Question)| {
            self.desk.submit(
                Client::of("bench", &client.to_le_bytes()),
                question,
                SubmitOptions::of(Durability::Never),
            )
        };
        let tickets = (0..).zip(questions).map(submit).collect::<Result<Vec<_>, _>>()?;
        let figures = tickets.iter().map(|ticket| {
            let whole = ticket.record.wait_ended();
            match whole.outcome {
                Outcome::Failed(error) => Err(error),
                Outcome::Stopped => Err(Error::new(Kind::Stopped, "stopped", "Start it again.")),
                Outcome::Done | Outcome::Budget => Ok(whole.figures),
            }
        });
        let figures = figures.collect::<Result<Vec<Figures>, _>>()?;
        let mut first: Vec<f64> = figures.iter().map(|one| one.first_token_seconds).collect();
        first.sort_by(f64::total_cmp);
        Ok(LoadResult {
            count: clients.max(attempts),
            tokens: figures.iter().map(|one| one.completion_tokens).sum(),
            seconds: began.elapsed().as_secs_f64(),
            first_token_seconds: first[first.len() / 2],
        })
    }

    /// Returns the next question; every desk gets the same sequence of questions.
    fn question(&mut self, attempts: u32, tokens: u32) -> Question {
        self.asked += 1;
        let (a, b) = (self.asked * 7 + 110, self.asked * 11 + 230);
        let text = format!("A train has {a} seats and {b} people board it. How many must stand?");
        let turn = Turn { role: Role::User, text };
        let question = Question::new(self.mode.clone(), vec![turn], u64::from(self.asked));
        Question {
            attempts,
            // A vote would end before all answers are complete.
            choices: Choices::All,
            budget_tokens: tokens,
            ending: Ending::Budget,
            ..question
        }
    }
}
