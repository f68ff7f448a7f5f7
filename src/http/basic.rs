//! `/basic`: the pages without script, for old browsers, for text browsers, and for the first
//! moments of the page in page/src.
//!
//! Plain HTML and forms over the desk: `ask` has the form and the list of a browser's questions,
//! `read` one question with its answer. A page of an unfinished question refreshes itself. `html`
//! escapes all text, `form` reads what was sent, `phrases` has the words in two languages. A form
//! changes something only if it carries the token of the browser it was given to
//! (`auth/browser`). Nothing here depends on cookies beyond that: a browser without one can read
//! the form and is told why it cannot ask.

mod ask;
mod form;
mod html;
mod phrases;
mod read;

use tiny_http::{Method, Request};

use super::App;
use super::auth::browser::Browser;
use super::auth::client::Principal;
use super::gate::Visitor;
use super::refuse::Shape;
use super::reply::Reply;
use crate::types::error::{Error, Kind};
use crate::types::job::Client;
use form::FormFields;
use html::Html;
use phrases::Phrases;

/// The address of the first page; all others are below it.
pub const PATH: &str = "/basic";
/// The content type of the pages.
pub const HTML: &str = "text/html; charset=utf-8";
/// What these pages may load and do: their style, and sending forms to this box.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// A page without script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasicEndpoint<'p> {
    /// The form to ask, with the list of questions.
    Home,
    /// The question with this ID.
    Job(&'p str),
}

impl BasicEndpoint<'_> {
    /// Parses the path of an address.
    pub fn of_path(path: &str) -> Option<BasicEndpoint<'_>> {
        match path.strip_prefix(PATH)? {
            "" => Some(BasicEndpoint::Home),
            rest => {
                let id = rest.strip_prefix("/jobs/").filter(|id| !id.contains('/'))?;
                Some(BasicEndpoint::Job(id))
            }
        }
    }

    /// Returns the methods that are allowed.
    pub fn allowed(self) -> &'static str {
        "GET, HEAD, POST, OPTIONS"
    }
}

/// A request for one of the pages.
struct PageVisit<'a> {
    app: &'a App,
    visitor: &'a Visitor,
    principal: &'a Principal,
    request: &'a Request,
    browser: Browser,
    phrases: &'static Phrases,
}

/// Answers a request for a page, or a form that was sent.
pub fn answer(
    app: &App,
    visitor: &Visitor,
    principal: &Principal,
    endpoint: BasicEndpoint<'_>,
    body: &[u8],
    request: &Request,
) -> Reply {
    let phrases = Phrases::of(request);
    let browser = match app.identity.browser(request) {
        Ok(browser) => browser,
        Err(error) => return refused(app, phrases, &error),
    };
    let visit = PageVisit { app, visitor, principal, request, browser, phrases };
    let reply = visit.handle(endpoint, body).unwrap_or_else(|e| refused(app, phrases, &e));
    match visit.browser.set_cookie {
        Some(cookie) => reply.with("Set-Cookie", cookie),
        None => reply,
    }
}

impl PageVisit<'_> {
    fn handle(&self, endpoint: BasicEndpoint<'_>, body: &[u8]) -> Result<Reply, Error> {
        if *self.request.method() != Method::Post {
            return match endpoint {
                BasicEndpoint::Home => ask::home(self),
                BasicEndpoint::Job(id) => read::page(self, id),
            };
        }
        let form = FormFields::of(body);
        self.app.identity.check_form(self.request, self.visitor, form.text("token"))?;
        match endpoint {
            BasicEndpoint::Home => ask::submit(self, &form),
            BasicEndpoint::Job(id) => read::act(self, id, &form),
        }
    }

    /// Returns the client whose questions the browser may see; `None` for a new browser, which has
    /// none. Without this a browser without a cookie would see those of programs at its address.
    fn client(&self) -> Option<Client> {
        self.browser.is_known().then_some(self.principal.durable_client)
    }
}

/// The part of a page outside its content.
struct Frame<'a> {
    phrases: &'static Phrases,
    title: &'a str,
    /// Seconds after which the browser loads the page again.
    refresh: Option<u64>,
}

impl Frame<'_> {
    /// Returns the whole document.
    fn around(&self, content: Html) -> String {
        let mut page = Html::default();
        page.markup("<!doctype html>\n<html lang=\"").text(self.phrases.tag).markup("\">\n");
        page.markup("<head>\n<meta charset=\"utf-8\">\n");
        page.markup("<meta name=\"viewport\" content=\"width=device-width\">\n");
        if let Some(seconds) = self.refresh {
            page.markup("<meta http-equiv=\"refresh\" content=\"").text(&seconds.to_string());
            page.markup("\">\n");
        }
        page.element("title", self.title).markup("<link rel=\"icon\" href=\"data:,\">\n");
        page.markup("<link rel=\"stylesheet\" href=\"/basic.css\">\n</head>\n<body>\n<main>\n");
        page.append(content).markup("</main>\n<footer>\n");
        page.paragraph("quiet", self.phrases.warning).markup("</footer>\n</body>\n</html>\n");
        page.into_string()
    }
}

/// Makes the reply that shows a page.
fn shown(document: String) -> Reply {
    on_page(Reply::new(HTML, document))
}

/// Adds the headers of the pages. With the usual `Referrer-Policy` browsers would send their forms
/// with `Origin: null`, as another site's.
fn on_page(reply: Reply) -> Reply {
    reply.with("Content-Security-Policy", POLICY).with("Referrer-Policy", "same-origin")
}

/// Makes the reply that sends a browser from a form to a page, so that loading that again does not
/// send the form again.
fn see(path: String) -> Reply {
    on_page(Reply::empty(303).with("Location", path))
}

/// Makes the reply to a request that failed.
fn refused(app: &App, phrases: &'static Phrases, error: &Error) -> Reply {
    on_page(super::refused(app, error, Shape::Page).with_body(error_page(phrases, error)))
}

/// Returns the page for an error, in English: for requests that are refused before they get here.
pub fn refusal(error: &Error) -> String {
    error_page(Phrases::english(), error)
}

fn error_page(phrases: &'static Phrases, error: &Error) -> String {
    let mut content = Html::default();
    content.element("h1", phrases.failed);
    add_error(&mut content, phrases, error);
    content.markup("<p>").link(PATH, phrases.back).markup("</p>\n");
    Frame { phrases, title: phrases.failed, refresh: None }.around(content)
}

/// Adds what went wrong: a sentence for the kind, and what the box says, if people can act on it.
fn add_error(content: &mut Html, phrases: &'static Phrases, error: &Error) {
    content.markup("<p class=\"bad\" role=\"alert\">").text((phrases.error)(error.kind));
    content.markup("</p>\n");
    let is_clear = match error.kind {
        Kind::BadRequest
        | Kind::TooLong
        | Kind::TooMany
        | Kind::Busy
        | Kind::Conflict
        | Kind::Unauthorized
        | Kind::Forbidden
        | Kind::Misdirected => true,
        Kind::NotFound
        | Kind::Stopped
        | Kind::Internal
        | Kind::NoModel
        | Kind::BadModel
        | Kind::NoMemory
        | Kind::NoSpace
        | Kind::Environment => false,
    };
    if is_clear {
        let Error { message, remedy, .. } = error.for_remote_users();
        let text = format!("{message}. {remedy}");
        content.markup("<p class=\"quiet\" lang=\"en\">").text(&text).markup("</p>\n");
    }
}
