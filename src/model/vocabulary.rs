//! Checks the vocabulary of a header: that it is complete, and that llama.cpp neither throws nor
//! asserts on it.
//!
//! llama.cpp loads it inside a `try`, but tokenises outside of one: a byte without a token throws
//! an exception there, which ends the process. Two tokens with the same text fail an assertion; a
//! token of thousands of unusual characters grows to the square of its size. Source:
//! src/llama-vocab.cpp of llama.cpp 0.1.161.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::keys::{F32, I32, Metadata, MetadataArray, TEXT};
use crate::types::error::io_cause;
use crate::types::limits;

/// Names of special tokens in the keys `tokenizer.ggml.NAME_token_id`.
const SPECIAL: &[&str] = &[
    "bos",
    "eos",
    "eot",
    "eom",
    "unknown",
    "seperator",
    "padding",
    "cls",
    "mask",
    "fim_pre",
    "fim_suf",
    "fim_mid",
    "fim_pad",
    "fim_rep",
    "fim_sep",
    "prefix",
    "suffix",
    "middle",
];
const SWITCHES: &[&str] = &[
    "add_bos_token",
    "add_eos_token",
    "add_sep_token",
    "add_space_prefix",
    "remove_extra_whitespaces",
    "normalizer.lowercase",
    "normalizer.strip_accents",
];
/// llama.cpp's numbers for token types.
const NORMAL: i32 = 1;
const BYTE: i32 = 6;
/// The largest token type number.
const KIND_MAX: i32 = 6;

/// How the tokens of a vocabulary encode text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// In GPT-2's 256 characters for bytes; built by merges.
    Bytes,
    /// As plain text with `▁` for spaces; built by merges.
    Escaped,
    /// As plain text; bytes without their own token as `<0x0A>`.
    Text,
}

/// Checks the vocabulary, which must have `rows` tokens.
///
/// # Errors
/// A message that names the key or the token.
pub fn check(keys: &Metadata, path: &Path, rows: u64) -> Result<(), String> {
    let writing = family(keys)?;
    let Some(tokens) = keys.array("tokenizer.ggml.tokens", &[TEXT])? else {
        return Err("it has no vocabulary (key 'tokenizer.ggml.tokens')".into());
    };
    if tokens.items != rows {
        let items = tokens.items;
        return Err(format!("its vocabulary has {items} tokens, but its embedding {rows} rows"));
    }
    special(keys)?;
    let mut file = File::open(path).map_err(|error| io_cause(&error))?;
    let kinds = numbers(keys, "token_type", &[I32], tokens.items, &mut file)?;
    let kinds: Vec<i32> = kinds.into_iter().map(i32::from_le_bytes).collect();
    if let Some(at) = kinds.iter().position(|kind| !(0..=KIND_MAX).contains(kind)) {
        return Err(format!("token {at} has type {}, which does not exist", kinds[at]));
    }
    let is_float = keys.array("tokenizer.ggml.scores", &[F32, I32])?.is_some_and(|s| s.item == F32);
    let scores = numbers(keys, "scores", &[F32, I32], tokens.items, &mut file)?;
    if let Some(at) = scores.iter().position(|&s| is_float && f32::from_le_bytes(s).is_nan()) {
        return Err(format!("token {at} has a score that is not a number"));
    }
    let texts = TokenTexts::read(tokens, &mut file)?;
    unique(&texts)?;
    for (at, text) in texts.iter().enumerate() {
        let kind = kinds.get(at).copied().unwrap_or(NORMAL);
        if kind == BYTE && byte_of(text).is_none() {
            return Err(format!("token {at} stands for a byte, but is '{}'", text.escape_ascii()));
        }
    }
    match writing {
        Writing::Bytes => {
            grown(&texts, &kinds)?;
            alphabet(&texts)?;
            merges(keys, &mut file)
        }
        Writing::Escaped => merges(keys, &mut file),
        Writing::Text => every_byte(&texts),
    }
}

/// Returns the encoding of the vocabulary, for the families that are safe to tokenise with.
fn family(keys: &Metadata) -> Result<Writing, String> {
    let pre = keys.text("tokenizer.ggml.pre")?.unwrap_or_default();
    let model = keys.text("tokenizer.ggml.model")?.unwrap_or("none");
    keys.text("tokenizer.chat_template")?;
    keys.u32("tokenizer.ggml.token_type_count")?;
    keys.array("tokenizer.ggml.suppress_tokens", &[I32])?;
    match (model, pre) {
        ("none" | "no_vocab", _) => Err("it has no tokenizer (key 'tokenizer.ggml.model')".into()),
        // It splits a text into words and spaces, and asserts that there are no spaces.
        ("gpt2", "whitespace") => {
            Err("key 'tokenizer.ggml.pre': 'whitespace' is not supported".into())
        }
        ("gemma4", _) => Ok(Writing::Escaped),
        ("gpt2", "gemma4" | "granite-embed-multi-311m" | "mmbert" | "sarvam-moe") => {
            Ok(Writing::Escaped)
        }
        ("gpt2", _) => Ok(Writing::Bytes),
        ("llama", _) => Ok(Writing::Text),
        // The others belong to encoders, recurrent models and hybrids; llama.cpp throws an
        // exception on some of their texts.
        _ => Err(format!("tokenizer '{}' is not supported", model.escape_debug())),
    }
}

/// Checks the types of the keys for special tokens and for flags.
fn special(keys: &Metadata) -> Result<(), String> {
    for name in SPECIAL {
        let key = format!("tokenizer.ggml.{name}_token_id");
        // A token that does not exist is accepted: llama.cpp logs it and continues without it.
        // Published files use 4,294,967,295 for none.
        keys.u32(&key)?;
    }
    for name in SWITCHES {
        keys.bool(&format!("tokenizer.ggml.{name}"))?;
    }
    Ok(())
}

/// Reads one 32-bit number per token; returns none if the key is missing.
fn numbers(
    keys: &Metadata,
    name: &str,
    items: &[u32],
    tokens: u64,
    file: &mut File,
) -> Result<Vec<[u8; 4]>, String> {
    let Some(array) = keys.array(&format!("tokenizer.ggml.{name}"), items)? else {
        return Ok(Vec::new());
    };
    if array.items != tokens {
        let items = array.items;
        return Err(format!("key 'tokenizer.ggml.{name}' has {items} items for {tokens} tokens"));
    }
    let mut bytes = vec![0; tokens as usize * 4];
    let read = file.seek(SeekFrom::Start(array.at)).and_then(|_| file.read_exact(&mut bytes));
    read.map_err(|error| io_cause(&error))?;
    Ok(bytes.as_chunks::<4>().0.to_vec())
}

/// A list of strings in one buffer.
struct TokenTexts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl TokenTexts {
    /// Reads a list whose lengths the scan has checked.
    fn read(list: &MetadataArray, file: &mut File) -> Result<TokenTexts, String> {
        file.seek(SeekFrom::Start(list.at)).map_err(|error| io_cause(&error))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(list.items as usize));
        for at in 0..list.items {
            let mut length = [0; 8];
            reader.read_exact(&mut length).map_err(|error| io_cause(&error))?;
            let length = u64::from_le_bytes(length);
            let end = bytes.len() + length.min(limits::TOKEN_BYTES_MAX as u64 + 1) as usize;
            if length > limits::TOKEN_BYTES_MAX as u64 {
                let max = limits::TOKEN_BYTES_MAX;
                return Err(format!(
                    "token {at} of its vocabulary has {length} bytes, at most {max} are allowed"
                ));
            }
            let start = bytes.len();
            bytes.resize(end, 0);
            reader.read_exact(&mut bytes[start..]).map_err(|error| io_cause(&error))?;
            ends.push(end);
        }
        Ok(TokenTexts { bytes, ends })
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end])
    }
}

/// Tokens must be unique up to their first zero byte: llama.cpp asserts that, and reads texts as C
/// strings.
fn unique(texts: &TokenTexts) -> Result<(), String> {
    let mut seen = HashSet::with_capacity(texts.ends.len());
    let named = texts.iter().map(|text| text.split(|&byte| byte == 0).next().unwrap_or(text));
    for (at, text) in named.enumerate().filter(|(_, text)| !text.is_empty()) {
        // llama.cpp's replacement for tokens with empty text.
        let taken = text.strip_prefix(b"[EMPTY_").is_some_and(|rest| rest.ends_with(b"]"));
        if taken || !seen.insert(text) {
            return Err(format!("token {at} '{}' occurs twice", text.escape_ascii()));
        }
    }
    Ok(())
}

/// llama.cpp replaces a character outside the byte alphabet with a note that contains the whole
/// token.
fn grown(texts: &TokenTexts, kinds: &[i32]) -> Result<(), String> {
    let mut total = 0_usize;
    for (at, text) in texts.iter().enumerate() {
        if kinds.get(at).is_none_or(|&kind| kind == NORMAL) {
            let odd = odd_characters(text);
            total = total.saturating_add(odd.saturating_mul(text.len() + 24));
        }
    }
    match total > limits::VOCABULARY_BYTES_MAX {
        true => Err("its tokens do not use the byte alphabet of its tokenizer".into()),
        false => Ok(()),
    }
}

/// Counts characters outside GPT-2's byte alphabet: U+0021 to U+007E, U+00A1 to U+0143 without the
/// soft hyphen. Each byte that is not valid UTF-8 counts as well.
fn odd_characters(text: &[u8]) -> usize {
    let sound = |chunk: &str| {
        let plain = |c: char| matches!(c, '!'..='~' | '¡'..='¬' | '®'..='\u{143}');
        chunk.chars().filter(|&c| !plain(c)).count()
    };
    let count = |chunk: std::str::Utf8Chunk| sound(chunk.valid()) + chunk.invalid().len();
    text.utf8_chunks().map(count).sum()
}

/// Text without a token is silently dropped from a question, so every ASCII character must have
/// one.
fn alphabet(texts: &TokenTexts) -> Result<(), String> {
    let mut missing: HashSet<u8> = (b' '..=b'~').chain([b'\n']).collect();
    for text in texts.iter() {
        match text {
            [byte] => missing.remove(byte),
            // The characters that represent a space and a new line.
            [0xC4, 0xA0] => missing.remove(&b' '),
            [0xC4, 0x8A] => missing.remove(&b'\n'),
            _ => continue,
        };
    }
    match missing.into_iter().min() {
        Some(byte) => Err(format!("its vocabulary has no token for {:?}", char::from(byte))),
        None => Ok(()),
    }
}

/// Checks that each merge consists of two texts separated by a space.
fn merges(keys: &Metadata, file: &mut File) -> Result<(), String> {
    let Some(list) = keys.array("tokenizer.ggml.merges", &[TEXT])? else {
        if keys.text("tokenizer.ggml.pre")? == Some("kimi-k2") {
            return Ok(());
        }
        return Err("it has no merges (key 'tokenizer.ggml.merges')".into());
    };
    let texts = TokenTexts::read(list, file)?;
    let sound = |text: &[u8]| {
        let space = text.iter().skip(1).position(|&byte| byte == b' ');
        space.is_some_and(|at| at + 2 < text.len())
    };
    match texts.iter().position(|text| !sound(text)) {
        Some(at) => Err(format!("merge {at} is not two texts with a space between them")),
        None => Ok(()),
    }
}

/// Checks that every byte that can occur in UTF-8 text has a token.
fn every_byte(texts: &TokenTexts) -> Result<(), String> {
    let mut missing: HashSet<u8> = (0..=0xF4).filter(|&b| !matches!(b, 0xC0 | 0xC1)).collect();
    for text in texts.iter() {
        match *text {
            [byte] => drop(missing.remove(&byte)),
            _ => drop(byte_of(text).map(|byte| missing.remove(&byte))),
        }
    }
    match missing.into_iter().min() {
        Some(byte) => Err(format!("its vocabulary has no token for the byte {byte:#04X}")),
        None => Ok(()),
    }
}

/// Returns the byte for a text such as `<0x0A>`.
fn byte_of(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let upper = digits.len() == 2 && digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'A'..=b'F'));
    u8::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| upper)?, 16).ok()
}
