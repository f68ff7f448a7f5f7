//! One file a command. They are doors: they ask the desk, they never touch the engine; `kernels`
//! and `selftest`, which are about the engine itself, do.

pub mod inspect;
mod interrupt;
pub mod kernels;
pub mod modes;
pub mod selftest;
pub mod serve;
pub mod solve;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::model::plan::Wishes;
use crate::model::{self, ahead, locate};
use crate::words::error::{Error, Kind};
use crate::words::plan::Plan;

/// The model to load and how.
#[derive(Debug)]
pub struct Loading {
    /// The file named, if one is.
    pub file: Option<PathBuf>,
    /// Where to look otherwise.
    pub folder: PathBuf,
    /// What is wished of it.
    pub wishes: Wishes,
}

impl Loading {
    /// Finds the file, checks it and plans its memory. Loads nothing, but has the file read ahead.
    ///
    /// # Errors
    /// `no_model`, `bad_model`, `no_memory` or `bad_request`, each naming the file and the way out.
    pub fn plan(&self) -> Result<Plan, Error> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => locate::newest(&self.folder)?,
        };
        log_choice(&file, self.file.is_some());
        let ahead = ahead::start(&file);
        let header = model::open(&file)?;
        let available_bytes = model::plan::available_bytes();
        let plan = model::plan::plan(&header, self.wishes, available_bytes)?;
        ahead.finish(plan.file_bytes.min(available_bytes.saturating_sub(plan.total_bytes())));
        log::info!(
            "plan: {} MiB weights, {} MiB KV cache for {} tokens, {} MiB buffers, {} threads",
            plan.weights_bytes >> 20,
            plan.kv_bytes >> 20,
            plan.context_tokens,
            plan.compute_bytes >> 20,
            plan.threads
        );
        Ok(plan)
    }
}

/// Writes to standard output.
///
/// A reader that has read enough (`… | head -1`) is no error.
///
/// # Errors
/// `internal` where it cannot be written, naming the cause.
fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Says a line on standard error; a person who closed it does not want to hear it.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Judges a write to standard output.
fn written(result: std::io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::new(
            Kind::Internal,
            format!("cannot write to standard output: {error}"),
            "Make room there, or write somewhere else.",
        )),
        _ => Ok(()),
    }
}

fn log_choice(file: &Path, named: bool) {
    let why = if named { "as named" } else { "the newest in its folder" };
    log::info!("model '{}', {why}", file.display());
}
