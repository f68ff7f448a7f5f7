//! The serial console: people and machines on a serial line, or on standard input, ask the box.
//!
//! A door like HTTP: it hands questions to the desk and reads their records. `wire` is where a
//! console is, `port` a serial port, `link` a connection with all that waits bounded; `terminal`
//! and `machine` are the two who may sit there. A port that is not there, busy or pulled out is
//! waited for; what was asked over it is answered meanwhile.

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

use link::{Ends, Heard, Link};
use machine::Machine;
use port::{Port, Trouble};
use stdio::Standard;
use terminal::Person;
use wire::{Checksums, ConsolePlace, Speech, Wire};

use crate::desk::{Desk, Ticket};
use crate::types::error::Error;
use crate::types::job::Client;
use crate::types::limits;
use crate::types::mode::{DEFAULT_MODE, Modes};

/// What every console knows of the box.
pub struct ConsoleContext {
    /// Where questions go.
    pub desk: Arc<Desk>,
    /// In which modes they can be asked.
    pub modes: Modes,
    /// What the box is called.
    pub name: String,
    /// What answers.
    pub model: String,
}

impl ConsoleContext {
    /// Returns the newest job of a client, if there is one.
    fn last(&self, client: Client) -> Result<Option<Ticket>, Error> {
        let listed = self.desk.list(Some(client), None, 1)?;
        listed.first().map_or(Ok(None), |last| self.desk.find(last.name))
    }
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nobody is there any more.
    Gone,
    /// Whoever was there has left.
    Bye,
    /// A machine goes on.
    ToMachine,
    /// A person goes on.
    ToPerson,
    /// The box is being stopped.
    Closing,
}

/// The consoles of a box, at work.
pub struct Consoles {
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Opens consoles at these places. `left`, if anybody, hears when standard input has ended and all
/// that was asked over it is answered; ports have no end.
///
/// # Errors
/// `internal` where threads cannot be had.
pub fn open(
    wires: Vec<Wire>,
    house: ConsoleContext,
    left: &Option<Sender<Result<(), Error>>>,
) -> Result<Consoles, Error> {
    let closing = Arc::new(AtomicBool::new(false));
    let house = Arc::new(house);
    let mut consoles = Consoles { closing: closing.clone(), threads: Vec::new() };
    for wire in wires {
        let (house, closing, left) = (house.clone(), closing.clone(), left.clone());
        let attend = move || match &wire.place {
            ConsolePlace::Standard => {
                converse(
                    &wire,
                    Ends::Standard(Standard::open()),
                    &house,
                    &mut memory(&house),
                    &closing,
                );
                if let Some(left) = left {
                    // Who listens may be stopping by itself.
                    let _ = left.send(Ok(()));
                }
            }
            ConsolePlace::Port(_) => attend(&wire, &house, &closing),
        };
        let thread = std::thread::Builder::new().name("console".into()).spawn(attend);
        let thread =
            thread.map_err(|e| Error::internal(format!("cannot start a console's thread: {e}")))?;
        consoles.threads.push(thread);
    }
    Ok(consoles)
}

impl Consoles {
    /// Tells all consoles that the box is being stopped.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Waits until they have said so, `CLOSE_WAIT` at most.
    pub fn wait(self) {
        let until = Instant::now() + limits::CLOSE_WAIT;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        restore();
    }
}

/// Waits for a port, and for whoever sits there; again and again.
fn attend(wire: &Wire, house: &ConsoleContext, closing: &Arc<AtomicBool>) {
    let ConsolePlace::Port(path) = &wire.place else { return };
    let mut memory = memory(house);
    let mut said = None;
    while !closing.load(Ordering::Relaxed) {
        match Port::open(path, wire) {
            Ok(port) => {
                said = None;
                log::info!("console at {}: {} {}", wire.place, wire.baud, wire.framing);
                if converse(wire, Ends::Port(port), house, &mut memory, closing) == End::Gone {
                    log::info!("console at {}: gone; the box waits for it", wire.place);
                }
            }
            Err(trouble) => {
                say_once(wire, &trouble, &mut said);
            }
        }
        let until = Instant::now() + limits::CONSOLE_PORT_EVERY;
        while Instant::now() < until && !closing.load(Ordering::Relaxed) {
            std::thread::sleep(limits::CONSOLE_READ_WAIT.min(limits::CONSOLE_PORT_EVERY));
        }
    }
}

/// Says why a port cannot be had, unless that was said last.
fn say_once(wire: &Wire, trouble: &Trouble, said: &mut Option<Trouble>) {
    if said.as_ref() != Some(trouble) {
        log::warn!("console at {}: {trouble}", wire.place);
        *said = Some(trouble.clone());
    }
}

/// What a console remembers of whoever sits there.
struct Memory {
    person: terminal::Memory,
    machine: machine::Memory,
}

fn memory(house: &ConsoleContext) -> Memory {
    let named = house.modes.find(DEFAULT_MODE).ok();
    let mode = named.or_else(|| house.modes.iter().next().cloned());
    let mode = mode.unwrap_or_else(|| unreachable!("modes are built in"));
    Memory { person: terminal::Memory::new(mode), machine: machine::Memory::default() }
}

/// Has somebody ask at a console, until they are gone.
fn converse(
    wire: &Wire,
    ends: Ends,
    house: &ConsoleContext,
    memory: &mut Memory,
    closing: &Arc<AtomicBool>,
) -> End {
    let mut link = match Link::open(wire, ends, closing) {
        Ok(link) => link,
        Err(error) => {
            log::error!("{error}");
            return End::Gone;
        }
    };
    let client = Client::of("console", wire.place.to_string().as_bytes());
    let mut speech = wire.speech;
    let end = loop {
        let end = match speech {
            Speech::Person => Person::new(house, &mut memory.person, client, &mut link, wire).run(),
            Speech::Machine(sums) => {
                Machine::new(house, &mut memory.machine, client, &mut link, sums).run()
            }
        };
        match end {
            End::ToMachine => {
                speech = match wire.speech {
                    Speech::Machine(sums) => Speech::Machine(sums),
                    Speech::Person => Speech::Machine(Checksums::Off),
                };
            }
            End::ToPerson => speech = Speech::Person,
            // Whoever comes to a port next is greeted anew, at the first key.
            End::Bye if wire.place != ConsolePlace::Standard => match wait_for_key(&mut link) {
                Heard::Bytes(_) => speech = wire.speech,
                Heard::Closing => break End::Closing,
                _ => break End::Gone,
            },
            End::Bye | End::Gone | End::Closing => break end,
        }
    };
    link.close();
    end
}

fn wait_for_key(link: &mut Link) -> Heard {
    link.say("Bye. Press a key to begin again.\r\n");
    loop {
        match link.hear(None) {
            Heard::Changed | Heard::Nothing => {}
            heard => return heard,
        }
    }
}
