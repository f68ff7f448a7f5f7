//! Reads `tokenizer.json`: tokens, their types, merges and pre-tokenizer, for llama.cpp.
//!
//! llama.cpp asserts that no two tokens have the same text, reads texts up to the first NUL, and
//! splits a merge at its first space; anything that would violate this is rejected here. This file
//! reads byte-level BPE; `sentencepiece` reads character-level BPE with byte fallback (Llama 2).

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::fault::{CheckpointFault, damaged, shown, unsupported};
use super::{sentencepiece, special, split};
use crate::types::limits;

/// Token types in a GGUF file (`tokenizer.ggml.token_type`).
pub(super) const NORMAL: i32 = 1;
pub(super) const UNKNOWN: i32 = 2;
pub(super) const CONTROL: i32 = 3;
pub(super) const USER_DEFINED: i32 = 4;
pub(super) const UNUSED: i32 = 5;
pub(super) const BYTE: i32 = 6;

/// A vocabulary in the form a GGUF file stores it.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    /// The key `tokenizer.ggml.model`, which names the tokenizer family.
    pub model: &'static str,
    /// The key `tokenizer.ggml.pre`, which names the pre-tokenizer.
    pub pre: &'static str,
    /// The text of each token, one per row of the embedding.
    pub tokens: Vec<String>,
    /// The type of each token, as in `tokenizer.ggml.token_type`.
    pub kinds: Vec<i32>,
    /// Scores that determine the order of merges, for vocabularies without a list of merges.
    pub scores: Option<Vec<f32>>,
    /// Pairs to merge, in order of precedence, separated by a space.
    pub merges: Vec<String>,
    /// Whether text gets a leading space, if that differs from the model's default.
    pub space_prefix: Option<bool>,
    /// The post-processor of `tokenizer.json`, which adds tokens around a text.
    pub post_processor: Value,
    /// The ID of each token, by its text.
    pub numbers: HashMap<String, u32>,
}

#[derive(Deserialize)]
pub(super) struct TokenizerFile {
    #[serde(default)]
    pub added_tokens: Vec<Added>,
    #[serde(default)]
    pub normalizer: Value,
    #[serde(default)]
    pub pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    pub model: BpeModel,
}

#[derive(Deserialize)]
pub(super) struct Added {
    id: u64,
    pub content: String,
    #[serde(default)]
    special: bool,
    #[serde(default)]
    pub normalized: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    single_word: bool,
}

#[derive(Deserialize)]
pub(super) struct BpeModel {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: Vocab,
    #[serde(default)]
    pub merges: Vec<Merge>,
    dropout: Option<f64>,
    pub unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    pub ignore_merges: bool,
}

/// Parses `tokenizer.json` for an embedding of `rows` rows.
///
/// # Errors
/// The first invalid or unsupported setting, by its key or token.
pub fn read(text: &str, rows: u64) -> Result<Vocabulary, CheckpointFault> {
    let file: TokenizerFile = serde_json::from_str(text)
        .map_err(|error| damaged(format!("it is not a valid tokenizer.json: {error}")))?;
    let rows = usize::try_from(rows).ok().filter(|&rows| rows as u64 <= MAX);
    let rows = rows.ok_or_else(|| damaged("it has too many tokens"))?;
    check_model(&file.model)?;
    let (tokens, kinds) = list(&file, rows)?;
    let mut numbers = HashMap::with_capacity(rows);
    for (number, token) in tokens.iter().enumerate() {
        if let Some(other) = numbers.insert(token.clone(), number as u32) {
            let cause = format!("token {} occurs twice, as {other} and {number}", shown(token));
            return Err(damaged(cause));
        }
    }
    let (model, pre) = ("gpt2", "");
    let vocabulary = Vocabulary {
        model,
        pre,
        tokens,
        kinds,
        scores: None,
        merges: Vec::new(),
        space_prefix: None,
        post_processor: file.post_processor.clone(),
        numbers,
    };
    if file.model.byte_fallback {
        return sentencepiece::complete(vocabulary, &file);
    }
    let pre = split::name(&file.pre_tokenizer, file.model.ignore_merges)?;
    check_normalizer(&file.normalizer)?;
    let merges = merges(&file.model, &vocabulary.numbers)?;
    let merges = merges.iter().map(|(left, right)| format!("{left} {right}")).collect();
    Ok(Vocabulary { pre, merges, ..vocabulary })
}

const MAX: u64 = limits::GGUF_ARRAY_ITEMS_MAX;

fn check_model(model: &BpeModel) -> Result<(), CheckpointFault> {
    let kind = model.kind.as_deref().unwrap_or("BPE");
    if kind != "BPE" || matches!(model.vocab, Vocab::Other) {
        return Err(unsupported(format!("key 'model': its type is {}, not BPE", shown(kind))));
    }
    let texts = [
        ("continuing_subword_prefix", &model.continuing_subword_prefix),
        ("end_of_word_suffix", &model.end_of_word_suffix),
    ];
    if let Some((key, _)) = texts.iter().find(|(_, t)| t.as_deref().is_some_and(|t| !t.is_empty()))
    {
        return Err(unsupported(format!("key '{key}': marked parts of words are not supported")));
    }
    if model.dropout.is_some_and(|dropout| dropout != 0.0) {
        return Err(unsupported("key 'dropout': random merge dropout is not supported"));
    }
    Ok(())
}

/// llama.cpp does not normalize text; NFC does not change text as it is usually typed.
fn check_normalizer(normalizer: &Value) -> Result<(), CheckpointFault> {
    let empty = |key: &str| normalizer[key].as_array().is_some_and(|list| list.is_empty());
    let kind = normalizer["type"].as_str();
    if normalizer.is_null() || kind == Some("NFC") {
        return Ok(());
    }
    if kind == Some("Sequence") && empty("normalizers") {
        return Ok(());
    }
    let what = shown(&normalizer.to_string());
    Err(unsupported(format!("key 'normalizer': {what} is not supported")))
}

/// Assigns every token to its row; rows without a token become unused tokens.
fn list(file: &TokenizerFile, rows: usize) -> Result<(Vec<String>, Vec<i32>), CheckpointFault> {
    let mut places: Vec<Option<(&str, i32)>> = vec![None; rows];
    let Vocab::Words(words) = &file.model.vocab else {
        return Err(damaged("it has no vocabulary"));
    };
    for (text, id) in words {
        let place = place(&mut places, text, *id)?;
        if let Some((other, _)) = place.replace((text, NORMAL)) {
            let cause = format!("token {id} is both {} and {}", shown(other), shown(text));
            return Err(damaged(cause));
        }
    }
    for added in &file.added_tokens {
        let text = added.content.as_str();
        if added.special && added.id >= rows as u64 {
            // A padding token that training added without enlarging the embedding.
            log::warn!("token {} has no row in the embedding, so it is left out", shown(text));
            continue;
        }
        let place = place(&mut places, text, added.id)?;
        if let Some((other, _)) = place.filter(|(other, _)| *other != text) {
            let (id, other) = (added.id, shown(other));
            return Err(damaged(format!("token {id} is both {other} and {}", shown(text))));
        }
        let is_control = added.special || looks_special(text);
        if added.lstrip || added.rstrip || added.single_word {
            // Many published tokens that only templates produce do so (Phi's `</s>`, `<mask>`).
            if !is_control && !special::is_end(text) {
                let cause =
                    format!("token {} strips adjacent spaces, which is not supported", shown(text));
                return Err(unsupported(format!("key 'added_tokens': {cause}")));
            }
            log::warn!("token {} strips adjacent spaces, which is ignored", shown(text));
        }
        *place = Some((text, if is_control { CONTROL } else { USER_DEFINED }));
    }
    let unused = |id: usize| (format!("[PAD{id}]"), UNUSED);
    let token = |(id, place): (usize, Option<(&str, i32)>)| {
        place.map_or_else(|| unused(id), |(text, kind)| (text.to_string(), kind))
    };
    Ok(places.into_iter().enumerate().map(token).unzip())
}

fn place<'a, 'b>(
    places: &'a mut [Option<(&'b str, i32)>],
    text: &str,
    id: u64,
) -> Result<&'a mut Option<(&'b str, i32)>, CheckpointFault> {
    let max = limits::TOKEN_BYTES_MAX;
    if text.is_empty() || text.len() > max || text.contains('\0') {
        let cause =
            format!("token {id}, {}, is empty, contains NUL or exceeds {max} bytes", shown(text));
        return Err(damaged(cause));
    }
    let rows = places.len();
    let place = usize::try_from(id).ok().and_then(|id| places.get_mut(id));
    place.ok_or_else(|| {
        let cause = format!("token {} has ID {id}, but the embedding has {rows} rows", shown(text));
        damaged(cause)
    })
}

/// Returns whether a token must be a control token even if its file does not mark it, judging by
/// its text, as with Qwen and others. User text must not be able to produce such tokens.
fn looks_special(text: &str) -> bool {
    let between = |start: &str, end: &str| {
        text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
    };
    matches!(text, "<pad>" | "<mask>" | "<2mass>" | "[@BOS@]")
        || between("<|", "|>")
        || between("<｜", "｜>")
        || between("<unused", ">")
}

/// Returns the merges in order, after checking that both parts and the result of each are tokens.
/// Of duplicate pairs the last counts, as in Hugging Face's own reader.
pub(super) fn merges<'a>(
    model: &'a BpeModel,
    numbers: &HashMap<String, u32>,
) -> Result<Vec<(&'a str, &'a str)>, CheckpointFault> {
    let mut list = Vec::with_capacity(model.merges.len());
    for (at, merge) in model.merges.iter().enumerate() {
        let bad = |cause: &str| damaged(format!("merge {at}, {}, {cause}", shown(&merge.text())));
        let (left, right) = match merge {
            Merge::Joined(text) => text.split_once(' ').ok_or_else(|| bad("is not a pair"))?,
            Merge::Pair(left, right) => (left.as_str(), right.as_str()),
        };
        if [left, right].iter().any(|part| part.is_empty() || part.contains(' ')) {
            return Err(bad("is not a pair"));
        }
        if let Some(part) = [left, right].iter().find(|part| !numbers.contains_key(**part)) {
            return Err(bad(&format!("joins {}, which is not a token", shown(part))));
        }
        if !numbers.contains_key(&[left, right].concat()) {
            return Err(bad("does not produce a token"));
        }
        list.push((left, right));
    }
    let mut seen = HashSet::with_capacity(list.len());
    list.reverse();
    list.retain(|pair| seen.insert(*pair));
    list.reverse();
    Ok(list)
}

/// A merge in either form: `"a b"` or `["a", "b"]`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Pair(String, String),
    Joined(String),
}

impl Merge {
    fn text(&self) -> String {
        match self {
            Merge::Pair(left, right) => format!("{left} {right}"),
            Merge::Joined(text) => text.clone(),
        }
    }
}

/// The entries of a vocabulary, including duplicate texts.
enum Vocab {
    Words(Vec<(String, u64)>),
    /// The vocabulary of another tokenizer type: a list with scores.
    Other,
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Vocab, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Vocab;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tokens and their IDs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
                let mut words = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    words.push(entry);
                }
                Ok(Vocab::Words(words))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocab, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Vocab::Other)
            }
        }
        from.deserialize_any(Words)
    }
}
