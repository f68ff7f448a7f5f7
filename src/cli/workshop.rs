//! The flags of the commands that make and measure models.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::values::{count, mix, one_of};
use super::{KernelFlags, ModelFlags, WayFlags};
use crate::commands::convert::WeightType;
use crate::model::convert::Float;
use crate::types::limits;
use crate::types::quantize::{Mix, OutputHead};

const HEADS: [(&str, OutputHead, &str); 1] = [("q8_0", OutputHead::Q8_0, "8 bits")];

/// The flags of `solverbox quantize`.
#[derive(Debug, Args)]
pub struct QuantizeFlags {
    /// Model to read (GGUF in F32, F16 or BF16)
    #[arg(value_name = "IN")]
    pub from: PathBuf,
    /// GGUF file to write
    #[arg(value_name = "OUT")]
    pub to: PathBuf,
    /// Target type: q8_0 (INT8), q6_k, q5_k_m, q4_k_m (the usual choice), q4_k_s, iq4_nl, or q4_0
    /// (the fastest)
    #[arg(value_name = "TYPE", value_parser = mix)]
    pub mix: Mix,
    /// Importance matrix from `solverbox imatrix` or llama-imatrix
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_IMATRIX")]
    pub imatrix: Option<PathBuf>,
    /// Type of the output head, to keep it more exact than TYPE would
    #[arg(long, value_name = "TYPE", env = "SOLVERBOX_KEEP_HEAD", value_parser = one_of(HEADS))]
    pub keep_head: Option<OutputHead>,
    /// Accept a model that is already quantized, which loses more than starting from the original
    #[arg(long, env = "SOLVERBOX_REQUANTIZE", value_parser = BoolishValueParser::new())]
    pub requantize: bool,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", env = "SOLVERBOX_THREADS",
          value_parser = count(1, limits::THREADS_MAX))]
    pub threads: Option<u32>,
}

/// The flags of `solverbox imatrix`.
#[derive(Debug, Args)]
pub struct ImatrixFlags {
    /// The flags that select the model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// Text to evaluate, or the records of `solverbox eval --out` (.jsonl)
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_TEXT")]
    pub text: PathBuf,
    /// Importance matrix to write (GGUF)
    #[arg(value_name = "OUT")]
    pub to: PathBuf,
}

/// The flags of `solverbox compare`.
#[derive(Debug, Args)]
pub struct CompareFlags {
    /// Reference model, such as the one in F16
    #[arg(value_name = "A")]
    pub measure: PathBuf,
    /// Model to compare with it
    #[arg(value_name = "B")]
    pub measured: PathBuf,
    /// Text both evaluate, or the records of `solverbox eval --out` (.jsonl)
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_TEXT")]
    pub text: PathBuf,
    /// Questions for both to answer as well, in the format of `eval`
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_SET")]
    pub set: Option<PathBuf>,
    /// Attempts at each question
    #[arg(long, value_name = "K", env = "SOLVERBOX_ATTEMPTS", default_value_t = 1,
          value_parser = count(1, limits::EVAL_ATTEMPTS_MAX))]
    pub attempts: u32,
    /// The flags that set how questions are answered.
    #[command(flatten)]
    pub way: WayFlags,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", env = "SOLVERBOX_THREADS",
          value_parser = count(1, limits::THREADS_MAX))]
    pub threads: Option<u32>,
    /// The flag that selects the kernels.
    #[command(flatten)]
    pub kernels: KernelFlags,
    /// Print one JSON object instead of a table
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// The flags of `solverbox bench`.
#[derive(Debug, Args)]
pub struct BenchFlags {
    /// The flags that select the model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// Measure less: a few seconds on a PC
    #[arg(long, env = "SOLVERBOX_QUICK", value_parser = BoolishValueParser::new())]
    pub quick: bool,
    /// File for a plot of tokens/s against batch size (SVG)
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_SVG")]
    pub svg: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// The flags of `solverbox tune`.
#[derive(Debug, Args)]
pub struct TuneFlags {
    /// The flags that select the model; --threads is the largest number tried.
    #[command(flatten)]
    pub model: ModelFlags,
}

/// The flags of `solverbox convert`.
#[derive(Debug, Args)]
pub struct ConvertFlags {
    /// Folder of the checkpoint (config.json, tokenizer.json, model.safetensors), or of an adapter
    /// saved by PEFT
    pub dir: PathBuf,
    /// GGUF file to write
    pub file: PathBuf,
    /// Type of the matrices: f16, bf16, f32, or a type of `quantize`, such as q4_k_m
    #[arg(long = "type", value_name = "TYPE", env = "SOLVERBOX_TYPE", default_value = "f16",
          value_parser = weight_type)]
    pub kind: WeightType,
    /// Base model of an adapter: a GGUF file, or the folder of its checkpoint
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_BASE")]
    pub base: Option<PathBuf>,
}

fn weight_type(text: &str) -> Result<WeightType, String> {
    match text.to_ascii_lowercase().as_str() {
        "f16" => Ok(WeightType::Float(Float::F16)),
        "bf16" => Ok(WeightType::Float(Float::Bf16)),
        "f32" => Ok(WeightType::Float(Float::F32)),
        name => {
            mix(name).map(WeightType::Quantized).map_err(|known| format!("{known}, f16, bf16, f32"))
        }
    }
}
