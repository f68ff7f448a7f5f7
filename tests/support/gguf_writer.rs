//! A writer of small GGUF files, valid or not.

use solverbox::model::types;

/// A GGUF file under construction.
#[derive(Clone)]
pub struct GgufWriter {
    keys: Vec<(String, Vec<u8>)>,
    tensors: Vec<Vec<u8>>,
    end: u64,
    pub data_bytes: usize,
}

impl GgufWriter {
    /// A structurally valid file of an unknown architecture.
    pub fn unknown_architecture() -> GgufWriter {
        GgufWriter::of("quipu")
    }

    /// An empty file with room for 12 KiB of tensors.
    pub fn empty() -> GgufWriter {
        GgufWriter { keys: Vec::new(), tensors: Vec::new(), end: 0, data_bytes: 12 << 10 }
    }

    /// A structurally valid file that claims to be of `architecture`.
    pub fn of(architecture: &str) -> GgufWriter {
        let mut gguf = GgufWriter::empty();
        gguf.text("general.architecture", architecture);
        for (key, value) in [
            ("context_length", 4096),
            ("block_count", 1),
            ("embedding_length", 32),
            ("attention.head_count", 2),
        ] {
            gguf.number(&format!("{architecture}.{key}"), value);
        }
        gguf.text("tokenizer.ggml.model", "gpt2");
        let mut tokens: Vec<String> = ('!'..='~').map(String::from).collect();
        tokens.extend(["Ġ", "Ċ", "ab"].map(str::to_string));
        gguf.texts("tokenizer.ggml.merges", &["a b".to_string()]);
        gguf.texts("tokenizer.ggml.tokens", &tokens);
        gguf.append("token_embd.weight", &[32, tokens.len() as u64], 1);
        gguf
    }

    /// Adds or replaces a list of texts.
    pub fn texts(&mut self, key: &str, texts: &[String]) {
        let mut value = 8_u32.to_le_bytes().to_vec();
        value.extend((texts.len() as u64).to_le_bytes());
        value.extend(texts.iter().flat_map(|text| string(text)));
        self.key(key, 9, value);
    }

    /// Adds a tensor after the last appended one.
    pub fn append(&mut self, name: &str, shape: &[u64], kind: u32) {
        let offset = self.end;
        self.tensor(name, shape, kind, offset);
        let bytes = types::by_id(kind).and_then(|kind| kind.bytes(shape)).unwrap_or(0);
        self.end = (offset + bytes).next_multiple_of(32);
    }

    pub fn text(&mut self, key: &str, value: &str) {
        self.key(key, 8, [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat());
    }

    pub fn number(&mut self, key: &str, value: u32) {
        self.key(key, 4, value.to_le_bytes().to_vec());
    }

    /// Adds or replaces a key with any type and any bytes.
    pub fn key(&mut self, key: &str, kind: u32, value: Vec<u8>) {
        self.keys.retain(|(name, _)| name != key);
        self.keys.push((key.to_string(), [&kind.to_le_bytes()[..], &value].concat()));
    }

    pub fn without(&self, key: &str) -> GgufWriter {
        let mut gguf = self.clone();
        gguf.keys.retain(|(name, _)| name != key);
        gguf
    }

    pub fn tensor(&mut self, name: &str, shape: &[u64], kind: u32, offset: u64) {
        let mut bytes = string(name);
        bytes.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        self.tensors.push(bytes);
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            bytes.extend(string(key));
            bytes.extend(value);
        }
        bytes.extend(self.tensors.concat());
        bytes.resize(bytes.len().next_multiple_of(32) + self.data_bytes, 0);
        bytes
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}
