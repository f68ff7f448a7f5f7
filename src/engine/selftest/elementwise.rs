//! Soft-max, RMS norm, rotary positions and SwiGLU.
//!
//! Run by the self-test. All are computed in f32, so the bounds are counts of f32 roundings, with
//! ggml's vectorised exponential taken as four (`ggml_v_expf` in vec.h claims 1.45 units in the
//! last place, two roundings each).

use super::expected::{Expected, F32_ROUNDING};
use super::noise::Noise;
use super::{Check, Threads, check, lacks};
use crate::engine::llama::graph::{Cpu, Kind, Op, Pairs, Place, Tensor};
use crate::types::error::Error;

/// Columns of the row-wise operations: no multiple of a vector's length.
const COLUMNS: usize = 77;
const ROWS: usize = 5;
/// The size of a head, how many there are, and where in a conversation they stand.
const HEAD: usize = 64;
const HEADS: usize = 3;
const POSITIONS: [i32; 5] = [0, 1, 17, 1000, 8191];

/// An operation with its inputs and what must come of it.
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// The operation.
    pub op: Op,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// Values and bounds.
    pub expected: Expected,
    /// The length of a row of the result.
    pub columns: usize,
}

/// Checks all of them. On one thread: several share out whole rows, which is no kernel's work.
///
/// # Errors
/// Where the kernels cannot be run at all.
pub fn run(cpu: &Cpu, checks: &mut Vec<Check>) -> Result<(), Error> {
    for Case { name, op, inputs, expected, columns } in cases() {
        let run = (op, &inputs[..], Place::Plain);
        let result = check(cpu, Threads::One, run, (&expected, columns))?;
        checks.push(Check { name: name.into(), result: result.ok_or_else(|| lacks(name))? });
    }
    Ok(())
}

/// Makes all cases.
pub fn cases() -> Vec<Case> {
    vec![
        soft_max(),
        rms_norm(),
        rope("rotary positions, neighbours (Llama)", Pairs::Neighbours, 10_000.0),
        rope("rotary positions, halves (Qwen2)", Pairs::Halves, 1_000_000.0),
        swiglu(),
    ]
}

fn floats(kind: Kind, values: &[f32]) -> Tensor {
    Tensor::of_floats(kind, [COLUMNS, ROWS, 1, 1], values)
}

/// e^(s - max) / Σ: scores of both signs are off by at most three roundings of their range (scale,
/// mask, subtract), which is relative in the result; the exponential adds four, the sum and the
/// division at most 16.
fn soft_max() -> Case {
    const SCALE: f32 = 1.7;
    let mut noise = Noise::new(1);
    let scores = noise.values(COLUMNS * ROWS);
    let mask: Vec<f32> = (0..COLUMNS * ROWS)
        .map(|at| match at % COLUMNS {
            column if column > COLUMNS - ROWS + at / COLUMNS => f32::NEG_INFINITY,
            column if column % 5 == 2 => -1.5,
            _ => 0.0,
        })
        .collect();
    let mut expected = Expected::default();
    for (scores, mask) in scores.chunks(COLUMNS).zip(mask.chunks(COLUMNS)) {
        let sums =
            scores.iter().zip(mask).map(|(s, m)| f64::from(*s) * f64::from(SCALE) + f64::from(*m));
        let sums: Vec<f64> = sums.collect();
        let seen = || sums.iter().copied().filter(|sum| sum.is_finite());
        let highest = seen().fold(f64::NEG_INFINITY, f64::max);
        let lowest = seen().fold(f64::INFINITY, f64::min);
        let total: f64 = sums.iter().map(|sum| (sum - highest).exp()).sum();
        let open = 3.0 * (highest - lowest) * F32_ROUNDING;
        let relative = (2.0 * open).exp_m1() + (4.0 + 16.0) * F32_ROUNDING;
        for sum in sums {
            let share = (sum - highest).exp() / total;
            expected.push(share, share * relative);
        }
    }
    Case {
        name: "soft-max with scale and mask",
        op: Op::SoftMax { scale: SCALE },
        inputs: vec![floats(Kind::F32, &scores), floats(Kind::F16, &mask)],
        expected,
        columns: COLUMNS,
    }
}

/// x / √(mean x² + ε): squares and their f64 sum, the mean, √, the division and the product round
/// once each; the sum in f32 instead would add those of a row.
fn rms_norm() -> Case {
    const EPSILON: f32 = 1e-6;
    let values = Noise::new(2).values(COLUMNS * ROWS);
    let mut expected = Expected::default();
    for row in values.chunks(COLUMNS) {
        let squares: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
        let root = (squares / COLUMNS as f64 + f64::from(EPSILON)).sqrt();
        for x in row {
            let value = f64::from(*x) / root;
            expected.push(value, value.abs() * 8.0 * F32_ROUNDING);
        }
    }
    Case {
        name: "RMS norm",
        op: Op::RmsNorm { epsilon: EPSILON },
        inputs: vec![floats(Kind::F32, &values)],
        expected,
        columns: COLUMNS,
    }
}

/// Turns each pair by position × base^(-2i / head). The angle of pair i is the product of i factors
/// (`ggml_rope_cache_init` in ops.cpp), each off by the power's two roundings and its own; the
/// error of the angle, and four roundings more, apply to both elements of the pair.
fn rope(name: &'static str, pairs: Pairs, base: f32) -> Case {
    let values = Noise::new(3).values(HEAD * HEADS * POSITIONS.len());
    let mut expected = Expected::default();
    for (at, head) in values.chunks(HEAD).enumerate() {
        let position = f64::from(POSITIONS[at / HEADS]);
        let mut turned = vec![(0.0, 0.0); HEAD];
        for pair in 0..HEAD / 2 {
            let (one, two) = match pairs {
                Pairs::Neighbours => (2 * pair, 2 * pair + 1),
                Pairs::Halves => (pair, pair + HEAD / 2),
            };
            let (x, y) = (f64::from(head[one]), f64::from(head[two]));
            let angle = position * f64::from(base).powf(-2.0 * pair as f64 / HEAD as f64);
            let open = (angle * 3.0 * pair as f64 + 4.0) * F32_ROUNDING;
            let bound = (x.abs() + y.abs()) * open;
            turned[one] = (x * angle.cos() - y * angle.sin(), bound);
            turned[two] = (x * angle.sin() + y * angle.cos(), bound);
        }
        turned.into_iter().for_each(|(value, bound)| expected.push(value, bound));
    }
    let shape = [HEAD, HEADS, POSITIONS.len(), 1];
    Case {
        name,
        op: Op::Rope { pairs, base },
        inputs: vec![
            Tensor::of_floats(Kind::F32, shape, &values),
            Tensor::of_integers([POSITIONS.len(), 1, 1, 1], &POSITIONS),
        ],
        expected,
        columns: HEAD,
    }
}

/// gate / (1 + e^-gate) × value: the exponential, a sum, a division and a product.
fn swiglu() -> Case {
    let mut noise = Noise::new(4);
    let gates: Vec<f32> = noise.values(COLUMNS * ROWS).into_iter().map(|gate| gate * 4.0).collect();
    let values = noise.values(COLUMNS * ROWS);
    let mut expected = Expected::default();
    for (gate, value) in gates.iter().zip(&values) {
        let gate = f64::from(*gate);
        let product = gate / (1.0 + (-gate).exp()) * f64::from(*value);
        expected.push(product, product.abs() * 8.0 * F32_ROUNDING);
    }
    Case {
        name: "SwiGLU",
        op: Op::SwiGlu,
        inputs: vec![floats(Kind::F32, &gates), floats(Kind::F32, &values)],
        expected,
        columns: COLUMNS,
    }
}
