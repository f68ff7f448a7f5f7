//! A job's events: its log from any place, to its end.
//!
//! Each event's id is the place behind it, so that a reader that was cut off gets exactly the rest:
//! browsers send the last id by themselves. Text is told once; how the job stands (`queued`,
//! `attempt`, `vote`) is told anew to every reader, and changes nothing where it is told twice.

use serde_json::{Value, json};
use tiny_http::Request;

use super::App;
use super::refuse::{self, Shape};
use super::stream::{Events, Left};
use crate::api::json;
use crate::desk::record::{State, View};
use crate::desk::{Eta, Ticket};
use crate::types::answer::{Figures, Outcome, Part};
use crate::types::limits;
use crate::types::position::LogPosition;

/// Sends the events of a job from `place` on; returns when it is over, or nobody reads.
pub fn send(app: &App, ticket: &Ticket, place: LogPosition, request: Request) {
    let Ok(events) = Events::open(request) else { return };
    let mut reader = Reader { app, ticket, events, told: Told::default() };
    if reader.tell_all(place).is_err() {
        log::debug!("a reader left its job's events");
    }
}

struct Reader<'a> {
    app: &'a App,
    ticket: &'a Ticket,
    events: Events,
    told: Told,
}

/// What a reader knows of how the job stands.
#[derive(Default)]
struct Told {
    standing: Option<(Option<usize>, Option<Eta>)>,
    ends: usize,
    ended_in_vote: u32,
}

impl Reader<'_> {
    fn tell_all(&mut self, place: LogPosition) -> Result<(), Left> {
        let record = &self.ticket.record;
        let from = record.resume(place);
        if from < place.offset {
            self.tell("rewind", from, &json!({"to": from}))?;
        }
        let mut offset = from;
        let mut view = record.read(from);
        loop {
            for said in &view.pieces {
                offset += said.piece.text.len();
                let kind = match said.piece.part {
                    Part::Thinking => "thinking",
                    Part::Answer => "answer",
                };
                let text = json!({"attempt": said.attempt, "text": said.piece.text});
                self.tell(kind, offset, &text)?;
            }
            if self.tell_standing(&view)? {
                return Ok(());
            }
            let version = view.version;
            view = record.wait(version, view.offset, limits::HEARTBEAT);
            if view.version == version {
                self.events.comment("alive")?;
            }
        }
    }

    /// Tells what has changed beside the text; returns whether that was the end.
    fn tell_standing(&mut self, view: &View) -> Result<bool, Left> {
        for end in &view.ends[self.told.ends..] {
            let shape = json::attempt_end(self.ticket, end);
            self.tell("attempt", view.offset, &shape)?;
        }
        self.told.ends = view.ends.len();
        if let Some(tally) = view.tally.as_deref().filter(|t| t.ended() > self.told.ended_in_vote) {
            self.told.ended_in_vote = tally.ended();
            self.tell("vote", view.offset, &json::votes(Some(tally)))?;
        }
        match &view.state {
            State::Interrupted(_) => {
                // The job is not over: it goes on when the box is back, and so will its reader.
                self.events.comment("the box is stopped; come back")?;
                Ok(true)
            }
            State::Ended(outcome, figures) => {
                self.tell_end(outcome, figures, view)?;
                Ok(true)
            }
            State::Asked | State::Waiting(_) | State::Running => {
                let place = match view.state {
                    State::Running => Some(0),
                    _ => self.app.desk.place(self.ticket.job),
                };
                let standing = Some((place, view.eta));
                if self.told.standing != standing {
                    self.told.standing = standing;
                    let eta = view.eta.as_ref().map(json::eta);
                    let state = view.state.name();
                    let shape = json!({"state": state, "place": place, "eta": eta});
                    self.tell("queued", view.offset, &shape)?;
                }
                Ok(false)
            }
        }
    }

    fn tell_end(&mut self, outcome: &Outcome, figures: &Figures, view: &View) -> Result<(), Left> {
        self.app.desk.settle();
        if let Outcome::Failed(error) = outcome {
            let shape = refuse::body(error, Shape::Own);
            return self.tell("failed", view.offset, &shape);
        }
        let record = &self.ticket.record;
        let shape = json!({
            "state": outcome.state(),
            "finish": outcome.name(),
            "best_attempt": record.best(),
            "answer": record.text_of(record.best(), Part::Answer),
            "votes": json::votes(view.tally.as_deref()),
            "figures": json::figures(figures),
        });
        self.tell("done", view.offset, &shape)
    }

    fn tell(&mut self, kind: &str, offset: usize, shape: &Value) -> Result<(), Left> {
        let place = self.ticket.record.cuts().now(offset);
        self.events.event(kind, &place.to_string(), shape)
    }
}
