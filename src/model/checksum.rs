//! SHA-256 of a file, and the sum that is on record for it.
//!
//! The record is `FILE.sha256` beside the file, else the line with the file's name in a
//! `SHA256SUMS` of its folder; the built-in files' is the one they were packed with. Forms: what
//! sha256sum writes (`HEX  NAME`), what BSD's writes (`SHA256 (NAME) = HEX`), and in a file of its
//! own `HEX` alone.

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

/// A sum in 64 lower-case hexadecimal digits.
pub type Sha256Hex = String;

/// A sum that is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The sum.
    pub sum: Sha256Hex,
    /// Where it is recorded.
    pub place: String,
}

/// Reads a whole file and returns its sum; `read` hears the bytes read so far.
///
/// # Errors
/// Those of reading it.
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

/// Finds the sum on record for a file, `None` where there is none.
///
/// # Errors
/// Why a record that is there cannot be used, naming it.
pub fn recorded(file: &Weights) -> Result<Option<Recorded>, String> {
    if let Origin::BuiltIn(name) = file.origin {
        let sum = find(bundled::SUMS, bundled::file_name(name));
        return Ok(sum.map(|sum| Recorded { sum, place: "the program".into() }));
    }
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    let beside = PathBuf::from(format!("{}.sha256", file.path.display()));
    if let Some(text) = text(&beside)? {
        let sum = alone(&text).or_else(|| find(&text, &name));
        let place = beside.display().to_string();
        return match sum {
            Some(sum) => Ok(Some(Recorded { sum, place })),
            None => Err(format!("'{place}' has no checksum for it")),
        };
    }
    let list = file.path.with_file_name("SHA256SUMS");
    let sum = text(&list)?.and_then(|text| find(&text, &name));
    Ok(sum.map(|sum| Recorded { sum, place: list.display().to_string() }))
}

/// Reads a file of sums, `None` where there is none.
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
    String::from_utf8(bytes).map(Some).map_err(|_| cannot("it is not UTF-8 text"))
}

/// Returns the sum of a text that has only one, whatever it is of.
fn alone(text: &str) -> Option<Sha256Hex> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    sum(line).or_else(|| named(line).map(|(_, sum)| sum))
}

/// Finds the sum of the file `name` in a list.
pub fn find(text: &str, name: &str) -> Option<Sha256Hex> {
    let lines: Vec<(&str, Sha256Hex)> =
        text.lines().filter_map(|line| named(line.trim())).collect();
    let here = |of: &str| of.strip_prefix("./").unwrap_or(of) == name;
    // A list may have been made in another folder; one of the same name there comes second.
    let anywhere = |of: &str| Path::new(of).file_name().is_some_and(|file| file == name);
    let found = lines.iter().find(|(of, _)| here(of));
    found.or_else(|| lines.iter().find(|(of, _)| anywhere(of))).map(|(_, sum)| sum.clone())
}

/// Reads a line that says of which file it is.
fn named(line: &str) -> Option<(&str, Sha256Hex)> {
    if let Some((name, digits)) = line.strip_prefix("SHA256 (").and_then(|l| l.rsplit_once(") = "))
    {
        return Some((name, sum(digits)?));
    }
    let (digits, name) = line.split_once(' ')?;
    // A star stands for a file read as bytes, which makes no difference here.
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
