//! What can be asked of the box, and when it would be answered: `GET /api/modes` and
//! `GET /api/estimate`.
//!
//! The page shows both before a question is asked. `routes` calls this; everybody may read it.

use tiny_http::Request;

use super::auth::client::Principal;
use super::refuse::Shape;
use super::reply::Reply;
use super::{App, job_request, refused};
use crate::api::{json, modes};

/// Answers `GET /api/modes` with the modes in the order in which they are shown.
pub fn modes(app: &App) -> Reply {
    Reply::json(200, &modes::list(&app.modes, &app.facts.plan))
}

/// Answers `GET /api/estimate`: when a question that this client asks now would be answered.
pub fn estimate(app: &App, principal: &Principal, request: &Request) -> Reply {
    let forecast = job_request::estimate(request.url()).and_then(|ask| {
        let mut question = ask.question(&app.modes)?;
        principal.admit(&mut question)?;
        app.desk.forecast(principal.durable_client, &question)
    });
    match forecast {
        Ok(forecast) => Reply::json(200, &json::forecast(&forecast)),
        Err(error) => refused(app, &error, Shape::Own),
    }
}
