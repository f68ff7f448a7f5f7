//! Connections: the clients whose requests are being answered, and what happens when they leave.
//!
//! The gate enters a visitor before it hands the request to tiny_http and tells the server by a
//! header which one it is. Whoever works for a visitor leaves word
//! with [`Visitor::on_leave`]. An id is of use only on the gate's private socket.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::types::error::{Error, io_cause};

/// The table of visitors, by id.
pub struct Connections {
    random: File,
    table: Mutex<HashMap<String, Arc<Visitor>>>,
}

/// One connected client, from the end of its request to the end of the response.
pub struct Visitor {
    address: IpAddr,
    state: Mutex<State>,
}

type Act = Box<dyn FnOnce() + Send>;

enum State {
    /// Connected; these are run when it leaves.
    Here(Vec<Act>),
    /// Hung up before the response was complete.
    Left,
    /// Got its whole response.
    Served,
}

impl Connections {
    /// Makes an empty table.
    ///
    /// # Errors
    /// `internal` if the kernel's random numbers, which ids are made of, cannot be had.
    pub(super) fn new() -> Result<Connections, Error> {
        let random = File::open("/dev/urandom").map_err(|e| {
            Error::internal(format!("cannot open '/dev/urandom': {}", io_cause(&e)))
        })?;
        Ok(Connections { random, table: Mutex::default() })
    }

    /// Finds a visitor by the value of its request's [`VISITOR_HEADER`](super::VISITOR_HEADER).
    ///
    /// `None` means that it is gone already: there is nobody to answer.
    pub fn find(&self, id: &str) -> Option<Arc<Visitor>> {
        locked(&self.table).get(id).cloned()
    }

    /// Returns how many visitors there are.
    pub fn count(&self) -> usize {
        locked(&self.table).len()
    }

    /// Returns a random number that nobody can guess.
    fn random(&self) -> io::Result<u128> {
        let mut bytes = [0; 16];
        (&self.random).read_exact(&mut bytes)?;
        Ok(u128::from_ne_bytes(bytes))
    }

    /// Enters a visitor; it has left when the visit is dropped before it was served.
    ///
    /// # Errors
    /// What reading `/dev/urandom` says.
    pub(super) fn enter(self: &Arc<Connections>, address: IpAddr) -> io::Result<Visit> {
        let id = format!("{:032x}", self.random()?);
        let visitor = Arc::new(Visitor { address, state: Mutex::new(State::Here(Vec::new())) });
        locked(&self.table).insert(id.clone(), Arc::clone(&visitor));
        Ok(Visit { id, visitor, visitors: Arc::clone(self) })
    }
}

impl Visitor {
    /// Returns the address the visitor connected from; IPv4 is never wrapped in IPv6.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns true once the visitor has hung up before its response was complete.
    ///
    /// Closing only the sending half counts: a client that will say nothing more cannot be told
    /// from one that is gone.
    #[cfg(test)]
    pub fn has_left(&self) -> bool {
        matches!(*locked(&self.state), State::Left)
    }

    /// Runs `act` once, when the visitor leaves; at once if it has left already.
    ///
    /// `act` runs on the gate's thread for this visitor, within milliseconds of the hang-up: it
    /// must not block. It is dropped unrun when the response ends first. A client that closes as
    /// soon as it has read the end of a stream without a length may still count as leaving: `act`
    /// must do no harm then.
    pub fn on_leave(&self, act: impl FnOnce() + Send + 'static) {
        let mut state = locked(&self.state);
        match &mut *state {
            State::Here(acts) => acts.push(Box::new(act)),
            State::Left => {
                drop(state);
                act();
            }
            State::Served => {}
        }
    }

    /// Moves on from being here to `end`; returns what was left to run, for the caller to run or
    /// drop.
    fn end(&self, end: State) -> Vec<Act> {
        let mut state = locked(&self.state);
        match &mut *state {
            State::Here(acts) => {
                let acts = std::mem::take(acts);
                *state = end;
                acts
            }
            State::Left | State::Served => Vec::new(),
        }
    }
}

/// A visitor's stay: while it lasts, the visitor can be found.
pub(super) struct Visit {
    id: String,
    visitor: Arc<Visitor>,
    visitors: Arc<Connections>,
}

impl Visit {
    /// Returns the visitor's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Ends the stay of a visitor that got its whole response; what waits for it to leave is
    /// dropped.
    pub fn served(self) {
        drop(self.visitor.end(State::Served));
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Marked before it is taken off the table: who finds it there must learn the truth.
        let acts = self.visitor.end(State::Left);
        locked(&self.visitors.table).remove(&self.id);
        for act in acts {
            // One act that panics must not keep the others from running.
            if catch_unwind(AssertUnwindSafe(act)).is_err() {
                log::error!("gate: an act for a visitor that left has panicked");
            }
        }
    }
}

/// Locks; nothing panics while these locks are held, so a poisoned one holds sound data.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
