//! `solverbox serial-ports`: lists the serial ports of this machine, for `--serial`.

use crate::console::port;
use crate::types::error::{Error, printable};

/// Prints one port per line: its name, and what is known about it.
///
/// # Errors
/// If standard output cannot be written.
pub fn run() -> Result<(), Error> {
    let ports = port::list();
    if ports.is_empty() {
        super::note(
            "No serial port found. Plug in an adapter, or see docs/serial.md for the ports of a \
             board.",
        );
    }
    let width = ports.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = ports.iter().map(|(name, about)| format!("{name:width$}  {}\n", printable(about)));
    super::print(&lines.collect::<String>())
}
