//! `solverbox eval --set FILE`: how often the answers are right, measured on questions with known
//! answers.
//!
//! Every question is asked as often as there are seeds, through the desk like any other; the
//! answers are normalised, graded and counted (words/score.rs). A workshop command: it has the box
//! to itself.

mod progress;
mod records;
mod report;
mod set;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;

use super::{CloseAtEnd, Loading, OutputFormat, interrupt};
use crate::answers::score::{Sample, Scores, scores};
use crate::answers::value::of_reply;
use crate::desk::{Capacity, Desk, Durability, SubmitOptions, Ticket};
use crate::model::fingerprint::{self, START, fnv};
use crate::types::answer::Outcome;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::job::{self, Client, Question, Role, Turn};
use crate::types::kernels::SelfTest;
use crate::types::mode::Mode;
use crate::types::plan::{Plan, Weights};
use progress::EvalProgress;
use records::{Details, Finish, Grade, RecordedAttempt, Records};
use report::Speed;
use set::EvalQuestion;

/// What VibeThinker's published evaluation puts after each question, after a space as rllm does, on
/// which that evaluation builds (rllm's scripts/data/deepscaler_dataset.py).
pub const PUBLISHED_SUFFIX: &str =
    " Let's think step by step and output the final answer within \\boxed{}.";

/// How a question is put to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptForm {
    /// As people ask: under the mode's system prompt.
    Mode,
    /// As VibeThinker's published evaluation does: no system prompt, its suffix after the question.
    Published,
}

/// Where the attempts are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Nowhere.
    Off,
    /// In a new file.
    New(PathBuf),
    /// In the file of an interrupted run, whose attempts are not made again.
    Resumed(PathBuf),
}

/// What is to be measured.
#[derive(Debug)]
pub struct EvalOptions {
    /// The set's file.
    pub set: PathBuf,
    /// Questions at most, from the first on.
    pub limit: Option<u32>,
    /// The mode, with temperature and budget as they shall be.
    pub mode: Arc<Mode>,
    /// How the model is asked.
    pub prompt: PromptForm,
    /// A seed for each attempt at a question, see [`seed_of`].
    pub seeds: Vec<u64>,
    /// What is printed.
    pub output: OutputFormat,
    /// Where attempts are recorded.
    pub recording: Recording,
    /// The model.
    pub loading: Loading,
}

/// Asks all questions and prints what came of it.
///
/// # Errors
/// Those of [`measure`].
pub fn run(options: &EvalOptions) -> Result<(), Error> {
    let measured = measure(options)?;
    super::print(&match options.output {
        OutputFormat::Text => report::table(&measured),
        OutputFormat::Json => format!("{}\n", measured.json()),
    })
}

/// What came of an evaluation.
#[derive(Debug)]
pub struct EvalResult {
    /// What was run.
    about: serde_json::Value,
    /// A seed for each attempt.
    seeds: Vec<u64>,
    /// The scores of all questions.
    all: Scores,
    /// Those of each family.
    families: Vec<(String, Scores)>,
    speed: Speed,
}

impl EvalResult {
    /// Returns it as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        report::json(self)
    }

    /// Returns the share of right answers with its interval, for people.
    pub fn right(&self) -> String {
        report::percent(&self.all.pass_at_1)
    }
}

/// Asks all questions.
///
/// # Errors
/// What is wrong with the set, the model or the records; `stopped` by Ctrl-C, after which a
/// recorded run can be resumed.
pub fn measure(options: &EvalOptions) -> Result<EvalResult, Error> {
    check_mode(&options.mode)?;
    let items = set::read(&options.set, options.limit)?;
    // Every attempt shall be computed as the first one was, whatever was asked before.
    let plan = Plan { prefixes: None, ..options.loading.plan()? };
    let about = about(options, &plan)?;
    let mut answers = Answers::of(&items, &options.seeds);
    let mut records = match &options.recording {
        Recording::Off => Records::none(),
        Recording::New(file) => Records::start(file, &about)?,
        Recording::Resumed(file) => {
            Records::resume(file, &about, |attempt| answers.take(attempt).map(|_| ()))?
        }
    };
    let todo = answers.missing();
    let mut progress = EvalProgress::start(items.len() * options.seeds.len(), answers.count());
    let start = Instant::now();
    let mut tokens = 0;
    let asked = ask_all(options, plan, &items, todo, |attempt, details| {
        let grade = answers.take(&attempt).map_err(Error::internal)?;
        let grade = grade.ok_or_else(|| Error::internal("nobody asked that"))?;
        records.add(&attempt, &details, &grade)?;
        progress.step(grade.is_right);
        if attempt.finish == Finish::TooLong {
            progress.note(&format!("{} is too long: counted as not answered", named(&attempt.id)));
        }
        tokens += u64::from(attempt.completion_tokens);
        Ok(())
    });
    drop(progress);
    asked?;
    let speed = Speed { tokens, seconds: start.elapsed().as_secs_f64() };
    let (all, families) = (answers.scores(), answers.family_scores());
    Ok(EvalResult { about, seeds: options.seeds.clone(), all, families, speed })
}

/// Refuses modes that need more than a question.
fn check_mode(mode: &Mode) -> Result<(), Error> {
    job::message(mode, "", None).map(|_| ()).map_err(|_| {
        Error::bad_request(
            format!("--mode: '{}' needs more than a question, which is all a set has", mode.name),
            "Name another mode; `solverbox modes` lists them.",
        )
    })
}

/// Describes what must be the same for attempts to be counted together.
fn about(options: &EvalOptions, plan: &Plan) -> Result<serde_json::Value, Error> {
    let (mode, sampling) = (&options.mode, &options.mode.sampling);
    // As it is written: 0.95 and not what that is in 32 bits.
    let decimal = |value: f32| value.to_string().parse::<f64>().unwrap_or(f64::from(value));
    let system = if options.prompt == PromptForm::Mode { mode.system.as_str() } else { "" };
    Ok(json!({
        "set": options.set.display().to_string(),
        "model": plan.model.name(),
        "model_fingerprint": fingerprint(&plan.model)?,
        "adapter": joined(plan.adapters.iter().map(|adapter| Ok(adapter.name())))?,
        "adapter_fingerprint": joined(plan.adapters.iter().map(fingerprint))?,
        "mode": mode.name,
        "prompt": if options.prompt == PromptForm::Mode { "mode" } else { "published" },
        "system": system,
        "temperature": decimal(sampling.temperature),
        "top_p": decimal(sampling.top_p),
        "top_k": sampling.top_k,
        "min_p": decimal(sampling.min_p),
        "repetition_penalty": decimal(sampling.repetition_penalty),
        "budget_tokens": mode.budget_tokens,
        "kv": plan.kv.name(),
        "kernels": plan.kernels.name,
    }))
}

/// Returns what is said of each adapter as one text; none where there are none.
fn joined(each: impl Iterator<Item = Result<String, Error>>) -> Result<Option<String>, Error> {
    let all: Vec<String> = each.collect::<Result<_, _>>()?;
    Ok((!all.is_empty()).then(|| all.join("+")))
}

fn fingerprint(file: &Weights) -> Result<String, Error> {
    fingerprint::of(&file.path).map_err(|error| {
        let what = format!("cannot read {file}: {}", io_cause(&error));
        Error::new(Kind::NoModel, what, "Make the file readable, or name another.")
    })
}

/// Asks what is to be asked, as many questions at a time as there are seeds, and hands over each
/// attempt in order.
fn ask_all(
    options: &EvalOptions,
    plan: Plan,
    items: &[EvalQuestion],
    todo: Vec<(usize, u64)>,
    mut take: impl FnMut(RecordedAttempt, Details) -> Result<(), Error>,
) -> Result<(), Error> {
    if todo.is_empty() {
        return Ok(());
    }
    let in_line = options.seeds.len();
    let desk = Arc::new(Desk::open(plan, Capacity::alone(in_line), SelfTest::Skip, None, |_| {})?);
    let _closing = CloseAtEnd(&desk);
    let stopped = stop_on_interrupt(&desk)?;
    let (mut waiting, total) = (VecDeque::new(), todo.len());
    let mut todo = todo.into_iter();
    for done in 0..total {
        let failed = |item: &EvalQuestion, error: Error| match stopped.load(Ordering::Relaxed) {
            true => interrupted(done, options),
            false => Error { message: format!("{}: {}", named(&item.id), error.message), ..error },
        };
        for (index, seed) in todo.by_ref().take(in_line - waiting.len()) {
            let item = &items[index];
            let terms = SubmitOptions::of(Durability::Never);
            let asked = desk.submit(Client::alone(), question(options, item, seed), terms);
            let ticket = match asked {
                Ok(ticket) => Some(ticket),
                Err(error) if error.kind == Kind::TooLong => None,
                Err(error) => return Err(failed(item, error)),
            };
            waiting.push_back((item, seed, ticket));
        }
        let Some((item, seed, ticket)) = waiting.pop_front() else { break };
        let (attempt, details) =
            outcome(item, seed, ticket).map_err(|error| failed(item, error))?;
        take(attempt, details)?;
    }
    Ok(())
}

fn question(options: &EvalOptions, item: &EvalQuestion, seed: u64) -> Question {
    let suffix = if options.prompt == PromptForm::Published { PUBLISHED_SUFFIX } else { "" };
    let turn = Turn { role: Role::User, text: format!("{}{suffix}", item.question) };
    let mut question = Question::new(options.mode.clone(), vec![turn], seed_of(seed, &item.id));
    if options.prompt == PromptForm::Published {
        question.system.clear();
    }
    // Each seed is a question of its own: what is measured is one attempt.
    question.attempts = 1;
    question
}

/// Returns the seed of an attempt's random numbers, by which `solve --seed` repeats it; 48 bits,
/// which every reader of JSON keeps.
///
/// Each question has its own: with the same numbers for all, the attempts of one seed would be
/// lucky or not together, and the intervals, which take questions for independent, would lie.
fn seed_of(seed: u64, id: &str) -> u64 {
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

/// The first Ctrl-C ends the run in order, a second one at once.
fn stop_on_interrupt(desk: &Arc<Desk>) -> Result<Arc<AtomicBool>, Error> {
    let (desk, stopped) = (Arc::downgrade(desk), Arc::new(AtomicBool::new(false)));
    let says_stopped = stopped.clone();
    interrupt::on_interrupt(move |count| {
        says_stopped.store(true, Ordering::Relaxed);
        match desk.upgrade() {
            Some(desk) if count == 1 => desk.close(),
            _ => interrupt::leave(),
        }
    })?;
    Ok(stopped)
}

fn interrupted(done: usize, options: &EvalOptions) -> Error {
    let remedy = match &options.recording {
        Recording::Off => {
            "Record attempts with --out FILE, so that --resume can go on.".to_string()
        }
        Recording::New(file) | Recording::Resumed(file) => {
            format!("Go on with the same flags, --out {} and --resume.", file.display())
        }
    };
    Error::new(Kind::Stopped, format!("stopped after {done} attempts"), remedy)
}

fn named(id: &str) -> String {
    format!("question '{}'", id.escape_debug())
}

/// The attempts at every question of a set, one for each seed.
struct Answers<'a> {
    items: &'a [EvalQuestion],
    seeds: &'a [u64],
    /// Which item an id is.
    index: HashMap<&'a str, usize>,
    /// By item and place of the seed.
    samples: Vec<Vec<Option<Sample>>>,
}

impl<'a> Answers<'a> {
    fn of(items: &'a [EvalQuestion], seeds: &'a [u64]) -> Answers<'a> {
        let index = items.iter().enumerate().map(|(at, item)| (item.id.as_str(), at)).collect();
        Answers { items, seeds, index, samples: vec![vec![None; seeds.len()]; items.len()] }
    }

    /// Grades an attempt and keeps it; `None` where this run does not ask that. Refuses one whose
    /// question is another now.
    fn take(&mut self, attempt: &RecordedAttempt) -> Result<Option<Grade<'a>>, String> {
        let place = self.seeds.iter().position(|seed| *seed == attempt.seed);
        let (Some(&at), Some(place)) = (self.index.get(attempt.id.as_str()), place) else {
            return Ok(None);
        };
        let item = &self.items[at];
        if item.question != attempt.question {
            return Err(format!("{} was another question then", named(&item.id)));
        }
        let value = of_reply(&attempt.answer);
        let is_right = value.as_ref() == Some(&item.truth);
        let grade = Grade {
            family: &item.family,
            truth: item.truth.to_string(),
            value: value.as_ref().map(|value| value.to_string()),
            is_right,
        };
        let completion_tokens = attempt.completion_tokens;
        let was_cut_off = attempt.finish == Finish::Budget;
        let sample = Sample { value, is_right, completion_tokens, was_cut_off };
        self.samples[at][place] = Some(sample);
        Ok(Some(grade))
    }

    fn count(&self) -> usize {
        self.samples.iter().flatten().flatten().count()
    }

    /// Returns what is still to be asked: item and seed.
    fn missing(&self) -> Vec<(usize, u64)> {
        let pairs = self.samples.iter().enumerate().flat_map(|(at, samples)| {
            samples.iter().zip(self.seeds).map(move |(sample, &seed)| (at, seed, sample.is_none()))
        });
        pairs.filter(|&(.., is_missing)| is_missing).map(|(at, seed, _)| (at, seed)).collect()
    }

    fn scores(&self) -> Scores {
        let whole = |samples: &Vec<Option<Sample>>| samples.iter().flatten().cloned().collect();
        scores(&self.samples.iter().map(whole).collect::<Vec<Vec<Sample>>>())
    }

    /// Returns the scores by family, in the order of their names; none where the set has none.
    fn family_scores(&self) -> Vec<(String, Scores)> {
        let mut families: BTreeMap<&str, Vec<Vec<Sample>>> = BTreeMap::new();
        for (item, samples) in self.items.iter().zip(&self.samples) {
            let family = families.entry(&item.family).or_default();
            family.push(samples.iter().flatten().cloned().collect());
        }
        families.remove("");
        families.iter().map(|(name, samples)| (name.to_string(), scores(samples))).collect()
    }
}
