//! Random bytes from the kernel: the one source of seeds, names and secrets.
//!
//! Every room may use it. It offers no generator: sampling has its own, which repeats a sequence
//! from a seed (`engine/sample.rs`).

use std::time::UNIX_EPOCH;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::types::error::Error;

/// Returns `N` unpredictable bytes, fit for secrets. Blocks only right after the machine's boot,
/// until the kernel has gathered entropy (getrandom(2)).
///
/// # Errors
/// `internal` if the kernel provides none.
pub fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(e) => return Err(Error::internal(format!("cannot get random numbers: {e}"))),
        }
    }
    Ok(bytes)
}

/// Returns a seed for sampling. It need not be secret: without random bytes from the kernel it is
/// the clock's nanoseconds.
pub fn seed() -> u64 {
    let clock = || UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64);
    bytes().map_or_else(|_| clock(), u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_differ_each_time() {
        assert_eq!(bytes::<0>().unwrap(), [0; 0]);
        assert_ne!(bytes::<32>().unwrap(), bytes::<32>().unwrap());
        assert_ne!(bytes::<1024>().unwrap()[512..], [0; 512]);
        assert_ne!(seed(), seed());
    }
}
