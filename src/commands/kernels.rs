//! `solverbox kernels`: the kernel sets in this build, what each needs, which runs and why.

use crate::engine::kernels::{choose, missing};
use crate::types::error::Error;
use crate::types::kernels::{KernelSet, SETS};

/// Prints the sets from the best to the most modest.
///
/// # Errors
/// Those of [`choose`], after the list: a set that is asked for and cannot run.
pub fn run(asked: Option<&str>) -> Result<(), Error> {
    let chosen = choose(asked);
    let runs = chosen.as_ref().ok().map(|set| set.name);
    let why = if asked.is_some() { "it was asked for" } else { "the best that can run here" };
    let lines = SETS.iter().rev().map(|set| describe(set, runs, why));
    super::print(&lines.collect::<String>())?;
    chosen.map(|_| ())
}

fn describe(set: &KernelSet, runs: Option<&str>, why: &str) -> String {
    let lacks = missing(set);
    let state = match lacks.as_slice() {
        _ if runs == Some(set.name) => format!("runs: {why}"),
        [] => "can run here".to_string(),
        lacks => format!("cannot run here: this machine has no {}", lacks.join(", ")),
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
