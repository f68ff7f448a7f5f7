//! The supported boards as plain data: what `plan` needs to know about a machine other than this
//! one, and how fast it is expected to be.

use super::kernels::{self, KernelSet};

/// A supported single-board computer.
#[derive(Debug, PartialEq)]
pub struct Board {
    /// Short name for `--board NAME`.
    pub name: &'static str,
    /// Full name, for people.
    pub about: &'static str,
    /// Name of the kernel set its CPU selects.
    pub kernels: &'static str,
    /// Total memory in bytes.
    pub ram_bytes: u64,
    /// Number of CPU cores.
    pub cores: u32,
    /// Memory bandwidth while decoding, in bytes/s.
    pub bytes_per_second: f64,
    /// Weights multiplied per second while decoding; infinite if the memory is the only limit.
    pub weights_per_second: f64,
}

/// All supported boards, the fastest first.
///
/// Raspberry Pi 5: file size × tokens/s is 9.76 to 10.55 GB/s from Q2_K to Q8_0 with 4 threads
/// (llama.cpp issue 26484), which is below what its memory can be read at, 11.6 GB/s.
///
/// Jetson Nano: its memory reads about 6.8 GB/s. Gemma3-1B in Q4_K_M decodes 4.2 tokens/s on its
/// four Cortex-A57 (published), 1.0 × 10^9 weights a token: it is the cores that are slow. On the
/// Cortex-A72 the products of Q8_0 and Q4_K take the same time a weight (llama.cpp PR 8151), so
/// one figure stands for all types.
pub const BOARDS: &[Board] = &[
    Board {
        name: "pi5",
        about: "Raspberry Pi 5",
        kernels: "armv8.2-dotprod",
        ram_bytes: 4 << 30,
        cores: 4,
        bytes_per_second: 10.1e9,
        weights_per_second: f64::INFINITY,
    },
    Board {
        name: "nano",
        about: "Jetson Nano",
        kernels: "armv8.0",
        ram_bytes: 4 << 30,
        cores: 4,
        bytes_per_second: 6.8e9,
        weights_per_second: 4.2e9,
    },
];

/// The cost of decoding one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerToken {
    /// Bytes of weights read; an embedding that is not also the head does not count.
    pub weights_bytes: u64,
    /// Bytes read from the KV cache.
    pub kv_bytes: u64,
    /// Number of weights multiplied.
    pub weights: u64,
}

impl Board {
    /// Returns the kernel set its CPU selects.
    pub fn kernel_set(&self) -> &'static KernelSet {
        kernels::by_name(self.kernels).expect("a test finds every board's set")
    }

    /// Returns the expected speed of a single attempt in tokens/s: what the memory can supply or
    /// what the cores can multiply, whichever is less.
    pub fn tokens_per_second(&self, token: PerToken) -> f64 {
        let bytes = (token.weights_bytes + token.kv_bytes).max(1);
        let fed = self.bytes_per_second / bytes as f64;
        fed.min(self.weights_per_second / token.weights.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_has_a_kernel_set() {
        let names: Vec<_> = BOARDS.iter().map(|board| board.kernel_set().name).collect();
        assert_eq!(names, ["armv8.2-dotprod", "armv8.0"]);
    }

    /// Qwen2.5-1.5B Q4_K_M, published at 9.97 tokens/s on a Pi 5 and its like at 4.2 on a Nano.
    #[test]
    fn the_formula_reproduces_the_published_speeds() {
        let qwen = PerToken { weights_bytes: 980_097_536, kv_bytes: 0, weights: 1_543_714_304 };
        assert!((9.5..10.6).contains(&BOARDS[0].tokens_per_second(qwen)));
        let gemma = PerToken { weights_bytes: 800_000_000, kv_bytes: 0, weights: 1_000_000_000 };
        assert!((BOARDS[1].tokens_per_second(gemma) - 4.2).abs() < 1e-9);
    }
}
