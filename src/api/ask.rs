//! A request for an answer, and the checked question it becomes.
//!
//! Each front end fills in an [`Ask`] with the settings that its client gave; the mode supplies the
//! rest. `POST /api/jobs` and the serial protocol share the JSON fields in [`JOB_FIELDS`].

use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::Fields;
use crate::desk::Desk;
use crate::random;
use crate::types::error::Error;
use crate::types::job::{self, Choices, Client, Ending, JobName, Question, Role, Turn};
use crate::types::mode::{AdapterRef, DEFAULT_MODE, Mode, Modes, Reads};

/// The fields of a question in `POST /api/jobs` and in the serial protocol's `ask`.
pub(crate) const JOB_FIELDS: [&str; 10] = [
    "question",
    "mode",
    "attempts",
    "budget_tokens",
    "previous",
    "attempt_of_student",
    "seed",
    "temperature",
    "top_p",
    "ignore_eos",
];

/// A request for an answer. `None` and empty lists stand for the settings of its mode.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The text of the question.
    pub question: String,
    /// The conversation before the question, oldest turn first.
    pub earlier: Vec<Turn>,
    /// An answered job whose conversation precedes `earlier`.
    pub previous: Option<JobName>,
    /// A student's work on the question, which some modes review.
    pub student_work: StudentWork,
    /// Name of the mode, [`DEFAULT_MODE`] if `None`.
    pub mode: Option<String>,
    /// A system prompt that replaces the one of the mode.
    pub system: Option<String>,
    /// How many attempts are made.
    pub attempts: Option<u32>,
    /// Whether the attempts vote on one answer.
    pub choices: Choices,
    /// Most tokens that each attempt may generate.
    pub budget_tokens: Option<u32>,
    /// Seed of the random numbers, fresh if `None`.
    pub seed: Option<u64>,
    /// Sampling temperature; 0 always takes the likeliest token.
    pub temperature: Option<f32>,
    /// Probability mass of the tokens that are sampled from, 1 for all.
    pub top_p: Option<f32>,
    /// Adapters instead of the mode's.
    pub adapters: Vec<AdapterRef>,
    /// What may end an attempt before its budget.
    pub ending: Ending,
    /// Strings that end the answer.
    pub stops: Vec<String>,
}

/// Where the work of a student is, for modes that review it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StudentWork {
    /// There is none; a mode that reviews work refuses the question.
    Missing,
    /// Possibly in the question, because chat clients have no field for it.
    InQuestion,
    /// In a text of its own.
    Given(String),
}

impl Ask {
    /// Makes a request that leaves all settings to the mode.
    pub fn new(question: impl Into<String>) -> Ask {
        Ask {
            question: question.into(),
            earlier: Vec::new(),
            previous: None,
            student_work: StudentWork::Missing,
            mode: None,
            system: None,
            attempts: None,
            choices: Choices::Voted,
            budget_tokens: None,
            seed: None,
            temperature: None,
            top_p: None,
            adapters: Vec::new(),
            ending: Ending::EndOfGeneration,
            stops: Vec::new(),
        }
    }

    /// Reads [`JOB_FIELDS`]; the caller decides about others.
    pub(crate) fn from_fields(fields: &Fields) -> Result<Ask, Error> {
        let owned = |name| fields.string(name).map(|text| text.map(str::to_string));
        let work = owned("attempt_of_student")?;
        let ignores_eos = fields.flag("ignore_eos")?.unwrap_or(false);
        Ok(Ask {
            mode: owned("mode")?,
            attempts: fields.u32("attempts")?,
            budget_tokens: fields.u32("budget_tokens")?,
            previous: fields.job("previous")?,
            student_work: work.map_or(StudentWork::Missing, StudentWork::Given),
            seed: fields.seed("seed")?,
            temperature: fields.float("temperature")?,
            top_p: fields.float("top_p")?,
            ending: if ignores_eos { Ending::Budget } else { Ending::EndOfGeneration },
            ..Ask::new(fields.required_string("question")?)
        })
    }

    /// Returns the body of the equivalent `POST /api/jobs`, as far as [`JOB_FIELDS`] can express
    /// it.
    pub(crate) fn to_json(&self) -> Value {
        let work = match &self.student_work {
            StudentWork::Given(text) => Some(text.as_str()),
            StudentWork::Missing | StudentWork::InQuestion => None,
        };
        let fields: [(&str, Value); JOB_FIELDS.len()] = [
            ("question", self.question.as_str().into()),
            ("mode", self.mode.as_deref().into()),
            ("attempts", self.attempts.into()),
            ("budget_tokens", self.budget_tokens.into()),
            ("previous", self.previous.map(|job| job.to_string()).into()),
            ("attempt_of_student", work.into()),
            ("seed", self.seed.into()),
            ("temperature", self.temperature.into()),
            ("top_p", self.top_p.into()),
            ("ignore_eos", (self.ending == Ending::Budget).then_some(true).into()),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_null());
        given.map(|(name, value)| (name.to_string(), value)).collect::<Map<_, _>>().into()
    }

    /// Returns the checked question in the requested mode.
    ///
    /// # Errors
    /// `not_found` for an unknown mode, and those of [`Ask::question_in`].
    pub fn question(&self, modes: &Modes) -> Result<Question, Error> {
        let mode = modes.find(self.mode.as_deref().unwrap_or(DEFAULT_MODE))?;
        self.question_in(mode)
    }

    /// Returns the checked question in `mode`. The conversation of `previous` is not part of it
    /// yet: [`continue_from`] adds it.
    ///
    /// # Errors
    /// `bad_request` or `too_long`, naming the field.
    pub fn question_in(&self, mode: Arc<Mode>) -> Result<Question, Error> {
        let text = match &self.student_work {
            StudentWork::InQuestion if mode.reads == Reads::StudentAttempt => self.question.clone(),
            StudentWork::InQuestion | StudentWork::Missing => {
                job::message(&mode, &self.question, None)?
            }
            StudentWork::Given(work) => job::message(&mode, &self.question, Some(work))?,
        };
        let student_attempt_bytes = match (&self.student_work, mode.reads) {
            (StudentWork::Given(work), Reads::StudentAttempt) => work.trim().len(),
            _ => 0,
        };
        let turn = Turn { role: Role::User, text };
        let turns = self.earlier.iter().cloned().chain([turn]).collect();
        let mut question = Question::new(mode, turns, self.seed.unwrap_or_else(random::seed));
        if let Some(system) = &self.system {
            question.system.clone_from(system);
        }
        question.attempts = self.attempts.unwrap_or(question.attempts);
        question.choices = self.choices;
        question.budget_tokens = self.budget_tokens.unwrap_or(question.budget_tokens);
        let sampling = &mut question.sampling;
        sampling.temperature = self.temperature.unwrap_or(sampling.temperature);
        sampling.top_p = self.top_p.unwrap_or(sampling.top_p);
        if !self.adapters.is_empty() {
            question.adapters.clone_from(&self.adapters);
        }
        question.ending = self.ending;
        question.stops.clone_from(&self.stops);
        question.student_attempt_bytes = student_attempt_bytes;
        question.check()?;
        Ok(question)
    }
}

/// Puts the conversation of the answered job `previous`, if there is one, before a question. The
/// job must belong to one of `clients`, the two identities of the client that asks.
pub(crate) fn continue_from(
    desk: &Desk,
    clients: [Client; 2],
    previous: Option<JobName>,
    question: &mut Question,
) -> Result<(), Error> {
    if let Some(previous) = previous {
        let turns = desk.conversation(clients, previous)?;
        question.turns.splice(0..0, turns);
        question.previous = Some(previous);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
