//! The kernel sets as plain data: ggml's CPU kernels compiled for CPU generations.
//!
//! `build/kernels.rs` compiles them, `engine/kernels.rs` selects one, `engine/llama` registers it,
//! and the memory plan asks which types it repacks. Features have the names of Rust's `std::arch`
//! macros; tests/build/disassembly.rs checks that a set uses no others.

use super::error::Error;

/// One compiled set of kernels.
#[derive(Debug, PartialEq, Eq)]
pub struct KernelSet {
    /// Name for `--kernels NAME`.
    pub name: &'static str,
    /// CPU features required, which the operating system must enable too; separated by spaces.
    pub features: &'static str,
    /// Tensor types the set repacks in memory, for matrix products with 4 or more columns; from
    /// `ggml_repack_get_optimal_repack_type` of ggml 0.26, with which a test compares them.
    pub repacks: &'static [&'static str],
}

impl KernelSet {
    /// Iterates over the required CPU features.
    pub fn needs(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.features.split_whitespace()
    }

    /// Returns whether arithmetic limits the speed rather than memory, so that the cost of a pass
    /// grows with its tokens and drafts cannot pay: `armv8.0` lacks an instruction for dot products
    /// of bytes, and a Cortex-A57 needs several for each.
    pub fn is_compute_bound(&self) -> bool {
        self.name == "armv8.0"
    }

    /// Returns whether the set repacks tensors of this type.
    pub fn repacks(&self, type_name: &str) -> bool {
        self.repacks.contains(&type_name)
    }
}

/// Whether the kernels are checked before the model is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTest {
    /// Check them, which takes about 50 ms; a failure ends the engine.
    Run,
    /// Use them without a check.
    Skip,
}

/// The types repacked on ARM CPUs with the dot product instructions.
const ARM_REPACKS: &[&str] = &["Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "MXFP4"];

/// Sets for aarch64, from the oldest CPU to the best.
///
/// The compiler may use all of Armv8.2 for the latter two: `crc`, `lse` and `rdm` are the features
/// it adds to Armv8.0 for ordinary programs.
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

/// Sets for x86-64, from the oldest CPU to the best: the levels of the psABI, the last with the
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

/// The sets in this build, from the oldest CPU to the best.
pub const SETS: &[KernelSet] = if cfg!(target_arch = "aarch64") { AARCH64 } else { X86_64 };

/// Iterates over the sets of every architecture.
pub fn everywhere() -> impl Iterator<Item = &'static KernelSet> {
    AARCH64.iter().chain(X86_64)
}

/// Finds a set of any architecture by its name.
///
/// # Errors
/// `bad_request`, listing the names of all sets.
pub fn by_name(name: &str) -> Result<&'static KernelSet, Error> {
    everywhere().find(|set| set.name == name).ok_or_else(|| {
        let names: Vec<&str> = everywhere().map(|set| set.name).collect();
        Error::bad_request(
            format!("--kernels (or SOLVERBOX_KERNELS): no kernel set is named '{name}'"),
            format!("Choose one of {}.", names.join(", ")),
        )
    })
}
