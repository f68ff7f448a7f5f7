//! Checks whether llama.cpp can load the model of a scanned header: its parameters, its tensors,
//! its vocabulary.
//!
//! llama.cpp checks much of this itself, but asserts on the rest or throws exceptions that are not
//! caught, and both end the process. Every load of a model goes through here (`model::open`). Reads
//! only the vocabulary's arrays from the file.

use std::path::Path;

use super::scan::Scan;
use super::{numbers, tensors, vocabulary};

/// Returns why llama.cpp must not load the file, or `None` if it may.
pub fn fault(scan: &Scan, architecture: &str, path: &Path) -> Option<String> {
    check(scan, architecture, path).err()
}

fn check(scan: &Scan, architecture: &str, path: &Path) -> Result<(), String> {
    let numbers = numbers::check(&scan.keys, architecture)?;
    tensors::check_kernels(&scan.tensors)?;
    let rows = tensors::embedding_rows(&scan.tensors)?;
    vocabulary::check(&scan.keys, path, rows)?;
    match numbers {
        Some(numbers) => tensors::check_all(&scan.tensors, &numbers, rows),
        None => Ok(()),
    }
}
