//! tiny_http behind the gate: started on the private socket, and started anew where it went deaf.
//!
//! tiny_http 0.12 accepts on a thread of its own, which ends for good at the first accept error
//! (descriptors used up), and panics without a word to us where it can duplicate no descriptor or
//! start no thread. Neither must need a person: the first is told by `recv`, the second by a
//! connection that nobody takes off the socket. Each request gets a thread; the gate bounds how
//! many there are. `http/mod.rs` starts it.

use std::io;
use std::os::unix::net::UnixListener;
use std::panic::catch_unwind;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tiny_http::Server;

use super::{App, routes, start_thread};
use crate::types::limits;

/// Why a server has to be started anew.
enum Fault {
    /// It has said so.
    AttemptText(io::Error),
    /// A connection has waited for it in vain.
    Deaf,
}

/// Takes requests for as long as the process lives.
pub fn run(listener: &UnixListener, app: &Arc<App>) {
    let mut faults = 0_u32;
    loop {
        // A fault that lasts is said once: twenty lines a second would fill the disk.
        let say = faults == 0;
        match start(listener) {
            Ok(server) => {
                let (answered, fault) = serve(listener, &server, app);
                faults = if answered > 0 { 0 } else { faults.saturating_add(1) };
                match fault {
                    Fault::AttemptText(e) if say => {
                        log::error!("the server stopped accepting: {e}")
                    }
                    Fault::Deaf => log::error!("the server has gone deaf: starting it anew"),
                    Fault::AttemptText(_) => {}
                }
            }
            Err(error) => {
                faults = faults.saturating_add(1);
                if say {
                    log::error!("cannot start the server, trying on: {error}");
                }
            }
        }
        std::thread::sleep(limits::ACCEPT_PAUSE);
    }
}

fn start(listener: &UnixListener) -> Result<Server, String> {
    let own = listener.try_clone().map_err(|e| e.to_string())?;
    // Where no thread can be had it panics.
    match catch_unwind(|| Server::from_listener(own, None)) {
        Ok(server) => server.map_err(|e| e.to_string()),
        Err(_) => Err("there are no threads left".to_string()),
    }
}

/// Answers requests until the server must be started anew; returns how many there were, and why.
fn serve(listener: &UnixListener, server: &Server, app: &Arc<App>) -> (u64, Fault) {
    let (mut answered, mut waited) = (0, false);
    loop {
        match server.recv_timeout(limits::SERVER_CHECK_EVERY) {
            Ok(Some(request)) => {
                (answered, waited) = (answered + 1, false);
                let app = app.clone();
                // Where no thread can be had the request is dropped: tiny_http answers 500.
                if let Err(error) = start_thread("request", move || routes::answer(&app, request)) {
                    log::error!("{error}");
                }
            }
            Ok(None) if is_waited_for(listener) && waited => return (answered, Fault::Deaf),
            Ok(None) => waited = is_waited_for(listener),
            Err(error) => return (answered, Fault::AttemptText(error)),
        }
    }
}

/// Returns whether a connection waits to be accepted.
fn is_waited_for(listener: &UnixListener) -> bool {
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
        assert!(!is_waited_for(&listener));
        let _client = UnixStream::connect(&path).unwrap();
        assert!(is_waited_for(&listener), "as where the server's thread is dead");
        let _server = Server::from_listener(listener.try_clone().unwrap(), None).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while is_waited_for(&listener) {
            assert!(Instant::now() < until, "the server takes it");
            std::thread::yield_now();
        }
    }
}
