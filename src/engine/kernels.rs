//! Chooses the kernel set this processor runs best, or judges the one a person asked for.
//!
//! What a set needs is in words/kernels.rs; here the processor and the operating system are asked.
//! Rust's macros do it right: a feature the system does not save at a task switch does not count.
//! Registering the chosen set is engine/llama's.

use super::llama::Registered;
use crate::types::error::{Error, Kind};
use crate::types::kernels::{KernelSet, SETS};

/// Chooses the best set this machine can run, or the one `asked` for.
///
/// # Errors
/// `bad_request` where no set has that name, or this machine lacks what it needs; `internal` where
/// no set can run here at all. Each names what is missing.
pub fn choose(asked: Option<&str>) -> Result<&'static KernelSet, Error> {
    match asked {
        Some(name) => named(name, SETS, &has),
        None => best(SETS, &has),
    }
}

/// Makes `set`, one that [`choose`] gave, llama.cpp's only CPU backend; for programs that run
/// llama.cpp beside the engine, as a test does. The engine registers its plan's set itself.
///
/// # Errors
/// `internal` where a backend is registered already.
pub fn register(set: &KernelSet) -> Result<(), Error> {
    Registered::register(set).map(|_| ())
}

/// Returns the features of `set` that this machine lacks.
pub fn missing(set: &KernelSet) -> Vec<&'static str> {
    lacking(set, &has)
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
            format!("this processor runs none of the kernel sets: it has no {missing}"),
            "Use a machine that has these features.",
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
            format!("--kernels (or SOLVERBOX_KERNELS): there is no set '{name}' in this build"),
            format!("Name one of {}, or none to get the best.", names.join(", ")),
        ));
    };
    let missing = lacking(set, has);
    if missing.is_empty() {
        return Ok(set);
    }
    let runs = best(sets, has)?.name;
    Err(Error::bad_request(
        format!(
            "--kernels (or SOLVERBOX_KERNELS): '{name}' needs {}, which this machine has not",
            missing.join(", ")
        ),
        format!("Name none to get the best set here, {runs}; `solverbox kernels` says more."),
    ))
}

/// Defines `has`: asks for one feature by name. The macros take literals only.
macro_rules! detect {
    ($detected:ident: $($feature:tt)*) => {
        fn has(feature: &str) -> bool {
            match feature {
                $($feature => std::arch::$detected!($feature),)*
                _ => unreachable!("words/kernels.rs names only features listed here: {feature}"),
            }
        }
    };
}

#[cfg(target_arch = "aarch64")]
detect!(is_aarch64_feature_detected: "neon" "crc" "lse" "rdm" "fp16" "dotprod" "i8mm");

#[cfg(target_arch = "x86_64")]
detect!(is_x86_feature_detected:
    "cmpxchg16b" "popcnt" "sse3" "ssse3" "sse4.1" "sse4.2" "avx" "avx2" "bmi1" "bmi2" "f16c" "fma"
    "lzcnt" "movbe" "avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl" "avx512vbmi"
    "avx512vnni");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::kernels::{AARCH64, X86_64};

    fn only<'f>(features: &'f [&str]) -> impl Fn(&str) -> bool + 'f {
        |feature| features.contains(&feature)
    }

    #[test]
    fn the_best_set_a_processor_can_run_is_chosen() {
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
    fn a_set_that_cannot_run_is_refused_with_what_is_missing_and_what_runs() {
        let error = named("armv8.2-dotprod", AARCH64, &only(&["neon"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("'armv8.2-dotprod' needs crc, lse, rdm, fp16, dotprod"), "{text}");
        assert!(error.remedy.contains("the best set here, armv8.0"), "{}", error.remedy);
        assert_eq!(error.kind, Kind::BadRequest);
    }

    #[test]
    fn an_unknown_set_is_refused_with_those_there_are() {
        let error = named("avx2", X86_64, &|_| true).unwrap_err();
        assert!(error.to_string().contains("no set 'avx2'"), "{error}");
        assert!(error.remedy.contains("x86-64-v2, x86-64-v3, x86-64-v4"), "{}", error.remedy);
    }

    #[test]
    fn a_processor_that_runs_no_set_hears_what_it_lacks() {
        let error = best(X86_64, &|f| f == "popcnt").unwrap_err();
        let wanted = "it has no cmpxchg16b, sse3, ssse3, sse4.1, sse4.2";
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
    fn every_feature_of_this_build_can_be_asked_for() {
        let asked = SETS.iter().flat_map(KernelSet::needs).map(has);
        assert!(asked.count() > 3);
        assert!(choose(None).is_ok());
    }
}
