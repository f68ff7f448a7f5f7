//! Bounds on the thinking of an attempt, which the engine can end early.

/// Most tokens of a budget reserved for the final answer if it runs out during the thinking.
pub const RESERVE_TOKENS_MAX: u32 = 512;
/// Fewest tokens that must be left for the content of a box that the engine opens.
pub const BOX_TOKENS_MIN: usize = 8;
/// Latest tokens of a thinking that are searched for a loop.
pub const LOOP_WINDOW_TOKENS: usize = 2_048;
/// Length of the n-grams that are compared to find a loop, in tokens.
pub const LOOP_NGRAM_TOKENS: usize = 32;
/// Share of distinct n-grams below which the thinking is a loop, in percent.
pub const LOOP_DISTINCT_PERCENT: usize = 30;
/// Tokens of a thinking after which it is searched for a loop again.
pub const LOOP_CHECK_TOKENS: u32 = 256;
