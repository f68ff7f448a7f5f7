//! Whether a scanned header makes a model llama.cpp can be given: its numbers, its tensors, its
//! vocabulary.
//!
//! llama.cpp checks much of this itself, but asserts or throws where nobody catches it on the rest,
//! and both end the process. Everything that loads a model passes here first (`model::open`). Pure
//! but for the vocabulary's lists, which it reads from the file.

use std::path::Path;

use super::scan::Scan;
use super::{numbers, tensors, vocabulary};

/// Returns why llama.cpp must not be given the file, if it must not.
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
