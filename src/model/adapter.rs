//! Checks a LoRA adapter (GGUF) against its base model before llama.cpp loads it.
//!
//! llama.cpp ends the process with an assertion if a key has the wrong type, and reports a wrong
//! shape without details; here each error names the tensor. Layout: llama.cpp's
//! convert_lora_to_gguf.py. Tensors come in pairs, `NAME.lora_a` of shape [in, rank] and
//! `NAME.lora_b` of [rank, out], for the model's `NAME` of [in, out], fastest dimension first. For
//! the embedding `lora_a` is [rank, rows] and `lora_b` [rank, width].

use std::collections::BTreeMap;

use super::header::Header;
use super::keys::Metadata;
use super::scan::{Scan, TensorInfo, scan};
use super::tensors::EMBEDDING;
use super::{bad_model, bundled};
use crate::types::error::Error;
use crate::types::plan::Weights;

/// An adapter file that passed the checks.
#[derive(Debug)]
pub struct AdapterFile {
    /// The adapter's path and origin.
    pub file: Weights,
    /// Total size of its tensors in bytes.
    pub bytes: u64,
}

/// Returns the built-in adapter if `name` is its name, else the file at this path.
///
/// # Errors
/// `internal` if the built-in adapter cannot be unpacked.
pub fn locate(name: &std::path::Path) -> Result<Weights, Error> {
    if name.as_os_str() == bundled::ADAPTER {
        bundled::adapter()
    } else {
        Ok(Weights::adapter(name))
    }
}

/// Checks the adapter's structure, and that every tensor fits the model.
///
/// # Errors
/// `no_model` if the file cannot be opened; `bad_model` if it is invalid or has a tensor that the
/// model lacks or has in another shape.
pub fn open(file: Weights, model: &Header) -> Result<AdapterFile, Error> {
    check(file, Some(model))
}

/// Checks what can be checked of an adapter without its model: the keys, and that its tensors form
/// pairs of matching shapes.
///
/// # Errors
/// `no_model` if the file cannot be opened; `bad_model` if it is invalid.
pub fn look(file: Weights) -> Result<AdapterFile, Error> {
    check(file, None)
}

fn check(file: Weights, model: Option<&Header>) -> Result<AdapterFile, Error> {
    let scan = scan(&file)?;
    let checked = check_keys(&scan.keys, model).and_then(|()| check_tensors(&scan, model));
    let bytes = checked.map_err(|cause| bad_model(&file, cause))?;
    Ok(AdapterFile { file, bytes })
}

fn check_keys(keys: &Metadata, model: Option<&Header>) -> Result<(), String> {
    if keys.text("general.type")? != Some("adapter") {
        return Err("it is not an adapter (key 'general.type')".into());
    }
    if keys.text("adapter.type")? != Some("lora") {
        return Err("it is not a LoRA adapter (key 'adapter.type')".into());
    }
    let architecture = keys.text("general.architecture")?.unwrap_or_default();
    if let Some(model) = model.filter(|model| model.architecture != architecture) {
        let (its, models) = (architecture.escape_debug(), model.architecture.escape_debug());
        return Err(format!("it is for architecture '{its}', but {} has '{models}'", model.file));
    }
    if keys.f32("adapter.lora.alpha")?.is_none_or(|alpha| alpha == 0.0) {
        let must = "must be a 32-bit float other than 0";
        return Err(format!("key 'adapter.lora.alpha' {must}"));
    }
    match keys.0.iter().find(|key| key.name.starts_with("adapter.alora.")) {
        Some(key) => {
            let name = key.name.escape_debug();
            Err(format!("key '{name}': adapters activated by a text (aLoRA) are not supported"))
        }
        None => Ok(()),
    }
}

/// Returns the total size of all tensors in bytes.
fn check_tensors(scan: &Scan, model: Option<&Header>) -> Result<u64, String> {
    let mut pairs: BTreeMap<&str, [Option<&TensorInfo>; 2]> = BTreeMap::new();
    for tensor in &scan.tensors {
        let name = tensor.name.as_str();
        let parts = [name.strip_suffix(".lora_a"), name.strip_suffix(".lora_b")];
        let Some(side) = parts.iter().position(|part| part.is_some()) else {
            let shown = name.escape_debug();
            return Err(match name.contains("norm") {
                true => format!("tensor '{shown}': adapters for norms are not supported"),
                false => format!("tensor '{shown}' is neither a '.lora_a' nor a '.lora_b'"),
            });
        };
        pairs.entry(parts[side].unwrap_or_default()).or_default()[side] = Some(tensor);
    }
    for (name, pair) in pairs {
        check_pair(name, pair, model)?;
    }
    Ok(scan.tensors.iter().map(|tensor| tensor.bytes).sum())
}

fn check_pair(
    name: &str,
    pair: [Option<&TensorInfo>; 2],
    model: Option<&Header>,
) -> Result<(), String> {
    let shown = name.escape_debug();
    let [Some(a), Some(b)] = pair else {
        let missing = if pair[0].is_none() { "lora_a" } else { "lora_b" };
        return Err(format!("tensor '{shown}.{missing}' is missing"));
    };
    if let Some(odd) = [a, b].into_iter().find(|t| !matches!(t.kind.name, "F32" | "F16" | "BF16")) {
        let kind = odd.kind.name;
        return Err(format!(
            "tensor '{}' has type {kind}, which is not a float type",
            odd.name.escape_debug()
        ));
    }
    let side = |tensor: &TensorInfo, at: usize| tensor.shape.get(at).copied().unwrap_or(1);
    let flat = |tensor: &TensorInfo| tensor.shape.iter().skip(2).all(|&length| length == 1);
    // The two ranks, and the dimensions of the matrix this pair is added to.
    let (ranks, sides) = if name == EMBEDDING {
        // Rows of the embedding are looked up, not multiplied, so both factors are transposed.
        ((side(a, 0), side(b, 0)), (side(b, 1), side(a, 1)))
    } else {
        ((side(a, 1), side(b, 0)), (side(a, 0), side(b, 1)))
    };
    if ranks.0 != ranks.1 || !flat(a) || !flat(b) {
        let (a, b) = (&a.shape, &b.shape);
        return Err(format!("the two factors of tensor '{shown}', {a:?} and {b:?}, do not match"));
    }
    let Some(model) = model else { return Ok(()) };
    let Some(base) = model.tensors.iter().find(|tensor| tensor.name == name) else {
        return Err(format!("tensor '{shown}' is not in {}: it is for another model", model.file));
    };
    if base.shape.len() < 2 {
        // llama.cpp would accept and ignore it: adapters apply only to matrix products.
        return Err(format!(
            "tensor '{shown}' is not a matrix in {}, so it cannot be adapted",
            model.file
        ));
    }
    if name == EMBEDDING && model.is_tied() {
        // llama.cpp would also add it to the output head, where the shapes do not match.
        return Err(format!("tensor '{shown}' is also the output head, which cannot be adapted"));
    }
    if !flat(base) || sides != (side(base, 0), side(base, 1)) {
        return Err(format!(
            "tensor '{shown}' is {:?} in {}, but {:?} times {:?} here: it is for another model",
            base.shape, model.file, a.shape, b.shape
        ));
    }
    Ok(())
}
