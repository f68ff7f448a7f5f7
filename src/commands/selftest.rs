//! `solverbox selftest`: shows that the kernels in use compute correctly on this processor.
//!
//! A workshop command: it asks the engine directly. It loads no model.

use std::time::Instant;

use crate::engine;
use crate::model;
use crate::words::error::Error;
use crate::words::kernels::KernelSet;

/// Runs the self-test of `kernels`, on all cores unless `threads` says otherwise, and prints one
/// line a check, then how many passed and the time it took.
///
/// # Errors
/// `internal`, naming the checks that failed, after they were printed; or where it cannot run.
pub fn run(kernels: &KernelSet, threads: Option<u32>) -> Result<(), Error> {
    let start = Instant::now();
    let checks = engine::selftest(kernels, threads.unwrap_or_else(model::plan::cores))?;
    let millis = start.elapsed().as_secs_f64() * 1000.0;
    let lines: String = checks.iter().map(line).collect();
    let passed = checks.iter().filter(|check| check.result.is_ok()).count();
    let count = checks.len();
    super::print(&format!(
        "{lines}{passed} of {count} checks of {} passed in {millis:.0} ms\n",
        kernels.name
    ))?;
    engine::judge(&checks)
}

fn line(check: &engine::Check) -> String {
    match &check.result {
        Ok(share) => {
            format!("{:<46} ok     {:>5.1} % of its bound\n", check.name, share * 100.0)
        }
        Err(reason) => format!("{:<46} FAILED {reason}\n", check.name),
    }
}
