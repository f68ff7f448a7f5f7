//! `POST /api/predict`: `{"data": ["question", "mode"?, "student's attempt"?]}` → `{"data":
//! ["answer"], "duration": seconds}`, the shape Gradio clients speak.

use std::time::Instant;

use serde_json::{Value, json};

use super::App;
use super::auth::client::Principal;
use super::gate::Visitor;
use super::refuse::Shape;
use super::reply::Reply;
use crate::api::ask::{Ask, StudentWork};
use crate::api::fields::Fields;
use crate::desk::{Durability, SubmitOptions};
use crate::types::answer::Outcome;
use crate::types::error::Error;

/// Answers when the job has ended; a client that disconnects stops it.
pub fn answer(app: &App, visitor: &Visitor, principal: &Principal, body: &[u8]) -> Reply {
    let asked = Instant::now();
    let ended = parse(body).and_then(|ask| {
        let question = ask.question(&app.modes)?;
        let ticket = super::submit(
            app,
            visitor,
            principal,
            question,
            None,
            SubmitOptions::of(Durability::WhileListening),
        )?;
        let whole = ticket.record.wait_ended();
        match whole.outcome {
            Outcome::Failed(error) => Err(error),
            Outcome::Done | Outcome::Budget | Outcome::Stopped => Ok(whole.answer),
        }
    });
    match ended {
        Ok(answer) => {
            let body = json!({"data": [answer], "duration": asked.elapsed().as_secs_f64()});
            Reply::json(200, &body)
        }
        Err(error) => super::refused(app, &error, Shape::Own),
    }
}

fn parse(body: &[u8]) -> Result<Ask, Error> {
    let example = "Send {\"data\": [\"question\", \"mode\"]} as JSON.";
    let fields = Fields::of_body(body, example, example)?;
    let Some(data) = fields.get("data").and_then(Value::as_array) else {
        return Err(fields.wrong("data", "must be a list"));
    };
    let text = |at: usize| match data.get(at) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(fields.wrong(&format!("data[{at}]"), "must be a string")),
    };
    let question = text(0)?.ok_or_else(|| fields.missing("data[0]"))?;
    let student_work = text(2)?.map_or(StudentWork::Missing, StudentWork::Given);
    Ok(Ask { mode: text(1)?, student_work, ..Ask::new(question) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::mode::Modes;

    #[test]
    fn a_gradio_body_becomes_a_question_in_its_mode() {
        let modes = Modes::built_in();
        let parse = |body: &str| parse(body.as_bytes())?.question(&modes);
        assert_eq!(parse(r#"{"data": ["2+2?"]}"#).unwrap().mode.name, "math");
        assert_eq!(parse(r#"{"data": ["2+2?", "plain"]}"#).unwrap().mode.name, "plain");
        assert_eq!(parse(r#"{"data": ["2+2?", null]}"#).unwrap().turns[0].text, "2+2?");
        assert!(parse(r#"{"data": ["2+2?", "review", "5"]}"#).is_ok());
        let mut own = Modes::built_in();
        own.extend("[[mode]]\nname='plain'\nattempts=3", "own.toml").unwrap();
        let ask = super::parse(br#"{"data": ["2+2?", "plain"]}"#).unwrap();
        assert_eq!(ask.question(&own).unwrap().attempts, 3);
        for (body, named) in [
            ("{", "JSON"),
            ("[]", "JSON object"),
            (r#"{"data": ["2+2?"], "data": ["3+3?"]}"#, "data: given twice"),
            (r#"{"data": "2+2?"}"#, "data"),
            (r#"{"data": []}"#, "data[0]"),
            (r#"{"data": [7]}"#, "data[0]"),
            (r#"{"data": ["2+2?", "chess"]}"#, "chess"),
            (r#"{"data": ["2+2?", "review"]}"#, "attempt"),
        ] {
            let error = parse(body).unwrap_err();
            assert!(error.message.contains(named), "{body}: {error}");
        }
    }
}
