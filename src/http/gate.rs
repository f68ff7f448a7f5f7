//! The gate: what stands in the open before tiny_http, which cannot.
//!
//! tiny_http 0.12 allocates what a `Content-Length` claims, stops accepting at the first error, has
//! no time-outs and notices a vanished client only when it writes to it. So the gate accepts TCP,
//! bounds connections, reads one request per connection under limits and deadlines, and relays it
//! over a private Unix socket to tiny_http, which thereby sees well-formed, complete, polite
//! requests only. A client that hangs up is reported at once ([`Visitor::on_leave`]).
//!
//! `http/mod.rs` binds a gate, starts tiny_http on the listener it gets, and calls [`Gate::run`] on
//! a thread of its own. The gate knows no routes and keeps no connection alive: one request each.

mod accept;
mod body;
mod bounds;
mod connection;
mod head;
mod pace;
mod passage;
mod refusal;
mod relay;
mod seats;
mod turned_away;
mod visitors;
mod wire;

#[cfg(test)]
mod tests;

pub use visitors::{Visitor, Visitors};

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::words::error::{Error, Kind, io_cause};
use crate::words::limits;
use bounds::Bounds;
use pace::{Pace, Rate};
use passage::Passage;
use seats::Seats;

/// The request header that carries a visitor's id for [`Visitors::find`]; only the gate sets it.
pub const VISITOR_HEADER: &str = "X-Solverbox-Visitor";

/// The public listener and everything its connections share.
pub struct Gate {
    listener: TcpListener,
    address: SocketAddr,
    house: Arc<House>,
}

/// What every connection thread holds on to; it outlives the gate while one of them runs.
struct House {
    bounds: Bounds,
    /// The pace of requests that only look, and that of all others: a question does not wait for a
    /// flood of looks.
    looks: Pace,
    questions: Pace,
    passage: Passage,
    seats: Arc<Seats>,
    visitors: Arc<Visitors>,
    /// Whether the server could not be reached the last time.
    is_cut_off: AtomicBool,
}

impl Gate {
    /// Binds the public `address` and a private socket in `private_dir`.
    ///
    /// Returns the gate and the listener that tiny_http is to be started on. The socket has no name
    /// any more when this returns: nothing is left behind however the process ends. Raises the soft
    /// limit of open files where it must, and admits fewer connections where it cannot.
    ///
    /// # Errors
    /// `bad_request` if the address cannot be listened on, the directory cannot hold a socket, or
    /// the limit of open files leaves no room; `internal` if `/proc` is not mounted.
    pub fn bind(address: SocketAddr, private_dir: &Path) -> Result<(Gate, UnixListener), Error> {
        Gate::bind_within(address, private_dir, Bounds::default())
    }

    fn bind_within(
        address: SocketAddr,
        private_dir: &Path,
        bounds: Bounds,
    ) -> Result<(Gate, UnixListener), Error> {
        let listener = TcpListener::bind(address).map_err(|e| cannot_listen(address, &e))?;
        // The accept loop polls; a connection that is gone when it accepts must not block it.
        listener.set_nonblocking(true).map_err(|e| cannot_listen(address, &e))?;
        let address = listener.local_addr().map_err(|e| cannot_listen(address, &e))?;
        let visitors = Arc::new(Visitors::new()?);
        let (passage, private) = Passage::open(private_dir)?;
        let seats = Arc::new(Seats::new(seats::within_descriptors(&bounds)?));
        let (looks, questions) = (pace(), pace());
        let is_cut_off = AtomicBool::new(false);
        let house =
            Arc::new(House { bounds, looks, questions, passage, seats, visitors, is_cut_off });
        Ok((Gate { listener, address, house }, private))
    }

    /// Returns the address listened on, with the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the table of clients whose requests tiny_http is working on.
    pub fn visitors(&self) -> Arc<Visitors> {
        Arc::clone(&self.house.visitors)
    }

    /// Accepts connections until `closing` is set, then stops listening and returns.
    ///
    /// Blocks; notices `closing` within 200 ms. No accept error ends it. Connections that are open
    /// then go on by themselves, on their own threads.
    pub fn run(self, closing: &AtomicBool) {
        accept::run(&self.listener, &self.house, closing);
    }
}

fn pace() -> Pace {
    let of_each = Rate {
        per_second: limits::ADDRESS_REQUESTS_PER_SECOND,
        burst: limits::ADDRESS_REQUESTS_BURST,
    };
    let of_all = Rate { per_second: limits::REQUESTS_PER_SECOND, burst: limits::REQUESTS_BURST };
    Pace::new(of_each, of_all)
}

/// Makes of all bytes a client sends before it hangs up what tiny_http would be given; `None` for
/// what is refused or incomplete. What the gate does to a live connection, without one, for whoever
/// tries it on bytes nobody would send.
pub fn relayed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, length) = head::parse(bytes).ok()??;
    let (client, gone) = std::os::unix::net::UnixStream::pair().ok()?;
    drop(gone);
    let body = body::read(&client, &head, bytes[length..].to_vec(), &Bounds::default()).ok()?;
    Some([head.relayed("visitor", body.len()), body].concat())
}

fn cannot_listen(address: SocketAddr, e: &io::Error) -> Error {
    let remedy = match e.kind() {
        ErrorKind::AddrInUse => "Stop the other program or choose another port with --listen.",
        ErrorKind::PermissionDenied => "Choose a port above 1023 with --listen.",
        ErrorKind::AddrNotAvailable => {
            "Choose an address of this machine with --listen; 0.0.0.0 means all of them."
        }
        _ => "Choose another address with --listen.",
    };
    Error::new(Kind::BadRequest, format!("cannot listen on '{address}': {}", io_cause(e)), remedy)
}
