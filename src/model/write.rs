//! Writes GGUF files: what `convert` and `imatrix` make.
//!
//! Layout: ggml's docs/gguf.md, version 3, little-endian, tensors aligned to 32 bytes. The header
//! is known before the first tensor, so the data can be streamed after it.

use super::types::TensorType;

/// Bytes the start of each tensor is aligned to.
pub const ALIGNMENT: u64 = 32;

/// The value of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum GgufValue {
    /// A whole number.
    U32(u32),
    /// A whole number, with sign.
    I32(i32),
    /// A 32-bit float.
    F32(f32),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list of whole numbers.
    I32s(Vec<i32>),
    /// A list of 32-bit floats.
    F32s(Vec<f32>),
    /// A list of texts.
    Texts(Vec<String>),
}

/// A tensor that will follow the header.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorEntry {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: TensorType,
    /// Its dimensions, fastest first.
    pub shape: Vec<u64>,
}

impl TensorEntry {
    /// Returns its size in bytes; 0 where the shape is impossible for the type.
    pub fn bytes(&self) -> u64 {
        self.kind.bytes(&self.shape).unwrap_or(0)
    }
}

/// Returns the header of a file with these keys and tensors, padded to where the first tensor goes.
/// Each tensor's data follows in order, padded by [`padding`].
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

/// Returns the zeros that follow data of so many bytes.
pub fn padding(bytes: u64) -> &'static [u8] {
    const ZEROS: [u8; ALIGNMENT as usize] = [0; ALIGNMENT as usize];
    &ZEROS[..(bytes.next_multiple_of(ALIGNMENT) - bytes) as usize]
}

/// Returns the bytes of all tensors with their padding.
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
