//! Reads the requests of `/api/jobs` and `/api/estimate`: a question, a page of a list, a position
//! in a log.

use sha2::{Digest, Sha256};
use tiny_http::Request;

use super::reply::header;
use crate::api::ask::{Ask, JOB_FIELDS, StudentWork};
use crate::api::fields::{self, Fields, wrong};
use crate::desk::SharedJobs;
use crate::store::RequestKey;
use crate::types::error::Error;
use crate::types::job::JobName;
use crate::types::limits;
use crate::types::position::LogPosition;

const EXAMPLE: &str = "Send {\"question\": \"…\"} as JSON; /openapi.json has all fields.";
/// The remedy for a field that makes no sense, in `/api/jobs` and `/v1`.
pub const REMEDY: &str = "/openapi.json says what is allowed.";

/// The part of a list that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Only jobs that were submitted before this one.
    pub before: Option<JobName>,
    /// Most jobs on the page.
    pub limit: u32,
}

/// Reads the body of `POST /api/jobs`.
///
/// # Errors
/// `bad_request` naming the field.
pub fn parse(body: &[u8]) -> Result<Ask, Error> {
    let fields = Fields::of_body(body, EXAMPLE, REMEDY)?;
    fields.check_known(&JOB_FIELDS, "a question")?;
    Ask::from_fields(&fields)
}

/// Reads the query of an estimate, `?mode=` and `?attempts=`, as a question whose text does not
/// matter.
///
/// # Errors
/// `bad_request` naming the parameter.
pub fn estimate(url: &str) -> Result<Ask, Error> {
    let mut ask = Ask { student_work: StudentWork::InQuestion, ..Ask::new("?") };
    for (key, value) in query(url) {
        match key {
            "mode" => ask.mode = Some(value.to_string()),
            "attempts" => {
                let attempts = value.parse().map_err(|_| {
                    let max = limits::ATTEMPTS_MAX;
                    wrong("attempts", &format!("must be an integer from 1 to {max}"), REMEDY)
                })?;
                ask.attempts = Some(attempts);
            }
            _ => {}
        }
    }
    Ok(ask)
}

/// Reads the query of `DELETE /api/browser`: `?keep=shared`, or nothing.
///
/// # Errors
/// `bad_request` where it is another value.
pub fn shared_jobs(url: &str) -> Result<SharedJobs, Error> {
    match query(url).find(|(key, _)| *key == "keep").map(|(_, value)| value) {
        None => Ok(SharedJobs::Delete),
        Some("shared") => Ok(SharedJobs::Keep),
        Some(_) => Err(wrong("keep", "must be 'shared' or be left out", REMEDY)),
    }
}

/// Reads the query of a list.
///
/// # Errors
/// `bad_request` naming the parameter.
pub fn page(url: &str) -> Result<Page, Error> {
    let mut page = Page { before: None, limit: limits::LIST_JOBS_DEFAULT };
    for (key, value) in query(url) {
        match key {
            "before" => page.before = Some(fields::job("before", value, REMEDY)?),
            "limit" => {
                let max = limits::LIST_JOBS_MAX;
                let limit = value.parse().ok().filter(|limit| (1..=max).contains(limit));
                let cause = || format!("must be an integer from 1 to {max}");
                page.limit = limit.ok_or_else(|| wrong("limit", &cause(), REMEDY))?;
            }
            _ => {}
        }
    }
    Ok(page)
}

/// Reads the number of days of a usage report.
///
/// # Errors
/// `bad_request` naming the parameter.
pub fn days(url: &str) -> Result<u32, Error> {
    let Some((_, value)) = query(url).find(|(key, _)| *key == "days") else {
        return Ok(limits::USAGE_DAYS_DEFAULT);
    };
    let max = limits::USAGE_DAYS_MAX;
    let days = value.parse().ok().filter(|days| (1..=max).contains(days));
    days.ok_or_else(|| wrong("days", &format!("must be an integer from 1 to {max}"), REMEDY))
}

/// Reads the position in a log from which a reader continues: `?from=`, else `Last-Event-ID`, else
/// the beginning.
///
/// # Errors
/// `bad_request` where it is not a position.
pub fn from(request: &Request) -> Result<LogPosition, Error> {
    let from = query(request.url()).find(|(key, _)| *key == "from").map(|(_, value)| value);
    position(from, header(request, "Last-Event-ID"))
}

fn position(from: Option<&str>, last: Option<&str>) -> Result<LogPosition, Error> {
    let from = from.map(|text| fields::position("from", text, REMEDY)).transpose()?;
    let last = last.filter(|text| !text.is_empty());
    let last = last.map(|text| fields::position("Last-Event-ID", text, REMEDY)).transpose()?;
    // A browser that reconnects adds the header to the address it began with: the header is newer.
    Ok(last.or(from).unwrap_or_default())
}

/// Reads the key under which a client may repeat a request without asking twice.
///
/// # Errors
/// `bad_request` where it is empty, too long, or has other than visible ASCII characters.
pub fn key(request: &Request, body: &[u8]) -> Result<Option<RequestKey>, Error> {
    let Some(key) = header(request, "Idempotency-Key") else { return Ok(None) };
    let max = limits::REQUEST_KEY_BYTES_MAX;
    let cause = if key.is_empty() || key.len() > max {
        format!("it has {} bytes, 1 to {max} are allowed", key.len())
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "it has characters other than ASCII letters, digits and signs".into()
    } else {
        let (key, asked) = (Sha256::digest(key).into(), Sha256::digest(body).into());
        return Ok(Some(RequestKey { key, asked }));
    };
    let remedy = "Send a short new value with each question, such as a UUID.";
    Err(wrong("Idempotency-Key", &cause, remedy))
}

/// Splits the query of an address. Values are compared as they are: ours need no escaping.
fn query(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split('#').next().and_then(|url| url.split_once('?')).map_or("", |(_, q)| q);
    query.split('&').filter_map(|pair| pair.split_once('='))
}

#[cfg(test)]
mod tests;
