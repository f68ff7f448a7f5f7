//! The kernel self-test: whether the kernel set in use computes correctly on this CPU.
//!
//! Called by the command `selftest`, and by `serve` before it loads a model. Each check runs one
//! operation of ggml on fixed data and compares the result with scalar sums in f64, within a bound
//! derived from the rounding of the kernels, which `product`, `attention` and `elementwise` state.
//! It needs registered CPU kernels but no model. `answers`, which only the command calls, checks
//! complete answers of the demo model instead.

pub(crate) mod answers;
mod attention;
mod elementwise;
mod expected;
mod noise;
mod product;
#[cfg(test)]
mod tests;

use super::llama::graph::{Cpu, Op, TensorData, WeightLayout};
use crate::types::error::{Error, Kind};
use expected::ExpectedValues;

/// The number of failures an error lists; further ones are counted.
const NAMED_MAX: usize = 4;

/// The result of one known-answer test.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The operation, such as `q4_0 × 33 rows, repacked`, or the question.
    pub name: String,
    /// How it passed, or where the result is wrong and by how much.
    pub result: Result<Passed, String>,
}

/// How a check passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Passed {
    /// The errors used at most this share of their bounds, 0 to 1.
    Within(f64),
    /// It is the only right answer.
    Right,
}

/// Runs all checks on one thread, and those in which threads share a row also on `threads`.
///
/// Blocks for 30 to 100 ms, longer on a busy machine, because ggml's threads spin while they wait
/// for each other.
///
/// The CPU kernels must be registered with ggml, as starting llama.cpp does. Types of weights that
/// the set does not repack have only a plain check.
///
/// # Errors
/// `internal` or `no_memory` if the kernels cannot run at all. Wrong results are not an error here;
/// see [`judge`].
pub(crate) fn run(threads: u32) -> Result<Vec<Check>, Error> {
    let cpu = Cpu::open()?;
    let mut checks = Vec::new();
    product::run(&cpu, threads, &mut checks)?;
    attention::run(&cpu, threads, &mut checks)?;
    elementwise::run(&cpu, &mut checks)?;
    Ok(checks)
}

/// Combines the failed checks into one error.
///
/// # Errors
/// `internal`, naming the first failures, if a check failed or none was run.
pub fn judge(checks: &[Check]) -> Result<(), Error> {
    let failed: Vec<&str> =
        checks.iter().filter(|check| check.result.is_err()).map(|c| c.name.as_str()).collect();
    let which = match failed.len() {
        0 if checks.is_empty() => "nothing was checked".to_string(),
        0 => return Ok(()),
        1..=NAMED_MAX => format!("'{}'", failed.join("', '")),
        count => format!(
            "{count} of {} checks, among them '{}'",
            checks.len(),
            failed[..NAMED_MAX].join("', '")
        ),
    };
    Err(Error::new(
        Kind::Internal,
        format!("the kernels in use compute wrong results on this CPU: {which}"),
        "Choose another set with --kernels NAME; if every set fails, the board is faulty: \
         replace it.",
    ))
}

/// The threads a check runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    /// One thread, which computes whole rows.
    One,
    /// One thread, then this many, whose shares of a row have other lengths.
    Several(u32),
}

/// Runs an operation and compares its result; `None` if the set does not support it with this
/// layout of the first input.
fn check(
    cpu: &Cpu,
    threads: Threads,
    (op, inputs, layout): (Op, &[TensorData], WeightLayout),
    (expected, columns): (&ExpectedValues, usize),
) -> Result<Option<Result<Passed, String>>, Error> {
    let counts = match threads {
        Threads::Several(threads) if threads > 1 => vec![1, threads],
        _ => vec![1],
    };
    let mut largest = 0f64;
    for count in counts {
        cpu.use_threads(count);
        let Some(got) = cpu.run(op, inputs, layout)? else { return Ok(None) };
        match expected.compare(&got, columns) {
            Ok(share) => largest = largest.max(share),
            Err(reason) => return Ok(Some(Err(format!("with {count} thread(s): {reason}")))),
        }
    }
    Ok(Some(Ok(Passed::Within(largest))))
}

/// Returns the error for a set without an operation that every set must have.
fn unsupported(name: &str) -> Error {
    Error::internal(format!("the kernels in use do not support {name}"))
}
