//! `solverbox eval`: which questions are asked, with which seeds, and where attempts are recorded.

use super::model::{chosen, loading, mode};
use super::output;
use crate::cli::EvalFlags;
use crate::commands::eval::{EvalOptions, Recording};
use crate::types::error::Error;

impl TryFrom<EvalFlags> for EvalOptions {
    type Error = Error;

    fn try_from(flags: EvalFlags) -> Result<EvalOptions, Error> {
        let seeds = seeds(&flags)?;
        let recording = match flags.out {
            Some(file) if flags.resume => Recording::Resumed(file),
            Some(file) => Recording::New(file),
            None => Recording::Off,
        };
        let mode = mode(&flags.way, &chosen(&flags.model)?, &flags.model.adapter)?;
        Ok(EvalOptions {
            set: flags.set,
            limit: flags.limit,
            loading: loading(flags.model)?.with_adapters(&mode.adapters),
            mode,
            prompt: flags.prompt,
            seeds,
            output: output(flags.json),
            recording,
        })
    }
}

/// Returns a seed for each attempt: those listed, else 1 to the number of attempts.
fn seeds(flags: &EvalFlags) -> Result<Vec<u64>, Error> {
    let attempts = flags.attempts.map(u64::from);
    match (flags.seeds.as_ref().map(|seeds| seeds.0.clone()), attempts) {
        (Some(seeds), Some(attempts)) if attempts != seeds.len() as u64 => Err(Error::bad_request(
            format!("--seeds: {} seeds do not match {attempts} --attempts", seeds.len()),
            "Give one seed for each attempt, or omit one of the two flags.",
        )),
        (Some(seeds), _) => Ok(seeds),
        (None, attempts) => Ok((1..=attempts.unwrap_or(1)).collect()),
    }
}
