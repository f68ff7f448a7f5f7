//! Reads a checkpoint's `config.json`: the architecture and its parameters.
//!
//! Settings that llama.cpp would compute differently from the authors' intention are rejected by
//! their key: active sliding windows, other activations, experts, already quantized weights.

use super::fault::{CheckpointFault, damaged, shown, unsupported};
use super::json::Object;
use super::rope::{self, Rope};
pub use crate::model::numbers::KnownArchitecture;
use crate::types::limits;

/// The parameters in a checkpoint's `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The architecture, from the key `architectures`.
    pub architecture: KnownArchitecture,
    /// Number of transformer layers.
    pub layers: u64,
    /// Width of the hidden state.
    pub hidden: u64,
    /// Width of the feed-forward layers.
    pub feed_forward: u64,
    /// Number of attention heads.
    pub heads: u64,
    /// Number of heads of keys and values.
    pub kv_heads: u64,
    /// Number of elements in a head.
    pub head: u64,
    /// Size of the vocabulary: rows of the embedding.
    pub vocabulary: u64,
    /// Context length it was trained with, in tokens.
    pub context_tokens: u64,
    /// The constant added under the square root of a norm.
    pub epsilon: f32,
    /// The rotary position embedding.
    pub rope: Rope,
    /// Whether the output head shares the embedding's weights.
    pub is_tied: bool,
    /// Whether the attention's four matrices have biases; Qwen2's first three always do.
    pub attention_bias: bool,
    /// Whether the feed-forward matrices have biases.
    pub feed_forward_bias: bool,
}

/// Parses and checks the text of `config.json`.
///
/// # Errors
/// The first invalid or unsupported setting, by its key.
pub fn read(text: &str) -> Result<Config, CheckpointFault> {
    let json = Object::parse(text)?;
    let architecture = architecture(&json)?;
    refuse_unsupported(&json, architecture)?;
    let heads = json.count("num_attention_heads", limits::MODEL_HEADS_MAX)?;
    let hidden = json.count("hidden_size", limits::MODEL_WIDTH_MAX)?;
    let given = json.count_or("head_dim", limits::MODEL_HEAD_ELEMENTS_MAX)?;
    let head = match (given, architecture) {
        (Some(head), _) => head,
        // The default of transformers' Qwen3Config.
        (None, KnownArchitecture::Qwen3) => 128,
        (None, _) => hidden / heads,
    };
    let kv_heads = match json.count_or("num_key_value_heads", heads)? {
        Some(kv_heads) => kv_heads,
        // Only if the key is absent; `null` means the number of heads.
        None if is_mistral(&json)? && json.0.get("num_key_value_heads").is_none() => 8,
        None if architecture == KnownArchitecture::Llama => heads,
        None => return Err(damaged("key 'num_key_value_heads' is missing")),
    };
    let epsilon = json.number("rms_norm_eps")?.unwrap_or(f64::NAN);
    if !(0.0..1.0).contains(&epsilon) {
        return Err(damaged("key 'rms_norm_eps' is missing or not from 0 to 1"));
    }
    let context_tokens = json.count("max_position_embeddings", 1 << 31)?;
    let config = Config {
        architecture,
        layers: json.count("num_hidden_layers", limits::MODEL_LAYERS_MAX)?,
        hidden,
        feed_forward: json.count("intermediate_size", limits::MODEL_WIDTH_MAX)?,
        heads,
        kv_heads,
        head,
        vocabulary: json.count("vocab_size", limits::GGUF_ARRAY_ITEMS_MAX)?,
        context_tokens,
        epsilon: epsilon as f32,
        rope: rope::read(&json, architecture, context_tokens)?,
        is_tied: json.flag("tie_word_embeddings")?.unwrap_or(false),
        attention_bias: json.flag("attention_bias")?.unwrap_or(false),
        feed_forward_bias: json.flag("mlp_bias")?.unwrap_or(false),
    };
    check(&config)?;
    Ok(config)
}

/// Returns whether transformers would load it as Mistral, by either of the two keys.
fn is_mistral(json: &Object) -> Result<bool, CheckpointFault> {
    let named = json.get("architectures").is_some_and(|list| list[0] == "MistralForCausalLM");
    Ok(named || json.text("model_type")? == Some("mistral"))
}

/// Returns whether its attention uses a sliding window. Mistral's does unless its key is present
/// and `null`: transformers' MistralConfig defaults to 4096, and its model ignores
/// `use_sliding_window` and `layer_types`.
fn slides(json: &Object) -> Result<bool, CheckpointFault> {
    if is_mistral(json)? {
        return Ok(json.0.get("sliding_window").is_none_or(|window| !window.is_null()));
    }
    Ok(json.flag("use_sliding_window")?.unwrap_or(false))
}

fn architecture(json: &Object) -> Result<KnownArchitecture, CheckpointFault> {
    let list = json.get("architectures").and_then(|list| list.as_array());
    let name = list.and_then(|list| list.first()).and_then(|name| name.as_str());
    match name {
        Some("Qwen2ForCausalLM") => Ok(KnownArchitecture::Qwen2),
        Some("Qwen3ForCausalLM") => Ok(KnownArchitecture::Qwen3),
        Some("LlamaForCausalLM" | "MistralForCausalLM") => Ok(KnownArchitecture::Llama),
        Some(other) => {
            Err(unsupported(format!("key 'architectures': {} is not supported", shown(other))))
        }
        None => Err(damaged("key 'architectures' is missing")),
    }
}

fn refuse_unsupported(
    json: &Object,
    architecture: KnownArchitecture,
) -> Result<(), CheckpointFault> {
    let activation = json.text("hidden_act")?.unwrap_or("silu");
    if !matches!(activation, "silu" | "swish") {
        return Err(unsupported(format!(
            "key 'hidden_act': {} is not supported, only silu is",
            shown(activation)
        )));
    }
    if json.get("quantization_config").is_some() {
        return Err(CheckpointFault {
            cause: "key 'quantization_config': its weights are already quantized".into(),
            remedy: "Convert the original checkpoint; --type quantizes it.",
        });
    }
    let layers = json.get("layer_types").and_then(|list| list.as_array());
    let other = layers.and_then(|list| list.iter().find(|kind| *kind != "full_attention"));
    if slides(json)? || other.is_some() {
        return Err(unsupported("key 'sliding_window': sliding-window attention is not supported"));
    }
    for key in ["num_experts", "num_local_experts", "n_routed_experts"] {
        if json.get(key).is_some() {
            return Err(unsupported(format!(
                "key '{key}': mixture-of-experts models are not supported"
            )));
        }
    }
    let biases: &[&str] = match architecture {
        KnownArchitecture::Llama => &[],
        KnownArchitecture::Qwen2 | KnownArchitecture::Qwen3 => &["attention_bias", "mlp_bias"],
    };
    for key in biases {
        if json.flag(key)? == Some(true) {
            let name = architecture.name();
            return Err(unsupported(format!("key '{key}': biases are not supported for {name}")));
        }
    }
    Ok(())
}

/// Checks parameters that must be consistent with each other.
fn check(config: &Config) -> Result<(), CheckpointFault> {
    let Config { heads, kv_heads, head, hidden, .. } = config;
    if !heads.is_multiple_of(*kv_heads) {
        let cause =
            format!("key 'num_key_value_heads': {kv_heads} does not divide the {heads} heads");
        return Err(damaged(cause));
    }
    if *head == 0 || !head.is_multiple_of(2) {
        return Err(damaged(format!(
            "key 'head_dim': {head} is not even, as rotary embedding requires"
        )));
    }
    let is_qwen2 = config.architecture == KnownArchitecture::Qwen2;
    if is_qwen2 && heads * head != *hidden {
        let cause = format!(
            "key 'head_dim': {heads} heads of size {head} do not add up to the width {hidden}"
        );
        return Err(unsupported(cause));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A small, valid configuration with keys added or replaced.
    pub fn config(changes: &str) -> String {
        let sound = r#"{"architectures":["LlamaForCausalLM"],"hidden_size":64,
            "intermediate_size":96,"num_hidden_layers":2,"num_attention_heads":4,
            "num_key_value_heads":2,"vocab_size":300,"max_position_embeddings":512,
            "rms_norm_eps":1e-5,"rope_theta":5000.0}"#;
        let mut all: serde_json::Value = serde_json::from_str(sound).unwrap();
        let changes: serde_json::Value = serde_json::from_str(changes).unwrap();
        for (key, value) in changes.as_object().unwrap() {
            all[key] = value.clone();
        }
        all.to_string()
    }

    #[test]
    fn numbers_are_read_and_defaults_are_those_of_transformers() {
        let read = |changes: &str| read(&config(changes)).unwrap();
        let llama = read("{}");
        assert_eq!((llama.head, llama.is_tied), (16, false));
        assert_eq!((llama.rope.base, llama.epsilon), (5000.0, 1e-5));
        assert_eq!(read(r#"{"num_key_value_heads":null}"#).kv_heads, 4);
        let qwen3 = read(r#"{"architectures":["Qwen3ForCausalLM"]}"#);
        assert_eq!(qwen3.head, 128);
        let qwen2 = r#"{"architectures":["Qwen2ForCausalLM"],"sliding_window":4096,
            "use_sliding_window":false,"layer_types":["full_attention"]}"#;
        assert_eq!(read(qwen2).architecture, KnownArchitecture::Qwen2);
        assert!(read(r#"{"attention_bias":true,"mlp_bias":true}"#).feed_forward_bias);
    }

    #[test]
    fn mistrals_defaults_are_its_own() {
        let text = |heads: &str| {
            let mistral = r#"{"architectures":["MistralForCausalLM"],"sliding_window":null,
                "num_attention_heads":16,"num_key_value_heads":"#;
            config(&format!("{mistral}{heads}}}"))
        };
        assert_eq!(read(&text("null")).unwrap().kv_heads, 16);
        assert_eq!(read(&text("4")).unwrap().kv_heads, 4);
        let mut absent: serde_json::Value = serde_json::from_str(&text("4")).unwrap();
        absent.as_object_mut().unwrap().remove("num_key_value_heads");
        assert_eq!(read(&absent.to_string()).unwrap().kv_heads, 8);
    }

    #[test]
    fn what_would_be_computed_wrongly_is_refused_by_its_key() {
        let cases = [
            (r#"{"architectures":["GemmaForCausalLM"]}"#, "'GemmaForCausalLM' is not supported"),
            (r#"{"architectures":null}"#, "'architectures' is missing"),
            (r#"{"hidden_act":"gelu"}"#, "'hidden_act'"),
            (r#"{"quantization_config":{"bits":4}}"#, "'quantization_config'"),
            (r#"{"use_sliding_window":true}"#, "'sliding_window'"),
            (r#"{"model_type":"mistral","sliding_window":4096}"#, "'sliding_window'"),
            (r#"{"architectures":["MistralForCausalLM"]}"#, "'sliding_window'"),
            (
                r#"{"architectures":["MistralForCausalLM"],"sliding_window":4096,
                    "use_sliding_window":false,"layer_types":["full_attention"]}"#,
                "'sliding_window'",
            ),
            (r#"{"layer_types":["sliding_attention"]}"#, "'sliding_window'"),
            (r#"{"num_local_experts":8}"#, "'num_local_experts'"),
            (r#"{"architectures":["Qwen3ForCausalLM"],"attention_bias":true}"#, "'attention_bias'"),
            (r#"{"architectures":["Qwen2ForCausalLM"],"head_dim":32}"#, "'head_dim'"),
            (r#"{"head_dim":15}"#, "'head_dim'"),
            (r#"{"num_attention_heads":0}"#, "'num_attention_heads': 0"),
            (r#"{"num_key_value_heads":3}"#, "3 does not divide"),
            (r#"{"num_key_value_heads":8}"#, "'num_key_value_heads': 8"),
            (r#"{"hidden_size":null}"#, "'hidden_size' is missing"),
            (r#"{"hidden_size":"64"}"#, "'hidden_size': '\\\"64\\\"' is not a whole number"),
            (r#"{"hidden_size":-1}"#, "'hidden_size'"),
            (r#"{"num_hidden_layers":5000}"#, "'num_hidden_layers'"),
            (r#"{"rms_norm_eps":null}"#, "'rms_norm_eps'"),
            (r#"{"tie_word_embeddings":1}"#, "'tie_word_embeddings'"),
        ];
        for (changes, says) in cases {
            let fault = read(&config(changes)).unwrap_err();
            assert!(fault.cause.contains(says), "{says}: {fault:?}");
        }
        for text in ["", "[]", "{", "null"] {
            assert!(read(text).is_err());
        }
    }
}
