//! Standard input and output as a console: a terminal, key by key, or a pipe, line by line.
//!
//! The terminal's settings are restored on drop, and before an early exit of the process
//! ([`restore`]).

use std::io::{IsTerminal, Write, stdin, stdout};
use std::sync::Mutex;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, OutputModes, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::port::Moved;
use crate::types::limits;

/// The terminal's original settings, while they are changed.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Standard input and output.
#[derive(Debug)]
pub struct Standard {
    /// Whether input arrives key by key and we echo it.
    pub has_keys: bool,
    /// Whether output is a terminal.
    pub has_screen: bool,
}

impl Standard {
    /// Opens them; if both are a terminal, its input arrives key by key from now on.
    pub fn open() -> Standard {
        let has_screen = stdout().is_terminal();
        let has_keys = stdin().is_terminal() && has_screen && take_keys().is_ok();
        Standard { has_keys, has_screen }
    }

    /// Reads the available bytes; waits up to the poll interval for some.
    pub fn read(bytes: &mut [u8]) -> Moved {
        let input = stdin();
        let mut waiting = [PollFd::new(&input, PollFlags::IN)];
        let wait = Timespec::try_from(limits::CONSOLE_READ_WAIT).ok();
        match poll(&mut waiting, wait.as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Moved::Nothing,
            Ok(_) => {}
            Err(_) => return Moved::Gone,
        }
        match rustix::io::read(&input, bytes) {
            Ok(0) => Moved::Gone,
            Ok(read) => Moved::Bytes(read),
            Err(Errno::INTR | Errno::AGAIN) => Moved::Nothing,
            Err(_) => Moved::Gone,
        }
    }

    /// Writes all of `bytes` at once.
    pub fn write(bytes: &[u8]) -> Moved {
        let mut out = stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Moved::Bytes(bytes.len()),
            Err(_) => Moved::Gone,
        }
    }

    /// Returns the terminal's width in columns, if known.
    pub fn columns() -> Option<usize> {
        tcgetwinsize(stdout()).ok().map(|size| size.ws_col.into()).filter(|&columns| columns > 0)
    }
}

impl Drop for Standard {
    fn drop(&mut self) {
        restore();
    }
}

fn take_keys() -> rustix::io::Result<()> {
    let before = tcgetattr(stdin())?;
    let mut raw = before.clone();
    raw.make_raw();
    // Output processing stays on, so that the log's lines on this terminal end as usual.
    raw.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    tcsetattr(stdin(), OptionalActions::Now, &raw)?;
    *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
    Ok(())
}

/// Restores the terminal's settings, if they were changed.
pub fn restore() {
    let before = BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(before) = before {
        // Fails only if the terminal is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
    }
}
