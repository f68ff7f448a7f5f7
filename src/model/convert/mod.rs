//! Converts Hugging Face checkpoints (Qwen2, Qwen3, Llama) and PEFT LoRA adapters to GGUF files.
//!
//! [`plan`] reads and checks everything except the weights' values; [`Conversion::write`] streams
//! those. Nothing of the checkpoint reaches llama.cpp, and the finished file is checked like any
//! other before it gets its name. The parts: `config` and `rope` (config.json), `names` (tensors),
//! `shards` (safetensors), `tokenizer` with `split`, `sentencepiece` and `special`, `adapter`,
//! `keys` (metadata), `data` (float formats), `stream`; `json` and `fault` are shared by them.

pub mod adapter;
pub mod config;
mod data;
pub mod fault;
mod json;
mod keys;
mod names;
mod rope;
mod sentencepiece;
pub mod shards;
mod special;
mod split;
mod stream;
pub mod tokenizer;

use std::path::{Path, PathBuf};

pub use data::Float;

use fault::{CheckpointFault, damaged, unsupported};
use json::Object;
use keys::MetadataBuilder;
use rope::Scaling;
use stream::{Chunks, TensorCopy, TensorSource};

use super::newfile::{self, NewFile};
use super::write::{self, GgufValue, TensorEntry};
use super::{Header, types};
use crate::types::error::{Error, Kind as ErrorKind};
use crate::types::plan::Weights;

/// Values of the key `general.file_type`.
const ALL_F32: u32 = 0;
const MOSTLY_F16: u32 = 1;
const MOSTLY_BF16: u32 = 32;

/// Files read from a checkpoint's folder in addition to its shards.
const FILES: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
];

/// The type in which matrices are written; vectors are always F32, which the kernels require.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputType {
    /// Convert all matrices to this format.
    To(Float),
    /// Keep each matrix in its stored format, without loss.
    AsStored,
}

impl OutputType {
    /// Returns the format in which a matrix stored as `from` is written.
    fn of(self, from: Float) -> Float {
        match self {
            OutputType::To(float) => float,
            OutputType::AsStored => from,
        }
    }

    /// Returns the key `general.file_type` for matrices of these types.
    fn file_type(self, mut types: impl Iterator<Item = u32>) -> u32 {
        let has = |float: Float| move |id: u32| id == float.gguf();
        let kind = match self {
            OutputType::To(float) => float,
            OutputType::AsStored if types.any(has(Float::Bf16)) => Float::Bf16,
            OutputType::AsStored => Float::F16,
        };
        match kind {
            Float::F32 => ALL_F32,
            Float::F16 => MOSTLY_F16,
            Float::Bf16 => MOSTLY_BF16,
        }
    }
}

/// A planned GGUF file: its metadata, its tensors and the source of their data.
#[derive(Debug)]
pub struct Conversion {
    folder: PathBuf,
    /// Files read in addition to the shards, whether they exist or not.
    files: Vec<PathBuf>,
    keys: Vec<(String, GgufValue)>,
    parts: Vec<OutputTensor>,
    shards: Vec<shards::Shard>,
    /// The base model's header, for an adapter to a GGUF base.
    base: Option<Header>,
}

#[derive(Debug)]
struct OutputTensor {
    entry: TensorEntry,
    source: TensorSource,
}

/// The result of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvertedFile {
    /// Number of tensors written.
    pub tensors: usize,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// Reads and checks a checkpoint folder, or an adapter folder for the model `base`.
///
/// # Errors
/// `not_found` if a file is missing; `bad_model` with the file, key or tensor; `bad_request` if a
/// base is missing or not applicable.
pub fn plan(folder: &Path, kind: OutputType, base: Option<&Path>) -> Result<Conversion, Error> {
    if !folder.is_dir() {
        let what = format!("cannot convert '{}': it is not a folder", folder.display());
        let remedy = "Name the folder of a Hugging Face checkpoint.";
        return Err(Error::new(ErrorKind::NotFound, what, remedy));
    }
    match (folder.join(adapter::CONFIG).exists(), base) {
        (true, Some(base)) => {
            let mut plan = adapter::plan(folder, kind, adapter::base(base)?)?;
            plan.files.push(base.join("config.json"));
            Ok(plan)
        }
        (true, None) => Err(Error::bad_request(
            format!("cannot convert '{}': an adapter requires its base model", folder.display()),
            "Name the model it was trained for with --base: a GGUF file or a checkpoint folder.",
        )),
        (false, Some(_)) => Err(Error::bad_request(
            format!("--base: '{}' is not an adapter", folder.display()),
            format!("Omit --base, or name a folder with {}.", adapter::CONFIG),
        )),
        (false, None) => model(folder, kind),
    }
}

fn model(folder: &Path, kind: OutputType) -> Result<Conversion, Error> {
    let at = |name: &str| folder.join(name);
    let file = at("config.json");
    let text = json::needed(&file)?;
    let mut config = config::read(&text).map_err(|fault| fault.of(&file))?;
    let whole = Object::parse(&text).map_err(|fault| fault.of(&file))?;

    let file = at("tokenizer.json");
    let vocabulary = tokenizer::read(&json::needed(&file)?, config.vocabulary);
    let vocabulary = vocabulary.map_err(|fault| fault.of(&file))?;
    let tokenizer_config = json::optional(&at("tokenizer_config.json"))?;
    let generation = json::optional(&at("generation_config.json"))?;
    let jinja = json::text(&at("chat_template.jinja"))?;
    let special = special::read(special::Sources {
        vocabulary: &vocabulary,
        tokenizer_config: &tokenizer_config,
        config: &whole,
        generation: &generation,
        jinja: jinja.as_deref(),
    });
    let special = special.map_err(|fault| fault.of(folder))?;

    let mut weights = shards::open(folder, "model")?;
    settle_head(&mut config, &mut weights)?;
    let parts = parts(&config, &weights, kind).map_err(|fault| fault.of(folder))?;

    let name = keys::name(&whole, folder).map_err(|fault| fault.of(folder))?;
    let mut keys = MetadataBuilder::of(config.architecture, "model", &name);
    keys.sampling(&generation).map_err(|fault| fault.of(&at("generation_config.json")))?;
    keys.config(&config);
    let matrices = parts.iter().filter(|part| part.entry.shape.len() > 1);
    keys.file_type(kind.file_type(matrices.map(|part| part.entry.kind.id)));
    keys.tokenizer(vocabulary, special);
    let files = FILES.map(at).to_vec();
    let folder = folder.to_path_buf();
    Ok(Conversion { folder, files, keys: keys.0, parts, shards: weights.shards, base: None })
}

/// Determines whether the output head is the embedding, where `config` says so but the checkpoint
/// also stores a head: only if both are equal, as in transformers and vLLM. A head alone is the
/// embedding.
fn settle_head(
    config: &mut config::Config,
    weights: &mut shards::CheckpointWeights,
) -> Result<(), Error> {
    let Some(head) = weights.tensors.get(names::HEAD).filter(|_| config.is_tied) else {
        return Ok(());
    };
    match weights.tensors.get(names::EMBEDDING) {
        Some(embedding) => config.is_tied = weights.are_equal(head, embedding)?,
        None => {
            let embedding = shards::Stored { name: names::EMBEDDING.into(), ..head.clone() };
            weights.tensors.insert(names::EMBEDDING.into(), embedding);
        }
    }
    Ok(())
}

/// Plans the tensors, in the order in which their data is read.
fn parts(
    config: &config::Config,
    weights: &shards::CheckpointWeights,
    kind: OutputType,
) -> Result<Vec<OutputTensor>, CheckpointFault> {
    let missing = || damaged("a type is missing");
    let mut parts = Vec::new();
    if let Scaling::Llama3(numbers) = &config.rope.scaling {
        let factors = rope::factors(numbers, config.rope.base, config.head);
        let kind = types::by_id(Float::F32.gguf()).ok_or_else(missing)?;
        let shape = vec![factors.len() as u64];
        let entry = TensorEntry { name: "rope_freqs.weight".into(), kind, shape };
        let bytes = factors.iter().flat_map(|factor| factor.to_le_bytes()).collect();
        parts.push(OutputTensor { entry, source: TensorSource::Computed(bytes) });
    }
    let expected = names::expected(config);
    for (stored, expected) in names::pair(&weights.tensors, &expected, config)? {
        let from = stored.float()?;
        let to = if expected.shape.len() > 1 { kind.of(from) } else { Float::F32 };
        let shape = expected.shape.iter().rev().copied().collect();
        let kind = types::by_id(to.gguf()).ok_or_else(missing)?;
        let entry = TensorEntry { name: expected.gguf.clone(), kind, shape };
        let copy = TensorCopy { stored: stored.clone(), from, to, rows: expected.rows };
        parts.push(OutputTensor { entry, source: TensorSource::Stored(copy) });
    }
    Ok(parts)
}

impl Conversion {
    /// Returns the chat template that the file will have.
    pub fn chat_template(&self) -> Option<&str> {
        self.keys.iter().find_map(|(key, value)| match value {
            GgufValue::Text(text) if key == "tokenizer.chat_template" => Some(text.as_str()),
            _ => None,
        })
    }

    /// Returns whether the file is an adapter.
    pub fn is_adapter(&self) -> bool {
        self.keys.contains(&("general.type".into(), GgufValue::Text("adapter".into())))
    }

    /// Returns the size of the finished file in bytes.
    pub fn bytes(&self) -> u64 {
        self.header().len() as u64 + write::data_bytes(&self.entries())
    }

    fn entries(&self) -> Vec<TensorEntry> {
        self.parts.iter().map(|part| part.entry.clone()).collect()
    }

    fn header(&self) -> Vec<u8> {
        write::header(&self.keys, &self.entries())
    }

    /// Checks that writing `to` would not overwrite a file this conversion reads.
    ///
    /// # Errors
    /// `bad_request` with the file.
    pub fn check_other(&self, to: &Path) -> Result<(), Error> {
        let read = self.shards.iter().map(|shard| shard.path.as_path());
        let base = self.base.as_ref().map(|header| header.file.path.as_path());
        let files = self.files.iter().map(PathBuf::as_path);
        read.chain(base).chain(files).try_for_each(|from| newfile::check_other(from, to))
    }

    /// Writes the file to `out`, after the checks every file passes before it is loaded. The caller
    /// must still `keep` it. Calls `progress` with the bytes written and the bytes in total.
    ///
    /// # Errors
    /// Those of reading the checkpoint and of [`NewFile::write`]; `bad_model` if the result is not
    /// valid.
    pub fn write(
        &self,
        out: &mut NewFile,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<ConvertedFile, Error> {
        let header = self.header();
        let bytes = header.len() as u64 + write::data_bytes(&self.entries());
        let mut done = 0;
        let mut written = |more: u64| {
            done += more;
            progress(done, bytes);
        };
        out.write(&header)?;
        // All checks need only the header, so they run before minutes of copying weights.
        out.set_length(bytes)?;
        self.check(out.path())?;
        written(header.len() as u64);
        let mut chunks = Chunks::default();
        for part in &self.parts {
            chunks.write(&part.source, &self.shards, out, &mut written)?;
        }
        Ok(ConvertedFile { tensors: self.parts.len(), bytes })
    }

    fn check(&self, file: &Path) -> Result<(), Error> {
        let (model, adapter) = (Weights::model(file), Weights::adapter(file));
        let (result, tried) = match (&self.base, self.is_adapter()) {
            (Some(base), _) => (super::adapter::open(adapter.clone(), base).err(), adapter),
            (None, true) => (super::adapter::look(adapter.clone()).err(), adapter),
            (None, false) => (super::open(&model).err(), model),
        };
        match result {
            None => Ok(()),
            // Removes the temporary file's name, which means nothing to the user.
            Some(error) => {
                let cause = error.message.replace(&format!("cannot use {tried}: "), "");
                Err(unsupported(format!("the converted file would be rejected: {cause}"))
                    .of(&self.folder))
            }
        }
    }
}
