//! Errors as HTTP replies: one status per kind, and a body in the box's own shape, in OpenAI's
//! under `/v1`, or as a page under `/basic`.
//!
//! Clients see what they can act on; faults of the box itself are described in its owner's log.

use serde_json::{Value, json};

use super::basic;
use crate::types::error::{Error, Kind};

/// The shape of error bodies that a client expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"error": {"kind", "message", "remedy"}}`
    Own,
    /// `{"error": {"message", "type", "param", "code"}}`
    OpenAi,
    /// A page for a person whose browser runs no script.
    Page,
}

impl Shape {
    /// Returns the shape that clients of `path` expect.
    pub fn of_path(path: &str) -> Shape {
        let path = path.split(['?', '#']).next().unwrap_or(path);
        let is_under = |room: &str| {
            path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if is_under("/v1") {
            Shape::OpenAi
        } else if is_under(basic::PATH) {
            Shape::Page
        } else {
            Shape::Own
        }
    }
}

/// Returns the status of an error in a reply of that shape.
pub fn status(kind: Kind, shape: Shape) -> u16 {
    match kind {
        // As OpenAI's API has it, whose clients then shorten the conversation by themselves.
        Kind::TooLong if shape == Shape::OpenAi => 400,
        Kind::Internal | Kind::BadModel | Kind::Environment => 500,
        Kind::BadRequest => 400,
        Kind::NoModel | Kind::NoMemory | Kind::Busy | Kind::Stopped => 503,
        Kind::TooLong => 413,
        Kind::NotFound => 404,
        Kind::TooMany => 429,
        Kind::NoSpace => 507,
        Kind::Conflict => 409,
        Kind::Unauthorized => 401,
        Kind::Forbidden => 403,
        Kind::Misdirected => 421,
    }
}

/// Returns the code of an error in OpenAI's shape.
pub fn code(kind: Kind) -> &'static str {
    match kind {
        Kind::TooLong => "context_length_exceeded",
        kind => kind.name(),
    }
}

/// Returns the content type and the body of an error's reply; `code` is that of OpenAI's shape.
pub fn document(error: &Error, shape: Shape, code: &str) -> (&'static str, String) {
    match shape {
        Shape::Own | Shape::OpenAi => {
            ("application/json", body_coded(error, shape, code).to_string())
        }
        Shape::Page => (basic::HTML, basic::refusal(error)),
    }
}

/// Returns the JSON of an error, without the paths and causes that only the owner may see.
pub fn body(error: &Error, shape: Shape) -> Value {
    body_coded(error, shape, code(error.kind))
}

/// Like [`body`], with another `code` in OpenAI's shape, for clients that check for OpenAI's codes.
pub fn body_coded(error: &Error, shape: Shape, code: &str) -> Value {
    match shape {
        Shape::Own | Shape::Page => json!({"error": crate::api::json::error(error)}),
        Shape::OpenAi => {
            let Error { message, remedy, .. } = error.for_remote_users();
            let kind = match status(error.kind, shape) {
                // OpenAI's type for a client that exceeds its rate limit.
                429 => "requests",
                400..500 => "invalid_request_error",
                _ => "server_error",
            };
            let param = param(&message);
            let message = format!("{message}. {remedy}");
            json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
        }
    }
}

/// Returns the field that a message starts with, as in `temperature: 9 is …`.
fn param(message: &str) -> Option<&str> {
    let (field, _) = message.split_once(": ")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.[]".contains(c);
    (!field.is_empty() && field.chars().all(is_name)).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_under_v1_names_its_field_as_openai_does() {
        let error = Error::bad_request("messages[0].role: 'x' is unknown", "Use user.");
        let body = body(&error, Shape::of_path("/v1/chat/completions"));
        assert_eq!(body["error"]["param"], "messages[0].role");
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(body["error"]["code"], "bad_request");
    }

    #[test]
    fn the_shape_of_an_error_is_that_of_its_path() {
        for (path, shape) in [
            ("/v1/chat/completions", Shape::OpenAi),
            ("/v1?x", Shape::OpenAi),
            ("/basic", Shape::Page),
            ("/basic?before=1", Shape::Page),
            ("/basic/jobs/1", Shape::Page),
            ("/basic.css", Shape::Own),
            ("/v12", Shape::Own),
            ("/", Shape::Own),
        ] {
            assert_eq!(Shape::of_path(path), shape, "{path}");
        }
        let error = Error::new(Kind::Busy, "all <connections> are in use", "Try again.");
        let (content_type, page) = document(&error, Shape::Page, "busy");
        assert!(content_type.starts_with("text/html") && page.contains("all &lt;connections&gt;"));
    }

    #[test]
    fn a_client_with_too_many_questions_is_told_so_and_a_full_box_is_another_matter() {
        let refused = |kind| {
            let error = Error::new(kind, "you have 16 questions here", "Wait for one to end.");
            (status(kind, Shape::OpenAi), body(&error, Shape::OpenAi)["error"].clone())
        };
        let (too_many, busy) = (refused(Kind::TooMany), refused(Kind::Busy));
        assert_eq!((too_many.0, busy.0), (429, 503));
        assert_eq!(
            (&too_many.1["code"], &too_many.1["type"]),
            (&"too_many".into(), &"requests".into())
        );
        assert_eq!((&busy.1["code"], &busy.1["type"]), (&"busy".into(), &"server_error".into()));
        assert!(too_many.1["message"].as_str().unwrap().starts_with("you have 16 questions here"));
    }

    #[test]
    fn a_pupil_never_sees_a_path() {
        let kinds = [Kind::Internal, Kind::NoModel, Kind::BadModel, Kind::NoMemory, Kind::NoSpace];
        for kind in kinds {
            let error = Error::new(kind, "cannot open '/home/x/m.gguf'", "Look in /home/x.");
            for shape in [Shape::Own, Shape::OpenAi, Shape::Page] {
                assert!(!document(&error, shape, "").1.contains("/home"), "{kind:?}");
            }
        }
    }
}
