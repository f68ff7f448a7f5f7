//! Tests of the self-test: correct kernels pass, and the results of broken ones are detected.
//!
//! Broken kernels are simulated: correct ones compute with corrupted inputs, and the result is
//! compared with what the original inputs should give.

use std::sync::LazyLock;

use super::attention::{self, CASES, SCALE};
use super::product::{self, DEPTH, ROWS, ROWS_MAX, TYPES, WIDTH};
use super::*;
use crate::engine::kernels::choose;
use crate::engine::llama::graph::{ElementType, Pairs};
use crate::engine::llama::tests::BACKEND;

fn cpu() -> Cpu {
    LazyLock::force(&BACKEND);
    let cpu = Cpu::open().unwrap();
    cpu.use_threads(1);
    cpu
}

fn compute(op: Op, inputs: &[TensorData], layout: WeightLayout) -> Option<Vec<f32>> {
    cpu().run(op, inputs, layout).unwrap()
}

fn plain(op: Op, inputs: &[TensorData]) -> Vec<f32> {
    compute(op, inputs, WeightLayout::Plain).unwrap()
}

fn assert_right(
    kind: ElementType,
    weights: &TensorData,
    x: &[f32],
    rows: usize,
    expected: &ExpectedValues,
) {
    let inputs = [weights.clone(), product::rows_of(x, rows)];
    for layout in [WeightLayout::Plain, WeightLayout::Repacked] {
        let Some(got) = compute(Op::Product, &inputs, layout) else { continue };
        let name = product::name(kind, rows, layout);
        expected.compare(&got, WIDTH).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    }
}

/// Asserts that a result is found to be wrong and that the reason says where.
fn assert_detected(what: &str, expected: &ExpectedValues, got: &[f32]) {
    let compared = expected.compare(got, 7);
    let reason = compared.expect_err(&format!("{what} must not pass"));
    assert!(reason.contains("row ") && reason.contains("column "), "{what}: {reason}");
}

#[test]
fn the_kernels_of_this_machine_pass() {
    LazyLock::force(&BACKEND);
    let checks = run(2).unwrap();
    judge(&checks).unwrap();
    for check in &checks {
        let Ok(Passed::Within(share)) = check.result else { panic!("{check:?}") };
        assert!((0.0..0.5).contains(&share), "{} leaves little room: {share}", check.name);
    }
}

#[test]
fn every_type_is_checked_plain_and_if_the_set_repacks_it_repacked() {
    LazyLock::force(&BACKEND);
    let names: Vec<String> = run(1).unwrap().into_iter().map(|check| check.name).collect();
    let cpu = cpu();
    for kind in TYPES {
        let (weights, activations) = product::data(kind);
        let inputs = [weights, product::rows_of(&activations, 1)];
        let is_repacked = cpu.run(Op::Product, &inputs, WeightLayout::Repacked).unwrap().is_some();
        let planned = choose(None).unwrap().repacks(&kind.name().to_uppercase());
        assert_eq!(is_repacked, planned, "{kind:?}: types/kernels.rs differs from ggml");
        for rows in ROWS {
            assert!(names.contains(&product::name(kind, rows, WeightLayout::Plain)), "{names:?}");
            let name = product::name(kind, rows, WeightLayout::Repacked);
            assert_eq!(names.contains(&name), is_repacked, "{name}");
        }
    }
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "names are unique");
}

#[test]
fn products_are_right_with_any_number_of_rows() {
    for kind in TYPES {
        let (weights, activations) = product::data(kind);
        let expected = product::expected(kind, &weights, &activations, cpu().has(c"FP16_VA"));
        for rows in 1..=ROWS_MAX {
            assert_right(kind, &weights, &activations, rows, &expected);
        }
    }
}

#[test]
fn the_largest_sums_of_levels_do_not_overflow() {
    for kind in [ElementType::Q4_0, ElementType::Q6K] {
        for (weight, activation) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
            let (weights, activations) = ([weight; DEPTH * WIDTH], [activation; DEPTH * ROWS_MAX]);
            let weights = TensorData::of_floats(kind, [DEPTH, WIDTH, 1, 1], &weights);
            let expected = product::expected(kind, &weights, &activations, false);
            for rows in ROWS {
                assert_right(kind, &weights, &activations, rows, &expected);
            }
        }
    }
}

#[test]
fn repacked_weights_use_different_kernels() {
    let (weights, activations) = product::data(ElementType::Q4_0);
    let inputs = [weights, product::rows_of(&activations, ROWS_MAX)];
    if let Some(repacked) = compute(Op::Product, &inputs, WeightLayout::Repacked) {
        assert_ne!(repacked, plain(Op::Product, &inputs), "they round in a different order");
    }
}

#[test]
fn no_activation_is_where_kernels_may_round_either_way() {
    for kind in TYPES {
        let Some(block) = product::levels_block(kind) else { continue };
        for x in product::data(kind).1.chunks(block) {
            let scale = f64::from(product::scale(x));
            assert!(!x.iter().any(|x| product::is_tie(f64::from(*x) / scale)), "{kind:?}");
        }
    }
}

/// Returns the offset of a block's first scale, the length of a block, and the offset of the byte
/// with the lowest bit of one of its weights (ggml-common.h).
fn layout(kind: ElementType) -> (usize, usize, usize) {
    match kind {
        ElementType::Q4_0 => (0, 18, 7),
        ElementType::Q8_0 => (0, 34, 7),
        ElementType::Q4K => (0, 144, 20),
        ElementType::Q6K => (208, 210, 5),
        // No scale; the bit is in the upper byte's fraction.
        _ => (0, 64, 7),
    }
}

#[test]
fn products_with_corrupted_weights_are_detected() {
    for kind in TYPES {
        let (weights, activations) = product::data(kind);
        let input = product::rows_of(&activations, ROWS_MAX);
        let expected = product::expected(kind, &weights, &activations, false);
        let (scale, block, bit) = layout(kind);
        let corrupt = |what: &str, change: &dyn Fn(&mut [u8])| {
            let mut corrupted = weights.clone();
            change(corrupted.bytes_mut());
            let inputs = [corrupted, input.clone()];
            for layout in [WeightLayout::Plain, WeightLayout::Repacked] {
                if let Some(got) = compute(Op::Product, &inputs, layout) {
                    assert_detected(&format!("{kind:?}, {layout:?}: {what}"), &expected, &got);
                }
            }
        };
        corrupt("one weight off by a level", &|bytes| bytes[5 * block + bit] ^= 1);
        corrupt("a block swapped with the next", &|bytes| {
            let (one, two) = bytes[2 * block..4 * block].split_at_mut(block);
            one.swap_with_slice(two);
        });
        if kind != ElementType::F16 {
            // A sixty-fourth of the scale.
            corrupt("a scale off by 1.6 %", &|bytes| bytes[3 * block + scale] ^= 16);
        }
    }
}

#[test]
fn products_that_lose_activations_or_rows_are_detected() {
    for (kind, in_f16) in
        TYPES.map(|kind| (kind, false)).into_iter().chain([(ElementType::F16, true)])
    {
        let (weights, activations) = product::data(kind);
        let expected = product::expected(kind, &weights, &activations, in_f16);
        let corrupt = |what: &str, change: &dyn Fn(usize, f32) -> f32| {
            let corrupted: Vec<f32> =
                activations.iter().enumerate().map(|(at, x)| change(at, *x)).collect();
            let got =
                plain(Op::Product, &[weights.clone(), product::rows_of(&corrupted, ROWS_MAX)]);
            assert_detected(&format!("{kind:?}, in f16 {in_f16}: {what}"), &expected, &got);
        };
        corrupt("one lane of 32 dropped", &|at, x| if at % 32 == 3 { 0.0 } else { x });
        let factor = if in_f16 { 1.1 } else { 1.001 };
        corrupt("all too large", &|_, x| x * factor);
        corrupt("the last 16 dropped", &|at, x| if at % DEPTH >= DEPTH - 16 { 0.0 } else { x });
        if !in_f16 {
            corrupt("one of a row dropped", &|at, x| if at == 4 * DEPTH + 9 { 0.0 } else { x });
        }
        let mut got = plain(Op::Product, &[weights, product::rows_of(&activations, ROWS_MAX)]);
        expected.compare(&got, WIDTH).unwrap();
        got.swap(3, 4);
        assert_detected("two results swapped", &expected, &got);
    }
}

#[test]
fn broken_attention_is_detected_in_every_variant() {
    for (case, in_f16) in CASES.into_iter().flat_map(|case| [(case, false), (case, true)]) {
        let inputs = attention::inputs(case);
        let expected = attention::expected(case, &inputs, in_f16);
        let correct = Op::FlashAttention { scale: SCALE };
        let detected = |what: &str, op: Op, inputs: &[TensorData]| {
            let what = format!("{}, in f16 {in_f16}: {what}", case.name);
            assert_detected(&what, &expected, &plain(op, inputs));
        };
        let factor = if in_f16 { 0.8 } else { 0.9 };
        detected("scores too small", Op::FlashAttention { scale: SCALE * factor }, &inputs);
        for (at, what) in ["queries", "keys", "values"].into_iter().enumerate() {
            let mut corrupted = inputs.clone();
            corrupted[at] = swapped(&inputs[at]);
            detected(&format!("heads of {what} swapped"), correct, &corrupted);
            corrupted[at] = without_lane(&inputs[at]);
            detected(&format!("a lane of {what} dropped"), correct, &corrupted);
        }
        let mut corrupted = inputs.clone();
        corrupted[3] = all_seen(&inputs[3]);
        detected("the mask forgotten", correct, &corrupted);
    }
}

/// Returns a tensor with the halves of its data, which are heads, swapped.
fn swapped(tensor: &TensorData) -> TensorData {
    let mut tensor = tensor.clone();
    let (one, two) = {
        let bytes = tensor.bytes_mut();
        bytes.split_at_mut(bytes.len() / 2)
    };
    one.swap_with_slice(two);
    tensor
}

/// Returns a tensor with each eighth element zero.
fn without_lane(tensor: &TensorData) -> TensorData {
    let values = tensor.values().into_iter().enumerate();
    tensor.with_values(&values.map(|(at, x)| if at % 8 == 3 { 0.0 } else { x }).collect::<Vec<_>>())
}

fn all_seen(mask: &TensorData) -> TensorData {
    mask.with_values(&vec![0.0; mask.values().len()])
}

#[test]
fn broken_elementwise_operations_are_detected() {
    let other = |op: Op| match op {
        Op::SoftMax { scale } => Op::SoftMax { scale: scale * 1.0001 },
        Op::RmsNorm { .. } => Op::RmsNorm { epsilon: 1e-3 },
        Op::Rope { pairs: Pairs::Halves, base } => Op::Rope { pairs: Pairs::Neighbours, base },
        Op::Rope { pairs: Pairs::Neighbours, base } => {
            Op::Rope { pairs: Pairs::Neighbours, base: base * 1.01 }
        }
        op => op,
    };
    for case in elementwise::cases() {
        let mut inputs = case.inputs.clone();
        let correct = plain(case.op, &inputs);
        case.expected.compare(&correct, case.columns).unwrap();
        if case.op != Op::SwiGlu {
            assert_detected(case.name, &case.expected, &plain(other(case.op), &inputs));
        }
        let scaled: Vec<f32> = inputs[0].values().iter().map(|x| x * 1.0001).collect();
        if !matches!(case.op, Op::RmsNorm { .. }) {
            inputs[0] = inputs[0].with_values(&scaled);
            assert_detected(case.name, &case.expected, &plain(case.op, &inputs));
        }
        let mut got = correct;
        let last = got.len() - 1;
        got.swap(0, last - 1);
        assert_detected(case.name, &case.expected, &got);
    }
}

#[test]
fn nan_infinity_and_missing_values_are_wrong() {
    let mut expected = ExpectedValues::default();
    (0..3).for_each(|at| expected.push(f64::from(at), f64::INFINITY));
    assert_eq!(expected.compare(&[0.0, 1.0, 2.0], 3), Ok(0.0));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_detected("not finite", &expected, &[0.0, bad, 2.0]);
    }
    assert!(expected.compare(&[], 3).is_err(), "too few values");
    assert!(expected.compare(&[0.0; 4], 3).is_err(), "too many values");
}

#[test]
fn the_reason_says_where_and_by_how_much() {
    let mut expected = ExpectedValues::default();
    (0..6).for_each(|at| expected.push(f64::from(at), 0.5));
    let reason = expected.compare(&[0.0, 1.25, 2.0, 3.0, 14.0, 4.0], 3).unwrap_err();
    assert_eq!(
        reason,
        "2 of 6 values are wrong; row 1, column 1 is 14 instead of 4.000000 ± 5.0e-1, \
         20 times the bound"
    );
}

#[test]
fn an_error_names_a_few_failures_and_counts_many() {
    let check = |name: &str, result: Result<Passed, String>| Check { name: name.into(), result };
    let good = check("good", Ok(Passed::Within(0.1)));
    let bad = |at: usize| check(&format!("bad {at}"), Err("off".into()));
    assert_eq!(judge(&[good.clone(), good.clone()]), Ok(()));
    let error = judge(&[good.clone(), bad(1), bad(2)]).unwrap_err();
    assert_eq!(error.kind, Kind::Internal);
    assert!(error.message.ends_with("CPU: 'bad 1', 'bad 2'"), "{error}");
    assert!(error.remedy.contains("--kernels"), "{}", error.remedy);
    let error = judge(&(0..9).map(bad).collect::<Vec<_>>()).unwrap_err();
    assert!(error.message.contains("9 of 9 checks, among them 'bad 0', "), "{error}");
    assert!(!error.message.contains("bad 5"), "{error}");
    assert!(judge(&[]).is_err(), "checking nothing must not pass");
}
