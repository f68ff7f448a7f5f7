//! Converts a PEFT LoRA adapter to a GGUF adapter for a given base model.
//!
//! The base, a GGUF file or a checkpoint folder, determines the architecture, its heads and the
//! shapes. llama.cpp scales by alpha divided by the rank, which it takes from the tensors. Features
//! it does not support (DoRA, biases, whole modules, an alpha per module) are rejected by their
//! key. Layout of the tensors: `model/adapter.rs`.

use std::collections::BTreeMap;
use std::path::Path;

use super::config::{self, Config, KnownArchitecture};
use super::fault::{CheckpointFault, damaged, shown, unsupported};
use super::json::{self, Object};
use super::keys::{self, MetadataBuilder};
use super::names::{self, RowOrder};
use super::shards::{self, Stored};
use super::stream::{TensorCopy, TensorSource};
use super::{Conversion, OutputTensor, OutputType};
use crate::model::types;
use crate::model::write::TensorEntry;
use crate::model::{self, Header, locate};
use crate::types::error::Error;
use crate::types::limits;

/// The file that identifies an adapter's folder.
pub(super) const CONFIG: &str = "adapter_config.json";

/// Files read from the folder in addition to the shards.
const FILES: [&str; 2] = [CONFIG, "adapter_model.safetensors.index.json"];

/// The base model of an adapter.
#[derive(Debug)]
pub(super) struct Base {
    architecture: KnownArchitecture,
    /// Number of elements in a head.
    head: u64,
    /// Rows and columns of each matrix, by GGUF name.
    matrices: BTreeMap<String, [u64; 2]>,
    is_tied: bool,
    /// The header, if the base is a GGUF file.
    pub header: Option<Header>,
}

/// Reads the base model's architecture and shapes.
///
/// # Errors
/// Those of [`model::open`] and [`config::read`]; `bad_model` for an unsupported architecture.
pub(super) fn base(path: &Path) -> Result<Base, Error> {
    if path.is_dir() {
        let file = path.join("config.json");
        let config = config::read(&json::needed(&file)?).map_err(|fault| fault.of(&file))?;
        return Ok(base_of(&config));
    }
    let header = model::open(&locate::find(Some(path), Path::new(""))?)?;
    let Some(architecture) = KnownArchitecture::named(&header.architecture) else {
        let cause = format!("its architecture {} is not supported", shown(&header.architecture));
        return Err(unsupported(cause).of(path));
    };
    let matrix = |tensor: &model::TensorInfo| match tensor.shape[..] {
        [columns, rows] => Some((tensor.name.clone(), [rows, columns])),
        _ => None,
    };
    Ok(Base {
        architecture,
        head: header.shape.key,
        matrices: header.tensors.iter().filter_map(matrix).collect(),
        is_tied: header.is_tied(),
        header: Some(header),
    })
}

fn base_of(config: &Config) -> Base {
    let matrix = |expected: names::ExpectedTensor| match expected.shape[..] {
        [rows, columns] => Some((expected.gguf, [rows, columns])),
        _ => None,
    };
    Base {
        architecture: config.architecture,
        head: config.head,
        matrices: names::expected(config).into_values().filter_map(matrix).collect(),
        is_tied: config.is_tied,
        header: None,
    }
}

/// Reads and checks the adapter, and plans its GGUF file.
///
/// # Errors
/// `not_found` if a file is missing; `bad_model` with the file, key or tensor.
pub(super) fn plan(folder: &Path, kind: OutputType, base: Base) -> Result<Conversion, Error> {
    let file = folder.join(CONFIG);
    let settings = settings(&json::needed(&file)?).map_err(|fault| fault.of(&file))?;
    let weights = shards::open(folder, "adapter_model")?;
    let parts = parts(weights.tensors.values(), &base, &settings, kind);
    let parts = parts.map_err(|fault| fault.of(&weights.shards[0].path))?;
    let name = keys::name(&Object(serde_json::json!({})), folder).map_err(|f| f.of(folder))?;
    let mut keys = MetadataBuilder::of(base.architecture, "adapter", &name);
    keys.text("adapter.type", "lora");
    keys.float("adapter.lora.alpha", settings.alpha);
    keys.file_type(kind.file_type(parts.iter().map(|part| part.entry.kind.id)));
    let files = FILES.map(|name| folder.join(name)).to_vec();
    let folder = folder.to_path_buf();
    Ok(Conversion { folder, files, keys: keys.0, parts, shards: weights.shards, base: base.header })
}

/// Checks an adapter's two files against a base's `config.json` like [`plan`]; for fuzzing.
///
/// # Errors
/// The fault found in one of them.
pub fn check_bytes(
    settings_json: &str,
    weights: &[u8],
    base_json: &str,
) -> Result<(), CheckpointFault> {
    let base = base_of(&config::read(base_json)?);
    let (settings, stored) = (settings(settings_json)?, shards::check_bytes(weights)?);
    parts(stored.iter(), &base, &settings, OutputType::AsStored).map(|_| ())
}

/// Plans the tensors: both factors of each matrix.
fn parts<'a>(
    stored: impl Iterator<Item = &'a Stored>,
    base: &Base,
    settings: &LoraSettings,
    kind: OutputType,
) -> Result<Vec<OutputTensor>, CheckpointFault> {
    let mut parts = Vec::new();
    let mut ranks: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for stored in stored {
        let (matrix, part, rank) = part(stored, base, kind)?;
        if rank != settings.rank && !settings.has_ranks {
            let (name, says) = (shown(&stored.name), settings.rank);
            let cause = format!("tensor {name} has rank {rank}, but {CONFIG} specifies {says}");
            return Err(damaged(cause));
        }
        ranks.entry(matrix).or_default().push(rank);
        parts.push(part);
    }
    if parts.is_empty() {
        return Err(damaged("it has no tensors"));
    }
    // Names are unique, so two entries of a matrix are its two factors.
    let odd = ranks.iter().find(|(_, list)| list.len() != 2 || list[0] != list[1]);
    match odd {
        Some((matrix, _)) => {
            Err(damaged(format!("one of the two factors for {} is missing", shown(matrix))))
        }
        None => Ok(parts),
    }
}

/// The relevant settings of `adapter_config.json`.
struct LoraSettings {
    rank: u64,
    /// Whether modules may have different ranks.
    has_ranks: bool,
    /// The alpha for llama.cpp, which divides it by the rank.
    alpha: f32,
}

fn settings(text: &str) -> Result<LoraSettings, CheckpointFault> {
    let json = Object::parse(text)?;
    let kind = json.text("peft_type")?.unwrap_or_default();
    if kind != "LORA" {
        return Err(unsupported(format!("key 'peft_type': {} is not LORA", shown(kind))));
    }
    let bias = json.text("bias")?.unwrap_or("none");
    if bias != "none" {
        return Err(lora_only("bias", shown(bias)));
    }
    for key in ["use_dora", "lora_bias", "fan_in_fan_out", "use_qalora", "use_bdlora"] {
        if json.flag(key)? == Some(true) {
            return Err(lora_only(key, "true".into()));
        }
    }
    for key in [
        "modules_to_save",
        "alpha_pattern",
        "layer_replication",
        "trainable_token_indices",
        "target_parameters",
        "alora_invocation_tokens",
    ] {
        let is_empty = |value: &serde_json::Value| match value {
            serde_json::Value::Array(list) => list.is_empty(),
            serde_json::Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if let Some(value) = json.get(key).filter(|value| !is_empty(value)) {
            return Err(lora_only(key, shown(&value.to_string())));
        }
    }
    check_start(json.get("init_lora_weights"))?;
    let has_ranks = json.object("rank_pattern")?.is_some_and(|map| map.0 != serde_json::json!({}));
    let rank = json.count("r", limits::ADAPTER_RANK_MAX)?;
    let alpha = json.number("lora_alpha")?.unwrap_or(f64::NAN);
    let alpha = match json.flag("use_rslora")? {
        Some(true) if has_ranks => return Err(lora_only("rank_pattern", "with use_rslora".into())),
        // PEFT divides by the square root of the rank, llama.cpp by the rank.
        Some(true) => alpha * (rank as f64).sqrt(),
        _ => alpha,
    } as f32;
    if !alpha.is_finite() || alpha == 0.0 {
        return Err(damaged("key 'lora_alpha' is missing or 0"));
    }
    Ok(LoraSettings { rank, has_ranks, alpha })
}

/// Rejects adapters initialised with a part taken out of the base (PiSSA, OLoRA, CorDA, LoftQ and
/// future ones): PEFT takes it out of the base again when loading them. The allowed methods leave
/// the base unchanged in PEFT's tuners/lora/layer.py.
fn check_start(start: Option<&serde_json::Value>) -> Result<(), CheckpointFault> {
    use serde_json::Value;
    match start {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(Value::String(name)) if name.eq_ignore_ascii_case("gaussian") => Ok(()),
        Some(Value::String(name)) if matches!(name.as_str(), "eva" | "orthogonal") => Ok(()),
        Some(other) => {
            let what = other.as_str().map_or_else(|| shown(&other.to_string()), shown);
            let cause = format!("key 'init_lora_weights': {what} also changes the base model");
            Err(CheckpointFault { cause, ..lora_only("", String::new()) })
        }
    }
}

fn lora_only(key: &str, what: String) -> CheckpointFault {
    CheckpointFault {
        cause: format!("key '{key}': {what} is not supported, only plain LoRA is"),
        remedy: "Merge the adapter into its model with PEFT's merge_and_unload, and convert the \
                 result.",
    }
}

/// Plans one factor of a matrix; returns the matrix's name, the planned tensor and the rank.
fn part(
    stored: &Stored,
    base: &Base,
    kind: OutputType,
) -> Result<(String, OutputTensor, u64), CheckpointFault> {
    let name = shown(&stored.name);
    let module = stored.name.strip_prefix("base_model.model.").unwrap_or(&stored.name);
    let sides = [(".lora_A.weight", "lora_a"), (".lora_B.weight", "lora_b")];
    let side = sides.iter().find_map(|(suffix, side)| Some((module.strip_suffix(suffix)?, *side)));
    let Some((module, side)) = side else {
        return Err(CheckpointFault {
            cause: format!("tensor {name} is not a factor of a LoRA matrix"),
            ..lora_only("", String::new())
        });
    };
    let gguf = names::module(module).map(|module| format!("{module}.weight"));
    if base.is_tied && gguf.as_deref() == Some("output.weight") {
        return Err(CheckpointFault {
            cause: format!(
                "tensor {name} is for the output head, which this base shares with its \
                embedding"
            ),
            remedy: "Train the adapter without lm_head, or merge it into its model with PEFT's \
                merge_and_unload and convert the result.",
        });
    }
    let known = gguf.and_then(|gguf| Some((*base.matrices.get(&gguf)?, gguf)));
    let Some(([rows, columns], gguf)) = known else {
        return Err(CheckpointFault {
            cause: format!("tensor {name} is for a matrix the base model lacks"),
            remedy: "Name the model it was trained for with --base.",
        });
    };
    if gguf == "token_embd.weight" {
        return Err(lora_only("target_modules", format!("the embedding ({name})")));
    }
    let fits = match (side, &stored.shape[..]) {
        ("lora_a", [rank, width]) if *width == columns => Some(*rank),
        ("lora_b", [height, rank]) if *height == rows => Some(*rank),
        _ => None,
    };
    let Some(rank) = fits.filter(|rank| (1..=limits::ADAPTER_RANK_MAX).contains(rank)) else {
        return Err(CheckpointFault {
            cause: format!(
                "tensor {name} has shape {:?}, but its matrix in the base [{rows}, {columns}]",
                stored.shape
            ),
            remedy: "Name the model it was trained for with --base.",
        });
    };
    let turned = match side {
        "lora_b" => names::rows_of(base.architecture, middle(&gguf), base.head),
        _ => RowOrder::AsStored,
    };
    let from = stored.float()?;
    let to = kind.of(from);
    let kind = types::by_id(to.gguf()).ok_or_else(|| damaged("a type is missing"))?;
    let shape = stored.shape.iter().rev().copied().collect();
    let entry = TensorEntry { name: format!("{gguf}.{side}"), kind, shape };
    let copy = TensorCopy { stored: stored.clone(), from, to, rows: turned };
    Ok((gguf, OutputTensor { entry, source: TensorSource::Stored(copy) }, rank))
}

/// Returns the module of a tensor name: `attn_q` for `blk.0.attn_q.weight`.
fn middle(gguf: &str) -> &str {
    gguf.trim_end_matches(".weight").rsplit('.').next().unwrap_or_default()
}
