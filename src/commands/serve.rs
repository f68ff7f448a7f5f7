//! `solverbox serve`: the page and the API, until Ctrl-C or SIGTERM.
//!
//! The door opens before the model is loaded: the page comes at once, `/healthz` shows the
//! progress, and questions wait in line. A signal stops it within `LEAVE_WITHIN`, whatever hangs;
//! a second one at once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use super::notify::{self, Supervisor};
use super::{Loading, interrupt};
use crate::desk::{Capacity, Desk};
use crate::http;
use crate::words::error::Error;
use crate::words::kernels::SelfTest;
use crate::words::limits;
use crate::words::mode::Modes;

/// What `serve` was asked for.
#[derive(Debug)]
pub struct Options {
    /// The model.
    pub loading: Loading,
    /// The modes it offers.
    pub modes: Modes,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Folder for what must last.
    pub data: PathBuf,
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
    let model = plan.model.origin;
    make_folder(&options.data)?;
    let door = http::Door::open(options.listen, &options.data)?;
    let address = door.address();
    super::note(&format!("solverbox: open http://{address}/ in a browser; Ctrl-C ends it"));
    if !address.ip().is_loopback() {
        log::warn!("everybody on the network of {address} can ask this box");
    }
    let (ends, end) = channel();
    let broken = ends.clone();
    let desk = Desk::open(plan, options.capacity, options.selftest, move |error| {
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
    let serving = door.serve(desk.clone(), options.modes, model)?;
    // Both senders live as long as their threads: this waits for a signal or a broken engine.
    let reason = end.recv().unwrap_or(Ok(()));
    manager.stopping();
    // First nobody's question is taken any more, then those here get what there is and an end.
    serving.close();
    desk.close();
    serving.wait();
    reason
}

fn make_folder(folder: &PathBuf) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
        Error::bad_request(
            format!("cannot make the data folder '{}': {e}", folder.display()),
            "Name a writable folder with --data DIR.",
        )
    })
}
