//! Standard input and output as a console: a terminal, key by key, or a pipe, line by line.
//!
//! A terminal gets its settings back when this is dropped, and where the process is made to leave
//! ([`restore`]).

use std::io::{IsTerminal, Write, stdin, stdout};
use std::sync::Mutex;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, OutputModes, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::port::Moved;
use crate::types::limits;

/// The terminal's settings from before, while they are changed.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Standard input and output.
#[derive(Debug)]
pub struct Standard {
    /// Whether keys come one by one, and are shown by us.
    pub has_keys: bool,
    /// Whether output is a terminal.
    pub has_screen: bool,
}

impl Standard {
    /// Takes them; a terminal at both ends gives its keys one by one from here on.
    pub fn open() -> Standard {
        let has_screen = stdout().is_terminal();
        let has_keys = stdin().is_terminal() && has_screen && take_keys().is_ok();
        Standard { has_keys, has_screen }
    }

    /// Reads what is there; waits a moment where nothing is.
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

    /// Writes all of it, at once.
    pub fn write(bytes: &[u8]) -> Moved {
        let mut out = stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Moved::Bytes(bytes.len()),
            Err(_) => Moved::Gone,
        }
    }

    /// Returns how many columns the terminal has, if it says.
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
    // What others write to this terminal, the log for one, ends its lines as before.
    raw.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    tcsetattr(stdin(), OptionalActions::Now, &raw)?;
    *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
    Ok(())
}

/// Gives the terminal its settings back, where they were changed.
pub fn restore() {
    let before = BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(before) = before {
        // Where the terminal is gone there is nothing to give back.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
    }
}
