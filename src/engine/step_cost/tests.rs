//! Curves as kernels have them, measured clean and noisy, and what is made of them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

/// Seconds of a pass on a Raspberry Pi 5 with repacking kernels, as estimated from published
/// figures: 93 ms of reading weights, 11 ms of arithmetic a token, a hole at 2 and 3.
fn pi5(tokens: usize) -> f64 {
    let by_hand = tokens % TILE;
    let pass = if tokens == 1 { 93.0 } else { 96.0 + tokens as f64 };
    (pass + 18.0 * by_hand as f64 * f64::from(u8::from(tokens > 1))).max(11.0 * tokens as f64) / 1e3
}

/// Seconds where arithmetic is the limit, as on a Jetson Nano.
fn nano(tokens: usize) -> f64 {
    0.3 * tokens as f64
}

/// Seconds of two cores of a server with AVX-512, as measured: 40 ms a pass, 95 tokens a second.
fn virtual_machine(tokens: usize) -> f64 {
    (tokens as f64 / 95.0).max(0.04)
}

/// Seconds where nothing but the pass counts, up to eight tokens.
fn flat_to_eight(tokens: usize) -> f64 {
    if tokens <= 8 { 0.1 } else { 0.1 * tokens as f64 }
}

fn measured(curve: impl Fn(usize) -> f64, sizes: impl IntoIterator<Item = usize>) -> StepCost {
    let mut pace = StepCost::new();
    for size in sizes {
        (0..KNOWN_TIMES).for_each(|_| pace.saw(size, curve(size)));
    }
    pace
}

fn guesses(chances: &[f32]) -> Vec<Guess> {
    chances.iter().map(|&chance| Guess { token: 1, chance }).collect()
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
            Guess { token: 1, chance }
        })
        .collect()
}

/// Expected tokens a second of a pass, if the step fills it up where that is cheaper.
fn rate(pace: &StepCost, guesses: &[Vec<Guess>], counts: &[usize]) -> f64 {
    let base = guesses.len();
    let delta: f64 = (guesses.iter().zip(counts))
        .flat_map(|(guesses, &count)| guesses[..count].iter().map(|guess| f64::from(guess.chance)))
        .sum();
    let total = base + counts.iter().sum::<usize>();
    let cost = pace.known(total).unwrap().min(pace.known(total.next_multiple_of(TILE)).unwrap());
    (base as f64 + delta) / if total == base { pace.known(base).unwrap() } else { cost }
}

#[test]
fn what_is_chosen_is_the_best_of_all_there_is_to_choose() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut drafted = 0;
    for _ in 0..300 {
        let mut costs = [0.1; SINGLE_SIZES + 1];
        for size in 1..=SINGLE_SIZES {
            costs[size] = costs[size - 1] * (0.95 + 0.25 * uniform(&mut random));
        }
        let pace = measured(|size| costs[size], 1..=SINGLE_SIZES);
        let all = [(); 3].map(|()| random_guesses(&mut random));
        let most = (random.next_u64() % 10) as usize;
        let mut best = rate(&pace, &all, &[0, 0, 0]) * MARGIN;
        for first in 0..=all[0].len() {
            for second in 0..=all[1].len() {
                for third in 0..=all[2].len() {
                    if (1..=most).contains(&(first + second + third)) {
                        best = best.max(rate(&pace, &all, &[first, second, third]));
                    }
                }
            }
        }
        let chosen = pace.choose(3, &all, most);
        let none = chosen.iter().sum::<usize>() == 0;
        drafted += usize::from(!none);
        assert!(chosen.iter().sum::<usize>() <= most);
        let got = rate(&pace, &all, &chosen) * if none { MARGIN } else { 1.0 };
        assert!(got >= best * (1.0 - 1e-9), "{chosen:?} gives {got}, {best} was to be had");
    }
    assert!((50..250).contains(&drafted), "both answers were right at times: {drafted}");
}

#[test]
fn nothing_is_drafted_where_each_token_costs_as_much_as_the_first() {
    let pace = measured(nano, [1, 2, 3, 4, 8, 12, 16]);
    let sure = [guesses(&[0.99; 15]), guesses(&[0.99; 15])];
    assert_eq!(pace.choose(1, &sure[..1], 15), [0]);
    assert_eq!(pace.choose(2, &sure, 14), [0, 0]);
}

#[test]
fn a_pass_is_filled_as_far_as_that_is_free() {
    let pace = measured(flat_to_eight, [1, 2, 3, 4, 8, 12, 16]);
    assert_eq!(pace.choose(1, &[guesses(&[0.4; 15])], 15), [7]);
    assert_eq!(
        pace.choose(3, &[guesses(&[0.2]), guesses(&[0.9; 9]), guesses(&[0.5; 2])], 15),
        [0, 5, 0]
    );
    assert_eq!(pace.choose(1, &[guesses(&[0.4; 15])], 3), [3], "no more rows than there are");
    assert_eq!(pace.choose(1, &[guesses(&[0.02, 0.01])], 15), [0], "too little to be worth it");
}

#[test]
fn nothing_is_drafted_before_a_pass_without_drafts_is_measured() {
    assert_eq!(StepCost::new().choose(1, &[guesses(&[1.0; 15])], 15), [0]);
}

#[test]
fn sizes_that_might_pay_are_tried_three_times_and_then_seldom_unless_they_do() {
    let drafted = |curve: fn(usize) -> f64| {
        let mut pace = StepCost::new();
        let passes = (0..2_500).filter(|_| {
            let total = 1 + pace.choose(1, &[guesses(&[0.5, 0.3, 0.2, 0.1, 0.1])], 15)[0];
            pace.saw(pace.pad(total), curve(pace.pad(total)));
            total > 1
        });
        passes.count()
    };
    let (never, always) = (drafted(nano), drafted(pi5));
    assert!((3..=8).contains(&never), "{never}");
    assert!(always > 2_490, "{always}");
}

#[test]
fn two_and_three_tokens_are_filled_up_where_four_are_cheaper() {
    let pace = measured(pi5, [1, 2, 3, 4, 5, 8]);
    assert_eq!([1, 2, 3, 4, 5].map(|tokens| pace.pad(tokens)), [1, 4, 4, 4, 8]);
    let pace = measured(nano, [1, 2, 3, 4]);
    assert_eq!([1, 2, 3, 4].map(|tokens| pace.pad(tokens)), [1, 2, 3, 4]);
    let pace = measured(nano, [3]);
    assert_eq!([2, 3, 17].map(|tokens| pace.pad(tokens)), [2, 4, 17], "tried once 3 is known");
}

#[test]
fn between_measured_sizes_a_line_is_drawn_and_beyond_them_each_token_costs_its_share() {
    let pace = measured(|tokens| 0.05 + 0.01 * tokens as f64, [1, 8, 16]);
    let close = |tokens, seconds: f64| {
        let got = pace.seconds(tokens).unwrap();
        assert!((got - seconds).abs() < 1e-9, "{tokens}: {got}, expected {seconds}");
    };
    close(1, 0.06);
    close(8, 0.13);
    close(12, 0.17);
    close(32, 0.21 * 2.0);
    assert_eq!(StepCost::new().seconds(1), None);
}

#[test]
fn slices_grow_to_what_a_step_may_take_and_stay_there() {
    for (curve, decoding) in [
        (pi5 as fn(usize) -> f64, 0),
        (pi5, 1),
        (pi5, 6),
        (virtual_machine, 2),
        (nano, 0),
        (nano, 3),
    ] {
        let mut pace = StepCost::new();
        let mut last = 0;
        for step in 0..40 {
            let slice = pace.slice(decoding, 0.25, 10_000);
            let total = decoding + slice;
            assert!(total.is_multiple_of(TILE) && slice >= TILE, "{decoding} and {slice}");
            assert!(step > 0 || slice <= 20, "the first is modest: {slice}");
            let least = total <= decoding + 2 * TILE;
            assert!(step == 0 || least || curve(total) <= 0.25, "{total} take {}", curve(total));
            pace.saw(total, curve(total));
            last = total;
        }
        let next = curve(last + TILE);
        assert!(next > 0.25, "{} more would fit in {next}", TILE);
    }
}

#[test]
fn a_slice_is_no_longer_than_what_is_left_of_the_prompt_or_goes_in_one_pass() {
    let pace = measured(|_| 0.001, [4, 128]);
    assert_eq!(pace.slice(3, 0.25, 2), 2);
    assert_eq!(pace.slice(3, 0.25, 500), limits::UBATCH_TOKENS as usize - 3);
    assert_eq!(pace.slice(0, 0.25, 0), 0);
}

#[test]
fn a_size_that_was_measured_in_a_bad_moment_does_not_keep_slices_short() {
    let mut pace = measured(pi5, [1, 4, 8, 12, 16]);
    pace.saw(20, 3.0);
    let slice = pace.slice(0, 0.25, 500);
    assert!(slice >= 20, "{slice}");
    pace.saw(20, pi5(20));
    assert!((pace.seconds(20).unwrap() / pi5(20) - 1.0).abs() < 0.01);
}

#[test]
fn noise_does_not_hide_what_kernels_cost() {
    // Every pass 0 to 20 % late, one in twenty three times as long: another program's turn.
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut pace = StepCost::new();
    for pass in 0..3_000 {
        let size = [1, 1, 1, 1, 4, 8][pass % 6];
        let spike = if uniform(&mut random) < 0.05 { 3.0 } else { 1.0 };
        pace.saw(size, pi5(size) * (1.0 + 0.2 * uniform(&mut random)) * spike);
    }
    for size in [4, 8] {
        let ratio = pace.seconds(size).unwrap() / pace.seconds(1).unwrap();
        let truth = pi5(size) / pi5(1);
        assert!((ratio / truth - 1.0).abs() < 0.08, "{size}: {ratio}, in truth {truth}");
    }
    let ratio = pace.seconds(1).unwrap() / pi5(1);
    assert!((0.95..1.35).contains(&ratio), "{ratio}");
    assert_eq!(pace.choose(1, &[guesses(&[0.5, 0.3, 0.2])], 15), [3]);
}

#[test]
fn what_makes_all_passes_dearer_does_not_make_seldom_sizes_look_cheap() {
    let mut pace = measured(pi5, [1, 4, 8]);
    for pass in 0..900 {
        pace.saw(1, pi5(1) * (1.0 + f64::from(pass) / 900.0));
    }
    let ratio = pace.seconds(1).unwrap() / pi5(1);
    assert!((1.8..2.0).contains(&ratio), "{ratio}");
    let ratio = pace.seconds(8).unwrap() / pi5(8);
    assert!(ratio > 1.5, "{ratio}");
}

#[test]
fn measurements_that_are_none_are_not_noted() {
    let mut pace = StepCost::new();
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        pace.saw(4, seconds);
    }
    pace.saw(0, 1.0);
    assert_eq!(pace.seconds(4), None);
}
