//! Ctrl-C and SIGTERM, handled on a thread of their own; and the deadline for leaving.
//!
//! One handler is active at a time: a later one replaces it. Consoles restore their terminal
//! themselves.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::console;
use crate::model::newfile;
use crate::types::error::Error;

/// Exit code of a process that had to be ended because it hung: that of `internal`.
const HUNG_CODE: i32 = 1;

/// The handler of signals, and the number of signals so far.
struct SignalHandler {
    act: Box<dyn FnMut(u32) + Send>,
    count: u32,
}

/// The active handler; `None` before the first.
static HANDLER: Mutex<Option<SignalHandler>> = Mutex::new(None);

/// Calls `act` at each signal with the number of signals so far, starting at 1. Replaces the
/// previous handler.
///
/// # Errors
/// `internal` if the signals cannot be handled.
pub fn on_interrupt(act: impl FnMut(u32) + Send + 'static) -> Result<(), Error> {
    handle(&[SIGINT, SIGTERM], Box::new(act))
}

/// Makes Ctrl-C, SIGTERM and a closed terminal remove the files being written and exit, for
/// commands that write files.
///
/// # Errors
/// Errors of [`on_interrupt`].
pub fn leave_nothing_behind() -> Result<(), Error> {
    let leave = |_| {
        if !newfile::abandon_all() {
            super::note("\nsolverbox: stopped; nothing was written\nRun it again at any time.");
        }
        leave()
    };
    // nohup(1) makes processes ignore it, which must stay so.
    let signals: &[i32] =
        if is_ignored(SIGHUP) { &[SIGINT, SIGTERM] } else { &[SIGINT, SIGTERM, SIGHUP] };
    handle(signals, Box::new(leave))
}

/// Exits at once with the exit code of `stopped`. No destructors run: llama.cpp's threads may be in
/// the middle of a pass and would use freed memory.
pub fn leave() -> ! {
    signal_hook::low_level::exit(130)
}

/// A thread that ends the process after a deadline; created in advance, because a process in
/// trouble may be unable to create a thread.
pub struct LastResort {
    order: Sender<Duration>,
}

/// Creates the thread. It does nothing until [`LastResort::leave_after`], or if it is dropped.
///
/// # Errors
/// `internal` if no thread can be created.
pub fn last_resort() -> Result<LastResort, Error> {
    let (order, orders) = channel::<Duration>();
    std::thread::Builder::new()
        .name("last resort".into())
        .spawn(move || {
            let Ok(after) = orders.recv() else { return };
            std::thread::sleep(after);
            log::error!("shutdown hangs: exiting {after:?} after the signal");
            console::restore();
            signal_hook::low_level::exit(HUNG_CODE);
        })
        .map_err(|e| {
            Error::internal(format!("cannot start the thread of the exit deadline: {e}"))
        })?;
    Ok(LastResort { order })
}

impl LastResort {
    /// Exits after this time, unless the process has ended by then.
    pub fn leave_after(&self, time: Duration) {
        // Fails only if the thread has ended, which it does only with the process.
        let _ = self.order.send(time);
    }
}

fn handle(signals: &[i32], act: Box<dyn FnMut(u32) + Send>) -> Result<(), Error> {
    let mut handler = HANDLER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let is_first = handler.replace(SignalHandler { act, count: 0 }).is_none();
    drop(handler);
    if !is_first {
        return Ok(());
    }
    let mut signals = Signals::new(signals)
        .map_err(|e| Error::internal(format!("cannot listen for Ctrl-C: {e}")))?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || signals.forever().for_each(|_| handle_signal()))
        .map_err(|e| Error::internal(format!("cannot start the signal thread: {e}")))?;
    Ok(())
}

fn handle_signal() {
    let mut handler = HANDLER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(SignalHandler { act, count }) = handler.as_mut() {
        *count += 1;
        act(*count);
    }
}

/// Returns whether the process was started with a signal ignored (proc(5), `SigIgn`).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
