//! SHA-256 of a file, and the checksum recorded for it.
//!
//! The recorded checksum is in `FILE.sha256` in the same folder, else in the line with the file's
//! name in the folder's `SHA256SUMS`; for built-in files it is embedded. Accepted formats are those
//! of sha256sum (`HEX  NAME`) and BSD's sha256 (`SHA256 (NAME) = HEX`), and `HEX` alone in
//! `FILE.sha256`; also PowerShell's table, in UTF-16.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::bundled;
use crate::types::error::io_cause;
use crate::types::limits;
use crate::types::plan::{Origin, Weights};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// A SHA-256 checksum as 64 lower-case hexadecimal digits.
pub type Sha256Hex = String;

/// The checksum recorded for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The expected SHA-256 of the file.
    pub sum: Sha256Hex,
    /// The file that records it, for messages.
    pub place: String,
}

/// Reads a whole file and returns its checksum; calls `read` with the number of bytes read so far.
///
/// # Errors
/// The I/O error if the file cannot be read.
pub fn of(path: &Path, mut read: impl FnMut(u64)) -> std::io::Result<Sha256Hex> {
    let (mut file, mut sum) = (File::open(path)?, Sha256::new());
    let (mut chunk, mut done) = (vec![0; CHUNK_BYTES], 0);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(bytes) => {
                sum.update(&chunk[..bytes]);
                done += bytes as u64;
                read(done);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Finds the checksum recorded for a file, or `None` if there is none.
///
/// # Errors
/// A message that names the recording file if it exists but cannot be used.
pub fn recorded(file: &Weights) -> Result<Option<Recorded>, String> {
    if let Origin::BuiltIn(name) = file.origin {
        let sum = find(bundled::SUMS, bundled::file_name(name));
        return Ok(sum.map(|sum| Recorded { sum, place: "the program".into() }));
    }
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    let own = PathBuf::from(format!("{}.sha256", file.path.display()));
    if let Some(text) = text(&own)? {
        let sum = alone(&text).or_else(|| find(&text, &name));
        let place = own.display().to_string();
        return match sum {
            Some(sum) => Ok(Some(Recorded { sum, place })),
            None => Err(format!("'{place}' has no checksum for it")),
        };
    }
    let list = file.path.with_file_name("SHA256SUMS");
    let sum = text(&list)?.and_then(|text| find(&text, &name));
    Ok(sum.map(|sum| Recorded { sum, place: list.display().to_string() }))
}

/// Reads a checksum file, or returns `None` if it does not exist.
fn text(path: &Path) -> Result<Option<String>, String> {
    let cannot = |cause: &str| format!("cannot read '{}': {cause}", path.display());
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(about) if !about.is_file() => return Err(cannot("it is not a file")),
        _ => {}
    }
    let file = File::open(path).map_err(|error| cannot(&io_cause(&error)))?;
    let mut bytes = Vec::new();
    let read = file.take(limits::SUMS_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| cannot(&io_cause(&error)))?;
    if bytes.len() as u64 > limits::SUMS_BYTES_MAX {
        return Err(cannot(&format!("it has more than {} bytes", limits::SUMS_BYTES_MAX)));
    }
    decoded(bytes).map(Some).ok_or_else(|| cannot("it is not UTF-8 text"))
}

/// Decodes UTF-8 or UTF-16 text; PowerShell writes UTF-16 with a byte order mark.
fn decoded(bytes: Vec<u8>) -> Option<String> {
    let units = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, []) = rest.as_chunks::<2>() else { return None };
        String::from_utf16(&pairs.iter().map(|&pair| unit(pair)).collect::<Vec<u16>>()).ok()
    };
    match &bytes[..] {
        [0xFF, 0xFE, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// Returns the only checksum in a text, regardless of the file name next to it.
fn alone(text: &str) -> Option<Sha256Hex> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    sum(line).or_else(|| named(line).map(|(_, sum)| sum))
}

/// Finds the checksum of the file `name` in the text of a checksum list.
pub fn find(text: &str, name: &str) -> Option<Sha256Hex> {
    let lines: Vec<(&str, Sha256Hex)> =
        text.lines().filter_map(|line| named(line.trim())).collect();
    let here = |of: &str| of.strip_prefix("./").unwrap_or(of) == name;
    // Lists may contain paths from another folder; an exact name takes precedence over these.
    let anywhere = |of: &str| of.rsplit(['/', '\\']).next() == Some(name);
    let found = lines.iter().find(|(of, _)| here(of));
    found.or_else(|| lines.iter().find(|(of, _)| anywhere(of))).map(|(_, sum)| sum.clone())
}

/// Parses a line with a file name and a checksum.
fn named(line: &str) -> Option<(&str, Sha256Hex)> {
    if let Some((name, digits)) = line.strip_prefix("SHA256 (").and_then(|l| l.rsplit_once(") = "))
    {
        return Some((name, sum(digits)?));
    }
    // PowerShell's Get-FileHash: SHA256, the checksum, the path.
    if let Some(rest) = line.strip_prefix("SHA256 ")
        && let Some((digits, path)) = rest.trim_start().split_once(' ')
    {
        return Some((path.trim(), sum(digits)?));
    }
    let (digits, name) = line.split_once(' ')?;
    // A star marks binary mode, which makes no difference here.
    let name = name.strip_prefix([' ', '*']).unwrap_or(name);
    Some((name, sum(digits)?))
}

fn sum(digits: &str) -> Option<Sha256Hex> {
    let whole = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    whole.then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "abc" (FIPS 180-4's example).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_sum_is_sha_256_and_every_byte_is_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let mut heard = 0;
        assert_eq!(of(file.path(), |bytes| heard = bytes).unwrap(), ABC);
        assert_eq!(heard, 3);
        assert!(of(Path::new("/nowhere"), |_| ()).is_err());
    }

    #[test]
    fn sums_are_found_in_every_form_they_are_written_in() {
        let folder = tempfile::tempdir().unwrap();
        let model = Weights::model(folder.path().join("x.gguf"));
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let found = || recorded(&model).unwrap().map(|recorded| recorded.sum);
        assert_eq!(found(), None);
        let other = ABC.replace('b', "c");
        write("SHA256SUMS", &format!("{other}  y.gguf\n{ABC} *models/x.gguf\n"));
        assert_eq!(found(), Some(ABC.into()));
        write("SHA256SUMS", &format!("{other}  old/x.gguf\n{ABC}  ./x.gguf\n"));
        assert_eq!(found(), Some(ABC.into()), "the file's own line");
        write("SHA256SUMS", &format!("{other}  y.gguf\n"));
        assert_eq!(found(), None);
        for text in [
            ABC.to_string(),
            format!("{}\n", ABC.to_uppercase()),
            format!("{ABC}  x.gguf\n"),
            format!("{ABC}  what it was called before\n"),
            format!("SHA256 (x.gguf) = {ABC}\n"),
            format!("{other}  y.gguf\n{ABC}  x.gguf\n"),
        ] {
            write("x.gguf.sha256", &text);
            assert_eq!(found(), Some(ABC.into()), "{text}");
        }
        let long = "x".repeat(limits::SUMS_BYTES_MAX as usize + 1);
        for text in ["", "a sum", &ABC[1..], &format!("{other}  y.gguf\n{other}  z.gguf"), &long] {
            write("x.gguf.sha256", text);
            let cause = recorded(&model).unwrap_err();
            assert!(cause.contains("x.gguf.sha256'"), "{cause}");
        }
    }

    #[test]
    fn the_built_in_files_are_those_that_were_packed() {
        for file in [bundled::model().unwrap(), bundled::adapter().unwrap()] {
            let recorded = recorded(&file).unwrap().expect("a sum");
            assert_eq!(of(&file.path, |_| ()).unwrap(), recorded.sum, "{file}");
        }
    }
}
