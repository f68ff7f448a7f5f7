//! Checks flash attention in each of the variants that ggml's kernels have.
//!
//! The variants (`ggml_compute_forward_flash_attn_ext_f16` in ggml-cpu/ops.cpp): row by row; in
//! tiles, if the KV cache is f16 and there are at least 64 query rows; with the cache split among
//! threads, if one row attends to at least 512 cells in f16.
//!
//! Bounds. No variant rounds the queries (`TestValues::exact_values`), and the reference reads the
//! cache as rounded, so the error of a score consists of its f32 roundings; with `FP16_VA` the
//! product of f16 rows is summed in f16, in 32 sums and 4 reductions. If every score is within δ,
//! every share is within a factor e^(2δ), and the result within (e^(2δ) - 1) × Σ share × |value|.
//! Row by row, f16 values are summed in f16 (`ggml_vec_mad_f16`): n cells give n roundings of sums
//! that grow to the last. The worst case, n × 2⁻¹¹, would hide much; roundings are independent, and
//! by Higham and Mary (SIAM J. Sci. Comput. 41, 2019) 6 × √(n/3) × 2⁻¹¹ is exceeded once in 10⁸.
//! Each new highest score adds two roundings (the sum and the factor that scales it), and each cell
//! at most the smallest f16 step, 2⁻²⁴. The other variants sum in f32.

use super::expected::{ExpectedValues, F16_ROUNDING, F32_ROUNDING};
use super::noise::TestValues;
use super::{Check, Threads, check, unsupported};
use crate::engine::llama::graph::{Cpu, ElementType, Op, TensorData, WeightLayout};
use crate::types::error::Error;

/// Query heads; every two share a KV head.
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
/// The number of query rows from which an f16 cache is read in tiles (`GGML_FA_TILE_Q` in
/// common.h).
const TILE_ROWS: usize = 64;
/// The number of cells from which threads share an f16 cache that one row attends to.
const SPLIT_CELLS: usize = 512;
/// Makes the shares uneven, so that single cells matter: scores have a deviation of about 1.5.
pub(crate) const SCALE: f32 = 0.25;

/// A shape of attention: the type of the KV cache, elements of a head, query rows, and cells.
#[derive(Clone, Copy)]
pub(crate) struct AttentionCase {
    pub(crate) name: &'static str,
    pub(crate) kv: ElementType,
    pub(crate) head: usize,
    pub(crate) rows: usize,
    pub(crate) cells: usize,
}

/// The cases: 65 rows are a tile and a row; 100 and 520 cells are not whole tiles.
pub(crate) const CASES: [AttentionCase; 6] = [
    AttentionCase { name: "f16 KV, 1 row", kv: ElementType::F16, head: 64, rows: 1, cells: 100 },
    AttentionCase { name: "f16 KV, 5 rows", kv: ElementType::F16, head: 128, rows: 5, cells: 40 },
    AttentionCase { name: "q8_0 KV, 1 row", kv: ElementType::Q8_0, head: 128, rows: 1, cells: 100 },
    AttentionCase { name: "q8_0 KV, 5 rows", kv: ElementType::Q8_0, head: 64, rows: 5, cells: 40 },
    AttentionCase {
        name: "f16 KV, 65 rows in tiles",
        kv: ElementType::F16,
        head: 64,
        rows: 65,
        cells: 100,
    },
    AttentionCase {
        name: "f16 KV, 1 row, 520 cells split",
        kv: ElementType::F16,
        head: 64,
        rows: 1,
        cells: 520,
    },
];

/// Checks all variants; those in tiles and with a split cache also on `threads`.
///
/// # Errors
/// If the kernels cannot run at all.
pub(crate) fn run(cpu: &Cpu, threads: u32, checks: &mut Vec<Check>) -> Result<(), Error> {
    for case in CASES {
        let name = format!("flash attention, {}", case.name);
        let is_shared = case.rows >= TILE_ROWS || case.cells >= SPLIT_CELLS;
        let threads = if is_shared { Threads::Several(threads) } else { Threads::One };
        let inputs = inputs(case);
        let expected = expected(case, &inputs, cpu.has(c"FP16_VA"));
        let run = (Op::FlashAttention { scale: SCALE }, &inputs[..], WeightLayout::Plain);
        let result = check(cpu, threads, run, (&expected, case.head))?;
        let result = result.ok_or_else(|| unsupported(&name))?;
        checks.push(Check { name, result });
    }
    Ok(())
}

/// Returns a case's inputs: causal, with gaps where another sequence's cells would be.
pub(crate) fn inputs(case: AttentionCase) -> [TensorData; 4] {
    let AttentionCase { kv, head, rows, cells, .. } = case;
    let mut source = TestValues::new((rows * 1000 + cells) as u64);
    let query = source.exact_values(head * rows * HEADS);
    let mut cache = || {
        let values = source.values(head * cells * KV_HEADS);
        TensorData::of_floats(kv, [head, cells, KV_HEADS, 1], &values)
    };
    let (key, value) = (cache(), cache());
    let is_seen = |at: usize| {
        let (row, cell) = (at / cells, at % cells);
        cell <= cells - rows + row && cell % 7 != 3
    };
    let mask: Vec<f32> =
        (0..rows * cells).map(|at| if is_seen(at) { 0.0 } else { f32::NEG_INFINITY }).collect();
    [
        TensorData::of_floats(ElementType::F32, [head, rows, HEADS, 1], &query),
        key,
        value,
        TensorData::of_floats(ElementType::F16, [cells, rows, 1, 1], &mask),
    ]
}

/// Computes attention in f64, with the bounds that the module documentation states.
pub(crate) fn expected(
    case: AttentionCase,
    inputs: &[TensorData; 4],
    in_f16: bool,
) -> ExpectedValues {
    let AttentionCase { kv, head, rows, cells, .. } = case;
    let read =
        |tensor: &TensorData| tensor.values().into_iter().map(f64::from).collect::<Vec<f64>>();
    let [query, key, value, mask] = inputs.each_ref().map(read);
    let by_row = kv == ElementType::F16 && rows < TILE_ROWS;
    let score_rounding = match by_row && in_f16 {
        true => (head / 32 + 4) as f64 * F16_ROUNDING,
        false => (head + 16) as f64 * F32_ROUNDING,
    };
    let mut expected = ExpectedValues::default();
    for (row, head_at) in (0..rows).flat_map(|row| (0..HEADS).map(move |head| (row, head))) {
        let q = &query[(head_at * rows + row) * head..][..head];
        let shared = head_at * KV_HEADS / HEADS * cells;
        let range = |cell: usize| (shared + cell) * head..(shared + cell + 1) * head;
        let mut scores = RowScores::default();
        for cell in (0..cells).filter(|cell| mask[row * cells + cell] == 0.0) {
            scores.add(cell, q, &key[range(cell)], score_rounding);
        }
        let (mut sum, mut size) = (vec![0.0; head], vec![0.0; head]);
        for (cell, share) in scores.shares() {
            for (at, v) in value[range(cell)].iter().enumerate() {
                sum[at] += share * v;
                size[at] += share * v.abs();
            }
        }
        let (relative, absolute) = scores.bound(by_row);
        for (sum, size) in sum.into_iter().zip(size) {
            expected.push(sum, size * relative + absolute);
        }
    }
    expected
}

/// The scores of one query row of one head.
#[derive(Default)]
struct RowScores {
    /// The visible cells with their scores.
    seen: Vec<(usize, f64)>,
    /// The largest error of a score.
    error: f64,
    /// How often the highest score changed.
    highs: usize,
    highest: Option<f64>,
}

impl RowScores {
    fn add(&mut self, cell: usize, query: &[f64], key: &[f64], rounding: f64) {
        let products = query.iter().zip(key).map(|(q, k)| q * k);
        let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
        let scale = f64::from(SCALE);
        // Scaling, masking and subtracting the highest add three roundings.
        self.error = f64::max(self.error, size * scale * (rounding + 3.0 * F32_ROUNDING));
        if self.highest.is_none_or(|highest| sum * scale > highest) {
            self.highest = Some(sum * scale);
            self.highs += 1;
        }
        self.seen.push((cell, sum * scale));
    }

    /// Returns the soft-max.
    fn shares(&self) -> Vec<(usize, f64)> {
        let highest = self.highest.unwrap_or(0.0);
        let powers: Vec<f64> = self.seen.iter().map(|(_, s)| (s - highest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        self.seen.iter().zip(powers).map(|((cell, _), power)| (*cell, power / sum)).collect()
    }

    /// Returns the error bound: a factor of Σ share × |value|, and an absolute term.
    fn bound(&self, by_row: bool) -> (f64, f64) {
        let cells = self.seen.len() as f64;
        let spread = (2.0 * self.error).exp_m1() + (cells + 16.0) * F32_ROUNDING;
        if !by_row {
            return (spread, 0.0);
        }
        let roundings = 6.0 * (cells / 3.0).sqrt() + 2.0 * self.highs as f64 + 2.0;
        (spread + roundings * F16_ROUNDING, cells / (1 << 24) as f64)
    }
}
