//! Creates files atomically: a file appears complete or not at all.
//!
//! The commands that write models use it. Data goes to a temporary file in the same folder; `keep`
//! syncs and renames it. If dropped before that, or discarded by [`abandon_all`] on Ctrl-C, the
//! file leaves nothing behind; the remains of a power cut are removed by the next writer of that
//! name. An existing file is replaced only by a complete one.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FlockOperation, flock};

use crate::types::error::{Error, Kind, io_cause};

/// Temporary files of this process that do not have their final name yet.
static PARTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Whether any file of this process got its final name.
static KEPT: AtomicBool = AtomicBool::new(false);

/// A file being written under a temporary name; dropping it removes the file.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    part: PathBuf,
    to: PathBuf,
}

impl NewFile {
    /// Creates a temporary file that will become `to`, and checks that `bytes` bytes are free.
    ///
    /// # Errors
    /// `bad_request` if no file can be created there; `no_space` with both numbers if the disk is
    /// too full.
    pub fn create(to: &Path, bytes: u64) -> Result<NewFile, Error> {
        match to.metadata() {
            Ok(about) if about.is_dir() => return Err(unwritable(to, "it is a folder")),
            // A device or a pipe, which the rename would replace.
            Ok(about) if !about.is_file() => {
                return Err(unwritable(to, "it is not a regular file"));
            }
            _ => {}
        }
        let Some(name) = to.file_name() else {
            return Err(unwritable(to, "it is not a file name"));
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let part = folder(to).join(hidden);
        let mut parts = PARTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // An existing file belongs to a dead process with this ID, or is a link planted to make us
        // overwrite another file.
        let _ = std::fs::remove_file(&part);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&part);
        let file = file.map_err(|error| unwritable(to, io_cause(&error)))?;
        // Shows other writers of that name that the file is in use; see `remove_orphans`.
        let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
        parts.push(part.clone());
        drop(parts);
        remove_orphans(to, &part);
        let new = NewFile { file, part, to: to.to_path_buf() };
        match new.free_bytes() {
            Some(free) if free < bytes => {
                Err(no_space(to, format!("{bytes} bytes are needed, but {free} are free")))
            }
            _ => Ok(new),
        }
    }

    /// Returns the free space on the file's disk in bytes; `None` if it cannot be determined.
    pub fn free_bytes(&self) -> Option<u64> {
        let space = rustix::fs::fstatvfs(&self.file).ok()?;
        Some(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// Returns the temporary path, for code that opens the file itself.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Appends `bytes` to the file.
    ///
    /// # Errors
    /// `no_space` if the disk is full; `internal` if writing fails otherwise.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let to = &self.to;
        self.file.write_all(bytes).map_err(|error| failed(to, &error))
    }

    /// Sets the file's length, leaving a hole after the written part, so that its start can be
    /// checked before the rest exists. Later writes continue at the former end.
    ///
    /// # Errors
    /// `no_space` if the disk is full; `internal` if the operation fails otherwise.
    pub fn set_length(&self, bytes: u64) -> Result<(), Error> {
        self.file.set_len(bytes).map_err(|error| failed(&self.to, &error))
    }

    /// Syncs the file to disk and renames it to its final name.
    ///
    /// # Errors
    /// `no_space` if the disk is full; `internal` if the operation fails otherwise.
    pub fn keep(self) -> Result<(), Error> {
        let to = &self.to;
        let failed = |error: std::io::Error| failed(to, &error);
        // Opened by name, because other code may have replaced the file at this path.
        File::open(&self.part).and_then(|file| file.sync_all()).map_err(failed)?;
        let parts = PARTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::fs::rename(&self.part, to).map_err(failed)?;
        KEPT.store(true, Ordering::Relaxed);
        drop(parts);
        // The name must be durable too; a file system that cannot sync folders needs no sync.
        let _ = File::open(folder(to)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let mut parts = PARTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        parts.retain(|part| *part != self.part);
        // Fails harmlessly if the file was renamed.
        let _ = std::fs::remove_file(&self.part);
    }
}

/// Removes all unfinished files of this process and blocks any other from being finished or
/// started. For a process that is about to exit. Returns whether any file was finished before.
pub fn abandon_all() -> bool {
    let parts = PARTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for part in parts.iter() {
        let _ = std::fs::remove_file(part);
    }
    std::mem::forget(parts);
    KEPT.load(Ordering::Relaxed)
}

/// Removes temporary files for `to` that killed processes or a power cut left behind: those that no
/// process has locked.
fn remove_orphans(to: &Path, own: &Path) {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let begin = format!(".{name}.");
    let is_part = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(".part"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let entries = std::fs::read_dir(folder(to)).into_iter().flatten().flatten();
    for part in entries.map(|entry| entry.path()).filter(|path| path != own && is_part(path)) {
        let locked = File::open(&part)
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
        if locked && std::fs::remove_file(&part).is_ok() {
            log::info!("removed '{}', which was never finished", part.display());
        }
    }
}

/// Checks that writing `to` would not overwrite `from`, the file being read.
///
/// # Errors
/// `bad_request` if both are the same file, under any name.
pub fn check_other(from: &Path, to: &Path) -> Result<(), Error> {
    let (Ok(a), Ok(b)) = (from.metadata(), to.metadata()) else { return Ok(()) };
    if (a.dev(), a.ino()) != (b.dev(), b.ino()) {
        return Ok(());
    }
    Err(Error::bad_request(
        format!("cannot write '{}': it is the file being read", to.display()),
        "Give the new file another name.",
    ))
}

/// Returns the error for a failed write to `to`: `no_space` or `internal`.
pub fn failed(to: &Path, error: &std::io::Error) -> Error {
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        return no_space(to, io_cause(error));
    }
    let what = format!("cannot write '{}': {}", to.display(), io_cause(error));
    Error::new(Kind::Internal, what, "Check the disk, or write to another disk.")
}

fn no_space(to: &Path, cause: String) -> Error {
    let what = format!("cannot write '{}': {cause}", to.display());
    Error::new(Kind::NoSpace, what, "Free some space there, or write to another disk.")
}

fn unwritable(to: &Path, cause: impl std::fmt::Display) -> Error {
    let what = format!("cannot write '{}': {cause}", to.display());
    Error::bad_request(what, "Name a file in an existing, writable folder.")
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_appears_when_it_is_kept_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("x.gguf");
        std::fs::write(&to, "old").unwrap();
        let mut file = NewFile::create(&to, 3).unwrap();
        file.write(b"n").unwrap();
        file.set_length(3).unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"n\0\0");
        file.write(b"ew").unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"old");
        file.keep().unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["x.gguf"]);
    }

    #[test]
    fn dropped_before_that_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = NewFile::create(&folder.path().join("x.gguf"), 3).unwrap();
        file.write(b"new").unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_a_killed_process_left_behind_is_removed_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".x.gguf.1.part", ".x.gguf.note.part", ".y.gguf.1.part"] {
            std::fs::write(at(name), "half").unwrap();
        }
        let alive = File::create(at(".x.gguf.2.part")).unwrap();
        flock(&alive, FlockOperation::NonBlockingLockExclusive).unwrap();
        NewFile::create(&at("x.gguf"), 0).unwrap().keep().unwrap();
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [".x.gguf.2.part", ".x.gguf.note.part", ".y.gguf.1.part", "x.gguf"]);
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_is() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, bytes| NewFile::create(&folder.path().join(name), bytes).unwrap_err();
        let full = of("x.gguf", u64::MAX);
        assert_eq!(full.kind, Kind::NoSpace);
        assert!(full.message.contains(&u64::MAX.to_string()), "{full}");
        assert_eq!(of("none/x.gguf", 1).kind, Kind::BadRequest);
        assert_eq!(of(".", 1).kind, Kind::BadRequest);
        assert_eq!(of("/proc/x.gguf", 0).kind, Kind::BadRequest);
        assert!(names(folder.path()).is_empty());
        let file = folder.path().join("a");
        std::fs::write(&file, "a").unwrap();
        std::os::unix::fs::symlink(&file, folder.path().join("b")).unwrap();
        assert!(check_other(&file, &folder.path().join("b")).is_err());
        assert!(check_other(&file, &folder.path().join("c")).is_ok());
    }

    #[test]
    fn a_full_disk_is_reported_as_such() {
        let full = std::io::Error::from_raw_os_error(28);
        assert_eq!(failed(Path::new("x"), &full).kind, Kind::NoSpace);
        let broken = std::io::Error::from_raw_os_error(5);
        assert_eq!(failed(Path::new("x"), &broken).kind, Kind::Internal);
    }
}
