//! tiny_http behind the gate, on the private socket; restarted when it stops accepting.
//!
//! tiny_http 0.12 accepts on its own thread, which ends at the first accept error (no free
//! descriptors), and panics without reporting it if it cannot duplicate a descriptor or start a
//! thread. Both must recover by themselves: `recv` reports the first, a connection that stays in
//! the socket's backlog shows the second. Each request gets a thread; the gate bounds their number.

use std::io;
use std::os::unix::net::UnixListener;
use std::panic::catch_unwind;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tiny_http::Server;

use super::{App, routes, start_thread};
use crate::types::limits;

/// Why tiny_http has to be restarted.
enum ServerFault {
    /// It has reported an error.
    Reported(io::Error),
    /// A connection was not accepted in time.
    Deaf,
}

/// Answers requests for as long as the process lives.
pub fn run(listener: &UnixListener, app: &Arc<App>) {
    let mut faults = 0_u32;
    loop {
        // A fault that persists is logged once: twenty lines per second would fill the disk.
        let is_new = faults == 0;
        match start(listener) {
            Ok(server) => {
                let (answered, fault) = serve(listener, &server, app);
                faults = if answered > 0 { 0 } else { faults.saturating_add(1) };
                match fault {
                    ServerFault::Reported(e) if is_new => {
                        log::error!("the HTTP server stopped accepting: {e}")
                    }
                    ServerFault::Deaf => {
                        log::error!("the HTTP server does not accept connections: restarting it")
                    }
                    ServerFault::Reported(_) => {}
                }
            }
            Err(error) => {
                faults = faults.saturating_add(1);
                if is_new {
                    log::error!("cannot start the HTTP server, trying again: {error}");
                }
            }
        }
        std::thread::sleep(limits::ACCEPT_PAUSE);
    }
}

fn start(listener: &UnixListener) -> Result<Server, String> {
    let own = listener.try_clone().map_err(|e| e.to_string())?;
    // It panics if it cannot start a thread.
    match catch_unwind(|| Server::from_listener(own, None)) {
        Ok(server) => server.map_err(|e| e.to_string()),
        Err(_) => Err("no thread could be started".to_string()),
    }
}

/// Answers requests until the server must be restarted; returns their number and the reason.
fn serve(listener: &UnixListener, server: &Server, app: &Arc<App>) -> (u64, ServerFault) {
    let (mut answered, mut waited) = (0, false);
    loop {
        match server.recv_timeout(limits::SERVER_CHECK_EVERY) {
            Ok(Some(request)) => {
                (answered, waited) = (answered + 1, false);
                let app = app.clone();
                // Without a thread the request is dropped, and tiny_http answers 500.
                if let Err(error) = start_thread("request", move || routes::answer(&app, request)) {
                    log::error!("{error}");
                }
            }
            Ok(None) if has_waiting_connection(listener) && waited => {
                return (answered, ServerFault::Deaf);
            }
            Ok(None) => waited = has_waiting_connection(listener),
            Err(error) => return (answered, ServerFault::Reported(error)),
        }
    }
}

/// Returns whether a connection waits to be accepted.
fn has_waiting_connection(listener: &UnixListener) -> bool {
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_connection_that_nobody_takes_is_seen_and_one_that_is_taken_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(!has_waiting_connection(&listener));
        let _client = UnixStream::connect(&path).unwrap();
        assert!(has_waiting_connection(&listener), "as where the server's thread is dead");
        let _server = Server::from_listener(listener.try_clone().unwrap(), None).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while has_waiting_connection(&listener) {
            assert!(Instant::now() < until, "the server takes it");
            std::thread::yield_now();
        }
    }
}
