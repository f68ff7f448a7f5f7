//! The texts that `imatrix` and `compare` evaluate: plain text, or the records of `eval`
//! (`.jsonl`), which contain questions with the model's own answers.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value as Json;

use super::Loading;
use super::eval::PUBLISHED_SUFFIX;
use crate::engine::measure::Document;
use crate::model::available::available;
use crate::model::plan::PlanRequirements;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::job::{Question, Role, Turn};
use crate::types::limits;
use crate::types::mode::Modes;
use crate::types::plan::Plan;

/// Reads the documents in `file`.
///
/// # Errors
/// `not_found` if it cannot be read or is not UTF-8; `bad_request` if a line is not a record.
pub fn documents(file: &Path) -> Result<Vec<Document>, Error> {
    let text = read(file)?;
    if !file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl")) {
        return Ok(vec![Document::Text(text)]);
    }
    let bad = |line: usize, cause: String| {
        let what = format!("--text '{}', line {line}: {cause}", file.display());
        Error::bad_request(what, "Give a plain text, or the records of `solverbox eval --out`.")
    };
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let (_, first) = lines.next().unwrap_or((1, ""));
    let run = object(first).map_err(|cause| bad(1, cause))?;
    let system = run["system"]
        .as_str()
        .ok_or_else(|| bad(1, "not the first line of a file of records".into()))?;
    let suffix = if run["prompt"] == "published" { PUBLISHED_SUFFIX } else { "" };
    let records = lines.filter(|(_, line)| !line.trim().is_empty());
    records
        .map(|(at, line)| exchange(line, system, suffix).map_err(|cause| bad(at, cause)))
        .collect()
}

fn exchange(line: &str, system: &str, suffix: &str) -> Result<Document, String> {
    let record = object(line)?;
    let field = |name: &str| {
        let text = record[name].as_str().map(str::to_string);
        text.ok_or_else(|| format!("not a record: field '{name}' is missing"))
    };
    let mode = Modes::built_in().find("plain").map_err(|error| error.message)?;
    let turn = Turn { role: Role::User, text: field("question")? + suffix };
    let mut question = Question::new(mode, vec![turn], 0);
    question.system = system.to_string();
    Ok(Document::Exchange {
        question: Box::new(question),
        thinking: field("thinking")?,
        answer: field("answer")?,
    })
}

fn object(line: &str) -> Result<Json, String> {
    let json = serde_json::from_str(line).ok().filter(Json::is_object);
    json.ok_or_else(|| "not a JSON object".to_string())
}

fn read(file: &Path) -> Result<String, Error> {
    let cannot = |cause: String| {
        let what = format!("cannot read --text '{}': {cause}", file.display());
        Error::new(Kind::NotFound, what, "Name a readable text file.")
    };
    let opened = File::open(file).map_err(|error| cannot(io_cause(&error)))?;
    let (mut bytes, most) = (Vec::new(), limits::TEXT_BYTES_MAX);
    let taken = opened.take(most + 1).read_to_end(&mut bytes);
    if taken.map_err(|error| cannot(io_cause(&error)))? as u64 > most {
        return Err(cannot(format!("it has more than {most} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| cannot("it is not UTF-8 text".into()))
}

/// Plans for evaluating `documents` with each of `models`, all in memory at once.
///
/// # Errors
/// Errors of [`Loading::plan`]; `no_memory` if the models do not fit together.
pub fn plan<const N: usize>(
    models: &[Loading; N],
    documents: &[Document],
) -> Result<[Plan; N], Error> {
    let (mut plans, mut needed) = (Vec::new(), 0);
    for model in models {
        let (plan, logits_bytes) = plan_one(model, documents)?;
        needed += plan.memory.total_bytes() + logits_bytes;
        plans.push(plan);
    }
    let available = available().bytes;
    if needed > available {
        let names: Vec<String> = plans.iter().map(|plan| plan.model.to_string()).collect();
        let (needed, available) = (needed >> 20, available >> 20);
        let what = format!("evaluating with {} needs {needed} MiB", names.join(" and "));
        return Err(Error::new(
            Kind::NoMemory,
            format!("{what}, {available} MiB can be used"),
            "Free memory, or run this on a larger machine: the result is the same.",
        ));
    }
    plans.try_into().map_err(|_| Error::internal("a plan was lost"))
}

/// Returns a plan whose context holds the longest passage, and the size of the logits of a whole
/// ubatch, which answering does not need.
fn plan_one(model: &Loading, documents: &[Document]) -> Result<(Plan, u64), Error> {
    let is_text = |document: &Document| matches!(document, Document::Text(_));
    let limit = model.required.context_tokens.unwrap_or(u32::MAX);
    let long = match documents.iter().all(is_text) {
        true => limits::PASSAGE_TOKENS,
        false => limits::EXCHANGE_TOKENS_MAX,
    };
    let mut vocabulary_tokens = 0;
    let plan = model.plan_by(|header| {
        vocabulary_tokens = header.tokenizer.tokens;
        let trained = u32::try_from(header.shape.context_tokens).unwrap_or(u32::MAX);
        let context_tokens = Some(long.min(trained).min(limit));
        PlanRequirements { context_tokens, sequences: Some(1), ..model.required }
    })?;
    // One buffer in which they are computed, one from which they are read.
    let logits_bytes = 2 * 4 * u64::from(limits::UBATCH_TOKENS) * vocabulary_tokens;
    Ok((plan, logits_bytes))
}
