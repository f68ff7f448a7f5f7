//! The memory plan: what will be held in memory, decided before a byte of weights is loaded.
//!
//! `model/plan.rs` makes one from a file's header; the engine does as it says. Plain data, so that
//! neither needs to know the other.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::kernels::KernelSet;
use super::limits;
use super::memory::Memory;

/// What the weights of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsRole {
    /// A whole model.
    Model,
    /// A LoRA adapter, which is added to a model's own weights.
    Adapter,
    /// An importance matrix, which says what quantizing may not hurt.
    Importance,
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the file system.
    Disk,
    /// From inside the program, which calls it so; the path leads to a copy in memory.
    BuiltIn(&'static str),
}

/// A file of weights; displayed as people know it, such as `model 'models/x.gguf'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// What they are.
    pub role: WeightsRole,
    /// Where they come from.
    pub origin: Origin,
    /// What to open.
    pub path: PathBuf,
}

impl Weights {
    /// Makes a model of a file on disk.
    pub fn model(path: impl Into<PathBuf>) -> Weights {
        Weights { role: WeightsRole::Model, origin: Origin::Disk, path: path.into() }
    }

    /// Makes an adapter of a file on disk.
    pub fn adapter(path: impl Into<PathBuf>) -> Weights {
        Weights { role: WeightsRole::Adapter, origin: Origin::Disk, path: path.into() }
    }

    /// Returns the name by which a question can name it: without a path, which is nobody's
    /// business.
    pub fn stem(&self) -> String {
        match self.origin {
            Origin::Disk => {
                self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
            }
            Origin::BuiltIn(name) => name.to_string(),
        }
    }

    /// Returns the name people know the file by.
    pub fn name(&self) -> String {
        match self.origin {
            Origin::Disk => self.path.display().to_string(),
            Origin::BuiltIn(name) => name.to_string(),
        }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            WeightsRole::Model => "model",
            WeightsRole::Adapter => "adapter",
            WeightsRole::Importance => "importance matrix",
        };
        write!(f, "{role} '{}'", self.name())
    }
}

/// Data type of the KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvType {
    /// 16-bit floats: 2 bytes an element, the fastest.
    F16,
    /// 8-bit blocks: 34 bytes for 32 elements, about half the memory.
    Q8_0,
}

impl KvType {
    /// Returns the name of the type, as flags and messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F16 => "f16",
            KvType::Q8_0 => "q8_0",
        }
    }

    /// Returns the bytes `elements` take; a row is a multiple of 32 in every supported model.
    pub fn bytes(self, elements: u64) -> u64 {
        match self {
            KvType::F16 => elements * 2,
            KvType::Q8_0 => elements.div_ceil(32) * 34,
        }
    }
}

/// Whether tokens are guessed and decoded along, to be taken where they are what is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drafts {
    /// Where the measured cost of a pass says that it pays.
    Auto,
    /// Wherever anything can be guessed, whatever it costs: what is the same with all of these is
    /// the same with any. Not for people: it is slower on every machine.
    Always,
    /// Never.
    Off,
}

/// How passes over the weights are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// Whether tokens are drafted.
    pub drafts: Drafts,
    /// How long a pass should take at most, which bounds the slices of prompts in it.
    pub step: Duration,
}

impl Default for Pacing {
    fn default() -> Pacing {
        let step = Duration::from_millis(u64::from(limits::STEP_MS_DEFAULT));
        Pacing { drafts: Drafts::Auto, step }
    }
}

/// Where prefilled prompts are kept across restarts, and what they are computed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixFiles {
    /// Their folder.
    pub folder: PathBuf,
    /// The digest of the model's file.
    pub model: [u8; 32],
    /// Those of the adapters, in the plan's order.
    pub adapters: Vec<[u8; 32]>,
}

/// What the engine shall load and reserve.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The GGUF file, already checked by `model/scan.rs`.
    pub model: Weights,
    /// Its size in bytes.
    pub file_bytes: u64,
    /// The adapters questions may wear, already checked against the model by `model/adapter.rs`.
    pub adapters: Vec<Weights>,
    /// Size of the KV cache in tokens, shared by all sequences.
    pub context_tokens: u32,
    /// Sequences that may be in it at once.
    pub sequences: u32,
    /// Its type.
    pub kv: KvType,
    /// The memory all of it takes.
    pub memory: Memory,
    /// The kernels that will compute.
    pub kernels: &'static KernelSet,
    /// Threads of a pass over the weights, at most.
    pub threads: u32,
    /// Threads of a pass of at most [`limits::SMALL_PASS_TOKENS`] tokens, no more than `threads`.
    pub decode_threads: u32,
    /// How passes are made up.
    pub pacing: Pacing,
    /// Where prefilled prompts are kept, if they are.
    pub prefixes: Option<PrefixFiles>,
    /// Longest question in tokens of the model.
    pub question_tokens_max: u32,
}

impl Plan {
    /// Returns the threads a pass of `tokens` tokens uses.
    pub fn threads_for(&self, tokens: usize) -> u32 {
        if tokens <= limits::SMALL_PASS_TOKENS { self.decode_threads } else { self.threads }
    }

    /// Finds an adapter by the name people know it by, or by its file's name without the ending.
    pub fn adapter(&self, name: &str) -> Option<usize> {
        let stem = |weights: &Weights| weights.path.file_stem().is_some_and(|stem| stem == name);
        let named = self.adapters.iter().position(|weights| weights.name() == name);
        named.or_else(|| self.adapters.iter().position(stem))
    }
}
