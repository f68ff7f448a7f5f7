//! What lies around a prefilled prompt on disk, and proves that it is what was written.
//!
//! ```text
//! magic 8 · form 4 · identity 32 · number of tokens 4 · bytes of the cells 8
//! each token 4 · the cells · SHA-256 32
//! ```
//!
//! Numbers are little-endian; the sum is over everything before it. What stands before the cells is
//! never parsed: whoever reads knows it already, but for the number of bytes, which follows from
//! the file's length. So it is made anew and compared, and no field can lie.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::engine::Token;
use crate::types::limits;

/// What the files' names end with.
pub const ENDING: &str = "prefix";
/// What they end with while they are written.
pub const PART: &str = "part";
const MAGIC: &[u8; 8] = b"sbprefix";
/// Changes with the layout of the envelope, and with the cells it holds.
const FORM: u32 = 1;
const SUM_BYTES: usize = 32;

fn head(identity: &[u8; 32], tokens: &[Token], cells_bytes: usize) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(FORM.to_le_bytes());
    head.extend(identity);
    head.extend((tokens.len() as u32).to_le_bytes());
    head.extend((cells_bytes as u64).to_le_bytes());
    tokens.iter().for_each(|token| head.extend(token.to_le_bytes()));
    head
}

/// Writes a file that appears whole or not at all, and stays after a power cut once this returns.
///
/// Two processes that write it at once may make one that is thrown away when it is read.
///
/// # Errors
/// Those of the file system; nothing stays then.
pub fn write(path: &Path, identity: &[u8; 32], tokens: &[Token], cells: &[u8]) -> Result<()> {
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
    // The name must last as well; a file system that cannot sync folders does so by itself.
    let _ = path.parent().map(|folder| File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

/// Returns the cells of a file that was written for this identity and these tokens, and makes it
/// the one used last. Allocates what the file has, which is bounded.
///
/// # Errors
/// `NotFound` where there is none, `InvalidData` where it is any other file.
pub fn read(path: &Path, identity: &[u8; 32], tokens: &[Token]) -> Result<Vec<u8>> {
    let other = |what: &str| Error::new(ErrorKind::InvalidData, what.to_string());
    let about = fs::metadata(path)?;
    let around = head(identity, tokens, 0).len() + SUM_BYTES;
    let cells = about.len().checked_sub(around as u64);
    let cells = match cells.filter(|&bytes| bytes <= limits::PREFIX_BYTES_MAX) {
        // What is no file may keep whoever opens it waiting.
        Some(bytes) if about.is_file() => bytes as usize,
        _ => return Err(other("it is no file of that length")),
    };
    let mut bytes = Vec::with_capacity(around + cells);
    let file = File::open(path)?;
    (&file).take((around + cells) as u64).read_to_end(&mut bytes)?;
    if bytes.len() != around + cells {
        return Err(other("it is being changed"));
    }
    let head = head(identity, tokens, cells);
    if !bytes.starts_with(&head) {
        return Err(other("it is another prompt's, or its start is damaged"));
    }
    let sum = bytes.split_off(head.len() + cells);
    if sum != Sha256::digest(&bytes)[..] {
        return Err(other("its sum is another one"));
    }
    bytes.drain(..head.len());
    // Fails where it cannot be written; then it is only older than it might be.
    let _ = file.set_modified(SystemTime::now());
    Ok(bytes)
}
