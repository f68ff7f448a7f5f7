//! One file a command. They are doors: they ask the desk, they never touch the engine; those of the
//! workshop, which are about the engine or the files, do.

mod bar;
pub mod compare;
pub mod convert;
pub mod eval;
pub mod imatrix;
pub mod inspect;
mod interrupt;
pub mod kernels;
pub mod modes;
pub mod quantize;
mod reading;
pub mod selftest;
pub mod serve;
pub mod solve;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use crate::model::plan::Wishes;
use crate::model::{self, adapter, ahead, bundled, locate};
use crate::words::error::{Error, Kind};
use crate::words::plan::{Origin, Plan};

/// The model to load and how.
#[derive(Clone, Debug)]
pub struct Loading {
    /// The file named, if one is.
    pub file: Option<PathBuf>,
    /// Where to look otherwise.
    pub folder: PathBuf,
    /// The adapter to add, by name or file.
    pub adapter: Option<PathBuf>,
    /// What is wished of it.
    pub wishes: Wishes,
}

impl Loading {
    /// Finds the files, checks them and plans their memory. Loads nothing, but has the model read
    /// ahead. Says so where it is the demo model, which nobody may take for more.
    ///
    /// # Errors
    /// `no_model`, `bad_model`, `no_memory` or `bad_request`, each naming the file and the way out.
    pub fn plan(&self) -> Result<Plan, Error> {
        let file = locate::find(self.file.as_deref(), &self.folder)?;
        match file.origin {
            Origin::BuiltIn(_) => {
                note(&format!("solverbox: {}. {}", bundled::WARNING, bundled::WAY_OUT));
            }
            Origin::Disk if self.file.is_some() => log::info!("{file}, as named"),
            Origin::Disk => log::info!("{file}, the newest in its folder"),
        }
        let ahead = ahead::start(&file.path);
        let header = model::open(&file)?;
        let adapter = match &self.adapter {
            Some(name) => Some(adapter::open(adapter::locate(name)?, &header)?),
            None => None,
        };
        if let Some(adapter) = &adapter {
            log::info!("{}, {} KiB", adapter.file, adapter.bytes >> 10);
        }
        let available_bytes = model::plan::available_bytes();
        let plan = model::plan::plan(&header, adapter.as_ref(), self.wishes, available_bytes)?;
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

/// Shows how far something is, over what was shown before, on standard error if that is a terminal;
/// returns whether it is.
fn show_progress(line: &str) -> bool {
    let mut out = std::io::stderr();
    let on_terminal = out.is_terminal();
    if on_terminal {
        let _ = write!(out, "\r\x1b[K{line}");
    }
    on_terminal
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
