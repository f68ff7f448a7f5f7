//! Asks the questions of a set: as many attempts side by side as the plan has sequences, across
//! question borders, so that the engine's batches are always full.
//!
//! `measure` passes the attempts to make and gets each as it ends. Each has a seed of its own, so
//! that its random numbers do not depend on which others are computed with it; the last bits of its
//! logits do. Memory holds the texts of the attempts under way and no others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::records::{Details, Finish, RecordedAttempt};
use super::set::EvalQuestion;
use super::{EvalOptions, PUBLISHED_SUFFIX, PromptForm, Recording, named};
use crate::commands::{CloseAtEnd, interrupt};
use crate::desk::{Capacity, Desk, Durability, SubmitOptions, Ticket};
use crate::model::fingerprint::{START, fnv};
use crate::model::newfile;
use crate::types::answer::Outcome;
use crate::types::error::{Error, Kind};
use crate::types::job::{Client, Question, Role, Turn};
use crate::types::kernels::SelfTest;
use crate::types::plan::Plan;

/// An attempt that has ended.
type Ended = (RecordedAttempt, Details);

/// Makes the attempts in `todo`, each a question's index and a seed, and passes each to `take` when
/// it ends, with the number of tokens that all attempts have drawn until then.
///
/// # Errors
/// The first error of an attempt, named with its question, after which the others are given up;
/// `stopped` after Ctrl-C; errors of `take`.
pub fn ask_all(
    options: &EvalOptions,
    plan: Plan,
    items: &[EvalQuestion],
    todo: Vec<(usize, u64)>,
    take: impl FnMut(RecordedAttempt, Details, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    if todo.is_empty() {
        return Ok(());
    }
    // Twice as many as sequences, so that one is always queued when a sequence becomes free.
    let askers = todo.len().min(2 * plan.sequences as usize);
    let desk = Arc::new(Desk::open(plan, Capacity::alone(askers), SelfTest::Skip, None, |_| {})?);
    let stopped = stop_on_interrupt(&desk)?;
    let todo = Mutex::new(todo.into_iter());
    let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).next();
    let (ends, ended) = channel();
    thread::scope(|scope| {
        // Also ends the askers, before the scope waits for them.
        let _closing = CloseAtEnd(&desk);
        for _ in 0..askers {
            let (desk, ends) = (&desk, ends.clone());
            let ask = move || {
                while let Some((index, seed)) = next() {
                    let end = ask(desk, options, &items[index], seed);
                    let is_last = end.is_err();
                    if ends.send(end).is_err() || is_last {
                        return;
                    }
                }
            };
            let spawned = thread::Builder::new().name("asker".into()).spawn_scoped(scope, ask);
            spawned.map_err(|e| Error::internal(format!("cannot start a thread: {e}")))?;
        }
        drop(ends);
        let (taken, failure) = take_all(&desk, &ended, take);
        match failure {
            Some(error) if error.kind == Kind::Stopped && stopped.load(Ordering::Relaxed) => {
                Err(interrupted(taken, options))
            }
            Some(error) => Err(error),
            None => Ok(()),
        }
    })
}

/// Takes the attempts until all askers have ended; returns how many there were, and the first
/// error. After an error no attempts are begun, but those that have ended are taken.
fn take_all(
    desk: &Desk,
    ended: &Receiver<Result<Ended, Error>>,
    mut take: impl FnMut(RecordedAttempt, Details, u64) -> Result<(), Error>,
) -> (usize, Option<Error>) {
    let (mut taken, mut failure) = (0, None);
    for end in ended {
        match end {
            Ok((attempt, details)) => {
                let drawn_tokens = desk.overview().totals.drawn_tokens;
                if let Err(error) = take(attempt, details, drawn_tokens) {
                    return (taken, Some(error));
                }
                taken += 1;
            }
            Err(error) => {
                failure.get_or_insert(error);
                desk.close();
            }
        }
    }
    (taken, failure)
}

/// Asks a question with a seed and waits for the end of the attempt; the error names the question.
fn ask(desk: &Desk, options: &EvalOptions, item: &EvalQuestion, seed: u64) -> Result<Ended, Error> {
    let durability = SubmitOptions::of(Durability::Never);
    let ticket = match desk.submit(Client::alone(), question(options, item, seed), durability) {
        Ok(ticket) => Ok(Some(ticket)),
        Err(error) if error.kind == Kind::TooLong => Ok(None),
        Err(error) => Err(error),
    };
    ticket.and_then(|ticket| outcome(item, seed, ticket)).map_err(|error| Error {
        message: format!("{}: {}", named(&item.id), error.message),
        ..error
    })
}

fn question(options: &EvalOptions, item: &EvalQuestion, seed: u64) -> Question {
    let suffix = if options.prompt == PromptForm::Published { PUBLISHED_SUFFIX } else { "" };
    let turn = Turn { role: Role::User, text: format!("{}{suffix}", item.question) };
    let mut question = Question::new(options.mode.clone(), vec![turn], seed_of(seed, &item.id));
    if options.prompt == PromptForm::Published {
        question.system.clear();
    }
    // Each seed is a question of its own: single attempts are measured.
    question.attempts = 1;
    question
}

/// Returns the seed of an attempt's sampler, with which `solve --seed` repeats it; 48 bits, which
/// every JSON parser preserves.
///
/// Each question has its own: with equal random numbers for all, the attempts of one seed would
/// succeed or fail together, and the confidence intervals, which assume independent questions,
/// would be wrong.
pub fn seed_of(seed: u64, id: &str) -> u64 {
    fnv(fnv(START, &seed.to_le_bytes()), id.as_bytes()) >> 16
}

/// Waits for an attempt's end; one without a ticket was refused as too long.
fn outcome(
    item: &EvalQuestion,
    seed: u64,
    ticket: Option<Ticket>,
) -> Result<(RecordedAttempt, Details), Error> {
    let mut attempt = RecordedAttempt {
        id: item.id.clone(),
        question: item.question.clone(),
        seed,
        answer: String::new(),
        completion_tokens: 0,
        finish: Finish::TooLong,
    };
    let mut details = Details { solve_seed: seed_of(seed, &item.id), ..Details::default() };
    let Some(ticket) = ticket else { return Ok((attempt, details)) };
    let whole = ticket.record.wait_ended();
    attempt.finish = match whole.outcome {
        Outcome::Done if !whole.figures.thinking_was_cut_off => Finish::Done,
        Outcome::Done | Outcome::Budget => Finish::Budget,
        Outcome::Failed(error) if error.kind == Kind::TooLong => Finish::TooLong,
        Outcome::Failed(error) => return Err(error),
        Outcome::Stopped => return Err(Error::new(Kind::Stopped, "stopped", "Run it again.")),
    };
    attempt.answer = whole.answer;
    attempt.completion_tokens = whole.figures.completion_tokens;
    details.thinking = whole.thinking;
    details.prompt_tokens = whole.figures.prompt_tokens;
    details.seconds = whole.figures.prompt_seconds + whole.figures.decode_seconds;
    Ok((attempt, details))
}

/// Ends the run in order at the first Ctrl-C, at once at the second.
fn stop_on_interrupt(desk: &Arc<Desk>) -> Result<Arc<AtomicBool>, Error> {
    let (desk, stopped) = (Arc::downgrade(desk), Arc::new(AtomicBool::new(false)));
    let flag = stopped.clone();
    interrupt::on_interrupt(move |count| {
        flag.store(true, Ordering::Relaxed);
        match desk.upgrade() {
            Some(desk) if count == 1 => desk.close(),
            _ => {
                newfile::abandon_all();
                interrupt::leave()
            }
        }
    })?;
    Ok(stopped)
}

fn interrupted(done: usize, options: &EvalOptions) -> Error {
    let remedy = match &options.recording {
        Recording::Off => {
            "Record attempts with --out FILE, so that --resume can continue.".to_string()
        }
        Recording::New(file) | Recording::Resumed(file) => {
            format!("Continue with the same flags, --out {} and --resume.", file.display())
        }
    };
    Error::new(Kind::Stopped, format!("stopped after {done} attempts"), remedy)
}
