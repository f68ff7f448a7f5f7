//! Files that only the box's own user may read, replaced atomically.
//!
//! Credentials are kept in them: the cookies' secret, the hash of the owner's PIN, the list of API
//! keys. A power cut leaves the old file or the new one; a leftover temporary file is overwritten
//! next time.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::types::error::{Error, Kind, io_cause};

/// Reads `file`; `None` if it does not exist.
///
/// # Errors
/// If it cannot be read or is longer than `bytes_max` bytes.
pub fn read(file: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    opened.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(Some(bytes))
}

/// Reads `file` as text; `None` if it does not exist.
///
/// # Errors
/// The errors of [`read`], and that it is not UTF-8.
pub fn read_text(file: &Path, bytes_max: u64) -> io::Result<Option<String>> {
    let bytes = read(file, bytes_max)?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| io::Error::other("it is not UTF-8 text"))
}

/// Creates or replaces `file`, readable by its owner alone. The change is durable on return.
///
/// # Errors
/// `no_space` if the disk is full, `environment` if it cannot be written for another reason.
pub fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let part = part_of(file);
    let written = write_part(&part, bytes).and_then(|()| std::fs::rename(&part, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(|error| unwritable(file, &error))?;
    sync_folder(file);
    Ok(())
}

/// Removes `file`; returns whether it existed.
///
/// # Errors
/// `environment` if it cannot be removed.
pub fn remove(file: &Path) -> Result<bool, Error> {
    match std::fs::remove_file(file) {
        Ok(()) => {
            sync_folder(file);
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unwritable(file, &error)),
    }
}

/// Encodes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes the form that [`hex`] writes, of exactly `N` bytes.
pub fn unhex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() != 2 * N || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(".part");
    file.with_file_name(name)
}

fn write_part(part: &Path, bytes: &[u8]) -> io::Result<()> {
    // Left by a power cut, or a link planted to have another file overwritten.
    match std::fs::remove_file(part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    new.write_all(bytes)?;
    new.sync_all()
}

/// Makes a rename durable; a file system that cannot sync folders does so by itself.
fn sync_folder(file: &Path) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
}

fn unwritable(file: &Path, error: &io::Error) -> Error {
    let what = format!("cannot write '{}': {}", file.display(), io_cause(error));
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::new(Kind::NoSpace, what, "Free some space there.")
        }
        _ => Error::new(
            Kind::Environment,
            what,
            "Make its folder writable for the user that runs solverbox.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;
    use crate::random;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        assert_eq!(read(&file, 9).unwrap(), None);
        let other = folder.path().join("other");
        std::fs::write(&other, "untouched").unwrap();
        symlink(&other, part_of(&file)).unwrap();
        for text in ["old", "new"] {
            write(&file, text.as_bytes()).unwrap();
            assert_eq!(read_text(&file, 9).unwrap().as_deref(), Some(text));
            assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_to_string(other).unwrap(), "untouched");
        assert!(!part_of(&file).exists());
        assert!(read(&file, 2).is_err(), "it has three bytes");
        assert!(remove(&file).unwrap() && !remove(&file).unwrap());
        assert!(write(&folder.path().join("none/secret"), b"").is_err());
    }

    #[test]
    fn random_bytes_differ_and_can_be_written_down() {
        let (a, b) = (random::bytes::<32>().unwrap(), random::bytes::<32>().unwrap());
        assert_ne!(a, b);
        assert_eq!(unhex(&hex(&a)), Some(a));
        assert_eq!(unhex::<2>("00ff"), Some([0, 255]));
        for bad in ["", "00f", "00fg", "00FF", "00ff0", "0+1+", "é0f"] {
            assert_eq!(unhex::<2>(bad), None, "{bad}");
        }
    }
}
