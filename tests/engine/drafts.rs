//! Speculative drafts change only the speed: the same tokens with and without them, at any
//! temperature.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::draws::{DrawComparison, DrawLog, TIE_MAX};
use crate::support::local_desk::{self, DeskOptions, NEVER, answer};
use crate::support::model;
use crate::support::own_process::in_own_process;
use solverbox::desk::{Capacity, Desk};
use solverbox::engine::Draw;
use solverbox::types::job::Client;
use solverbox::types::plan::Drafts;

#[test]
fn greedy_answers_are_the_same_tokens_with_and_without_drafts() {
    in_own_process(|| {
        compare("demo", &model(), 300, &[Drafts::Auto, Drafts::Always]);
    });
}

#[test]
fn greedy_answers_of_a_language_model_are_the_same_too() {
    let Some(smollm2) = local_desk::smollm2() else { return };
    in_own_process(|| compare("smollm2", &smollm2, 24, &[Drafts::Always]));
}

#[test]
fn sampled_answers_have_the_same_distribution_with_and_without_drafts() {
    in_own_process(|| {
        const THROWS: u64 = 500;
        let (with, without) =
            (throw(Drafts::Always, 0..THROWS), throw(Drafts::Off, THROWS..2 * THROWS));
        // Rare texts form one class: the approximation needs classes that are not too small.
        let mut classes: BTreeMap<(usize, &str), [f64; 2]> = BTreeMap::new();
        let all = |key| with.get(key).unwrap_or(&0) + without.get(key).unwrap_or(&0);
        for (at, counts) in [&with, &without].into_iter().enumerate() {
            for (key, &count) in counts {
                let class = if all(key) >= 20 { key.1.as_str() } else { "another" };
                classes.entry((key.0, class)).or_default()[at] += f64::from(count);
            }
        }
        classes.retain(|_, [a, b]| *a + *b >= 10.0);
        // Two samples of the same size: the sum of (a - b)^2 / (a + b).
        let chi2: f64 = classes.values().map(|[a, b]| (a - b).powi(2) / (a + b)).sum();
        let freedom = (classes.len() - DICE.len()) as f64;
        // Wilson and Hilferty (1931); 3.719 is the normal distribution's 0.9999 quantile.
        let step = 2.0 / (9.0 * freedom);
        let most = freedom * (1.0 - step + 3.719 * step.sqrt()).powi(3);
        println!("chi-squared {chi2:.1} of {freedom} degrees of freedom, at most {most:.1}");
        assert!(freedom >= 5.0 && chi2 < most, "{classes:?}");
    });
}

fn open(model: &Path, drafts: Drafts) -> (Desk, DrawLog) {
    let capacity = Capacity::alone(2_000);
    local_desk::open(&DeskOptions { model, context_tokens: 2_048, sequences: 2, drafts, capacity })
}

/// Asks 30 prompts one after the other; returns the draws of each.
fn greedy(model: &Path, prompts: &[String], drafts: Drafts, tokens: u32) -> Vec<Vec<Draw>> {
    let (desk, log) = open(model, drafts);
    let ask = |prompt: &String| {
        let mut question = local_desk::question("plain", prompt, 0.0);
        question.budget_tokens = tokens;
        log.of(answer(&desk, question).0.job)
    };
    let draws = prompts.iter().map(ask).collect();
    let gauge = desk.gauge();
    println!("{drafts:?}: {gauge:?}");
    match drafts {
        Drafts::Always => assert!(gauge.accepted_tokens > 100, "too few drafts: {gauge:?}"),
        // Whether drafts pay depends on the machine.
        Drafts::Auto => {}
        Drafts::Off => assert!(gauge.accepted_tokens < 10, "drafts: {gauge:?}"),
    }
    draws
}

fn compare(name: &str, model: &Path, tokens: u32, kinds: &[Drafts]) {
    let known = local_desk::questions("arithmetic-heldout").into_iter().step_by(5).take(20);
    let other = local_desk::questions("binary-heldout").into_iter().take(10);
    let prompts: Vec<String> = known.chain(other).map(|(question, _)| question).collect();
    assert_eq!(prompts.len(), 30);
    let without = greedy(model, &prompts, Drafts::Off, tokens);
    for &drafts in kinds {
        let with = greedy(model, &prompts, drafts, tokens);
        let mut all = DrawComparison::default();
        for ((prompt, without), with) in prompts.iter().zip(&without).zip(&with) {
            all.add(prompt, TIE_MAX, [without, with], true);
        }
        all.check(&format!("{name}, {drafts:?}"));
    }
}

/// Questions outside the training data, whose first tokens vary.
const DICE: [u32; 8] = [168, 632, 923, 652, 927, 81, 365, 500];

/// Samples the first tokens of each question's answers, one seed each; returns how often each text
/// came.
fn throw(drafts: Drafts, seeds: std::ops::Range<u64>) -> BTreeMap<(usize, String), u32> {
    let (desk, _) = open(&model(), drafts);
    let mut counts = BTreeMap::new();
    for (die, number) in DICE.iter().enumerate() {
        let text = format!("Write {number} in base 2.");
        let ask = |seed| {
            let mut question = local_desk::question("plain", &text, 1.0);
            (question.seed, question.sampling.top_p, question.budget_tokens) = (seed, 1.0, 8);
            desk.submit(Client::alone(), question, NEVER).unwrap()
        };
        let tickets: Vec<_> = seeds.clone().map(ask).collect();
        for ticket in tickets {
            let whole = ticket.record.wait_ended();
            let text = format!("{}|{}", whole.thinking, whole.answer);
            *counts.entry((die, text)).or_default() += 1;
        }
    }
    let gauge = desk.gauge();
    println!("{drafts:?}: {} texts, {gauge:?}", counts.len());
    assert_eq!(gauge.accepted_tokens > 100, drafts == Drafts::Always, "{gauge:?}");
    counts
}
