//! Question sets: JSON lines of `{"id", "question", "answer", "family"?}`.
//!
//! The format of AIME and MATH files works as well: `problem` for `question`, numbers for strings,
//! no `id` (the line number is used), further fields. Each error names its line, and no question is
//! asked before the whole set is valid.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value as Json;

use crate::answers::value::Value;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;

/// A question with its correct answer.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalQuestion {
    /// ID, unique in the set.
    pub id: String,
    /// Text of the question.
    pub question: String,
    /// The correct answer, normalised for comparison.
    pub truth: Value,
    /// Family of the question; empty if the set does not name one.
    pub family: String,
}

/// Reads a set, or its first `limit` questions.
///
/// # Errors
/// `not_found` if the file cannot be read; `bad_request` naming the file, the line and the cause.
pub fn read(file: &Path, limit: Option<u32>) -> Result<Vec<EvalQuestion>, Error> {
    let cannot = |cause: String| {
        let what = format!("cannot read set '{}': {cause}", file.display());
        Error::new(Kind::NotFound, what, "Name a readable file of JSON lines with --set FILE.")
    };
    let opened = File::open(file).map_err(|error| cannot(io_cause(&error)))?;
    let (mut text, most) = (String::new(), limits::EVAL_SET_BYTES_MAX);
    let read = opened.take(most + 1).read_to_string(&mut text);
    if read.map_err(|error| cannot(io_cause(&error)))? as u64 > most {
        return Err(cannot(format!("it has more than {most} bytes")));
    }
    parse(&text, limit).map_err(|(line, cause)| {
        let place = if line == 0 { String::new() } else { format!(", line {line}") };
        Error::bad_request(
            format!("set '{}'{place}: {cause}", file.display()),
            "Each line needs one object such as {\"id\": \"7\", \"question\": \"What is 2+2?\", \
             \"answer\": \"4\"}.",
        )
    })
}

/// Parses a set; an error has its line, counted from 1, or 0 for the whole set.
fn parse(text: &str, limit: Option<u32>) -> Result<Vec<EvalQuestion>, (usize, String)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let mut lines_of_ids = HashMap::new();
    let mut items = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let item = parse_line(line, number).map_err(|cause| (number, cause))?;
        if let Some(earlier) = lines_of_ids.insert(item.id.clone(), number) {
            let id = item.id.escape_debug();
            return Err((number, format!("id '{id}' was used in line {earlier}")));
        }
        items.push(item);
    }
    if items.is_empty() {
        return Err((0, "it contains no questions".into()));
    }
    items.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
    Ok(items)
}

fn parse_line(line: &str, number: usize) -> Result<EvalQuestion, String> {
    let json: Json = serde_json::from_str(line).map_err(|error| no_json(&error))?;
    let object = json.as_object().ok_or("not a JSON object")?;
    // AIME files write 'Problem' as well as 'problem'.
    let find = |name: &str| {
        object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let field = |name: &str| match find(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(Json::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("field '{name}' must be a string or a number")),
    };
    let question = match field("question")? {
        Some(question) => Some(question),
        None => field("problem")?,
    };
    let question = question.filter(|text| !text.trim().is_empty());
    let question = question.ok_or("field 'question' is missing or empty")?;
    let answer = field("answer")?.ok_or("field 'answer' is missing")?;
    let truth = Value::parse(&answer)
        .ok_or_else(|| format!("field 'answer': '{}' is not an answer", answer.escape_debug()))?;
    Ok(EvalQuestion {
        id: field("id")?.unwrap_or_else(|| number.to_string()),
        family: field("family")?.unwrap_or_default(),
        question,
        truth,
    })
}

/// Formats an error of serde_json, whose line numbers start again in each line of the set.
fn no_json(error: &serde_json::Error) -> String {
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    format!("not JSON: {cause} in column {}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_in_our_format_and_in_that_of_aime_files() {
        let ours = r#"{"id": "a", "question": "1+1?", "answer": "2", "family": "sums"}"#;
        let aime = r#"{"problem": "Find $m+n$.", "answer": 73, "year": 2024, "url": null}"#;
        let items = parse(&format!("{ours}\n\n{aime}\n"), None).unwrap();
        assert_eq!((items[0].id.as_str(), items[0].family.as_str()), ("a", "sums"));
        assert_eq!((items[1].id.as_str(), items[1].question.as_str()), ("3", "Find $m+n$."));
        assert_eq!(Some(&items[1].truth), Value::parse("073").as_ref());
        let capital = r#"{"ID": "2024-I-1", "Problem": "Find $m+n$.", "Answer": 204}"#;
        let item = &parse(capital, None).unwrap()[0];
        assert_eq!((item.id.as_str(), &item.truth), ("2024-I-1", &Value::parse("204").unwrap()));
        assert_eq!(parse(&format!("{ours}\n{aime}"), Some(1)).unwrap().len(), 1);
    }

    #[test]
    fn each_error_names_its_line_and_the_cause() {
        let good = r#"{"id": "a", "question": "1+1?", "answer": "2"}"#;
        let cases = [
            ("{", "not JSON: EOF while parsing an object in column 1"),
            ("[1]", "not a JSON object"),
            (r#"{"answer": "2"}"#, "'question'"),
            (r#"{"question": " ", "answer": "2"}"#, "'question'"),
            (r#"{"question": "1+1?"}"#, "'answer' is missing"),
            (r#"{"question": "1+1?", "answer": null}"#, "'answer' is missing"),
            (r#"{"question": "1+1?", "answer": [2]}"#, "'answer' must be a string"),
            (r#"{"question": "1+1?", "answer": " "}"#, "'answer': ' ' is not an answer"),
            (good, "was used in line 1"),
        ];
        for (line, expected) in cases {
            let (at, cause) = parse(&format!("{good}\n{line}"), None).unwrap_err();
            assert_eq!(at, 2, "{line}");
            assert!(cause.contains(expected), "{line}: {cause}");
        }
        assert_eq!(parse(" \n", None).unwrap_err().0, 0);
    }
}
