//! Maps a tokenizer's pre-tokenizer (how text is split before merging) to llama.cpp's name for it.
//!
//! `tokenizer.json` lists the steps; llama.cpp identifies a pre-tokenizer by name and has separate
//! code for each (llama-vocab.cpp). A pre-tokenizer that is not in the table is rejected: with a
//! wrong name every number and many words would become different tokens.

use serde_json::Value;

use super::fault::{CheckpointFault, damaged, shown, unsupported};

/// Contractions, words, single digits, signs, line ends, spaces: Qwen2's.
const QWEN2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// Qwen2's with marks as parts of words.
const QWEN35: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}",
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// Qwen2's with up to three digits per token.
const LLAMA3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// One step of a pre-tokenizer.
#[derive(Debug, PartialEq, Eq)]
enum SplitStep<'a> {
    /// Splits by a regular expression; every match is a piece.
    Regex(&'a str),
    /// Makes each digit a piece.
    Digits,
    /// Splits by GPT-2's regular expression and maps bytes to printable characters.
    Gpt2,
    /// Maps bytes to printable characters without splitting.
    Bytes,
}

/// llama.cpp's name, the steps, and whether words of the vocabulary skip the merges.
///
/// Names with the same code (`deepseek-r1-qwen` and `qwen2`, for example) are one row.
const TABLE: [(&str, &[SplitStep<'static>], bool); 6] = [
    ("qwen2", &[SplitStep::Regex(QWEN2), SplitStep::Bytes], false),
    ("qwen35", &[SplitStep::Regex(QWEN35), SplitStep::Bytes], false),
    ("llama-bpe", &[SplitStep::Regex(LLAMA3), SplitStep::Bytes], true),
    ("dbrx", &[SplitStep::Regex(LLAMA3), SplitStep::Bytes], false),
    ("smollm", &[SplitStep::Digits, SplitStep::Gpt2], false),
    ("gpt-2", &[SplitStep::Gpt2], false),
];

/// Returns llama.cpp's name for the pre-tokenizer of a byte-level tokenizer.
///
/// # Errors
/// A fault if the pre-tokenizer is not supported or malformed.
pub(super) fn name(
    pre_tokenizer: &Value,
    ignore_merges: bool,
) -> Result<&'static str, CheckpointFault> {
    let steps = match pre_tokenizer["type"].as_str() {
        Some("Sequence") => match pre_tokenizer["pretokenizers"].as_array() {
            Some(list) => list.iter().map(step).collect::<Result<Vec<_>, _>>()?,
            None => return Err(damaged("key 'pretokenizers' is not a list")),
        },
        _ => vec![step(pre_tokenizer)?],
    };
    let found = TABLE.iter().find(|(_, known, whole)| *known == steps && *whole == ignore_merges);
    found.map(|(name, _, _)| *name).ok_or_else(|| {
        let merges = if ignore_merges { "words before merges" } else { "merges only" };
        unknown(&format!("{steps:?}, {merges}"))
    })
}

fn step(value: &Value) -> Result<SplitStep<'_>, CheckpointFault> {
    let flag = |key: &str| value[key].as_bool();
    match value["type"].as_str() {
        Some("Split") => {
            // Keeping the matches and removing the rest are equivalent, because these expressions
            // match every character.
            let whole = matches!(
                (value["behavior"].as_str(), flag("invert")),
                (Some("Isolated"), None | Some(false)) | (Some("Removed"), Some(true))
            );
            match value["pattern"]["Regex"].as_str() {
                Some(regex) if whole => Ok(SplitStep::Regex(regex)),
                _ => Err(unknown(&value.to_string())),
            }
        }
        Some("Digits") if flag("individual_digits") == Some(true) => Ok(SplitStep::Digits),
        Some("ByteLevel") if flag("add_prefix_space") == Some(false) => {
            Ok(if flag("use_regex") == Some(false) { SplitStep::Bytes } else { SplitStep::Gpt2 })
        }
        _ => Err(unknown(&value.to_string())),
    }
}

fn unknown(what: &str) -> CheckpointFault {
    unsupported(format!("key 'pre_tokenizer': {} is not supported", shown(what)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn split(regex: &str) -> Value {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
        ]})
    }

    #[test]
    fn the_cuts_decide_the_name() {
        assert_eq!(name(&split(QWEN2), false), Ok("qwen2"));
        assert_eq!(name(&split(QWEN35), false), Ok("qwen35"));
        assert_eq!(name(&split(LLAMA3), true), Ok("llama-bpe"));
        assert_eq!(name(&split(LLAMA3), false), Ok("dbrx"));
        let gpt2 = json!({"type": "ByteLevel", "add_prefix_space": false});
        assert_eq!(name(&gpt2, false), Ok("gpt-2"));
        let digits = json!({"type": "Digits", "individual_digits": true});
        let smollm = json!({"type": "Sequence", "pretokenizers": [digits, gpt2]});
        assert_eq!(name(&smollm, false), Ok("smollm"));
    }

    #[test]
    fn unknown_cuts_are_refused() {
        let cases = [
            Value::Null,
            json!("x"),
            json!({"type": "Sequence"}),
            json!({"type": "Whitespace"}),
            json!({"type": "ByteLevel", "add_prefix_space": true}),
            json!({"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated"}),
            split(r"\p{L}+"),
        ];
        for case in cases {
            assert!(name(&case, false).unwrap_err().cause.contains("pre"), "{case}");
        }
        assert!(name(&split(QWEN2), true).is_err(), "llama.cpp merges qwen2's words");
    }
}
