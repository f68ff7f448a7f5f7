//! The page of one question: its state, its answer, and what can be done with it.
//!
//! While the question is unfinished the page loads itself again, at first soon, then more rarely.
//! It has no field to type into then, so that nothing typed is lost. Formulas are shown as on
//! serial consoles, as text with Unicode letters.

use std::sync::Arc;
use std::time::SystemTime;

use super::ask::{add_keys, excerpt};
use super::form::FormFields;
use super::html::Html;
use super::phrases::Phrases;
use super::{Frame, PATH, PageVisit, add_error, see, shown};
use crate::answers::value::boxed;
use crate::answers::vote::Tally;
use crate::desk::record::{State, View};
use crate::desk::{Health, Ticket};
use crate::http::job_request::REMEDY;
use crate::http::jobs;
use crate::http::reply::Reply;
use crate::text::latex::Latex;
use crate::types::answer::{Outcome, Part};
use crate::types::error::{Error, Kind};
use crate::types::job::{Client, Role};
use crate::types::limits::{REFRESH_SECONDS, REFRESH_SHARE};
use crate::types::mode::Voting;

/// The query with which the thinking is shown unfolded, also when the page loads itself again.
const UNFOLDED: &str = "thinking=open";

/// Answers `GET /basic/jobs/ID`.
///
/// # Errors
/// `not_found` if the browser has no such question, `bad_request` for an unknown query.
pub fn page(visit: &PageVisit<'_>, id: &str) -> Result<Reply, Error> {
    let ticket = jobs::find(visit.app, client(visit)?, id)?;
    let query = visit.request.url().split_once('?').map_or("", |(_, query)| query);
    let is_unfolded = match query {
        "" => false,
        UNFOLDED => true,
        _ => {
            let what = format!("the address may end in ?{UNFOLDED}, not in another query");
            return Err(Error::bad_request(what, REMEDY));
        }
    };
    let job = Job { visit, ticket: &ticket, view: ticket.record.read(usize::MAX), is_unfolded };
    Ok(shown(job.document()?))
}

/// Answers `POST /basic/jobs/ID`: does what the form's button says.
///
/// # Errors
/// `not_found` if the browser has no such question, `bad_request` for an unknown action, and those
/// of deleting.
pub fn act(visit: &PageVisit<'_>, id: &str, form: &FormFields) -> Result<Reply, Error> {
    let (app, ticket) = (visit.app, jobs::find(visit.app, client(visit)?, id)?);
    match form.text("action") {
        "finish" => app.desk.answer_now(ticket.job),
        "stop" => app.desk.stop(ticket.job),
        "delete" => {
            app.desk.forget(ticket.job, ticket.name)?;
            return Ok(see(PATH.into()));
        }
        _ => {
            let what = "action: must be 'finish', 'stop' or 'delete'";
            return Err(Error::bad_request(what, REMEDY));
        }
    }
    Ok(see(format!("{PATH}/jobs/{}", ticket.name)))
}

fn client(visit: &PageVisit<'_>) -> Result<Client, Error> {
    let unknown = "this browser has no questions here, because it has no cookie of this box";
    visit.client().ok_or(Error::new(Kind::NotFound, unknown, "Open /basic and ask one."))
}

/// Returns the seconds after which a page looks at a job again that was submitted `age` seconds
/// ago: a short question is seen soon, a long one is not asked after all the time.
fn refresh_seconds(age: u64) -> u64 {
    (age / REFRESH_SHARE).clamp(*REFRESH_SECONDS.start(), *REFRESH_SECONDS.end())
}

/// Returns a text of the model with its formulas as plain text.
fn readable(text: &str) -> String {
    let mut latex = Latex::new();
    latex.push(text) + &latex.finish()
}

/// A question as its page shows it.
struct Job<'a> {
    visit: &'a PageVisit<'a>,
    ticket: &'a Ticket,
    view: View,
    is_unfolded: bool,
}

impl Job<'_> {
    fn phrases(&self) -> &'static Phrases {
        self.visit.phrases
    }

    fn address(&self) -> String {
        format!("{PATH}/jobs/{}", self.ticket.name)
    }

    fn is_over(&self) -> bool {
        matches!(self.view.state, State::Ended(..))
    }

    /// Returns the text so far of the attempt that represents the job.
    fn text(&self, part: Part) -> String {
        self.ticket.record.text_of(self.view.best, part)
    }

    fn document(&self) -> Result<String, Error> {
        let (phrases, question) = (self.phrases(), self.ticket.question.asked());
        let age = SystemTime::now().duration_since(self.ticket.asked).unwrap_or_default();
        let refresh = (!self.is_over()).then(|| refresh_seconds(age.as_secs()));
        let mut page = Html::default();
        page.markup("<p>").link(PATH, phrases.ask_another).markup("</p>\n");
        self.add_earlier(&mut page);
        page.markup("<h1>").text(phrases.question).markup("</h1>\n").block("text", question);
        if let Some(work) = self.ticket.question.attempt_of_student() {
            page.markup("<h2>").text(phrases.own_work).markup("</h2>\n").block("text", work);
        }
        let (thinking, answer) = (self.text(Part::Thinking), self.text(Part::Answer));
        self.add_state(&mut page, &thinking, &answer);
        self.add_running_actions(&mut page);
        if let Some(seconds) = refresh {
            page.markup("<p class=\"quiet\">").text(&phrases.refreshes(seconds)).markup(" ");
            page.link(&self.here(), phrases.look_again).markup("</p>\n");
        }
        self.add_value(&mut page, &answer);
        if !answer.is_empty() {
            page.block("text answer", &readable(&answer));
        }
        self.add_thinking(&mut page, &thinking);
        self.add_last_actions(&mut page)?;
        let title = excerpt(question);
        Ok(Frame { phrases, title: &title, refresh }.around(page))
    }

    /// Returns the address of the page as it is shown.
    fn here(&self) -> String {
        let query = if self.is_unfolded { format!("?{UNFOLDED}") } else { String::new() };
        self.address() + &query
    }

    /// Adds the conversation that the question continues, folded.
    fn add_earlier(&self, page: &mut Html) {
        let turns = &self.ticket.question.turns;
        let Some((_, earlier)) = turns.split_last().filter(|(_, earlier)| !earlier.is_empty())
        else {
            return;
        };
        page.markup("<details>").element("summary", self.phrases().earlier);
        for turn in earlier {
            match turn.role {
                Role::User => page.block("text quiet", &turn.text),
                Role::Assistant => page.block("text answer", &readable(&turn.text)),
            };
        }
        page.markup("</details>\n");
    }

    /// Adds how far the question has come, and when its answer is expected.
    fn add_state(&self, page: &mut Html, thinking: &str, answer: &str) {
        let phrases = self.phrases();
        let place = self.view.place.unwrap_or(1).max(1);
        let state = match &self.view.state {
            State::Preparing if matches!(self.visit.app.desk.health(), Health::Loading { .. }) => {
                phrases.waits_for_model.into()
            }
            State::Preparing => phrases.reads.into(),
            State::Queued => phrases.place(place),
            State::Running if !answer.is_empty() => phrases.answers.into(),
            State::Running if !thinking.is_empty() => phrases.thinks.into(),
            State::Running => phrases.reads.into(),
            State::Interrupted(_) => phrases.is_interrupted.into(),
            State::Ended(Outcome::Done, _) => phrases.answered.into(),
            State::Ended(Outcome::Budget, _) => phrases.is_cut_off.into(),
            State::Ended(Outcome::Stopped, _) => phrases.stopped.into(),
            State::Ended(Outcome::Failed(error), _) => {
                return add_error(page, phrases, error);
            }
        };
        page.markup("<p class=\"state\" role=\"status\">").text(&state);
        if let Some(eta) = self.view.eta.as_ref().filter(|_| !self.is_over()) {
            page.markup(" ").text(&phrases.expected(eta));
        }
        page.markup("</p>\n");
    }

    /// Adds the value on which attempts can agree, and whether they do.
    fn add_value(&self, page: &mut Html, answer: &str) {
        let is_answered =
            matches!(self.view.state, State::Ended(Outcome::Done | Outcome::Budget, _));
        // Elsewhere a value is not the point, or would give a solution away.
        let has_value = self.ticket.question.mode.voting == Voting::ByValue && is_answered;
        if let Some(value) = boxed(answer).filter(|_| has_value) {
            let value = readable(&format!("${value}$"));
            page.markup("<p class=\"value\">").text(self.phrases().value).markup(": <bdi>");
            page.text(&value).markup("</bdi></p>\n");
        }
        if let Some(tally) = self.view.tally.as_ref().filter(|_| self.ticket.question.is_voted()) {
            self.add_votes(page, tally);
        }
    }

    fn add_votes(&self, page: &mut Html, tally: &Arc<Tally>) {
        let phrases = self.phrases();
        let votes = tally.votes();
        let leading = votes.first().map_or(0, |vote| vote.count);
        page.paragraph("votes", &phrases.agreement(leading, tally.ended()));
        if votes.is_empty() {
            return;
        }
        page.markup("<ul class=\"votes\">\n");
        for vote in votes {
            let value = readable(&format!("${}$", vote.value));
            page.markup("<li><bdi>").text(&value).markup("</bdi>: ");
            page.text(&phrases.attempts_for(vote.count)).markup("</li>\n");
        }
        page.markup("</ul>\n");
    }

    fn add_thinking(&self, page: &mut Html, thinking: &str) {
        if thinking.is_empty() {
            return;
        }
        let phrases = self.phrases();
        // A vote may be won by another attempt than the one whose thinking was shown before.
        let is_first = self.ticket.question.is_voted() && !self.is_over();
        let label = if is_first { phrases.first_thinking } else { phrases.thinking };
        page.markup(if self.is_unfolded { "<details open>" } else { "<details>" });
        page.element("summary", label);
        page.block("text quiet", &readable(thinking)).markup("</details>\n");
        if !self.is_unfolded && !self.is_over() {
            let address = format!("{}?{UNFOLDED}", self.address());
            page.markup("<p>").link(&address, phrases.keep_open).markup("</p>\n");
        }
    }

    /// Adds the buttons for a question that is not answered yet.
    fn add_running_actions(&self, page: &mut Html) {
        let phrases = self.phrases();
        match &self.view.state {
            State::Ended(..) => {}
            State::Running => {
                self.add_action(page, "finish", phrases.answer_now);
                self.add_action(page, "stop", phrases.stop);
            }
            State::Preparing | State::Queued | State::Interrupted(_) => {
                self.add_action(page, "stop", phrases.stop);
            }
        }
    }

    /// Adds what can be done with an answer, and the button that deletes the question, which takes
    /// two presses.
    fn add_last_actions(&self, page: &mut Html) -> Result<(), Error> {
        let phrases = self.phrases();
        if matches!(self.view.state, State::Ended(Outcome::Done | Outcome::Budget, _)) {
            self.add_going_on(page)?;
        }
        page.markup("<details>").element("summary", phrases.delete);
        self.add_action(page, "delete", phrases.delete_for_good);
        page.markup("</details>\n");
        Ok(())
    }

    /// Adds a button, which is a form of its own: some old browsers send a button's label instead
    /// of its value.
    fn add_action(&self, page: &mut Html, action: &'static str, label: &str) {
        page.markup("<form class=\"action\" method=\"post\" action=\"").text(&self.address());
        page.markup("\">\n").hidden("token", &self.visit.browser.token);
        page.hidden("action", action).button(label).markup("</form>\n");
    }

    /// Adds the form for a question that continues the conversation.
    fn add_going_on(&self, page: &mut Html) -> Result<(), Error> {
        let (phrases, question) = (self.phrases(), &self.ticket.question);
        page.markup("<form method=\"post\" action=\"/basic\" accept-charset=\"utf-8\">\n");
        add_keys(page, self.visit)?;
        page.hidden("previous", &self.ticket.name.to_string());
        page.hidden("mode", &question.mode.name);
        if question.is_voted() {
            page.hidden("attempts", &question.attempts.to_string());
        }
        page.markup("<p><label for=\"question\">").text(phrases.go_on).markup("</label><br>\n");
        page.markup("<textarea id=\"question\" name=\"question\" rows=\"3\" cols=\"60\">\n");
        page.markup("</textarea></p>\n<p>").button(phrases.go_on_button);
        page.markup("</p>\n</form>\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_looks_again_soon_at_first_and_then_more_rarely() {
        let seconds = [0, 49, 60, 120, 299, 300, 86_400].map(refresh_seconds);
        assert_eq!(seconds, [5, 5, 6, 12, 29, 30, 30]);
    }

    #[test]
    fn formulas_are_shown_as_text() {
        assert_eq!(readable("So $x^2 = \\frac{1}{2}$."), "So x² = 1/2.");
    }
}
