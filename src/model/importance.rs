//! Reads and writes importance matrices in the format of llama.cpp's `llama-imatrix`, so that each
//! program accepts the other's files.
//!
//! The format is a GGUF file of type `imatrix` with, for each tensor, `NAME.in_sum2`, the sums of
//! the squared inputs over all tokens, and `NAME.counts`, the number of tokens. Later releases of
//! llama-imatrix add `NAME.in_sum` and `NAME.stats`, which no quantizer uses.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::newfile::NewFile;
use super::scan::{TensorInfo, scan};
use super::write::{GgufValue, TensorEntry, header, padding};
use super::{Header, bad_model, types};
use crate::types::error::{Error, io_cause, printable};
use crate::types::limits;
use crate::types::plan::{Origin, Weights, WeightsRole};
use crate::types::quantize::Importance;

/// The text from which an importance matrix was computed, as recorded in its file.
#[derive(Debug)]
pub struct CalibrationText<'a> {
    /// The name of the text's file.
    pub text: &'a str,
    /// Number of passages evaluated.
    pub passages: u32,
    /// Maximum length of a passage in tokens.
    pub passage_tokens: u32,
}

/// Writes an importance matrix to `file` and gives the file its final name.
///
/// # Errors
/// The errors of writing: `no_space` or `internal`.
pub fn write(
    mut file: NewFile,
    list: &[Importance],
    source: &CalibrationText<'_>,
) -> Result<(), Error> {
    let keys = [
        ("general.type", GgufValue::Text("imatrix".into())),
        ("imatrix.datasets", GgufValue::Texts(vec![source.text.into()])),
        ("imatrix.chunk_count", GgufValue::U32(source.passages)),
        ("imatrix.chunk_size", GgufValue::U32(source.passage_tokens)),
    ];
    let keys: Vec<(String, GgufValue)> =
        keys.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    let entry = |name: String, shape: Vec<u64>| TensorEntry { name, kind: types::F32, shape };
    let entries: Vec<TensorEntry> = list
        .iter()
        .flat_map(|item| {
            let sums = vec![item.squares.len() as u64];
            [
                entry(format!("{}.in_sum2", item.tensor), sums),
                entry(format!("{}.counts", item.tensor), vec![1]),
            ]
        })
        .collect();
    file.write(&header(&keys, &entries))?;
    for item in list {
        for numbers in [&item.squares[..], &[item.tokens as f32]] {
            let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            file.write(&bytes)?;
            file.write(padding(bytes.len() as u64))?;
        }
    }
    file.keep()
}

/// Reads an importance matrix for `model`.
///
/// # Errors
/// `no_model` if the file cannot be opened; `bad_model` with the fault if it is invalid or belongs
/// to another model.
pub fn read(file: &Path, model: &Header) -> Result<Vec<Importance>, Error> {
    let file =
        Weights { role: WeightsRole::Importance, origin: Origin::Disk, path: file.to_path_buf() };
    let tensors = scan(&file)?.tensors;
    let bad = |cause: String| bad_model(&file, cause);
    let total: u64 = tensors.iter().map(|tensor| tensor.bytes).sum();
    if total > limits::IMPORTANCE_BYTES_MAX {
        let most = limits::IMPORTANCE_BYTES_MAX;
        return Err(bad(format!("it has {total} bytes of data, at most {most} are allowed")));
    }
    let opened = std::fs::File::open(&file.path).map_err(|e| bad(io_cause(&e)))?;
    let numbers = |tensor: &TensorInfo| {
        let mut bytes = vec![0; tensor.bytes as usize];
        opened.read_exact_at(&mut bytes, tensor.at).map_err(|e| bad(io_cause(&e)))?;
        let floats: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        match floats.iter().all(|x| x.is_finite() && *x >= 0.0) {
            true => Ok(floats),
            false => Err(bad(format!(
                "tensor '{}' has negative or non-finite values",
                printable(&tensor.name)
            ))),
        }
    };
    let mut list = Vec::new();
    for (name, [sums, counts]) in pairs(&tensors).map_err(bad)? {
        check(name, sums, counts, model).map_err(bad)?;
        let squares = numbers(sums)?;
        let tokens = numbers(counts)?.first().copied().unwrap_or(0.0) as u64;
        list.push(Importance { tensor: name.to_string(), squares, tokens });
    }
    Ok(list)
}

/// Returns the tensors with the sums and the counts, by the name of the model's tensor.
fn pairs(tensors: &[TensorInfo]) -> Result<BTreeMap<&str, [&TensorInfo; 2]>, String> {
    let mut halves: BTreeMap<&str, [Option<&TensorInfo>; 2]> = BTreeMap::new();
    let is_read = |t: &&TensorInfo| !t.name.ends_with(".in_sum") && !t.name.ends_with(".stats");
    for tensor in tensors.iter().filter(is_read) {
        let name = tensor.name.as_str();
        let parts = [name.strip_suffix(".in_sum2"), name.strip_suffix(".counts")];
        let Some(which) = parts.iter().position(Option::is_some) else {
            return Err(format!("tensor '{}' is neither a sum nor a count", printable(name)));
        };
        let of = halves.entry(parts[which].unwrap_or_default()).or_default();
        if of[which].replace(tensor).is_some() {
            return Err(format!("tensor '{}' occurs twice", printable(name)));
        }
    }
    let whole = halves.into_iter().map(|(name, halves)| match halves {
        [Some(sums), Some(counts)] => Ok((name, [sums, counts])),
        _ => Err(format!("the sums or counts of '{}' are missing", printable(name))),
    });
    whole.collect()
}

fn check(name: &str, sums: &TensorInfo, counts: &TensorInfo, model: &Header) -> Result<(), String> {
    let (shown, its) = (printable(name), &model.file);
    if sums.kind != types::F32 || counts.kind != types::F32 {
        return Err(format!("the values of '{shown}' are not 32-bit floats"));
    }
    let Some(tensor) = model.tensors.iter().find(|tensor| tensor.name == name) else {
        return Err(format!("tensor '{shown}' is not in {its}: it is for another model"));
    };
    if sums.shape[0] != tensor.shape[0] || sums.bytes != 4 * tensor.shape[0] || counts.bytes != 4 {
        return Err(format!(
            "tensor '{shown}' has {} inputs in {its}, but {:?} here: it is for another model",
            tensor.shape[0], sums.shape
        ));
    }
    Ok(())
}
