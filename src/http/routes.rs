//! Which path and method goes to which handler.

use std::sync::Arc;

use serde_json::json;
use tiny_http::{Method, Request};

use super::gate::{VISITOR_HEADER, Visitor};
use super::jobs::{self, Part};
use super::refuse::Shape;
use super::reply::{Reply, header};
use super::{App, openai, owner, page, predict};
use crate::desk::Health;
use crate::words::error::{Error, Kind};
use crate::words::limits;
use crate::words::plan::Origin;

/// Answers one request, to its end.
pub fn answer(app: &App, mut request: Request) {
    let path = request.url().split(['?', '#']).next().unwrap_or("/").to_string();
    let Some(visitor) = visitor(app, &request) else {
        // The gate lets nobody in unnamed: this one has left, and there is nobody to answer.
        return log::debug!("a client left before its request was read");
    };
    log::debug!("{} {path} from {}", request.method(), visitor.address());
    let asker = match app.identity.check(&request, &visitor, &path) {
        Ok(asker) => asker,
        Err(refusal) => return refusal.send(request),
    };
    let job = path.strip_prefix("/api/jobs/").and_then(Part::of_path);
    let allowed = match path.as_str() {
        "/api/jobs" => "GET, HEAD, POST, OPTIONS",
        _ if job.is_some() => job.map_or("", |(_, part)| part.allowed()),
        owner::SESSION_PATH => "GET, HEAD, POST, DELETE, OPTIONS",
        "/api/predict" | "/v1/chat/completions" => "POST, OPTIONS",
        "/" | "/page.css" | "/page.js" | "/healthz" | "/v1/models" => "GET, HEAD, OPTIONS",
        model if model.starts_with("/v1/models/") => "GET, HEAD, OPTIONS",
        _ => {
            let error = Error::new(
                Kind::NotFound,
                "nothing is served at this path",
                "Open / for the page; README.md lists the API.",
            );
            return Reply::error(&error, Shape::of_path(&path)).send(request);
        }
    };
    if *request.method() == Method::Options {
        return Reply::empty(204)
            .with("Allow", allowed)
            .with("Access-Control-Allow-Methods", allowed)
            .with("Access-Control-Allow-Headers", asked_headers(&request))
            .with("Access-Control-Max-Age", "600")
            .send(request);
    }
    if !allowed.split(", ").any(|method| method == request.method().as_str()) {
        let error = Error::bad_request(
            "this path is not served by that method",
            format!("Use one of: {allowed}."),
        );
        let reply = Reply::error(&error, Shape::of_path(&path)).with_status(405);
        return reply.with("Allow", allowed).send(request);
    }
    if let Some((id, part)) = job {
        return jobs::one(app, &asker, id, part, request);
    }
    match path.as_str() {
        "/api/jobs" if *request.method() != Method::Post => {
            jobs::list(app, &asker, &request).send(request);
        }
        "/api/jobs" => match body(&mut request) {
            Ok(body) => jobs::ask(app, &asker, &body, request),
            Err(error) => Reply::error(&error, Shape::Own).send(request),
        },
        "/healthz" => health(app).send(request),
        "/v1/models" => openai::models(app).send(request),
        "/api/predict" => match body(&mut request) {
            Ok(body) => predict::answer(app, &visitor, &asker, &body).send(request),
            Err(error) => Reply::error(&error, Shape::Own).send(request),
        },
        owner::SESSION_PATH => match body(&mut request) {
            Ok(body) => app.identity.owner_session(&request, &visitor, &body).send(request),
            Err(error) => Reply::error(&error, Shape::Own).send(request),
        },
        "/v1/chat/completions" => match body(&mut request) {
            Ok(body) => openai::answer(app, &visitor, &asker, &body, request),
            Err(error) => Reply::error(&error, Shape::OpenAi).send(request),
        },
        path if path.starts_with("/v1/models/") => {
            openai::model(app, &path["/v1/models/".len()..]).send(request);
        }
        path => page_file(app, path, &request).send(request),
    }
}

/// Returns a file of the page; the page itself brings a new browser its cookie.
fn page_file(app: &App, path: &str, request: &Request) -> Reply {
    let reply = page::file(path).unwrap_or_else(|| Reply::empty(404));
    if path != "/" {
        return reply;
    }
    match app.identity.cookie_for(request) {
        Some(cookie) => reply.with("Set-Cookie", cookie),
        None => reply,
    }
}

/// Returns the headers a page asks to send; which pages may is decided by their origin.
fn asked_headers(request: &Request) -> String {
    let asked = header(request, "Access-Control-Request-Headers");
    asked.unwrap_or("content-type, authorization").to_string()
}

/// Finds who is asking by the header only the gate sets.
fn visitor(app: &App, request: &Request) -> Option<Arc<Visitor>> {
    app.visitors.find(header(request, VISITOR_HEADER)?)
}

/// Reads the body, which the gate has bounded already, to its end: tiny_http waits for that.
fn body(request: &mut Request) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let mut body = Vec::new();
    let read = request.as_reader().take(limits::BODY_BYTES_MAX as u64 + 1).read_to_end(&mut body);
    read.map_err(|e| Error::internal(format!("cannot read a request's body: {e}")))?;
    Ok(body)
}

fn health(app: &App) -> Reply {
    let (status, state, loaded, total) = match app.desk.health() {
        Health::Loading { bytes_loaded, bytes_total } => {
            (503, "loading", bytes_loaded, bytes_total)
        }
        Health::Ready { bytes_total } => (200, "ready", bytes_total, bytes_total),
        Health::Broken(_) => (503, "failed", 0, 0),
        Health::Closing => (503, "closing", 0, 0),
    };
    let demo = matches!(app.model, Origin::BuiltIn(_));
    let body = json!({"state": state, "bytes_loaded": loaded, "bytes_total": total, "demo": demo});
    Reply::json(status, &body)
}
