//! A session with a machine at a serial line: requests and replies are lines of JSON
//! (docs/serial.md).
//!
//! `frame` finds lines and checksums, `message` parses requests, `reply` writes lines, `job_lines`
//! turns a job's feed into lines; this connects them to the desk. Followed jobs take turns, one
//! line each, as fast as the line takes them, so that no more than a line is ever buffered.

mod frame;
mod job_lines;
mod message;
mod reply;

use super::link::{Link, LinkEvent};
use super::wire::Checksums;
use super::{ConsoleContext, SessionEnd};
use crate::api::ask::{Ask, continue_from};
use crate::desk::{Durability, SubmitOptions, Ticket, closing};
use crate::types::error::{Error, Kind};
use crate::types::job::{Client, JobName};
use crate::types::limits;
use crate::types::mode::DEFAULT_MODE;
use crate::types::position::LogPosition;
use job_lines::JobLines;
use message::{Id, Incoming, MachineSettings, Request, RequestReader, Target};
use reply::LineWriter;

/// A question of this line with its job: the same question under the same ID is the same job.
struct Known {
    id: Id,
    ask: Ask,
    ticket: Ticket,
}

/// State of a machine's console that survives a pulled cable: the latest questions, newest last.
#[derive(Default)]
pub struct MachineMemory {
    known: Vec<Known>,
}

/// A session with a machine.
pub struct MachineSession<'a> {
    context: &'a ConsoleContext,
    client: Client,
    link: &'a mut Link,
    memory: &'a mut MachineMemory,
    reader: RequestReader,
    settings: MachineSettings,
    /// The followed jobs, served round robin.
    followed: Vec<JobLines>,
    /// Index of the job whose turn is next.
    turn: usize,
    /// Whether the input has ended.
    is_leaving: bool,
    end: Option<SessionEnd>,
}

impl<'a> MachineSession<'a> {
    /// Starts a session and greets the machine.
    pub fn new(
        context: &'a ConsoleContext,
        memory: &'a mut MachineMemory,
        client: Client,
        link: &'a mut Link,
        sums: Checksums,
    ) -> MachineSession<'a> {
        MachineSession {
            context,
            client,
            link,
            memory,
            reader: RequestReader::default(),
            settings: MachineSettings { crc: sums == Checksums::On, ..MachineSettings::default() },
            followed: Vec::new(),
            turn: 0,
            is_leaving: false,
            end: None,
        }
    }

    /// Runs until the machine hands over to a person, the cable is pulled, or the box stops.
    pub fn run(mut self) -> SessionEnd {
        self.send(|writer, context| {
            let state = context.desk.health().name();
            writer.hello(env!("CARGO_PKG_VERSION"), Some(&context.model), DEFAULT_MODE, state)
        });
        loop {
            self.send_pending();
            if let Some(end) = self.end {
                return end;
            }
            if self.is_leaving && self.followed.is_empty() {
                return SessionEnd::Bye;
            }
            match self.link.next_event(None) {
                LinkEvent::Bytes(bytes) => {
                    let mut rest = bytes.as_slice();
                    while self.end.is_none()
                        && let Some(incoming) = self.reader.next(&mut rest, &self.settings)
                    {
                        self.handle(incoming);
                    }
                    // Bytes after a hand-over belong to the next session.
                    self.link.give_back(rest);
                }
                LinkEvent::Changed | LinkEvent::Nothing => {}
                LinkEvent::EndOfInput => self.is_leaving = true,
                LinkEvent::Gone => return SessionEnd::Gone,
                LinkEvent::Closing => {
                    let seconds = limits::RECONNECT_WAIT.as_secs() as u32;
                    self.send(|writer, _| writer.error(None, &closing(), Some(seconds)));
                    return SessionEnd::Closing;
                }
            }
        }
    }

    fn send(&mut self, line: impl FnOnce(&LineWriter, &ConsoleContext) -> String) {
        self.link.send(&line(&LineWriter::new(self.settings), self.context));
    }

    /// Sends pending lines of the followed jobs, one line of each in turn, while the line has room.
    fn send_pending(&mut self) {
        let mut quiet = 0;
        while quiet < self.followed.len() {
            // Room for the longest line.
            let room = self.link.room();
            if room < self.settings.line_bytes.min(*limits::CONSOLE_OUT_BYTES.start()) {
                return;
            }
            self.turn %= self.followed.len();
            let writer = LineWriter::new(self.settings);
            match self.followed[self.turn].next(&writer, room) {
                Some(line) => {
                    self.link.send(&line);
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

    fn handle(&mut self, incoming: Incoming) {
        let (id, result) = match incoming {
            Incoming::Refused(id, error) => (id, Err(error)),
            Incoming::Request(request) => self.execute(request),
        };
        if let Err(error) = result {
            let seconds = match error.kind {
                Kind::Busy | Kind::TooMany => {
                    Some(self.context.desk.retry_after().as_secs() as u32)
                }
                Kind::Stopped => Some(limits::RECONNECT_WAIT.as_secs() as u32),
                _ => None,
            };
            self.send(|writer, _| writer.error(id.as_ref(), &error.for_remote_users(), seconds));
        }
    }

    /// Executes a request; returns the ID for an error, and the result.
    fn execute(&mut self, request: Request) -> (Option<Id>, Result<(), Error>) {
        match request {
            Request::Ask { id, ask, thinking } => {
                let result = self.ask(&id, *ask, thinking);
                (Some(id), result)
            }
            Request::Follow { id, job, from, thinking } => {
                let found = self.own(job);
                let result = found.and_then(|ticket| self.follow(&id, ticket, from, thinking));
                (Some(id), result)
            }
            Request::Stop(target) => {
                self.end_job(target, |context, ticket| context.desk.stop(ticket.job))
            }
            Request::Finish(target) => {
                self.end_job(target, |context, ticket| context.desk.answer_now(ticket.job))
            }
            Request::Last(id) => {
                let result = self.send_last(id.as_ref());
                (id, result)
            }
            Request::Ping(id) => {
                self.send(|writer, context| writer.pong(id.as_ref(), context.desk.health().name()));
                (id, Ok(()))
            }
            Request::Set(id, change) => {
                self.settings = self.settings.with(&change);
                self.send(|writer, _| writer.settings(id.as_ref()));
                (id, Ok(()))
            }
            Request::Person(id) => {
                self.send(|writer, _| writer.ok(id.as_ref()));
                self.end = Some(SessionEnd::ToPerson);
                (id, Ok(()))
            }
        }
    }

    /// Submits a question. The same question under the same ID, which a machine repeats if it got
    /// no answer, is the same job and is sent from the start.
    fn ask(&mut self, id: &Id, ask: Ask, thinking: Option<bool>) -> Result<(), Error> {
        self.check_room(id)?;
        let ticket = match self.memory.known.iter().rfind(|known| known.id == *id) {
            Some(known) if known.ask == ask => known.ticket.clone(),
            Some(known) if !known.ticket.record.state().is_last() => {
                return Err(Error::new(
                    Kind::Conflict,
                    "id: another question is being answered under this id",
                    "Give each question its own id.",
                ));
            }
            _ => {
                let mut question = ask.question(&self.context.modes)?;
                let clients = [self.client; 2];
                continue_from(&self.context.desk, clients, ask.previous, &mut question)?;
                let terms = SubmitOptions::of(Durability::Durable);
                let ticket = self.context.desk.submit(self.client, question, terms)?;
                let known = &mut self.memory.known;
                known.retain(|known| known.id != *id);
                known.push(Known { id: id.clone(), ask, ticket: ticket.clone() });
                if known.len() > limits::CONSOLE_KNOWN_MAX {
                    known.remove(0);
                }
                ticket
            }
        };
        self.follow(id, ticket, LogPosition::default(), thinking)
    }

    /// Follows a job under an ID from a position on, replacing another job under that ID and the
    /// same job under another ID. The first line confirms that the job is accepted, hence on the
    /// disk.
    fn follow(
        &mut self,
        id: &Id,
        ticket: Ticket,
        from: LogPosition,
        thinking: Option<bool>,
    ) -> Result<(), Error> {
        self.check_room(id)?;
        let subscription = self.link.follow(&ticket)?;
        self.followed
            .retain(|followed| followed.id() != id && followed.ticket().name != ticket.name);
        let view = ticket.record.read(usize::MAX);
        let eta = view.eta.map(|eta| eta.seconds);
        self.send(|writer, _| writer.accepted(id, ticket.name, view.place, eta));
        let thinking = thinking.unwrap_or(self.settings.thinking);
        self.followed.push(JobLines::new(id.clone(), ticket, subscription, from, thinking));
        Ok(())
    }

    /// Refuses to follow more jobs at a time than allowed.
    fn check_room(&self, id: &Id) -> Result<(), Error> {
        let others = self.followed.iter().filter(|followed| followed.id() != id).count();
        if others < limits::CONSOLE_KNOWN_MAX {
            return Ok(());
        }
        Err(Error::new(
            Kind::TooMany,
            format!("{others} jobs are already followed on this line"),
            "Wait until one of them ends.",
        ))
    }

    /// Executes a request that ends a job.
    fn end_job(
        &mut self,
        target: Target,
        act: impl FnOnce(&ConsoleContext, &Ticket),
    ) -> (Option<Id>, Result<(), Error>) {
        let (id, found) = match target {
            Target::Named(job, id) => (id, self.own(job)),
            Target::Under(id) => {
                let followed = self.followed.iter().find(|lines| *lines.id() == id);
                let followed = followed.map(|lines| lines.ticket().clone());
                let known = || self.memory.known.iter().rfind(|known| known.id == id);
                let found = followed.or_else(|| known().map(|known| known.ticket.clone()));
                let missing = || {
                    Error::new(
                        Kind::NotFound,
                        "id: no job was submitted under this id",
                        "Name the job; {\"type\":\"last\"} returns the newest.",
                    )
                };
                (Some(id), found.ok_or_else(missing))
            }
        };
        let done = found.map(|ticket| {
            act(self.context, &ticket);
            self.send(|writer, _| writer.ok(id.as_ref()));
        });
        (id, done)
    }

    fn send_last(&mut self, id: Option<&Id>) -> Result<(), Error> {
        let ticket = self.context.last(self.client)?;
        let job = ticket
            .as_ref()
            .map(|ticket| (ticket.name, ticket.record.state().name(), ticket.question.asked()));
        self.send(|writer, _| writer.last(id, job));
        Ok(())
    }

    /// Finds a job that this line submitted.
    fn own(&self, job: JobName) -> Result<Ticket, Error> {
        let found = self.context.desk.find(job)?.filter(|ticket| ticket.client == self.client);
        found.ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!("no job {job} was submitted on this line"),
                "Send {\"type\":\"last\"} for the newest.",
            )
        })
    }
}
