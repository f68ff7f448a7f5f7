//! `solverbox modes`: lists the modes.

use crate::types::error::Error;
use crate::types::mode::{DEFAULT_MODE, Mode, Modes, Reads};

/// Prints one mode per line: name, sampling, budget, purpose, and the number of voting attempts.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(modes: &Modes) -> Result<(), Error> {
    let lines: String = modes.iter().map(|mode| line(mode)).collect();
    super::print(&lines)
}

fn line(mode: &Mode) -> String {
    let default = if mode.name == DEFAULT_MODE { " (the default)" } else { "" };
    let attempt = match mode.reads {
        Reads::Question => "",
        Reads::StudentAttempt => " (needs --student-attempt FILE)",
    };
    let votes = match mode.attempts {
        1 => String::new(),
        attempts => format!(" (by a vote of {attempts} attempts)"),
    };
    format!(
        "{:<10} temperature {:<4} top_p {:<5} {:>6} tokens   {}{attempt}{votes}{default}\n",
        mode.name, mode.sampling.temperature, mode.sampling.top_p, mode.budget_tokens, mode.about
    )
}
