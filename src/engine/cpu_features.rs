//! Detects the CPU features that the kernel sets need.
//!
//! `types/kernels.rs` lists what each set needs; here the CPU and the operating system are asked.
//! Rust's detection macros do that correctly: a feature whose registers the operating system does
//! not save at a context switch is not reported.

use crate::types::kernels::KernelSet;

/// Returns the features of `set` that this CPU lacks.
pub fn missing(set: &KernelSet) -> Vec<&'static str> {
    set.needs().filter(|feature| !has(feature)).collect()
}

/// Defines `has`, which detects one feature by name. The detection macros accept only literals.
macro_rules! detect {
    ($detected:ident: $($feature:tt)*) => {
        /// Returns whether this CPU has a feature that a kernel set needs.
        pub(crate) fn has(feature: &str) -> bool {
            match feature {
                $($feature => std::arch::$detected!($feature),)*
                _ => unreachable!("types/kernels.rs names only features listed here: {feature}"),
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
    use crate::types::kernels::SETS;

    #[test]
    fn every_feature_of_this_build_can_be_detected() {
        let asked = SETS.iter().flat_map(KernelSet::needs).map(has);
        assert!(asked.count() > 3);
    }
}
