//! Sockets with deadlines: poll(2), and reads and writes that never block.
//!
//! Every wait of the gate goes through here, so that each has a deadline and notices a hang-up.
//! Sockets stay in blocking mode; each call asks for itself not to block.

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

/// The peer is gone, whether it closed properly or not; no more bytes can be sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Waits until one of `fds` has an event or `deadline` passes; returns false for the latter.
///
/// # Errors
/// [`Gone`] if the kernel refuses to wait (no memory), as there is nothing to do but hang up.
pub fn wait_any(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<bool, Gone> {
    loop {
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        // A timeout too long for the kernel's clock type becomes an infinite one.
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(_) => return Err(Gone),
        }
    }
}

/// Waits until `socket` has one of `events` (or an error), or `deadline` passes: then false.
///
/// After the deadline it is false even if there are events: dripping bytes do not extend it.
pub fn wait(socket: &impl AsFd, events: PollFlags, deadline: Instant) -> Result<bool, Gone> {
    if Instant::now() >= deadline {
        return Ok(false);
    }
    wait_any(&mut [PollFd::new(socket, events)], Some(deadline))
}

/// Reads what is there into `buffer`; 0 means nothing yet.
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> Result<usize, Gone> {
    match rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT) {
        Ok((_, 0)) => Err(Gone),
        Ok((_, count)) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(_) => Err(Gone),
    }
}

/// Writes what the kernel takes of `bytes`; 0 means nothing now.
pub fn send(socket: &impl AsFd, bytes: &[u8]) -> Result<usize, Gone> {
    match rustix::net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(count) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(_) => Err(Gone),
    }
}

/// Writes all of `bytes` before `deadline`; short messages only, as nothing is read meanwhile.
pub fn send_all(socket: &impl AsFd, mut bytes: &[u8], deadline: Instant) -> Result<(), Gone> {
    while !bytes.is_empty() {
        let count = send(socket, bytes)?;
        bytes = &bytes[count..];
        if count == 0 && !wait(socket, PollFlags::OUT, deadline)? {
            return Err(Gone);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    #[test]
    fn bytes_that_are_there_do_not_extend_a_deadline() {
        let (mut near, far) = UnixStream::pair().expect("sockets");
        near.write_all(b"x").expect("sent");
        let later = Instant::now() + Duration::from_secs(20);
        assert_eq!(wait(&far, PollFlags::IN, later), Ok(true));
        assert_eq!(wait(&far, PollFlags::IN, Instant::now()), Ok(false));
    }

    #[test]
    fn a_closed_end_is_gone_and_a_silent_one_is_not() {
        let (near, far) = UnixStream::pair().expect("sockets");
        assert_eq!(receive(&far, &mut [0; 8]), Ok(0));
        drop(near);
        assert_eq!(receive(&far, &mut [0; 8]), Err(Gone));
        assert_eq!(send(&far, b"x"), Err(Gone));
    }
}
