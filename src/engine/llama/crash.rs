//! Records which jobs were in the batch when the process crashed.
//!
//! A failed C++ assertion or a fault in a kernel ends the whole process. So the engine thread
//! publishes the jobs it is working on, and a handler of the signals that a program's own faults
//! raise writes them to a file. A kill, a power cut and a lack of memory record nothing, and
//! neither does a crash of a thread other than the engine's and its kernels': no job caused those.
//! At the next start, the recorded jobs are the suspects.

use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use crate::types::job::JobId;
use crate::types::limits;

/// The name of the engine's thread, and of its kernels' threads: a thread inherits the name of the
/// one that created it until it gets its own.
pub const THREAD: &str = "engine";

/// The jobs of a batch, and the one being prepared.
const JOBS_MAX: usize = limits::SEQUENCES_MAX as usize + 1;

/// Job numbers; 0 for none. The last entry is the job being prepared.
static JOBS: [AtomicU64; JOBS_MAX] = [const { AtomicU64::new(0) }; JOBS_MAX];

/// The descriptor to write to; -1 for none.
static FILE: AtomicI32 = AtomicI32::new(-1);

const SIGNALS: [libc::c_int; 5] =
    [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// Publishes the jobs of the next batch.
pub fn set_jobs_in_batch(jobs: impl Iterator<Item = JobId>) {
    let mut jobs = jobs;
    for entry in &JOBS[..JOBS_MAX - 1] {
        entry.store(jobs.next().map_or(0, |job| job.0), Ordering::Relaxed);
    }
}

/// Publishes the job whose question is being prepared.
pub fn set_job_in_preparation(job: Option<JobId>) {
    JOBS[JOBS_MAX - 1].store(job.map_or(0, |job| job.0), Ordering::Relaxed);
}

/// Returns the jobs the engine is working on now, sorted.
pub fn jobs_in_batch() -> Vec<JobId> {
    let jobs = JOBS.iter().map(|entry| entry.load(Ordering::Relaxed));
    let mut jobs: Vec<JobId> = jobs.filter(|&job| job != 0).map(JobId).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

/// Decodes the jobs that a crash wrote to its file; ignores an incomplete number at the end.
pub fn read(bytes: &[u8]) -> Vec<JobId> {
    let (numbers, _) = bytes.as_chunks::<8>();
    let mut jobs: Vec<JobId> =
        numbers.iter().map(|&n| JobId(u64::from_ne_bytes(n))).filter(|job| job.0 != 0).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

/// Makes a crash of the process write the jobs in the batch to `file`, which must be empty. May be
/// called once in the life of the process.
///
/// # Errors
/// Those of sigaction(2).
pub fn arm(file: File) -> io::Result<()> {
    // The descriptor stays open as long as the process lives.
    FILE.store(file.into_raw_fd(), Ordering::SeqCst);
    for signal in SIGNALS {
        // SAFETY: an all-zero sigaction is a valid value of that plain C structure, with an empty
        // mask (sigemptyset(3) makes no other on Linux).
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_crash as *const () as libc::sighandler_t;
        // On the stack Rust keeps for handlers, because the usual one may have overflowed; and only
        // once, so that the default action follows.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
        // SAFETY: `action` is a whole sigaction that outlives the call; the handler has the
        // signature SA_SIGINFO asks for and does only what signal-safety(7) allows.
        let set = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn on_crash(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the kernel hands a handler with SA_SIGINFO a valid siginfo_t.
    let info = unsafe { info.as_ref() };
    let file = FILE.load(Ordering::Relaxed);
    if file >= 0 && (is_sent_by_another(info) || is_engine()) {
        // SAFETY: an array of 8-byte atomics has the layout of an array of integers; write(2) reads
        // as many bytes as the array has, and is allowed in a handler. Its result cannot be used.
        unsafe { libc::write(file, JOBS.as_ptr().cast(), size_of_val(&JOBS)) };
    }
    let was_sent = info.is_none_or(|info| info.si_code <= 0);
    if was_sent {
        // A fault repeats once this returns and then ends the process; a signal that was sent, as
        // abort(3) does, must be sent again.
        // SAFETY: raise(3) is allowed in a handler and takes any signal's number.
        unsafe { libc::raise(signal) };
    }
}

/// Returns whether another process sent the signal, as a watchdog does to a process that hangs.
/// Then the thread that received it means nothing.
fn is_sent_by_another(info: Option<&libc::siginfo_t>) -> bool {
    let Some(info) = info.filter(|info| info.si_code <= 0) else { return false };
    // SAFETY: a signal that was sent has its sender where si_pid reads; getpid(2) is allowed in a
    // handler.
    unsafe { info.si_pid() != libc::getpid() }
}

/// Returns whether this thread is the engine's or one of its kernels'.
fn is_engine() -> bool {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes at most 16 bytes; prctl(2) is a plain system call.
    let got = unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    got == 0 && name.starts_with(THREAD.as_bytes())
}

#[cfg(test)]
mod tests;
