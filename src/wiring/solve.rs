//! `solverbox solve`: the question to ask, and whether a running server or this process answers.

use std::io::Read;
use std::path::Path;

use super::model::{chosen, loading, mode};
use super::output;
use crate::api::ask::{Ask, StudentWork};
use crate::cli::SolveFlags;
use crate::commands::{solve, solve_remote};
use crate::store::Folder;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::job::Ending;
use crate::types::limits;

/// Asks the server that runs in the same data folder, unless the flags ask for a model or for modes
/// that server may not have; else answers in this process.
pub(super) fn run(flags: &SolveFlags) -> Result<(), Error> {
    let question = match flags.question.as_str() {
        "-" => read_text("standard input", &mut std::io::stdin())?,
        question => question.to_string(),
    };
    let work = flags.student_attempt.as_deref().map(read_attempt).transpose()?;
    let ask = Ask {
        mode: Some(flags.way.mode.clone()),
        student_work: work.map_or(StudentWork::Missing, StudentWork::Given),
        attempts: flags.attempts,
        budget_tokens: flags.way.budget_tokens,
        seed: flags.seed,
        temperature: flags.way.temperature,
        ending: if flags.ignore_eos { Ending::Budget } else { Ending::EndOfGeneration },
        ..Ask::new(question)
    };
    let loads_own = flags.model.is_particular() || flags.way.modes.modes.is_some();
    let loading = loading(flags.model.clone())?;
    let data = loading.data.as_deref().filter(|_| !loads_own);
    match data.and_then(Folder::neighbour).and_then(|neighbour| neighbour.address) {
        Some(address) => solve_remote::run(address, &ask, output(flags.json)),
        None => {
            let mode = mode(&flags.way, &chosen(&flags.model)?, &flags.model.adapter)?;
            let loading = loading.with_adapters(&mode.adapters);
            solve::run(&loading, &ask, mode, output(flags.json))
        }
    }
}

/// Reads the student's own work.
fn read_attempt(file: &Path) -> Result<String, Error> {
    let name = format!("'{}'", file.display());
    let mut opened = std::fs::File::open(file).map_err(|e| {
        let what = format!("cannot read --student-attempt {name}: {e}");
        Error::new(Kind::NotFound, what, "Name a readable text file.")
    })?;
    read_text(&name, &mut opened)
}

fn read_text(name: &str, from: &mut impl Read) -> Result<String, Error> {
    let max = limits::QUESTION_BYTES_MAX as u64;
    let mut bytes = Vec::new();
    from.take(max + 1).read_to_end(&mut bytes).map_err(|e| {
        Error::bad_request(format!("cannot read {name}: {}", io_cause(&e)), "Give readable text.")
    })?;
    if bytes.len() as u64 > max {
        let what = format!("{name} has more than {max} bytes, at most {max} are allowed");
        return Err(Error::new(Kind::TooLong, what, "Shorten the question."));
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::bad_request(format!("{name} is not UTF-8 text"), "Give plain text."))
}
