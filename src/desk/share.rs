//! Shared jobs: everybody who has a job's token may read the job, and nothing else.
//!
//! A token is 128 random bits. The journal stores only its hash, in the job's row, so that the
//! token is gone with the job, and a job has one token at most. A door passes on the text that a
//! reader sent as it is.

use std::sync::PoisonError;

use sha2::{Digest, Sha256};

use super::{Desk, Ticket};
use crate::random;
use crate::types::error::{Error, Kind};
use crate::types::job::JobId;

/// Whether the jobs that are shared go too when all jobs of a client are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedJobs {
    /// All jobs are deleted.
    Delete,
    /// Jobs that are shared by a token stay, and can be read with it.
    Keep,
}

/// Returns the hash of a token by which the journal knows it. Other text is hashed too, so that
/// looking for a wrong token takes as long as for one that does not exist.
fn hash(token: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"solverbox share\0").chain_update(token).finalize().into()
}

impl Desk {
    /// Makes a token for a job: 32 hexadecimal digits. An earlier token no longer works. Blocks
    /// until that is on the disk.
    ///
    /// # Errors
    /// `conflict` if the job is not on the disk yet, because its client only listens; `no_space` or
    /// `internal` if the disk cannot be written now, which is tried again.
    pub fn share(&self, job: JobId) -> Result<String, Error> {
        let token = format!("{:032x}", u128::from_ne_bytes(random::bytes()?));
        let hash = hash(&token);
        let Some(journal) = &self.journal else { return Err(not_kept()) };
        // One at a time: of two tokens, the later one would replace the one that is looked for.
        let _one = self.sharing.lock().unwrap_or_else(PoisonError::into_inner);
        journal.share(job, Some(hash));
        self.written()?;
        journal.find_shared(&hash)?.map(|_| token).ok_or_else(not_kept)
    }

    /// Ends the sharing of a job. Blocks until that is on the disk.
    ///
    /// # Errors
    /// `no_space` or `internal` if the disk cannot be written now, which is tried again.
    pub fn unshare(&self, job: JobId) -> Result<(), Error> {
        let _one = self.sharing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(journal) = &self.journal {
            journal.share(job, None);
        }
        self.written()
    }

    /// Returns whether a token shares a job.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn is_shared(&self, token: &str) -> Result<bool, Error> {
        let Some(journal) = &self.journal else { return Ok(false) };
        Ok(journal.find_shared(&hash(token))?.is_some())
    }

    /// Finds the job that a token shares.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn find_shared(&self, token: &str) -> Result<Option<Ticket>, Error> {
        let Some(journal) = &self.journal else { return Ok(None) };
        let name = journal.find_shared(&hash(token))?;
        name.map_or(Ok(None), |name| self.find(name))
    }
}

fn not_kept() -> Error {
    Error::new(
        Kind::Conflict,
        "this question is not on the disk yet",
        "Share it when it has been answered, or ask it as a job.",
    )
}
