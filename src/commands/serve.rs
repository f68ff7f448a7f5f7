//! `solverbox serve`: the page, the API and consoles, until Ctrl-C or SIGTERM; `solverbox console`:
//! consoles alone.
//!
//! The door opens before the model is loaded: the page comes at once, `/healthz` shows the
//! progress, and questions wait in line. A signal stops it within `LEAVE_WITHIN`, whatever hangs;
//! a second one at once.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use super::notify::{self, Supervisor};
use super::{Loading, interrupt};
use crate::console::wire::{ConsolePlace, Wire};
use crate::console::{self, ConsoleContext};
use crate::desk::{self, Capacity, Desk};
use crate::http;
use crate::store::{Folder, Journal, Keeping, Recovered};
use crate::types::error::{Error, Kind, io_cause};
use crate::types::kernels::SelfTest;
use crate::types::limits;
use crate::types::mode::Modes;
use crate::types::plan::Plan;

/// Who was aboard in a crash, written by a handler of its signal.
const CRASHES: &str = "crashed";
/// Bytes of it that are read: of far more crashes than one.
const CRASHES_BYTES_MAX: u64 = 16 << 10;

/// What `serve` was asked for.
#[derive(Debug)]
pub struct ServeOptions {
    /// The model.
    pub loading: Loading,
    /// The modes it offers.
    pub modes: Modes,
    /// Where it listens, and who may ask there; nothing where it is for consoles alone.
    pub door: Option<(SocketAddr, http::Admission)>,
    /// Where consoles are.
    pub consoles: Vec<Wire>,
    /// Folder for what must last.
    pub data: PathBuf,
    /// How the journal in it is kept.
    pub keeping: Keeping,
    /// Questions that may wait.
    pub capacity: Capacity,
    /// Whether the kernels are checked first.
    pub selftest: SelfTest,
    /// Who is told how it is doing.
    pub supervisor: Supervisor,
}

/// Serves until a signal ends it, or the engine does.
///
/// # Errors
/// What keeps it from serving: the model's, the address's, the data folder's, the engine's own end.
pub fn run(mut options: ServeOptions) -> Result<(), Error> {
    check_consoles(&options.consoles)?;
    let plan = options.loading.plan()?;
    let told = plan.clone();
    let folder = Folder::take(&options.data)?;
    let (journal, crashes) = open_journal(&folder, &options, &plan)?;
    let door = match options.door.take() {
        Some((listen, admission)) => Some(open_door(listen, admission, &options.data)?),
        None => None,
    };
    let address = door.as_ref().map(http::Door::address);
    let (ends, end) = channel();
    let broken = ends.clone();
    if let Err(error) = desk::note_crashes(crashes) {
        log::warn!("who is aboard in a crash will not be known: {error}");
    }
    let desk = Desk::open(plan, options.capacity, options.selftest, Some(journal), move |error| {
        let _ = broken.send(Err(error));
    })?;
    let desk = Arc::new(desk);
    stop_on_signals(ends.clone())?;
    let manager = notify::start(&options.supervisor, &desk)?;
    folder.tell(address);
    let house = house(&desk, &options.modes, &told);
    let serving = door.map(|door| door.serve(desk.clone(), options.modes, told)).transpose()?;
    let consoles = console::open(options.consoles, house, &left_by(address, ends))
        .inspect_err(|_| console::restore())?;
    // Its senders live as long as their threads: this waits for a signal, a broken engine, or for
    // who came to talk to leave.
    let reason = end.recv().unwrap_or(Ok(()));
    manager.stopping();
    // First nobody's question is taken any more, then those here get what there is and an end.
    if let Some(serving) = &serving {
        serving.close();
    }
    desk.close();
    consoles.close();
    if let Some(serving) = serving {
        serving.wait();
    }
    consoles.wait();
    reason
}

fn open_door(
    listen: SocketAddr,
    admission: http::Admission,
    data: &Path,
) -> Result<http::Door, Error> {
    let door = http::Door::open(listen, data, admission)?;
    let address = door.address();
    super::note(&format!("solverbox: open http://{address}/ in a browser; Ctrl-C ends it"));
    if !address.ip().is_loopback() {
        log::warn!("everybody on the network of {address} can ask this box");
    }
    Ok(door)
}

/// The first signal ends the box in good order, or after a time whatever hangs; the second at once.
fn stop_on_signals(ends: Sender<Result<(), Error>>) -> Result<(), Error> {
    let last_resort = interrupt::last_resort()?;
    interrupt::on_interrupt(move |count| {
        if count > 1 {
            console::restore();
            interrupt::leave();
        }
        last_resort.leave_after(limits::LEAVE_WITHIN);
        let _ = ends.send(Ok(()));
    })
}

/// Returns what consoles know of the box.
fn house(desk: &Arc<Desk>, modes: &Modes, plan: &Plan) -> ConsoleContext {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    ConsoleContext {
        desk: desk.clone(),
        modes: modes.clone(),
        name: name.trim().to_string(),
        model: Path::new(&plan.model.name()).file_stem().map_or_else(String::new, |stem| {
            // Nobody at a console is to see a path.
            stem.to_string_lossy().into_owned()
        }),
    }
}

/// Returns who hears that standard input has ended: a box without a page is there for it, one with
/// a page goes on.
fn left_by(
    address: Option<SocketAddr>,
    ends: Sender<Result<(), Error>>,
) -> Option<Sender<Result<(), Error>>> {
    address.is_none().then_some(ends)
}

/// Refuses consoles that would be in each other's way.
fn check_consoles(consoles: &[Wire]) -> Result<(), Error> {
    let most = limits::CONSOLES_MAX;
    if consoles.len() > most {
        return Err(Error::bad_request(
            format!(
                "--serial: {} consoles are too many, at most {most} are possible",
                consoles.len()
            ),
            "Name fewer.",
        ));
    }
    // One port may have several names, such as those in /dev/serial/by-id.
    let real = |wire: &Wire| match &wire.place {
        ConsolePlace::Standard => None,
        ConsolePlace::Port(path) => Some(path.canonicalize().unwrap_or_else(|_| path.clone())),
    };
    let real: Vec<Option<PathBuf>> = consoles.iter().map(real).collect();
    let twice = (1..consoles.len()).find(|&at| real[..at].contains(&real[at]));
    twice.map_or(Ok(()), |at| {
        Err(Error::bad_request(
            format!("--serial: {} is named twice", consoles[at].place),
            "Name each port once.",
        ))
    })
}

/// Opens the journal, and the file that a crash will be noted in; what it held is counted first.
fn open_journal(
    folder: &Folder,
    options: &ServeOptions,
    plan: &Plan,
) -> Result<((Journal, Recovered), File), Error> {
    let file = folder.path().join(CRASHES);
    let cannot = |error: std::io::Error| {
        let cause = io_cause(&error);
        Error::new(
            Kind::Environment,
            format!("cannot open '{}': {cause}", file.display()),
            "Name a writable folder with --data DIR.",
        )
    };
    let mut opened = OpenOptions::new();
    opened.read(true).append(true).create(true).mode(0o600);
    let mut opened = opened.open(&file).map_err(cannot)?;
    let mut noted = Vec::new();
    opened.by_ref().take(CRASHES_BYTES_MAX).read_to_end(&mut noted).map_err(cannot)?;
    let crashed = desk::read_crashed_jobs(&noted);
    if !crashed.is_empty() {
        log::error!("the box crashed over {} questions when it ran last", crashed.len());
    }
    // Of the same file another model may be made; of its tokens no other vocabulary.
    let model = format!("{} {}", plan.model.name(), plan.file_bytes);
    let keeping = Keeping { model, ..options.keeping.clone() };
    // First, and on the disk: a crash that a power cut brought back would be counted twice, and its
    // questions given up.
    if !noted.is_empty() {
        opened.set_len(0).and_then(|()| opened.sync_data()).map_err(cannot)?;
    }
    Ok((Journal::open(folder.path(), keeping, &crashed)?, opened))
}
