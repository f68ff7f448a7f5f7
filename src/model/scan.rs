//! Scans a GGUF header within bounds before anything else parses it.
//!
//! Layout: ggml's docs/gguf.md, versions 2 and 3, little-endian. The scan trusts no length that it
//! has not compared with a limit and with the file's size, allocates nothing larger than what it
//! has read, and finally checks that the tensors fill the rest of the file without gaps. A header
//! that passes is safe for any parser; whether its values make a valid model is for `check` to
//! decide.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};

use super::keys::{self, Metadata, MetadataArray, MetadataEntry, MetadataValue};
use super::types::{self, TensorType};
use super::{LFS_POINTER, LFS_REMEDY, bad_model};
use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;
use crate::types::plan::{Weights, WeightsRole};

/// A tensor as declared in a GGUF header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// The tensor's name, with 1 to 63 bytes.
    pub name: String,
    /// The type its data is stored in.
    pub kind: TensorType,
    /// The dimensions, fastest first; 1 to 4 of them.
    pub shape: Vec<u64>,
    /// Size of the data in bytes.
    pub bytes: u64,
    /// Offset of the data in the file.
    pub at: u64,
}

/// The result of a scan.
#[derive(Debug)]
pub struct Scan {
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// All metadata entries, in file order.
    pub keys: Metadata,
    /// All tensors in file order.
    pub tensors: Vec<TensorInfo>,
    /// Bytes after the last tensor and its padding.
    pub surplus_bytes: u64,
}

/// Why a file is not a complete GGUF file.
enum ScanError {
    /// The file ends too early.
    Short,
    /// The file cannot be read.
    Io(std::io::Error),
    /// The header is invalid; with the reason.
    Wrong(String),
    /// The file is a Git LFS pointer.
    Pointer,
    /// The file is one of this many parts of a split model.
    Split(i128),
}

impl From<std::io::Error> for ScanError {
    fn from(error: std::io::Error) -> ScanError {
        if error.kind() == ErrorKind::UnexpectedEof {
            ScanError::Short
        } else {
            ScanError::Io(error)
        }
    }
}

fn wrong<T>(cause: impl Into<String>) -> Result<T, ScanError> {
    Err(ScanError::Wrong(cause.into()))
}

/// Scans the header of `from`.
///
/// # Errors
/// `no_model` if the file cannot be opened; `bad_model` with the reason if it is not a complete
/// GGUF file.
pub fn scan(from: &Weights) -> Result<Scan, Error> {
    let cannot_open = |error: std::io::Error| {
        let remedy = match from.role {
            WeightsRole::Model => {
                "Put a .gguf file there or name another with --model FILE; models/README.md says \
                 how to get one."
            }
            WeightsRole::Adapter => "Name another with --adapter FILE, or omit the option.",
            WeightsRole::Importance => "Create one with `solverbox imatrix`, or omit --imatrix.",
        };
        Error::new(Kind::NoModel, format!("cannot open {from}: {}", io_cause(&error)), remedy)
    };
    // Checked before opening, which would block forever on a pipe.
    let metadata = std::fs::metadata(&from.path).map_err(cannot_open)?;
    if !metadata.is_file() {
        return Err(bad_model(from, "it is not a file"));
    }
    let file = File::open(&from.path).map_err(cannot_open)?;
    let file_bytes = metadata.len();
    let reader = BufReader::with_capacity(1 << 16, file);
    let mut reader = HeaderReader { reader, at: 0, file_bytes, listed: 0 };
    reader.header().map_err(|fault| match fault {
        ScanError::Short if file_bytes == 0 => bad_model(from, "it is empty"),
        ScanError::Short => bad_model(
            from,
            format!("it is truncated: its {file_bytes} bytes end inside the header"),
        ),
        ScanError::Io(error) => bad_model(from, io_cause(&error)),
        ScanError::Wrong(cause) => bad_model(from, cause),
        ScanError::Pointer => Error::new(
            Kind::BadModel,
            format!("cannot use {from}: it is a Git LFS pointer, not the file itself"),
            LFS_REMEDY,
        ),
        ScanError::Split(parts) => Error::new(
            Kind::BadModel,
            format!("cannot use {from}: it is one of {parts} parts of a split model"),
            "Join the parts with `llama-gguf-split --merge FIRST-PART NEW.gguf`, and use the file.",
        ),
    })
}

struct HeaderReader {
    reader: BufReader<File>,
    at: u64,
    file_bytes: u64,
    /// Number of list items outside the vocabulary so far.
    listed: u64,
}

impl HeaderReader {
    fn header(&mut self) -> Result<Scan, ScanError> {
        match &self.bytes::<4>()? {
            b"GGUF" => {}
            start if LFS_POINTER.starts_with(start) => return Err(ScanError::Pointer),
            _ => return wrong("it is not a GGUF file"),
        }
        match self.u32()? {
            2 | 3 => {}
            version if version.swap_bytes() <= 3 => return wrong("it is a big-endian GGUF file"),
            version => {
                return wrong(format!("GGUF version {version} is not supported, only 2 and 3 are"));
            }
        }
        let tensors = self.count("tensors", limits::GGUF_TENSORS_MAX)?;
        let keys = self.count("keys", limits::GGUF_KEYS_MAX)?;
        let keys = self.keys(keys)?;
        match keys.get("split.count").map(|key| &key.value) {
            Some(MetadataValue::Whole(parts)) if *parts > 1 => {
                return Err(ScanError::Split(*parts));
            }
            _ => {}
        }
        if tensors == 0 {
            return wrong("it has no tensors");
        }
        let alignment = alignment(&keys)?;
        let tensors = self.tensors(tensors, alignment)?;
        let end = tensors.last().map_or(0, |last| last.at + last.bytes);
        let surplus_bytes = self.file_bytes.saturating_sub(end.next_multiple_of(alignment));
        Ok(Scan { file_bytes: self.file_bytes, keys, tensors, surplus_bytes })
    }

    fn keys(&mut self, count: u64) -> Result<Metadata, ScanError> {
        let (mut list, mut names) = (Vec::new(), HashSet::new());
        for _ in 0..count {
            let name = self.string("a key's name")?;
            let shown = name.escape_debug();
            if name.is_empty() {
                return wrong("a key has an empty name");
            }
            if !names.insert(name.clone()) {
                return wrong(format!("key '{shown}' occurs twice"));
            }
            let kind = self.u32()?;
            let value = self.value(&name, kind)?;
            list.push(MetadataEntry { name, kind, value });
        }
        Ok(Metadata(list))
    }

    fn tensors(&mut self, count: u64, alignment: u64) -> Result<Vec<TensorInfo>, ScanError> {
        let (mut list, mut names) = (Vec::new(), HashSet::new());
        for _ in 0..count {
            let tensor = self.tensor(alignment)?;
            if !names.insert(tensor.name.clone()) {
                return wrong(format!("tensor '{}' occurs twice", tensor.name.escape_debug()));
            }
            list.push(tensor);
        }
        let data = self.at.next_multiple_of(alignment);
        let mut next = 0_u64;
        for tensor in &mut list {
            let (name, offset) = (tensor.name.escape_debug(), tensor.at);
            let end = data.checked_add(offset).and_then(|start| start.checked_add(tensor.bytes));
            if end.is_none_or(|end| end > self.file_bytes) {
                return wrong(format!(
                    "it is truncated: tensor '{name}' ends at byte {}, but the file at {}",
                    end.map_or("2^64".into(), |end| end.to_string()),
                    self.file_bytes
                ));
            }
            // llama.cpp accepts tensors only in this order and without gaps, so none overlaps
            // another.
            if offset != next {
                return wrong(format!("tensor '{name}' is at offset {offset} instead of {next}"));
            }
            next = (offset + tensor.bytes).next_multiple_of(alignment);
            tensor.at = data + offset;
        }
        Ok(list)
    }

    /// Reads one tensor entry; its `at` is relative to the start of the data at first.
    fn tensor(&mut self, alignment: u64) -> Result<TensorInfo, ScanError> {
        let name = self.string("a tensor's name")?;
        let shown = name.escape_debug();
        if name.is_empty() || name.len() as u64 > limits::GGUF_NAME_BYTES_MAX {
            let max = limits::GGUF_NAME_BYTES_MAX;
            return wrong(format!("tensor '{shown}': its name must have 1 to {max} bytes"));
        }
        let dimensions = self.u32()?;
        if !(1..=4).contains(&dimensions) {
            return wrong(format!(
                "tensor '{shown}' has {dimensions} dimensions, 1 to 4 are allowed"
            ));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.push(self.u64()?);
        }
        let (id, at) = (self.u32()?, self.u64()?);
        let Some(kind) = types::by_id(id) else {
            return wrong(format!("tensor '{shown}' has type {id}, which is not supported"));
        };
        let Some(bytes) = kind.bytes(&shape).filter(|&bytes| bytes > 0) else {
            return wrong(format!(
                "tensor '{shown}': shape {shape:?} is not valid for type {}",
                kind.name
            ));
        };
        if !at.is_multiple_of(alignment) {
            return wrong(format!("tensor '{shown}' is at offset {at}, which is not aligned"));
        }
        Ok(TensorInfo { name, kind, shape, bytes, at })
    }

    fn value(&mut self, key: &str, kind: u32) -> Result<MetadataValue, ScanError> {
        let shown = key.escape_debug();
        Ok(match kind {
            0 => MetadataValue::Whole(self.bytes::<1>()?[0].into()),
            1 => MetadataValue::Whole((self.bytes::<1>()?[0] as i8).into()),
            2 => MetadataValue::Whole(u16::from_le_bytes(self.bytes()?).into()),
            3 => MetadataValue::Whole(i16::from_le_bytes(self.bytes()?).into()),
            keys::U32 => MetadataValue::Whole(self.u32()?.into()),
            keys::I32 => MetadataValue::Whole(i32::from_le_bytes(self.bytes()?).into()),
            keys::F32 => MetadataValue::Float(f32::from_le_bytes(self.bytes()?).into()),
            keys::BOOL => MetadataValue::Bool(self.bytes::<1>()?[0] != 0),
            keys::TEXT => MetadataValue::Text(self.string(&format!("key '{shown}'"))?),
            keys::ARRAY => MetadataValue::Array(self.array(&shown.to_string())?),
            10 => MetadataValue::Whole(self.u64()?.into()),
            11 => MetadataValue::Whole(i64::from_le_bytes(self.bytes()?).into()),
            12 => MetadataValue::Float(f64::from_le_bytes(self.bytes()?)),
            kind => return wrong(format!("key '{shown}': value type {kind} is not supported")),
        })
    }

    fn array(&mut self, shown: &str) -> Result<MetadataArray, ScanError> {
        let item = self.u32()?;
        let items = self.count(shown, limits::GGUF_ARRAY_ITEMS_MAX)?;
        if !shown.starts_with("tokenizer.") {
            // gguf-rs keeps all of these, using a hundred times the size of each item.
            self.listed += items;
            if self.listed > limits::GGUF_LISTED_ITEMS_MAX {
                let most = limits::GGUF_LISTED_ITEMS_MAX;
                return wrong(format!(
                    "key '{shown}': its list brings the items outside the vocabulary to {}, at \
                     most {most} are allowed",
                    self.listed
                ));
            }
        }
        let (at, mut numbers) = (self.at, Vec::new());
        match fixed_bytes(item) {
            Some(4) if item != keys::F32 && items <= limits::MODEL_LAYERS_MAX => {
                for _ in 0..items {
                    let bytes = self.bytes()?;
                    let unsigned = item == keys::U32;
                    let signed = i64::from(i32::from_le_bytes(bytes));
                    numbers.push(if unsigned { u32::from_le_bytes(bytes).into() } else { signed });
                }
            }
            Some(bytes) => self.skip(items * bytes)?,
            None if item == keys::TEXT => {
                for _ in 0..items {
                    let bytes = self.count("a string", limits::GGUF_STRING_BYTES_MAX)?;
                    self.skip(bytes)?;
                }
            }
            None => {
                return wrong(format!("key '{shown}': arrays of type {item} are not supported"));
            }
        }
        Ok(MetadataArray { item, items, at, numbers })
    }

    fn count(&mut self, what: &str, max: u64) -> Result<u64, ScanError> {
        let count = self.u64()?;
        if count > max {
            return wrong(format!("{what}: length {count} is too large, at most {max} is allowed"));
        }
        Ok(count)
    }

    /// Reads a name or a string; in a valid file these are UTF-8 without zero bytes, and C++ would
    /// read a string only up to its first zero byte.
    fn string(&mut self, what: &str) -> Result<String, ScanError> {
        let bytes = self.count("a string", limits::GGUF_STRING_BYTES_MAX)?;
        self.step(bytes)?;
        let mut text = vec![0; bytes as usize];
        self.reader.read_exact(&mut text)?;
        let text = String::from_utf8(text).ok().filter(|text| !text.contains('\0'));
        text.map_or_else(|| wrong(format!("{what} is not UTF-8 text")), Ok)
    }

    fn u32(&mut self) -> Result<u32, ScanError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, ScanError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ScanError> {
        self.step(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), ScanError> {
        self.step(bytes)?;
        self.reader.seek_relative(bytes as i64)?;
        Ok(())
    }

    /// Advances the position, staying within the file and the maximum header size.
    fn step(&mut self, bytes: u64) -> Result<(), ScanError> {
        self.at += bytes;
        if self.at > self.file_bytes {
            return Err(ScanError::Short);
        }
        if self.at > limits::GGUF_HEADER_BYTES_MAX {
            return wrong(format!(
                "its header has more than {} bytes",
                limits::GGUF_HEADER_BYTES_MAX
            ));
        }
        Ok(())
    }
}

/// Returns the alignment of the tensors' offsets.
fn alignment(keys: &Metadata) -> Result<u64, ScanError> {
    let alignment = keys.u32("general.alignment").map_err(ScanError::Wrong)?.unwrap_or(32);
    if !alignment.is_power_of_two() || alignment > 1 << 16 {
        return wrong(format!(
            "key 'general.alignment': {alignment} is not a power of two up to 65536"
        ));
    }
    Ok(alignment.into())
}

/// Returns the size of a scalar value type; `None` for strings, arrays and unknown types.
fn fixed_bytes(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
