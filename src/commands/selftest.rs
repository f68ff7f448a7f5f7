//! `solverbox selftest`: checks that the kernels compute correctly on this CPU.
//!
//! Uses the engine directly, with the demo model.

use std::time::Instant;

use crate::engine;
use crate::engine::Passed;
use crate::model::available::available;
use crate::model::plan::{PlanRequirements, plan};
use crate::model::{self, bundled};
use crate::types::error::Error;
use crate::types::kernels::KernelSet;
use crate::types::limits;
use crate::types::plan::{KvType, Pacing};

/// Runs the self-test of `kernels`, on all cores unless `threads` is given, and prints one line per
/// check, then the number passed and the time.
///
/// # Errors
/// `internal` naming the failed checks, after printing, or if the test cannot run.
pub fn run(kernels: &'static KernelSet, threads: Option<u32>) -> Result<(), Error> {
    let start = Instant::now();
    let required = PlanRequirements {
        pacing: Pacing::default(),
        context_tokens: Some(limits::CONTEXT_TOKENS_MIN),
        sequences: Some(1),
        kv: Some(KvType::F16),
        kernels,
        threads,
        question_tokens_max: Some(limits::CONTEXT_TOKENS_MIN),
    };
    let plan = plan(&model::open(&bundled::model()?)?, &[], required, &available())?;
    let checks = engine::selftest(&plan)?;
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
        Ok(Passed::Within(share)) => {
            format!("{:<46} ok     {:>5.1} % of its bound\n", check.name, share * 100.0)
        }
        Ok(Passed::Right) => format!("{:<46} ok     the right answer\n", check.name),
        Err(reason) => format!("{:<46} FAILED {reason}\n", check.name),
    }
}
