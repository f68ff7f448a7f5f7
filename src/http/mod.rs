//! The HTTP door: a page and an API over the desk.
//!
//! `gate` stands in the open and lets checked, bounded requests through to tiny_http on a private
//! socket; `identity` says who asks and refuses who must not; `routes` sends each to its handler;
//! `openai`, `predict`, `owner` and `page` are the handlers.
//! JSON shapes and statuses exist only in this room.

mod alarm;
mod client;
mod cookie;
mod figures;
mod gate;
pub mod host;
mod identity;
mod job_events;
mod job_request;
mod job_shape;
mod jobs;
pub mod keys;
mod openai;
mod openai_request;
mod openapi;
mod origin;
pub mod owner;
mod owner_jobs;
mod page;
mod predict;
mod private;
mod refuse;
mod reply;
mod routes;
mod secret;
mod stream;

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

pub use identity::Admission;

use client::Asker;
use figures::Facts;
use gate::{Gate, Visitor, Visitors};
use identity::Identity;
use refuse::Shape;
use reply::Reply;

use crate::desk::{Desk, Lasting, Terms, Ticket};
use crate::words::error::{Error, Kind};
use crate::words::job::Question;
use crate::words::limits;
use crate::words::mode::Modes;
use crate::words::plan::Plan;

/// What every handler needs.
struct App {
    desk: Arc<Desk>,
    modes: Modes,
    facts: Facts,
    identity: Identity,
    visitors: Arc<Visitors>,
    closing: Arc<AtomicBool>,
}

/// The door, with its address taken; nobody is let in yet.
pub struct Door {
    gate: Gate,
    listener: UnixListener,
    identity: Identity,
}

/// The door at work.
pub struct Serving {
    visitors: Arc<Visitors>,
    closing: Arc<AtomicBool>,
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
        let visitors = self.gate.visitors();
        let (let_in, flag, identity) = (visitors.clone(), closing.clone(), self.identity);
        let facts = Facts { plan, started: SystemTime::now() };
        let app = Arc::new(App { desk, modes, facts, identity, visitors: let_in, closing: flag });
        let (gate, listener, flag) = (self.gate, self.listener, closing.clone());
        start_thread("server", move || take_requests(&listener, &app))?;
        start_thread("gate", move || gate.run(&flag))?;
        Ok(Serving { visitors, closing })
    }
}

impl Serving {
    /// Lets nobody in any more; those inside stay.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Waits until everybody has left, `CLOSE_WAIT` at most.
    pub fn wait(&self) {
        let until = Instant::now() + limits::CLOSE_WAIT;
        while self.visitors.count() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Hands an asker's question to the desk for a visitor whose leaving stops the job, unless it lasts.
fn submit(
    app: &App,
    visitor: &Visitor,
    asker: &Asker,
    mut question: Question,
    lasting: Lasting,
) -> Result<Ticket, Error> {
    asker.admit(&mut question)?;
    let terms = Terms { jobs_max: asker.limits.jobs_max, ..Terms::of(lasting) };
    log::debug!("{:?} asks", asker.client);
    if lasting == Lasting::Durable {
        return app.desk.submit(asker.lasting, question, terms);
    }
    let ticket = app.desk.submit(asker.client, question, terms)?;
    let (desk, job) = (Arc::downgrade(&app.desk), ticket.job);
    visitor.on_leave(move || {
        if let Some(desk) = desk.upgrade() {
            desk.stop(job);
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

/// Takes requests from tiny_http, each to a thread of its own; the gate bounds how many there are.
///
/// tiny_http's accept thread ends for good at its first error: it is then started anew on the same
/// socket, so that service returns by itself.
fn take_requests(listener: &UnixListener, app: &Arc<App>) {
    while !app.closing.load(Ordering::Relaxed) {
        let listener = listener.try_clone().map_err(|e| e.to_string());
        let started = listener.and_then(|listener| {
            tiny_http::Server::from_listener(listener, None).map_err(|e| e.to_string())
        });
        match started {
            Ok(server) => take_requests_of(&server, app),
            Err(error) => log::error!("cannot start the server: {error}"),
        }
        std::thread::sleep(limits::ACCEPT_PAUSE);
    }
}

fn take_requests_of(server: &tiny_http::Server, app: &Arc<App>) {
    loop {
        match server.recv() {
            Ok(request) => {
                let app = app.clone();
                // Where no thread can be had the request is dropped: tiny_http answers 500.
                if let Err(error) = start_thread("request", move || routes::answer(&app, request)) {
                    log::error!("{error}");
                }
            }
            Err(error) => return log::error!("the server stopped accepting: {error}"),
        }
    }
}
