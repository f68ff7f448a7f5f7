//! Lists every tensor of an architecture: its names in Hugging Face and GGUF, its shape, and
//! whether its rows are permuted.
//!
//! Names are those of llama.cpp's converter (gguf's "Standardized tensor names"). For Llama, query
//! and key rows are stored by halves of a head, [2, head/2], but llama.cpp rotates neighbours,
//! [head/2, 2]; other architectures are rotated as stored.

use std::collections::BTreeMap;

use super::config::{Config, KnownArchitecture};
use super::fault::{CheckpointFault, damaged, shown, unsupported};
use super::shards::Stored;

/// The order in which the rows of a tensor are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// In the order of the checkpoint.
    AsStored,
    /// Within each head, rows of the two halves alternate.
    Interleaved {
        /// Number of rows in a head.
        head: u64,
    },
}

/// A tensor the checkpoint must have, and its form in the GGUF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedTensor {
    /// The tensor's name in the GGUF file.
    pub gguf: String,
    /// The required dimensions, slowest first.
    pub shape: Vec<u64>,
    /// The order in which the rows are written.
    pub rows: RowOrder,
}

/// Hugging Face's name of the token embedding.
pub const EMBEDDING: &str = "model.embed_tokens.weight";
/// Hugging Face's name of the output head.
pub const HEAD: &str = "lm_head.weight";

/// Modules of a layer: Hugging Face's name and GGUF's name.
const MODULES: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// Returns the GGUF name of a module such as `model.layers.0.mlp.up_proj`, if it is known.
pub fn module(name: &str) -> Option<String> {
    match name {
        "model.embed_tokens" => return Some("token_embd".into()),
        "model.norm" => return Some("output_norm".into()),
        "lm_head" => return Some("output".into()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let number: u64 = layer.parse().ok().filter(|number: &u64| number.to_string() == layer)?;
    let (_, gguf) = MODULES.iter().find(|(module, _)| *module == rest)?;
    Some(format!("blk.{number}.{gguf}"))
}

/// Returns all tensors a checkpoint must have, by Hugging Face name.
pub fn expected(config: &Config) -> BTreeMap<String, ExpectedTensor> {
    let mut all = BTreeMap::new();
    let mut add = |name: String, kind: &str, shape: &[u64], rows: RowOrder| {
        let Some(gguf) = module(&name) else { unreachable!("{name} is in the table") };
        let expected =
            ExpectedTensor { gguf: format!("{gguf}.{kind}"), shape: shape.to_vec(), rows };
        all.insert(format!("{name}.{kind}"), expected);
    };
    let (hidden, wide) = (config.hidden, config.feed_forward);
    let stored = RowOrder::AsStored;
    add("model.embed_tokens".into(), "weight", &[config.vocabulary, hidden], stored);
    add("model.norm".into(), "weight", &[hidden], stored);
    if !config.is_tied {
        add("lm_head".into(), "weight", &[config.vocabulary, hidden], stored);
    }
    let (queries, keys) = (config.heads * config.head, config.kv_heads * config.head);
    let turned = rows_of(config.architecture, "attn_q", config.head);
    let is_qwen2 = config.architecture == KnownArchitecture::Qwen2;
    let matrices = [
        ("self_attn.q_proj", [queries, hidden], turned, config.attention_bias || is_qwen2),
        ("self_attn.k_proj", [keys, hidden], turned, config.attention_bias || is_qwen2),
        ("self_attn.v_proj", [keys, hidden], stored, config.attention_bias || is_qwen2),
        ("self_attn.o_proj", [hidden, queries], stored, config.attention_bias),
        ("mlp.gate_proj", [wide, hidden], stored, config.feed_forward_bias),
        ("mlp.up_proj", [wide, hidden], stored, config.feed_forward_bias),
        ("mlp.down_proj", [hidden, wide], stored, config.feed_forward_bias),
    ];
    let mut norms = vec![("input_layernorm", hidden), ("post_attention_layernorm", hidden)];
    if config.architecture == KnownArchitecture::Qwen3 {
        norms.extend([("self_attn.q_norm", config.head), ("self_attn.k_norm", config.head)]);
    }
    for layer in 0..config.layers {
        let name = |module: &str| format!("model.layers.{layer}.{module}");
        for (module, shape, rows, has_bias) in matrices {
            add(name(module), "weight", &shape, rows);
            if has_bias {
                add(name(module), "bias", &shape[..1], rows);
            }
        }
        for (module, width) in &norms {
            add(name(module), "weight", &[*width], stored);
        }
    }
    all
}

/// Returns the row order of the tensor with the GGUF name `blk.N.{module}`.
pub fn rows_of(architecture: KnownArchitecture, module: &str, head: u64) -> RowOrder {
    let is_turned = matches!(module, "attn_q" | "attn_k");
    match architecture {
        KnownArchitecture::Llama if is_turned => RowOrder::Interleaved { head },
        _ => RowOrder::AsStored,
    }
}

/// Matches the stored tensors with the expected ones; returns the pairs in the order of the data on
/// disk.
///
/// # Errors
/// A tensor that is missing, unknown, or of another shape, with the number of others.
pub fn pair<'a>(
    stored: &'a BTreeMap<String, Stored>,
    expected: &'a BTreeMap<String, ExpectedTensor>,
    config: &Config,
) -> Result<Vec<(&'a Stored, &'a ExpectedTensor)>, CheckpointFault> {
    let missing: Vec<&String> =
        expected.keys().filter(|name| !stored.contains_key(*name)).collect();
    if let [first, rest @ ..] = &missing[..] {
        return Err(damaged(format!("tensor {}{} missing", shown(first), and_more(rest.len()))));
    }
    let is_needless = |name: &str| {
        // The wavelengths are recomputed; a tied head is the embedding.
        name.ends_with("rotary_emb.inv_freq") || (config.is_tied && name == HEAD)
    };
    let is_unknown = |name: &&String| !expected.contains_key(*name) && !is_needless(name);
    let unknown: Vec<&String> = stored.keys().filter(is_unknown).collect();
    if let [first, rest @ ..] = &unknown[..] {
        let (name, more) = (config.architecture.name(), and_more(rest.len()));
        return Err(unsupported(format!("tensor {}{more} not part of {name}", shown(first))));
    }
    let mut pairs = Vec::new();
    for (name, expected) in expected {
        let stored = &stored[name];
        if stored.shape != expected.shape {
            return Err(damaged(format!(
                "tensor {} has shape {:?}, but config.json requires {:?}",
                shown(name),
                stored.shape,
                expected.shape
            )));
        }
        pairs.push((stored, expected));
    }
    pairs.sort_by_key(|(stored, _)| (stored.shard, stored.start));
    Ok(pairs)
}

fn and_more(count: usize) -> String {
    match count {
        0 => " is".into(),
        count => format!(" and {count} more are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::convert::config::{self, tests::config};
    use safetensors::Dtype;

    fn of(changes: &str) -> (Config, BTreeMap<String, ExpectedTensor>) {
        let config = config::read(&config(changes)).unwrap();
        let expected = expected(&config);
        (config, expected)
    }

    fn stored(expected: &BTreeMap<String, ExpectedTensor>) -> BTreeMap<String, Stored> {
        let stored = |(name, expected): (&String, &ExpectedTensor)| {
            let (name, shape) = (name.clone(), expected.shape.clone());
            let stored = Stored {
                name: name.clone(),
                kind: Dtype::F32,
                shape,
                start: 0,
                bytes: 0,
                shard: 0,
            };
            (name, stored)
        };
        expected.iter().map(stored).collect()
    }

    #[test]
    fn each_architecture_has_its_own() {
        let (_, llama) = of(r#"{"num_key_value_heads":1}"#);
        assert_eq!(llama.len(), 3 + 2 * 9);
        let keys = &llama["model.layers.1.self_attn.k_proj.weight"];
        assert_eq!((keys.gguf.as_str(), &keys.shape[..]), ("blk.1.attn_k.weight", &[16, 64][..]));
        assert_eq!(keys.rows, RowOrder::Interleaved { head: 16 });
        let (_, qwen2) = of(r#"{"architectures":["Qwen2ForCausalLM"],"tie_word_embeddings":true}"#);
        assert_eq!(qwen2.len(), 2 + 2 * 12);
        assert_eq!(qwen2["model.layers.0.self_attn.q_proj.bias"].gguf, "blk.0.attn_q.bias");
        let (_, qwen3) = of(r#"{"architectures":["Qwen3ForCausalLM"],"head_dim":8}"#);
        let norm = &qwen3["model.layers.0.self_attn.k_norm.weight"];
        assert_eq!((norm.gguf.as_str(), &norm.shape[..]), ("blk.0.attn_k_norm.weight", &[8][..]));
        assert!(qwen3.values().all(|expected| expected.rows == RowOrder::AsStored));
        assert_eq!(of(r#"{"attention_bias":true,"mlp_bias":true}"#).1.len(), 3 + 2 * 16);
    }

    #[test]
    fn missing_unknown_and_misshapen_tensors_are_named() {
        let (config, expected) = of(r#"{"tie_word_embeddings":true}"#);
        let sound = stored(&expected);
        let mut more = sound.clone();
        for name in ["lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"] {
            more.insert(name.into(), sound["model.norm.weight"].clone());
        }
        assert_eq!(pair(&more, &expected, &config).unwrap().len(), expected.len());
        more.insert("x\n".into(), sound["model.norm.weight"].clone());
        let fault = pair(&more, &expected, &config).unwrap_err();
        assert_eq!(fault.cause, "tensor 'x\\n' is not part of llama");
        let mut less = sound.clone();
        less.remove("model.layers.0.mlp.up_proj.weight");
        less.remove("model.norm.weight");
        let fault = pair(&less, &expected, &config).unwrap_err();
        assert_eq!(
            fault.cause,
            "tensor 'model.layers.0.mlp.up_proj.weight' and 1 more are missing"
        );
        let mut odd = sound.clone();
        odd.get_mut("model.norm.weight").unwrap().shape = vec![63];
        let fault = pair(&odd, &expected, &config).unwrap_err();
        assert_eq!(
            fault.cause,
            "tensor 'model.norm.weight' has shape [63], but config.json requires [64]"
        );
    }

    #[test]
    fn only_the_names_of_modules_are_modules() {
        assert_eq!(module("model.layers.12.mlp.down_proj").as_deref(), Some("blk.12.ffn_down"));
        for name in ["model.layers.x.mlp.up_proj", "model.layers.01.mlp.up_proj", "mlp", ""] {
            assert_eq!(module(name), None, "{name}");
        }
    }
}
