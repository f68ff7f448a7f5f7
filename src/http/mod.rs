//! The HTTP door: a page and an API over the desk.
//!
//! `gate` stands in the open and lets checked, bounded requests through to tiny_http on a private
//! socket; `identity` says who asks and refuses who must not; `routes` sends each to its handler;
//! `openai`, `predict`, `owner` and `page` are the handlers.
//! JSON shapes and statuses exist only in this room.

mod alarm;
pub mod auth;
mod figures;
mod gate;
mod job_events;
mod job_request;
mod jobs;
mod openai;
mod openai_request;
mod openapi;
mod owner_jobs;
mod page;
mod predict;
mod refuse;
mod reply;
mod routes;
mod server;
mod stream;

pub use gate::relayed;

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

pub use auth::identity::Admission;

use auth::client::Principal;
use auth::identity::Identity;
use figures::Facts;
use gate::{Connections, Gate, Visitor};
use refuse::Shape;
use reply::Reply;

use crate::api::ask::continue_from;
use crate::desk::{Desk, Durability, SubmitOptions, Ticket, closing};
use crate::types::error::{Error, Kind};
use crate::types::job::{JobName, Question};
use crate::types::limits;
use crate::types::mode::Modes;
use crate::types::plan::Plan;

/// What every handler needs.
struct App {
    desk: Arc<Desk>,
    modes: Modes,
    facts: Facts,
    identity: Identity,
    visitors: Arc<Connections>,
    closing: Arc<AtomicBool>,
}

impl App {
    /// Returns whether the box is shutting down: no job is taken any more, and who reads a stream
    /// that has no end of its own is to be told to come back.
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// The door, with its address taken; nobody is let in yet.
pub struct Door {
    gate: Gate,
    listener: UnixListener,
    identity: Identity,
}

/// The door at work.
pub struct Serving {
    visitors: Arc<Connections>,
    /// Set when no job is taken any more.
    closing: Arc<AtomicBool>,
    /// Set when nobody is let in any more.
    shut: Arc<AtomicBool>,
}

impl Door {
    /// Takes the public address, a private socket in `data`, and what people are told apart by.
    ///
    /// # Errors
    /// Naming the address, the folder or the file that cannot be had.
    pub fn open(listen: SocketAddr, data: &Path, admission: Admission) -> Result<Door, Error> {
        let (gate, listener) = Gate::bind(listen, data)?;
        let identity = Identity::open(data, admission)?;
        Ok(Door { gate, listener, identity })
    }

    /// Returns the address taken, with the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.gate.address()
    }

    /// Lets people in, who are told what was planned.
    ///
    /// # Errors
    /// `internal` where threads cannot be had.
    pub fn serve(self, desk: Arc<Desk>, modes: Modes, plan: Plan) -> Result<Serving, Error> {
        let closing = Arc::new(AtomicBool::new(false));
        let shut = Arc::new(AtomicBool::new(false));
        let visitors = self.gate.visitors();
        let (let_in, flag, identity) = (visitors.clone(), closing.clone(), self.identity);
        let facts = Facts { plan, started: SystemTime::now() };
        let app = Arc::new(App { desk, modes, facts, identity, visitors: let_in, closing: flag });
        let (gate, listener, flag) = (self.gate, self.listener, shut.clone());
        start_thread("server", move || {
            stand_back();
            server::run(&listener, &app);
        })?;
        start_thread("gate", move || {
            stand_back();
            gate.run(&flag);
        })?;
        Ok(Serving { visitors, closing, shut })
    }
}

impl Serving {
    /// Takes no job any more: who asks is told to come back. The page is still served.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Waits until everybody has left, `CLOSE_WAIT` at most, and lets nobody in any more.
    pub fn wait(&self) {
        let until = Instant::now() + limits::CLOSE_WAIT;
        while self.visitors.count() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.shut.store(true, Ordering::Relaxed);
    }
}

/// Puts this thread, and all that it starts, behind the engine's.
fn stand_back() {
    if let Err(error) = rustix::process::setpriority_process(None, limits::DOOR_NICENESS) {
        log::debug!("the door's threads keep their priority: {error}");
    }
}

/// Hands an principal's question, which may go on from a `previous` job, to the desk for a visitor
/// whose leaving stops the job, unless it lasts.
fn submit(
    app: &App,
    visitor: &Visitor,
    principal: &Principal,
    mut question: Question,
    previous: Option<JobName>,
    terms: SubmitOptions,
) -> Result<Ticket, Error> {
    let clients = [principal.client, principal.durable_client];
    continue_from(&app.desk, clients, previous, &mut question)?;
    principal.admit(&mut question)?;
    log::debug!("{:?} asks", principal.client);
    if app.is_closing() {
        return Err(closing());
    }
    let terms = SubmitOptions { jobs_max: principal.limits.jobs_max, ..terms };
    if terms.durability == Durability::Durable {
        return app.desk.submit(principal.durable_client, question, terms);
    }
    let ticket = app.desk.submit(principal.client, question, terms)?;
    let (desk, job) = (Arc::downgrade(&app.desk), ticket.job);
    visitor.on_leave(move || {
        if let Some(desk) = desk.upgrade() {
            desk.stop_soon(job);
        }
    });
    Ok(ticket)
}

/// Makes the reply to a question that was not answered; where it is only a matter of time, it says
/// when to come again.
fn refused(app: &App, error: &Error, shape: Shape) -> Reply {
    let reply = Reply::error(error, shape);
    match error.kind {
        Kind::Busy | Kind::TooMany => {
            reply.with("Retry-After", app.desk.retry_after().as_secs().to_string())
        }
        Kind::Stopped if app.is_closing() => {
            reply.with("Retry-After", limits::RECONNECT_WAIT.as_secs().to_string())
        }
        _ => reply,
    }
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map(drop)
        .map_err(|e| Error::internal(format!("cannot start the {name}'s thread: {e}")))
}
