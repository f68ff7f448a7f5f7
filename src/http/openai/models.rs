//! `GET /v1/models` and `GET /v1/models/ID`: the box and its modes, as models.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::rounded;
use crate::http::App;
use crate::http::refuse::Shape;
use crate::http::reply::Reply;
use crate::types::error::{Error, Kind};
use crate::types::mode::{DEFAULT_MODE, Mode, Reads, Voting};

/// Lists `solverbox` and each mode as a model of its own.
pub fn models(app: &App) -> Reply {
    Reply::json(200, &json!({"object": "list", "data": all_models(app)}))
}

/// Describes one model of the list.
pub fn model(app: &App, id: &str) -> Reply {
    // Some clients encode the colon of solverbox:MODE.
    let id = percent_decode_str(id).decode_utf8_lossy();
    match all_models(app).into_iter().find(|model| model["id"] == *id) {
        Some(model) => Reply::json(200, &model),
        None => {
            let what = format!("no model is called '{}'", id.escape_debug());
            let error = Error::new(Kind::NotFound, what, "GET /v1/models lists them.");
            Reply::error(&error, Shape::OpenAi)
        }
    }
}

fn all_models(app: &App) -> Vec<Value> {
    let entry = |id: String, mode: &Mode| {
        json!({
            "id": id,
            "object": "model",
            "created": 0,
            "owned_by": "solverbox",
            "about": mode.about,
            "student_attempt": mode.reads == Reads::StudentAttempt,
            "votes": mode.voting == Voting::ByValue,
            "attempts": mode.attempts,
            "temperature": rounded(mode.sampling.temperature),
            "default": mode.name == DEFAULT_MODE,
        })
    };
    let default = app.modes.iter().find(|mode| mode.name == DEFAULT_MODE);
    let plain = default.map(|mode| entry("solverbox".into(), mode));
    let modes = app.modes.iter().map(|mode| entry(format!("solverbox:{}", mode.name), mode));
    plain.into_iter().chain(modes).collect()
}
