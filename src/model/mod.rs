//! GGUF files on disk: found, checked, described and planned for, without loading llama.cpp.
//!
//! `open` is the one way in: it scans before anyone else parses. What is written appears whole or
//! not at all (`newfile`). Nothing here keeps files open; `ahead` alone starts a thread.

pub mod adapter;
pub mod ahead;
pub mod available;
pub mod bundled;
pub mod convert;
pub mod fingerprint;
pub mod header;
pub mod importance;
pub mod locate;
pub mod memory;
pub mod newfile;
pub mod plan;
mod scan;
pub mod types;
pub mod write;

use crate::words::error::{Error, Kind};
use crate::words::plan::{Role, Weights};

pub use header::Header;
pub use scan::Tensor;

/// Checks the file's structure and reads its header.
///
/// # Errors
/// `no_model` where it cannot be opened, `bad_model` naming file, place and remedy where it is not
/// a whole GGUF file.
pub fn open(file: &Weights) -> Result<Header, Error> {
    let scan = scan::scan(file)?;
    header::read(file, scan)
}

fn bad_model(file: &Weights, cause: impl std::fmt::Display) -> Error {
    let remedy = match file.role {
        Role::Model => {
            "Get the file again, or name another with --model FILE; models/README.md says how."
        }
        Role::Adapter => "Get the file again, or leave --adapter out.",
        Role::Importance => "Make it anew with `solverbox imatrix`, or leave --imatrix out.",
    };
    Error::new(Kind::BadModel, format!("cannot use {file}: {cause}"), remedy)
}
