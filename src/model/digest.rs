//! The identity of a weight file, under which data computed from it is stored.
//!
//! `commands` pass it to the engine, which stores prefilled prompts under it. Reading a gigabyte
//! takes an SD card 25 s, so the digest is SHA-256 over the file's length, its whole header, and
//! the first 4 KiB of every tensor: a fine-tune changes nearly all of them, another quantization
//! all. Changes elsewhere, made in place, show in the file's time stamps, which are included; a
//! copy therefore counts as another file, which costs one prefill. For a model of VibeThinker's
//! shape this reads 1.4 MB plus the header. In contrast, `fingerprint` is for any file, also across
//! machines, and ignores time stamps, but its 32 blocks miss whole tensors; `checksum` covers every
//! byte.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

use sha2::{Digest, Sha256};

use super::{Header, TensorInfo, bad_model, scan};
use crate::types::error::{Error, io_cause};
use crate::types::plan::{Origin, Weights};

/// Bytes read at the start of each tensor.
const BLOCK_BYTES: u64 = 4 << 10;

/// Returns a model's digest. Returns `None` if the results for a token depend on more than the file
/// and the preceding tokens: with LongRoPE's two lists of factors they depend on the context's
/// length, and with an architecture that is not known exactly they might depend on anything.
///
/// # Errors
/// The I/O error if the file cannot be read.
pub fn of_model(header: &Header) -> Result<Option<[u8; 32]>> {
    let is_longrope = header.tensors.iter().any(|t| t.name == "rope_factors_long.weight");
    if is_longrope || !header.is_known_exactly() {
        return Ok(None);
    }
    of(&header.file, &header.tensors).map(Some)
}

/// Returns the digest of an adapter's file.
///
/// # Errors
/// `no_model` if the file cannot be opened; `bad_model` if it is not a complete GGUF file or cannot
/// be read.
pub fn of_adapter(file: &Weights) -> std::result::Result<[u8; 32], Error> {
    let tensors = scan::scan(file)?.tensors;
    of(file, &tensors).map_err(|error| bad_model(file, io_cause(&error)))
}

fn of(weights: &Weights, tensors: &[TensorInfo]) -> Result<[u8; 32]> {
    let mut file = File::open(&weights.path)?;
    let about = file.metadata()?;
    let mut sum = Sha256::new();
    sum.update(about.len().to_le_bytes());
    // A built-in file is copied to memory at each start, which changes its time stamps.
    if weights.origin == Origin::Disk {
        for time in [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()] {
            sum.update(time.to_le_bytes());
        }
    }
    // The scan has checked that the header is bounded and that the tensors follow it without gaps.
    let header_bytes = tensors.first().map_or(about.len(), |tensor| tensor.at);
    let blocks = tensors.iter().map(|tensor| (tensor.at, tensor.bytes.min(BLOCK_BYTES)));
    let mut block = Vec::with_capacity(BLOCK_BYTES as usize);
    for (at, bytes) in std::iter::once((0, header_bytes)).chain(blocks) {
        file.seek(SeekFrom::Start(at))?;
        block.clear();
        (&mut file).take(bytes).read_to_end(&mut block)?;
        sum.update(&block);
    }
    Ok(sum.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::model::{bundled, open};
    use crate::types::plan::WeightsRole;

    #[test]
    fn another_byte_of_the_header_or_at_the_start_of_any_tensor_is_another_model() {
        let header = open(&bundled::model().unwrap()).unwrap();
        let bytes = std::fs::read(&header.file.path).unwrap();
        let copy = tempfile::NamedTempFile::new().unwrap();
        // Without its times.
        let file = Weights { path: copy.path().into(), ..header.file.clone() };
        let with = |at: Option<u64>| {
            let mut changed = bytes.clone();
            at.into_iter().for_each(|at| changed[at as usize] ^= 1);
            std::fs::write(&file.path, changed).unwrap();
            of(&file, &header.tensors).unwrap()
        };
        let sound = with(None);
        assert_eq!(of_model(&header).unwrap(), Some(sound));
        let of_tensors = header.tensors.iter().map(|tensor| tensor.at);
        for at in [0, 100, header.tensors[0].at - 1].into_iter().chain(of_tensors) {
            assert_ne!(with(Some(at)), sound, "byte {at}");
        }
        std::fs::write(&file.path, [&bytes[..], &[0]].concat()).unwrap();
        assert_ne!(of(&file, &header.tensors).unwrap(), sound, "a byte more");
    }

    #[test]
    fn a_file_that_was_written_to_is_another_one() {
        let copy = tempfile::NamedTempFile::new().unwrap();
        std::fs::copy(bundled::model().unwrap().path, copy.path()).unwrap();
        let file = Weights::model(copy.path());
        let digest = || of_model(&open(&file).unwrap()).unwrap();
        let first = digest();
        assert_eq!(digest(), first);
        copy.as_file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        assert_ne!(digest(), first);
    }

    #[test]
    fn where_a_token_depends_on_more_there_is_none() {
        let sound = || open(&bundled::model().unwrap()).unwrap();
        let mut header = sound();
        header.tensors[0].name = "rope_factors_long.weight".into();
        assert_eq!(of_model(&header).unwrap(), None);
        header = sound();
        header.architecture = "gemma3".into();
        assert_eq!(of_model(&header).unwrap(), None);
    }

    #[test]
    fn an_adapter_has_one_too() {
        let adapter = bundled::adapter().unwrap();
        let digest = of_adapter(&adapter).unwrap();
        assert_eq!(of_adapter(&adapter).unwrap(), digest);
        let nowhere = Weights::adapter("/nowhere/x.gguf");
        assert_eq!(nowhere.role, WeightsRole::Adapter);
        assert!(of_adapter(&nowhere).is_err());
    }
}
