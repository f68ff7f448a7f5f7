//! `solverbox compare A.gguf B.gguf --text FILE`: what quantization cost model B compared with its
//! reference A.
//!
//! Both models evaluate the text in step (`engine::measure`); with `--set` they also answer its
//! questions, one model after the other.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::eval::{self, EvalOptions, EvalResult, PromptForm, Recording};
use super::progress_bar::ProgressBar;
use super::{Loading, OutputFormat, corpus};
use crate::engine::measure::{self, Comparison};
use crate::types::error::Error;
use crate::types::mode::Mode;

/// The options of `compare`.
#[derive(Debug)]
pub struct CompareOptions {
    /// The reference, and the model to compare with it.
    pub models: [Loading; 2],
    /// File with the text to evaluate.
    pub text: PathBuf,
    /// Question set for comparing answers too, if one is wanted.
    pub set: Option<PathBuf>,
    /// Mode of the questions.
    pub mode: Arc<Mode>,
    /// One seed per attempt at each question.
    pub seeds: Vec<u64>,
    /// Form of the results.
    pub output: OutputFormat,
}

/// Compares the models and prints the results.
///
/// # Errors
/// Errors of the text, the set and the models; `no_memory` if the two do not fit together.
pub fn run(options: &CompareOptions) -> Result<(), Error> {
    let documents = corpus::documents(&options.text)?;
    let plans = corpus::plan(&options.models, &documents)?;
    let plans = plans.each_ref();
    let mut bar = ProgressBar::start("passages");
    let show = |done: usize, total: usize| bar.show(done as u64, total as u64);
    let comparison = measure::compare(plans, &documents, show);
    drop(bar);
    let comparison = comparison?;
    let answers = match &options.set {
        Some(set) => Some([answers(options, set, 0)?, answers(options, set, 1)?]),
        None => None,
    };
    let names = plans.map(|plan| plan.model.name());
    super::print(&match options.output {
        OutputFormat::Text => table(&names, &comparison, answers.as_ref()),
        OutputFormat::Json => json(&names, &comparison, answers.as_ref()),
    })
}

fn answers(
    options: &CompareOptions,
    set: &std::path::Path,
    which: usize,
) -> Result<EvalResult, Error> {
    eval::measure(&EvalOptions {
        set: set.to_path_buf(),
        limit: None,
        mode: options.mode.clone(),
        prompt: PromptForm::Mode,
        seeds: options.seeds.clone(),
        output: options.output,
        recording: Recording::Off,
        loading: options.models[which].clone(),
    })
}

fn table(names: &[String; 2], c: &Comparison, answers: Option<&[EvalResult; 2]>) -> String {
    let [a, b] = names.each_ref().map(|name| name.escape_debug().to_string());
    let percent =
        |(share, half): (f64, f64)| format!("{:.2} % ± {:.2}", 100.0 * share, 100.0 * half);
    let mut lines = vec![
        ("reference", a),
        ("compared", b),
        ("tokens evaluated", c.tokens.to_string()),
        ("perplexity, reference", format!("{:.4}", c.perplexity[0])),
        ("perplexity, compared", format!("{:.4}", c.perplexity[1])),
        ("perplexity ratio", format!("{:.4} ± {:.4}", c.ratio.0, c.ratio.1)),
        ("mean KL divergence", format!("{:.5} ± {:.5} nats", c.divergence.0, c.divergence.1)),
        ("99 % of tokens below", format!("{:.5} nats", c.divergence_99)),
        ("same likeliest token", percent(c.same_top)),
    ];
    for (name, measured) in
        ["right, reference", "right, compared"].into_iter().zip(answers.into_iter().flatten())
    {
        lines.push((name, measured.right()));
    }
    lines.iter().map(|(name, value)| format!("{name:<28} {value}\n")).collect()
}

fn json(names: &[String; 2], c: &Comparison, answers: Option<&[EvalResult; 2]>) -> String {
    let mut object = json!({
        "models": names,
        "tokens": c.tokens,
        "perplexity": c.perplexity,
        "perplexity_ratio": {"mean": c.ratio.0, "half_interval_95": c.ratio.1},
        "kl_divergence_nats": {"mean": c.divergence.0, "half_interval_95": c.divergence.1},
        "kl_divergence_99_nats": c.divergence_99,
        "same_top": {"share": c.same_top.0, "half_interval_95": c.same_top.1},
    });
    if let Some(answers) = answers {
        object["answers"] = answers.iter().map(EvalResult::json).collect();
    }
    format!("{object}\n")
}
