//! `solverbox serial-ports`: the serial ports of this machine, for `--serial`.

use crate::console::port;
use crate::types::error::{Error, printable};

/// Prints one port a line: its name, and what is known of it.
///
/// # Errors
/// Where nothing can be printed.
pub fn run() -> Result<(), Error> {
    let ports = port::list();
    if ports.is_empty() {
        super::note(
            "There is no serial port here. Plug an adapter in, or see docs/serial.md for a board's \
             own.",
        );
    }
    let width = ports.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = ports.iter().map(|(name, about)| format!("{name:width$}  {}\n", printable(about)));
    super::print(&lines.collect::<String>())
}
