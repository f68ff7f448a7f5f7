//! GGUF files on disk: found, checked, described and planned for, without loading llama.cpp.
//!
//! `open` is the one way in for whoever loads: what passes it cannot bring llama.cpp down, as far
//! as its architecture is known exactly (`Header::is_known_exactly`). `look` is for whoever only
//! describes. What is written appears whole or not at all (`newfile`). Nothing here keeps files
//! open; `readahead` alone starts a thread.

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

/// Checks that the file is a model llama.cpp can be given, and reads its header.
///
/// # Errors
/// `no_model` where it cannot be opened, `bad_model` naming file, place and remedy where it is not
/// a whole and sound one.
pub fn open(file: &Weights) -> Result<Header, Error> {
    let header = look(file)?;
    match &header.fault {
        Some(fault) => Err(bad_model(file, fault)),
        None => Ok(header),
    }
}

/// Reads the header of a file nobody is going to load; what is wrong with it is in its `fault`.
///
/// # Errors
/// Those of [`open`], but for a whole GGUF file with the facts a header is described by.
pub fn look(file: &Weights) -> Result<Header, Error> {
    let scan = scan::scan(file)?;
    header::read(file, scan)
}

/// What a GGUF file says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A model, which need not say so.
    Model,
    /// An adapter.
    Adapter,
    /// Something else, such as an importance matrix.
    Other(String),
}

/// Returns what is in a file.
///
/// # Errors
/// Those of [`open`], where it is not a whole GGUF file.
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
