//! Reads a checkpoint's safetensors files: a single file, or an index and shards.
//!
//! Headers are read within bounds and checked here: every tensor is inside the file, none overlaps
//! another, no byte is left over, names are unique. Data is read by positioned reads and never
//! mapped, because mapped pages count as memory. Layout: the crate safetensors, README, "Format".

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::data::Float;
use super::fault::{CheckpointFault, damaged, lfs_pointer, shown};
use super::json;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;

/// Size of the header's length field, which precedes the header.
const LENGTH_BYTES: u64 = 8;

/// A tensor as declared in a safetensors header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The tensor's name in the checkpoint.
    pub name: String,
    /// The data type, in safetensors' terms.
    pub kind: Dtype,
    /// The dimensions, slowest first; none for a scalar.
    pub shape: Vec<u64>,
    /// Offset of the data in its file.
    pub start: u64,
    /// Size of the data in bytes.
    pub bytes: u64,
    /// Index of its file in [`CheckpointWeights::shards`].
    pub shard: usize,
}

impl Stored {
    /// Returns the floating-point format of the data.
    ///
    /// # Errors
    /// A fault if the format is not one that can be converted.
    pub fn float(&self) -> Result<Float, CheckpointFault> {
        match self.kind {
            Dtype::F32 => Ok(Float::F32),
            Dtype::F16 => Ok(Float::F16),
            Dtype::BF16 => Ok(Float::Bf16),
            other => Err(CheckpointFault {
                cause: format!("tensor {} has type {other:?}", shown(&self.name)),
                remedy: "Convert a checkpoint whose weights are F32, F16 or BF16.",
            }),
        }
    }
}

/// An open safetensors file.
#[derive(Debug)]
pub struct Shard {
    /// The path of the file, for messages.
    pub path: PathBuf,
    file: File,
}

impl Shard {
    /// Fills `bytes` with the data from offset `start`.
    ///
    /// # Errors
    /// `bad_model` if the file was truncated; `internal` if it cannot be read.
    pub fn read(&self, start: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.file.read_exact_at(bytes, start).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => damaged("it was truncated while being read").of(&self.path),
            _ => {
                let what = format!("cannot read '{}': {}", self.path.display(), io_cause(&error));
                Error::new(Kind::Internal, what, "Check the disk.")
            }
        })
    }
}

impl CheckpointWeights {
    /// Returns whether two tensors have the same data, value for value.
    ///
    /// # Errors
    /// As [`Shard::read`].
    pub fn are_equal(&self, one: &Stored, other: &Stored) -> Result<bool, Error> {
        if (one.kind, &one.shape, one.bytes) != (other.kind, &other.shape, other.bytes) {
            return Ok(false);
        }
        let chunk = limits::CONVERT_CHUNK_BYTES as u64;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < one.bytes {
            let bytes = chunk.min(one.bytes - at) as usize;
            left.resize(bytes, 0);
            right.resize(bytes, 0);
            self.shards[one.shard].read(one.start + at, &mut left)?;
            self.shards[other.shard].read(other.start + at, &mut right)?;
            if left != right {
                return Ok(false);
            }
            at += bytes as u64;
        }
        Ok(true)
    }
}

/// All weights of a checkpoint, with their open files.
#[derive(Debug)]
pub struct CheckpointWeights {
    /// The files, sorted by name.
    pub shards: Vec<Shard>,
    /// The tensors of all files, by name.
    pub tensors: BTreeMap<String, Stored>,
}

/// Opens `NAME.safetensors` in a folder, or the files listed in `NAME.safetensors.index.json`.
///
/// # Errors
/// `not_found` if there is neither; `bad_model` with file and tensor.
pub fn open(folder: &Path, name: &str) -> Result<CheckpointWeights, Error> {
    let single = folder.join(format!("{name}.safetensors"));
    if single.exists() {
        return collect(vec![single]);
    }
    let index = folder.join(format!("{name}.safetensors.index.json"));
    let Some(text) = json::text(&index)? else {
        let what = format!("cannot convert '{}': it has no {name}.safetensors", folder.display());
        let remedy = "Name a folder with safetensors weights; convert older formats with \
            save_pretrained.";
        return Err(Error::new(Kind::NotFound, what, remedy));
    };
    let places = parse_index(&text).map_err(|fault| fault.of(&index))?;
    let files: Vec<&String> = {
        let mut files: Vec<&String> = places.values().collect();
        files.sort();
        files.dedup();
        files
    };
    let weights = collect(files.iter().map(|file| folder.join(file)).collect())?;
    for (tensor, file) in &places {
        let there = weights.tensors.get(tensor).map(|stored| files[stored.shard]);
        if there != Some(file) {
            let cause = format!("tensor {} is not in {}", shown(tensor), shown(file));
            return Err(damaged(cause).of(&index));
        }
    }
    Ok(weights)
}

/// Parses an index: returns the file of each tensor.
fn parse_index(text: &str) -> Result<BTreeMap<String, String>, CheckpointFault> {
    let index = json::Object::parse(text)?;
    let Some(map) = index.get("weight_map").and_then(|map| map.as_object()) else {
        return Err(damaged("key 'weight_map' is not an object"));
    };
    let mut places = BTreeMap::new();
    let mut files = HashSet::new();
    for (tensor, file) in map {
        let name = file.as_str().filter(|file| {
            let only = Path::new(file).file_name();
            only.is_some_and(|only| only == *file) && file.ends_with(".safetensors")
        });
        let Some(name) = name else {
            let cause = format!("tensor {} is not in a file of this folder", shown(tensor));
            return Err(damaged(cause));
        };
        files.insert(name);
        if files.len() > limits::CHECKPOINT_SHARDS_MAX {
            let max = limits::CHECKPOINT_SHARDS_MAX;
            return Err(damaged(format!("it lists more than {max} files")));
        }
        places.insert(tensor.clone(), name.to_string());
    }
    if places.is_empty() {
        return Err(damaged("key 'weight_map' is empty"));
    }
    Ok(places)
}

fn collect(paths: Vec<PathBuf>) -> Result<CheckpointWeights, Error> {
    let mut weights = CheckpointWeights { shards: Vec::new(), tensors: BTreeMap::new() };
    for path in paths {
        let (file, list) = open_one(&path, weights.shards.len())?;
        for stored in list {
            let name = stored.name.clone();
            if let Some(other) = weights.tensors.insert(name.clone(), stored) {
                let first = weights.shards[other.shard].path.display();
                let cause = format!("tensor {} is also in '{first}'", shown(&name));
                return Err(damaged(cause).of(&path));
            }
        }
        weights.shards.push(Shard { path, file });
    }
    Ok(weights)
}

fn open_one(path: &Path, shard: usize) -> Result<(File, Vec<Stored>), Error> {
    let cannot = |error: std::io::Error| {
        let what = format!("cannot open '{}': {}", path.display(), io_cause(&error));
        Error::new(Kind::NotFound, what, "Get the complete checkpoint: every file of its folder.")
    };
    let file = File::open(path).map_err(cannot)?;
    let about = file.metadata().map_err(cannot)?;
    if !about.is_file() {
        return Err(damaged("it is not a file").of(path));
    }
    let file_bytes = about.len();
    let read = |start: u64, bytes: &mut [u8]| file.read_exact_at(bytes, start).map_err(cannot);
    let mut start = [0; LENGTH_BYTES as usize];
    if file_bytes < LENGTH_BYTES {
        return Err(damaged("it is too short to be a safetensors file").of(path));
    }
    read(0, &mut start)?;
    let mut beginning = [0; 32];
    let beginning = &mut beginning[..file_bytes.min(32) as usize];
    read(0, beginning)?;
    if let Some(fault) = lfs_pointer(beginning) {
        return Err(fault.of(path));
    }
    let length = header_bytes(start, file_bytes).map_err(|fault| fault.of(path))?;
    let mut header = vec![0; length as usize];
    read(LENGTH_BYTES, &mut header)?;
    let mut list = check(&header, file_bytes).map_err(|fault| fault.of(path))?;
    list.iter_mut().for_each(|stored| stored.shard = shard);
    Ok((file, list))
}

/// Reads the header's length, which must not exceed the file or the limit.
fn header_bytes(
    start: [u8; LENGTH_BYTES as usize],
    file_bytes: u64,
) -> Result<u64, CheckpointFault> {
    let length = u64::from_le_bytes(start);
    let max = limits::SAFETENSORS_HEADER_BYTES_MAX;
    if length > max {
        let cause = format!(
            "it is not a safetensors file: its header has {length} bytes, at most {max} are allowed"
        );
        return Err(damaged(cause));
    }
    if length > file_bytes - LENGTH_BYTES {
        let cause =
            format!("it is truncated: its header has {length} bytes, but the file {file_bytes}");
        return Err(damaged(cause));
    }
    Ok(length)
}

/// Checks the bytes of a whole file like [`open`]; for fuzzing.
///
/// # Errors
/// The fault found.
pub fn check_bytes(bytes: &[u8]) -> Result<Vec<Stored>, CheckpointFault> {
    let Some((start, rest)) = bytes.split_first_chunk() else {
        return Err(damaged("it is too short to be a safetensors file"));
    };
    let length = header_bytes(*start, bytes.len() as u64)?;
    check(&rest[..length as usize], bytes.len() as u64)
}

/// Checks a header against the size of its file; returns the tensors in the order of their data.
fn check(header: &[u8], file_bytes: u64) -> Result<Vec<Stored>, CheckpointFault> {
    let named = parse(header)?;
    let data = LENGTH_BYTES + header.len() as u64;
    let mut list = Vec::with_capacity(named.len());
    let mut names = HashSet::with_capacity(named.len());
    for (name, info) in &named {
        if !names.insert(name.as_str()) {
            return Err(damaged(format!("tensor {} occurs twice", shown(name))));
        }
        let (first, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let shape: Vec<u64> = info.shape.iter().map(|&n| n as u64).collect();
        let elements = shape.iter().try_fold(1_u64, |product, &n| product.checked_mul(n));
        let bits = elements.and_then(|n| n.checked_mul(info.dtype.bitsize() as u64));
        let bytes = bits.filter(|bits| bits % 8 == 0).map(|bits| bits / 8);
        if bytes.is_none() || end.checked_sub(first) != bytes {
            return Err(damaged(format!(
                "tensor {} of shape {shape:?} and type {:?} does not fit bytes {first} to {end}",
                shown(name),
                info.dtype
            )));
        }
        if end > file_bytes - data {
            return Err(damaged(format!(
                "it is truncated: tensor {} ends at byte {}, but the file at {file_bytes}",
                shown(name),
                data.saturating_add(end)
            )));
        }
        let (start, bytes) = (data + first, end - first);
        let (name, kind) = (name.clone(), info.dtype);
        list.push(Stored { name, kind, shape, start, bytes, shard: 0 });
    }
    list.sort_by_key(|stored| (stored.start, stored.bytes));
    let mut at = data;
    for stored in &list {
        if stored.start != at {
            let what = if stored.start < at { "overlaps" } else { "leaves a gap after" };
            let cause = format!("tensor {} {what} the previous one", shown(&stored.name));
            return Err(damaged(cause));
        }
        at += stored.bytes;
    }
    if at != file_bytes {
        return Err(damaged(format!("it has {} bytes that belong to no tensor", file_bytes - at)));
    }
    Ok(list)
}

/// Parses a header, keeping all entries, including duplicate names.
fn parse(header: &[u8]) -> Result<Vec<(String, TensorInfo)>, CheckpointFault> {
    let broken = |error: serde_json::Error| damaged(format!("its header is damaged: {error}"));
    let mut json = serde_json::Deserializer::from_slice(header);
    let list = json.deserialize_map(HeaderEntries).map_err(broken)?;
    // Writers pad the header with spaces to align the data.
    json.end().map_err(broken)?;
    Ok(list)
}

struct HeaderEntries;

impl<'de> Visitor<'de> for HeaderEntries {
    type Value = Vec<(String, TensorInfo)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
            } else {
                list.push((name, map.next_value()?));
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data_bytes: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data_bytes, 0);
        bytes
    }

    #[test]
    fn tensors_come_in_the_order_of_their_data() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},
            "a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}}   "#;
        let list = check_bytes(&file(header, 12)).unwrap();
        let names: Vec<_> = list.iter().map(|t| (t.name.as_str(), t.bytes)).collect();
        assert_eq!(names, [("a", 4), ("b", 8)]);
        assert_eq!(list[0].start, 8 + header.len() as u64);
        assert_eq!(list[0].float().unwrap(), Float::Bf16);
    }

    #[test]
    fn every_fault_of_a_file_is_named() {
        let tensor = |name: &str, kind: &str, shape: &str, from: u64, to: u64| {
            format!(r#""{name}":{{"dtype":"{kind}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
        };
        let a = tensor("a", "F32", "[2]", 0, 8);
        let cases = [
            (vec![1; 7], "too short"),
            (file("{}", 1)[..9].to_vec(), "truncated"),
            ([&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "not a safetensors file"),
            (file("[]", 0), "damaged"),
            (file("{} x", 0), "damaged"),
            (file("{\"a\":{}}", 0), "damaged"),
            (file(&format!("{{{a}}}"), 7), "truncated: tensor 'a'"),
            (file(&format!("{{{a}}}"), 9), "1 bytes that belong to no tensor"),
            (file(&format!("{{{a},{a}}}"), 8), "'a' occurs twice"),
            (file(&format!("{{{a},{}}}", tensor("b", "F32", "[1]", 4, 8)), 8), "'b' overlaps"),
            (
                file(&format!("{{{a},{}}}", tensor("b", "F32", "[1]", 9, 13)), 13),
                "'b' leaves a gap",
            ),
            (file(&format!("{{{}}}", tensor("a", "F32", "[3]", 0, 8)), 8), "does not fit"),
            (file(&format!("{{{}}}", tensor("a", "F32", "[2]", 8, 0)), 8), "does not fit"),
            (
                file(&format!("{{{}}}", tensor("a", "U8", "[4294967296,4294967296,2]", 0, 0)), 0),
                "does not fit",
            ),
        ];
        for (bytes, says) in cases {
            let fault = check_bytes(&bytes).unwrap_err();
            assert!(fault.cause.contains(says), "{says}: {fault:?}");
        }
        let odd = format!("{{{}}}", tensor("a", "F8_E4M3", "[8]", 0, 8));
        let stored = &check_bytes(&file(&odd, 8)).unwrap()[0];
        assert!(stored.float().unwrap_err().cause.contains("F8_E4M3"));
    }

    #[test]
    fn an_index_leads_to_no_file_outside_its_folder() {
        let index = |file: &str| parse_index(&format!(r#"{{"weight_map":{{"a":{file}}}}}"#));
        assert_eq!(index("\"x.safetensors\"").unwrap()["a"], "x.safetensors");
        for file in ["\"../x.safetensors\"", "\"/x.safetensors\"", "\"x.bin\"", "1", "\"\""] {
            assert!(index(file).is_err(), "{file}");
        }
        assert!(parse_index("{}").is_err());
    }
}
