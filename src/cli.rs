//! The command line: commands, flags, their environment twins and their help texts.
//!
//! Every flag has an environment twin `SOLVERBOX_…` and a key of the same name in the settings file
//! (`config.rs` makes the file's values the defaults before parsing). Values are checked here,
//! against `types/limits.rs`. `wiring/` turns the flags of a command into the command's options.

mod history;
mod people;
mod serving;
mod values;
mod workshop;

pub use history::{HistoryAction, HistoryFlags};
pub use people::{AdmissionFlags, ApiKeyFlags, OwnerCommand, OwnerFlags};
pub use serving::{ConsoleFlags, ServeFlags, ServerFlags};
pub use values::Seeds;
pub use workshop::{
    BenchFlags, CompareFlags, ConvertFlags, ImatrixFlags, QuantizeFlags, TuneFlags,
};

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};

use crate::commands::eval::PromptForm;
use crate::types::boards::Board;
use crate::types::limits;
use crate::types::plan::{Drafts, KvType};
use values::{board, bytes, count, one_of, seeds, temperature};

/// An offline solver box: ask a mathematics or programming question, get a reasoned answer.
#[derive(Debug, Parser)]
#[command(name = "solverbox", version, long_version = VERSION, about, max_term_width = 100)]
#[command(after_help = PRECEDENCE, args_override_self = true)]
pub struct Cli {
    /// Settings file (TOML) with one `flag-name = value` per line
    #[arg(long, global = true, value_name = "FILE", env = "SOLVERBOX_CONFIG")]
    pub config: Option<PathBuf>,
    /// Log level: error, warn, info, debug or trace; env_logger's filters work too
    #[arg(long, global = true, value_name = "LEVEL", env = "SOLVERBOX_LOG")]
    pub log: Option<String>,
    /// The command to run, with its flags.
    #[command(subcommand)]
    pub command: CommandFlags,
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("SOLVERBOX_ENGINE"), ")");

const PRECEDENCE: &str = "A flag overrides its environment variable SOLVERBOX_…, which overrides \
    the settings file, which overrides the default.";

const KV_TYPES: [(&str, KvType, &str); 2] = [
    (KvType::F16.name(), KvType::F16, "16-bit floats"),
    (KvType::Q8_0.name(), KvType::Q8_0, "8-bit blocks"),
];

const DRAFTS: [(&str, Drafts, &str); 2] = [
    ("auto", Drafts::Auto, "Draft as many tokens as the measured cost of a step justifies"),
    ("off", Drafts::Off, "Decode one token per attempt and step"),
];

const PROMPT_FORMS: [(&str, PromptForm, &str); 2] = [
    ("mode", PromptForm::Mode, "The mode's system prompt, then the question"),
    (
        "published",
        PromptForm::Published,
        "As in VibeThinker's published evaluation: no system prompt, and after the question \
         \"Let's think step by step and output the final answer within \\boxed{}.\"",
    ),
];

/// A command with its flags.
#[derive(Debug, Subcommand)]
pub enum CommandFlags {
    /// Answer one question on this terminal
    Solve(SolveFlags),
    /// Serve the web page, the API and consoles on serial ports
    Serve(ServeFlags),
    /// Serve consoles only: on serial ports, or on this terminal with `--serial -`
    Console(ConsoleFlags),
    /// List the serial ports of this machine
    SerialPorts,
    /// List, show, export or delete questions and their answers
    History(HistoryFlags),
    /// Measure accuracy on a set of questions with known answers
    Eval(EvalFlags),
    /// List the modes for asking questions
    Modes(ListModesFlags),
    /// Show a model's memory use on a board, what fits, and the expected speed
    Plan(PlanFlags),
    /// Convert a Hugging Face checkpoint or a LoRA adapter to GGUF
    Convert(ConvertFlags),
    /// Quantize a model to fewer bits per weight
    Quantize(QuantizeFlags),
    /// Compute an importance matrix from a text, to guide quantization
    Imatrix(ImatrixFlags),
    /// Measure what quantization cost by comparing two files of one model
    Compare(CompareFlags),
    /// Measure the speed of this model on this machine and compare it with the memory's speed
    Bench(BenchFlags),
    /// Measure the best thread counts for this model on this machine and save them
    Tune(TuneFlags),
    /// Show the contents of a GGUF file without loading it
    Inspect(InspectFlags),
    /// Check model files for damage: structure, and SHA-256 where one is recorded
    Verify(VerifyFlags),
    /// List the kernel sets, the CPU features each needs, and the one in use
    Kernels(KernelFlags),
    /// Check that the kernels compute correctly on this CPU
    Selftest(SelftestFlags),
    /// Create an API key for a user or a program
    ApiKey(ApiKeyFlags),
    /// Set or remove the PIN with which the owner signs in to a server
    Owner(OwnerFlags),
}

/// The flags that select a model and how it is loaded.
#[derive(Clone, Debug, Args)]
pub struct ModelFlags {
    /// Model file (GGUF), or `demo` for the built-in model [default: the newest .gguf in --models,
    /// else the built-in model]
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_MODEL")]
    pub model: Option<PathBuf>,
    /// Folder to search for models
    #[arg(long, value_name = "DIR", env = "SOLVERBOX_MODELS", default_value = "models")]
    pub models: PathBuf,
    /// Folder for persistent data: tuned threads, prefilled prompts [default: $STATE_DIRECTORY,
    /// else ~/.local/share/solverbox]
    #[arg(long, value_name = "DIR", env = "SOLVERBOX_DATA")]
    pub data: Option<PathBuf>,
    /// LoRA adapter (GGUF) to add to the model, or `demo-binary` for the demo model's; `serve`
    /// loads them for the modes and requests that name them; repeatable
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_ADAPTER", value_delimiter = ',',
          action = ArgAction::Append)]
    pub adapter: Vec<PathBuf>,
    /// Size of the KV cache in tokens, prompts and answers together [default: what fits]
    #[arg(long, value_name = "N", env = "SOLVERBOX_CONTEXT_TOKENS",
          value_parser = count(limits::CONTEXT_TOKENS_MIN, limits::CONTEXT_TOKENS_MAX))]
    pub context_tokens: Option<u32>,
    /// Attempts in the KV cache at the same time, which share its tokens [default: 1 to 8,
    /// depending on the context]
    #[arg(long, value_name = "N", env = "SOLVERBOX_SEQUENCES",
          value_parser = count(1, limits::SEQUENCES_MAX))]
    pub sequences: Option<u32>,
    /// Number of threads [default: as measured by `tune`, else all cores]
    #[arg(long, value_name = "N", env = "SOLVERBOX_THREADS",
          value_parser = count(1, limits::THREADS_MAX))]
    pub threads: Option<u32>,
    /// The flag that selects the kernels.
    #[command(flatten)]
    pub kernels: KernelFlags,
    /// Precision of the KV cache; q8_0 takes half the memory of f16 [default: f16 if it fits,
    /// else q8_0]
    #[arg(long, value_name = "TYPE", env = "SOLVERBOX_KV", value_parser = one_of(KV_TYPES))]
    pub kv: Option<KvType>,
    /// Speculative drafts: the same answers, sooner
    #[arg(long, value_name = "WHEN", env = "SOLVERBOX_DRAFTS", default_value = "auto",
          value_parser = one_of(DRAFTS))]
    pub drafts: Drafts,
    /// Longest time a step should take, in milliseconds; sets the size of prefill slices
    #[arg(long, value_name = "MS", env = "SOLVERBOX_STEP_MS",
          default_value_t = limits::STEP_MS_DEFAULT,
          value_parser = count(*limits::STEP_MS.start(), *limits::STEP_MS.end()))]
    pub step_ms: u32,
    /// Longest question, in tokens [default: a quarter of the context, at least 2048]
    #[arg(long, value_name = "N", env = "SOLVERBOX_QUESTION_TOKENS_MAX",
          value_parser = count(1, limits::QUESTION_TOKENS_CEILING))]
    pub question_tokens_max: Option<u32>,
}

impl ModelFlags {
    /// Returns whether the flags ask for something a server that already runs may not offer.
    pub fn is_particular(&self) -> bool {
        let numbers = [self.context_tokens, self.sequences, self.threads];
        self.model.is_some()
            || !self.adapter.is_empty()
            || numbers.iter().any(Option::is_some)
            || self.kernels.name.is_some()
            || self.kv.is_some()
    }
}

/// The flag that selects the kernels.
#[derive(Clone, Debug, Args)]
pub struct KernelFlags {
    /// Kernel set to use; `solverbox kernels` lists them [default: the best this CPU can run]
    #[arg(long = "kernels", value_name = "NAME", env = "SOLVERBOX_KERNELS")]
    pub name: Option<String>,
}

/// The flag that names a file with the owner's modes.
#[derive(Debug, Args)]
pub struct ModesFlags {
    /// File with your own modes (TOML); they extend or change the built-in ones
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_MODES")]
    pub modes: Option<PathBuf>,
}

/// The flags of `solverbox modes`.
#[derive(Debug, Args)]
pub struct ListModesFlags {
    /// The flag that names a file with the owner's modes.
    #[command(flatten)]
    pub modes: ModesFlags,
    /// Model that answers; `demo`, the built-in model, has a lower temperature [default: the newest
    /// .gguf in --models, else the built-in model]
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_MODEL")]
    pub model: Option<PathBuf>,
    /// Folder to search for models
    #[arg(long, value_name = "DIR", env = "SOLVERBOX_MODELS", default_value = "models")]
    pub models: PathBuf,
}

/// The flags that set how a question is answered.
#[derive(Debug, Args)]
pub struct WayFlags {
    /// The flag that names a file with the owner's modes.
    #[command(flatten)]
    pub modes: ModesFlags,
    /// Mode to answer in; `solverbox modes` lists them
    #[arg(long, value_name = "MODE", env = "SOLVERBOX_MODE", default_value = "math")]
    pub mode: String,
    /// Most tokens to generate, thinking included [default: the mode's]
    #[arg(long, value_name = "N", env = "SOLVERBOX_BUDGET_TOKENS",
          value_parser = count(limits::BUDGET_TOKENS_MIN, limits::BUDGET_TOKENS_MAX))]
    pub budget_tokens: Option<u32>,
    /// Sampling temperature; 0 always takes the likeliest token [default: the mode's]
    #[arg(long, value_name = "T", env = "SOLVERBOX_TEMPERATURE", value_parser = temperature)]
    pub temperature: Option<f32>,
}

/// The flags of `solverbox solve`.
#[derive(Debug, Args)]
pub struct SolveFlags {
    /// The flags that select the model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// The flags that set how the question is answered.
    #[command(flatten)]
    pub way: WayFlags,
    /// Number of attempts, which vote on the answer [default: the mode's]
    #[arg(long, value_name = "K", env = "SOLVERBOX_ATTEMPTS",
          value_parser = count(1, limits::ATTEMPTS_MAX))]
    pub attempts: Option<u32>,
    /// Random seed; the same seed repeats an answer [default: a new one each time]
    #[arg(long, value_name = "S", env = "SOLVERBOX_SEED")]
    pub seed: Option<u64>,
    /// File with the student's own work, for mode review
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_STUDENT_ATTEMPT")]
    pub student_attempt: Option<PathBuf>,
    /// Ignore the model's end tokens and generate until the budget is used up (for measurements)
    #[arg(long, env = "SOLVERBOX_IGNORE_EOS", value_parser = BoolishValueParser::new())]
    pub ignore_eos: bool,
    /// Print one JSON object instead of text
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// The question, or - to read it from standard input
    pub question: String,
}

/// The flags of `solverbox eval`.
#[derive(Debug, Args)]
pub struct EvalFlags {
    /// The flags that select the model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// The flags that set how questions are answered.
    #[command(flatten)]
    pub way: WayFlags,
    /// Questions as JSON lines of {"id", "question", "answer", "family"}; AIME's format works too
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_SET")]
    pub set: PathBuf,
    /// Attempts at each question, which also vote [default: 1]
    #[arg(long, value_name = "K", env = "SOLVERBOX_ATTEMPTS",
          value_parser = count(1, limits::EVAL_ATTEMPTS_MAX))]
    pub attempts: Option<u32>,
    /// Seeds of the attempts, such as 1-8 or 3,5,9 [default: 1 to the number of attempts]
    #[arg(long, value_name = "LIST", env = "SOLVERBOX_SEEDS", value_parser = seeds)]
    pub seeds: Option<Seeds>,
    /// Ask only the first N questions
    #[arg(long, value_name = "N", env = "SOLVERBOX_LIMIT", value_parser = count(1, u32::MAX))]
    pub limit: Option<u32>,
    /// Form of the prompt
    #[arg(long, value_name = "FORM", env = "SOLVERBOX_PROMPT", default_value = "mode",
          value_parser = one_of(PROMPT_FORMS))]
    pub prompt: PromptForm,
    /// File to record each attempt in (JSON lines)
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_OUT")]
    pub out: Option<PathBuf>,
    /// Continue the interrupted run recorded in --out
    #[arg(long, env = "SOLVERBOX_RESUME", value_parser = BoolishValueParser::new(),
          requires = "out")]
    pub resume: bool,
    /// Print one JSON object instead of a table
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// The flags of `solverbox selftest`.
#[derive(Debug, Args)]
pub struct SelftestFlags {
    /// The flag that selects the kernels.
    #[command(flatten)]
    pub kernels: KernelFlags,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", env = "SOLVERBOX_THREADS",
          value_parser = count(1, limits::THREADS_MAX))]
    pub threads: Option<u32>,
}

/// The flags of `solverbox inspect`.
#[derive(Debug, Args)]
pub struct InspectFlags {
    /// GGUF file, or `demo` for the built-in model
    pub file: PathBuf,
}

/// The flags of `solverbox plan`.
#[derive(Debug, Args)]
pub struct PlanFlags {
    /// The flags that select the model and what is required of it.
    #[command(flatten)]
    pub model: ModelFlags,
    /// Board to plan for, with its kernels, cores and memory: pi5 or nano [default: this machine]
    #[arg(long, value_name = "NAME", env = "SOLVERBOX_BOARD", value_parser = board)]
    pub board: Option<&'static Board>,
    /// Total memory, such as 4G [default: the board's, else what is available now]
    #[arg(long, value_name = "BYTES", env = "SOLVERBOX_RAM", value_parser = bytes)]
    pub ram: Option<u64>,
    /// Part of the total memory reserved for the system [default: 700M]
    #[arg(long, value_name = "BYTES", env = "SOLVERBOX_RESERVE", value_parser = bytes)]
    pub reserve: Option<u64>,
    /// Print one JSON object instead of tables
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// The flags of `solverbox verify`.
#[derive(Debug, Args)]
pub struct VerifyFlags {
    /// GGUF files, `demo` or `demo-binary` [default: every .gguf in --models, and both built-in
    /// files]
    pub files: Vec<PathBuf>,
    /// Folder to search for models
    #[arg(long, value_name = "DIR", env = "SOLVERBOX_MODELS", default_value = "models")]
    pub models: PathBuf,
    /// Base model of the adapters among the files; they are compared with it
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_BASE")]
    pub base: Option<PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long, env = "SOLVERBOX_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}
