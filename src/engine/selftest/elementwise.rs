//! Checks soft-max, RMS norm, rotary positions and SwiGLU.
//!
//! All are computed in f32, so the bounds are numbers of f32 roundings. ggml's vectorised
//! exponential counts as four (`ggml_v_expf` in vec.h states 1.45 units in the last place, two
//! roundings each).

use super::expected::{ExpectedValues, F32_ROUNDING};
use super::noise::TestValues;
use super::{Check, Threads, check, unsupported};
use crate::engine::llama::graph::{Cpu, ElementType, Op, Pairs, TensorData, WeightLayout};
use crate::types::error::Error;

/// Columns of the row-wise operations: not a multiple of a vector's length.
const COLUMNS: usize = 77;
const ROWS: usize = 5;
/// The size and the number of heads, and the positions of the rows, for rotary positions.
const HEAD: usize = 64;
const HEADS: usize = 3;
const POSITIONS: [i32; 5] = [0, 1, 17, 1000, 8191];

/// An operation with its inputs and its expected result, whose rows have `columns` values.
pub(crate) struct ElementwiseCase {
    pub(crate) name: &'static str,
    pub(crate) op: Op,
    pub(crate) inputs: Vec<TensorData>,
    pub(crate) expected: ExpectedValues,
    pub(crate) columns: usize,
}

/// Checks all cases, on one thread: several threads only divide whole rows among them.
///
/// # Errors
/// If the kernels cannot run at all.
pub(crate) fn run(cpu: &Cpu, checks: &mut Vec<Check>) -> Result<(), Error> {
    for ElementwiseCase { name, op, inputs, expected, columns } in cases() {
        let run = (op, &inputs[..], WeightLayout::Plain);
        let result = check(cpu, Threads::One, run, (&expected, columns))?;
        checks.push(Check { name: name.into(), result: result.ok_or_else(|| unsupported(name))? });
    }
    Ok(())
}

/// Returns all cases.
pub(crate) fn cases() -> Vec<ElementwiseCase> {
    vec![
        soft_max(),
        rms_norm(),
        rope("rotary positions, neighbours (Llama)", Pairs::Neighbours, 10_000.0),
        rope("rotary positions, halves (Qwen2)", Pairs::Halves, 1_000_000.0),
        swiglu(),
    ]
}

fn floats(kind: ElementType, values: &[f32]) -> TensorData {
    TensorData::of_floats(kind, [COLUMNS, ROWS, 1, 1], values)
}

/// e^(s - max) / Σ: the error of a score is at most three roundings of the range of scores (scale,
/// mask, subtract), which become relative in the result; the exponential adds four roundings, the
/// sum and the division at most 16.
fn soft_max() -> ElementwiseCase {
    const SCALE: f32 = 1.7;
    let mut source = TestValues::new(1);
    let scores = source.values(COLUMNS * ROWS);
    let mask: Vec<f32> = (0..COLUMNS * ROWS)
        .map(|at| match at % COLUMNS {
            column if column > COLUMNS - ROWS + at / COLUMNS => f32::NEG_INFINITY,
            column if column % 5 == 2 => -1.5,
            _ => 0.0,
        })
        .collect();
    let mut expected = ExpectedValues::default();
    for (scores, mask) in scores.chunks(COLUMNS).zip(mask.chunks(COLUMNS)) {
        let sums =
            scores.iter().zip(mask).map(|(s, m)| f64::from(*s) * f64::from(SCALE) + f64::from(*m));
        let sums: Vec<f64> = sums.collect();
        let seen = || sums.iter().copied().filter(|sum| sum.is_finite());
        let highest = seen().fold(f64::NEG_INFINITY, f64::max);
        let lowest = seen().fold(f64::INFINITY, f64::min);
        let total: f64 = sums.iter().map(|sum| (sum - highest).exp()).sum();
        let error = 3.0 * (highest - lowest) * F32_ROUNDING;
        let relative = (2.0 * error).exp_m1() + (4.0 + 16.0) * F32_ROUNDING;
        for sum in sums {
            let share = (sum - highest).exp() / total;
            expected.push(share, share * relative);
        }
    }
    ElementwiseCase {
        name: "soft-max with scale and mask",
        op: Op::SoftMax { scale: SCALE },
        inputs: vec![floats(ElementType::F32, &scores), floats(ElementType::F16, &mask)],
        expected,
        columns: COLUMNS,
    }
}

/// x / √(mean x² + ε): the squares and their f64 sum, the mean, √, the division and the product
/// round once each. The bound would not allow for a sum in f32.
fn rms_norm() -> ElementwiseCase {
    const EPSILON: f32 = 1e-6;
    let values = TestValues::new(2).values(COLUMNS * ROWS);
    let mut expected = ExpectedValues::default();
    for row in values.chunks(COLUMNS) {
        let squares: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
        let root = (squares / COLUMNS as f64 + f64::from(EPSILON)).sqrt();
        for x in row {
            let value = f64::from(*x) / root;
            expected.push(value, value.abs() * 8.0 * F32_ROUNDING);
        }
    }
    ElementwiseCase {
        name: "RMS norm",
        op: Op::RmsNorm { epsilon: EPSILON },
        inputs: vec![floats(ElementType::F32, &values)],
        expected,
        columns: COLUMNS,
    }
}

/// Rotates each pair by position × base^(-2i / head). The angle of pair i is the product of i
/// factors (`ggml_rope_cache_init` in ops.cpp), each with the two roundings of the power and one of
/// its own; the error of the angle and four more roundings apply to both elements of the pair.
fn rope(name: &'static str, pairs: Pairs, base: f32) -> ElementwiseCase {
    let values = TestValues::new(3).values(HEAD * HEADS * POSITIONS.len());
    let mut expected = ExpectedValues::default();
    for (at, head) in values.chunks(HEAD).enumerate() {
        let position = f64::from(POSITIONS[at / HEADS]);
        let mut rotated = vec![(0.0, 0.0); HEAD];
        for pair in 0..HEAD / 2 {
            let (one, two) = match pairs {
                Pairs::Neighbours => (2 * pair, 2 * pair + 1),
                Pairs::Halves => (pair, pair + HEAD / 2),
            };
            let (x, y) = (f64::from(head[one]), f64::from(head[two]));
            let angle = position * f64::from(base).powf(-2.0 * pair as f64 / HEAD as f64);
            let error = (angle * 3.0 * pair as f64 + 4.0) * F32_ROUNDING;
            let bound = (x.abs() + y.abs()) * error;
            rotated[one] = (x * angle.cos() - y * angle.sin(), bound);
            rotated[two] = (x * angle.sin() + y * angle.cos(), bound);
        }
        rotated.into_iter().for_each(|(value, bound)| expected.push(value, bound));
    }
    let shape = [HEAD, HEADS, POSITIONS.len(), 1];
    ElementwiseCase {
        name,
        op: Op::Rope { pairs, base },
        inputs: vec![
            TensorData::of_floats(ElementType::F32, shape, &values),
            TensorData::of_integers([POSITIONS.len(), 1, 1, 1], &POSITIONS),
        ],
        expected,
        columns: HEAD,
    }
}

/// gate / (1 + e^-gate) × value: an exponential, a sum, a division and a product.
fn swiglu() -> ElementwiseCase {
    let mut source = TestValues::new(4);
    let gates: Vec<f32> =
        source.values(COLUMNS * ROWS).into_iter().map(|gate| gate * 4.0).collect();
    let values = source.values(COLUMNS * ROWS);
    let mut expected = ExpectedValues::default();
    for (gate, value) in gates.iter().zip(&values) {
        let gate = f64::from(*gate);
        let product = gate / (1.0 + (-gate).exp()) * f64::from(*value);
        expected.push(product, product.abs() * 8.0 * F32_ROUNDING);
    }
    ElementwiseCase {
        name: "SwiGLU",
        op: Op::SwiGlu,
        inputs: vec![floats(ElementType::F32, &gates), floats(ElementType::F32, &values)],
        expected,
        columns: COLUMNS,
    }
}
