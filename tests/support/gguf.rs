//! An independent reader of GGUF files, so that the program's output is not judged by its own
//! reader.

use std::collections::BTreeMap;
use std::path::Path;

/// A tensor: the number of its type, its dimensions, fastest first, and its data.
#[derive(Debug, PartialEq, Eq)]
pub struct GgufTensor {
    pub kind: u32,
    pub shape: Vec<u64>,
    pub data: Vec<u8>,
}

/// A file: keys with the bytes of their values, and tensors.
pub struct GgufFile {
    pub keys: BTreeMap<String, Vec<u8>>,
    pub tensors: BTreeMap<String, GgufTensor>,
}

impl GgufFile {
    pub fn text(&self, key: &str) -> &str {
        std::str::from_utf8(&self.keys[key][8..]).unwrap()
    }

    pub fn number(&self, key: &str) -> u32 {
        u32::from_le_bytes(self.keys[key][..4].try_into().unwrap())
    }
}

struct GgufReader<'a>(&'a [u8], usize);

impl<'a> GgufReader<'a> {
    fn take(&mut self, bytes: u64) -> &'a [u8] {
        self.1 += bytes as usize;
        &self.0[self.1 - bytes as usize..self.1]
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let bytes = self.u64();
        String::from_utf8(self.take(bytes).to_vec()).unwrap()
    }

    fn skip_value(&mut self, kind: u32) {
        match kind {
            0 | 1 | 7 => drop(self.take(1)),
            2 | 3 => drop(self.take(2)),
            4..=6 => drop(self.take(4)),
            8 => drop(self.text()),
            9 => {
                let (kind, items) = (self.u32(), self.u64());
                (0..items).for_each(|_| self.skip_value(kind));
            }
            10..=12 => drop(self.take(8)),
            kind => panic!("value type {kind}"),
        }
    }
}

pub fn read(path: &Path) -> GgufFile {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut reader = GgufReader(&bytes, 0);
    assert_eq!(reader.take(8), b"GGUF\x03\0\0\0");
    let (tensors, keys) = (reader.u64(), reader.u64());
    let mut file = GgufFile { keys: BTreeMap::new(), tensors: BTreeMap::new() };
    for _ in 0..keys {
        let (key, kind) = (reader.text(), reader.u32());
        let start = reader.1;
        reader.skip_value(kind);
        let known = file.keys.insert(key, bytes[start..reader.1].to_vec());
        assert_eq!(known, None, "each key occurs once");
    }
    let mut list = Vec::new();
    for _ in 0..tensors {
        let (name, dimensions) = (reader.text(), reader.u32());
        let shape: Vec<u64> = (0..dimensions).map(|_| reader.u64()).collect();
        list.push((name, shape, reader.u32(), reader.u64()));
    }
    let data = reader.1.next_multiple_of(32);
    for (name, shape, kind, offset) in list {
        let known = solverbox::model::types::by_id(kind).unwrap();
        let start = data + offset as usize;
        let data = bytes[start..start + known.bytes(&shape).unwrap() as usize].to_vec();
        let known = file.tensors.insert(name, GgufTensor { kind, shape, data });
        assert_eq!(known, None, "each tensor occurs once");
    }
    file
}
