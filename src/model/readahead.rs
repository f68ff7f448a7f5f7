//! Reads a model file into the page cache ahead of its use.
//!
//! `commands` start this with the process, so that the disk is busy while the header is planned and
//! the kernels are checked, and while weights are repacked. It never reads more than fits in memory
//! in addition to the plan, because pages read too early would only be evicted. Errors are ignored:
//! the loader reads the file itself and reports them.

use std::fs::File;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::types::limits;

/// A read-ahead in progress; dropping it stops the reading soon after.
pub struct ReadAhead {
    /// Sends the offset up to which the file may be read.
    allowed: Sender<u64>,
}

/// Starts reading the first `READ_AHEAD_FIRST_BYTES` of a file in the background.
pub fn start(path: &Path) -> ReadAhead {
    let (allowed, limits) = channel();
    let _ = allowed.send(limits::READ_AHEAD_FIRST_BYTES);
    let path = path.to_path_buf();
    let thread = std::thread::Builder::new().name("read-ahead".into());
    if let Err(error) = thread.spawn(move || read(&path, &limits)) {
        log::debug!("cannot read the model ahead: {error}");
    }
    ReadAhead { allowed }
}

impl ReadAhead {
    /// Lets the reading continue in the background up to the file's byte `end`.
    pub fn finish(self, end: u64) {
        // Fails if the thread has already ended because of a read error.
        let _ = self.allowed.send(end);
    }
}

/// Requests the file from the operating system up to each limit received, until the channel closes.
/// Returns the number of bytes requested. Nothing is copied: cached pages cost almost nothing, and
/// the call blocks while the disk's queue is full.
fn read(path: &Path, limits: &Receiver<u64>) -> std::io::Result<u64> {
    let about = std::fs::metadata(path)?;
    if !about.is_file() {
        return Ok(0);
    }
    let file = File::open(path)?;
    let mut done = 0;
    for limit in limits {
        let limit = limit.min(about.len());
        while let Some(wanted) = NonZeroU64::new(limit.saturating_sub(done)) {
            let wanted = wanted.min(limits::READ_AHEAD_CHUNK_BYTES);
            rustix::fs::fadvise(&file, done, Some(wanted), rustix::fs::Advice::WillNeed)?;
            done += wanted.get();
        }
        if done == about.len() {
            break;
        }
    }
    log::debug!("{} MiB of the model were read ahead", done >> 20);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: usize) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; bytes]).unwrap();
        file
    }

    #[test]
    fn it_reads_up_to_the_limits_it_is_given_and_no_further() {
        let file = file(5000);
        let (allowed, limits) = channel();
        [100, 3000, 2000].into_iter().for_each(|limit| allowed.send(limit).unwrap());
        drop(allowed);
        assert_eq!(read(file.path(), &limits).unwrap(), 3000);
    }

    #[test]
    fn the_end_of_the_file_ends_it() {
        let file = file(5000);
        let (allowed, limits) = channel();
        allowed.send(u64::MAX).unwrap();
        assert_eq!(read(file.path(), &limits).unwrap(), 5000, "though it may be raised again");
    }

    #[test]
    fn a_file_that_is_not_there_or_no_file_is_left_to_the_loader() {
        let (allowed, limits) = channel();
        allowed.send(u64::MAX).unwrap();
        drop(allowed);
        assert!(read(Path::new("/nowhere/x.gguf"), &limits).is_err());
        assert_eq!(read(Path::new("/dev"), &limits).unwrap(), 0);
        start(Path::new("/nowhere/x.gguf")).finish(u64::MAX);
    }
}
