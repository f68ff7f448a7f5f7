//! The memory plan: what to load and reserve, decided before any weights are loaded.
//!
//! `model/plan.rs` computes it from a file's header; the engine carries it out. Plain data, so that
//! neither room imports the other.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::kernels::KernelSet;
use super::limits;
use super::memory::Memory;

/// The role of a weight file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsRole {
    /// A complete model, with vocabulary.
    Model,
    /// A LoRA adapter, which is added to a model's weights.
    Adapter,
    /// An importance matrix, which guides quantization.
    Importance,
}

/// The origin of a weight file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file on disk.
    Disk,
    /// A file inside the program, with its name; the path leads to a copy in memory.
    BuiltIn(&'static str),
}

/// A weight file; displayed with its role and name, such as `model 'models/x.gguf'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// The role of the weights.
    pub role: WeightsRole,
    /// Whether the file is on disk or built in.
    pub origin: Origin,
    /// The path to open.
    pub path: PathBuf,
}

impl Weights {
    /// Returns the model in a file on disk.
    pub fn model(path: impl Into<PathBuf>) -> Weights {
        Weights { role: WeightsRole::Model, origin: Origin::Disk, path: path.into() }
    }

    /// Returns the adapter in a file on disk.
    pub fn adapter(path: impl Into<PathBuf>) -> Weights {
        Weights { role: WeightsRole::Adapter, origin: Origin::Disk, path: path.into() }
    }

    /// Returns whether the file is built in. Of models only the demo model is.
    pub fn is_built_in(&self) -> bool {
        matches!(self.origin, Origin::BuiltIn(_))
    }

    /// Returns the name requests use: the file name without its path, which remote users must not
    /// see, and without its extension.
    pub fn stem(&self) -> String {
        match self.origin {
            Origin::Disk => {
                self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
            }
            Origin::BuiltIn(name) => name.to_string(),
        }
    }

    /// Returns the file's name for messages: its path, or the built-in name.
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

/// Data type of the KV cache's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvType {
    /// 16-bit floats: 2 bytes per element, the fastest.
    F16,
    /// 8-bit blocks: 34 bytes for 32 elements, about half the memory.
    Q8_0,
}

impl KvType {
    /// Returns the type's name in flags and messages.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F16 => "f16",
            KvType::Q8_0 => "q8_0",
        }
    }

    /// Returns the size of `elements` elements in bytes; a row is a multiple of 32 in every
    /// supported model.
    pub fn bytes(self, elements: u64) -> u64 {
        match self {
            KvType::F16 => elements * 2,
            KvType::Q8_0 => elements.div_ceil(32) * 34,
        }
    }
}

/// Whether tokens are drafted: decoded in advance, and kept if they match the tokens drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drafts {
    /// Draft where the measured cost of a pass says that it pays.
    Auto,
    /// Draft wherever possible, whatever it costs. For tests: an answer that is the same with every
    /// draft is the same with any. Slower on every machine.
    Always,
    /// Decode only tokens that were drawn.
    Off,
}

/// The composition of passes over the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// Whether passes include drafted tokens.
    pub drafts: Drafts,
    /// Longest time a pass should take, which bounds its slices of prefill.
    pub step: Duration,
}

impl Default for Pacing {
    fn default() -> Pacing {
        let step = Duration::from_millis(u64::from(limits::STEP_MS_DEFAULT));
        Pacing { drafts: Drafts::Auto, step }
    }
}

/// Where prefilled prefixes are stored across restarts, and the identity of what computed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixFiles {
    /// Folder with the prefix files.
    pub folder: PathBuf,
    /// Digest of the model's file.
    pub model: [u8; 32],
    /// Digests of the adapters' files, in the plan's order.
    pub adapters: Vec<[u8; 32]>,
}

/// What the engine loads and reserves.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The model file, already checked by `model::open`.
    pub model: Weights,
    /// Size of the model file in bytes.
    pub file_bytes: u64,
    /// The adapters questions may use, already checked against the model by `model/adapter.rs`.
    pub adapters: Vec<Weights>,
    /// Size of the KV cache in tokens, shared by all sequences.
    pub context_tokens: u32,
    /// Number of sequences in the KV cache.
    pub sequences: u32,
    /// Type of the KV cache's cells.
    pub kv: KvType,
    /// Memory use, item by item.
    pub memory: Memory,
    /// The kernel set in use.
    pub kernels: &'static KernelSet,
    /// Largest number of threads of a pass over the weights.
    pub threads: u32,
    /// Threads of a pass of at most [`limits::SMALL_PASS_TOKENS`] tokens; at most `threads`.
    pub decode_threads: u32,
    /// Drafts and target time of a pass.
    pub pacing: Pacing,
    /// Where prefilled prefixes are stored, if they are.
    pub prefixes: Option<PrefixFiles>,
    /// Longest question, in tokens of the model.
    pub question_tokens_max: u32,
}

impl Plan {
    /// Returns the number of threads for a pass of `tokens` tokens.
    pub fn threads_for(&self, tokens: usize) -> u32 {
        if tokens <= limits::SMALL_PASS_TOKENS { self.decode_threads } else { self.threads }
    }

    /// Finds an adapter by its name, or by its file name without the extension; returns its index.
    pub fn adapter(&self, name: &str) -> Option<usize> {
        let stem = |weights: &Weights| weights.path.file_stem().is_some_and(|stem| stem == name);
        let named = self.adapters.iter().position(|weights| weights.name() == name);
        named.or_else(|| self.adapters.iter().position(stem))
    }
}
