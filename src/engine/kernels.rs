//! Selects the best kernel set this CPU can run, or checks the one that was asked for.
//!
//! `types/kernels.rs` lists what each set needs, `cpu_features` detects what the CPU has, and
//! `engine/llama` registers the selected set.

pub use super::cpu_features::missing;

use super::cpu_features::has;
use super::llama::Registered;
use crate::types::error::{Error, Kind};
use crate::types::kernels::{KernelSet, SETS};

/// Returns the best set this CPU can run, or the one named by `asked`.
///
/// # Errors
/// `bad_request` if no set has that name or this CPU lacks a feature it needs; `internal` if this
/// CPU can run no set at all. Each error names what is missing.
pub fn choose(asked: Option<&str>) -> Result<&'static KernelSet, Error> {
    match asked {
        Some(name) => named(name, SETS, &has),
        None => best(SETS, &has),
    }
}

/// Makes `set` llama.cpp's only CPU backend, for programs that call llama.cpp without the engine,
/// as a test does. The engine registers its plan's set itself.
///
/// # Errors
/// `internal` if another backend is registered or this CPU lacks a feature the set needs.
pub fn register(set: &KernelSet) -> Result<(), Error> {
    Registered::register(set).map(|_| ())
}

fn lacking(set: &KernelSet, has: &dyn Fn(&str) -> bool) -> Vec<&'static str> {
    set.needs().filter(|feature| !has(feature)).collect()
}

fn best<'s>(sets: &'s [KernelSet], has: &dyn Fn(&str) -> bool) -> Result<&'s KernelSet, Error> {
    let mut from_best = sets.iter().rev();
    from_best.find(|set| lacking(set, has).is_empty()).ok_or_else(|| {
        let missing = sets.first().map(|set| lacking(set, has).join(", ")).unwrap_or_default();
        Error::new(
            Kind::Internal,
            format!("this CPU can run none of the kernel sets: it lacks {missing}"),
            "Use a machine whose CPU has these features.",
        )
    })
}

fn named<'s>(
    name: &str,
    sets: &'s [KernelSet],
    has: &dyn Fn(&str) -> bool,
) -> Result<&'s KernelSet, Error> {
    let names: Vec<&str> = sets.iter().map(|set| set.name).collect();
    let Some(set) = sets.iter().find(|set| set.name == name) else {
        return Err(Error::bad_request(
            format!("--kernels (or SOLVERBOX_KERNELS): this build has no set '{name}'"),
            format!("Name one of {}, or omit the option to use the best.", names.join(", ")),
        ));
    };
    let missing = lacking(set, has);
    if missing.is_empty() {
        return Ok(set);
    }
    let runs = best(sets, has)?.name;
    Err(Error::bad_request(
        format!(
            "--kernels (or SOLVERBOX_KERNELS): '{name}' needs {}, which this CPU lacks",
            missing.join(", ")
        ),
        format!("Omit the option to use {runs}, the best set here; `solverbox kernels` lists all."),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::kernels::{AARCH64, X86_64};

    fn only<'f>(features: &'f [&str]) -> impl Fn(&str) -> bool + 'f {
        |feature| features.contains(&feature)
    }

    #[test]
    fn the_best_set_a_cpu_can_run_is_selected() {
        let nano = ["neon", "crc"];
        let pi = ["neon", "crc", "lse", "rdm", "fp16", "dotprod"];
        assert_eq!(best(AARCH64, &only(&nano)).unwrap().name, "armv8.0");
        assert_eq!(best(AARCH64, &only(&pi)).unwrap().name, "armv8.2-dotprod");
        assert_eq!(best(AARCH64, &|_| true).unwrap().name, "armv8.6-i8mm");
        assert_eq!(best(X86_64, &|f| !f.starts_with("avx512")).unwrap().name, "x86-64-v3");
        assert_eq!(best(X86_64, &|f| f != "avx512vbmi").unwrap().name, "x86-64-v3");
        assert_eq!(best(X86_64, &|f| f != "fma").unwrap().name, "x86-64-v2");
    }

    #[test]
    fn a_set_that_cannot_run_is_rejected_naming_what_is_missing_and_what_runs() {
        let error = named("armv8.2-dotprod", AARCH64, &only(&["neon"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("'armv8.2-dotprod' needs crc, lse, rdm, fp16, dotprod"), "{text}");
        assert!(error.remedy.contains("use armv8.0, the best set here"), "{}", error.remedy);
        assert_eq!(error.kind, Kind::BadRequest);
    }

    #[test]
    fn an_unknown_set_is_rejected_with_the_list_of_sets() {
        let error = named("avx2", X86_64, &|_| true).unwrap_err();
        assert!(error.to_string().contains("no set 'avx2'"), "{error}");
        assert!(error.remedy.contains("x86-64-v2, x86-64-v3, x86-64-v4"), "{}", error.remedy);
    }

    #[test]
    fn the_error_names_what_a_cpu_that_can_run_no_set_lacks() {
        let error = best(X86_64, &|f| f == "popcnt").unwrap_err();
        let wanted = "it lacks cmpxchg16b, sse3, ssse3, sse4.1, sse4.2";
        assert!(error.to_string().contains(wanted), "{error}");
    }

    #[test]
    fn each_set_needs_all_the_one_before_it_does() {
        for sets in [AARCH64, X86_64] {
            for pair in sets.windows(2) {
                assert!(pair[0].needs().all(|f| pair[1].needs().any(|other| other == f)));
            }
        }
    }

    #[test]
    fn this_machine_can_run_a_set() {
        assert!(choose(None).is_ok());
    }
}
