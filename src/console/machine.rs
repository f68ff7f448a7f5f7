//! A machine at a serial line: requests come as lines of JSON, and so do answers (docs/serial.md).
//!
//! `frame` finds lines and sums, `message` reads requests, `reply` writes lines; here they meet the
//! desk. Jobs are told from their records, by turns a line each, as the wire takes them, so that
//! nothing but a line waits anywhere.

mod frame;
mod job_lines;
mod message;
mod reply;

use super::link::{Heard, Link};
use super::wire::Checksums;
use super::{ConsoleContext, End};
use crate::api::ask::{Ask, continue_from};
use crate::desk::{Durability, SubmitOptions, Ticket, closing};
use crate::types::error::{Error, Kind};
use crate::types::job::{Client, JobName};
use crate::types::limits;
use crate::types::mode::DEFAULT_MODE;
use crate::types::position::LogPosition;
use job_lines::JobLines;
use message::{Id, Incoming, Request, RequestReader, Settings, Target};
use reply::LineWriter;

/// A question of this line, and the job it became: the same under the same id is the same job.
struct Known {
    id: Id,
    ask: Ask,
    ticket: Ticket,
}

/// What a console remembers of a machine, over pulled cables: the questions asked last, the newest
/// at the end.
#[derive(Default)]
pub struct Memory {
    known: Vec<Known>,
}

/// A session with a machine.
pub struct Machine<'a> {
    house: &'a ConsoleContext,
    client: Client,
    link: &'a mut Link,
    memory: &'a mut Memory,
    ear: RequestReader,
    settings: Settings,
    /// The jobs that are told, by turns.
    followed: Vec<JobLines>,
    /// Whose turn is next.
    turn: usize,
    /// Whether nothing more comes in.
    is_leaving: bool,
    end: Option<End>,
}

impl<'a> Machine<'a> {
    /// Begins a session.
    pub fn new(
        house: &'a ConsoleContext,
        memory: &'a mut Memory,
        client: Client,
        link: &'a mut Link,
        sums: Checksums,
    ) -> Machine<'a> {
        Machine {
            house,
            client,
            link,
            memory,
            ear: RequestReader::default(),
            settings: Settings { crc: sums == Checksums::On, ..Settings::default() },
            followed: Vec::new(),
            turn: 0,
            is_leaving: false,
            end: None,
        }
    }

    /// Runs until the machine hands over to a person, the cable is pulled, or the box is stopped.
    pub fn run(mut self) -> End {
        self.say(|pen, house| {
            let state = house.desk.health().name();
            pen.hello(env!("CARGO_PKG_VERSION"), Some(&house.model), DEFAULT_MODE, state)
        });
        loop {
            self.tell_on();
            if let Some(end) = self.end {
                return end;
            }
            if self.is_leaving && self.followed.is_empty() {
                return End::Bye;
            }
            match self.link.hear(None) {
                Heard::Bytes(bytes) => {
                    let mut rest = bytes.as_slice();
                    while self.end.is_none()
                        && let Some(incoming) = self.ear.hear(&mut rest, &self.settings)
                    {
                        self.hear(incoming);
                    }
                    // What is behind a change of hands is for who comes.
                    self.link.give_back(rest);
                }
                Heard::Changed | Heard::Nothing => {}
                Heard::EndOfInput => self.is_leaving = true,
                Heard::Gone => return End::Gone,
                Heard::Closing => {
                    let seconds = limits::RECONNECT_WAIT.as_secs() as u32;
                    self.say(|pen, _| pen.error(None, &closing(), Some(seconds)));
                    return End::Closing;
                }
            }
        }
    }

    fn say(&mut self, line: impl FnOnce(&LineWriter, &ConsoleContext) -> String) {
        self.link.say(&line(&LineWriter::new(self.settings), self.house));
    }

    /// Tells what there is to tell, a line of each job at a time, as far as the wire takes it.
    fn tell_on(&mut self) {
        let mut quiet = 0;
        while quiet < self.followed.len() {
            // The longest line has room in it.
            let room = self.link.room();
            if room < self.settings.line_bytes.min(*limits::CONSOLE_OUT_BYTES.start()) {
                return;
            }
            self.turn %= self.followed.len();
            let pen = LineWriter::new(self.settings);
            match self.followed[self.turn].next(&pen, room) {
                Some(line) => {
                    self.link.say(&line);
                    quiet = 0;
                }
                None => quiet += 1,
            }
            if self.followed[self.turn].is_over() {
                self.followed.remove(self.turn);
            } else {
                self.turn += 1;
            }
        }
    }

    fn hear(&mut self, incoming: Incoming) {
        let (id, result) = match incoming {
            Incoming::Refused(id, error) => (id, Err(error)),
            Incoming::Request(request) => self.obey(request),
        };
        if let Err(error) = result {
            let seconds = match error.kind {
                Kind::Busy | Kind::TooMany => Some(self.house.desk.retry_after().as_secs() as u32),
                Kind::Stopped => Some(limits::RECONNECT_WAIT.as_secs() as u32),
                _ => None,
            };
            self.say(|pen, _| pen.error(id.as_ref(), &error.for_strangers(), seconds));
        }
    }

    /// Does what a request says; returns under which id an error is told.
    fn obey(&mut self, request: Request) -> (Option<Id>, Result<(), Error>) {
        match request {
            Request::Ask { id, ask, thinking } => {
                let result = self.ask(&id, *ask, thinking);
                (Some(id), result)
            }
            Request::Follow { id, job, from, thinking } => {
                let found = self.own(job);
                let result = found.and_then(|ticket| self.tell(&id, ticket, from, thinking));
                (Some(id), result)
            }
            Request::Stop(target) => {
                self.end_job(target, |house, ticket| house.desk.stop(ticket.job))
            }
            Request::Finish(target) => {
                self.end_job(target, |house, ticket| house.desk.answer_now(ticket.job))
            }
            Request::Last(id) => {
                let result = self.tell_last(id.as_ref());
                (id, result)
            }
            Request::Ping(id) => {
                self.say(|pen, house| pen.pong(id.as_ref(), house.desk.health().name()));
                (id, Ok(()))
            }
            Request::Set(id, change) => {
                self.settings = self.settings.with(&change);
                self.say(|pen, _| pen.settings(id.as_ref()));
                (id, Ok(()))
            }
            Request::Person(id) => {
                self.say(|pen, _| pen.ok(id.as_ref()));
                self.end = Some(End::ToPerson);
                (id, Ok(()))
            }
        }
    }

    /// Asks; the same question under the same id, which a machine sends again where it heard no
    /// answer, is the job it was and is told anew.
    fn ask(&mut self, id: &Id, ask: Ask, thinking: Option<bool>) -> Result<(), Error> {
        self.check_room(id)?;
        let ticket = match self.memory.known.iter().rfind(|known| known.id == *id) {
            Some(known) if known.ask == ask => known.ticket.clone(),
            Some(known) if !known.ticket.record.state().is_last() => {
                return Err(Error::new(
                    Kind::Conflict,
                    "id: another question is being answered under it",
                    "Give each question an id of its own.",
                ));
            }
            _ => {
                let mut question = ask.question(&self.house.modes)?;
                let clients = [self.client; 2];
                continue_from(&self.house.desk, clients, ask.previous, &mut question)?;
                let terms = SubmitOptions::of(Durability::Durable);
                let ticket = self.house.desk.submit(self.client, question, terms)?;
                let known = &mut self.memory.known;
                known.retain(|known| known.id != *id);
                known.push(Known { id: id.clone(), ask, ticket: ticket.clone() });
                if known.len() > limits::CONSOLE_KNOWN_MAX {
                    known.remove(0);
                }
                ticket
            }
        };
        self.tell(id, ticket, LogPosition::default(), thinking)
    }

    /// Tells a job under an id from a place on, and neither anything else under that id nor the job
    /// under another one; begins with saying that it is accepted, and so on the disk.
    fn tell(
        &mut self,
        id: &Id,
        ticket: Ticket,
        from: LogPosition,
        thinking: Option<bool>,
    ) -> Result<(), Error> {
        self.check_room(id)?;
        let subscription = self.link.follow(&ticket)?;
        self.followed.retain(|told| told.id() != id && told.ticket().name != ticket.name);
        let view = ticket.record.read(usize::MAX);
        let eta = view.eta.map(|eta| eta.seconds);
        self.say(|pen, _| pen.accepted(id, ticket.name, view.place, eta));
        let thinking = thinking.unwrap_or(self.settings.thinking);
        self.followed.push(JobLines::new(id.clone(), ticket, subscription, from, thinking));
        Ok(())
    }

    /// Refuses to tell more jobs at once than are told under other ids already.
    fn check_room(&self, id: &Id) -> Result<(), Error> {
        let others = self.followed.iter().filter(|told| told.id() != id).count();
        if others < limits::CONSOLE_KNOWN_MAX {
            return Ok(());
        }
        Err(Error::new(
            Kind::TooMany,
            format!("{others} jobs are being told on this line already"),
            "Wait for the end of one.",
        ))
    }

    /// Does something that ends a job.
    fn end_job(
        &mut self,
        target: Target,
        act: impl FnOnce(&ConsoleContext, &Ticket),
    ) -> (Option<Id>, Result<(), Error>) {
        let (id, found) = match target {
            Target::Named(job, id) => (id, self.own(job)),
            Target::Under(id) => {
                let told = self.followed.iter().find(|telling| *telling.id() == id);
                let told = told.map(|telling| telling.ticket().clone());
                let known = || self.memory.known.iter().rfind(|known| known.id == id);
                let found = told.or_else(|| known().map(|known| known.ticket.clone()));
                let missing = || {
                    Error::new(
                        Kind::NotFound,
                        "id: nothing was asked under it",
                        "Name the job: {\"type\":\"last\"} tells the newest.",
                    )
                };
                (Some(id), found.ok_or_else(missing))
            }
        };
        let done = found.map(|ticket| {
            act(self.house, &ticket);
            self.say(|pen, _| pen.ok(id.as_ref()));
        });
        (id, done)
    }

    fn tell_last(&mut self, id: Option<&Id>) -> Result<(), Error> {
        let ticket = self.house.last(self.client)?;
        let job = ticket
            .as_ref()
            .map(|ticket| (ticket.name, ticket.record.state().name(), ticket.question.asked()));
        self.say(|pen, _| pen.last(id, job));
        Ok(())
    }

    /// Finds a job of this line.
    fn own(&self, job: JobName) -> Result<Ticket, Error> {
        let found = self.house.desk.find(job)?.filter(|ticket| ticket.client == self.client);
        found.ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!("job: nothing was asked here as {job}"),
                "{\"type\":\"last\"} tells the newest.",
            )
        })
    }
}
