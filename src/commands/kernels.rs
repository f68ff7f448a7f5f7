//! `solverbox kernels`: the kernel sets in this build, the CPU features each needs, and which is
//! used and why.

use crate::engine::kernels::{choose, missing};
use crate::types::error::Error;
use crate::types::kernels::{KernelSet, SETS};

/// Prints the sets, the best first.
///
/// # Errors
/// Errors of [`choose`], after the list: a requested set cannot run here.
pub fn run(asked: Option<&str>) -> Result<(), Error> {
    let chosen = choose(asked);
    let runs = chosen.as_ref().ok().map(|set| set.name);
    let why = if asked.is_some() { "as requested" } else { "the best that can run here" };
    let lines = SETS.iter().rev().map(|set| describe(set, runs, why));
    super::print(&lines.collect::<String>())?;
    chosen.map(|_| ())
}

fn describe(set: &KernelSet, runs: Option<&str>, why: &str) -> String {
    let lacks = missing(set);
    let state = match lacks.as_slice() {
        _ if runs == Some(set.name) => format!("runs: {why}"),
        [] => "can run here".to_string(),
        lacks => format!("cannot run here: this CPU lacks {}", lacks.join(", ")),
    };
    let repacks = if set.repacks.is_empty() { "nothing".into() } else { set.repacks.join(", ") };
    format!(
        "{:<16} {state}\n{:16} needs {}\n{:16} repacks {repacks}\n",
        set.name,
        "",
        set.needs().collect::<Vec<_>>().join(", "),
        ""
    )
}
