//! The flags of the commands that make and measure models.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::{KernelFlags, ModelFlags, WayFlags, count};
use crate::types::limits;
use crate::types::quantize::Mix;

/// What the output head is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeadName {
    /// 8 bits
    #[value(name = "q8_0")]
    Q8_0,
}

/// `solverbox quantize`
#[derive(Debug, Args)]
pub struct Quantize {
    /// The model to read (GGUF in F32, F16 or BF16)
    #[arg(value_name = "IN")]
    pub from: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT")]
    pub to: PathBuf,
    /// What to make of it: q8_0 (INT8), q6_k, q5_k_m, q4_k_m (the usual choice), q4_k_s, iq4_nl, or
    /// q4_0 (the fastest)
    #[arg(value_name = "TYPE", value_parser = mix)]
    pub mix: Mix,
    /// Importance matrix, as `solverbox imatrix` or llama-imatrix makes it
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_IMATRIX")]
    pub imatrix: Option<PathBuf>,
    /// Keep the output head in more bits than TYPE would
    #[arg(long, value_name = "TYPE", env = "SOLVERBOX_KEEP_HEAD")]
    pub keep_head: Option<HeadName>,
    /// Take a model that is quantized already, which loses more than starting from the original
    #[arg(long, env = "SOLVERBOX_REQUANTIZE", value_parser = BoolishValueParser::new())]
    pub requantize: bool,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", env = "SOLVERBOX_THREADS",
          value_parser = count(1, limits::THREADS_MAX))]
    pub threads: Option<u32>,
}

/// `solverbox imatrix`
#[derive(Debug, Args)]
pub struct Imatrix {
    /// Which model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// What to read: a text, or what `solverbox eval --out` has recorded (.jsonl)
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_TEXT")]
    pub text: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT")]
    pub to: PathBuf,
}

/// `solverbox compare`
#[derive(Debug, Args)]
pub struct Compare {
    /// The model that is the measure, such as the one in F16
    #[arg(value_name = "A")]
    pub measure: PathBuf,
    /// The model that is measured
    #[arg(value_name = "B")]
    pub measured: PathBuf,
    /// What both read: a text, or what `solverbox eval --out` has recorded (.jsonl)
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_TEXT")]
    pub text: PathBuf,
    /// Questions both answer as well, as for `eval`
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_SET")]
    pub set: Option<PathBuf>,
    /// Attempts at each question
    #[arg(long, value_name = "K", env = "SOLVERBOX_ATTEMPTS", default_value_t = 1,
          value_parser = count(1, limits::EVAL_ATTEMPTS_MAX))]
    pub attempts: u32,
    /// In which way.
    #[command(flatten)]
    pub way: WayFlags,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", env = "SOLVERBOX_THREADS",
          value_parser = count(1, limits::THREADS_MAX))]
    pub threads: Option<u32>,
    /// Which kernels.
    #[command(flatten)]
    pub kernels: KernelFlags,
    /// Print one JSON object instead of a table
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `solverbox bench`
#[derive(Debug, Args)]
pub struct Bench {
    /// Which model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// Measure less, in a few seconds on a PC
    #[arg(long, env = "SOLVERBOX_QUICK", value_parser = BoolishValueParser::new())]
    pub quick: bool,
    /// Draw tokens/s against batch size into this file (SVG)
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_SVG")]
    pub svg: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `solverbox tune`
#[derive(Debug, Args)]
pub struct Tune {
    /// Which model; --threads is the most that is tried.
    #[command(flatten)]
    pub model: ModelFlags,
}

/// A type a checkpoint can be converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvertType {
    /// 16-bit floats
    F16,
    /// 16-bit floats with the range of 32-bit ones
    Bf16,
    /// 32-bit floats
    F32,
    /// Quantized at once.
    Mix(Mix),
}

fn convert_type(text: &str) -> Result<ConvertType, String> {
    match text.to_ascii_lowercase().as_str() {
        "f16" => Ok(ConvertType::F16),
        "bf16" => Ok(ConvertType::Bf16),
        "f32" => Ok(ConvertType::F32),
        name => mix(name).map(ConvertType::Mix).map_err(|known| format!("{known}, f16, bf16, f32")),
    }
}

fn mix(text: &str) -> Result<Mix, String> {
    let named = |mix: &Mix| mix.name().eq_ignore_ascii_case(text);
    let known = || Mix::ALL.map(Mix::name).join(", ");
    let found = Mix::ALL.into_iter().find(named);
    found.ok_or_else(|| format!("one of these is needed: {}", known()))
}

/// `solverbox convert`
#[derive(Debug, Args)]
pub struct Convert {
    /// The checkpoint's folder: config.json, tokenizer.json, model.safetensors; or an adapter's, as
    /// PEFT saves it
    pub dir: PathBuf,
    /// The file to write
    pub file: PathBuf,
    /// What to store matrices as: f16, bf16, f32, or a type of `quantize`, such as q4_k_m
    #[arg(long = "type", value_name = "TYPE", env = "SOLVERBOX_TYPE", default_value = "f16",
          value_parser = convert_type)]
    pub kind: ConvertType,
    /// The model an adapter is for: a GGUF file, or its checkpoint's folder
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_BASE")]
    pub base: Option<PathBuf>,
}
