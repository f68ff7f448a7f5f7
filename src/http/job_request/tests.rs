//! What a question is read of, and what is refused.

use super::*;
use crate::types::error::Kind;

fn asked(body: &str) -> Result<Asked, Error> {
    parse(body.as_bytes(), &Modes::built_in())
}

#[test]
fn fields_become_a_question_in_its_mode() {
    let id = "0123456789abcdef0123456789abcdef";
    let body = format!(
        r#"{{"question": "2+2?", "mode": "math", "attempts": 3, "budget_tokens": 100,
            "seed": 7, "previous": "{id}", "attempt_of_student": null}}"#
    );
    let Asked { question, previous } = asked(&body).unwrap();
    assert_eq!((question.attempts, question.budget_tokens, question.seed), (3, 100, 7));
    assert_eq!(previous, Some(id.parse().unwrap()));
    assert_eq!(asked(r#"{"question": "2+2?"}"#).unwrap().question.mode.name, DEFAULT_MODE);
    let review = r#"{"question": "2+2?", "mode": "review", "attempt_of_student": "5"}"#;
    assert!(asked(review).unwrap().question.turns[0].text.contains("Student's attempt:\n5"));
}

#[test]
fn a_bad_field_is_named() {
    for (body, named) in [
        ("{", "the body is not JSON"),
        ("[]", "the body is no JSON object"),
        ("{}", "question:"),
        (r#"{"question": 5}"#, "question:"),
        (r#"{"question": " "}"#, "the question is empty"),
        (r#"{"question": "x", "mode": "chess"}"#, "no mode is called 'chess'"),
        (r#"{"question": "x", "attempts": 0}"#, "attempts: 0 is too few"),
        (r#"{"question": "x", "attempts": 99}"#, "attempts: 99 is too many"),
        (r#"{"question": "x", "attempts": -1}"#, "attempts: it is no"),
        (r#"{"question": "x", "attempts": 4294967296}"#, "attempts: it is no"),
        (r#"{"question": "x", "budget_tokens": 0}"#, "budget of 0 tokens"),
        (r#"{"question": "x", "budget_tokens": "9"}"#, "budget_tokens:"),
        (r#"{"question": "x", "previous": "7"}"#, "previous:"),
        (r#"{"question": "x", "seed": 1.5}"#, "seed:"),
        (r#"{"question": "x", "attempt_of_student": "y"}"#, "mode 'math' reads no"),
        (r#"{"question": "x", "tempreature": 1}"#, "tempreature: there is no such field"),
    ] {
        let error = asked(body).unwrap_err();
        assert!(error.message.starts_with(named), "{body}: {error}");
    }
    assert_eq!(asked(r#"{"question": "x", "mode": "chess"}"#).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn any_bytes_are_a_question_or_a_refusal() {
    let modes = Modes::built_in();
    let parsed = |body: &[u8]| match parse(body, &modes) {
        Ok(asked) => asked.question.check().unwrap(),
        Err(error) => assert!(!error.message.is_empty() && !error.remedy.is_empty()),
    };
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let time = std::time::Duration::from_secs(seconds.unwrap_or(1));
    bolero::check!().with_test_time(time).for_each(|input: &[u8]| {
        parsed(input);
        let text = String::from_utf8_lossy(input);
        for field in FIELDS {
            let quoted = Value::from(&*text);
            for value in [&*text, &quoted.to_string()] {
                let body = format!(r#"{{"question": "2+2?", "{field}": {value}}}"#);
                parsed(body.as_bytes());
            }
        }
        if let Ok(at) = place(None, Some(&text)).map(|at| (at, at.to_string().parse())) {
            assert_eq!(at.1, Ok(at.0));
        }
        for query in [text.to_string(), format!("limit={text}"), format!("before={text}")] {
            let page = page(&format!("/api/jobs?{query}"));
            assert!(page.is_err() || page.is_ok_and(|page| page.limit > 0));
        }
    });
}

#[test]
fn a_page_is_bounded() {
    let all = Page { before: None, limit: limits::LIST_JOBS_DEFAULT };
    assert_eq!(page("/api/jobs").unwrap(), all);
    assert_eq!(page("/api/jobs?x=y&limit=7#limit=8").unwrap().limit, 7);
    for query in ["limit=0", "limit=101", "limit=x", "limit=", "before=1", "before="] {
        assert!(page(&format!("/api/jobs?{query}")).is_err(), "{query}");
    }
}

#[test]
fn a_reader_that_comes_back_by_itself_is_later_than_its_address() {
    let at = |asked, last| place(asked, last).map(|place| place.offset);
    assert_eq!(at(None, None), Ok(0));
    assert_eq!(at(Some("7"), None), Ok(7));
    assert_eq!(at(Some("7"), Some("")), Ok(7));
    assert_eq!(at(Some("7"), Some("9.1")), Ok(9));
    assert!(
        at(Some(""), Some("9")).is_err()
            && at(Some("x"), None).is_err()
            && at(None, Some("-1")).is_err()
    );
}
