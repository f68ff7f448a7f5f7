//! What is wrong with a checkpoint, in words, before it is known in which file.
//!
//! The readers beside this file return a [`Fault`]; whoever knows the file makes an error of it.

use std::path::Path;

use crate::types::error::{Error, Kind};

/// A cause and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, naming the key or tensor.
    pub cause: String,
    /// One full sentence: what can be done.
    pub remedy: &'static str,
}

/// A file that is not what its authors published.
pub(super) fn damaged(cause: impl Into<String>) -> Fault {
    Fault { cause: cause.into(), remedy: "Get this file of the checkpoint again." }
}

/// A sound file that the engine would compute wrongly with, or not at all.
pub(super) fn unsupported(cause: impl Into<String>) -> Fault {
    let remedy = "Convert a checkpoint of Qwen2, Qwen3 or Llama as its authors published it.";
    Fault { cause: cause.into(), remedy }
}

impl Fault {
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
