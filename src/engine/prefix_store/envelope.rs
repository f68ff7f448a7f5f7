//! The format of a prefix file, which proves that it holds what was written for this prefix.
//!
//! ```text
//! magic 8 · version 4 · identity 32 · number of tokens 4 · bytes of the cells 8
//! each token 4 · the cells · SHA-256 32
//! ```
//!
//! Numbers are little-endian; the hash covers everything before it. The header is never parsed: a
//! reader knows every field in advance, except the number of bytes, which follows from the file's
//! length. So the reader builds the header it expects and compares, and no field can mislead it.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::types::answer::Token;
use crate::types::limits;

/// The extension of prefix files.
pub(super) const EXTENSION: &str = "prefix";
/// The extension of a file while it is written.
pub(super) const PART: &str = "part";
const MAGIC: &[u8; 8] = b"sbprefix";
/// Changes with the layout of the envelope or of the cells.
const VERSION: u32 = 1;
const SUM_BYTES: usize = 32;

fn head(identity: &[u8; 32], tokens: &[Token], cells_bytes: usize) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_le_bytes());
    head.extend(identity);
    head.extend((tokens.len() as u32).to_le_bytes());
    head.extend((cells_bytes as u64).to_le_bytes());
    tokens.iter().for_each(|token| head.extend(token.0.to_le_bytes()));
    head
}

/// Writes a file atomically; it survives a power cut once this returns.
///
/// Two processes that write the same file at once may produce one that a reader rejects.
///
/// # Errors
/// Those of the file system; no file is left behind then.
pub(super) fn write(
    path: &Path,
    identity: &[u8; 32],
    tokens: &[Token],
    cells: &[u8],
) -> Result<()> {
    debug_assert!(cells.len() as u64 <= limits::PREFIX_BYTES_MAX);
    let part = path.with_extension(PART);
    let head = head(identity, tokens, cells.len());
    let sum = Sha256::new().chain_update(&head).chain_update(cells).finalize();
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(&head)?;
        file.write_all(cells)?;
        file.write_all(&sum)?;
        file.sync_all()?;
        fs::rename(&part, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written?;
    // The name must be durable as well; file systems that cannot sync folders need no sync.
    let _ = path.parent().map(|folder| File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

/// Returns the cells of the file written for this identity and these tokens, and marks it as the
/// most recently used. Allocates the file's size, which is bounded.
///
/// # Errors
/// `NotFound` if there is none, `InvalidData` if the file is a different one.
pub(super) fn read(path: &Path, identity: &[u8; 32], tokens: &[Token]) -> Result<Vec<u8>> {
    let invalid = |what: &str| Error::new(ErrorKind::InvalidData, what.to_string());
    let about = fs::metadata(path)?;
    let around = head(identity, tokens, 0).len() + SUM_BYTES;
    let cells = about.len().checked_sub(around as u64);
    let cells = match cells.filter(|&bytes| bytes <= limits::PREFIX_BYTES_MAX) {
        // Opening anything but a regular file might block.
        Some(bytes) if about.is_file() => bytes as usize,
        _ => return Err(invalid("it is not a file of the expected length")),
    };
    let mut bytes = Vec::with_capacity(around + cells);
    let file = File::open(path)?;
    (&file).take((around + cells) as u64).read_to_end(&mut bytes)?;
    if bytes.len() != around + cells {
        return Err(invalid("it is being changed"));
    }
    let head = head(identity, tokens, cells);
    if !bytes.starts_with(&head) {
        return Err(invalid("it belongs to another prefix, or its header is damaged"));
    }
    let sum = bytes.split_off(head.len() + cells);
    if sum != Sha256::digest(&bytes)[..] {
        return Err(invalid("its checksum is wrong"));
    }
    bytes.drain(..head.len());
    // If this fails, the file only counts as less recently used.
    let _ = file.set_modified(SystemTime::now());
    Ok(bytes)
}
