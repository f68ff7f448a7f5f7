//! Reads special tokens (begin, end, padding), the tokens added around a text, and the chat
//! template.
//!
//! They are spread over `tokenizer_config.json`, `config.json`, `generation_config.json`, the
//! tokenizer's post-processor and `chat_template.jinja`. Tokens are determined in the order of
//! llama.cpp's converter: first by the tokenizer's configuration, then by IDs in the model's. The
//! tokens added around a text are those of transformers 4, which differ: see `surround`. Additional
//! end tokens become end-of-turn and end-of-message, at which llama.cpp ends as well.

use std::collections::HashSet;

use serde_json::Value;

use super::fault::{CheckpointFault, damaged, shown, unsupported};
use super::json::Object;
use super::tokenizer::Vocabulary;
use crate::types::limits;

/// Roles of special tokens: the name in a checkpoint and in a GGUF key.
const PARTS: [(&str, &str); 6] = [
    ("bos", "bos"),
    ("eos", "eos"),
    ("unk", "unknown"),
    ("sep", "seperator"),
    ("pad", "padding"),
    ("mask", "mask"),
];

/// Texts of tokens at which llama.cpp always ends an answer (its llama-vocab.cpp).
const ENDS: [&str; 11] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
];

/// Tokenizers for which transformers 4 uses its own flags instead of the post-processor.
const REBUILT: [&str; 4] =
    ["LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer", "CodeLlamaTokenizerFast"];

/// Returns whether llama.cpp treats a token as an end token because of its text.
pub(super) fn is_end(text: &str) -> bool {
    ENDS.contains(&text)
}

/// The special tokens and chat templates of a tokenizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Special {
    /// Token IDs by the GGUF name of their role, such as `eos`.
    pub tokens: Vec<(&'static str, u32)>,
    /// Whether a begin token is added before a text.
    pub adds_begin: bool,
    /// Whether an end token is added after a text, if the checkpoint specifies it.
    pub adds_end: Option<bool>,
    /// The default chat template (Jinja).
    pub template: Option<String>,
    /// Additional chat templates, as pairs of name and text.
    pub templates: Vec<(String, String)>,
}

impl Special {
    fn token(&self, part: &str) -> Option<u32> {
        self.tokens.iter().find(|(known, _)| *known == part).map(|(_, token)| *token)
    }
}

/// The sources of special tokens and templates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources<'a> {
    pub vocabulary: &'a Vocabulary,
    pub tokenizer_config: &'a Object,
    pub config: &'a Object,
    pub generation: &'a Object,
    pub jinja: Option<&'a str>,
}

/// Determines the special tokens and the chat templates.
///
/// # Errors
/// The fault found, by its key.
pub(super) fn read(from: Sources<'_>) -> Result<Special, CheckpointFault> {
    let mut special = Special::default();
    for (part, key) in PARTS {
        let named = from.tokenizer_config.get(&format!("{part}_token")).and_then(content);
        let named = named.and_then(|text| from.vocabulary.numbers.get(text).copied());
        let numbered = |json| Ok(numbers(json, part, from.vocabulary)?.first().copied());
        let numbered = match named {
            Some(_) => None,
            // Some checkpoints name the end token only among the settings for generation.
            None => numbered(from.config)?.or(numbered(from.generation)?),
        };
        special.tokens.extend(named.or(numbered).map(|token| (key, token)));
    }
    surround(&mut special, from)?;
    ends(&mut special, from)?;
    templates(&mut special, from)?;
    Ok(special)
}

/// Determines additional end tokens: those of the generation settings, else those of the model.
fn ends(special: &mut Special, from: Sources<'_>) -> Result<(), CheckpointFault> {
    const KEYS: [&str; 2] = ["eot", "eom"];
    let Some(end) = special.token("eos") else {
        return Err(damaged("key 'eos_token' does not name a token, so answers would never end"));
    };
    let mut others = numbers(from.generation, "eos", from.vocabulary)?;
    if others.is_empty() {
        others = numbers(from.config, "eos", from.vocabulary)?;
    }
    let mut seen = HashSet::from([end]);
    others.retain(|token| seen.insert(*token));
    // End tokens that llama.cpp recognises by text need no key, so the others come first.
    let is_known = |token: &u32| is_end(&from.vocabulary.tokens[*token as usize]);
    others.sort_by_key(is_known);
    let lost: Vec<String> = others
        .iter()
        .skip(KEYS.len())
        .filter(|token| !is_known(token))
        .map(|token| shown(&from.vocabulary.tokens[*token as usize]))
        .take(8)
        .collect();
    if !lost.is_empty() {
        let lost = lost.join(", ");
        return Err(CheckpointFault {
            cause: format!(
                "key 'eos_token_id': too many end tokens, answers would not end at {lost}"
            ),
            remedy: "Remove end tokens that answers do not use from this key of its JSON files.",
        });
    }
    special.tokens.extend(KEYS.into_iter().zip(others));
    Ok(())
}

/// Returns a token's text, given directly or as an object's `content`.
fn content(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

/// Reads `PART_token_id`: one ID or several. Old files use -1 for none.
fn numbers(
    json: &Object,
    part: &str,
    vocabulary: &Vocabulary,
) -> Result<Vec<u32>, CheckpointFault> {
    let key = format!("{part}_token_id");
    let value = json.get(&key);
    let list: Vec<&Value> = match value {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    let mut numbers = Vec::new();
    for value in list {
        if value.as_i64().is_some_and(|number| number < 0) {
            continue;
        }
        let count = vocabulary.tokens.len() as u64;
        match value.as_u64().filter(|number| *number < count) {
            Some(number) => numbers.push(number as u32),
            None if part == "pad" => {
                log::warn!("key '{key}': {value} is not a token, so it is left out");
            }
            None => {
                let what = shown(&value.to_string());
                return Err(damaged(format!(
                    "key '{key}': {what} is not one of the {count} tokens"
                )));
            }
        }
    }
    Ok(numbers)
}

/// Determines the tokens added around a text: by the post-processor, else by flags. llama.cpp's
/// converter lets the flags take precedence, which transformers 4 does only for Llama's tokenizers.
fn surround(special: &mut Special, from: Sources<'_>) -> Result<(), CheckpointFault> {
    let class = from.tokenizer_config.text("tokenizer_class")?.unwrap_or_default();
    (special.adds_begin, special.adds_end) = if REBUILT.contains(&class) {
        (switch(from, "bos", true)?, Some(switch(from, "eos", false)?))
    } else if let Some(said) = processed(special, from)? {
        said
    } else {
        let flag = |part: &str| from.tokenizer_config.flag(&format!("add_{part}_token"));
        (flag("bos")?.unwrap_or(false), flag("eos")?)
    };
    if special.adds_begin && special.token("bos").is_none() {
        return Err(damaged("key 'add_bos_token': there is no begin token"));
    }
    Ok(())
}

/// Reads `add_PART_token` as Python does: a default if absent, false for `null`.
fn switch(from: Sources<'_>, part: &str, default: bool) -> Result<bool, CheckpointFault> {
    let key = format!("add_{part}_token");
    let is_absent = from.tokenizer_config.0.get(&key).is_none();
    Ok(from.tokenizer_config.flag(&key)?.unwrap_or(default && is_absent))
}

/// Evaluates the post-processor, if there is one.
fn processed(
    special: &mut Special,
    from: Sources<'_>,
) -> Result<Option<(bool, Option<bool>)>, CheckpointFault> {
    let whole = &from.vocabulary.post_processor;
    let steps: Vec<&Value> = match whole["processors"].as_array() {
        Some(list) => list.iter().collect(),
        None if whole.is_null() => Vec::new(),
        None => vec![whole],
    };
    let mut said = None;
    for step in steps {
        match step["type"].as_str() {
            Some("ByteLevel") => said = said.or(Some((false, Some(false)))),
            Some("TemplateProcessing") => said = Some(single(special, step, from.vocabulary)?),
            _ => {
                let what = shown(&step["type"].to_string());
                return Err(unsupported(format!("key 'post_processor': {what} is not supported")));
            }
        }
    }
    Ok(said)
}

/// Evaluates a template for a single text: whether it adds begin and end tokens.
fn single(
    special: &mut Special,
    step: &Value,
    vocabulary: &Vocabulary,
) -> Result<(bool, Option<bool>), CheckpointFault> {
    let unknown = || {
        let what = shown(&step["single"].to_string());
        unsupported(format!("key 'post_processor': the template {what} is not supported"))
    };
    let list = step["single"].as_array().ok_or_else(unknown)?;
    let is_text = |value: &Value| value["Sequence"]["id"] == "A";
    let at = list.iter().position(is_text).ok_or_else(unknown)?;
    let (before, after) = (&list[..at], &list[at + 1..]);
    for (side, part) in [(before, "bos"), (after, "eos")] {
        let [] = side else {
            let [only] = side else { return Err(unknown()) };
            let text = only["SpecialToken"]["id"].as_str().ok_or_else(unknown)?;
            let token = *vocabulary.numbers.get(text).ok_or_else(unknown)?;
            match special.token(part) {
                None => special.tokens.push((part, token)),
                Some(known) if known == token => {}
                Some(_) => return Err(unknown()),
            }
            continue;
        };
    }
    Ok((!before.is_empty(), Some(!after.is_empty())))
}

/// Reads the chat templates; a separate file takes precedence over the tokenizer's configuration.
fn templates(special: &mut Special, from: Sources<'_>) -> Result<(), CheckpointFault> {
    let given = from.tokenizer_config.get("chat_template");
    match (from.jinja, given) {
        (Some(text), _) => special.template = Some(text.to_string()),
        (None, None) => {}
        (None, Some(Value::String(text))) => special.template = Some(text.clone()),
        (None, Some(Value::Array(list))) => {
            for entry in list {
                let (Some(name), Some(text)) = (entry["name"].as_str(), entry["template"].as_str())
                else {
                    return Err(damaged(
                        "key 'chat_template': an entry lacks a name or a template",
                    ));
                };
                // Names become part of keys, so they are reduced to letters and digits, as in
                // llama.cpp's converter.
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
                let name: String = name.chars().map(plain).collect();
                if name == "default" {
                    special.template = Some(text.to_string());
                } else if special.templates.iter().all(|(known, _)| *known != name) {
                    special.templates.push((name, text.to_string()));
                }
            }
        }
        (None, Some(_)) => return Err(damaged("key 'chat_template' is not a string")),
    }
    let max = limits::GGUF_STRING_BYTES_MAX as usize;
    let texts = special.template.iter().chain(special.templates.iter().map(|(_, text)| text));
    for text in texts {
        if text.len() > max || text.contains('\0') {
            return Err(damaged(format!("the chat template contains NUL or exceeds {max} bytes")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vocabulary(post_processor: Value) -> Vocabulary {
        let tokens: Vec<String> = ["a", "<s>", "</s>", "<end>"].map(String::from).to_vec();
        let numbers = tokens.iter().cloned().zip(0..).collect();
        Vocabulary {
            model: "gpt2",
            pre: "qwen2",
            kinds: vec![1; 4],
            scores: None,
            merges: Vec::new(),
            space_prefix: None,
            post_processor,
            numbers,
            tokens,
        }
    }

    fn of(
        post: Value,
        tokenizer: Value,
        config: Value,
        generation: Value,
    ) -> Result<Special, CheckpointFault> {
        read(Sources {
            vocabulary: &vocabulary(post),
            tokenizer_config: &Object(tokenizer),
            config: &Object(config),
            generation: &Object(generation),
            jinja: None,
        })
    }

    fn around(before: &[&str], after: &[&str]) -> Value {
        let token = |text: &&str| json!({"SpecialToken": {"id": text, "type_id": 0}});
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        let mut list: Vec<Value> = before.iter().map(token).collect();
        list.push(text);
        list.extend(after.iter().map(token));
        json!({"type": "TemplateProcessing", "single": list})
    }

    #[test]
    fn names_come_before_numbers_and_further_ends_are_kept() {
        let special = of(
            Value::Null,
            json!({"eos_token": {"content": "</s>"}, "pad_token": "<none>"}),
            json!({"eos_token_id": 3, "bos_token_id": [1, 2], "pad_token_id": -1}),
            json!({"eos_token_id": [3, 2, 0]}),
        );
        let special = special.unwrap();
        assert_eq!(special.tokens, [("bos", 1), ("eos", 2), ("eot", 3), ("eom", 0)]);
        assert_eq!((special.adds_begin, special.adds_end), (false, None));
    }

    #[test]
    fn where_the_generation_is_silent_the_model_says_all_the_ends() {
        let ends = json!({"eos_token_id": [3, 2, 3, 0]});
        let special = of(Value::Null, json!({"eos_token": "</s>"}), ends.clone(), json!({}));
        assert_eq!(special.unwrap().tokens, [("eos", 2), ("eot", 3), ("eom", 0)]);
        let said = json!({"eos_token_id": 2});
        let special = of(Value::Null, json!({"eos_token": "</s>"}), ends, said);
        assert_eq!(special.unwrap().tokens, [("eos", 2)]);
    }

    #[test]
    fn an_end_that_would_be_lost_is_named_and_one_known_by_its_text_is_not_lost() {
        let of = |eos: &str| {
            let generation = json!({"eos_token_id": [2, 0, 1, 3]});
            of(Value::Null, json!({"eos_token": eos}), json!({}), generation)
        };
        let special = of("a").unwrap();
        assert_eq!(special.tokens, [("eos", 0), ("eot", 1), ("eom", 3)], "</s> is one by itself");
        let fault = of("</s>").unwrap_err();
        assert!(fault.cause.contains("'eos_token_id'") && fault.cause.contains("'<end>'"));
    }

    #[test]
    fn llamas_tokenizer_puts_its_flags_in_place_of_the_post_processor() {
        let of = |class: &str, flags: Value| {
            let mut tokenizer = json!({"tokenizer_class": class, "bos_token": "<s>"});
            tokenizer.as_object_mut().unwrap().extend(flags.as_object().unwrap().clone());
            let special =
                of(around(&["<s>"], &["</s>"]), tokenizer, json!({"eos_token_id": 2}), json!({}));
            let special = special.unwrap();
            (special.adds_begin, special.adds_end)
        };
        assert_eq!(of("LlamaTokenizerFast", json!({})), (true, Some(false)));
        let off = json!({"add_bos_token": false, "add_eos_token": true});
        assert_eq!(of("LlamaTokenizer", off.clone()), (false, Some(true)));
        assert_eq!(of("LlamaTokenizer", json!({"add_bos_token": null})), (false, Some(false)));
        assert_eq!(of("PreTrainedTokenizerFast", off), (true, Some(true)));
    }

    #[test]
    fn what_is_put_around_a_text_is_the_post_processors_word() {
        let of = |post, tokenizer| of(post, tokenizer, json!({"eos_token_id": 2}), json!({}));
        let named = json!({"bos_token": "<s>", "add_bos_token": true});
        let bytes = json!({"type": "ByteLevel"});
        assert!(of(Value::Null, named.clone()).unwrap().adds_begin);
        assert!(!of(bytes.clone(), named.clone()).unwrap().adds_begin);
        let both = json!({"type": "Sequence", "processors": [bytes, around(&["<s>"], &[])]});
        let special = of(both, json!({})).unwrap();
        assert_eq!((special.adds_begin, special.adds_end), (true, Some(false)));
        assert_eq!(special.token("bos"), Some(1));
        assert_eq!(of(around(&[], &["</s>"]), named.clone()).unwrap().adds_end, Some(true));
        for post in [
            around(&["<end>"], &[]),
            around(&["<s>", "<s>"], &[]),
            around(&[], &["<none>"]),
            json!({"type": "TemplateProcessing"}),
            json!({"type": "RobertaProcessing"}),
        ] {
            let fault = of(post, named.clone()).unwrap_err();
            assert!(fault.cause.contains("'post_processor'"), "{fault:?}");
        }
    }

    #[test]
    fn a_list_of_templates_has_a_default() {
        let list =
            json!([{"name": "default", "template": "D"}, {"name": "tool use", "template": "T"}]);
        let tokenizer = json!({"eos_token": "</s>", "chat_template": list});
        let special = of(Value::Null, tokenizer, json!({}), json!({})).unwrap();
        assert_eq!(special.template.as_deref(), Some("D"));
        assert_eq!(special.templates, [("tool_use".to_string(), "T".to_string())]);
    }

    #[test]
    fn impossible_tokens_are_named() {
        let cases = [
            (json!({}), json!({}), "'eos_token'"),
            (json!({}), json!({"eos_token_id": 4}), "'eos_token_id': '4' is not one of the 4"),
            (json!({}), json!({"eos_token_id": "x"}), "'eos_token_id'"),
            (json!({"add_bos_token": true, "eos_token": "a"}), json!({}), "'add_bos_token'"),
            (json!({"eos_token": "a", "chat_template": 1}), json!({}), "'chat_template'"),
            (json!({"eos_token": "a", "chat_template": "\0"}), json!({}), "chat template"),
        ];
        for (tokenizer, config, says) in cases {
            let fault = of(Value::Null, tokenizer, config, json!({})).unwrap_err();
            assert!(fault.cause.contains(says), "{says}: {fault:?}");
        }
    }
}
