//! The HTTP door: a page and an API in front of the desk.
//!
//! `gate` accepts connections and passes checked, bounded requests to tiny_http on a private
//! socket; `auth` identifies the client and refuses requests that are not allowed; `routes` calls
//! the handler: `jobs`, `offer`, `openai`, `predict`, `figures`, `owner_jobs`, `page`, `basic`.
//! HTTP status codes exist only in this room; the JSON of requests and replies is `api`'s.

mod addresses;
mod alarm;
pub mod auth;
mod basic;
mod figures;
mod gate;
mod job_events;
mod job_request;
mod jobs;
mod offer;
mod openai;
mod openapi;
mod owner_jobs;
mod page;
mod predict;
mod preference;
mod refuse;
mod reply;
mod routes;
mod server;
mod shared;
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

/// The state shared by all handlers.
struct App {
    desk: Arc<Desk>,
    modes: Modes,
    facts: Facts,
    identity: Identity,
    visitors: Arc<Connections>,
    closing: Arc<AtomicBool>,
}

impl App {
    /// Returns whether the box is shutting down and accepts no more jobs.
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// The HTTP server, bound to its address but not accepting connections yet.
pub struct Door {
    gate: Gate,
    listener: UnixListener,
    identity: Identity,
}

/// The HTTP server at work.
pub struct Serving {
    visitors: Arc<Connections>,
    /// Set when jobs are no longer accepted.
    closing: Arc<AtomicBool>,
    /// Set when connections are no longer accepted.
    shut: Arc<AtomicBool>,
}

impl Door {
    /// Binds the public address and a private socket in `data`, and loads the secrets and keys by
    /// which clients are identified.
    ///
    /// # Errors
    /// Names the address, the folder or the file that cannot be used.
    pub fn open(listen: SocketAddr, data: &Path, admission: Admission) -> Result<Door, Error> {
        let (gate, listener) = Gate::bind(listen, data)?;
        let identity = Identity::open(data, admission)?;
        Ok(Door { gate, listener, identity })
    }

    /// Returns the bound address, with the assigned port if 0 was requested.
    pub fn address(&self) -> SocketAddr {
        self.gate.address()
    }

    /// Starts to accept connections, on threads of its own. `plan` is shown by `/api/box`.
    ///
    /// # Errors
    /// `internal` if a thread cannot be started.
    pub fn serve(self, desk: Arc<Desk>, modes: Modes, plan: Plan) -> Result<Serving, Error> {
        let closing = Arc::new(AtomicBool::new(false));
        let shut = Arc::new(AtomicBool::new(false));
        let visitors = self.gate.visitors();
        let (let_in, flag, identity) = (visitors.clone(), closing.clone(), self.identity);
        let facts = Facts { plan, started: SystemTime::now(), listen: self.gate.address() };
        let app = Arc::new(App { desk, modes, facts, identity, visitors: let_in, closing: flag });
        let (gate, listener, flag) = (self.gate, self.listener, shut.clone());
        start_thread("server", move || {
            lower_priority();
            server::run(&listener, &app);
        })?;
        start_thread("gate", move || {
            lower_priority();
            gate.run(&flag);
        })?;
        Ok(Serving { visitors, closing, shut })
    }
}

impl Serving {
    /// Refuses new jobs from now on, with a time to retry. The page is still served.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Blocks until all connections are closed, at most `CLOSE_WAIT`, then stops accepting.
    pub fn wait(&self) {
        let until = Instant::now() + limits::CLOSE_WAIT;
        while self.visitors.count() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.shut.store(true, Ordering::Relaxed);
    }
}

/// Gives this thread, and all threads it starts, a lower priority than the engine's.
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, limits::DOOR_NICENESS) {
        log::debug!("the HTTP threads keep their priority: {error}");
    }
}

/// Submits a question to the desk, after the conversation of a `previous` job if there is one.
/// Unless the job is durable, it is stopped when the visitor disconnects.
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
    log::debug!("{:?} submits a question", principal.client);
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

/// Makes the reply to a refused question; if it can succeed later, `Retry-After` says when.
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
