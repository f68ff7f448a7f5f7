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
mod backend_socket;
mod body;
mod bounds;
mod connection;
mod connection_limit;
mod connections;
mod head;
mod rate_limit;
mod refusal;
mod rejected;
mod relay;
mod wire;

#[cfg(test)]
mod tests;

pub use connections::{Connections, Visitor};

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;
use backend_socket::BackendSocket;
use bounds::Bounds;
use connection_limit::ConnectionLimit;
use rate_limit::{Rate, RateLimit};

/// The request header that carries a visitor's id for [`Connections::find`]; only the gate sets it.
pub const VISITOR_HEADER: &str = "X-Solverbox-Visitor";

/// The public listener and everything its connections share.
pub struct Gate {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What every connection thread holds on to; it outlives the gate while one of them runs.
struct Shared {
    bounds: Bounds,
    /// The pace of requests that only look, and that of all others: a question does not wait for a
    /// flood of looks.
    looks: RateLimit,
    questions: RateLimit,
    backend_socket: BackendSocket,
    connection_limit: Arc<ConnectionLimit>,
    visitors: Arc<Connections>,
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
        let visitors = Arc::new(Connections::new()?);
        let (backend_socket, private) = BackendSocket::open(private_dir)?;
        let connection_limit =
            Arc::new(ConnectionLimit::new(connection_limit::within_descriptors(&bounds)?));
        let (looks, questions) = (pace(), pace());
        let is_cut_off = AtomicBool::new(false);
        let shared = Arc::new(Shared {
            bounds,
            looks,
            questions,
            backend_socket,
            connection_limit,
            visitors,
            is_cut_off,
        });
        Ok((Gate { listener, address, shared }, private))
    }

    /// Returns the address listened on, with the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the table of clients whose requests tiny_http is working on.
    pub fn visitors(&self) -> Arc<Connections> {
        Arc::clone(&self.shared.visitors)
    }

    /// Accepts connections until `closing` is set, then stops listening and returns.
    ///
    /// Blocks; notices `closing` within 200 ms. No accept error ends it. Connections that are open
    /// then go on by themselves, on their own threads.
    pub fn run(self, closing: &AtomicBool) {
        accept::run(&self.listener, &self.shared, closing);
    }
}

fn pace() -> RateLimit {
    let of_each = Rate {
        per_second: limits::ADDRESS_REQUESTS_PER_SECOND,
        burst: limits::ADDRESS_REQUESTS_BURST,
    };
    let of_all = Rate { per_second: limits::REQUESTS_PER_SECOND, burst: limits::REQUESTS_BURST };
    RateLimit::new(of_each, of_all)
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
