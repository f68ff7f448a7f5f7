//! The kernel self-test: does the set of CPU kernels in use compute correctly on this processor?
//!
//! Called by the command `selftest`, and by `serve` before it loads. Each check runs one operation
//! of ggml on fixed data and compares the result with scalar sums in f64, within a bound derived
//! from how the kernels round; `product`, `attention` and `elementwise` state it. It needs
//! llama.cpp's CPU kernels registered, but no model, and prints nothing. `answers`, which only the
//! command calls, is the other end: whole answers of the demo model.

pub mod answers;
mod attention;
mod elementwise;
mod expected;
mod noise;
mod product;
#[cfg(test)]
mod tests;

use super::llama::graph::{Cpu, Op, Place, Tensor};
use crate::types::error::{Error, Kind};
use expected::Expected;

/// Failures named one by one; more are counted.
const NAMED_MAX: usize = 4;

/// One known-answer test that was run.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was computed, such as `q4_0 × 33 rows, repacked`.
    pub name: String,
    /// How well; or where it is off and how far.
    pub result: Result<Passed, String>,
}

/// How a check passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Passed {
    /// Its values used this share of their error bound at most, 0 to 1.
    Within(f64),
    /// It is the one right answer.
    Right,
}

/// Runs all checks on one thread, and those where threads share a row's work also on `threads`.
///
/// Blocks for 30 to 100 ms; on a machine busy with other things longer, as ggml's threads wait for
/// each other without sleeping.
///
/// The CPU kernels must be registered with ggml, as starting llama.cpp does. Kinds of weights the
/// set does not repack have only their plain check.
///
/// # Errors
/// `internal` or `no_memory` where the kernels cannot be run at all. Wrong results are no error
/// here: see [`judge`].
pub fn run(threads: u32) -> Result<Vec<Check>, Error> {
    let cpu = Cpu::open()?;
    let mut checks = Vec::new();
    product::run(&cpu, threads, &mut checks)?;
    attention::run(&cpu, threads, &mut checks)?;
    elementwise::run(&cpu, &mut checks)?;
    Ok(checks)
}

/// Makes one error of the checks that failed.
///
/// # Errors
/// `internal`, naming them.
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
        format!("the kernels in use compute wrongly on this processor: {which}"),
        "Choose another set with --kernels NAME; if every set fails, the board is faulty: \
         replace it.",
    ))
}

/// How many threads a check runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    /// One: the kernel alone, on whole rows.
    One,
    /// One, then so many: their shares of a row have other lengths.
    Several(u32),
}

/// Runs an operation and compares; `None` where the set does not do it with the first input there.
fn check(
    cpu: &Cpu,
    threads: Threads,
    (op, inputs, place): (Op, &[Tensor], Place),
    (expected, columns): (&Expected, usize),
) -> Result<Option<Result<Passed, String>>, Error> {
    let counts = match threads {
        Threads::Several(threads) if threads > 1 => vec![1, threads],
        _ => vec![1],
    };
    let mut largest = 0f64;
    for count in counts {
        cpu.use_threads(count);
        let Some(got) = cpu.run(op, inputs, place)? else { return Ok(None) };
        match expected.compare(&got, columns) {
            Ok(share) => largest = largest.max(share),
            Err(reason) => return Ok(Some(Err(format!("with {count} thread(s): {reason}")))),
        }
    }
    Ok(Some(Ok(Passed::Within(largest))))
}

/// Says that the set lacks an operation every set has.
fn lacks(name: &str) -> Error {
    Error::internal(format!("the kernels in use cannot do {name}"))
}
