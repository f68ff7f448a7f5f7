//! Cost curves of real kernels, measured with and without noise, and the decisions they lead to.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::types::answer::Token;

/// Seconds of a pass on a Raspberry Pi 5 with repacking kernels, estimated from published figures:
/// 93 ms to read the weights, 11 ms of arithmetic per token, and a gap at 2 and 3 tokens.
fn pi5(tokens: usize) -> f64 {
    let by_hand = tokens % TILE;
    let pass = if tokens == 1 { 93.0 } else { 96.0 + tokens as f64 };
    (pass + 18.0 * by_hand as f64 * f64::from(u8::from(tokens > 1))).max(11.0 * tokens as f64) / 1e3
}

/// Seconds if arithmetic is the limit, as on a Jetson Nano.
fn nano(tokens: usize) -> f64 {
    0.3 * tokens as f64
}

/// Seconds on two cores of a server with AVX-512, measured: 40 ms a pass, 95 tokens a second.
fn virtual_machine(tokens: usize) -> f64 {
    (tokens as f64 / 95.0).max(0.04)
}

/// Seconds if a pass of up to eight tokens has a fixed cost.
fn flat_to_eight(tokens: usize) -> f64 {
    if tokens <= 8 { 0.1 } else { 0.1 * tokens as f64 }
}

fn measured(curve: impl Fn(usize) -> f64, sizes: impl IntoIterator<Item = usize>) -> StepCost {
    let mut cost = StepCost::new();
    for size in sizes {
        (0..KNOWN_TIMES).for_each(|_| cost.record(size, curve(size)));
    }
    cost
}

fn guesses(chances: &[f32]) -> Vec<Guess> {
    chances.iter().map(|&chance| Guess { token: Token(1), chance }).collect()
}

fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn random_guesses(random: &mut ChaCha8Rng) -> Vec<Guess> {
    let mut chance = 1.0;
    let count = random.next_u64() % 6;
    (0..count)
        .map(|_| {
            chance *= uniform(random) as f32;
            Guess { token: Token(1), chance }
        })
        .collect()
}

/// Returns the expected tokens a second of a pass that is padded if that is cheaper.
fn rate(cost: &StepCost, guesses: &[Vec<Guess>], counts: &[usize]) -> f64 {
    let base = guesses.len();
    let expected: f64 = (guesses.iter().zip(counts))
        .flat_map(|(guesses, &count)| guesses[..count].iter().map(|guess| f64::from(guess.chance)))
        .sum();
    let total = base + counts.iter().sum::<usize>();
    let seconds = cost.known(total).unwrap().min(cost.known(total.next_multiple_of(TILE)).unwrap());
    (base as f64 + expected) / if total == base { cost.known(base).unwrap() } else { seconds }
}

#[test]
fn the_best_of_all_possible_choices_is_made() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut drafted = 0;
    for _ in 0..300 {
        let mut costs = [0.1; SINGLE_SIZES + 1];
        for size in 1..=SINGLE_SIZES {
            costs[size] = costs[size - 1] * (0.95 + 0.25 * uniform(&mut random));
        }
        let cost = measured(|size| costs[size], 1..=SINGLE_SIZES);
        let all = [(); 3].map(|()| random_guesses(&mut random));
        let most = (random.next_u64() % 10) as usize;
        let mut best = rate(&cost, &all, &[0, 0, 0]) * MARGIN;
        for first in 0..=all[0].len() {
            for second in 0..=all[1].len() {
                for third in 0..=all[2].len() {
                    if (1..=most).contains(&(first + second + third)) {
                        best = best.max(rate(&cost, &all, &[first, second, third]));
                    }
                }
            }
        }
        let chosen = cost.choose(3, &all, most);
        let none = chosen.iter().sum::<usize>() == 0;
        drafted += usize::from(!none);
        assert!(chosen.iter().sum::<usize>() <= most);
        let got = rate(&cost, &all, &chosen) * if none { MARGIN } else { 1.0 };
        assert!(got >= best * (1.0 - 1e-9), "{chosen:?} gives {got}, {best} is possible");
    }
    assert!((50..250).contains(&drafted), "both with and without drafts: {drafted}");
}

#[test]
fn nothing_is_drafted_if_each_token_costs_as_much_as_the_first() {
    let cost = measured(nano, [1, 2, 3, 4, 8, 12, 16]);
    let sure = [guesses(&[0.99; 15]), guesses(&[0.99; 15])];
    assert_eq!(cost.choose(1, &sure[..1], 15), [0]);
    assert_eq!(cost.choose(2, &sure, 14), [0, 0]);
}

#[test]
fn a_pass_is_filled_as_far_as_that_is_free() {
    let cost = measured(flat_to_eight, [1, 2, 3, 4, 8, 12, 16]);
    assert_eq!(cost.choose(1, &[guesses(&[0.4; 15])], 15), [7]);
    assert_eq!(
        cost.choose(3, &[guesses(&[0.2]), guesses(&[0.9; 9]), guesses(&[0.5; 2])], 15),
        [0, 5, 0]
    );
    assert_eq!(cost.choose(1, &[guesses(&[0.4; 15])], 3), [3], "no more rows than available");
    assert_eq!(cost.choose(1, &[guesses(&[0.02, 0.01])], 15), [0], "the gain is too small");
}

#[test]
fn nothing_is_drafted_before_a_pass_without_drafts_is_measured() {
    assert_eq!(StepCost::new().choose(1, &[guesses(&[1.0; 15])], 15), [0]);
}

#[test]
fn sizes_that_might_pay_are_tried_three_times_and_then_rarely_unless_they_do() {
    let drafted = |curve: fn(usize) -> f64| {
        let mut cost = StepCost::new();
        let passes = (0..2_500).filter(|_| {
            let total = 1 + cost.choose(1, &[guesses(&[0.5, 0.3, 0.2, 0.1, 0.1])], 15)[0];
            cost.record(cost.pad(total), curve(cost.pad(total)));
            total > 1
        });
        passes.count()
    };
    let (never, always) = (drafted(nano), drafted(pi5));
    assert!((3..=8).contains(&never), "{never}");
    assert!(always > 2_490, "{always}");
}

#[test]
fn two_and_three_tokens_are_padded_if_four_are_cheaper() {
    let cost = measured(pi5, [1, 2, 3, 4, 5, 8]);
    assert_eq!([1, 2, 3, 4, 5].map(|tokens| cost.pad(tokens)), [1, 4, 4, 4, 8]);
    let cost = measured(nano, [1, 2, 3, 4]);
    assert_eq!([1, 2, 3, 4].map(|tokens| cost.pad(tokens)), [1, 2, 3, 4]);
    let cost = measured(nano, [3]);
    assert_eq!([2, 3, 17].map(|tokens| cost.pad(tokens)), [2, 4, 17], "tried once 3 is known");
}

#[test]
fn unknown_sizes_are_interpolated_and_extrapolated_by_the_cost_per_token() {
    let cost = measured(|tokens| 0.05 + 0.01 * tokens as f64, [1, 8, 16]);
    let close = |tokens, seconds: f64| {
        let got = cost.seconds(tokens).unwrap();
        assert!((got - seconds).abs() < 1e-9, "{tokens}: {got}, expected {seconds}");
    };
    close(1, 0.06);
    close(8, 0.13);
    close(12, 0.17);
    close(32, 0.21 * 2.0);
    assert_eq!(StepCost::new().seconds(1), None);
}

#[test]
fn prefill_grows_to_the_length_of_a_step_and_stays_there() {
    for (curve, decoding) in [
        (pi5 as fn(usize) -> f64, 0),
        (pi5, 1),
        (pi5, 6),
        (virtual_machine, 2),
        (nano, 0),
        (nano, 3),
    ] {
        let mut cost = StepCost::new();
        let mut last = 0;
        for step in 0..40 {
            let slice = cost.prefill_tokens(decoding, 0.25, 10_000);
            let total = decoding + slice;
            assert!(total.is_multiple_of(TILE) && slice >= TILE, "{decoding} and {slice}");
            assert!(step > 0 || slice <= 20, "the first is small: {slice}");
            let least = total <= decoding + 2 * TILE;
            assert!(step == 0 || least || curve(total) <= 0.25, "{total} take {}", curve(total));
            cost.record(total, curve(total));
            last = total;
        }
        let next = curve(last + TILE);
        assert!(next > 0.25, "{} more tokens would fit in {next}", TILE);
    }
}

#[test]
fn prefill_is_bounded_by_the_rest_of_the_prompt_and_by_a_pass() {
    let cost = measured(|_| 0.001, [4, 128]);
    assert_eq!(cost.prefill_tokens(3, 0.25, 2), 2);
    assert_eq!(cost.prefill_tokens(3, 0.25, 500), limits::UBATCH_TOKENS as usize - 3);
    assert_eq!(cost.prefill_tokens(0, 0.25, 0), 0);
}

#[test]
fn one_bad_measurement_does_not_keep_prefill_short() {
    let mut cost = measured(pi5, [1, 4, 8, 12, 16]);
    cost.record(20, 3.0);
    let slice = cost.prefill_tokens(0, 0.25, 500);
    assert!(slice >= 20, "{slice}");
    cost.record(20, pi5(20));
    assert!((cost.seconds(20).unwrap() / pi5(20) - 1.0).abs() < 0.01);
}

#[test]
fn noise_does_not_hide_the_cost_of_kernels() {
    // Every pass takes 0 to 20 % longer, one in twenty three times as long, by another program.
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut cost = StepCost::new();
    for pass in 0..3_000 {
        let size = [1, 1, 1, 1, 4, 8][pass % 6];
        let spike = if uniform(&mut random) < 0.05 { 3.0 } else { 1.0 };
        cost.record(size, pi5(size) * (1.0 + 0.2 * uniform(&mut random)) * spike);
    }
    for size in [4, 8] {
        let ratio = cost.seconds(size).unwrap() / cost.seconds(1).unwrap();
        let truth = pi5(size) / pi5(1);
        assert!((ratio / truth - 1.0).abs() < 0.08, "{size}: {ratio}, expected {truth}");
    }
    let ratio = cost.seconds(1).unwrap() / pi5(1);
    assert!((0.95..1.35).contains(&ratio), "{ratio}");
    assert_eq!(cost.choose(1, &[guesses(&[0.5, 0.3, 0.2])], 15), [3]);
}

#[test]
fn a_slowdown_of_all_passes_does_not_make_rare_sizes_look_cheap() {
    let mut cost = measured(pi5, [1, 4, 8]);
    for pass in 0..900 {
        cost.record(1, pi5(1) * (1.0 + f64::from(pass) / 900.0));
    }
    let ratio = cost.seconds(1).unwrap() / pi5(1);
    assert!((1.8..2.0).contains(&ratio), "{ratio}");
    let ratio = cost.seconds(8).unwrap() / pi5(8);
    assert!(ratio > 1.5, "{ratio}");
}

#[test]
fn invalid_measurements_are_ignored() {
    let mut cost = StepCost::new();
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        cost.record(4, seconds);
    }
    cost.record(0, 1.0);
    assert_eq!(cost.seconds(4), None);
}
