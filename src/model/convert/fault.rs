//! A problem in a checkpoint, described before it is known which file it is in.
//!
//! The readers of this folder return a [`CheckpointFault`]; the caller that knows the file turns it
//! into an error.

use std::path::Path;

use crate::types::error::{Error, Kind};

/// A problem in a checkpoint and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointFault {
    /// The problem, with the key or tensor.
    pub cause: String,
    /// One full sentence that says what to do.
    pub remedy: &'static str,
}

/// A fault of a file that is damaged or incomplete.
pub(super) fn damaged(cause: impl Into<String>) -> CheckpointFault {
    CheckpointFault { cause: cause.into(), remedy: "Get this file of the checkpoint again." }
}

/// A fault of a valid file that uses a feature the engine does not support.
pub(super) fn unsupported(cause: impl Into<String>) -> CheckpointFault {
    let remedy = "Convert a checkpoint of Qwen2, Qwen3 or Llama as its authors published it.";
    CheckpointFault { cause: cause.into(), remedy }
}

/// Returns the fault of a Git LFS pointer, which a clone without Git LFS has in place of a large
/// file, if `start` is the beginning of one.
pub(super) fn lfs_pointer(start: &[u8]) -> Option<CheckpointFault> {
    let is_pointer = start.starts_with(crate::model::LFS_POINTER);
    is_pointer.then(|| CheckpointFault {
        cause: "it is a Git LFS pointer, not the file itself".into(),
        remedy: crate::model::LFS_REMEDY,
    })
}

impl CheckpointFault {
    /// Turns the fault into an error about `file`.
    pub(super) fn of(self, file: &Path) -> Error {
        let what = format!("cannot convert '{}': {}", file.display(), self.cause);
        Error::new(Kind::BadModel, what, self.remedy)
    }
}

/// Quotes and escapes untrusted text for a message, shortened to 120 characters.
pub(super) fn shown(name: &str) -> String {
    const CHARACTERS_MAX: usize = 120;
    let start: String = name.chars().take(CHARACTERS_MAX).collect();
    let rest = if start.len() < name.len() { "…" } else { "" };
    format!("'{}{rest}'", start.escape_debug())
}
