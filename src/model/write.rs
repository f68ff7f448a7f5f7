//! Encodes the headers of GGUF files, for `convert` and `imatrix`.
//!
//! Layout: ggml's docs/gguf.md, version 3, little-endian, tensors aligned to 32 bytes. The header
//! comes first and is complete, so the tensors' data can be streamed after it.

use super::types::TensorType;

/// The alignment of each tensor's start, in bytes.
pub const ALIGNMENT: u64 = 32;

/// A metadata value to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum GgufValue {
    /// An unsigned 32-bit integer (GGUF type 4).
    U32(u32),
    /// A signed 32-bit integer (GGUF type 5).
    I32(i32),
    /// A 32-bit float (GGUF type 6).
    F32(f32),
    /// A boolean, stored in one byte (GGUF type 7).
    Bool(bool),
    /// A UTF-8 string (GGUF type 8).
    Text(String),
    /// An array of signed 32-bit integers.
    I32s(Vec<i32>),
    /// An array of 32-bit floats.
    F32s(Vec<f32>),
    /// An array of UTF-8 strings.
    Texts(Vec<String>),
}

/// The header's entry for a tensor whose data will follow.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorEntry {
    /// The tensor's name in the file, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// The type its data is stored in.
    pub kind: TensorType,
    /// The dimensions, fastest first; at most four.
    pub shape: Vec<u64>,
}

impl TensorEntry {
    /// Returns the size of the data in bytes; 0 if the shape is not valid for the type.
    pub fn bytes(&self) -> u64 {
        self.kind.bytes(&self.shape).unwrap_or(0)
    }
}

/// Encodes the header of a file with these keys and tensors, padded to the start of the first
/// tensor. Each tensor's data must follow in order, each padded by [`padding`].
pub fn header(keys: &[(String, GgufValue)], tensors: &[TensorEntry]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((keys.len() as u64).to_le_bytes());
    for (key, value) in keys {
        text(&mut out, key);
        put(&mut out, value);
    }
    let mut offset = 0_u64;
    for tensor in tensors {
        text(&mut out, &tensor.name);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().for_each(|n| out.extend(n.to_le_bytes()));
        out.extend(tensor.kind.id.to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset = (offset + tensor.bytes()).next_multiple_of(ALIGNMENT);
    }
    let padded = out.len().next_multiple_of(ALIGNMENT as usize);
    out.resize(padded, 0);
    out
}

/// Returns the zeros to write after data of this many bytes.
pub fn padding(bytes: u64) -> &'static [u8] {
    const ZEROS: [u8; ALIGNMENT as usize] = [0; ALIGNMENT as usize];
    &ZEROS[..(bytes.next_multiple_of(ALIGNMENT) - bytes) as usize]
}

/// Returns the total size of all tensors' data in bytes, including padding.
pub fn data_bytes(tensors: &[TensorEntry]) -> u64 {
    tensors.iter().map(|tensor| tensor.bytes().next_multiple_of(ALIGNMENT)).sum()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put(out: &mut Vec<u8>, value: &GgufValue) {
    let array = |out: &mut Vec<u8>, kind: u32, items: usize| {
        out.extend(9_u32.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((items as u64).to_le_bytes());
    };
    match value {
        GgufValue::U32(n) => {
            out.extend(4_u32.to_le_bytes());
            out.extend(n.to_le_bytes());
        }
        GgufValue::I32(n) => {
            out.extend(5_u32.to_le_bytes());
            out.extend(n.to_le_bytes());
        }
        GgufValue::F32(x) => {
            out.extend(6_u32.to_le_bytes());
            out.extend(x.to_le_bytes());
        }
        GgufValue::Bool(yes) => {
            out.extend(7_u32.to_le_bytes());
            out.push(u8::from(*yes));
        }
        GgufValue::Text(t) => {
            out.extend(8_u32.to_le_bytes());
            text(out, t);
        }
        GgufValue::I32s(list) => {
            array(out, 5, list.len());
            list.iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
        GgufValue::F32s(list) => {
            array(out, 6, list.len());
            list.iter().for_each(|x| out.extend(x.to_le_bytes()));
        }
        GgufValue::Texts(list) => {
            array(out, 8, list.len());
            list.iter().for_each(|t| text(out, t));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::types::by_id;
    use crate::model::{header as facts, scan};
    use crate::types::plan::Weights;

    #[test]
    fn what_is_written_is_what_the_scan_and_gguf_rs_read() {
        let key = |key: &str, value| (key.to_string(), value);
        let keys = [
            key("general.architecture", GgufValue::Text("qwen2".into())),
            key("a.u32", GgufValue::U32(7)),
            key("a.i32", GgufValue::I32(-7)),
            key("a.f32", GgufValue::F32(0.5)),
            key("a.bool", GgufValue::Bool(true)),
            key("a.i32s", GgufValue::I32s(vec![1, -2])),
            key("a.f32s", GgufValue::F32s(vec![1.5])),
            key("a.texts", GgufValue::Texts(vec!["x".into(), "Ġ".into()])),
        ];
        let entry = |name: &str, kind, shape: &[u64]| TensorEntry {
            name: name.into(),
            kind: by_id(kind).unwrap(),
            shape: shape.to_vec(),
        };
        let tensors = [entry("one", 0, &[3]), entry("two", 8, &[32, 2])];
        let mut bytes = header(&keys, &tensors);
        for (tensor, byte) in tensors.iter().zip([1, 2]) {
            bytes.extend(std::iter::repeat_n(byte, tensor.bytes() as usize));
            bytes.extend(padding(tensor.bytes()));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let scan = scan::scan(&Weights::model(file.path())).unwrap();
        let found: Vec<_> = scan.tensors.iter().map(|t| (t.name.as_str(), t.bytes)).collect();
        assert_eq!(found, [("one", 12), ("two", 68)]);
        let values = facts::values(file.path()).unwrap();
        assert_eq!(values["a.i32"], -7);
        assert_eq!(values["a.f32"], 0.5);
        assert_eq!(values["a.bool"], true);
        assert_eq!(values["a.texts"][1], "Ġ");
        let data = bytes.len() as u64 - data_bytes(&tensors);
        assert_eq!((data % ALIGNMENT, bytes[data as usize], bytes[data as usize + 32]), (0, 1, 2));
    }
}
