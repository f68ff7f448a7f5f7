//! `solverbox eval --set FILE`: measures accuracy on questions with known answers.
//!
//! Each question is asked once per seed, through the desk like any other (`asking`); the answers
//! are normalised, graded and counted (`answers/score.rs`). Has the engine to itself.

mod asking;
mod progress;
mod records;
mod report;
mod set;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::{Loading, OutputFormat};
use crate::answers::score::{Sample, Scores, scores};
use crate::answers::value::of_reply;
use crate::model::fingerprint;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::job;
use crate::types::mode::Mode;
use crate::types::plan::{Plan, Weights};
use asking::ask_all;
use progress::{Drawn, EvalProgress};
use records::{Finish, Grade, RecordedAttempt, Records};
use report::Speed;
use set::EvalQuestion;

/// The suffix of each question in VibeThinker's published evaluation, after a space as in rllm, on
/// which that evaluation builds (rllm's scripts/data/deepscaler_dataset.py).
pub const PUBLISHED_SUFFIX: &str =
    " Let's think step by step and output the final answer within \\boxed{}.";

/// The form of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptForm {
    /// The mode's system prompt, then the question.
    Mode,
    /// As in VibeThinker's published evaluation: no system prompt, a suffix after the question.
    Published,
}

/// Whether and where attempts are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Attempts are not recorded.
    Off,
    /// Record in a new file.
    New(PathBuf),
    /// Continue the file of an interrupted run, whose attempts are not repeated.
    Resumed(PathBuf),
}

/// The options of `eval`.
#[derive(Debug)]
pub struct EvalOptions {
    /// File with the questions.
    pub set: PathBuf,
    /// Number of questions to ask, from the first on; `None` for all.
    pub limit: Option<u32>,
    /// Mode of the questions, with temperature and budget already set.
    pub mode: Arc<Mode>,
    /// Form of the prompt.
    pub prompt: PromptForm,
    /// One seed per attempt at each question; see [`asking::seed_of`].
    pub seeds: Vec<u64>,
    /// Form of the results.
    pub output: OutputFormat,
    /// Whether and where attempts are recorded.
    pub recording: Recording,
    /// The model to evaluate.
    pub loading: Loading,
}

/// Asks all questions and prints the results.
///
/// # Errors
/// Errors of [`measure`].
pub fn run(options: &EvalOptions) -> Result<(), Error> {
    let measured = measure(options)?;
    super::print(&match options.output {
        OutputFormat::Text => report::table(&measured),
        OutputFormat::Json => format!("{}\n", measured.json()),
    })
}

/// The result of an evaluation.
#[derive(Debug)]
pub struct EvalResult {
    /// Description of the run, as in the records.
    about: serde_json::Value,
    /// One seed per attempt.
    seeds: Vec<u64>,
    /// Scores over all questions.
    all: Scores,
    /// Scores per family of questions.
    families: Vec<(String, Scores)>,
    speed: Speed,
}

impl EvalResult {
    /// Returns the result as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        report::json(self)
    }

    /// Returns the share of right answers with its confidence interval, as text.
    pub fn right(&self) -> String {
        report::percent(&self.all.pass_at_1)
    }
}

/// Asks all questions and grades the answers.
///
/// # Errors
/// Errors of the set, the model or the records; `stopped` after Ctrl-C, from which a recorded run
/// can be resumed.
pub fn measure(options: &EvalOptions) -> Result<EvalResult, Error> {
    check_mode(&options.mode)?;
    let items = set::read(&options.set, options.limit)?;
    // Every attempt must be computed like the first, whatever was asked before.
    let plan = Plan { prefixes: None, ..options.loading.plan()? };
    let about = about(options, &plan)?;
    let mut answers = Answers::of(&items, &options.seeds);
    let mut records = match &options.recording {
        Recording::Off => Records::none(),
        Recording::New(file) => Records::start(file, &about)?,
        Recording::Resumed(file) => Records::resume(file, &about, |attempt| {
            answers.take(attempt).map(|grade| grade.map(|grade| grade.place))
        })?,
    };
    let todo = answers.missing();
    let (total, earlier) = (items.len() * options.seeds.len(), answers.count());
    let mut progress = EvalProgress::start(total, earlier, plan.sequences as usize);
    let start = Instant::now();
    let mut tokens = 0;
    let asked = ask_all(options, plan, &items, todo, |attempt, details, drawn_tokens| {
        let grade = answers.take(&attempt).map_err(Error::internal)?;
        let grade = grade.ok_or_else(|| Error::internal("an answer belongs to no question"))?;
        records.add(&attempt, &details, &grade)?;
        tokens += u64::from(attempt.completion_tokens);
        progress.step(grade.is_right, details.seconds, Drawn { ended: tokens, all: drawn_tokens });
        if attempt.finish == Finish::TooLong {
            progress
                .note(&format!("{} is too long and counts as not answered", named(&attempt.id)));
        }
        Ok(())
    });
    drop(progress);
    asked?;
    let speed = Speed { tokens, seconds: start.elapsed().as_secs_f64() };
    // The result is not lost for the order of its records.
    if let Err(error) = records.sort() {
        super::note(&format!("solverbox: {}; the attempts are complete there", error.message));
    }
    let (all, families) = (answers.scores(), answers.family_scores());
    Ok(EvalResult { about, seeds: options.seeds.clone(), all, families, speed })
}

/// Rejects modes that need more than a question.
fn check_mode(mode: &Mode) -> Result<(), Error> {
    job::message(mode, "", None).map(|_| ()).map_err(|_| {
        Error::bad_request(
            format!(
                "--mode: '{}' needs more than a question, and a set has only questions",
                mode.name
            ),
            "Choose another mode; `solverbox modes` lists them.",
        )
    })
}

/// Describes the run: everything that must be equal for attempts to be counted together.
fn about(options: &EvalOptions, plan: &Plan) -> Result<serde_json::Value, Error> {
    let (mode, sampling) = (&options.mode, &options.mode.sampling);
    // The shortest decimal: 0.95 and not its 32-bit value in 64 bits.
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
        // What the engine does with a thinking that does not end.
        "closing": "box, loops",
        "kv": plan.kv.name(),
        "kernels": plan.kernels.name,
    }))
}

/// Joins a text per adapter into one; `None` without adapters.
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

fn named(id: &str) -> String {
    format!("question '{}'", id.escape_debug())
}

/// The graded attempts at all questions of a set.
struct Answers<'a> {
    items: &'a [EvalQuestion],
    seeds: &'a [u64],
    /// Index of a question by its ID.
    index: HashMap<&'a str, usize>,
    /// Samples by question and by the index of the seed.
    samples: Vec<Vec<Option<Sample>>>,
}

impl<'a> Answers<'a> {
    fn of(items: &'a [EvalQuestion], seeds: &'a [u64]) -> Answers<'a> {
        let index = items.iter().enumerate().map(|(at, item)| (item.id.as_str(), at)).collect();
        Answers { items, seeds, index, samples: vec![vec![None; seeds.len()]; items.len()] }
    }

    /// Grades and stores an attempt; `None` if it is not part of this run. Rejects an attempt whose
    /// question has changed.
    ///
    /// The error is the cause for a message.
    fn take(&mut self, attempt: &RecordedAttempt) -> Result<Option<Grade<'a>>, String> {
        let place = self.seeds.iter().position(|seed| *seed == attempt.seed);
        let (Some(&at), Some(place)) = (self.index.get(attempt.id.as_str()), place) else {
            return Ok(None);
        };
        let item = &self.items[at];
        if item.question != attempt.question {
            return Err(format!("{} had a different text", named(&item.id)));
        }
        let value = of_reply(&attempt.answer);
        let is_right = value.as_ref() == Some(&item.truth);
        let grade = Grade {
            place: at * self.seeds.len() + place,
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

    /// Returns the attempts still missing: index of the question and seed.
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

    /// Returns the scores per family, sorted by name; empty if the set has no families.
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
