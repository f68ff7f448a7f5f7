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

use super::{Loading, interrupt};
use crate::desk::{Desk, Ticket};
use crate::words::answer::Outcome;
use crate::words::error::{Error, Kind};
use crate::words::job::{self, Question, Role, Turn};
use crate::words::kernels::SelfTest;
use crate::words::mode::Mode;
use crate::words::plan::Plan;
use crate::words::score::{Sample, Scores, scores};
use crate::words::value::of_reply;
use progress::Progress;
use records::{Grade, Record, Records};
use report::Speed;
use set::Item;

/// What VibeThinker's published evaluation puts after each question.
const PUBLISHED_SUFFIX: &str =
    "\nLet's think step by step and output the final answer within \\boxed{}.";

/// How a question is put to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// As people ask: under the mode's system prompt.
    InMode,
    /// As VibeThinker's published evaluation does: no system prompt, its suffix after the question.
    AsPublished,
}

/// What is printed at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A table.
    Table,
    /// One JSON object.
    Json,
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
pub struct Options {
    /// The set's file.
    pub set: PathBuf,
    /// Questions at most, from the first on.
    pub limit: Option<u32>,
    /// The mode, with temperature and budget as they shall be.
    pub mode: Arc<Mode>,
    /// How the model is asked.
    pub asked: Asked,
    /// A seed for each attempt at a question; `solve --seed` repeats one.
    pub seeds: Vec<u64>,
    /// What is printed.
    pub output: Output,
    /// Where attempts are recorded.
    pub recording: Recording,
    /// The model.
    pub loading: Loading,
}

/// Asks all questions and prints what came of it.
///
/// # Errors
/// What is wrong with the set, the model or the records; `stopped` by Ctrl-C, after which a
/// recorded run can be resumed.
pub fn run(options: &Options) -> Result<(), Error> {
    // Refuses modes that need more than a question.
    job::message(&options.mode, "", None)?;
    let items = set::read(&options.set, options.limit)?;
    let plan = options.loading.plan()?;
    let about = about(options, &plan);
    let (mut records, done) = match &options.recording {
        Recording::Off => (Records::none(), Vec::new()),
        Recording::New(file) => (Records::start(file, &about)?, Vec::new()),
        Recording::Resumed(file) => Records::resume(file, &about)?,
    };
    let mut answers = Answers::of(&items, &options.seeds);
    for record in &done {
        answers.take(record);
    }
    let todo = answers.missing();
    let mut progress = Progress::start(items.len() * options.seeds.len(), answers.count());
    let start = Instant::now();
    let mut tokens = 0;
    ask_all(options, plan, &items, todo, |record| {
        let grade = answers.take(&record).ok_or_else(|| Error::internal("nobody asked that"))?;
        records.add(&record, &grade)?;
        progress.step(grade.is_right);
        tokens += u64::from(record.completion_tokens);
        Ok(())
    })?;
    let speed = Speed { tokens, seconds: start.elapsed().as_secs_f64() };
    let (all, families) = (answers.scores(), answers.family_scores());
    super::print(&match options.output {
        Output::Table => report::table(&all, &families, options.seeds.len(), speed),
        Output::Json => report::json(about, &all, &families, &options.seeds, speed),
    })
}

/// Describes what must be the same for attempts to be counted together.
fn about(options: &Options, plan: &Plan) -> serde_json::Value {
    let (mode, sampling) = (&options.mode, &options.mode.sampling);
    json!({
        "set": options.set.display().to_string(),
        "model": plan.model.name(),
        "model_bytes": plan.file_bytes,
        "adapter": plan.adapter.as_ref().map(|adapter| adapter.name()),
        "mode": mode.name,
        "prompt": if options.asked == Asked::InMode { "mode" } else { "published" },
        "temperature": f64::from(sampling.temperature),
        "top_p": f64::from(sampling.top_p),
        "budget_tokens": mode.budget_tokens,
        "kernels": plan.kernels.name,
    })
}

/// Asks what is to be asked, as many questions at a time as there are seeds, and hands over each
/// attempt in order.
fn ask_all(
    options: &Options,
    plan: Plan,
    items: &[Item],
    todo: Vec<(usize, u64)>,
    mut take: impl FnMut(Record) -> Result<(), Error>,
) -> Result<(), Error> {
    if todo.is_empty() {
        return Ok(());
    }
    let in_line = options.seeds.len();
    let desk = Arc::new(Desk::open(plan, in_line, SelfTest::Skip, |_| {})?);
    let stopped = stop_on_interrupt(&desk)?;
    let (mut waiting, total) = (VecDeque::new(), todo.len());
    let mut todo = todo.into_iter();
    for done in 0..total {
        for (index, seed) in todo.by_ref().take(in_line - waiting.len()) {
            let item = &items[index];
            let ticket = desk.submit(question(options, item, seed));
            waiting.push_back((item, seed, ticket.map_err(|error| about_item(item, error))?));
        }
        let Some((item, seed, ticket)) = waiting.pop_front() else { break };
        match record(item, seed, &ticket) {
            Ok(record) => take(record)?,
            Err(_) if stopped.load(Ordering::Relaxed) => return Err(interrupted(done, options)),
            Err(error) => return Err(about_item(item, error)),
        }
    }
    Ok(())
}

fn question(options: &Options, item: &Item, seed: u64) -> Question {
    let suffix = if options.asked == Asked::AsPublished { PUBLISHED_SUFFIX } else { "" };
    let turn = Turn { role: Role::User, text: format!("{}{suffix}", item.question) };
    let mut question = Question::new(options.mode.clone(), vec![turn], seed);
    if options.asked == Asked::AsPublished {
        question.system.clear();
    }
    question
}

fn record(item: &Item, seed: u64, ticket: &Ticket) -> Result<Record, Error> {
    let whole = ticket.record.wait_ended();
    let was_cut_off = match whole.outcome {
        Outcome::Done => false,
        Outcome::Budget => true,
        Outcome::Stopped => return Err(Error::new(Kind::Stopped, "stopped", "Run it again.")),
        Outcome::Failed(error) => return Err(error),
    };
    Ok(Record {
        id: item.id.clone(),
        seed,
        thinking: whole.thinking,
        answer: whole.answer,
        completion_tokens: whole.figures.completion_tokens,
        prompt_tokens: whole.figures.prompt_tokens,
        seconds: whole.figures.prompt_seconds + whole.figures.decode_seconds,
        was_cut_off,
    })
}

/// The first Ctrl-C ends the run in order, a second one at once.
fn stop_on_interrupt(desk: &Arc<Desk>) -> Result<Arc<AtomicBool>, Error> {
    let (desk, stopped) = (Arc::downgrade(desk), Arc::new(AtomicBool::new(false)));
    let says_stopped = stopped.clone();
    interrupt::on_interrupt(move |count| {
        says_stopped.store(true, Ordering::Relaxed);
        match desk.upgrade() {
            Some(desk) if count == 1 => desk.close(),
            _ => std::process::exit(130),
        }
    })?;
    Ok(stopped)
}

fn interrupted(done: usize, options: &Options) -> Error {
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

fn about_item(item: &Item, error: Error) -> Error {
    let id = item.id.escape_debug();
    Error { message: format!("question '{id}': {}", error.message), ..error }
}

/// The attempts at every question of a set, one for each seed.
struct Answers<'a> {
    items: &'a [Item],
    seeds: &'a [u64],
    /// Which item an id is.
    index: HashMap<&'a str, usize>,
    /// By item and place of the seed.
    samples: Vec<Vec<Option<Sample>>>,
}

impl<'a> Answers<'a> {
    fn of(items: &'a [Item], seeds: &'a [u64]) -> Answers<'a> {
        let index = items.iter().enumerate().map(|(at, item)| (item.id.as_str(), at)).collect();
        Answers { items, seeds, index, samples: vec![vec![None; seeds.len()]; items.len()] }
    }

    /// Grades an attempt and keeps it; `None` where this run does not ask that.
    fn take(&mut self, record: &Record) -> Option<Grade<'a>> {
        let at = *self.index.get(record.id.as_str())?;
        let place = self.seeds.iter().position(|seed| *seed == record.seed)?;
        let item = &self.items[at];
        let value = of_reply(&record.answer);
        let is_right = value.as_ref() == Some(&item.truth);
        let grade = Grade {
            family: &item.family,
            truth: item.truth.to_string(),
            value: value.as_ref().map(|value| value.to_string()),
            is_right,
        };
        let (completion_tokens, was_cut_off) = (record.completion_tokens, record.was_cut_off);
        let sample = Sample { value, is_right, completion_tokens, was_cut_off };
        self.samples[at][place] = Some(sample);
        Some(grade)
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
