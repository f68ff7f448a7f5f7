//! Checks the parameters of an architecture in a header: their types, and their consistency.
//!
//! For every architecture it checks what llama.cpp reads before it distinguishes architectures,
//! with the assertions it makes there (`load_hparams` of llama-model.cpp in llama-cpp-sys-2
//! 0.1.161). For the architectures known exactly (`qwen2`, `qwen3`, `llama`) it also checks what
//! their graphs assert, and the parameters that determine their tensors (src/models/ there).

use super::keys::{Metadata, TEXT};
use crate::types::limits;

/// An architecture whose tensors are known by name and shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownArchitecture {
    /// Qwen2: biases on queries, keys and values; the heads together are as wide as the layer.
    Qwen2,
    /// Qwen3: norms on queries and keys.
    Qwen3,
    /// Llama, and others that compute the same, such as Mixtral, SmolLM2, and Mistral without a
    /// sliding window.
    Llama,
}

impl KnownArchitecture {
    /// Returns the name of the architecture in a GGUF file, such as `qwen2`.
    pub fn name(self) -> &'static str {
        match self {
            KnownArchitecture::Qwen2 => "qwen2",
            KnownArchitecture::Qwen3 => "qwen3",
            KnownArchitecture::Llama => "llama",
        }
    }

    /// Finds an architecture by its name in a GGUF file.
    pub fn named(name: &str) -> Option<KnownArchitecture> {
        use KnownArchitecture::{Llama, Qwen2, Qwen3};
        [Qwen2, Qwen3, Llama].into_iter().find(|known| known.name() == name)
    }
}

/// The parameters of an architecture that is known exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The architecture these parameters belong to.
    pub architecture: KnownArchitecture,
    /// Number of transformer layers.
    pub layers: u64,
    /// Width of the hidden state.
    pub hidden: u64,
    /// Width of the feed-forward layers.
    pub feed_forward: u64,
    /// Total width of a layer's queries.
    pub queries: u64,
    /// Total width of a layer's keys, which is also that of its values.
    pub keys: u64,
    /// Number of elements in a head.
    pub head: u64,
    /// Number of experts per layer; 0 without experts.
    pub experts: u64,
    /// Whether positions are scaled by two lists of factors, for short and long contexts
    /// (LongRoPE).
    pub longrope: bool,
}

const U32S: &[&str] = &[
    "vocab_size",
    "context_length",
    "embedding_length",
    "embedding_length_out",
    "pooling_type",
    "classifier.pooling_type",
    "block_count",
    "nextn_predict_layers",
    "expert_count",
    "expert_group_count",
    "expert_group_used_count",
    "attention.key_length",
    "attention.value_length",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "rope.dimension_count",
    "rope.dimension_count_swa",
    "rope.scaling.original_context_length",
];
const F32S: &[&str] = &[
    "rope.freq_base",
    "rope.scaling.factor",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.alpha",
];
const EPSILONS: [&str; 2] = ["attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"];

/// Checks the parameters of `architecture`; returns them if the architecture is known exactly.
///
/// # Errors
/// A message that names the key.
pub fn check(keys: &Metadata, architecture: &str) -> Result<Option<Numbers>, String> {
    let of = Of { keys, architecture };
    if cannot_generate_text(architecture) {
        return Err(format!("architecture '{}' cannot generate text", architecture.escape_debug()));
    }
    types(&of)?;
    let layers = of.count("block_count", 1..=limits::MODEL_LAYERS_MAX as u32)?;
    let own = of.u32("nextn_predict_layers")?;
    if own >= layers {
        return of
            .wrong("nextn_predict_layers", format!("{own} of {layers} layers is not possible"));
    }
    experts(&of, layers)?;
    for name in ["feed_forward_length", "attention.head_count", "attention.head_count_kv"] {
        keys.per_layer(&of.name(name), layers)?;
    }
    let scaling = keys.text(&of.name("rope.scaling.type"))?.unwrap_or("linear");
    if !matches!(scaling, "none" | "linear" | "yarn" | "longrope") {
        return of
            .wrong("rope.scaling.type", format!("'{}' is not supported", scaling.escape_debug()));
    }
    match KnownArchitecture::named(architecture) {
        Some(architecture) => known(&of, architecture, layers, scaling == "longrope").map(Some),
        None => Ok(None),
    }
}

/// Returns whether every parameter and tensor of this architecture is known, so that the check
/// detects every malformed file of it; for others only what all have in common is checked.
pub fn is_known(architecture: &str) -> bool {
    KnownArchitecture::named(architecture).is_some()
}

/// Access to a header's keys below the name of its architecture.
struct Of<'k> {
    keys: &'k Metadata,
    architecture: &'k str,
}

impl Of<'_> {
    fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// Returns an integer, 0 if the key is missing.
    fn u32(&self, name: &str) -> Result<u32, String> {
        Ok(self.keys.u32(&self.name(name))?.unwrap_or(0))
    }

    /// Returns an integer that must exist and be within bounds.
    fn count(&self, name: &str, bounds: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
        match self.keys.u32(&self.name(name))? {
            Some(count) if bounds.contains(&count) => Ok(count),
            _ => self.wrong(name, format!("must be from {} to {}", bounds.start(), bounds.end())),
        }
    }

    fn wrong<T>(&self, name: &str, cause: impl std::fmt::Display) -> Result<T, String> {
        Err(format!("key '{}': {cause}", self.name(name).escape_debug()))
    }
}

/// Checks the types of all keys that llama.cpp reads for any architecture.
fn types(of: &Of) -> Result<(), String> {
    for name in U32S {
        of.u32(name)?;
    }
    for name in F32S {
        let value = of.keys.f32(&of.name(name))?;
        if value.is_some_and(|number| number < 0.0) {
            return of.wrong(name, "must not be negative");
        }
    }
    for name in EPSILONS {
        let epsilon = of.keys.f32(&of.name(name))?;
        if epsilon.is_some_and(|epsilon| !(0.0..1.0).contains(&epsilon)) {
            return of.wrong(name, "must be from 0 to 1");
        }
    }
    of.keys.bool(&of.name("rope.scaling.finetuned"))?;
    if of.keys.bool(&of.name("attention.causal"))? == Some(false) {
        return Err(
            "its attention is not causal (attention.causal), so it cannot generate text".into()
        );
    }
    of.keys.array(&of.name("classifier.output_labels"), &[TEXT])?;
    of.keys.u32("general.file_type")?;
    of.keys.text("general.name")?;
    Ok(())
}

fn experts(of: &Of, layers: u32) -> Result<(), String> {
    let experts = of.u32("expert_count")?;
    if experts > limits::MODEL_EXPERTS_MAX {
        return of.wrong("expert_count", format!("{experts} is not possible"));
    }
    let used = of.keys.per_layer(&of.name("expert_used_count"), layers)?.unwrap_or_default();
    let used = used.into_iter().max().unwrap_or(0);
    let possible = if experts == 0 { used == 0 } else { (1..=i64::from(experts)).contains(&used) };
    if !possible {
        return of.wrong("expert_used_count", format!("{used} of {experts} is not possible"));
    }
    let (groups, used) = (of.u32("expert_group_count")?, of.u32("expert_group_used_count")?);
    let possible = match groups {
        0 => true,
        1 => experts > 1,
        _ => groups < experts && experts.is_multiple_of(groups) && (1..groups).contains(&used),
    };
    if !possible {
        return of.wrong("expert_group_count", format!("{groups} is not possible"));
    }
    Ok(())
}

fn known(
    of: &Of,
    architecture: KnownArchitecture,
    layers: u32,
    longrope: bool,
) -> Result<Numbers, String> {
    of.count("context_length", 1..=u32::MAX)?;
    let hidden = of.count("embedding_length", 1..=limits::MODEL_WIDTH_MAX as u32)?;
    let heads = of.count("attention.head_count", 1..=limits::MODEL_HEADS_MAX as u32)?;
    let given = |name: &str, or: u32| Ok::<_, String>(of.keys.u32(&of.name(name))?.unwrap_or(or));
    let kv_heads = given("attention.head_count_kv", heads)?;
    if kv_heads == 0 || heads % kv_heads != 0 {
        return of.wrong(
            "attention.head_count_kv",
            format!("does not divide the {heads} heads: {kv_heads}"),
        );
    }
    let head = given("attention.key_length", hidden / heads)?;
    if head > limits::MODEL_HEAD_ELEMENTS_MAX as u32 || head == 0 || !head.is_multiple_of(2) {
        return of.wrong("attention.key_length", format!("{head} is not a possible head size"));
    }
    if architecture == KnownArchitecture::Qwen2 && head.checked_mul(heads) != Some(hidden) {
        let cause = format!("{heads} heads of size {head} do not add up to {hidden}");
        return of.wrong("attention.head_count", cause);
    }
    // Rotary embedding covers whole heads, and values are as wide as keys.
    for (name, or) in [("attention.value_length", hidden / heads), ("rope.dimension_count", head)] {
        let other = given(name, or)?;
        if other != head {
            return of.wrong(name, format!("{other} does not match the head size {head}"));
        }
    }
    if of.keys.f32(&of.name("attention.layer_norm_rms_epsilon"))?.is_none() {
        return of.wrong("attention.layer_norm_rms_epsilon", "it is missing");
    }
    if of.keys.f32(&of.name("rope.freq_base"))?.is_some_and(|base| base < 1.0) {
        return of.wrong("rope.freq_base", "must be at least 1");
    }
    let experts = of.u32("expert_count")?;
    if experts > 0 && architecture != KnownArchitecture::Llama {
        return of.wrong("expert_count", "experts are not supported for this architecture");
    }
    for (name, only) in
        [("nextn_predict_layers", 0), ("expert_group_count", 0), ("embedding_length_out", hidden)]
    {
        let number = of.u32(name)?;
        if number != 0 && number != only {
            return of.wrong(name, format!("{number} is not supported for this architecture"));
        }
    }
    Ok(Numbers {
        architecture,
        layers: layers.into(),
        hidden: hidden.into(),
        feed_forward: of.count("feed_forward_length", 1..=limits::MODEL_WIDTH_MAX as u32)?.into(),
        queries: u64::from(head) * u64::from(heads),
        keys: u64::from(head) * u64::from(kv_heads),
        head: head.into(),
        experts: experts.into(),
        longrope,
    })
}

/// Encoders and image, speech and diffusion models: llama.cpp has no KV cache for them, or asserts
/// on their graphs when asked to generate.
fn cannot_generate_text(architecture: &str) -> bool {
    let others = ["clip", "clef", "dream", "llada", "llada-moe", "rnd1", "wavtokenizer-dec"];
    architecture.contains("bert")
        || architecture.starts_with("t5")
        || architecture.ends_with("-embed")
        || architecture.ends_with("-embedding")
        || others.contains(&architecture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::{BOOL, F32, MetadataEntry, MetadataValue, U32};

    fn number(name: &str, number: i128) -> MetadataEntry {
        MetadataEntry { name: name.into(), kind: U32, value: MetadataValue::Whole(number) }
    }

    fn sound(architecture: &str) -> Metadata {
        let name = |name: &str| format!("{architecture}.{name}");
        let mut keys = vec![
            number(&name("context_length"), 256),
            number(&name("block_count"), 2),
            number(&name("embedding_length"), 64),
            number(&name("feed_forward_length"), 96),
            number(&name("attention.head_count"), 4),
            number(&name("attention.head_count_kv"), 2),
        ];
        let value = MetadataValue::Float(1e-6);
        keys.push(MetadataEntry {
            name: name("attention.layer_norm_rms_epsilon"),
            kind: F32,
            value,
        });
        Metadata(keys)
    }

    #[test]
    fn sound_numbers_say_how_wide_the_tensors_are() {
        let numbers = check(&sound("qwen2"), "qwen2").unwrap().unwrap();
        assert_eq!((numbers.queries, numbers.keys, numbers.head), (64, 32, 16));
        assert_eq!(check(&sound("quipu"), "quipu"), Ok(None));
    }

    #[test]
    fn what_llama_cpp_asserts_on_is_named() {
        let text = |name: &str, text: &str| MetadataEntry {
            name: name.into(),
            kind: TEXT,
            value: MetadataValue::Text(text.into()),
        };
        let cases = [
            (number("qwen2.block_count", 513), "block_count"),
            (number("qwen2.nextn_predict_layers", 2), "2 of 2 layers"),
            (number("qwen2.expert_used_count", 1), "1 of 0"),
            (number("qwen2.expert_count", 2_000), "expert_count"),
            (text("qwen2.rope.scaling.type", "spiral"), "'spiral' is not supported"),
            (text("qwen2.block_count", "2"), "has type text, but u32 is required"),
            (number("qwen2.rope.freq_base", 1), "has type u32, but f32 is required"),
            (number("qwen2.rope.dimension_count", 8), "8 does not match the head size 16"),
            (number("qwen2.attention.value_length", 8), "8 does not match the head size 16"),
            (number("qwen2.attention.key_length", 32), "do not add up to 64"),
            (number("qwen2.attention.head_count", 64), "1 is not a possible head size"),
            (number("qwen2.attention.head_count_kv", 3), "does not divide the 4 heads: 3"),
            (number("qwen2.embedding_length_out", 32), "embedding_length_out"),
        ];
        for (key, says) in cases {
            let mut keys = sound("qwen2");
            keys.0.retain(|known| known.name != key.name);
            keys.0.push(key.clone());
            let fault = check(&keys, "qwen2").expect_err(says);
            assert!(fault.contains(says), "{says}: {fault}");
        }
        let mut keys = sound("qwen2");
        let causal = "qwen2.attention.causal".to_string();
        keys.0.push(MetadataEntry { name: causal, kind: BOOL, value: MetadataValue::Bool(false) });
        assert!(check(&keys, "qwen2").is_err());
    }
}
