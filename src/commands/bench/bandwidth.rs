//! Measures the memory's read bandwidth, the limit of decoding, which reads all weights in each
//! pass.
//!
//! Each thread streams its own part of a buffer too large for any cache, several times; the fastest
//! time counts, as in McCalpin's STREAM, because a limit is measured.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use crate::types::error::{Error, Kind};
use crate::types::limits;

/// Number of times the buffer is read.
const ROUNDS: usize = 8;
/// Independent sums, so that no addition waits for the previous one.
const LANES: usize = 16;

/// Returns the read bandwidth of `threads` threads together, in bytes/s.
///
/// # Errors
/// `no_memory` if the buffer cannot be allocated.
pub fn bytes_per_second(threads: u32) -> Result<f64, Error> {
    let threads = threads.max(1) as usize;
    let words = limits::BANDWIDTH_BYTES / size_of::<u64>() / threads;
    let mut parts = vec![Vec::new(); threads];
    for part in &mut parts {
        part.try_reserve_exact(words).map_err(|_| no_memory())?;
    }
    let start = Barrier::new(threads);
    let rounds: Vec<Vec<[Instant; 2]>> = std::thread::scope(|scope| {
        let readers: Vec<_> =
            parts.into_iter().map(|part| scope.spawn(|| read(part, words, &start))).collect();
        readers.into_iter().map(|reader| reader.join().unwrap_or_default()).collect()
    });
    let seconds = |round: usize| {
        let spans = rounds.iter().filter_map(|spans| spans.get(round));
        let first = spans.clone().map(|span| span[0]).min();
        let last = spans.map(|span| span[1]).max();
        first.zip(last).map(|(first, last)| (last - first).as_secs_f64())
    };
    let best = (0..ROUNDS).filter_map(seconds).fold(f64::INFINITY, f64::min);
    Ok((threads * words * size_of::<u64>()) as f64 / best.max(f64::MIN_POSITIVE))
}

/// Reads a part once per round, all threads at the same time; returns each round's start and end.
fn read(mut part: Vec<u64>, words: usize, start: &Barrier) -> Vec<[Instant; 2]> {
    // Written first: untouched pages all map to one page of zeros.
    part.extend(0..words as u64);
    let round = |_| {
        start.wait();
        let began = Instant::now();
        black_box(sum(black_box(&part)));
        [began, Instant::now()]
    };
    (0..ROUNDS).map(round).collect()
}

fn sum(words: &[u64]) -> u64 {
    let mut lanes = [0_u64; LANES];
    let (whole, rest) = words.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, word) in lanes.iter_mut().zip(chunk) {
            *lane = lane.wrapping_add(*word);
        }
    }
    lanes.iter().chain(rest).fold(0, |sum, word| sum.wrapping_add(*word))
}

fn no_memory() -> Error {
    let mib = limits::BANDWIDTH_BYTES >> 20;
    let what = format!("measuring the memory's speed needs {mib} MiB, which are not available");
    Error::new(Kind::NoMemory, what, "Free memory first.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read() {
        for length in [0, 1, 15, 16, 17, 1000] {
            let words: Vec<u64> = (1..=length).collect();
            assert_eq!(sum(&words), length * (length + 1) / 2);
        }
        assert_eq!(sum(&[u64::MAX, 2]), 1, "overflow wraps");
    }

    #[test]
    fn memory_is_read_at_some_speed() {
        let speed = bytes_per_second(2).unwrap();
        assert!(speed.is_finite() && speed > 0.0, "{speed}");
    }
}
