//! What can be typed: commands, flags, their environment twins and help texts.
//!
//! Every flag has a twin `SOLVERBOX_…` and a key of its own name in the settings file (config.rs
//! puts the file's values in as defaults before parsing). Values are checked here, against
//! `words/limits.rs`.

mod history;
mod people;
mod serving;
mod workshop;

pub use history::{History, HistoryAction, HistoryFormat};
pub use people::{AdmissionFlags, ApiKey, Owner, OwnerCommand};
pub use serving::{BoxFlags, Console, Serve};
pub use workshop::{Bench, Compare, Convert, ConvertType, HeadName, Imatrix, Quantize, Tune};

use std::path::PathBuf;

use clap::builder::{BoolishValueParser, RangedU64ValueParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::types::boards::{BOARDS, Board};
use crate::types::limits;
use crate::types::plan::Drafts;

/// An offline solver box: ask a mathematics or programming question, get a reasoned answer.
#[derive(Debug, Parser)]
#[command(name = "solverbox", version, long_version = VERSION, about, max_term_width = 100)]
#[command(after_help = PRECEDENCE, args_override_self = true)]
pub struct Cli {
    /// Settings file (TOML): `flag-name = value`, one a line
    #[arg(long, global = true, value_name = "FILE", env = "SOLVERBOX_CONFIG")]
    pub config: Option<PathBuf>,
    /// What to log: error, warn, info, debug or trace, or filters as env_logger reads them
    #[arg(long, global = true, value_name = "LEVEL", env = "SOLVERBOX_LOG")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("SOLVERBOX_ENGINE"), ")");

const PRECEDENCE: &str = "A flag wins over its environment twin SOLVERBOX_…, that over the \
    settings file, that over the default.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer one question on this terminal
    Solve(Solve),
    /// Serve the page and the API, and consoles on serial ports
    Serve(Serve),
    /// Serve consoles alone: serial ports, or this terminal with `--serial -`
    Console(Console),
    /// List the serial ports of this machine
    SerialPorts,
    /// List, show, export or forget what was asked and answered
    History(History),
    /// Measure how often the answers to a set of questions are right
    Eval(Eval),
    /// List the modes a question can be asked in
    Modes(ModesFlags),
    /// Say what a model takes of a board's memory, what fits, and how fast it can be
    Plan(Plan),
    /// Make a GGUF file of a Hugging Face checkpoint, or of a LoRA adapter
    Convert(Convert),
    /// Quantize a model: the same in fewer bits
    Quantize(Quantize),
    /// Read a text to find which weights matter, so that quantizing can spare them
    Imatrix(Imatrix),
    /// Measure what quantizing cost: two files of one model, side by side
    Compare(Compare),
    /// Measure how fast this model is on this machine, beside what its memory allows
    Bench(Bench),
    /// Measure how many threads are best for this model on this machine, and keep it for next time
    Tune(Tune),
    /// Say what is in a GGUF file, without loading it
    Inspect(Inspect),
    /// Check that model files are whole: their structure, and their SHA-256 where one is on record
    Verify(Verify),
    /// List the kernel sets, what each needs of a processor, and which runs here
    Kernels(KernelFlags),
    /// Check that the kernels compute correctly on this very processor
    Selftest(Selftest),
    /// Make an API key for a person or a program
    ApiKey(ApiKey),
    /// Set or remove the PIN with which the owner of a served box signs in
    Owner(Owner),
}

/// Which model, and how it is loaded.
#[derive(Clone, Debug, Args)]
pub struct ModelFlags {
    /// Model file (GGUF), or `demo` for the built-in one [default: the newest .gguf in --models,
    /// else the built-in one]
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_MODEL")]
    pub model: Option<PathBuf>,
    /// Folder to look for models in
    #[arg(long, value_name = "DIR", env = "SOLVERBOX_MODELS", default_value = "models")]
    pub models: PathBuf,
    /// Folder for what lasts: tuned threads, prefilled prompts [default: $STATE_DIRECTORY, else
    /// ~/.local/share/solverbox]
    #[arg(long, value_name = "DIR", env = "SOLVERBOX_DATA")]
    pub data: Option<PathBuf>,
    /// LoRA adapters (GGUF) to add to the model, or `demo-binary` for the demo model's own; `serve`
    /// has them ready for modes and requests that name them
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_ADAPTER", value_delimiter = ',',
          action = ArgAction::Append)]
    pub adapter: Vec<PathBuf>,
    /// Tokens the model can keep in mind, prompt and answer together [default: what fits]
    #[arg(long, value_name = "N", env = "SOLVERBOX_CONTEXT_TOKENS",
          value_parser = count(limits::CONTEXT_TOKENS_MIN, limits::CONTEXT_TOKENS_MAX))]
    pub context_tokens: Option<u32>,
    /// Attempts that can be in the context side by side; they share its tokens [default: 1 to 8,
    /// by the context]
    #[arg(long, value_name = "N", env = "SOLVERBOX_SEQUENCES",
          value_parser = count(1, limits::SEQUENCES_MAX))]
    pub sequences: Option<u32>,
    /// Threads to compute with [default: what `tune` found, else all cores]
    #[arg(long, value_name = "N", env = "SOLVERBOX_THREADS",
          value_parser = count(1, limits::THREADS_MAX))]
    pub threads: Option<u32>,
    /// Which kernels.
    #[command(flatten)]
    pub kernels: KernelFlags,
    /// Precision of the KV cache; q8_0 takes half the memory of f16 [default: f16 where it fits,
    /// else q8_0]
    #[arg(long, value_name = "TYPE", env = "SOLVERBOX_KV")]
    pub kv: Option<Kv>,
    /// Whether to guess tokens and decode them along: the answers are the same, sooner
    #[arg(long, value_name = "WHEN", env = "SOLVERBOX_DRAFTS", default_value = "auto",
          value_parser = drafts)]
    pub drafts: Drafts,
    /// Milliseconds a step should take at most, by which prompts are cut into slices
    #[arg(long, value_name = "MS", env = "SOLVERBOX_STEP_MS",
          default_value_t = limits::STEP_MS_DEFAULT,
          value_parser = count(*limits::STEP_MS.start(), *limits::STEP_MS.end()))]
    pub step_ms: u32,
    /// Longest question, in tokens of the model
    #[arg(long, value_name = "N", env = "SOLVERBOX_QUESTION_TOKENS_MAX",
          default_value_t = limits::QUESTION_TOKENS_DEFAULT,
          value_parser = count(1, limits::QUESTION_TOKENS_CEILING))]
    pub question_tokens_max: u32,
}

impl ModelFlags {
    /// Returns whether they ask for something a box that runs already may not have.
    pub fn is_particular(&self) -> bool {
        let numbers = [self.context_tokens, self.sequences, self.threads];
        self.model.is_some()
            || !self.adapter.is_empty()
            || numbers.iter().any(Option::is_some)
            || self.kernels.name.is_some()
            || self.kv.is_some()
    }
}

/// Which kernels compute.
#[derive(Clone, Debug, Args)]
pub struct KernelFlags {
    /// Kernel set to compute with; `solverbox kernels` lists them [default: the best that can run]
    #[arg(long = "kernels", value_name = "NAME", env = "SOLVERBOX_KERNELS")]
    pub name: Option<String>,
}

/// Where further modes come from.
#[derive(Debug, Args)]
pub struct ModesFlags {
    /// File with modes of your own (TOML); they extend or change the built-in ones
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_MODES")]
    pub modes: Option<PathBuf>,
}

/// In which way a question is answered.
#[derive(Debug, Args)]
pub struct WayFlags {
    /// Which modes.
    #[command(flatten)]
    pub modes: ModesFlags,
    /// How to answer; `solverbox modes` lists them
    #[arg(long, value_name = "MODE", env = "SOLVERBOX_MODE", default_value = "math")]
    pub mode: String,
    /// Tokens to think and answer with, at most [default: the mode's]
    #[arg(long, value_name = "N", env = "SOLVERBOX_BUDGET_TOKENS",
          value_parser = count(limits::BUDGET_TOKENS_MIN, limits::BUDGET_TOKENS_MAX))]
    pub budget_tokens: Option<u32>,
    /// Sampling temperature; 0 always takes the likeliest token [default: the mode's]
    #[arg(long, value_name = "T", env = "SOLVERBOX_TEMPERATURE", value_parser = temperature)]
    pub temperature: Option<f32>,
}

/// Precision of the KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kv {
    /// 16-bit floats
    #[value(name = "f16")]
    F16,
    /// 8-bit blocks
    #[value(name = "q8_0")]
    Q8_0,
}

/// `solverbox solve`
#[derive(Debug, Args)]
pub struct Solve {
    /// Which model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// In which way.
    #[command(flatten)]
    pub way: WayFlags,
    /// Attempts at the question, which vote on the answer [default: the mode's]
    #[arg(long, value_name = "K", env = "SOLVERBOX_ATTEMPTS",
          value_parser = count(1, limits::ATTEMPTS_MAX))]
    pub attempts: Option<u32>,
    /// Seed of the random numbers, to repeat an answer [default: a new one each time]
    #[arg(long, value_name = "S", env = "SOLVERBOX_SEED")]
    pub seed: Option<u64>,
    /// The student's own work, for mode review
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_STUDENT_ATTEMPT")]
    pub student_attempt: Option<PathBuf>,
    /// Go on to the end of the budget whatever the model says (for measurements)
    #[arg(long, env = "SOLVERBOX_IGNORE_EOS", value_parser = BoolishValueParser::new())]
    pub ignore_eos: bool,
    /// Print one JSON object instead of text
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// The question, or - to read it from standard input
    pub question: String,
}

/// How a question of a set is put to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PromptForm {
    /// Under the mode's system prompt, as people ask
    Mode,
    /// As VibeThinker's published evaluation does: no system prompt, and after the question
    /// "Let's think step by step and output the final answer within \\boxed{}."
    Published,
}

/// `solverbox eval`
#[derive(Debug, Args)]
pub struct Eval {
    /// Which model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// In which way.
    #[command(flatten)]
    pub way: WayFlags,
    /// The questions: JSON lines of {"id", "question", "answer", "family"}; AIME's form is read too
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_SET")]
    pub set: PathBuf,
    /// Attempts at each question, which also vote [default: 1]
    #[arg(long, value_name = "K", env = "SOLVERBOX_ATTEMPTS",
          value_parser = count(1, limits::EVAL_ATTEMPTS_MAX))]
    pub attempts: Option<u32>,
    /// Seeds of the attempts, such as 1-8 or 3,5,9 [default: 1 to the number of attempts]
    #[arg(long, value_name = "LIST", env = "SOLVERBOX_SEEDS", value_parser = seeds)]
    pub seeds: Option<Seeds>,
    /// Only the first so many questions
    #[arg(long, value_name = "N", env = "SOLVERBOX_LIMIT", value_parser = count(1, u32::MAX))]
    pub limit: Option<u32>,
    /// How the model is asked
    #[arg(long, value_name = "FORM", env = "SOLVERBOX_PROMPT", default_value = "mode")]
    pub prompt: PromptForm,
    /// File to record each attempt in (JSON lines)
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_OUT")]
    pub out: Option<PathBuf>,
    /// Go on with the interrupted run recorded in --out
    #[arg(long, env = "SOLVERBOX_RESUME", value_parser = BoolishValueParser::new(),
          requires = "out")]
    pub resume: bool,
    /// Print one JSON object instead of a table
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// Seeds as they were listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

/// `solverbox selftest`
#[derive(Debug, Args)]
pub struct Selftest {
    /// Which kernels.
    #[command(flatten)]
    pub kernels: KernelFlags,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", env = "SOLVERBOX_THREADS",
          value_parser = count(1, limits::THREADS_MAX))]
    pub threads: Option<u32>,
}

/// `solverbox inspect`
#[derive(Debug, Args)]
pub struct Inspect {
    /// The GGUF file, or `demo` for the built-in model
    pub file: PathBuf,
}

/// `solverbox plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Which model, and what is wished of it.
    #[command(flatten)]
    pub model: ModelFlags,
    /// Board to plan for, with its kernels, cores and memory: pi5 or nano [default: this machine]
    #[arg(long, value_name = "NAME", env = "SOLVERBOX_BOARD", value_parser = board)]
    pub board: Option<&'static Board>,
    /// All the memory of the board, such as 4G [default: the board's, else what is available now]
    #[arg(long, value_name = "BYTES", env = "SOLVERBOX_RAM", value_parser = bytes)]
    pub ram: Option<u64>,
    /// What of --ram, or of the board's memory, is left to the system [default: 700M]
    #[arg(long, value_name = "BYTES", env = "SOLVERBOX_RESERVE", value_parser = bytes)]
    pub reserve: Option<u64>,
    /// Print one JSON object instead of tables
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `solverbox verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// GGUF files, `demo` or `demo-binary` [default: all .gguf in --models, and both built-in ones]
    pub files: Vec<PathBuf>,
    /// Folder to look for models in
    #[arg(long, value_name = "DIR", env = "SOLVERBOX_MODELS", default_value = "models")]
    pub models: PathBuf,
    /// Model the adapters among the files are for: they are compared with it as well
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_BASE")]
    pub base: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

fn board(name: &str) -> Result<&'static Board, String> {
    BOARDS.iter().find(|board| board.name == name).ok_or_else(|| {
        let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
        format!("the boards known are {}", names.join(" and "))
    })
}

/// Reads `4G`, `700M`, `64K` or plain bytes; a K is 1,024.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit {
        "" => Some(0),
        "K" | "k" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().zip(shift);
    let bytes = number.and_then(|(number, shift)| number.checked_mul(1 << shift));
    bytes.filter(|&bytes| bytes <= limits::RAM_BYTES_MAX).ok_or_else(|| {
        let max = limits::RAM_BYTES_MAX >> 30;
        format!("a number of bytes is needed, such as 4G, 700M or 4294967296, at most {max}G")
    })
}

fn count(min: u32, max: u32) -> impl TypedValueParser<Value = u32> {
    RangedU64ValueParser::<u32>::new().range(u64::from(min)..=u64::from(max))
}

fn drafts(text: &str) -> Result<Drafts, String> {
    match text {
        "auto" => Ok(Drafts::Auto),
        "off" => Ok(Drafts::Off),
        _ => Err("auto or off is needed".into()),
    }
}

fn temperature(text: &str) -> Result<f32, String> {
    let max = limits::TEMPERATURE_MAX;
    match text.parse::<f32>() {
        Ok(t) if (0.0..=max).contains(&t) => Ok(t),
        _ => Err(format!("a number from 0 to {max} is needed")),
    }
}

/// Reads `1-8,12`: numbers and ranges, none of them twice.
fn seeds(text: &str) -> Result<Seeds, String> {
    let max = limits::EVAL_ATTEMPTS_MAX as usize;
    let bad =
        || format!("numbers and ranges are needed, such as 1-8 or 3,5,9, at most {max} seeds");
    let mut list: Vec<u64> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| bad());
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last - first >= max as u64 {
            return Err(bad());
        }
        list.extend(first..=last);
        if list.len() > max {
            return Err(bad());
        }
    }
    let mut sorted = list.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("seed {} is there twice", pair[0])),
        None => Ok(Seeds(list)),
    }
}
