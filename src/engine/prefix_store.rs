//! Prefilled prompts on disk: what every job of a mode begins with is computed once, and is there
//! again milliseconds after a restart.
//!
//! The engine's loop loads and saves. Each prompt has a file (`envelope`), called after all that
//! decides its cells; any difference, be it a lost byte or another model, and the file is thrown
//! away quietly, and the prompt is prefilled. What the cells say is for `llama/state.rs` to check.
//! Writing happens on a thread of its own, because an SD card may take a second; what cannot be
//! written is logged once and is nobody's error.

mod envelope;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use envelope::{ENDING, PART};
use sha2::{Digest, Sha256};

use super::Token;
use crate::types::error::io_cause;
use crate::types::limits;
use crate::types::plan::KvType;

/// Everything, besides its tokens, that decides what the cells of a prompt are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity([u8; 32]);

impl Identity {
    /// Makes the identity of what computes the cells: the digest of the model's file, the digest
    /// and the scale of each adapter in the order they are added, the type of the KV cache, the
    /// name of the kernel set (two sets round differently), and this program with its engine.
    ///
    /// The context's length is not in it, so the model must be one whose cells do not depend on it.
    pub fn new(
        model: &[u8; 32],
        adapters: &[([u8; 32], f32)],
        kv: KvType,
        kernels: &str,
    ) -> Identity {
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
        Identity(sum.finalize().into())
    }
}

/// The prompts kept in one folder. Dropping it waits for what is being written.
pub struct PrefixStore {
    folder: PathBuf,
    /// Started with the first save.
    writer: Option<Writer>,
}

struct Writer {
    waiting: SyncSender<WaitingPrefix>,
    thread: JoinHandle<()>,
}

/// A prompt to be written.
struct WaitingPrefix {
    identity: Identity,
    tokens: Vec<Token>,
    cells: Vec<u8>,
}

impl PrefixStore {
    /// Names the folder, which need not be there yet; no other files belong into it.
    pub fn new(folder: PathBuf) -> PrefixStore {
        PrefixStore { folder, writer: None }
    }

    /// Returns the cells saved for these tokens by what had the same identity; `None` where there
    /// are none. A file that is not as it was written is removed.
    ///
    /// Blocks while at most `PREFIX_BYTES_MAX` are read; allocates no more than the file has.
    pub fn load(&self, identity: &Identity, tokens: &[Token]) -> Option<Vec<u8>> {
        let path = path(&self.folder, identity, tokens);
        match envelope::read(&path, &identity.0, tokens) {
            Ok(cells) => {
                log::debug!("{} prefilled tokens are in '{}'", tokens.len(), path.display());
                Some(cells)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                log::debug!("'{}' is thrown away: {}", path.display(), io_cause(&error));
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Has the cells of these tokens written, and returns at once. Where the disk is slower than
    /// prompts are prefilled, they are left to be saved another time.
    pub fn save(&mut self, identity: Identity, tokens: Vec<Token>, cells: Vec<u8>) {
        if self.writer.is_none() {
            let (waiting, kept) = sync_channel(limits::PREFIX_WRITES_WAITING_MAX);
            let folder = self.folder.clone();
            let thread = std::thread::Builder::new().name("prefixes".into());
            match thread.spawn(move || write_all(&folder, &kept)) {
                Ok(thread) => self.writer = Some(Writer { waiting, thread }),
                Err(error) => say_once(&self.folder, &error),
            }
        }
        if let Some(writer) = &self.writer {
            // Fails where too many wait already, or where the thread broke.
            let _ = writer.waiting.try_send(WaitingPrefix { identity, tokens, cells });
        }
    }
}

impl Drop for PrefixStore {
    fn drop(&mut self) {
        if let Some(Writer { waiting, thread }) = self.writer.take() {
            drop(waiting);
            // A panic on that thread was already reported.
            let _ = thread.join();
        }
    }
}

fn write_all(folder: &Path, kept: &Receiver<WaitingPrefix>) {
    for WaitingPrefix { identity, tokens, cells } in kept {
        let path = path(folder, &identity, &tokens);
        let written = make_room(folder, cells.len() as u64)
            .and_then(|()| envelope::write(&path, &identity.0, &tokens, &cells));
        match written {
            Ok(()) => log::debug!("{} tokens are kept in '{}'", tokens.len(), path.display()),
            Err(error) => say_once(folder, &error),
        }
    }
}

fn say_once(folder: &Path, error: &std::io::Error) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let (folder, cause) = (folder.display(), io_cause(error));
        log::info!("prompts will be prefilled anew after a restart: '{folder}': {cause}");
    });
}

/// Returns the file for these tokens: its name says nothing, but is another one wherever anything
/// differs.
fn path(folder: &Path, identity: &Identity, tokens: &[Token]) -> PathBuf {
    let mut sum = Sha256::new();
    sum.update(identity.0);
    tokens.iter().for_each(|token| sum.update(token.to_le_bytes()));
    let name: String = sum.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    folder.join(name).with_extension(ENDING)
}

/// Makes the folder, and removes from it the prompts not used for longest, and what a power cut
/// left of them, until there is room for one more file of `bytes`.
fn make_room(folder: &Path, bytes: u64) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let is_ours = path.extension().is_some_and(|end| end == ENDING || end == PART);
        // One that is gone by now was removed by another process.
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
