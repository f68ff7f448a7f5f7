//! Who was aboard when the process crashed.
//!
//! A C++ assertion or a fault of the kernels takes the whole process with it. So the engine's
//! thread says whose questions it is at work on, and a handler of the signals a program dies of by
//! its own fault writes that into a file. A kill, a power cut and a lack of memory leave no word:
//! they are nobody's fault, and neither is a crash of another thread than the engine's and its
//! kernels'. What is read back at the next start counts against those jobs alone.

use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use crate::types::job::JobId;
use crate::types::limits;

/// What the engine's thread is called, and with it the threads of its kernels: a thread has the
/// name of who made it until it gets its own.
pub const THREAD: &str = "engine";

/// The jobs of a step, and the one being prepared.
const PLACES: usize = limits::SEQUENCES_MAX as usize + 1;

/// Numbers of jobs; 0 for none.
static ABOARD: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];

/// The descriptor to write to; -1 for none.
static FILE: AtomicI32 = AtomicI32::new(-1);

const SIGNALS: [libc::c_int; 5] =
    [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// Says whose questions the next step is for.
pub fn set_jobs_in_batch(jobs: impl Iterator<Item = JobId>) {
    let mut jobs = jobs;
    for place in &ABOARD[..PLACES - 1] {
        place.store(jobs.next().map_or(0, |job| job.0), Ordering::Relaxed);
    }
}

/// Says whose question is being prepared.
pub fn prepare(job: Option<JobId>) {
    ABOARD[PLACES - 1].store(job.map_or(0, |job| job.0), Ordering::Relaxed);
}

/// Returns who is aboard.
pub fn jobs_in_batch() -> Vec<JobId> {
    let jobs = ABOARD.iter().map(|place| place.load(Ordering::Relaxed));
    let mut jobs: Vec<JobId> = jobs.filter(|&job| job != 0).map(JobId).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

/// Reads what a handler wrote; bytes that are no whole number are left out.
pub fn read(bytes: &[u8]) -> Vec<JobId> {
    let (numbers, _) = bytes.as_chunks::<8>();
    let mut jobs: Vec<JobId> =
        numbers.iter().map(|&n| JobId(u64::from_ne_bytes(n))).filter(|job| job.0 != 0).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

/// Has who is aboard written to `file`, which is empty, where the process crashes. Once for the
/// life of the process.
///
/// # Errors
/// Where the handlers cannot be set.
pub fn arm(file: File) -> io::Result<()> {
    // The descriptor is meant to live as long as the process.
    FILE.store(file.into_raw_fd(), Ordering::SeqCst);
    for signal in SIGNALS {
        // SAFETY: an all-zero sigaction is a valid value of that plain C structure, with an empty
        // mask (sigemptyset(3) makes no other on Linux).
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_crash as *const () as libc::sighandler_t;
        // On the stack Rust keeps for handlers, as the fault may be that the usual one is used up;
        // and once, so that what happened before we came happens after us.
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
        // SAFETY: atomics of 8 bytes lie one after the other as plain numbers do; write(2) reads as
        // many bytes as the array has, and is allowed in a handler. What it answers is of no use.
        unsafe { libc::write(file, ABOARD.as_ptr().cast(), size_of_val(&ABOARD)) };
    }
    let was_sent = info.is_none_or(|info| info.si_code <= 0);
    if was_sent {
        // A fault happens again by itself once this returns, and then ends the process; a signal
        // that was sent, as abort(3) does, has to be sent again.
        // SAFETY: raise(3) is allowed in a handler and takes any signal's number.
        unsafe { libc::raise(signal) };
    }
}

/// Returns whether another process sent the signal, as a watchdog does to a box that hangs: which
/// thread heard it says nothing then.
fn is_sent_by_another(info: Option<&libc::siginfo_t>) -> bool {
    let Some(info) = info.filter(|info| info.si_code <= 0) else { return false };
    // SAFETY: a signal that was sent has its sender in the place si_pid reads; getpid(2) is allowed
    // in a handler.
    unsafe { info.si_pid() != libc::getpid() }
}

/// Returns whether this thread is the engine's or one of its kernels'.
fn is_engine() -> bool {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes 16 bytes at most and is a system call of its own.
    let got = unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    got == 0 && name.starts_with(THREAD.as_bytes())
}

#[cfg(test)]
mod tests;
