//! A cheap fingerprint of a file's content: its length and blocks spread over the whole file.
//!
//! It detects that a file was replaced, as `eval --resume` needs; it does not prove that no byte
//! changed. The hash is 64-bit FNV-1a (Fowler, Noll, Vo).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Number of blocks read, spread evenly from the start to the end of the file.
const BLOCKS: u64 = 32;
const BLOCK_BYTES: u64 = 64 << 10;

/// The offset basis of 64-bit FNV-1a, to start a hash with [`fnv`].
pub const START: u64 = 0xCBF2_9CE4_8422_2325;

/// Returns the file's fingerprint as 16 hexadecimal digits. Reads at most 2 MiB.
///
/// # Errors
/// The I/O error if the file cannot be read.
pub fn of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut hash = fnv(START, &length.to_le_bytes());
    let last = length.saturating_sub(BLOCK_BYTES);
    let mut block = Vec::with_capacity(BLOCK_BYTES as usize);
    for index in 0..BLOCKS {
        file.seek(SeekFrom::Start(last * index / (BLOCKS - 1)))?;
        block.clear();
        (&mut file).take(BLOCK_BYTES).read_to_end(&mut block)?;
        hash = fnv(hash, &block);
    }
    Ok(format!("{hash:016x}"))
}

/// Continues an FNV-1a hash over `bytes`; the first call passes [`START`].
pub fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // Two of the authors' test vectors.
        assert_eq!(fnv(START, b""), START);
        assert_eq!(fnv(START, b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn another_length_start_or_end_is_another_file_and_of_a_small_one_any_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let of_bytes = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            of(&path).unwrap()
        };
        for length in [0, 1, 5000, 1 << 20, (5 << 20) + 13] {
            let bytes = vec![7_u8; length];
            let first = of_bytes(&bytes);
            assert_eq!(first, of_bytes(&bytes));
            assert_ne!(first, of_bytes(&[&bytes[..], &[7]].concat()));
            let middle = if length <= 2 << 20 { length / 2 } else { 0 };
            let places = [0, middle, length.saturating_sub(1)];
            for at in places.into_iter().filter(|_| length > 0) {
                let mut changed = bytes.clone();
                changed[at] = 8;
                assert_ne!(first, of_bytes(&changed), "byte {at} of {length}");
            }
        }
    }
}
