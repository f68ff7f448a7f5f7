//! One file per command.
//!
//! Most are doors: they use the desk and never the engine. The commands that make and measure
//! models use the engine directly.

pub mod api_key;
pub mod bench;
pub mod compare;
pub mod convert;
mod corpus;
pub mod eval;
pub mod history;
pub mod imatrix;
pub mod inspect;
mod interrupt;
pub mod kernels;
pub mod modes;
pub mod notify;
pub mod owner;
pub mod plan;
mod progress_bar;
pub mod quantize;
pub mod selftest;
pub mod serial_ports;
pub mod serve;
pub mod solve;
pub mod solve_remote;
pub mod tune;
pub mod verify;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::desk::Desk;
use crate::model::adapter::AdapterFile;
use crate::model::available::available;
use crate::model::plan::PlanRequirements;
use crate::model::tuning::{self, Tuned};
use crate::model::{self, Header, adapter, bundled, digest, locate, readahead};
use crate::types::error::{Error, Kind, printable};
use crate::types::memory::MIB;
use crate::types::mode::AdapterRef;
use crate::types::plan::{Origin, Plan, PrefixFiles, Weights};

/// The form of a command's results on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Text or tables, for people.
    Text,
    /// One JSON object, for programs (`--json`).
    Json,
}

/// The model to load, its adapters, and how to load it.
#[derive(Clone, Debug)]
pub struct Loading {
    /// The model file, if the user named one.
    pub file: Option<PathBuf>,
    /// Folder to search if no file is named.
    pub folder: PathBuf,
    /// The adapters questions may use, by file or built-in name.
    pub adapters: Vec<PathBuf>,
    /// Requirements of the user: sizes, threads, kernels.
    pub required: PlanRequirements,
    /// Data folder; `None` if nothing is stored on disk.
    pub data: Option<PathBuf>,
}

impl Loading {
    /// Adds the adapters that modes name.
    pub fn with_adapters(mut self, named: &[AdapterRef]) -> Loading {
        for adapter in named.iter().map(|one| PathBuf::from(&one.adapter)) {
            if !self.adapters.contains(&adapter) {
                self.adapters.push(adapter);
            }
        }
        self
    }

    /// Finds and checks the files and plans their memory. Loads nothing, but starts reading the
    /// model file ahead. Warns on standard error if the model is the demo model.
    ///
    /// # Errors
    /// `no_model`, `bad_model`, `no_memory` or `bad_request`, each naming the file and the remedy.
    pub fn plan(&self) -> Result<Plan, Error> {
        self.plan_by(|_| self.required)
    }

    /// Like [`plan`](Loading::plan), with requirements derived from the header.
    ///
    /// # Errors
    /// See [`Loading::plan`].
    fn plan_by(&self, required: impl FnOnce(&Header) -> PlanRequirements) -> Result<Plan, Error> {
        let file = self.find()?;
        let readahead = readahead::start(&file.path);
        let (header, adapters) = self.open(&file)?;
        let room = available();
        let mut required = required(&header);
        let tuned = self.tuned(&required, &file);
        required.threads = required.threads.or(tuned.as_ref().map(|tuned| tuned.threads));
        let mut plan = model::plan::plan(&header, &adapters, required, &room)?;
        plan.decode_threads = tuned.map_or(plan.threads, |tuned| tuned.decode_threads);
        plan.prefixes = self.prefixes(&header, &adapters);
        let memory = &plan.memory;
        readahead.finish(plan.file_bytes.min(room.bytes.saturating_sub(memory.total_bytes())));
        log::info!(
            "plan: {} MiB weights, {} MiB KV cache in {} for {} tokens and {}, {} MiB buffers, {} \
             threads; {} of {} MiB ({})",
            memory.weights_bytes() / MIB,
            memory.kv_bytes / MIB,
            plan.kv.name(),
            plan.context_tokens,
            model::plan::sequences(plan.sequences),
            memory.buffers_bytes() / MIB,
            plan.threads,
            memory.total_bytes().div_ceil(MIB),
            room.bytes / MIB,
            room.bound
        );
        Ok(plan)
    }

    /// Returns the thread counts `solverbox tune` has measured for this model on this machine;
    /// `None` if the user set a thread count.
    fn tuned(&self, required: &PlanRequirements, file: &Weights) -> Option<Tuned> {
        let folder = self.data.as_ref().filter(|_| required.threads.is_none())?;
        let tuned = tuning::find(folder, file, required.kernels.name, model::plan::cores())?;
        log::info!(
            "{} threads for prompts and {} for decoding, as tuned",
            tuned.threads,
            tuned.decode_threads
        );
        Some(tuned)
    }

    /// Returns where prefilled prompts are stored; `None` if a file has no identity to store them
    /// under.
    fn prefixes(&self, header: &Header, adapters: &[AdapterFile]) -> Option<PrefixFiles> {
        let folder = self.data.as_ref()?.join("prefixes");
        let of_adapter = |adapter: &AdapterFile| digest::of_adapter(&adapter.file).ok();
        let model = digest::of_model(header).ok().flatten();
        let adapters = adapters.iter().map(of_adapter).collect::<Option<_>>();
        let known =
            model.zip(adapters).map(|(model, adapters)| PrefixFiles { folder, model, adapters });
        if known.is_none() {
            log::info!("prefilled prompts will not be stored for {}", header.file);
        }
        known
    }

    /// Finds the model, and warns if it is the demo model.
    fn find(&self) -> Result<Weights, Error> {
        let file = locate::find(self.file.as_deref(), &self.folder)?;
        match file.origin {
            Origin::BuiltIn(_) => {
                note(&format!("solverbox: {}\n{}", bundled::WARNING, bundled::WAY_OUT));
            }
            Origin::Disk if self.file.is_some() => log::info!("{file}, as named"),
            Origin::Disk => log::info!("{file}, the newest in its folder"),
        }
        Ok(file)
    }

    /// Reads and checks the headers of the model and its adapters.
    fn open(&self, file: &Weights) -> Result<(Header, Vec<AdapterFile>), Error> {
        let header = model::open(file)?;
        let adapters: Result<Vec<AdapterFile>, Error> = self
            .adapters
            .iter()
            .map(|name| adapter::open(adapter::locate(name)?, &header))
            .collect();
        let adapters = adapters?;
        if !header.is_known_exactly() {
            log::info!(
                "{file} has architecture '{}', which is checked only in part",
                printable(&header.architecture)
            );
        }
        for adapter in &adapters {
            log::info!("{}, {} KiB", adapter.file, adapter.bytes >> 10);
        }
        Ok((header, adapters))
    }
}

/// Closes a desk when a command ends, however it ends: the signal thread may hold the desk too, so
/// dropping it here need not end the engine.
struct CloseAtEnd<'d>(&'d Desk);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Writes to standard output.
///
/// A reader that closes the pipe early (`… | head -1`) is not an error.
///
/// # Errors
/// `internal` with the cause if writing fails.
fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Creates the data folder, accessible only to its user.
fn make_folder(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
        Error::new(
            Kind::Environment,
            format!("cannot create the data folder '{}': {e}", folder.display()),
            "Name a writable folder with --data DIR.",
        )
    })
}

/// Prints a prompt on standard error, without a line end.
fn ask(question: &str) {
    let mut out = std::io::stderr();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
}

/// Prints a line on standard error; a closed one is ignored.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Shows a progress line in place of the previous one, if standard error is a terminal; returns
/// whether it is.
fn show_progress(line: &str) -> bool {
    let on_terminal = has_terminal();
    if on_terminal {
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    }
    on_terminal
}

/// Returns whether standard error is a terminal.
fn has_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Turns the result of a write to standard output into ours; see [`print`].
fn written(result: std::io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::new(
            Kind::Internal,
            format!("cannot write to standard output: {error}"),
            "Free space there, or write to another place.",
        )),
        _ => Ok(()),
    }
}
