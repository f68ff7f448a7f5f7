//! `solverbox owner`: sets or removes the PIN with which the owner signs in to a server.
//!
//! On a terminal the PIN is typed twice without echo; from a pipe one line is read. It is never a
//! flag, because every user of the machine can read those.

use std::io::{self, BufRead, IsTerminal, Read};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::interrupt;
use crate::http::auth::owner::{Audit, pin};
use crate::types::error::Error;
use crate::types::limits::PIN_CHARS;

/// The name of these commands' user in the owner's log.
const FROM: &str = "command line";

/// Sets the PIN in the data folder `data`.
///
/// # Errors
/// If the PIN is not valid, the two typed PINs differ, or the folder cannot be written.
pub fn set_pin(data: &Path) -> Result<(), Error> {
    super::make_folder(data)?;
    let typed = if io::stdin().is_terminal() { typed_twice()? } else { line()? };
    pin::set(data, &typed)?;
    Audit::open(data).note("set_pin", &FROM, "");
    super::note("solverbox: the PIN is set; sessions opened with the previous PIN are signed out");
    Ok(())
}

/// Removes the PIN from the data folder `data`.
///
/// # Errors
/// If its file cannot be removed.
pub fn remove_pin(data: &Path) -> Result<(), Error> {
    let was_there = pin::remove(data)?;
    if was_there {
        Audit::open(data).note("remove_pin", &FROM, "");
    }
    super::note(if was_there {
        "solverbox: the PIN is removed; the owner cannot sign in until a new one is set"
    } else {
        "solverbox: no PIN was set"
    });
    Ok(())
}

fn typed_twice() -> Result<String, Error> {
    let (min, max) = (PIN_CHARS.start(), PIN_CHARS.end());
    let hidden = Hidden::begin()?;
    super::ask(&format!("New PIN, {min} to {max} characters: "));
    let first = line()?;
    pin::check(&first)?;
    super::ask("The same again: ");
    let second = line()?;
    drop(hidden);
    if first != second {
        return Err(Error::bad_request("pin: the two PINs differ", "Type the same PIN twice."));
    }
    Ok(first)
}

/// Reads one line of standard input, without its line end.
fn line() -> Result<String, Error> {
    // Four bytes per character and a line end: a longer line is not a valid PIN.
    let most = 4 * *PIN_CHARS.end() as u64 + 2;
    let mut line = Vec::new();
    io::stdin().lock().take(most).read_until(b'\n', &mut line).map_err(|e| {
        Error::bad_request(
            format!("cannot read the PIN: {e}"),
            "Type it, or send it as one line of standard input.",
        )
    })?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec())
        .map_err(|_| Error::bad_request("pin: must be UTF-8 text", "Choose another PIN."))
}

/// A terminal without echo, until this is dropped or Ctrl-C ends the command.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Result<Hidden, Error> {
        let broken = |e: rustix::io::Errno| {
            let what = format!("cannot turn off the terminal's echo: {e}");
            Error::bad_request(what, "Send it as one line of standard input instead.")
        };
        let shown = tcgetattr(io::stdin()).map_err(broken)?;
        let before = shown.clone();
        interrupt::on_interrupt(move |_| {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
            interrupt::leave();
        })?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).map_err(broken)?;
        Ok(Hidden(shown))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Fails only if the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
