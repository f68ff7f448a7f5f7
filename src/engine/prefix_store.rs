//! Prefilled prefixes on disk: the common prefix of a mode's prompts is computed once and restored
//! within milliseconds after a restart.
//!
//! `prefix_cache` loads and saves. Each prefix has a file (`envelope`) whose name is derived from
//! everything that decides its cells. If anything differs, be it a lost byte or another model, the
//! file is deleted and the prefix is prefilled instead. `llama/state.rs` checks the cells
//! themselves. Files are written on a separate thread, because an SD card may take a second; a
//! failed write is logged once and is not an error.

mod envelope;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use envelope::{EXTENSION, PART};
use sha2::{Digest, Sha256};

use crate::types::answer::Token;
use crate::types::error::io_cause;
use crate::types::limits;
use crate::types::plan::KvType;

/// Everything besides the tokens that decides the cells of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixIdentity([u8; 32]);

impl PrefixIdentity {
    /// Hashes what computes the cells: the digest of the model's file, the digest and the scale of
    /// each adapter in the order in which they are added, the type of the KV cache, the name of the
    /// kernel set (two sets round differently), and the versions of this program and its engine.
    ///
    /// The context's length is not included, so the model must be one whose cells do not depend on
    /// it.
    pub fn new(
        model: &[u8; 32],
        adapters: &[([u8; 32], f32)],
        kv: KvType,
        kernels: &str,
    ) -> PrefixIdentity {
        let mut sum = Sha256::new();
        for text in [env!("CARGO_PKG_VERSION"), env!("SOLVERBOX_ENGINE"), kv.name(), kernels] {
            sum.update((text.len() as u64).to_le_bytes());
            sum.update(text);
        }
        sum.update(model);
        for (adapter, scale) in adapters {
            sum.update(adapter);
            sum.update(scale.to_le_bytes());
        }
        PrefixIdentity(sum.finalize().into())
    }
}

/// A folder of prefix files. Dropping it blocks until pending files are written.
pub struct PrefixStore {
    folder: PathBuf,
    /// Started by the first save.
    writer: Option<PrefixWriter>,
}

struct PrefixWriter {
    waiting: SyncSender<WaitingPrefix>,
    thread: JoinHandle<()>,
}

struct WaitingPrefix {
    identity: PrefixIdentity,
    tokens: Vec<Token>,
    cells: Vec<u8>,
}

impl PrefixStore {
    /// Uses `folder`, which need not exist yet and must not be shared with other files.
    pub fn new(folder: PathBuf) -> PrefixStore {
        PrefixStore { folder, writer: None }
    }

    /// Returns the cells saved for these tokens under the same identity, if any. Deletes a file
    /// that was damaged or altered.
    ///
    /// Blocks while at most `PREFIX_BYTES_MAX` are read; allocates no more than the file's size.
    pub fn load(&self, identity: &PrefixIdentity, tokens: &[Token]) -> Option<Vec<u8>> {
        let path = path(&self.folder, identity, tokens);
        match envelope::read(&path, &identity.0, tokens) {
            Ok(cells) => {
                log::debug!("restored {} prefilled tokens from '{}'", tokens.len(), path.display());
                Some(cells)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                log::debug!("deleting prefix file '{}': {}", path.display(), io_cause(&error));
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Queues the cells of these tokens for writing and returns at once. If the queue is full, they
    /// are dropped.
    pub fn save(&mut self, identity: PrefixIdentity, tokens: Vec<Token>, cells: Vec<u8>) {
        if self.writer.is_none() {
            let (waiting, inbox) = sync_channel(limits::PREFIX_WRITES_WAITING_MAX);
            let folder = self.folder.clone();
            let thread = std::thread::Builder::new().name("prefixes".into());
            match thread.spawn(move || write_all(&folder, &inbox)) {
                Ok(thread) => self.writer = Some(PrefixWriter { waiting, thread }),
                Err(error) => log_once(&self.folder, &error),
            }
        }
        if let Some(writer) = &self.writer {
            // Fails if the queue is full or the thread has panicked.
            let _ = writer.waiting.try_send(WaitingPrefix { identity, tokens, cells });
        }
    }
}

impl Drop for PrefixStore {
    fn drop(&mut self) {
        if let Some(PrefixWriter { waiting, thread }) = self.writer.take() {
            drop(waiting);
            // A panic on that thread has been reported already.
            let _ = thread.join();
        }
    }
}

fn write_all(folder: &Path, inbox: &Receiver<WaitingPrefix>) {
    for WaitingPrefix { identity, tokens, cells } in inbox {
        let path = path(folder, &identity, &tokens);
        let written = make_room(folder, cells.len() as u64)
            .and_then(|()| envelope::write(&path, &identity.0, &tokens, &cells));
        match written {
            Ok(()) => log::debug!("saved {} tokens in '{}'", tokens.len(), path.display()),
            Err(error) => log_once(folder, &error),
        }
    }
}

fn log_once(folder: &Path, error: &std::io::Error) {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        let (folder, cause) = (folder.display(), io_cause(error));
        log::info!("cannot save prefixes in '{folder}', a restart will prefill them: {cause}");
    });
}

/// Returns the file for these tokens; its name is a hash of the identity and the tokens.
fn path(folder: &Path, identity: &PrefixIdentity, tokens: &[Token]) -> PathBuf {
    let mut sum = Sha256::new();
    sum.update(identity.0);
    tokens.iter().for_each(|token| sum.update(token.0.to_le_bytes()));
    let name: String = sum.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    folder.join(name).with_extension(EXTENSION)
}

/// Creates the folder if needed and deletes the least recently used files, unfinished ones
/// included, until there is room for another file of `bytes`.
fn make_room(folder: &Path, bytes: u64) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let is_ours = path.extension().is_some_and(|end| end == EXTENSION || end == PART);
        // A file that has vanished by now was deleted by another process.
        if let Ok(about) = entry.metadata()
            && about.is_file()
            && is_ours
        {
            files.push((about.modified()?, about.len(), path));
        }
    }
    files.sort();
    let sizes = files.iter().map(|(_, bytes, _)| *bytes);
    let mut total = sizes.fold(bytes, u64::saturating_add);
    let mut count = files.len() + 1;
    for (_, bytes, path) in &files {
        if count <= limits::PREFIX_FILES_MAX && total <= limits::PREFIX_FOLDER_BYTES_MAX {
            break;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => (count, total) = (count - 1, total - bytes),
        }
    }
    Ok(())
}
