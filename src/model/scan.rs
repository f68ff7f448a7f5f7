//! Walks a GGUF header under bounds before anything else parses it.
//!
//! Layout: ggml's docs/gguf.md, versions 2 and 3, little-endian. The walk believes no length it
//! has not compared with a limit and with the file's size, allocates nothing larger than a
//! tensor's name, and ends by checking that every tensor lies inside the file. What passes is safe
//! to hand to gguf-rs and llama.cpp as far as structure goes; values are theirs to judge.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};

use super::bad_model;
use super::types::{self, TensorType};
use crate::words::error::{Error, Kind, io_cause};
use crate::words::limits;
use crate::words::plan::{Role, Weights};

/// A tensor as the header declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: TensorType,
    /// Its dimensions, fastest first; 1 to 4 of them.
    pub shape: Vec<u64>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Where its data begins in the file, in bytes.
    pub start: u64,
}

/// What the walk found.
#[derive(Debug)]
pub struct Scan {
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// The keys, each with the number of its value's type.
    pub keys: Vec<(String, u32)>,
    /// Merges of a BPE tokenizer.
    pub merges: u64,
    /// All tensors in file order.
    pub tensors: Vec<Tensor>,
}

/// Why a file is not a whole GGUF file.
enum Fault {
    /// It ends too early.
    Short,
    /// It cannot be read.
    Io(std::io::Error),
    /// Something in it is wrong.
    Wrong(String),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        if error.kind() == ErrorKind::UnexpectedEof { Fault::Short } else { Fault::Io(error) }
    }
}

fn wrong<T>(cause: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Wrong(cause.into()))
}

/// Walks the header of `from`.
///
/// # Errors
/// `no_model` where the file cannot be opened, `bad_model` with the reason where it is not whole.
pub fn scan(from: &Weights) -> Result<Scan, Error> {
    let cannot_open = |error: std::io::Error| {
        let remedy = match from.role {
            Role::Model => {
                "Put a .gguf file there or name another with --model FILE; models/README.md says \
                 how to get one."
            }
            Role::Adapter => "Name another with --adapter FILE, or leave it out.",
            Role::Importance => "Make one with `solverbox imatrix`, or leave --imatrix out.",
        };
        Error::new(Kind::NoModel, format!("cannot open {from}: {}", io_cause(&error)), remedy)
    };
    let file = File::open(&from.path).map_err(cannot_open)?;
    let metadata = file.metadata().map_err(cannot_open)?;
    if !metadata.is_file() {
        return Err(bad_model(from, "it is not a file"));
    }
    let file_bytes = metadata.len();
    let reader = BufReader::with_capacity(1 << 16, file);
    let mut walk = Walk { reader, at: 0, file_bytes, keys: Vec::new(), merges: 0 };
    let walked = walk.header();
    let Walk { keys, merges, .. } = walk;
    walked.map(|tensors| Scan { file_bytes, keys, merges, tensors }).map_err(|fault| match fault {
        Fault::Short if file_bytes == 0 => bad_model(from, "it is empty"),
        Fault::Short => bad_model(
            from,
            format!("it is truncated: its {file_bytes} bytes end inside the header"),
        ),
        Fault::Io(error) => bad_model(from, io_cause(&error)),
        Fault::Wrong(cause) => bad_model(from, cause),
    })
}

struct Walk {
    reader: BufReader<File>,
    at: u64,
    file_bytes: u64,
    keys: Vec<(String, u32)>,
    merges: u64,
}

impl Walk {
    fn header(&mut self) -> Result<Vec<Tensor>, Fault> {
        if &self.bytes::<4>()? != b"GGUF" {
            return wrong("it is not a GGUF file");
        }
        match self.u32()? {
            2 | 3 => {}
            version if version.swap_bytes() <= 3 => return wrong("it is a big-endian GGUF file"),
            version => {
                return wrong(format!("GGUF version {version} is unknown, 2 and 3 are known"));
            }
        }
        let tensors = self.count("tensors", limits::GGUF_TENSORS_MAX)?;
        let keys = self.count("keys", limits::GGUF_KEYS_MAX)?;
        if tensors == 0 {
            return wrong("it holds no tensors");
        }
        let mut alignment = 32;
        for _ in 0..keys {
            let key = self.string()?;
            let kind = self.u32()?;
            if key == "general.alignment" && kind == 4 {
                alignment = u64::from(self.u32()?);
            } else {
                self.skip_value(&key, kind)?;
            }
            self.keys.push((key, kind));
        }
        if !alignment.is_power_of_two() || alignment > 1 << 16 {
            return wrong(format!("general.alignment: {alignment} is not a sensible power of two"));
        }
        let mut list = Vec::new();
        for _ in 0..tensors {
            list.push(self.tensor(alignment)?);
        }
        let data = self.at.next_multiple_of(alignment);
        for tensor in &mut list {
            let start = data.checked_add(tensor.start);
            let end = start.and_then(|start| start.checked_add(tensor.bytes));
            tensor.start = start.unwrap_or(u64::MAX);
            if end.is_none_or(|end| end > self.file_bytes) {
                return wrong(format!(
                    "it is truncated: tensor '{}' ends at byte {}, the file at {}",
                    tensor.name,
                    end.map_or("2^64".into(), |end| end.to_string()),
                    self.file_bytes
                ));
            }
        }
        Ok(list)
    }

    /// Reads a tensor; its `start` is still counted from the first tensor's.
    fn tensor(&mut self, alignment: u64) -> Result<Tensor, Fault> {
        let name = self.string()?;
        let dimensions = self.u32()?;
        if !(1..=4).contains(&dimensions) {
            return wrong(format!(
                "tensor '{name}' has {dimensions} dimensions, 1 to 4 are possible"
            ));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.push(self.u64()?);
        }
        let id = self.u32()?;
        let offset = self.u64()?;
        let Some(kind) = types::by_id(id) else {
            return wrong(format!(
                "tensor '{name}' is of type {id}, which no kernel here supports"
            ));
        };
        let Some(bytes) = kind.bytes(&shape).filter(|&bytes| bytes > 0) else {
            return wrong(format!(
                "tensor '{name}' of shape {shape:?} is impossible for {}",
                kind.name
            ));
        };
        if offset % alignment != 0 {
            return wrong(format!("tensor '{name}' lies at offset {offset}, off the alignment"));
        }
        Ok(Tensor { name, kind, shape, bytes, start: offset })
    }

    fn skip_value(&mut self, key: &str, kind: u32) -> Result<(), Fault> {
        match kind {
            8 => self.string().map(drop),
            9 => {
                let item = self.u32()?;
                let items = self.count(key, limits::GGUF_ARRAY_ITEMS_MAX)?;
                if key == "tokenizer.ggml.merges" {
                    self.merges = items;
                }
                match fixed_bytes(item) {
                    Some(bytes) => self.skip(items * bytes),
                    None if item == 8 => (0..items).try_for_each(|_| {
                        let bytes = self.count("a string", limits::GGUF_STRING_BYTES_MAX)?;
                        self.skip(bytes)
                    }),
                    None => wrong(format!("key '{key}': arrays of type {item} are unknown")),
                }
            }
            kind => match fixed_bytes(kind) {
                Some(bytes) => self.skip(bytes),
                None => wrong(format!("key '{key}': value type {kind} is unknown")),
            },
        }
    }

    fn count(&mut self, what: &str, max: u64) -> Result<u64, Fault> {
        let count = self.u64()?;
        if count > max {
            return wrong(format!("{what}: a length of {count} is not believable, at most {max}"));
        }
        Ok(count)
    }

    /// Reads a key or a name; these are UTF-8 in every sound file.
    fn string(&mut self) -> Result<String, Fault> {
        let bytes = self.count("a string", limits::GGUF_STRING_BYTES_MAX)?;
        self.step(bytes)?;
        let mut text = vec![0; bytes as usize];
        self.reader.read_exact(&mut text)?;
        String::from_utf8(text).or_else(|_| wrong("a name in the header is not UTF-8"))
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.step(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Fault> {
        self.step(bytes)?;
        self.reader.seek_relative(bytes as i64)?;
        Ok(())
    }

    /// Moves the position, staying inside the file and inside a header of believable size.
    fn step(&mut self, bytes: u64) -> Result<(), Fault> {
        self.at += bytes;
        if self.at > self.file_bytes {
            return Err(Fault::Short);
        }
        if self.at > limits::GGUF_HEADER_BYTES_MAX {
            return wrong(format!("its header exceeds {} bytes", limits::GGUF_HEADER_BYTES_MAX));
        }
        Ok(())
    }
}

/// Returns the size of a scalar value type, `None` for strings, arrays and unknown types.
fn fixed_bytes(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
