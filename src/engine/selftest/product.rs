//! Checks matrix products with the types of weights that models have.
//!
//! Kernels round the activations to a type that belongs to the weights' type before they multiply
//! (`type_traits_cpu` in ggml-cpu.c): blocks of 32 in 8 bits with an f16 scale (`Q8_0`) for Q4_0
//! and Q8_0, blocks of 256 in 8 bits with an f32 scale (`Q8_K`) for K-quants, f16 for f16. That
//! rounding is part of the definition of the product, so the reference does it too, and the bound
//! is small:
//!
//! - An activation in the middle between two levels would be rounded either way, because kernels
//!   compute the inverse scale differently (`127 / max` or `1 / (max / 127)`); [`data`] has none.
//! - Products of levels are summed as integers, exactly. The sums of blocks are scaled and summed
//!   in f32. By Higham (Accuracy and Stability, 2002, section 4.2) the error of a sum is at most
//!   (roundings on the longest path) × 2⁻²⁴ × (sum of magnitudes): at most one rounding for each 16
//!   weights, the smallest block with a scale (Q6_K), and 16 for scales and the last reduction.
//!   Q4_K and Q4_0 may sum levels (to 15) and offsets separately, together at most three times the
//!   block's largest weight.
//! - f16 products are exact in f32; the narrowest kernel has 4 sums. Not all kernels round
//!   activations to f16 (llamafile/sgemm.cpp does not on ARM without f16 arithmetic), so those of
//!   [`data`] need no rounding. Sets for ARM with f16 arithmetic (`FP16_VA`) have 8 sums
//!   (sgemm.cpp) or 32 (simd-mappings.h) in f16. They grow over n = [`DEPTH`] / 8 roundings of
//!   2⁻¹¹, which by Higham and Mary (SIAM J. Sci. Comput. 41, 2019) exceed 6 × √(n/3) of them once
//!   in 10⁸; 4 more roundings reduce them.

use super::expected::{ExpectedValues, F16_ROUNDING, F32_ROUNDING};
use super::noise::TestValues;
use super::{Check, Threads, check, unsupported};
use crate::engine::llama::graph::{Cpu, ElementType, Op, TensorData, WeightLayout};
use crate::types::error::Error;

/// Weights per row: two blocks of K-quants.
pub(crate) const DEPTH: usize = 512;
/// Rows of weights: a multiple of 16, which the widest repacked kernels need, that does not divide
/// evenly among threads.
pub(crate) const WIDTH: usize = 80;
/// Rows of activations. One is decoding; repacked kernels multiply 16 or 4 rows at once and the
/// rest one by one; our own (build/products.cpp) 8, then 4 (Q4_0) or all the rest (Q6_K).
pub(crate) const ROWS: [usize; 5] = [1, 2, 7, 12, ROWS_MAX];
/// The number of rows of the largest case.
pub(crate) const ROWS_MAX: usize = 33;
/// The types of weights of supported models.
pub(crate) const TYPES: [ElementType; 5] =
    [ElementType::Q4_0, ElementType::Q4K, ElementType::Q6K, ElementType::Q8_0, ElementType::F16];
/// The least distance of an activation from the middle between two levels: levels go up to 127, and
/// three roundings of that in f32 are 127 × 3 × 2⁻²⁴ = 2⁻¹⁵; this is eight times as much.
pub(crate) const TIE: f64 = 1.0 / 4096.0;

/// Checks the products of all types; those with the most rows also on `threads`.
///
/// # Errors
/// If the kernels cannot run at all.
pub(crate) fn run(cpu: &Cpu, threads: u32, checks: &mut Vec<Check>) -> Result<(), Error> {
    for kind in TYPES {
        let (weights, activations) = data(kind);
        let expected = expected(kind, &weights, &activations, cpu.has(c"FP16_VA"));
        for rows in ROWS {
            let threads = if rows == ROWS_MAX { Threads::Several(threads) } else { Threads::One };
            let inputs = [weights.clone(), rows_of(&activations, rows)];
            for layout in [WeightLayout::Plain, WeightLayout::Repacked] {
                let name = name(kind, rows, layout);
                let run = (Op::Product, &inputs[..], layout);
                match check(cpu, threads, run, (&expected, WIDTH))? {
                    Some(result) => checks.push(Check { name, result }),
                    None if layout == WeightLayout::Plain => return Err(unsupported(&name)),
                    // Each set repacks some types; llama.cpp keeps the others plain.
                    None => (),
                }
            }
        }
    }
    Ok(())
}

/// Returns the name of a check.
pub(crate) fn name(kind: ElementType, rows: usize, layout: WeightLayout) -> String {
    let plural = if rows == 1 { "row" } else { "rows" };
    let how = if layout == WeightLayout::Repacked { ", repacked" } else { "" };
    format!("{} × {rows} {plural}{how}", kind.name())
}

/// Returns a tensor of the first rows of activations.
pub(crate) fn rows_of(activations: &[f32], rows: usize) -> TensorData {
    TensorData::of_floats(ElementType::F32, [DEPTH, rows, 1, 1], &activations[..rows * DEPTH])
}

/// Returns weights `[DEPTH, WIDTH]` and the activations of the largest case, of which none is near
/// a tie; those for f16 weights are exact in f16.
pub(crate) fn data(kind: ElementType) -> (TensorData, Vec<f32>) {
    let mut source = TestValues::new(kind as u64);
    let weights = TensorData::of_floats(kind, [DEPTH, WIDTH, 1, 1], &source.values(DEPTH * WIDTH));
    let mut activations = source.values(DEPTH * ROWS_MAX);
    if let Some(block) = levels_block(kind) {
        for x in activations.chunks_mut(block) {
            let scale = f64::from(scale(x));
            // Moves ties by a third of a level.
            let ties = x.iter_mut().filter(|x| is_tie(f64::from(**x) / scale));
            ties.for_each(|x| *x -= x.signum() * scale as f32 / 3.0);
        }
    } else {
        activations = f16(&activations);
    }
    (weights, activations)
}

/// Returns whether a multiple of a scale is so close to a tie that kernels may differ.
pub(crate) fn is_tie(multiple: f64) -> bool {
    ((multiple - multiple.round()).abs() - 0.5).abs() < TIE
}

/// Returns how many activations share a scale, if they are rounded to levels.
pub(crate) fn levels_block(kind: ElementType) -> Option<usize> {
    match kind {
        ElementType::Q4_0 | ElementType::Q8_0 => Some(32),
        ElementType::Q4K | ElementType::Q6K => Some(256),
        ElementType::I32 | ElementType::F32 | ElementType::F16 => None,
    }
}

/// Returns the scale of a block of activations in f32, computed like in all kernels.
pub(crate) fn scale(block: &[f32]) -> f32 {
    block.iter().fold(0f32, |largest, x| largest.max(x.abs())) / 127.0
}

/// Computes the products in f64, with the bounds that the module documentation states; `in_f16` if
/// the set sums products of f16 in f16.
pub(crate) fn expected(
    kind: ElementType,
    weights: &TensorData,
    activations: &[f32],
    in_f16: bool,
) -> ExpectedValues {
    let weights = to_f64(&weights.values());
    let (activations, roundings, block) = match levels_block(kind) {
        Some(block) => {
            (to_levels(activations, block), 3.0 * (DEPTH / 16 + 16) as f64 * F32_ROUNDING, 32)
        }
        None if in_f16 => {
            let steps = 6.0 * (DEPTH as f64 / 8.0 / 3.0).sqrt();
            (to_f64(activations), (steps + 4.0) * F16_ROUNDING, 4)
        }
        None => (to_f64(activations), (DEPTH / 4 + 16) as f64 * F32_ROUNDING, 4),
    };
    let largest = |row: &[f64]| row.iter().fold(0f64, |largest, w| largest.max(w.abs()));
    let largest: Vec<f64> = weights.chunks(block).map(largest).collect();
    let mut expected = ExpectedValues::default();
    for x in activations.chunks(DEPTH) {
        let sizes: Vec<f64> =
            x.chunks(block).map(|block| block.iter().map(|x| x.abs()).sum()).collect();
        for (row, largest) in weights.chunks(DEPTH).zip(largest.chunks(DEPTH / block)) {
            let size: f64 = largest.iter().zip(&sizes).map(|(w, x)| w * x).sum();
            expected.push(row.iter().zip(x).map(|(w, x)| w * x).sum(), size * roundings);
        }
    }
    expected
}

fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Rounds to f16 like ggml-base.
fn f16(values: &[f32]) -> Vec<f32> {
    TensorData::of_floats(ElementType::F16, [values.len(), 1, 1, 1], values).values()
}

/// Rounds to -127 to 127 times a scale for each block: an f16 for `Q8_0` (blocks of 32), an f32 for
/// `Q8_K` (blocks of 256).
fn to_levels(activations: &[f32], block: usize) -> Vec<f64> {
    let scales: Vec<f32> = activations.chunks(block).map(scale).collect();
    let rounded_scales = match block {
        32 => to_f64(&f16(&scales)),
        _ => to_f64(&scales),
    };
    let mut rounded = Vec::with_capacity(activations.len());
    for ((x, scale), kept) in activations.chunks(block).zip(scales).zip(rounded_scales) {
        rounded.extend(x.iter().map(|x| (f64::from(*x) / f64::from(scale)).round() * kept));
    }
    rounded
}
