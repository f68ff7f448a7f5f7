//! Converts character-level BPE with byte fallback (Llama 2, TinyLlama), which llama.cpp merges by
//! scores instead of by a list.
//!
//! llama.cpp joins any neighbours whose concatenation is a token, the best score first; Hugging
//! Face joins the pairs of a list, in its order. The two are equivalent if the list has every way
//! to produce each token, with all ways to produce one token consecutive, as in every file made
//! from SentencePiece. This is checked, and the scores are the positions in the list.

use std::collections::HashSet;

use serde_json::Value;

use super::fault::{CheckpointFault, damaged, shown, unsupported};
use super::tokenizer::{
    self, BYTE, CONTROL, NORMAL, TokenizerFile, UNKNOWN, USER_DEFINED, Vocabulary,
};
use crate::types::limits;

/// The character that represents a space in tokens.
const SPACE: &str = "\u{2581}";

/// Completes a vocabulary whose tokens have been read, with types, scores and the space prefix.
pub(super) fn complete(
    mut vocabulary: Vocabulary,
    file: &TokenizerFile,
) -> Result<Vocabulary, CheckpointFault> {
    if file.model.ignore_merges {
        return Err(unsupported("key 'ignore_merges': not supported with byte fallback"));
    }
    let space_prefix = space_prefix(file)?;
    types(&mut vocabulary, file)?;
    let merges = tokenizer::merges(&file.model, &vocabulary.numbers)?;
    check_complete(&vocabulary, &merges)?;
    let scores = scores(&vocabulary, &merges)?;
    Ok(Vocabulary {
        model: "llama",
        pre: "default",
        scores: Some(scores),
        space_prefix: Some(space_prefix),
        ..vocabulary
    })
}

/// Returns whether a text gets a leading space; spaces become [`SPACE`] in any case.
fn space_prefix(file: &TokenizerFile) -> Result<bool, CheckpointFault> {
    let (normalizer, cuts) = (&file.normalizer, &file.pre_tokenizer);
    let steps: Vec<&Value> = match normalizer["normalizers"].as_array() {
        Some(list) => list.iter().collect(),
        None if normalizer.is_null() => Vec::new(),
        None => vec![normalizer],
    };
    let is_prepend = |v: &Value| v["type"] == "Prepend" && v["prepend"] == SPACE;
    let is_replace = |v: &Value| {
        v["type"] == "Replace" && v["pattern"]["String"] == " " && v["content"] == SPACE
    };
    let is_metaspace = cuts["type"] == "Metaspace"
        && cuts["replacement"] == SPACE
        && cuts["prepend_scheme"] == "never"
        && cuts["split"] == false;
    match steps[..] {
        [first, second] if is_prepend(first) && is_replace(second) && cuts.is_null() => Ok(true),
        [only] if is_replace(only) && cuts.is_null() => Ok(false),
        [] if is_metaspace => Ok(false),
        _ => {
            let what = shown(&format!("{normalizer}, {cuts}"));
            let cause =
                format!("key 'normalizer': the treatment of spaces by {what} is not supported");
            Err(unsupported(cause))
        }
    }
}

/// Marks the unknown token and the byte tokens, all 256 of which llama.cpp requires.
fn types(vocabulary: &mut Vocabulary, file: &TokenizerFile) -> Result<(), CheckpointFault> {
    for byte in 0..=u8::MAX {
        let text = format!("<0x{byte:02X}>");
        match vocabulary.numbers.get(&text) {
            Some(&number) => vocabulary.kinds[number as usize] = BYTE,
            None => return Err(damaged(format!("token '{text}' is missing"))),
        }
    }
    if let Some(&number) = file.model.unk_token.as_ref().and_then(|t| vocabulary.numbers.get(t)) {
        vocabulary.kinds[number as usize] = UNKNOWN;
    }
    let is_normalized = |text: &str| {
        let mut added = file.added_tokens.iter();
        added.any(|added| added.normalized && added.content == text)
    };
    for (token, kind) in vocabulary.tokens.iter_mut().zip(&vocabulary.kinds) {
        // These are matched before spaces are replaced, so they contain plain spaces.
        if *kind == USER_DEFINED && token.contains(SPACE) && is_normalized(token) {
            let typed = token.replace(SPACE, " ");
            if vocabulary.numbers.contains_key(&typed) {
                return Err(damaged(format!("token {} occurs twice", shown(&typed))));
            }
            *token = typed;
        }
    }
    Ok(())
}

fn check_complete(vocabulary: &Vocabulary, merges: &[(&str, &str)]) -> Result<(), CheckpointFault> {
    let max = limits::TOKEN_BYTES_SENTENCEPIECE_MAX;
    let known: HashSet<(&str, &str)> = merges.iter().copied().collect();
    let is_part = |text: &str| {
        let number = vocabulary.numbers.get(text);
        number.is_some_and(|&number| vocabulary.kinds[number as usize] == NORMAL)
    };
    for (token, kind) in vocabulary.tokens.iter().zip(&vocabulary.kinds) {
        if *kind != NORMAL {
            continue;
        }
        if token.len() > max {
            let (name, bytes) = (shown(token), token.len());
            let cause = format!("token {name} has {bytes} bytes, at most {max} are allowed");
            return Err(unsupported(cause));
        }
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if !known.contains(&(left, right)) && is_part(left) && is_part(right) {
                return Err(unsupported(format!(
                    "key 'merges': llama.cpp would join {} and {}, but the list does not",
                    shown(left),
                    shown(right)
                )));
            }
        }
    }
    Ok(())
}

/// Returns a score per token: the negative position of the merges that produce it.
fn scores(vocabulary: &Vocabulary, merges: &[(&str, &str)]) -> Result<Vec<f32>, CheckpointFault> {
    let mut places: Vec<Option<u32>> = vec![None; vocabulary.tokens.len()];
    let (mut place, mut last) = (0_u32, None);
    for (left, right) in merges {
        let made = vocabulary.numbers.get(&[*left, *right].concat()).copied();
        if made != last {
            place += 1;
            last = made;
        }
        let Some(number) = made else { continue };
        let known = *places[number as usize].get_or_insert(place);
        if known != place {
            let token = shown(&vocabulary.tokens[number as usize]);
            let cause = format!("key 'merges': those that produce {token} are not consecutive");
            return Err(unsupported(cause));
        }
        if vocabulary.kinds[number as usize] == CONTROL {
            let token = shown(&vocabulary.tokens[number as usize]);
            return Err(unsupported(format!(
                "key 'merges': the control token {token} is produced from text"
            )));
        }
    }
    // Positions are below 2^20, which a 32-bit float represents exactly.
    let score = |made: Option<u32>| -(made.unwrap_or(place + 1) as f32);
    Ok(places.into_iter().map(score).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A small Llama 2: bytes, letters, and merges with a space between.
    fn file(merges: &[&str], changes: Value) -> String {
        let mut words = serde_json::Map::new();
        let mut add = |text: &str| {
            if !words.contains_key(text) {
                words.insert(text.to_string(), json!(words.len()));
            }
        };
        ["<unk>", "<s>", "</s>"].iter().for_each(|text| add(text));
        (0..=255).for_each(|byte| add(&format!("<0x{byte:02X}>")));
        merges.iter().for_each(|merge| add(&merge.replace(' ', "")));
        ["\u{2581}", "a", "b", "c"].iter().for_each(|text| add(text));
        let special =
            |id: u64, content: &str| json!({"id": id, "content": content, "special": true});
        let mut file = json!({
            "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "\u{2581}"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
            ]},
            "pre_tokenizer": null,
            "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
                "vocab": words, "merges": merges},
        });
        for (key, value) in changes.as_object().unwrap() {
            file[key] = value.clone();
        }
        file.to_string()
    }

    const SOUND: [&str; 4] = ["a b", "\u{2581} a", "a bc", "ab c"];

    #[test]
    fn scores_are_the_places_of_the_merges() {
        let merges = ["a b", "\u{2581} a", "b c", "a bc", "ab c"];
        let vocabulary = tokenizer::read(&file(&merges, json!({})), 300).unwrap();
        assert_eq!((vocabulary.model, vocabulary.space_prefix), ("llama", Some(true)));
        assert!(vocabulary.merges.is_empty());
        let number = |text: &str| vocabulary.numbers[text] as usize;
        let scores = vocabulary.scores.as_ref().unwrap();
        let of = |text: &str| scores[number(text)];
        assert_eq!([of("ab"), of("\u{2581}a"), of("bc"), of("abc")], [-1.0, -2.0, -3.0, -4.0]);
        assert_eq!(of("a"), -5.0);
        let kinds =
            ["<unk>", "<s>", "<0x0A>", "ab", "[PAD299]"].map(|text| vocabulary.kinds[number(text)]);
        assert_eq!(kinds, [UNKNOWN, CONTROL, BYTE, NORMAL, tokenizer::UNUSED]);
    }

    #[test]
    fn what_the_engine_would_merge_otherwise_is_refused() {
        let cases = [
            (file(&SOUND, json!({})), "'bc', which is not a token"),
            (file(&["a b", "b c", "ab c"], json!({})), "would join 'a' and 'bc'"),
            (file(&["a b", "b c", "ab c", "\u{2581} a", "a bc"], json!({})), "not consecutive"),
            (file(&["a b"], json!({"normalizer": {"type": "NFKC"}})), "'normalizer'"),
            (
                file(&["a b"], json!({"pre_tokenizer": {"type": "Metaspace"}, "normalizer": null})),
                "'normalizer'",
            ),
            (file(&["a b"], json!({})).replace("<0x0A>", "<0xGG>"), "'<0x0A>' is missing"),
        ];
        for (text, says) in cases {
            let fault = tokenizer::read(&text, 300).unwrap_err();
            assert!(fault.cause.contains(says), "{says}: {fault:?}");
        }
    }
}
