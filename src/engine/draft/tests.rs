//! Guesses for texts that repeat themselves and for texts that do not.

use std::collections::HashSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

fn random_text(seed: u64, tokens: usize, vocabulary: u64) -> Vec<Token> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..tokens).map(|_| Token::at((random.next_u64() % vocabulary) as usize)).collect()
}

fn guesses(drafter: &Drafter, table: &NgramTable, most: usize) -> Vec<Guess> {
    let mut guesses = Vec::new();
    drafter.propose(table, most, &mut guesses);
    guesses
}

/// Appends a text token by token, with three guesses before each, and returns how many guesses were
/// made, how many were expected to be right, and how many were right.
fn follow(drafter: &mut Drafter, table: &mut NgramTable, text: &[Token]) -> (usize, f64, usize) {
    let (mut made, mut expected, mut right) = (0, 0.0, 0);
    for at in 0..text.len() {
        let guesses = guesses(drafter, table, 3);
        made += guesses.len();
        expected += guesses.iter().map(|guess| f64::from(guess.chance)).sum::<f64>();
        right +=
            guesses.iter().zip(&text[at..]).take_while(|(g, token)| g.token == **token).count();
        drafter.extend(&text[at..=at], table);
    }
    (made, expected, right)
}

#[test]
fn a_repeating_text_is_guessed_far_ahead() {
    let line = random_text(1, 40, 100_000);
    let mut table = NgramTable::new();
    let mut drafter = Drafter::new(&Token::all([7, 8, 9]), &mut table);
    for _ in 0..4 {
        drafter.extend(&line, &mut table);
    }
    let guesses = guesses(&drafter, &table, 15);
    assert!(guesses.iter().map(|guess| guess.token).eq(line[..15].iter().copied()), "{guesses:?}");
    assert!(guesses[14].chance > 0.5, "{guesses:?}");
}

#[test]
fn a_line_of_the_prompt_is_guessed_at_its_first_quotation() {
    let prompt = random_text(2, 300, 100_000);
    let mut table = NgramTable::new();
    let mut drafter = Drafter::new(&prompt, &mut table);
    drafter.extend(&prompt[100..108], &mut table);
    let guesses = guesses(&drafter, &table, 3);
    assert!(guesses.iter().map(|g| g.token).eq(prompt[108..111].iter().copied()), "{guesses:?}");
}

#[test]
fn a_text_without_repetition_is_almost_never_guessed_once_that_is_known() {
    let mut table = NgramTable::new();
    let mut drafter = Drafter::new(&[], &mut table);
    drafter.extend(&random_text(3, 2_000, 50), &mut table);
    let (_, expected, _) = follow(&mut drafter, &mut table, &random_text(4, 500, 50));
    // By chance one guess in 50 is right.
    assert!(expected / 500.0 < 0.05, "{expected}");
}

#[test]
fn a_text_that_starts_to_repeat_itself_is_noticed_in_its_second_round() {
    let mut table = NgramTable::new();
    let mut drafter = Drafter::new(&[], &mut table);
    drafter.extend(&random_text(5, 3_000, 50), &mut table);
    let line = random_text(6, 200, 50);
    drafter.extend(&line, &mut table);
    let (_, expected, right) = follow(&mut drafter, &mut table, &line);
    // Nine tokens pass before the longest context has been seen.
    assert!(right > 3 * 180, "{right}");
    assert!(expected > 200.0, "{expected}");
}

#[test]
fn text_of_one_attempt_is_guessed_for_another() {
    let derivation = random_text(7, 200, 100_000);
    let mut table = NgramTable::new();
    let mut first = Drafter::new(&Token::all([1, 2, 3]), &mut table);
    let mut second = Drafter::new(&Token::all([4, 5, 6]), &mut table);
    first.extend(&derivation, &mut table);
    let (_, _, right) = follow(&mut second, &mut table, &derivation);
    assert!(right > 3 * 190, "{right}");
}

#[test]
fn a_guess_has_always_followed_the_token_before_it_in_some_text() {
    let mut table = NgramTable::new();
    let mut followed = HashSet::new();
    let mut texts: Vec<(Drafter, Token)> =
        (0..4).map(Token).map(|text| (Drafter::new(&[text], &mut table), text)).collect();
    for (seed, vocabulary) in (0..400).zip([5, 30, 1_000, 1 << 20].into_iter().cycle()) {
        let (drafter, last) = &mut texts[seed as usize % 3];
        let gained = random_text(seed, 1 + seed as usize % 30, vocabulary);
        for &token in &gained {
            followed.insert((*last, token));
            *last = token;
        }
        drafter.extend(&gained, &mut table);
        let mut before = *last;
        for guess in guesses(drafter, &table, 15) {
            assert!(followed.contains(&(before, guess.token)), "{before:?} {guess:?}");
            before = guess.token;
        }
    }
    assert!(followed.len() > 3_000, "the texts were long enough: {}", followed.len());
}

#[test]
fn chances_decrease_and_no_more_guesses_are_made_than_asked_for() {
    let mut table = NgramTable::new();
    let mut drafter = Drafter::new(&random_text(8, 500, 20), &mut table);
    for seed in 0..200 {
        drafter.extend(&random_text(seed % 9, 10, 20), &mut table);
        for most in [0, 1, 4, 100] {
            let chances: Vec<f32> =
                guesses(&drafter, &table, most).iter().map(|guess| guess.chance).collect();
            assert!(chances.len() <= most.min(limits::DRAFT_TOKENS_MAX));
            assert!(chances.iter().all(|chance| (CHANCE_MIN..=1.0).contains(chance)));
            assert!(chances.is_sorted_by(|before, after| before >= after), "{chances:?}");
        }
    }
}

#[test]
fn chances_equal_the_share_of_right_guesses() {
    // A repeated line of 60 tokens, in which every fifth token is random.
    let line = random_text(9, 60, 1_000);
    let mut random = ChaCha8Rng::seed_from_u64(10);
    let text: Vec<Token> = (0..6_000)
        .map(|at| match random.next_u64() % 5 {
            0 => Token((random.next_u64() % 1_000) as i32),
            _ => line[at % line.len()],
        })
        .collect();
    let mut table = NgramTable::new();
    let mut drafter = Drafter::new(&text[..1_000], &mut table);
    let (made, expected, right) = follow(&mut drafter, &mut table, &text[1_000..]);
    let ratio = expected / right as f64;
    assert!((0.85..1.15).contains(&ratio), "{made} guesses, {expected} expected, {right} right");
    assert!(right as f64 > 0.3 * made as f64, "{right} of {made}");
}

#[test]
fn a_common_prompt_does_not_make_guesses_bolder() {
    let (prompt, answer) = (random_text(11, 1_000, 30), random_text(12, 100, 30));
    let chances = |prompts: usize| {
        let mut table = NgramTable::new();
        for _ in 0..prompts {
            Drafter::new(&prompt, &mut table);
        }
        let mut drafter = Drafter::new(&prompt, &mut table);
        follow(&mut drafter, &mut table, &answer).1
    };
    // Only the confidence in the prompt's own contexts has grown.
    assert!((chances(8) - chances(0)).abs() < 10.0, "{} {}", chances(8), chances(0));
}

#[test]
fn a_table_that_has_overflowed_many_times_still_knows_the_latest_text() {
    let mut table = NgramTable::new();
    let bytes = size_of_val(&*table.entries);
    let mut drafter = Drafter::new(&random_text(13, 1_000_000, 150_000), &mut table);
    let line = random_text(14, 2_000, 150_000);
    drafter.extend(&line, &mut table);
    drafter.extend(&line[500..508], &mut table);
    let guesses = guesses(&drafter, &table, 3);
    assert!(guesses.iter().map(|guess| guess.token).eq(line[508..511].iter().copied()));
    assert_eq!(size_of_val(&*table.entries), bytes);
    assert_eq!(bytes, limits::DRAFT_TABLE_BYTES);
    assert!(size_of::<Drafter>() <= 200, "{}", size_of::<Drafter>());
}
