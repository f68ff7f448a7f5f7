//! One file a command. They are doors: they ask the desk, they never touch the engine; those of the
//! workshop, which are about the engine or the files, do.

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
use crate::model::plan::Wishes;
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

/// The model to load and how.
#[derive(Clone, Debug)]
pub struct Loading {
    /// The file named, if one is.
    pub file: Option<PathBuf>,
    /// Where to look otherwise.
    pub folder: PathBuf,
    /// The adapters questions may wear, by name or file.
    pub adapters: Vec<PathBuf>,
    /// What is wished of it.
    pub wishes: Wishes,
    /// Folder for what must last; none where nothing is to last.
    pub data: Option<PathBuf>,
}

impl Loading {
    /// Adds the adapters that modes name.
    pub fn with_adapters(mut self, worn: &[AdapterRef]) -> Loading {
        for adapter in worn.iter().map(|worn| PathBuf::from(&worn.adapter)) {
            if !self.adapters.contains(&adapter) {
                self.adapters.push(adapter);
            }
        }
        self
    }

    /// Finds the files, checks them and plans their memory. Loads nothing, but has the model read
    /// readahead. Says so where it is the demo model, which nobody may take for more.
    ///
    /// # Errors
    /// `no_model`, `bad_model`, `no_memory` or `bad_request`, each naming the file and the way out.
    pub fn plan(&self) -> Result<Plan, Error> {
        self.plan_by(|_| self.wishes)
    }

    /// Does the same by other wishes, which may depend on what the header says.
    ///
    /// # Errors
    /// Those of [`Loading::plan`].
    fn plan_by(&self, wishes: impl FnOnce(&Header) -> Wishes) -> Result<Plan, Error> {
        let file = self.find()?;
        let readahead = readahead::start(&file.path);
        let (header, adapters) = self.open(&file)?;
        let room = available();
        let mut wishes = wishes(&header);
        let tuned = self.tuned(&wishes, &file);
        wishes.threads = wishes.threads.or(tuned.as_ref().map(|tuned| tuned.threads));
        let mut plan = model::plan::plan(&header, &adapters, wishes, &room)?;
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

    /// Returns what `solverbox tune` has found for this model on this machine; nothing where a
    /// number of threads is wished.
    fn tuned(&self, wishes: &Wishes, file: &Weights) -> Option<Tuned> {
        let folder = self.data.as_ref().filter(|_| wishes.threads.is_none())?;
        let tuned = tuning::find(folder, file, wishes.kernels.name, model::plan::cores())?;
        log::info!(
            "{} threads for prompts and {} for decoding, as tuned",
            tuned.threads,
            tuned.decode_threads
        );
        Some(tuned)
    }

    /// Says where prefilled prompts are kept. What cannot be told apart is not kept.
    fn prefixes(&self, header: &Header, adapters: &[AdapterFile]) -> Option<PrefixFiles> {
        let folder = self.data.as_ref()?.join("prefixes");
        let of_adapter = |adapter: &AdapterFile| digest::of_adapter(&adapter.file).ok();
        let model = digest::of_model(header).ok().flatten();
        let adapters = adapters.iter().map(of_adapter).collect::<Option<_>>();
        let known =
            model.zip(adapters).map(|(model, adapters)| PrefixFiles { folder, model, adapters });
        if known.is_none() {
            log::info!("prefilled prompts will not be kept for {}", header.file);
        }
        known
    }

    /// Finds the model, and says so where it is the demo model.
    fn find(&self) -> Result<Weights, Error> {
        let file = locate::find(self.file.as_deref(), &self.folder)?;
        match file.origin {
            Origin::BuiltIn(_) => {
                note(&format!("solverbox: {}. {}", bundled::WARNING, bundled::WAY_OUT));
            }
            Origin::Disk if self.file.is_some() => log::info!("{file}, as named"),
            Origin::Disk => log::info!("{file}, the newest in its folder"),
        }
        Ok(file)
    }

    /// Reads the model's header and the adapters, checked.
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
                "{file} is of architecture '{}': its structure is only known roughly",
                printable(&header.architecture)
            );
        }
        for adapter in &adapters {
            log::info!("{}, {} KiB", adapter.file, adapter.bytes >> 10);
        }
        Ok((header, adapters))
    }
}

/// Closes a desk when a command ends, however it ends: a signal's thread may hold the desk too, so
/// letting go of it here need not end the engine.
struct CloseAtEnd<'d>(&'d Desk);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
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

/// Makes the data folder, for its user alone.
fn make_folder(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
        Error::new(
            Kind::Environment,
            format!("cannot make the data folder '{}': {e}", folder.display()),
            "Name a writable folder with --data DIR.",
        )
    })
}

/// Asks something on standard error; the answer is typed behind it.
fn ask(question: &str) {
    let mut out = std::io::stderr();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
}

/// Says a line on standard error; a person who closed it does not want to hear it.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Shows how far something is, over what was shown before, on standard error if that is a terminal;
/// returns whether it is.
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
