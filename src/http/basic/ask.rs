//! The first page: a form to ask, and the browser's questions.
//!
//! A question that is refused is shown again in the form, with the reason. A form that is sent
//! twice asks once: its hidden key, together with what was typed, is the question's idempotency
//! key, so that going back and typing something else asks something else.

use sha2::{Digest, Sha256};

use super::form::FormFields;
use super::html::Html;
use super::phrases::Phrases;
use super::{Frame, PATH, PageVisit, add_error, see, shown};
use crate::api::ask::{Ask, StudentWork};
use crate::desk::record::State;
use crate::desk::{Health, Ticket, closing};
use crate::http::job_request::{self, REMEDY};
use crate::http::jobs::{self, JobPage};
use crate::http::refuse::Shape;
use crate::http::reply::Reply;
use crate::random;
use crate::store::{JobSummary, RequestKey};
use crate::types::answer::Outcome;
use crate::types::error::Error;
use crate::types::limits::EXCERPT_CHARACTERS;
use crate::types::mode::{DEFAULT_MODE, Mode, Reads, Voting};
use crate::types::plan::Origin;

/// Numbers of attempts that the form offers.
const ATTEMPTS: [u32; 3] = [1, 4, 8];

/// What was typed into the form.
#[derive(Debug, Default)]
struct Draft<'f> {
    question: &'f str,
    work: &'f str,
    /// Name of the mode; the default one if empty.
    mode: &'f str,
    /// A number; the mode's own if empty.
    attempts: &'f str,
    /// ID of the answered question that this one continues, if it does.
    previous: &'f str,
}

/// Why a question is not asked.
enum NotAsked {
    /// A field is empty; the sentence says which.
    Incomplete(&'static str),
    Refused(Error),
}

impl From<Error> for NotAsked {
    fn from(error: Error) -> NotAsked {
        NotAsked::Refused(error)
    }
}

/// Answers `GET /basic` with an empty form and the list.
pub fn home(visit: &PageVisit<'_>) -> Result<Reply, Error> {
    Ok(shown(document(visit, &Draft::default(), None)?))
}

/// Answers `POST /basic`: asks a question and leads to its page.
pub fn submit(visit: &PageVisit<'_>, form: &FormFields) -> Result<Reply, Error> {
    let draft = Draft {
        question: form.text("question"),
        work: form.text("work"),
        mode: form.text("mode"),
        attempts: form.text("attempts"),
        previous: form.text("previous"),
    };
    let not_asked = match accepted(visit, &draft, form.text("key")) {
        Ok(ticket) => return Ok(see(format!("{PATH}/jobs/{}", ticket.name))),
        Err(not_asked) => not_asked,
    };
    let page = document(visit, &draft, Some(&not_asked))?;
    Ok(match not_asked {
        NotAsked::Incomplete(_) => shown(page).with_status(400),
        NotAsked::Refused(error) => {
            super::on_page(crate::http::refused(visit.app, &error, Shape::Page).with_body(page))
        }
    })
}

fn accepted(visit: &PageVisit<'_>, draft: &Draft<'_>, key: &str) -> Result<Ticket, NotAsked> {
    let PageVisit { app, phrases, .. } = visit;
    if app.is_closing() {
        return Err(closing().into());
    }
    let name = if draft.mode.is_empty() { DEFAULT_MODE } else { draft.mode };
    let mode = app.modes.find(name)?;
    let is_empty = |text: &str| text.trim().is_empty();
    if is_empty(draft.question) {
        return Err(NotAsked::Incomplete(phrases.no_question));
    }
    let student_work = match is_empty(draft.work) {
        false => StudentWork::Given(draft.work.to_string()),
        // The work is part of the conversation that goes on.
        true if !draft.previous.is_empty() => StudentWork::InQuestion,
        true if mode.reads == Reads::StudentAttempt => {
            return Err(NotAsked::Incomplete(phrases.no_work));
        }
        true => StudentWork::Missing,
    };
    let previous = match draft.previous {
        "" => None,
        id => Some(jobs::find(app, visit.principal.durable_client, id)?.name),
    };
    let ask = Ask {
        attempts: attempts(draft, &mode)?,
        student_work,
        previous,
        ..Ask::new(draft.question)
    };
    let (visitor, principal) = (visit.visitor, visit.principal);
    let key = Some(request_key(draft, key));
    Ok(jobs::accept(app, visitor, principal, ask.question_in(mode)?, previous, key)?)
}

/// Returns the number of attempts; a mode that does not vote makes one, whatever was chosen.
fn attempts(draft: &Draft<'_>, mode: &Mode) -> Result<Option<u32>, Error> {
    if draft.attempts.is_empty() || mode.voting == Voting::Off {
        return Ok(None);
    }
    let wrong = || Error::bad_request("attempts: must be an integer", REMEDY);
    draft.attempts.parse().map(Some).map_err(|_| wrong())
}

fn request_key(draft: &Draft<'_>, key: &str) -> RequestKey {
    let Draft { question, work, mode, attempts, previous } = draft;
    let mut asked = Sha256::new();
    for field in [question, work, mode, attempts, previous] {
        asked.update((field.len() as u64).to_le_bytes());
        asked.update(field);
    }
    let asked: [u8; 32] = asked.finalize().into();
    let key = Sha256::new().chain_update(asked).chain_update(key).finalize();
    RequestKey { key: key.into(), asked }
}

fn document(
    visit: &PageVisit<'_>,
    draft: &Draft<'_>,
    not_asked: Option<&NotAsked>,
) -> Result<String, Error> {
    let phrases = visit.phrases;
    let mut page = Html::default();
    page.element("h1", "solverbox").paragraph("quiet", phrases.intro);
    page.markup("<p>").link("/", phrases.full_page).markup("</p>\n");
    if matches!(visit.app.facts.plan.model.origin, Origin::BuiltIn(_)) {
        page.paragraph("quiet", phrases.demo);
    }
    if matches!(visit.app.desk.health(), Health::Loading { .. }) {
        page.paragraph("state", phrases.model_loads);
    }
    match not_asked {
        Some(NotAsked::Incomplete(sentence)) => {
            page.markup("<p class=\"bad\" role=\"alert\">").text(sentence).markup("</p>\n");
        }
        Some(NotAsked::Refused(error)) => add_error(&mut page, phrases, error),
        None => {}
    }
    add_form(&mut page, visit, draft)?;
    let mut list = Html::default();
    match (add_list(&mut list, visit), not_asked) {
        (Ok(()), _) => drop(page.append(list)),
        // What was typed must not be lost because the list cannot be read.
        (Err(_), Some(_)) => {}
        (Err(error), None) => return Err(error),
    }
    Ok(Frame { phrases, title: "solverbox", refresh: None }.around(page))
}

/// Adds the token and the key that a form to ask carries.
///
/// # Errors
/// `internal` if no random bytes are available.
pub fn add_keys(page: &mut Html, visit: &PageVisit<'_>) -> Result<(), Error> {
    let key = format!("{:032x}", u128::from_ne_bytes(random::bytes()?));
    page.hidden("token", &visit.browser.token).hidden("key", &key);
    Ok(())
}

fn add_form(page: &mut Html, visit: &PageVisit<'_>, draft: &Draft<'_>) -> Result<(), Error> {
    let phrases = visit.phrases;
    page.markup("<form method=\"post\" action=\"/basic\" accept-charset=\"utf-8\">\n");
    add_keys(page, visit)?;
    if !draft.previous.is_empty() {
        page.hidden("previous", draft.previous).paragraph("quiet", phrases.continued);
    }
    page.markup("<p><label for=\"question\">").text(phrases.question).markup("</label><br>\n");
    page.markup("<textarea id=\"question\" name=\"question\" rows=\"5\" cols=\"60\">\n");
    page.text(draft.question).markup("</textarea></p>\n");
    page.markup("<p><label for=\"mode\">").text(phrases.mode).markup("</label><br>\n");
    page.markup("<select id=\"mode\" name=\"mode\">\n");
    let chosen = if draft.mode.is_empty() { DEFAULT_MODE } else { draft.mode };
    let is_offered = |mode: &Mode| mode.presentation.is_supported || mode.name == chosen;
    for mode in visit.app.modes.iter().filter(|mode| is_offered(mode)) {
        let about = (phrases.about)(&mode.about).unwrap_or(&mode.about);
        add_option(page, &mode.name, &format!("{}: {about}", mode.name), mode.name == chosen);
    }
    page.markup("</select></p>\n");
    page.markup("<p><label for=\"work\">").text(phrases.work).markup("</label><br>\n");
    page.markup("<textarea id=\"work\" name=\"work\" rows=\"3\" cols=\"60\">\n");
    page.text(draft.work).markup("</textarea></p>\n");
    page.markup("<p><label for=\"attempts\">").text(phrases.attempts).markup("</label><br>\n");
    page.markup("<select id=\"attempts\" name=\"attempts\">\n");
    add_option(page, "", phrases.usual_attempts, draft.attempts.is_empty());
    for attempts in ATTEMPTS {
        let number = attempts.to_string();
        let label = if attempts == 1 { phrases.attempts_for(1) } else { phrases.voting(attempts) };
        add_option(page, &number, &label, draft.attempts == number);
    }
    page.markup("</select></p>\n<p>").button(phrases.ask).markup("</p>\n</form>\n");
    Ok(())
}

fn add_option(page: &mut Html, value: &str, label: &str, is_chosen: bool) {
    page.markup("<option value=\"").text(value);
    page.markup(if is_chosen { "\" selected>" } else { "\">" }).text(label);
    page.markup("</option>\n");
}

/// Adds the browser's questions, the latest first.
fn add_list(page: &mut Html, visit: &PageVisit<'_>) -> Result<(), Error> {
    let phrases = visit.phrases;
    let Some(client) = visit.client() else {
        // A query that makes no sense is refused all the same.
        return job_request::page(visit.request.url()).map(drop);
    };
    let JobPage { jobs, next } = jobs::page_of(visit.app, client, visit.request)?;
    page.element("h2", phrases.yours);
    if jobs.is_empty() {
        page.paragraph("quiet", phrases.none_yet);
        return Ok(());
    }
    page.markup("<ul>\n");
    for job in jobs {
        let state = state(visit, &job, phrases);
        let address = format!("{PATH}/jobs/{}", job.name);
        page.markup("<li>").link(&address, &excerpt(job.question.asked()));
        page.markup(" <span class=\"quiet\">").text(state).markup("</span></li>\n");
    }
    page.markup("</ul>\n");
    if let Some(next) = next {
        let address = format!("{PATH}?before={next}");
        page.markup("<p>").link(&address, phrases.older).markup("</p>\n");
    }
    Ok(())
}

fn state(visit: &PageVisit<'_>, job: &JobSummary, phrases: &Phrases) -> &'static str {
    let of_outcome = |outcome: &Outcome| match outcome {
        Outcome::Done | Outcome::Budget => phrases.is_done,
        Outcome::Stopped => phrases.is_stopped,
        Outcome::Failed(_) => phrases.is_failed,
    };
    if let Some(end) = &job.end {
        return of_outcome(&end.outcome);
    }
    match visit.app.desk.state_of(job.id) {
        None | Some(State::Preparing | State::Queued) => phrases.is_queued,
        Some(State::Running | State::Interrupted(_)) => phrases.is_running,
        Some(State::Ended(outcome, _)) => of_outcome(&outcome),
    }
}

/// Returns the beginning of a text on one line.
pub fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_and_never_cut_within_a_character() {
        assert_eq!(excerpt(" What is\n\t2+2? "), "What is 2+2?");
        let long = "数".repeat(EXCERPT_CHARACTERS + 1);
        assert_eq!(excerpt(&long), "数".repeat(EXCERPT_CHARACTERS) + "…");
        assert_eq!(excerpt(&long[3..]), &long[3..]);
    }

    #[test]
    fn a_key_stands_for_one_text_sent_from_one_form() {
        let draft = |question, work| Draft { question, work, ..Draft::default() };
        let of = |draft: &Draft<'_>, key| request_key(draft, key).key;
        let once = of(&draft("2+2?", ""), "a");
        assert_eq!(once, of(&draft("2+2?", ""), "a"));
        assert_ne!(once, of(&draft("2+2?", ""), "b"), "another form");
        assert_ne!(once, of(&draft("2+3?", ""), "a"), "another text");
        assert_ne!(of(&draft("ab", "c"), "a"), of(&draft("a", "bc"), "a"), "fields stay apart");
    }
}
