//! Ctrl-C and SIGTERM, heard on a thread of their own.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::console;
use crate::model::newfile;
use crate::types::error::Error;

/// The exit code of a process that could not end by itself: that of `internal`.
const HUNG_CODE: i32 = 1;

/// What a signal does, and how many of them it has heard.
struct Hearer {
    act: Box<dyn FnMut(u32) + Send>,
    count: u32,
}

/// The one who hears; `None` before the first.
static HEARER: Mutex<Option<Hearer>> = Mutex::new(None);

/// Calls `act` with the count of signals so far, 1 at the first, each time one arrives; whoever was
/// called before is not any more.
///
/// # Errors
/// `internal` where the handlers cannot be set.
pub fn on_interrupt(act: impl FnMut(u32) + Send + 'static) -> Result<(), Error> {
    hear(&[SIGINT, SIGTERM], Box::new(act))
}

/// Has Ctrl-C, SIGTERM and a closed terminal remove the files being written and leave, for commands
/// that write some.
///
/// # Errors
/// Those of [`on_interrupt`].
pub fn leave_nothing_behind() -> Result<(), Error> {
    let leave = |_| {
        if !newfile::abandon_all() {
            super::note("\nsolverbox: stopped; nothing was written\nStart it again any time.");
        }
        leave()
    };
    // nohup(1) has it ignored, which is to last.
    let signals: &[i32] =
        if is_ignored(SIGHUP) { &[SIGINT, SIGTERM] } else { &[SIGINT, SIGTERM, SIGHUP] };
    hear(signals, Box::new(leave))
}

/// Leaves at once with the exit code of a process that was stopped. Nothing is torn down first:
/// llama.cpp's threads may be in the middle of a pass, and would find their tables gone.
pub fn leave() -> ! {
    signal_hook::low_level::exit(130)
}

/// A thread that waits to end the process where nothing else does; made beforehand, because a
/// process in trouble may get no thread any more.
pub struct LastResort {
    order: Sender<Duration>,
}

/// Makes it. It does nothing until it is told to, and nothing where it is dropped.
///
/// # Errors
/// `internal` where no thread can be had.
pub fn last_resort() -> Result<LastResort, Error> {
    let (order, orders) = channel::<Duration>();
    std::thread::Builder::new()
        .name("last resort".into())
        .spawn(move || {
            let Ok(after) = orders.recv() else { return };
            std::thread::sleep(after);
            log::error!("something hangs: leaving {after:?} after the signal, whatever it is");
            console::restore();
            signal_hook::low_level::exit(HUNG_CODE);
        })
        .map_err(|e| Error::internal(format!("cannot start the last resort's thread: {e}")))?;
    Ok(LastResort { order })
}

impl LastResort {
    /// Leaves after this time, unless the process has ended by then.
    pub fn leave_after(&self, time: Duration) {
        // Fails only where the thread is gone, which it is not before the process.
        let _ = self.order.send(time);
    }
}

fn hear(signals: &[i32], act: Box<dyn FnMut(u32) + Send>) -> Result<(), Error> {
    let mut hearer = HEARER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let is_first = hearer.replace(Hearer { act, count: 0 }).is_none();
    drop(hearer);
    if !is_first {
        return Ok(());
    }
    let mut signals = Signals::new(signals)
        .map_err(|e| Error::internal(format!("cannot listen for Ctrl-C: {e}")))?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || signals.forever().for_each(|_| heard()))
        .map_err(|e| Error::internal(format!("cannot start the signals' thread: {e}")))?;
    Ok(())
}

fn heard() {
    let mut hearer = HEARER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(Hearer { act, count }) = hearer.as_mut() {
        *count += 1;
        act(*count);
    }
}

/// Returns whether this process was started with a signal ignored (proc(5), `SigIgn`).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
