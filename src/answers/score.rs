//! What the answers to a set of questions say about a model: pass@1, cons@K and pass@K.
//!
//! Pure arithmetic; `eval` gathers the samples. The measures are those of the field: pass@1 is the
//! chance that one attempt is right, cons@K that the commonest answer of K attempts is
//! (self-consistency, arXiv 2203.11171), pass@K that at least one of them is.

use std::collections::BTreeMap;

use super::value::Value;

/// One attempt at one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its normalised answer; `None` where it gave none.
    pub value: Option<Value>,
    /// Whether that is the question's answer.
    pub is_right: bool,
    /// Tokens it took.
    pub completion_tokens: u32,
    /// Whether the budget ended it.
    pub was_cut_off: bool,
}

/// A share of questions with its 95 % confidence interval, all 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The share measured.
    pub share: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// The measures of a set of questions, or of a family of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Questions with all their attempts.
    pub questions: usize,
    /// Attempts in all.
    pub samples: usize,
    /// Mean share of right attempts.
    pub pass_at_1: Estimate,
    /// Questions whose commonest answer is right; where several are, each counts its part.
    pub cons_at_k: Estimate,
    /// Questions with a right attempt.
    pub pass_at_k: Estimate,
    /// Mean tokens of an attempt.
    pub mean_completion_tokens: f64,
    /// Share of attempts the budget ended.
    pub cut_off: f64,
}

/// Returns the scores of questions, each given by its attempts; a question without any is left out.
pub fn scores(questions: &[Vec<Sample>]) -> Scores {
    let questions: Vec<&Vec<Sample>> = questions.iter().filter(|q| !q.is_empty()).collect();
    let samples = || questions.iter().flat_map(|question| question.iter());
    let each = |score: fn(&[Sample]) -> f64| -> Vec<f64> {
        questions.iter().map(|question| score(question)).collect()
    };
    let count = samples().count();
    let mean = |sum: f64| if count == 0 { 0.0 } else { sum / count as f64 };
    Scores {
        questions: questions.len(),
        samples: count,
        pass_at_1: estimate(&each(share_right), count),
        cons_at_k: estimate(&each(consensus), questions.len()),
        pass_at_k: estimate(
            &each(|question| f64::from(u8::from(any_right(question)))),
            questions.len(),
        ),
        mean_completion_tokens: mean(samples().map(|s| f64::from(s.completion_tokens)).sum()),
        cut_off: mean(samples().filter(|s| s.was_cut_off).count() as f64),
    }
}

fn share_right(attempts: &[Sample]) -> f64 {
    attempts.iter().filter(|s| s.is_right).count() as f64 / attempts.len() as f64
}

fn any_right(attempts: &[Sample]) -> bool {
    attempts.iter().any(|s| s.is_right)
}

/// Returns 1 where the commonest answer is right, 1/n where it is one of n commonest ones, else 0.
/// Attempts without an answer have no vote.
fn consensus(attempts: &[Sample]) -> f64 {
    let mut votes: BTreeMap<&Value, (usize, bool)> = BTreeMap::new();
    for sample in attempts {
        if let Some(value) = &sample.value {
            let vote = votes.entry(value).or_insert((0, sample.is_right));
            vote.0 += 1;
        }
    }
    let most = votes.values().map(|&(count, _)| count).max().unwrap_or(0);
    let winners: Vec<bool> =
        votes.into_values().filter(|&(count, _)| count == most).map(|(_, right)| right).collect();
    if winners.contains(&true) { 1.0 / winners.len() as f64 } else { 0.0 }
}

/// Returns the mean of scores of 0 to 1, one a question, with its 95 % interval; `trials` is how
/// many right-or-wrong trials they are the means of.
///
/// Attempts at one question are no independent witnesses, questions are: the standard error is that
/// of the questions' scores. The interval is Wilson's (1927) for as many trials as have that
/// standard error, at least one a question and at most all there were, so that it stays inside 0 to
/// 1 and does not vanish where all scores are equal.
fn estimate(scores: &[f64], trials: usize) -> Estimate {
    let n = scores.len() as f64;
    if scores.is_empty() {
        return Estimate { share: 0.0, low: 0.0, high: 1.0 };
    }
    let share = scores.iter().sum::<f64>() / n;
    let spread = scores.iter().map(|score| (score - share).powi(2)).sum::<f64>();
    let error_squared = spread / (n * (n - 1.0).max(1.0));
    let worth = share * (1.0 - share) / error_squared;
    // 0 / 0, where all are right or all wrong, tells nothing: the questions count.
    let n = if worth.is_nan() { n } else { worth.clamp(n, (trials as f64).max(n)) };
    const Z: f64 = 1.959_964;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Estimate { share, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(answer: &str, truth: &str) -> Sample {
        let value = Value::parse(answer);
        let is_right = value.is_some() && value == Value::parse(truth);
        Sample { value, is_right, completion_tokens: 10, was_cut_off: answer.is_empty() }
    }

    fn question(answers: &[&str], truth: &str) -> Vec<Sample> {
        answers.iter().map(|answer| sample(answer, truth)).collect()
    }

    #[test]
    fn the_commonest_answer_counts_and_ties_are_shared() {
        let cases: [(&[&str], f64); 8] = [
            (&["4", "4", "5"], 1.0),
            (&["5", "5", "4"], 0.0),
            (&["4", "5"], 0.5),
            (&["4", "5", "6"], 1.0 / 3.0),
            (&["4", "4.0", "5", "5", "6"], 0.5),
            (&["", "", "4"], 1.0),
            (&["", ""], 0.0),
            (&["5", "6"], 0.0),
        ];
        for (answers, expected) in cases {
            assert!((consensus(&question(answers, "4")) - expected).abs() < 1e-12, "{answers:?}");
        }
    }

    #[test]
    fn scores_are_means_over_the_questions() {
        let set =
            [question(&["4", "4", "5", ""], "4"), question(&["1", "2", "3", "3"], "1"), Vec::new()];
        let scores = scores(&set);
        assert_eq!((scores.questions, scores.samples), (2, 8));
        assert_eq!(scores.pass_at_1.share, (0.5 + 0.25) / 2.0);
        assert_eq!(scores.cons_at_k.share, 0.5);
        assert_eq!(scores.pass_at_k.share, 1.0);
        assert_eq!((scores.mean_completion_tokens, scores.cut_off), (10.0, 1.0 / 8.0));
    }

    #[test]
    fn one_attempt_a_question_gives_wilsons_interval() {
        // 8 of 10: 0.4902 to 0.9433, by the formula of Wilson's paper.
        let scores: Vec<f64> = (0..10).map(|i| f64::from(u8::from(i < 8))).collect();
        let got = estimate(&scores, 10);
        assert!((got.share - 0.8).abs() < 1e-12);
        assert!((got.low - 0.4902).abs() < 1e-3 && (got.high - 0.9433).abs() < 1e-3, "{got:?}");
    }

    #[test]
    fn attempts_that_agree_widen_the_interval_and_more_than_all_of_them_never_count() {
        let wide = |scores: &[f64], trials: usize| {
            let estimate = estimate(scores, trials);
            estimate.high - estimate.low
        };
        let coins: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let halves = [0.5; 100];
        // Attempts that always agree tell no more than one; those that split evenly, each its part.
        assert!((wide(&coins, 800) - wide(&coins, 100)).abs() < 0.002);
        assert!(wide(&halves, 800) < 0.5 * wide(&coins, 800));
        // Two questions tell little, however near their scores lie.
        assert!((wide(&[0.5, 0.5], 128) - wide(&[0.5, 0.515_625], 128)).abs() < 1e-3);
    }

    #[test]
    fn certainty_does_not_close_the_interval() {
        let all = estimate(&[1.0; 100], 800);
        assert!(all.high == 1.0 && (0.95..0.97).contains(&all.low), "{all:?}");
        assert_eq!(estimate(&[], 0), Estimate { share: 0.0, low: 0.0, high: 1.0 });
    }
}
