//! Finds, checks, describes and plans for GGUF files on disk, without loading llama.cpp.
//!
//! Code that loads a model must call `open`: a file that passes it cannot crash llama.cpp, provided
//! that every detail of its architecture is known (`Header::is_known_exactly`). `look` is for
//! descriptions only. Files are written atomically (`newfile`). No file is kept open; only
//! `readahead` starts a thread.

pub mod adapter;
pub mod available;
pub mod bundled;
mod check;
pub mod checksum;
pub mod convert;
pub mod cores;
pub mod digest;
pub mod fingerprint;
pub mod header;
pub mod importance;
mod keys;
pub mod locate;
pub mod memory;
pub mod newfile;
mod numbers;
pub mod plan;
pub mod readahead;
mod scan;
mod tensors;
pub mod tuning;
pub mod types;
mod vocabulary;
pub mod write;

use crate::types::error::{Error, Kind};
use crate::types::plan::{Weights, WeightsRole};

pub use header::Header;
pub use scan::TensorInfo;

/// The beginning of a Git LFS pointer, which a clone without Git LFS has in place of a large file.
const LFS_POINTER: &[u8] = b"version https://git-lfs";
const LFS_REMEDY: &str = "Run `git lfs pull` in its folder, which fetches the files themselves.";

/// Reads a model's header after checking that llama.cpp can load the file safely.
///
/// # Errors
/// `no_model` if the file cannot be opened; `bad_model` with file, fault and remedy if it is
/// incomplete or invalid.
pub fn open(file: &Weights) -> Result<Header, Error> {
    let header = look(file)?;
    match &header.fault {
        Some(fault) => Err(bad_model(file, fault)),
        None => Ok(header),
    }
}

/// Reads the header of a file that will not be loaded. A model llama.cpp could not load is
/// described too, with the reason in [`Header::fault`].
///
/// # Errors
/// `no_model` if the file cannot be opened; `bad_model` if it is not a complete GGUF file with an
/// architecture and its basic dimensions.
pub fn look(file: &Weights) -> Result<Header, Error> {
    let scan = scan::scan(file)?;
    header::read(file, scan)
}

/// The kind of a GGUF file, by its key `general.type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A model; also a file without the key.
    Model,
    /// A LoRA adapter for a model.
    Adapter,
    /// Anything else, such as an importance matrix.
    Other(String),
}

/// Determines the kind of a GGUF file.
///
/// # Errors
/// `no_model` if the file cannot be opened; `bad_model` if it is not a complete GGUF file.
pub fn content(file: &Weights) -> Result<Content, Error> {
    let scan = scan::scan(file)?;
    Ok(match scan.keys.text("general.type") {
        Ok(Some("adapter")) => Content::Adapter,
        Ok(Some("model") | None) | Err(_) => Content::Model,
        Ok(Some(other)) => Content::Other(other.to_string()),
    })
}

fn bad_model(file: &Weights, cause: impl std::fmt::Display) -> Error {
    let remedy = match file.role {
        WeightsRole::Model => {
            "Get the file again, or name another with --model FILE; models/README.md says how."
        }
        WeightsRole::Adapter => "Get the file again, or omit --adapter.",
        WeightsRole::Importance => "Recreate it with `solverbox imatrix`, or omit --imatrix.",
    };
    Error::new(Kind::BadModel, format!("cannot use {file}: {cause}"), remedy)
}
