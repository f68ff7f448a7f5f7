//! Reads what `/api/jobs` is asked: a question's fields, a page of a list, a place in a log.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tiny_http::Request;

use super::reply::header;
use crate::store::RequestKey;
use crate::types::error::Error;
use crate::types::job::{self, JobName, Question, Role, Turn};
use crate::types::limits;
use crate::types::mode::{DEFAULT_MODE, Modes};
use crate::types::position::LogPosition;

/// A question that was understood.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// The job whose conversation it goes on with.
    pub previous: Option<JobName>,
}

/// Which part of a list is wanted.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The latest jobs before this one.
    pub before: Option<JobName>,
    /// So many at most.
    pub limit: u32,
}

/// The fields of a question, for the document and for naming what is none.
pub const FIELDS: [&str; 7] =
    ["question", "mode", "attempts", "budget_tokens", "previous", "attempt_of_student", "seed"];

/// Reads a request's body.
///
/// # Errors
/// `bad_request` or `too_long` naming the field; `not_found` for an unknown mode.
pub fn parse(body: &[u8], modes: &Modes) -> Result<Asked, Error> {
    let form = "Send {\"question\": \"…\"} as JSON; /openapi.json has all fields.";
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Error::bad_request(format!("the body is not JSON: {e}"), form))?;
    let Value::Object(fields) = value else {
        return Err(Error::bad_request("the body is no JSON object", form));
    };
    if let Some(foreign) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let name: String = foreign.escape_debug().take(40).collect();
        let remedy = format!("The fields are {}.", FIELDS.join(", "));
        return Err(Error::bad_request(format!("{name}: there is no such field"), remedy));
    }
    let mode = modes.find(text(&fields, "mode")?.unwrap_or(DEFAULT_MODE))?;
    let Some(asked) = text(&fields, "question")? else {
        return Err(Error::bad_request("question: it is missing", form));
    };
    let message = job::message(&mode, asked, text(&fields, "attempt_of_student")?)?;
    let turn = Turn { role: Role::User, text: message };
    let mut question = Question::new(mode, vec![turn], job::fresh_seed());
    if let Some(attempts) = number(&fields, "attempts")? {
        question.attempts = attempts;
    }
    if let Some(budget) = number(&fields, "budget_tokens")? {
        question.budget_tokens = budget;
    }
    if let Some(seed) = get(&fields, "seed") {
        let whole = seed.as_u64().or_else(|| {
            // From 2^64 on there is no room.
            let float = whole_float(seed).filter(|seed| *seed < 18_446_744_073_709_551_616.0);
            float.map(|seed| seed as u64)
        });
        question.seed = whole.ok_or_else(|| bad("seed", "it is no integer from 0 up"))?;
    }
    question.check()?;
    let previous = text(&fields, "previous")?.map(|id| name(id, "previous")).transpose()?;
    Ok(Asked { question, previous })
}

/// Reads the query of a list.
///
/// # Errors
/// `bad_request` naming what is wrong in it.
pub fn page(url: &str) -> Result<Page, Error> {
    let mut page = Page { before: None, limit: limits::LIST_JOBS_DEFAULT };
    for (key, value) in query(url) {
        match key {
            "before" => page.before = Some(name(value, "before")?),
            "limit" => {
                let max = limits::LIST_JOBS_MAX;
                let limit = value.parse().ok().filter(|limit| (1..=max).contains(limit));
                page.limit = limit
                    .ok_or_else(|| bad("limit", &format!("it is no number from 1 to {max}")))?;
            }
            _ => {}
        }
    }
    Ok(page)
}

/// Reads where in a log a reader goes on: `?from=`, else `Last-Event-ID`, else the beginning.
///
/// # Errors
/// `bad_request` where it is no place.
pub fn from(request: &Request) -> Result<LogPosition, Error> {
    let asked = query(request.url()).find(|(key, _)| *key == "from").map(|(_, value)| value);
    place(asked, header(request, "Last-Event-ID"))
}

fn place(asked: Option<&str>, last: Option<&str>) -> Result<LogPosition, Error> {
    let read = |name: &str, text: &str| {
        text.parse::<LogPosition>().map_err(|_| bad(name, "it is no place in a log, such as 1234"))
    };
    let asked = asked.map(|text| read("from", text)).transpose()?;
    let last = last.filter(|text| !text.is_empty());
    let last = last.map(|text| read("Last-Event-ID", text)).transpose()?;
    // A browser that has lost its stream adds the header to the address it began with: it is later.
    Ok(last.or(asked).unwrap_or_default())
}

/// Reads the key under which a client may send the same body again without asking twice.
///
/// # Errors
/// `bad_request` where it is empty, too long, or more than one word of ASCII.
pub fn key(request: &Request, body: &[u8]) -> Result<Option<RequestKey>, Error> {
    let Some(key) = header(request, "Idempotency-Key") else { return Ok(None) };
    let max = limits::REQUEST_KEY_BYTES_MAX;
    let cause = if key.is_empty() || key.len() > max {
        format!("it has {} bytes, 1 to {max} are allowed", key.len())
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "it has more than letters, digits and signs".into()
    } else {
        let (key, asked) = (Sha256::digest(key).into(), Sha256::digest(body).into());
        return Ok(Some(RequestKey { key, asked }));
    };
    Err(Error::bad_request(
        format!("Idempotency-Key: {cause}"),
        "Send something short and new with each question, such as a UUID.",
    ))
}

/// Splits the query of an address; what is not ours to name is compared as it stands.
fn query(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split('#').next().and_then(|url| url.split_once('?')).map_or("", |(_, q)| q);
    query.split('&').filter_map(|pair| pair.split_once('='))
}

fn get<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Result<Option<&'f str>, Error> {
    let text = |value: &'f Value| value.as_str().ok_or_else(|| bad(name, "it is no text"));
    get(fields, name).map(text).transpose()
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<Option<u32>, Error> {
    let number = |value: &Value| {
        let whole = whole_float(value).filter(|whole| *whole <= u32::MAX.into());
        whole.map(|n| n as u32).ok_or_else(|| bad(name, "it is no positive integer"))
    };
    get(fields, name).map(number).transpose()
}

/// Returns a number from 0 up that is whole: to JSON 4 and 4.0 are one.
fn whole_float(value: &Value) -> Option<f64> {
    value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0)
}

fn name(id: &str, field: &str) -> Result<JobName, Error> {
    id.parse().map_err(|_| bad(field, "it is no job's id, which has 32 digits of 0-9 and a-f"))
}

fn bad(name: &str, cause: &str) -> Error {
    Error::bad_request(format!("{name}: {cause}"), "/openapi.json says what is allowed.")
}

#[cfg(test)]
mod tests;
