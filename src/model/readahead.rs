//! Has a model file read into the page cache readahead of whoever loads it.
//!
//! `commands` start it with the process, so that the disk works while the header is planned and
//! the kernels are checked, and goes on while weights are repacked. It never reads more than fits
//! beside what the plan needs: a page read too early would only be thrown out again. Whether it
//! succeeds is nobody's concern: the loader reads the file itself and reports what is wrong.

use std::fs::File;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::types::limits;

/// A file being read readahead; stops soon after it is dropped.
pub struct ReadAhead {
    /// Hears up to which byte of the file may be read.
    allowed: Sender<u64>,
}

/// Starts reading the first `READ_AHEAD_FIRST_BYTES` of a file in the background.
pub fn start(path: &Path) -> ReadAhead {
    let (allowed, limits) = channel();
    let _ = allowed.send(limits::READ_AHEAD_FIRST_BYTES);
    let path = path.to_path_buf();
    let thread = std::thread::Builder::new().name("read-readahead".into());
    if let Err(error) = thread.spawn(move || read(&path, &limits)) {
        log::debug!("the model is not read readahead: {error}");
    }
    ReadAhead { allowed }
}

impl ReadAhead {
    /// Lets it read on to the file's byte `end`, and lets go of it.
    pub fn finish(self, end: u64) {
        // Fails where the reading has failed and ended already.
        let _ = self.allowed.send(end);
    }
}

/// Asks the kernel for the file up to each limit it hears, until nobody raises it any more; returns
/// the bytes asked for. Nothing is copied: what is cached already costs next to nothing, and the
/// kernel makes it wait where the disk has enough to do.
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
    log::debug!("{} MiB of the model were read readahead", done >> 20);
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
