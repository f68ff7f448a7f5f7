//! `solverbox serve`: the web page, the API and consoles, until Ctrl-C or SIGTERM; `solverbox
//! console`: consoles only.
//!
//! Requests are accepted before the model is loaded: the page is served at once, `/healthz` shows
//! the progress, and questions are queued. A signal stops the process within `LEAVE_WITHIN`,
//! whatever hangs; a second one at once.

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

/// File with the jobs that were in the batch during a crash, written by the signal's handler.
const CRASHES: &str = "crashed";
/// Most bytes of that file that are read: enough for many crashes.
const CRASHES_BYTES_MAX: u64 = 16 << 10;

/// The options of `serve` and `console`.
#[derive(Debug)]
pub struct ServeOptions {
    /// The model to serve.
    pub loading: Loading,
    /// The modes offered to clients.
    pub modes: Modes,
    /// Address of the HTTP server and the requests it admits; `None` for consoles only.
    pub door: Option<(SocketAddr, http::Admission)>,
    /// Ports of the consoles.
    pub consoles: Vec<Wire>,
    /// Data folder, with journal, cookies' secret and prefilled prompts.
    pub data: PathBuf,
    /// Settings of the journal in the data folder.
    pub keeping: Keeping,
    /// Limits of the queue.
    pub capacity: Capacity,
    /// Whether the kernels are checked at start.
    pub selftest: SelfTest,
    /// The service manager to report to.
    pub supervisor: Supervisor,
}

/// Serves until a signal or the engine's failure.
///
/// # Errors
/// Errors of the model, the address, the data folder and the consoles; the engine's failure.
pub fn run(mut options: ServeOptions) -> Result<(), Error> {
    check_consoles(&options.consoles)?;
    let plan = options.loading.plan()?;
    let shown = plan.clone();
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
        log::warn!("the jobs in the batch will not be recorded in a crash: {error}");
    }
    let desk = Desk::open(plan, options.capacity, options.selftest, Some(journal), move |error| {
        let _ = broken.send(Err(error));
    })?;
    let desk = Arc::new(desk);
    stop_on_signals(ends.clone())?;
    let manager = notify::start(&options.supervisor, &desk)?;
    folder.tell(address);
    let context = console_context(&desk, &options.modes, &shown);
    let serving = door.map(|door| door.serve(desk.clone(), options.modes, shown)).transpose()?;
    let consoles = console::open(options.consoles, context, &left_by(address, ends))
        .inspect_err(|_| console::restore())?;
    // The senders live as long as their threads: this waits for a signal, the engine's failure, or
    // the end of standard input.
    let reason = end.recv().unwrap_or(Ok(()));
    manager.stopping();
    // First no more questions are accepted, then the jobs here get an end.
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
        log::warn!("every machine on the network of {address} can use this server");
    }
    Ok(door)
}

/// Ends the server in order at the first signal, or after a deadline if something hangs; at once at
/// the second.
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

/// Returns what consoles need to know about the server.
fn console_context(desk: &Arc<Desk>, modes: &Modes, plan: &Plan) -> ConsoleContext {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    ConsoleContext {
        desk: desk.clone(),
        modes: modes.clone(),
        name: name.trim().to_string(),
        model: Path::new(&plan.model.name()).file_stem().map_or_else(String::new, |stem| {
            // Users at a console must not see a path.
            stem.to_string_lossy().into_owned()
        }),
    }
}

/// Returns the channel to notify when standard input ends: without an HTTP server the process ends
/// then.
fn left_by(
    address: Option<SocketAddr>,
    ends: Sender<Result<(), Error>>,
) -> Option<Sender<Result<(), Error>>> {
    address.is_none().then_some(ends)
}

/// Rejects too many consoles, and ports named twice.
fn check_consoles(consoles: &[Wire]) -> Result<(), Error> {
    let most = limits::CONSOLES_MAX;
    if consoles.len() > most {
        return Err(Error::bad_request(
            format!(
                "--serial: {} consoles are too many, at most {most} are allowed",
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

/// Opens the journal, and the file that records crashes; earlier crashes are counted first.
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
        log::error!("{} questions were in the batch when the server crashed last", crashed.len());
    }
    // The same file name may later hold another model, whose vocabulary does not fit these tokens.
    let model = format!("{} {}", plan.model.name(), plan.file_bytes);
    let keeping = Keeping { model, ..options.keeping.clone() };
    // Synced before the journal is opened: a record that a power cut brings back would be counted
    // twice, and its questions would fail.
    if !noted.is_empty() {
        opened.set_len(0).and_then(|()| opened.sync_data()).map_err(cannot)?;
    }
    Ok((Journal::open(folder.path(), keeping, &crashed)?, opened))
}
