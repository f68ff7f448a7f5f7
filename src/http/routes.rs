//! Calls the handler of each path and method.

use std::sync::Arc;

use serde_json::json;
use tiny_http::{Method, Request};

use super::auth::client::Principal;
use super::auth::owner;
use super::basic::{self, BasicEndpoint};
use super::gate::{VISITOR_HEADER, Visitor};
use super::jobs::{self, JobEndpoint};
use super::openai::{self, QuestionApi, models, responses};
use super::owner_jobs::{self, OwnerJobEndpoint};
use super::page::PageFile;
use super::refuse::Shape;
use super::reply::{Reply, header};
use super::shared::{self, SharedEndpoint};
use super::{App, figures, offer, openapi, predict};
use crate::desk::Health;
use crate::types::error::{Error, Kind};
use crate::types::limits;

/// The resource that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'p> {
    Page(&'static PageFile),
    Basic(BasicEndpoint<'p>),
    Health,
    Models,
    Model(&'p str),
    Modes,
    Estimate,
    Question(QuestionApi),
    Response(&'p str),
    Predict,
    Jobs,
    Job(&'p str, JobEndpoint),
    Browser,
    Shared(&'p str, SharedEndpoint),
    Box,
    Metrics,
    OpenApi,
    OwnerSession,
    OwnerJobs,
    OwnerJob(&'p str, OwnerJobEndpoint),
    OwnerLimits,
    OwnerUsage,
}

impl<'p> Route<'p> {
    fn of(path: &'p str) -> Option<Route<'p>> {
        Some(match path {
            "/healthz" => Route::Health,
            "/metrics" => Route::Metrics,
            "/openapi.json" => Route::OpenApi,
            "/v1/models" => Route::Models,
            "/v1/chat/completions" => Route::Question(QuestionApi::Chat),
            "/v1/completions" => Route::Question(QuestionApi::Completions),
            "/v1/responses" => Route::Question(QuestionApi::Responses),
            "/api/predict" => Route::Predict,
            "/api/modes" => Route::Modes,
            "/api/estimate" => Route::Estimate,
            "/api/jobs" => Route::Jobs,
            "/api/browser" => Route::Browser,
            "/api/box" => Route::Box,
            "/api/owner/jobs" => Route::OwnerJobs,
            "/api/owner/limits" => Route::OwnerLimits,
            "/api/owner/usage" => Route::OwnerUsage,
            owner::SESSION_PATH => Route::OwnerSession,
            _ => {
                let below = |room: &str| path.strip_prefix(room);
                if let Some(file) = PageFile::at(path) {
                    Route::Page(file)
                } else if let Some(page) = BasicEndpoint::of_path(path) {
                    Route::Basic(page)
                } else if let Some(model) = below("/v1/models/") {
                    Route::Model(model)
                } else if let Some(id) = below("/v1/responses/") {
                    Route::Response(id)
                } else if let Some(rest) = below("/api/jobs/") {
                    let (id, part) = JobEndpoint::of_path(rest)?;
                    Route::Job(id, part)
                } else if let Some(rest) = below(shared::PATH) {
                    let (token, part) = SharedEndpoint::of_path(rest)?;
                    Route::Shared(token, part)
                } else {
                    let rest = below("/api/owner/jobs/")?;
                    let (id, act) = OwnerJobEndpoint::of_path(rest)?;
                    Route::OwnerJob(id, act)
                }
            }
        })
    }

    /// Returns the methods that it allows, as the `Allow` header lists them.
    fn allowed(self) -> &'static str {
        match self {
            Route::Page(_) | Route::Health | Route::Models | Route::Model(_) => READ,
            Route::Response(_) => READ,
            Route::Basic(page) => page.allowed(),
            Route::Box | Route::Metrics | Route::OpenApi => READ,
            Route::Modes | Route::Estimate | Route::OwnerUsage => READ,
            Route::Question(_) | Route::Predict => "POST, OPTIONS",
            Route::Jobs => "GET, HEAD, POST, OPTIONS",
            Route::Job(_, path) => path.allowed(),
            Route::Browser => "DELETE, OPTIONS",
            Route::Shared(_, part) => part.allowed(),
            Route::OwnerSession => "GET, HEAD, POST, DELETE, OPTIONS",
            Route::OwnerJobs => "GET, HEAD, DELETE, OPTIONS",
            Route::OwnerJob(_, act) => act.allowed(),
            Route::OwnerLimits => "GET, HEAD, PUT, OPTIONS",
        }
    }
}

const READ: &str = "GET, HEAD, OPTIONS";

/// Number of paths, those with an ID or the name of an asset counted once.
#[cfg(test)]
pub const ROUTES: usize = 36;

/// Returns the methods that a path allows.
#[cfg(test)]
pub fn allowed(path: &str) -> Option<&'static str> {
    Route::of(path).map(Route::allowed)
}

/// Answers one request; returns when the reply is sent, which for a stream is when it ends.
pub fn answer(app: &App, request: Request) {
    let path = plain_path(request.url()).to_string();
    let Some(visitor) = visitor(app, &request) else {
        // The gate names every connection it relays, so this one is closed already.
        return log::debug!("a client left before its request was read");
    };
    // A token is a secret; the other paths are not.
    let named = if path.starts_with(shared::PATH) { shared::PATH } else { &path };
    log::debug!("{} {named} from {}", request.method(), visitor.address());
    let principal = match app.identity.check(&request, &visitor, &path) {
        Ok(principal) => principal,
        Err(refusal) => return refusal.send(request),
    };
    let Some(route) = Route::of(&path) else {
        let error = Error::new(Kind::NotFound, "there is nothing at this path", elsewhere(&path));
        return Reply::error(&error, Shape::of_path(&path)).send(request);
    };
    let allowed = route.allowed();
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
            "this path does not allow that method",
            format!("Use one of: {allowed}."),
        );
        let reply = Reply::error(&error, Shape::of_path(&path)).with_status(405);
        return reply.with("Allow", allowed).send(request);
    }
    work(app, route, &visitor, &principal, request);
}

/// Returns the path of an address; of the APIs without the slash that some clients put at the end.
fn plain_path(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or("/");
    let is_api = path.starts_with("/v1/") || path.starts_with("/api/");
    if is_api { path.trim_end_matches('/') } else { path }
}

/// Returns where to go instead of a path that does not exist.
fn elsewhere(path: &str) -> &'static str {
    let openai = ["/chat/completions", "/completions", "/responses", "/models", "/embeddings"];
    match openai.contains(&path.trim_end_matches('/')) {
        true => {
            "The paths of OpenAI's API begin with /v1 here: put /v1 at the end of the base URL."
        }
        false => "Open / for the page; /openapi.json describes the API.",
    }
}

/// Reads the body and calls the handler.
fn work(
    app: &App,
    route: Route<'_>,
    visitor: &Visitor,
    principal: &Principal,
    mut request: Request,
) {
    let body = match body(&mut request) {
        Ok(body) => body,
        Err(error) => {
            let shape = Shape::of_path(request.url());
            return Reply::error(&error, shape).send(request);
        }
    };
    let asks = *request.method() == Method::Post;
    match route {
        Route::Page(file) => page_file(app, file, &request).send(request),
        Route::Basic(page) => {
            basic::answer(app, visitor, principal, page, &body, &request).send(request);
        }
        Route::Health => health(app).send(request),
        Route::Models => models::models(app).send(request),
        Route::Model(id) => models::model(app, id).send(request),
        Route::Modes => offer::modes(app).send(request),
        Route::Estimate => offer::estimate(app, principal, &request).send(request),
        Route::Question(api) => openai::answer(app, visitor, principal, api, &body, request),
        Route::Response(id) => responses::not_kept(id).send(request),
        Route::Predict => predict::answer(app, visitor, principal, &body).send(request),
        Route::Jobs if asks => jobs::ask(app, visitor, principal, &body, request),
        Route::Jobs => jobs::list(app, principal, &request).send(request),
        Route::Job(id, path) => jobs::one(app, principal, id, path, request),
        Route::Browser => jobs::forget_all(app, principal, &request).send(request),
        Route::Shared(token, part) => shared::read(app, token, part, request),
        Route::Box => figures::of_box(app).send(request),
        Route::Metrics => figures::metrics(app).send(request),
        Route::OpenApi => openapi::document(app).send(request),
        Route::OwnerSession => app.identity.owner_session(&request, visitor, &body).send(request),
        Route::OwnerJobs => owner_jobs::all(app, visitor, &request).send(request),
        Route::OwnerJob(id, act) => {
            owner_jobs::one(app, visitor, id, act, &request).send(request);
        }
        Route::OwnerUsage => owner_jobs::usage(app, &request).send(request),
        Route::OwnerLimits => owner_jobs::limits(app, visitor, &body, &request).send(request),
    }
}

/// Returns a file of the page; the page itself sets the cookie of a new browser.
fn page_file(app: &App, file: &PageFile, request: &Request) -> Reply {
    let reply = file.reply(request);
    if !file.is_page() {
        return reply;
    }
    match app.identity.cookie_for(request) {
        Some(cookie) => reply.with("Set-Cookie", cookie),
        None => reply,
    }
}

/// Returns the headers that a page asks to send; its origin has been checked already.
fn asked_headers(request: &Request) -> String {
    let asked = header(request, "Access-Control-Request-Headers");
    asked.unwrap_or("content-type, authorization").to_string()
}

/// Finds the connection of a request by the header that only the gate can set.
fn visitor(app: &App, request: &Request) -> Option<Arc<Visitor>> {
    app.visitors.find(header(request, VISITOR_HEADER)?)
}

/// Reads the body to its end, for which tiny_http waits; the gate has bounded its length.
fn body(request: &mut Request) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let mut body = Vec::new();
    let read = request.as_reader().take(limits::BODY_BYTES_MAX as u64 + 1).read_to_end(&mut body);
    read.map_err(|e| Error::internal(format!("cannot read a request's body: {e}")))?;
    Ok(body)
}

fn health(app: &App) -> Reply {
    let health = app.desk.health();
    let (status, loaded, total) = match &health {
        Health::Loading { bytes_loaded, bytes_total } => (503, *bytes_loaded, *bytes_total),
        Health::Ready { bytes_total } => (200, *bytes_total, *bytes_total),
        Health::Broken(_) | Health::Closing => (503, 0, 0),
    };
    let demo = app.facts.plan.model.is_built_in();
    let body = json!({
        "state": health.name(), "bytes_loaded": loaded, "bytes_total": total, "demo": demo,
    });
    Reply::json(status, &body)
}
