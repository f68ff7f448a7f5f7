//! `solverbox serve`: the page and the API, until Ctrl-C or SIGTERM.
//!
//! The door opens before the model is loaded: the page comes at once, `/healthz` shows the
//! progress, and questions wait in line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use super::{Loading, interrupt};
use crate::desk::{Capacity, Desk};
use crate::http;
use crate::words::error::Error;
use crate::words::kernels::SelfTest;
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
    /// Who may ask.
    pub admission: http::Admission,
    /// Folder for what must last.
    pub data: PathBuf,
    /// Questions that may wait.
    pub capacity: Capacity,
    /// Whether the kernels are checked first.
    pub selftest: SelfTest,
}

/// Serves until a signal ends it, or the engine does.
///
/// # Errors
/// What keeps it from serving: the model's, the address's, the data folder's, the engine's own end.
pub fn run(options: Options) -> Result<(), Error> {
    let plan = options.loading.plan()?;
    let model = plan.model.origin;
    super::make_folder(&options.data)?;
    let door = http::Door::open(options.listen, &options.data, options.admission)?;
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
    interrupt::on_interrupt(move |count| {
        if count > 1 {
            interrupt::leave();
        }
        let _ = ends.send(Ok(()));
    })?;
    let serving = door.serve(desk.clone(), options.modes, model)?;
    // Both senders live as long as their threads: this waits for a signal or a broken engine.
    let reason = end.recv().unwrap_or(Ok(()));
    serving.close();
    desk.close();
    serving.wait();
    reason
}
