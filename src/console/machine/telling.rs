//! One job as it is told to a machine: its log from a place on, line by line, to its end.
//!
//! The same as the events over HTTP: text once, how it stands anew to whoever reads.

use std::collections::VecDeque;

use super::super::following::Standing;
use super::super::link::Following;
use super::message::Id;
use super::reply::{Done, LineWriter};
use crate::answers::value::{boxed, of_reply};
use crate::desk::record::{State, View};
use crate::desk::{Desk, Ticket};
use crate::types::answer::{Figures, Outcome, Part};
use crate::types::position::LogPosition;

/// A job that is told.
pub struct Telling {
    id: Id,
    ticket: Ticket,
    /// Has its changes heard.
    _following: Following,
    thinking: bool,
    /// How much of the log was read.
    offset: usize,
    /// Lines that are to be sent, of one part of the log at most.
    ready: VecDeque<String>,
    /// The place that was asked for, until the telling begins.
    from: Option<LogPosition>,
    standing: Standing,
    ends: usize,
    ended_in_vote: u32,
    is_ended: bool,
}

impl Telling {
    /// Tells a job under an id from a place on, with its thinking or without.
    pub fn new(
        id: Id,
        ticket: Ticket,
        following: Following,
        from: LogPosition,
        thinking: bool,
    ) -> Telling {
        Telling {
            id,
            ticket,
            _following: following,
            thinking,
            offset: 0,
            ready: VecDeque::new(),
            from: Some(from),
            standing: Standing::default(),
            ends: 0,
            ended_in_vote: 0,
            is_ended: false,
        }
    }

    /// Returns what it is told under.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Returns what is told.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Returns whether all is told.
    pub fn is_over(&self) -> bool {
        self.is_ended && self.ready.is_empty()
    }

    /// Returns the next line, of text that takes about `bytes_max`; nothing where it has to be
    /// waited for.
    pub fn next(&mut self, desk: &Desk, pen: &LineWriter, bytes_max: usize) -> Option<String> {
        while self.ready.is_empty() && !self.is_ended {
            self.begin(pen);
            let view = self.ticket.record.read_some(self.offset, bytes_max / 2);
            let has_text = view.offset > self.offset;
            self.text(&view, pen);
            let is_all = view.rest_bytes == 0;
            if is_all {
                self.stands(&view, desk, pen);
            }
            if is_all && !has_text && self.ready.is_empty() {
                return None;
            }
        }
        self.ready.pop_front()
    }

    /// Finds where to go on, and says so where a reader had seen more.
    fn begin(&mut self, pen: &LineWriter) {
        let Some(from) = self.from.take() else { return };
        let record = &self.ticket.record;
        self.offset = record.resume(from);
        if self.offset < from.offset {
            self.ready.push_back(pen.rewind(&self.id, record.cuts().now(self.offset)));
        }
    }

    fn text(&mut self, view: &View, pen: &LineWriter) {
        let cuts = self.ticket.record.cuts();
        for said in &view.pieces {
            let (piece, before) = (&said.piece, cuts.now(self.offset));
            if self.thinking || piece.part == Part::Answer {
                let lines = pen.text(&self.id, piece.part, said.attempt, &piece.text, before);
                self.ready.extend(lines);
            }
            self.offset += piece.text.len();
        }
    }

    /// Tells what has changed beside the text.
    fn stands(&mut self, view: &View, desk: &Desk, pen: &LineWriter) {
        for end in &view.ends[self.ends.min(view.ends.len())..] {
            let answer = self.ticket.record.text_of(end.attempt, Part::Answer);
            let value = of_reply(&answer).map(|value| value.to_string());
            let (outcome, figures) = (&end.outcome, &end.figures);
            let line = pen.attempt(&self.id, end.attempt, outcome, value.as_deref(), figures);
            self.ready.push_back(line);
        }
        self.ends = view.ends.len();
        if let Some(tally) = view.tally.as_deref().filter(|t| t.ended() > self.ended_in_vote) {
            self.ended_in_vote = tally.ended();
            self.ready.push_back(pen.vote(&self.id, tally));
        }
        match &view.state {
            State::Ended(outcome, figures) => self.end(outcome, figures, view, desk, pen),
            // It goes on when the box is back; that this one is being stopped is told by itself.
            State::Interrupted(_) => self.is_ended = true,
            State::Asked | State::Waiting(_) | State::Running => {
                let place = match view.state {
                    State::Running => Some(0),
                    _ => desk.place(self.ticket.job),
                };
                if self.standing.is_news(place, view.eta) {
                    let line = pen.queued(&self.id, view.state.name(), place, view.eta);
                    self.ready.push_back(line);
                }
            }
        }
    }

    fn end(
        &mut self,
        outcome: &Outcome,
        figures: &Figures,
        view: &View,
        desk: &Desk,
        pen: &LineWriter,
    ) {
        // What is told of an end stays true after a power cut.
        desk.settle();
        self.is_ended = true;
        if let Outcome::Failed(error) = outcome {
            self.ready.push_back(pen.failed(&self.id, &error.for_strangers()));
            return;
        }
        let record = &self.ticket.record;
        let answer = record.text_of(record.best(), Part::Answer);
        let done = Done {
            outcome,
            best_attempt: record.best(),
            value: boxed(&answer),
            votes: view.tally.as_deref(),
            figures,
            at: record.cuts().now(view.offset),
        };
        self.ready.push_back(pen.done(&self.id, &done));
    }
}
