//! A problem in a checkpoint, described before it is known which file it is in.
//!
//! The readers of this folder return a [`CheckpointFault`]; the caller that knows the file turns it
//! into an error.

use std::path::Path;

use crate::types::error::{Error, Kind};

/// A cause and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointFault {
    /// What is wrong, naming the key or tensor.
    pub cause: String,
    /// One full sentence: what can be done.
    pub remedy: &'static str,
}

/// A file that is not what its authors published.
pub(super) fn damaged(cause: impl Into<String>) -> CheckpointFault {
    CheckpointFault { cause: cause.into(), remedy: "Get this file of the checkpoint again." }
}

/// A sound file that the engine would compute wrongly with, or not at all.
pub(super) fn unsupported(cause: impl Into<String>) -> CheckpointFault {
    let remedy = "Convert a checkpoint of Qwen2, Qwen3 or Llama as its authors published it.";
    CheckpointFault { cause: cause.into(), remedy }
}

impl CheckpointFault {
    /// Makes it an error about `file`.
    pub(super) fn of(self, file: &Path) -> Error {
        let what = format!("cannot convert '{}': {}", file.display(), self.cause);
        Error::new(Kind::BadModel, what, self.remedy)
    }
}

/// Shows a name from outside so that it cannot harm a terminal or fill it.
pub(super) fn shown(name: &str) -> String {
    const CHARACTERS_MAX: usize = 120;
    let start: String = name.chars().take(CHARACTERS_MAX).collect();
    let rest = if start.len() < name.len() { "…" } else { "" };
    format!("'{}{rest}'", start.escape_debug())
}
