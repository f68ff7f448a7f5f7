//! Ctrl-C and SIGTERM, heard on a thread of their own.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::model::newfile;
use crate::words::error::Error;

/// Calls `act` with the count of signals so far, 1 at the first, each time one arrives.
///
/// # Errors
/// `internal` where the handlers cannot be set.
pub fn on_interrupt(mut act: impl FnMut(u32) + Send + 'static) -> Result<(), Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Error::internal(format!("cannot listen for Ctrl-C: {e}")))?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || (1..).zip(signals.forever()).for_each(|(count, _)| act(count)))
        .map_err(|e| Error::internal(format!("cannot start the signals' thread: {e}")))?;
    Ok(())
}

/// Has Ctrl-C and SIGTERM remove the files being written and leave, for commands that write some.
///
/// # Errors
/// Those of [`on_interrupt`].
pub fn leave_nothing_behind() -> Result<(), Error> {
    on_interrupt(|_| {
        if !newfile::abandon_all() {
            super::note("\nsolverbox: stopped; nothing was written\nStart it again any time.");
        }
        std::process::exit(130);
    })
}
