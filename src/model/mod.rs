//! GGUF files on disk: found, checked, described and planned for, without loading llama.cpp.
//!
//! `open` is the one way in: it scans before anyone else parses. Nothing here keeps files open;
//! `ahead` alone starts a thread.

pub mod ahead;
pub mod header;
pub mod locate;
pub mod plan;
mod scan;
pub mod types;

use std::path::Path;

use crate::words::error::{Error, Kind};

pub use header::Header;

/// Checks the file's structure and reads its header.
///
/// # Errors
/// `no_model` where it cannot be opened, `bad_model` naming file, place and remedy where it is not
/// a whole GGUF file.
pub fn open(path: &Path) -> Result<Header, Error> {
    let scan = scan::scan(path)?;
    header::read(path, scan)
}

fn bad_model(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::BadModel,
        format!("cannot use model '{}': {cause}", path.display()),
        "Get the file again, or name another with --model FILE; models/README.md says how.",
    )
}
