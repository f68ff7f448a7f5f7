//! `solverbox modes`: the modes a question can be asked in.

use crate::words::mode::{DEFAULT_MODE, Modes, Reads};

/// Prints one mode a line: name, sampling, budget, purpose.
pub fn run(modes: &Modes) {
    for mode in modes.iter() {
        let default = if mode.name == DEFAULT_MODE { " (the default)" } else { "" };
        let attempt = match mode.reads {
            Reads::Question => "",
            Reads::StudentAttempt => " (needs --student-attempt FILE)",
        };
        println!(
            "{:<10} temperature {:<4} top_p {:<5} {:>6} tokens   {}{attempt}{default}",
            mode.name,
            mode.sampling.temperature,
            mode.sampling.top_p,
            mode.budget_tokens,
            mode.about
        );
    }
}
