//! A job as it is told at a console: what comes next, in parts as small as the line is slow.
//!
//! Of attempts that vote the first one's thinking is told while it comes, and with the end the
//! best one's answer. All that is not told yet waits in the job's record.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::link::Following;
use crate::answers::vote::Tally;
use crate::desk::record::{State, View};
use crate::desk::{Desk, Eta, Ticket};
use crate::types::answer::{Figures, Outcome, Part, Piece};
use crate::types::error::Error;
use crate::types::limits;

/// How a job stands in line, as it was told last.
#[derive(Debug, Default)]
pub struct Standing {
    told: Option<(Option<usize>, Option<Eta>, Instant)>,
}

impl Standing {
    /// Takes how a job stands, and returns whether that is worth a line: another place, a first
    /// estimate, or one that has changed much since a while.
    pub fn is_news(&mut self, place: Option<usize>, eta: Option<Eta>) -> bool {
        let is_other = |before: Eta, eta: Eta| {
            (eta.seconds - before.seconds).abs() > before.seconds * limits::CONSOLE_ETA_CHANGE
        };
        let is_news = self.told.is_none_or(|(place_before, before, since)| {
            let is_changed = match (before, eta) {
                (None, Some(_)) => true,
                (Some(before), Some(eta)) => {
                    since.elapsed() >= limits::CONSOLE_ETA_EVERY && is_other(before, eta)
                }
                (_, None) => false,
            };
            // Once it has begun its text says how it goes.
            place_before != place || (is_changed && place != Some(0))
        });
        if is_news {
            self.told = Some((place, eta, Instant::now()));
        }
        is_news
    }
}

/// Something new of a job.
#[derive(Clone, Debug)]
pub enum News {
    /// How it stands in line: 1 is next, 0 has begun; and when it will be over, once that is known.
    Standing(Option<usize>, Option<Eta>),
    /// Text.
    Text(Piece),
    /// Another attempt has ended.
    Votes(Arc<Tally>),
    /// It is over.
    Ended(Outcome, Figures),
    /// It is over for this life of the box, and goes on in the next.
    Interrupted(Error),
}

/// A job that is told.
#[derive(Debug)]
pub struct Followed {
    /// The job.
    pub ticket: Ticket,
    /// Has its changes heard.
    pub following: Option<Following>,
    /// How much of its log was read.
    offset: usize,
    /// What was read and is not told yet.
    ready: VecDeque<Piece>,
    /// What the best of several attempts answered.
    answer: Answer,
    standing: Standing,
    /// Whether no more of its text is wanted.
    is_skipped: bool,
    /// How many attempts had ended when it was told last.
    ended: u32,
}

/// The answer of attempts that vote, of which so many bytes are told.
#[derive(Debug)]
enum Answer {
    /// Not known yet, or in the log like everything else.
    InLog,
    Known(String, usize),
}

impl Followed {
    /// Tells a job from a place in its log.
    pub fn from(ticket: Ticket, offset: usize) -> Followed {
        Followed {
            ticket,
            following: None,
            offset,
            ready: VecDeque::new(),
            answer: Answer::InLog,
            standing: Standing::default(),
            is_skipped: false,
            ended: 0,
        }
    }

    /// Tells the answer of a job that is over, and nothing of how it came about.
    pub fn answer_of(ticket: Ticket) -> Followed {
        let answer = ticket.record.text_of(ticket.record.best(), Part::Answer);
        let (offset, ended) = (ticket.record.bytes(), u32::MAX);
        Followed { answer: Answer::Known(answer, 0), ended, ..Followed::from(ticket, offset) }
    }

    /// Tells no more of its text.
    pub fn skip(&mut self) {
        self.is_skipped = true;
        self.ready.clear();
        self.answer = Answer::Known(String::new(), 0);
        self.offset = self.ticket.record.bytes();
    }

    /// Returns how much of the log was read.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Returns what is new, text of about `bytes_max` bytes at most; nothing where it has to be
    /// waited for.
    pub fn next(&mut self, desk: &Desk, bytes_max: usize) -> Option<News> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(News::Text(piece));
            }
            if let Some(piece) = self.answer_part(bytes_max) {
                return Some(News::Text(piece));
            }
            let view = self.ticket.record.read_some(self.offset, bytes_max);
            self.offset = view.offset;
            let tally = view.tally.as_ref().filter(|tally| tally.ended() > self.ended).cloned();
            let is_all = view.rest_bytes == 0;
            self.hear(&view);
            if let Some(tally) = tally {
                self.ended = tally.ended();
                return Some(News::Votes(tally));
            }
            if self.ready.is_empty() && is_all {
                let is_known = matches!(self.answer, Answer::Known(..));
                match view.state {
                    State::Ended(..) if self.ticket.question.is_voted() && !is_known => {
                        let record = &self.ticket.record;
                        let answer = record.text_of(record.best(), Part::Answer);
                        self.answer = Answer::Known(answer, 0);
                    }
                    State::Ended(outcome, figures) => return Some(News::Ended(outcome, figures)),
                    State::Interrupted(error) => return Some(News::Interrupted(error)),
                    State::Asked | State::Waiting(_) => {
                        return self.stands(desk.place(self.ticket.job), view.eta);
                    }
                    State::Running => return self.stands(Some(0), view.eta),
                }
            }
        }
    }

    /// Takes over what of a view is told.
    fn hear(&mut self, view: &View) {
        let is_voted = self.ticket.question.is_voted();
        for said in &view.pieces {
            let is_thought_of_first = said.attempt == 0 && said.piece.part == Part::Thinking;
            if !self.is_skipped && (!is_voted || is_thought_of_first) {
                self.ready.push_back(said.piece.clone());
            }
        }
    }

    fn stands(&mut self, place: Option<usize>, eta: Option<Eta>) -> Option<News> {
        self.standing.is_news(place, eta).then_some(News::Standing(place, eta))
    }

    fn answer_part(&mut self, bytes_max: usize) -> Option<Piece> {
        let Answer::Known(answer, told) = &mut self.answer else { return None };
        let to = answer.ceil_char_boundary(told.saturating_add(bytes_max));
        let text = answer[*told..to].to_string();
        *told = to;
        (!text.is_empty()).then_some(Piece { part: Part::Answer, text })
    }
}
