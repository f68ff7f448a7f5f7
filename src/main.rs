//! The program: parses the command line, starts the log, runs the command, prints its error.
//!
//! Errors are printed nowhere else. Flags become options in `wiring/`.

#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use solverbox::cli::{Cli, CommandFlags};
use solverbox::console::wire::{ConsolePlace, Wire};
use solverbox::types::error::{Error, Kind, printable};
use solverbox::{config, wiring};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The message may quote a file from outside. If standard error is closed, the exit code
            // still reports the failure.
            let what = printable(&error.message);
            let _ = writeln!(std::io::stderr(), "solverbox: {what}\n{}", error.remedy);
            ExitCode::from(exit_code(error.kind))
        }
    }
}

fn run() -> Result<(), Error> {
    let cli = config::parse(std::env::args_os().collect())?;
    start_log(&cli);
    wiring::run(cli.command)
}

/// Returns the exit code of a failure; scripts rely on these numbers.
fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Internal => 1,
        // Faults of the environment were `bad_request` once; scripts rely on their code too.
        Kind::BadRequest | Kind::Environment => 2,
        Kind::NoModel => 3,
        Kind::BadModel => 4,
        Kind::NoMemory => 5,
        Kind::Busy => 6,
        Kind::TooLong => 7,
        Kind::NotFound => 8,
        Kind::NoSpace => 9,
        Kind::TooMany => 10,
        Kind::Unauthorized => 11,
        Kind::Forbidden => 12,
        Kind::Misdirected => 13,
        Kind::Conflict => 14,
        Kind::Stopped => 130,
    }
}

/// Starts the log on standard error. Long-running commands log at `info`, unless a console uses
/// this terminal; all others log warnings only.
fn start_log(cli: &Cli) {
    let consoles = match &cli.command {
        CommandFlags::Serve(flags) => Some(&flags.serial),
        CommandFlags::Console(flags) => Some(&flags.serial),
        _ => None,
    };
    let on_terminal =
        |consoles: &Vec<Wire>| consoles.iter().any(|wire| wire.place == ConsolePlace::Standard);
    let logs_info = consoles.is_some_and(|consoles| !on_terminal(consoles));
    let filters = cli.log.as_deref().unwrap_or(if logs_info { "info" } else { "warn" });
    env_logger::Builder::new().parse_filters(filters).format_target(false).init();
}
