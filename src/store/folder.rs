//! The data folder, which belongs to one running solverbox at a time.
//!
//! The process locks a file in it, which the kernel unlocks however the process ends, and writes
//! its address into that file, where `solve` finds it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::types::error::{Error, Kind, io_cause};

const LOCK: &str = "lock";
/// Bytes of a lock file that are read at most.
const LOCK_BYTES_MAX: u64 = 256;

/// A locked data folder; dropping it unlocks it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: File,
}

/// The process that has locked a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// ID of the process.
    pub pid: u32,
    /// Address of its HTTP server, once that listens.
    pub address: Option<SocketAddr>,
}

impl Folder {
    /// Makes the folder if it is missing, and locks it.
    ///
    /// # Errors
    /// `environment` if it cannot be made or written; `busy`, naming the other process, if it is
    /// locked.
    pub fn take(path: &Path) -> Result<Folder, Error> {
        let cannot = |what: &str, error: &std::io::Error| {
            Error::new(
                Kind::Environment,
                format!("cannot {what} the data folder '{}': {}", path.display(), io_cause(error)),
                "Name a writable folder with --data DIR.",
            )
        };
        make(path).map_err(|e| cannot("make", &e))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(path.join(LOCK)).map_err(|e| cannot("write to", &e))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let other = read(&lock).map_or_else(String::new, |other| format!(" {other}"));
            return Err(Error::new(
                Kind::Busy,
                format!("another solverbox{other} is using the data folder '{}'", path.display()),
                "Ask that one, stop it, or name another folder with --data DIR.",
            ));
        }
        let folder = Folder { path: path.to_path_buf(), lock };
        folder.tell(None);
        Ok(folder)
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Publishes the address at which this process listens. If it cannot be written, that is
    /// logged: a full disk must not stop the server.
    pub fn tell(&self, address: Option<SocketAddr>) {
        let address = address.map_or_else(String::new, |address| address.to_string());
        let text = format!("{} {address}\n", std::process::id());
        let mut lock = &self.lock;
        let told = lock
            .set_len(0)
            .and_then(|()| lock.seek(SeekFrom::Start(0)))
            .and_then(|_| lock.write_all(text.as_bytes()));
        if let Err(error) = told {
            log::warn!("cannot write '{}': {}", self.path.join(LOCK).display(), io_cause(&error));
        }
    }

    /// Returns the process that has locked the folder at `path`, if any.
    pub fn neighbour(path: &Path) -> Option<Neighbour> {
        let lock = File::open(path.join(LOCK)).ok()?;
        match flock(&lock, FlockOperation::NonBlockingLockShared) {
            Ok(()) => None,
            Err(_) => read(&lock),
        }
    }
}

impl std::fmt::Display for Neighbour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.address {
            Some(address) => write!(f, "(process {}, at http://{address}/)", self.pid),
            None => write!(f, "(process {})", self.pid),
        }
    }
}

/// Makes a folder and its missing parents, synced so that they survive a power cut.
fn make(path: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for made in missing {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn read(mut lock: &File) -> Option<Neighbour> {
    let mut text = String::new();
    lock.seek(SeekFrom::Start(0)).ok()?;
    lock.take(LOCK_BYTES_MAX).read_to_string(&mut text).ok()?;
    let (pid, address) = text.trim_end_matches('\n').split_once(' ')?;
    Some(Neighbour { pid: pid.parse().ok()?, address: address.parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_boxs_and_tells_others_where_to_ask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        assert_eq!(Folder::neighbour(&path), None);
        let taken = Folder::take(&path).unwrap();
        let pid = std::process::id();
        assert_eq!(Folder::neighbour(&path), Some(Neighbour { pid, address: None }));
        let address = "127.0.0.1:7860".parse().unwrap();
        taken.tell(Some(address));
        assert_eq!(Folder::neighbour(&path), Some(Neighbour { pid, address: Some(address) }));
        let error = Folder::take(&path).unwrap_err();
        assert_eq!(error.kind, Kind::Busy);
        assert!(error.message.contains("http://127.0.0.1:7860/"), "{error}");
        drop(taken);
        assert_eq!(Folder::neighbour(&path), None);
        Folder::take(&path).unwrap();
    }
}
