//! `solverbox serve`: the page and the API, until Ctrl-C or SIGTERM.
//!
//! The door opens before the model is loaded: the page comes at once, `/healthz` shows the
//! progress, and questions wait in line. A signal stops it within `LEAVE_WITHIN`, whatever hangs;
//! a second one at once.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use super::notify::{self, Supervisor};
use super::{Loading, interrupt};
use crate::desk::{self, Capacity, Desk};
use crate::http;
use crate::store::{Folder, Journal, Keeping, Recovered};
use crate::words::error::{Error, io_cause};
use crate::words::kernels::SelfTest;
use crate::words::limits;
use crate::words::mode::Modes;
use crate::words::plan::Plan;

/// Who was aboard in a crash, written by a handler of its signal.
const CRASHES: &str = "crashed";
/// Bytes of it that are read: of far more crashes than one.
const CRASHES_BYTES_MAX: u64 = 16 << 10;

/// What `serve` was asked for.
#[derive(Debug)]
pub struct Options {
    /// The model.
    pub loading: Loading,
    /// The modes it offers.
    pub modes: Modes,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may ask.
    pub admission: http::Admission,
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
pub fn run(options: Options) -> Result<(), Error> {
    let plan = options.loading.plan()?;
    let told = plan.clone();
    let folder = Folder::take(&options.data)?;
    let (journal, crashes) = open_journal(&folder, &options, &plan)?;
    let door = http::Door::open(options.listen, &options.data, options.admission)?;
    let address = door.address();
    super::note(&format!("solverbox: open http://{address}/ in a browser; Ctrl-C ends it"));
    if !address.ip().is_loopback() {
        log::warn!("everybody on the network of {address} can ask this box");
    }
    let (ends, end) = channel();
    let broken = ends.clone();
    if let Err(error) = desk::note_crashes(crashes) {
        log::warn!("who is aboard in a crash will not be known: {error}");
    }
    let desk = Desk::open(plan, options.capacity, options.selftest, Some(journal), move |error| {
        let _ = broken.send(Err(error));
    })?;
    let desk = Arc::new(desk);
    let last_resort = interrupt::last_resort()?;
    interrupt::on_interrupt(move |count| {
        if count > 1 {
            interrupt::leave();
        }
        last_resort.leave_after(limits::LEAVE_WITHIN);
        let _ = ends.send(Ok(()));
    })?;
    let manager = notify::start(&options.supervisor, &desk)?;
    folder.tell(Some(address));
    let serving = door.serve(desk.clone(), options.modes, told)?;
    // Both senders live as long as their threads: this waits for a signal or a broken engine.
    let reason = end.recv().unwrap_or(Ok(()));
    manager.stopping();
    // First nobody's question is taken any more, then those here get what there is and an end.
    serving.close();
    desk.close();
    serving.wait();
    reason
}

/// Opens the journal, and the file that a crash will be noted in; what it held is counted first.
fn open_journal(
    folder: &Folder,
    options: &Options,
    plan: &Plan,
) -> Result<((Journal, Recovered), File), Error> {
    let file = folder.path().join(CRASHES);
    let cannot = |error: std::io::Error| {
        let cause = io_cause(&error);
        Error::bad_request(
            format!("cannot open '{}': {cause}", file.display()),
            "Name a writable folder with --data DIR.",
        )
    };
    let mut opened = OpenOptions::new();
    opened.read(true).append(true).create(true).mode(0o600);
    let mut opened = opened.open(&file).map_err(cannot)?;
    let mut noted = Vec::new();
    opened.by_ref().take(CRASHES_BYTES_MAX).read_to_end(&mut noted).map_err(cannot)?;
    let crashed = desk::read_aboard(&noted);
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
