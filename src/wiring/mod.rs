//! From flags to commands: runs the command given, with options made from its flags.
//!
//! `main` calls it with the parsed command line. One file per command whose flags need more than
//! renaming; `model` makes what several commands share. Nothing here prints or loads a model.

mod compare;
mod eval;
mod history;
mod model;
mod plan;
mod serve;
mod solve;
mod workshop;

use crate::cli::{CommandFlags, OwnerCommand, OwnerFlags};
use crate::commands::{self, OutputFormat};
use crate::config;
use crate::engine::kernels;
use crate::model::locate;
use crate::types::error::Error;

/// Runs a command to its end.
///
/// # Errors
/// A flag that contradicts another, and every error of the command.
pub fn run(command: CommandFlags) -> Result<(), Error> {
    match command {
        CommandFlags::Solve(flags) => solve::run(&flags),
        CommandFlags::Serve(flags) => commands::serve::run(flags.try_into()?),
        CommandFlags::Console(flags) => commands::serve::run(flags.try_into()?),
        CommandFlags::SerialPorts => commands::serial_ports::run(),
        CommandFlags::History(flags) => {
            let data = config::data_folder(flags.data.as_deref())?;
            commands::history::run(&data, flags.action.into())
        }
        CommandFlags::Eval(flags) => commands::eval::run(&flags.try_into()?),
        CommandFlags::Quantize(flags) => commands::quantize::run(&flags.into()),
        CommandFlags::Imatrix(flags) => commands::imatrix::run(flags.try_into()?),
        CommandFlags::Compare(flags) => commands::compare::run(&flags.try_into()?),
        CommandFlags::Modes(flags) => {
            let model = locate::find(flags.model.as_deref(), &flags.models)?;
            commands::modes::run(&model::modes(&flags.modes, &model)?)
        }
        CommandFlags::Inspect(flags) => commands::inspect::run(&flags.file),
        CommandFlags::Plan(flags) => commands::plan::run(&flags.try_into()?),
        CommandFlags::Verify(flags) => commands::verify::run(&flags.into()),
        CommandFlags::Kernels(flags) => commands::kernels::run(flags.name.as_deref()),
        CommandFlags::Selftest(flags) => {
            let kernels = kernels::choose(flags.kernels.name.as_deref())?;
            commands::selftest::run(kernels, flags.threads)
        }
        CommandFlags::Convert(flags) => {
            commands::convert::run(&flags.dir, &flags.file, flags.kind, flags.base.as_deref())
        }
        CommandFlags::Bench(flags) => commands::bench::run(&flags.try_into()?),
        CommandFlags::ApiKey(flags) => commands::api_key::run(&flags.name, flags.file.as_deref()),
        CommandFlags::Owner(flags) => owner(&flags),
        CommandFlags::Tune(flags) => {
            let data = config::data_folder(flags.model.data.as_deref())?;
            commands::tune::run(&model::loading(flags.model)?, &data)
        }
    }
}

fn owner(flags: &OwnerFlags) -> Result<(), Error> {
    let data = config::data_folder(flags.data.as_deref())?;
    match flags.command {
        OwnerCommand::SetPin => commands::owner::set_pin(&data),
        OwnerCommand::RemovePin => commands::owner::remove_pin(&data),
    }
}

/// Returns the output format for the flag `--json`.
fn output(json: bool) -> OutputFormat {
    if json { OutputFormat::Json } else { OutputFormat::Text }
}
