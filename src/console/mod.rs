//! The serial console: sessions with people and machines on a serial line or on standard input.
//!
//! A door like HTTP: it submits questions to the desk and follows their feeds. `wire` has a line's
//! settings, `port` is a serial port, `link` a connection with bounded buffers; `terminal` and
//! `machine` are the two kinds of session. A missing, busy or unplugged port is retried; questions
//! submitted over it are answered meanwhile.

mod following;
mod history;
mod keys;
mod line_editor;
mod link;
mod machine;
mod outbox;
mod paint;
pub mod port;
mod stdio;
mod terminal;
pub mod wire;

pub use stdio::restore;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use link::{Ends, Link, LinkEvent};
use machine::MachineSession;
use port::{Port, Trouble};
use stdio::Standard;
use terminal::TerminalSession;
use wire::{Checksums, ConsolePlace, Speech, Wire};

use crate::desk::{Desk, Ticket};
use crate::types::error::Error;
use crate::types::job::Client;
use crate::types::limits;
use crate::types::mode::{DEFAULT_MODE, Modes};

/// The parts of the box that all consoles share.
pub struct ConsoleContext {
    /// The desk that takes questions.
    pub desk: Arc<Desk>,
    /// The modes that questions can be asked in.
    pub modes: Modes,
    /// The name of the box.
    pub name: String,
    /// The name of the model.
    pub model: String,
}

impl ConsoleContext {
    /// Returns the newest job of a client, if there is one.
    fn last(&self, client: Client) -> Result<Option<Ticket>, Error> {
        let listed = self.desk.list(Some(client), None, 1)?;
        listed.first().map_or(Ok(None), |last| self.desk.find(last.name))
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionEnd {
    /// The connection is gone.
    Gone,
    /// The person or machine logged goodbye.
    Bye,
    /// A machine's session follows.
    ToMachine,
    /// A person's session follows.
    ToPerson,
    /// The box is stopping.
    Closing,
}

/// The running consoles of a box.
pub struct Consoles {
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts a console for each of `wires`. `left`, if given, is notified when standard input has
/// ended and all its questions are answered; ports never end.
///
/// # Errors
/// `internal` if no thread can be started.
pub fn open(
    wires: Vec<Wire>,
    context: ConsoleContext,
    left: &Option<Sender<Result<(), Error>>>,
) -> Result<Consoles, Error> {
    let closing = Arc::new(AtomicBool::new(false));
    let context = Arc::new(context);
    let mut consoles = Consoles { closing: closing.clone(), threads: Vec::new() };
    for wire in wires {
        let (context, closing, left) = (context.clone(), closing.clone(), left.clone());
        let run = move || match &wire.place {
            ConsolePlace::Standard => {
                converse(
                    &wire,
                    Ends::Standard(Standard::open()),
                    &context,
                    &mut memory(&context),
                    &closing,
                );
                if let Some(left) = left {
                    // Fails only if the process is already stopping.
                    let _ = left.send(Ok(()));
                }
            }
            ConsolePlace::Port(_) => serve_port(&wire, &context, &closing),
        };
        let thread = std::thread::Builder::new().name("console".into()).spawn(run);
        let thread =
            thread.map_err(|e| Error::internal(format!("cannot start a console's thread: {e}")))?;
        consoles.threads.push(thread);
    }
    Ok(consoles)
}

impl Consoles {
    /// Tells all consoles that the box is stopping.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Waits until their sessions have ended, `CLOSE_WAIT` at most.
    pub fn wait(self) {
        let until = Instant::now() + limits::CLOSE_WAIT;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        restore();
    }
}

/// Opens a port and runs a session on it, again and again.
fn serve_port(wire: &Wire, context: &ConsoleContext, closing: &Arc<AtomicBool>) {
    let ConsolePlace::Port(path) = &wire.place else { return };
    let mut memory = memory(context);
    let mut logged = None;
    while !closing.load(Ordering::Relaxed) {
        match Port::open(path, wire) {
            Ok(port) => {
                logged = None;
                log::info!("console at {}: {} {}", wire.place, wire.baud, wire.framing);
                if converse(wire, Ends::Port(port), context, &mut memory, closing)
                    == SessionEnd::Gone
                {
                    log::info!("console at {}: disconnected; waiting for it", wire.place);
                }
            }
            Err(trouble) => {
                log_once(wire, &trouble, &mut logged);
            }
        }
        let until = Instant::now() + limits::CONSOLE_PORT_EVERY;
        while Instant::now() < until && !closing.load(Ordering::Relaxed) {
            std::thread::sleep(limits::CONSOLE_READ_WAIT.min(limits::CONSOLE_PORT_EVERY));
        }
    }
}

/// Logs why a port cannot be opened, unless that was logged last.
fn log_once(wire: &Wire, trouble: &Trouble, logged: &mut Option<Trouble>) {
    if logged.as_ref() != Some(trouble) {
        log::warn!("console at {}: {trouble}", wire.place);
        *logged = Some(trouble.clone());
    }
}

/// State of a console that survives its sessions.
struct ConsoleMemory {
    person: terminal::TerminalMemory,
    machine: machine::MachineMemory,
}

fn memory(context: &ConsoleContext) -> ConsoleMemory {
    let named = context.modes.find(DEFAULT_MODE).ok();
    let mode = named.or_else(|| context.modes.iter().next().cloned());
    let mode = mode.unwrap_or_else(|| unreachable!("modes are built in"));
    ConsoleMemory {
        person: terminal::TerminalMemory::new(mode),
        machine: machine::MachineMemory::default(),
    }
}

/// Runs sessions on a connection until it ends.
fn converse(
    wire: &Wire,
    ends: Ends,
    context: &ConsoleContext,
    memory: &mut ConsoleMemory,
    closing: &Arc<AtomicBool>,
) -> SessionEnd {
    let mut link = match Link::open(wire, ends, closing) {
        Ok(link) => link,
        Err(error) => {
            log::error!("{error}");
            return SessionEnd::Gone;
        }
    };
    let client = Client::of("console", wire.place.to_string().as_bytes());
    let mut speech = wire.speech;
    let end = loop {
        let end = match speech {
            Speech::Person => {
                TerminalSession::new(context, &mut memory.person, client, &mut link, wire).run()
            }
            Speech::Machine(sums) => {
                MachineSession::new(context, &mut memory.machine, client, &mut link, sums).run()
            }
        };
        match end {
            SessionEnd::ToMachine => {
                speech = match wire.speech {
                    Speech::Machine(sums) => Speech::Machine(sums),
                    Speech::Person => Speech::Machine(Checksums::Off),
                };
            }
            SessionEnd::ToPerson => speech = Speech::Person,
            // The next person at a port is greeted at the first key.
            SessionEnd::Bye if wire.place != ConsolePlace::Standard => {
                match wait_for_key(&mut link) {
                    LinkEvent::Bytes(_) => speech = wire.speech,
                    LinkEvent::Closing => break SessionEnd::Closing,
                    _ => break SessionEnd::Gone,
                }
            }
            SessionEnd::Bye | SessionEnd::Gone | SessionEnd::Closing => break end,
        }
    };
    link.close();
    end
}

fn wait_for_key(link: &mut Link) -> LinkEvent {
    link.send("Bye. Press a key to start again.\r\n");
    loop {
        match link.next_event(None) {
            LinkEvent::Changed | LinkEvent::Nothing => {}
            event => return event,
        }
    }
}
