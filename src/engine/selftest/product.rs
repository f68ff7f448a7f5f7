//! Matrix products with the kinds of weights models come in.
//!
//! Run by the self-test. Kernels round the activations to the partner of the weights' kind before
//! they multiply (`type_traits_cpu` in ggml-cpu.c): blocks of 32 in 8 bits with an f16 scale
//! (`Q8_0`) for Q4_0 and Q8_0, blocks of 256 in 8 bits with an f32 scale (`Q8_K`) for K-quants, f16
//! for f16. That rounding is part of the definition of the product, so the reference does it too,
//! and what is left for the bound is small:
//!
//! - An activation in the middle between two levels would go either way, as kernels compute the
//!   inverse scale differently (`127 / max` or `1 / (max / 127)`): [`data`] has none of those.
//! - Products of levels are summed as integers, exactly. The sums of blocks are scaled and summed
//!   in f32. By Higham (Accuracy and Stability, 2002, section 4.2) a sum is off by at most
//!   (roundings on the longest way) × 2⁻²⁴ × (sum of magnitudes): at most one rounding for each 16
//!   weights, the smallest block with a scale (Q6_K), and 16 for scales and the last reduction.
//!   Q4_K and Q4_0 may sum levels (to 15) and offsets apart, together at most three times the
//!   block's largest weight.
//! - f16 products are exact in f32; the narrowest kernel keeps 4 sums. Not all round activations to
//!   f16 (llamafile/sgemm.cpp does not on ARM without f16 arithmetic): [`data`] has none to round.
//!   Sets for ARM with f16 arithmetic (`FP16_VA`) keep 8 sums (sgemm.cpp) or 32 (simd-mappings.h)
//!   in f16. They grow over n = [`DEPTH`] / 8 roundings of 2⁻¹¹, which by Higham and Mary (SIAM J.
//!   Sci. Comput. 41, 2019) add up to more than 6 × √(n/3) of them once in 10⁸; 4 more reduce them.

use super::expected::{Expected, F16_ROUNDING, F32_ROUNDING};
use super::noise::Noise;
use super::{Check, Threads, check, lacks};
use crate::engine::llama::graph::{Cpu, Kind, Op, Place, Tensor};
use crate::types::error::Error;

/// Weights a row: two blocks of K-quants.
pub const DEPTH: usize = 512;
/// Rows of weights: a multiple of 16, as the widest repacked kernels need, that does not divide
/// evenly among threads.
pub const WIDTH: usize = 80;
/// Rows of activations. One is decoding; repacked kernels take 4 at once, 16 where there are, and
/// the rest one by one; our own (build/products.cpp) 8, then 4 (Q4_0) or all the rest (Q6_K).
pub const ROWS: [usize; 5] = [1, 2, 7, 12, ROWS_MAX];
/// The rows of the largest case.
pub const ROWS_MAX: usize = 33;
/// The kinds of weights models for the box come in.
pub const KINDS: [Kind; 5] = [Kind::Q4_0, Kind::Q4K, Kind::Q6K, Kind::Q8_0, Kind::F16];
/// How close to the middle between two levels no activation is: levels go up to 127, and three
/// roundings of that in f32 are 127 × 3 × 2⁻²⁴ = 2⁻¹⁵; this is eight times as much.
pub const TIE: f64 = 1.0 / 4096.0;

/// Checks the products of all kinds; those of the most rows on `threads` too.
///
/// # Errors
/// Where the kernels cannot be run at all.
pub fn run(cpu: &Cpu, threads: u32, checks: &mut Vec<Check>) -> Result<(), Error> {
    for kind in KINDS {
        let (weights, activations) = data(kind);
        let expected = expected(kind, &weights, &activations, cpu.has(c"FP16_VA"));
        for rows in ROWS {
            let threads = if rows == ROWS_MAX { Threads::Several(threads) } else { Threads::One };
            let inputs = [weights.clone(), rows_of(&activations, rows)];
            for place in [Place::Plain, Place::Repacked] {
                let name = name(kind, rows, place);
                let run = (Op::Product, &inputs[..], place);
                match check(cpu, threads, run, (&expected, WIDTH))? {
                    Some(result) => checks.push(Check { name, result }),
                    None if place == Place::Plain => return Err(lacks(&name)),
                    // Each set repacks some kinds; llama.cpp keeps the others plain.
                    None => (),
                }
            }
        }
    }
    Ok(())
}

/// Names a check.
pub fn name(kind: Kind, rows: usize, place: Place) -> String {
    let plural = if rows == 1 { "row" } else { "rows" };
    let how = if place == Place::Repacked { ", repacked" } else { "" };
    format!("{} × {rows} {plural}{how}", kind.name())
}

/// Makes a tensor of the first rows of activations.
pub fn rows_of(activations: &[f32], rows: usize) -> Tensor {
    Tensor::of_floats(Kind::F32, [DEPTH, rows, 1, 1], &activations[..rows * DEPTH])
}

/// Makes weights `[DEPTH, WIDTH]` and the activations of the largest case; none are near a tie, and
/// f16 takes those for f16 weights as they are.
pub fn data(kind: Kind) -> (Tensor, Vec<f32>) {
    let mut noise = Noise::new(kind as u64);
    let weights = Tensor::of_floats(kind, [DEPTH, WIDTH, 1, 1], &noise.values(DEPTH * WIDTH));
    let mut activations = noise.values(DEPTH * ROWS_MAX);
    if let Some(block) = levels_block(kind) {
        for x in activations.chunks_mut(block) {
            let scale = f64::from(scale(x));
            // A third of a level away from a tie is no tie.
            let ties = x.iter_mut().filter(|x| is_tie(f64::from(**x) / scale));
            ties.for_each(|x| *x -= x.signum() * scale as f32 / 3.0);
        }
    } else {
        activations = f16(&activations);
    }
    (weights, activations)
}

/// Returns whether a multiple of a scale lies so near a tie that kernels may differ.
pub fn is_tie(multiple: f64) -> bool {
    ((multiple - multiple.round()).abs() - 0.5).abs() < TIE
}

/// Returns how many activations share a scale, where they are rounded to levels.
pub fn levels_block(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Q4_0 | Kind::Q8_0 => Some(32),
        Kind::Q4K | Kind::Q6K => Some(256),
        Kind::I32 | Kind::F32 | Kind::F16 => None,
    }
}

/// Returns the scale of a block of activations in f32, as all kernels compute it.
pub fn scale(block: &[f32]) -> f32 {
    block.iter().fold(0f32, |largest, x| largest.max(x.abs())) / 127.0
}

/// Computes the products in f64, with the bounds of this file's first lines; `in_f16` where the
/// set sums products of f16 in f16.
pub fn expected(kind: Kind, weights: &Tensor, activations: &[f32], in_f16: bool) -> Expected {
    let weights = as_they_are(&weights.values());
    let (activations, roundings, block) = match levels_block(kind) {
        Some(block) => {
            (to_levels(activations, block), 3.0 * (DEPTH / 16 + 16) as f64 * F32_ROUNDING, 32)
        }
        None if in_f16 => {
            let steps = 6.0 * (DEPTH as f64 / 8.0 / 3.0).sqrt();
            (as_they_are(activations), (steps + 4.0) * F16_ROUNDING, 4)
        }
        None => (as_they_are(activations), (DEPTH / 4 + 16) as f64 * F32_ROUNDING, 4),
    };
    let largest = |row: &[f64]| row.iter().fold(0f64, |largest, w| largest.max(w.abs()));
    let largest: Vec<f64> = weights.chunks(block).map(largest).collect();
    let mut expected = Expected::default();
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

fn as_they_are(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Rounds to f16, as ggml-base does.
fn f16(values: &[f32]) -> Vec<f32> {
    Tensor::of_floats(Kind::F16, [values.len(), 1, 1, 1], values).values()
}

/// Rounds to -127 to 127 times a scale for each block: an f16 for `Q8_0` (blocks of 32), an f32 for
/// `Q8_K` (blocks of 256).
fn to_levels(activations: &[f32], block: usize) -> Vec<f64> {
    let scales: Vec<f32> = activations.chunks(block).map(scale).collect();
    let kept = match block {
        32 => as_they_are(&f16(&scales)),
        _ => as_they_are(&scales),
    };
    let mut rounded = Vec::with_capacity(activations.len());
    for ((x, scale), kept) in activations.chunks(block).zip(scales).zip(kept) {
        rounded.extend(x.iter().map(|x| (f64::from(*x) / f64::from(scale)).round() * kept));
    }
    rounded
}
