//! `POST /api/predict`: `{"data": ["question", "mode"?, "student's attempt"?]}` → `{"data":
//! ["answer"], "duration": seconds}`, the shape Gradio clients speak.

use std::time::Instant;

use serde_json::{Value, json};

use super::App;
use super::auth::client::Principal;
use super::gate::Visitor;
use super::refuse::Shape;
use super::reply::Reply;
use crate::desk::{Durability, SubmitOptions};
use crate::types::answer::Outcome;
use crate::types::error::Error;
use crate::types::job::{self, Question, Role, Turn};
use crate::types::mode::{DEFAULT_MODE, Modes};

/// Answers when the job has ended; a client that leaves stops it.
pub fn answer(app: &App, visitor: &Visitor, principal: &Principal, body: &[u8]) -> Reply {
    let asked = Instant::now();
    let ended = parse(body, &app.modes).and_then(|question| {
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

fn parse(body: &[u8], modes: &Modes) -> Result<Question, Error> {
    let form = "Send {\"data\": [\"question\", \"mode\"]} as JSON.";
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Error::bad_request(format!("the body is not JSON: {e}"), form))?;
    let Some(data) = value.get("data").and_then(Value::as_array) else {
        return Err(Error::bad_request("data: it is missing or no list", form));
    };
    let text = |at: usize| match data.get(at) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Error::bad_request(format!("data[{at}]: it is no text"), form)),
    };
    let Some(question) = text(0)? else {
        return Err(Error::bad_request("data[0]: the question is missing", form));
    };
    let mode = modes.find(text(1)?.unwrap_or(DEFAULT_MODE))?;
    let text = job::message(&mode, question, text(2)?)?;
    Ok(Question::new(mode, vec![Turn { role: Role::User, text }], job::fresh_seed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradio_body_becomes_a_question_in_its_mode() {
        let modes = Modes::built_in();
        let parse = |body: &str| parse(body.as_bytes(), &modes);
        assert_eq!(parse(r#"{"data": ["2+2?"]}"#).unwrap().mode.name, "math");
        assert_eq!(parse(r#"{"data": ["2+2?", "plain"]}"#).unwrap().mode.name, "plain");
        assert_eq!(parse(r#"{"data": ["2+2?", null]}"#).unwrap().turns[0].text, "2+2?");
        assert!(parse(r#"{"data": ["2+2?", "review", "5"]}"#).is_ok());
        let mut own = Modes::built_in();
        own.extend("[[mode]]\nname='plain'\nattempts=3", "own.toml").unwrap();
        assert_eq!(super::parse(br#"{"data": ["2+2?", "plain"]}"#, &own).unwrap().attempts, 3);
        for (body, named) in [
            ("{", "JSON"),
            ("[]", "data"),
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
