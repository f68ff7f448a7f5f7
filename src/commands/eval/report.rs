//! The scores of an evaluation as a table or as one JSON object.

use serde_json::{Value as Json, json};

use super::EvalResult;
use crate::answers::score::{Estimate, Scores};

/// The speed of this run, without attempts of an earlier run.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Number of tokens generated.
    pub tokens: u64,
    /// Seconds from the first question to the last answer, loading included.
    pub seconds: f64,
}

impl Speed {
    fn tokens_per_second(self) -> f64 {
        if self.seconds > 0.0 { self.tokens as f64 / self.seconds } else { 0.0 }
    }
}

/// Returns a table with a line per family and one for all questions.
pub fn table(measured: &EvalResult) -> String {
    let EvalResult { all, families, speed, .. } = measured;
    let attempts = measured.seeds.len();
    let wide = families.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(6);
    let mut lines = format!(
        "{:<wide$}  {:>9}  {:>22}  {:>22}  {:>22}  {:>6}  {:>7}\n",
        "family",
        "questions",
        "pass@1 (95 %)",
        format!("cons@{attempts}"),
        format!("pass@{attempts}"),
        "tokens",
        "cut off"
    );
    let named = families.iter().map(|(name, scores)| (printable(name), scores));
    for (name, scores) in named.chain([("all".to_string(), all)]) {
        lines += &format!(
            "{name:<wide$}  {:>9}  {:>22}  {:>22}  {:>22}  {:>6.0}  {:>5.1} %\n",
            scores.questions,
            percent(&scores.pass_at_1),
            percent(&scores.cons_at_k),
            percent(&scores.pass_at_k),
            scores.mean_completion_tokens,
            100.0 * scores.cut_off
        );
    }
    lines
        + &match speed.tokens {
            0 => "no attempts were missing\n".to_string(),
            _ => format!(
                "{} tokens in {:.0} s: {:.1} tokens/s\n",
                speed.tokens,
                speed.seconds,
                speed.tokens_per_second()
            ),
        }
}

/// Returns the description of the run with its scores.
pub fn json(measured: &EvalResult) -> Json {
    let mut object = measured.about.clone();
    object["seeds"] = json!(measured.seeds);
    object["attempts"] = json!(measured.seeds.len());
    for (key, value) in fields(&measured.all).as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object["tokens_per_second"] = json!(measured.speed.tokens_per_second());
    let families = measured.families.iter().map(|(name, scores)| (name.clone(), fields(scores)));
    object["families"] = Json::Object(families.collect());
    object
}

fn fields(scores: &Scores) -> Json {
    let estimate = |e: &Estimate| json!({"share": e.share, "low": e.low, "high": e.high});
    json!({
        "questions": scores.questions,
        "samples": scores.samples,
        "pass_at_1": estimate(&scores.pass_at_1),
        "cons_at_k": estimate(&scores.cons_at_k),
        "pass_at_k": estimate(&scores.pass_at_k),
        "mean_completion_tokens": scores.mean_completion_tokens,
        "cut_off": scores.cut_off,
    })
}

/// Formats a share with its confidence interval.
pub fn percent(e: &Estimate) -> String {
    format!("{:.1} % ({:.1}–{:.1})", 100.0 * e.share, 100.0 * e.low, 100.0 * e.high)
}

/// Escapes control characters in names from a set.
fn printable(text: &str) -> String {
    text.escape_debug().to_string()
}
