//! `solverbox tune`: measures the best thread counts for this model on this machine and saves them.
//!
//! Decoding is limited by the memory, which a few cores can saturate, and each further thread adds
//! waiting; prefill is limited by arithmetic and profits from all cores. Has the engine to itself.
//! `model/tuning.rs` stores the results.

use std::path::Path;

use super::progress_bar::ProgressBar;
use super::{Loading, interrupt};
use crate::engine::bench::{Effort, PassTimer, timed};
use crate::model::fingerprint;
use crate::model::plan::{PlanRequirements, cores};
use crate::model::tuning::{self, Tuned};
use crate::types::error::{Error, Kind, io_cause};

/// Batch sizes whose decoding is measured.
const BATCHES: [u32; 3] = [1, 4, 8];
/// Size of the prefill slice, in tokens: one thread of a slow board takes less than a minute for
/// it.
const SLICE_TOKENS: u32 = 32;
/// Tokens in the context before each pass, as in the middle of an answer.
const DEPTH_TOKENS: u32 = 128;
/// Size of the KV cache for the measurements, in tokens.
const CONTEXT_TOKENS: u32 = 256;
/// Effort per measurement: four thread counts with four kinds of pass take at most a minute, unless
/// a single pass takes longer.
const EFFORT: Effort = Effort { passes: 12, seconds: 3.5 };
/// Every thread count up to this one is tried; above it, only some.
const EACH_UP_TO: u32 = 8;
/// Fewer threads are preferred if they are at most this factor slower: the free cores have other
/// work, and the measurements are no more exact.
const TOLERANCE: f64 = 1.02;

/// The times of one thread count: seconds for each of [`BATCHES`], and for a prefill slice.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ThreadTimes {
    threads: u32,
    decode: [f64; BATCHES.len()],
    slice: f64,
}

/// Measures, prints a table, and saves the best thread counts in `data`.
///
/// # Errors
/// Errors of the model and of writing.
pub fn run(loading: &Loading, data: &Path) -> Result<(), Error> {
    interrupt::leave_nothing_behind()?;
    // An earlier result must not limit this one.
    let most = loading.required.threads.unwrap_or_else(cores);
    let plan = loading.plan_by(|header| {
        let trained = u32::try_from(header.shape.context_tokens).unwrap_or(u32::MAX);
        PlanRequirements {
            threads: Some(most),
            context_tokens: Some(CONTEXT_TOKENS.min(trained)),
            sequences: Some(BATCHES[BATCHES.len() - 1]),
            ..loading.required
        }
    })?;
    let model = fingerprint::of(&plan.model.path).map_err(|error| {
        let what = format!("cannot read {}: {}", plan.model, io_cause(&error));
        Error::new(Kind::NoModel, what, "Check the disk, or copy the file again.")
    })?;
    let tried = numbers(most);
    let mut bar = ProgressBar::start("thread counts");
    let rows = timed(&plan, |bench| {
        bench.fill(DEPTH_TOKENS.min(plan.context_tokens / 2))?;
        let total = tried.len() as u64;
        let row = |(done, &threads)| {
            bar.show(done as u64, total);
            measure(bench, threads)
        };
        tried.iter().enumerate().map(row).collect::<Result<Vec<ThreadTimes>, Error>>()
    })?;
    drop(bar);
    let (threads, decode_threads) = best(&rows);
    let kernels = plan.kernels.name.to_string();
    let tuned = Tuned { model, kernels, cores: cores(), threads, decode_threads };
    tuning::keep(data, &tuned)?;
    super::print(&report(&rows, &tuned, &tuning::file(data)))
}

/// Returns the thread counts to try, ascending up to `most`.
fn numbers(most: u32) -> Vec<u32> {
    let tried = |n: &u32| *n <= EACH_UP_TO || n.is_multiple_of(EACH_UP_TO) || *n + 1 >= most;
    (1..=most).filter(tried).collect()
}

fn measure(bench: &mut PassTimer, threads: u32) -> Result<ThreadTimes, Error> {
    bench.use_threads(threads);
    let mut decode = [0.0; BATCHES.len()];
    for (seconds, batch) in decode.iter_mut().zip(BATCHES) {
        *seconds = bench.side_by_side(batch, EFFORT)?;
    }
    Ok(ThreadTimes { threads, decode, slice: bench.slice(SLICE_TOKENS, EFFORT)? })
}

/// Returns the best thread counts for large passes and, at most as many, for small ones.
///
/// The best is the smallest whose time is within [`TOLERANCE`] of the shortest; batches have equal
/// weight, through the geometric mean of their times.
fn best(rows: &[ThreadTimes]) -> (u32, u32) {
    let threads = smallest(rows.iter().map(|row| (row.threads, row.slice)));
    let mean = |row: &ThreadTimes| row.decode.iter().map(|seconds| seconds.ln()).sum::<f64>();
    let small = rows.iter().filter(|row| row.threads <= threads);
    let decode = small.map(|row| (row.threads, (mean(row) / BATCHES.len() as f64).exp()));
    (threads, smallest(decode))
}

fn smallest(times: impl Iterator<Item = (u32, f64)> + Clone) -> u32 {
    let least = times.clone().map(|(_, seconds)| seconds).fold(f64::INFINITY, f64::min);
    let good = times.filter(|(_, seconds)| *seconds <= least * TOLERANCE);
    good.map(|(threads, _)| threads).min().unwrap_or(1)
}

fn report(rows: &[ThreadTimes], tuned: &Tuned, file: &Path) -> String {
    let mut out = format!("{:<22}", "tokens/s by threads");
    rows.iter().for_each(|row| out += &format!("{:>9}", row.threads));
    let mut line = |name: String, tokens: u32, seconds: &dyn Fn(&ThreadTimes) -> f64| {
        out += &format!("\n{name:<22}");
        rows.iter().for_each(|row| out += &format!("{:>9.1}", f64::from(tokens) / seconds(row)));
    };
    for (at, batch) in BATCHES.into_iter().enumerate() {
        line(format!("decoding {batch}"), batch, &|row| row.decode[at]);
    }
    line(format!("prefill of {SLICE_TOKENS}"), SLICE_TOKENS, &|row| row.slice);
    out + &format!(
        "\n\nthreads for prefill: {}, for decoding: {}; saved in '{}'\n",
        tuned.threads,
        tuned.decode_threads,
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(threads: u32, decode: f64, slice: f64) -> ThreadTimes {
        ThreadTimes { threads, decode: [decode, 2.0 * decode, 3.0 * decode], slice }
    }

    #[test]
    fn fewer_threads_are_taken_where_more_do_not_help() {
        let pi = [row(1, 0.30, 8.0), row(2, 0.16, 4.0), row(3, 0.100, 2.7), row(4, 0.099, 2.0)];
        assert_eq!(best(&pi), (4, 3));
        let clear = [row(1, 0.4, 8.0), row(2, 0.2, 4.0), row(3, 0.14, 2.7), row(4, 0.1, 2.0)];
        assert_eq!(best(&clear), (4, 4));
        assert_eq!(best(&[row(1, 0.1, 1.0), row(2, 0.05, 2.0)]), (1, 1), "a busy second core");
        assert_eq!(best(&[row(1, 0.1, 1.0)]), (1, 1));
    }

    #[test]
    fn every_number_is_tried_of_few_cores_and_the_last_two_of_many() {
        assert_eq!(numbers(1), [1]);
        assert_eq!(numbers(4), [1, 2, 3, 4]);
        assert_eq!(numbers(20), [1, 2, 3, 4, 5, 6, 7, 8, 16, 19, 20]);
        assert!(numbers(crate::types::limits::THREADS_MAX).len() < 20);
    }
}
