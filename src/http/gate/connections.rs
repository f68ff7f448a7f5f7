//! The table of open connections whose requests are being answered, with disconnect callbacks.
//!
//! The gate registers a visitor (a client with an open connection) before it relays the request to
//! tiny_http, and names it in a header. A handler registers work to run on disconnect with
//! [`Visitor::on_leave`]. An ID is of use only on the gate's private socket.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::random;

/// The visitors whose requests are being answered, by connection ID.
#[derive(Default)]
pub struct Connections {
    table: Mutex<HashMap<String, Arc<Visitor>>>,
}

/// One connected client, from the end of its request to the end of the response.
pub struct Visitor {
    address: IpAddr,
    state: Mutex<VisitorState>,
}

type Callback = Box<dyn FnOnce() + Send>;

enum VisitorState {
    /// Connected; these callbacks run when it disconnects.
    Here(Vec<Callback>),
    /// Disconnected before the response was complete.
    Left,
    /// Received its whole response.
    Served,
}

impl Connections {
    /// Finds a visitor by the value of its request's [`VISITOR_HEADER`](super::VISITOR_HEADER).
    ///
    /// `None` means that it has disconnected: there is nobody to answer.
    pub fn find(&self, id: &str) -> Option<Arc<Visitor>> {
        locked(&self.table).get(id).cloned()
    }

    /// Returns the number of connected visitors.
    pub fn count(&self) -> usize {
        locked(&self.table).len()
    }

    /// Registers a visitor; dropping the visit before it was served means that it disconnected.
    ///
    /// # Errors
    /// If the kernel provides no random bytes for the ID.
    pub(super) fn enter(self: &Arc<Connections>, address: IpAddr) -> io::Result<Visit> {
        let id = random::bytes().map(u128::from_ne_bytes).map_err(io::Error::other)?;
        let id = format!("{id:032x}");
        let visitor =
            Arc::new(Visitor { address, state: Mutex::new(VisitorState::Here(Vec::new())) });
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
        matches!(*locked(&self.state), VisitorState::Left)
    }

    /// Runs `callback` once, when the visitor leaves; at once if it has left already.
    ///
    /// `callback` runs on the gate's thread for this visitor, within milliseconds of the hang-up:
    /// it must not block. It is dropped unrun when the response ends first. A client that closes as
    /// soon as it has read the end of a stream without a length may still count as leaving:
    /// `callback` must do no harm then.
    pub fn on_leave(&self, callback: impl FnOnce() + Send + 'static) {
        let mut state = locked(&self.state);
        match &mut *state {
            VisitorState::Here(callbacks) => callbacks.push(Box::new(callback)),
            VisitorState::Left => {
                drop(state);
                callback();
            }
            VisitorState::Served => {}
        }
    }

    /// Changes a connected visitor's state to `end`; returns its callbacks for the caller to run or
    /// drop.
    fn end(&self, end: VisitorState) -> Vec<Callback> {
        let mut state = locked(&self.state);
        match &mut *state {
            VisitorState::Here(callbacks) => {
                let callbacks = std::mem::take(callbacks);
                *state = end;
                callbacks
            }
            VisitorState::Left | VisitorState::Served => Vec::new(),
        }
    }
}

/// A visitor's registration: while it lives, the visitor can be found.
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

    /// Ends the registration of a visitor that received its whole response; its callbacks are
    /// dropped.
    pub fn served(self) {
        drop(self.visitor.end(VisitorState::Served));
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Marked before it leaves the table: a handler that still finds it must see that it left.
        let callbacks = self.visitor.end(VisitorState::Left);
        locked(&self.visitors.table).remove(&self.id);
        for callback in callbacks {
            // A callback that panics must not keep the others from running.
            if catch_unwind(AssertUnwindSafe(callback)).is_err() {
                log::error!("gate: a disconnect callback panicked");
            }
        }
    }
}

/// Locks; nothing panics while these locks are held, so a poisoned one holds sound data.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
