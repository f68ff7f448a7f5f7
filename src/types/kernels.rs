//! The kernel sets: ggml's CPU kernels compiled for generations of processors, as plain data.
//!
//! build/kernels.rs compiles them, engine/kernels.rs chooses one, engine/llama registers it, and
//! the memory plan asks what it keeps repacked. Features have the names of Rust's `std::arch`
//! macros; tests/build/disassembly.rs sees to it that a set needs no others.

use super::error::Error;

/// One compilation of the kernels.
#[derive(Debug, PartialEq, Eq)]
pub struct KernelSet {
    /// What people call it: `--kernels NAME`.
    pub name: &'static str,
    /// Features a processor must have and its operating system must allow, separated by spaces.
    pub features: &'static str,
    /// Tensor types it keeps in an order of its own, for matrix products with 4 and more columns;
    /// from `ggml_repack_get_optimal_repack_type` of ggml 0.26. Tests ask ggml itself.
    pub repacks: &'static [&'static str],
}

impl KernelSet {
    /// Returns the features it needs, one by one.
    pub fn needs(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.features.split_whitespace()
    }

    /// Returns whether arithmetic and not memory decides its speed, so that a pass costs what its
    /// tokens cost and nothing drafted can pay: `armv8.0` has no instruction for dot products of
    /// bytes, and a Cortex-A57 takes several for each.
    pub fn is_compute_bound(&self) -> bool {
        self.name == "armv8.0"
    }

    /// Returns whether tensors of this type are kept repacked.
    pub fn repacks(&self, type_name: &str) -> bool {
        self.repacks.contains(&type_name)
    }
}

/// Whether the kernels are checked before the model is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTest {
    /// They are, which takes some 50 ms; a failure ends the engine.
    Run,
    /// They are trusted.
    Skip,
}

/// What every type with a repacked form on ARM has from the dot product on.
const ARM_REPACKS: &[&str] = &["Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "MXFP4"];

/// Sets for aarch64, from the most modest to the best.
///
/// The compiler may use all of Armv8.2 for the two later ones: `crc`, `lse` and `rdm` are what that
/// has beyond Armv8.0 for ordinary programs.
pub const AARCH64: &[KernelSet] = &[
    KernelSet { name: "armv8.0", features: "neon", repacks: &[] },
    KernelSet {
        name: "armv8.2-dotprod",
        features: "neon crc lse rdm fp16 dotprod",
        repacks: ARM_REPACKS,
    },
    KernelSet {
        name: "armv8.6-i8mm",
        features: "neon crc lse rdm fp16 dotprod i8mm",
        repacks: ARM_REPACKS,
    },
];

/// Sets for x86-64, from the most modest to the best: the levels of the psABI, the last with the
/// byte products of Ice Lake and Zen 4.
pub const X86_64: &[KernelSet] = &[
    KernelSet {
        name: "x86-64-v2",
        features: "cmpxchg16b popcnt sse3 ssse3 sse4.1 sse4.2",
        repacks: &[],
    },
    KernelSet {
        name: "x86-64-v3",
        features: "cmpxchg16b popcnt sse3 ssse3 sse4.1 sse4.2 avx avx2 bmi1 bmi2 f16c fma lzcnt \
            movbe",
        repacks: &["Q4_0", "Q4_K", "IQ4_NL", "MXFP4"],
    },
    KernelSet {
        name: "x86-64-v4",
        features: "cmpxchg16b popcnt sse3 ssse3 sse4.1 sse4.2 avx avx2 bmi1 bmi2 f16c fma lzcnt \
            movbe avx512f avx512bw avx512cd avx512dq avx512vl avx512vbmi avx512vnni",
        repacks: &["Q2_K", "Q4_0", "Q4_K", "IQ4_NL", "MXFP4"],
    },
];

/// The sets in this build, from the most modest to the best.
pub const SETS: &[KernelSet] = if cfg!(target_arch = "aarch64") { AARCH64 } else { X86_64 };

/// Returns the sets of this build and of that for the other architecture.
pub fn everywhere() -> impl Iterator<Item = &'static KernelSet> {
    AARCH64.iter().chain(X86_64)
}

/// Finds a set by its name, in this build or the other.
///
/// # Errors
/// `bad_request` with the names there are.
pub fn by_name(name: &str) -> Result<&'static KernelSet, Error> {
    everywhere().find(|set| set.name == name).ok_or_else(|| {
        let names: Vec<&str> = everywhere().map(|set| set.name).collect();
        Error::bad_request(
            format!("--kernels (or SOLVERBOX_KERNELS): there is no set '{name}'"),
            format!("Name one of {}.", names.join(", ")),
        )
    })
}
