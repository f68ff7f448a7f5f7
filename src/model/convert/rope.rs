//! Reads the settings of rotary position embedding (RoPE) in both forms of `config.json`:
//! `rope_theta` with `rope_scaling`, and transformers 5's `rope_parameters`.
//!
//! Formulas: transformers' modeling_rope_utils.py. llama.cpp computes linear and YaRN scaling
//! itself; Llama 3's scaling is passed as a tensor of factors, computed here.

use super::config::KnownArchitecture;
use super::fault::{CheckpointFault, damaged, shown, unsupported};
use super::json::Object;

/// A model's rotary position embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// The base of the wavelengths, `rope_theta`.
    pub base: f32,
    /// The extension of the context, if any.
    pub scaling: Scaling,
}

/// How positions are scaled to extend the context beyond the original length.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// No scaling: the context has its original length.
    None,
    /// Divides all positions by a factor.
    Linear {
        /// The divisor of the positions.
        factor: f32,
    },
    /// YaRN scaling (arXiv 2309.00071).
    Yarn {
        /// The ratio of the extended to the original context.
        factor: f32,
        /// Length of the original context in tokens.
        original_tokens: u32,
        /// The attention factor, if it differs from YaRN's default.
        attention: Option<f32>,
    },
    /// The scaling of Llama 3.1 and later.
    Llama3(Llama3),
}

/// The parameters of Llama 3's scaling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Llama3 {
    /// The factor by which long wavelengths are stretched.
    pub factor: f32,
    /// Wavelengths longer than the original context divided by this are stretched fully.
    pub low: f32,
    /// Wavelengths shorter than the original context divided by this are not stretched.
    pub high: f32,
    /// Length of the original context in tokens.
    pub original_tokens: f32,
}

pub(super) fn read(
    json: &Object,
    architecture: KnownArchitecture,
    context_tokens: u64,
) -> Result<Rope, CheckpointFault> {
    let given = match json.object("rope_parameters")? {
        Some(parameters) => Some(parameters),
        None => json.object("rope_scaling")?,
    };
    let rope = given.unwrap_or(Object(serde_json::json!({})));
    let mut keys = rope.0.as_object().into_iter().flatten();
    if let Some((layers, _)) = keys.find(|(_, value)| value.is_object()) {
        let cause = format!(
            "key 'rope_parameters': separate settings for layers of {} are not supported",
            shown(layers)
        );
        return Err(unsupported(cause));
    }
    let base = rope.number("rope_theta")?.or(json.number("rope_theta")?).unwrap_or(10_000.0);
    if !(1.0..1e30).contains(&base) {
        return Err(damaged(format!("key 'rope_theta': {base} is out of range")));
    }
    let partial = match rope.number("partial_rotary_factor")? {
        Some(factor) => Some(factor),
        None => json.number("partial_rotary_factor")?,
    };
    if partial.is_some_and(|factor| factor != 1.0) {
        return Err(unsupported(
            "key 'partial_rotary_factor': rotating only part of a head is not supported",
        ));
    }
    let kind = rope.text("rope_type")?.or(rope.text("type")?).unwrap_or("default");
    let scaling = match kind {
        "default" | "none" => Scaling::None,
        "linear" => Scaling::Linear { factor: positive(&rope, "factor")? },
        "yarn" => yarn(&rope, context_tokens)?,
        "llama3" if architecture == KnownArchitecture::Llama => Scaling::Llama3(llama3(&rope)?),
        other => {
            let cause = format!("key 'rope_type': scaling {} is not supported", shown(other));
            return Err(unsupported(cause));
        }
    };
    Ok(Rope { base: base as f32, scaling })
}

fn yarn(rope: &Object, context_tokens: u64) -> Result<Scaling, CheckpointFault> {
    for key in ["mscale", "mscale_all_dim"] {
        if rope.get(key).is_some() {
            return Err(unsupported(format!(
                "key '{key}' of the RoPE settings: DeepSeek's variant is not supported"
            )));
        }
    }
    if rope.flag("truncate")? == Some(false) {
        return Err(unsupported("key 'truncate': only true is supported"));
    }
    // llama.cpp reads these for other architectures only.
    for (key, own) in [("beta_fast", 32.0), ("beta_slow", 1.0)] {
        if let Some(given) = rope.number(key)?.filter(|given| *given != own) {
            return Err(unsupported(format!(
                "key '{key}' of the RoPE settings: {given} is not supported, only {own}"
            )));
        }
    }
    let factor = positive(rope, "factor")?;
    if factor < 1.0 {
        return Err(damaged(format!(
            "key 'factor' of the RoPE settings: {factor} does not extend the context"
        )));
    }
    let original = rope.count_or("original_max_position_embeddings", 1 << 31)?;
    let attention = optional(rope, "attention_factor")?;
    Ok(Scaling::Yarn {
        factor,
        original_tokens: original.unwrap_or(context_tokens) as u32,
        attention,
    })
}

fn llama3(rope: &Object) -> Result<Llama3, CheckpointFault> {
    let original_tokens = positive(rope, "original_max_position_embeddings")?;
    let (low, high) = (positive(rope, "low_freq_factor")?, positive(rope, "high_freq_factor")?);
    if low >= high {
        return Err(damaged(format!("key 'low_freq_factor': {low} is not less than {high}")));
    }
    Ok(Llama3 { factor: positive(rope, "factor")?, low, high, original_tokens })
}

fn positive(rope: &Object, key: &str) -> Result<f32, CheckpointFault> {
    optional(rope, key)?
        .ok_or_else(|| damaged(format!("key '{key}' of the RoPE settings is missing")))
}

fn optional(rope: &Object, key: &str) -> Result<Option<f32>, CheckpointFault> {
    let number = rope.number(key)?.map(|number| number as f32);
    match number {
        Some(x) if !(1e-6..1e9).contains(&x) => {
            Err(damaged(format!("key '{key}' of the RoPE settings: {x} is out of range")))
        }
        number => Ok(number),
    }
}

/// Returns YaRN's default attention factor for a scaling factor.
pub fn yarn_attention(factor: f32) -> f32 {
    1.0 + 0.1 * factor.ln()
}

/// Returns the factor by which each wavelength is stretched, for a head of `head` elements: the
/// tensor `rope_freqs.weight`.
pub fn factors(rope: &Llama3, base: f32, head: u64) -> Vec<f32> {
    let low_wavelength = rope.original_tokens / rope.low;
    let high_wavelength = rope.original_tokens / rope.high;
    let factor = |pair: u64| {
        // In 32-bit arithmetic, step by step as in transformers.
        let frequency = 1.0 / base.powf((2 * pair) as f32 / head as f32);
        let wavelength = 2.0 * std::f32::consts::PI / frequency;
        if wavelength < high_wavelength {
            1.0
        } else if wavelength > low_wavelength {
            rope.factor
        } else {
            let smooth = (rope.original_tokens / wavelength - rope.low) / (rope.high - rope.low);
            1.0 / ((1.0 - smooth) / rope.factor + smooth)
        }
    };
    (0..head / 2).map(factor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::convert::config::{self, tests::config};

    fn rope(changes: &str) -> Result<Rope, CheckpointFault> {
        Ok(config::read(&config(changes))?.rope)
    }

    #[test]
    fn both_spellings_are_read() {
        assert_eq!(rope("{}").unwrap(), Rope { base: 5000.0, scaling: Scaling::None });
        let new = r#"{"rope_theta":null,"rope_parameters":
            {"rope_theta":7.0,"rope_type":"linear","factor":2.0}}"#;
        let expected = Rope { base: 7.0, scaling: Scaling::Linear { factor: 2.0 } };
        assert_eq!(rope(new).unwrap(), expected);
        let old = r#"{"rope_theta":7.0,"rope_scaling":{"type":"linear","factor":2.0}}"#;
        assert_eq!(rope(old).unwrap(), expected);
    }

    #[test]
    fn yarns_numbers_are_read() {
        let given = r#"{"rope_scaling":{"type":"yarn","factor":4.0,"attention_factor":2.0,
            "original_max_position_embeddings":32768}}"#;
        let Scaling::Yarn { attention, original_tokens, .. } = rope(given).unwrap().scaling else {
            panic!("it is YaRN");
        };
        assert_eq!((original_tokens, attention), (32768, Some(2.0)));
        assert_eq!(yarn_attention(1.0), 1.0);
    }

    #[test]
    fn llama_3_stretches_long_wavelengths_and_blends_between() {
        let numbers = Llama3 { factor: 8.0, low: 1.0, high: 4.0, original_tokens: 8192.0 };
        let factors = factors(&numbers, 500_000.0, 128);
        assert_eq!((factors.len(), factors[0], factors[63]), (64, 1.0, 8.0));
        assert!(factors.windows(2).all(|pair| pair[0] <= pair[1]), "{factors:?}");
        assert!(factors.iter().any(|&f| f > 1.0 && f < 8.0));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        let cases = [
            (r#"{"rope_scaling":{"type":"dynamic","factor":2.0}}"#, "'dynamic' is not supported"),
            (r#"{"rope_scaling":{"type":"linear"}}"#, "'factor' of the RoPE settings is missing"),
            (r#"{"rope_scaling":{"type":"linear","factor":0}}"#, "out of range"),
            (
                r#"{"rope_parameters":{"full_attention":{"rope_theta":7.0}}}"#,
                "'rope_parameters': separate settings for layers of 'full_attention'",
            ),
            (r#"{"rope_scaling":7}"#, "'rope_scaling': '7' is not an object"),
            (r#"{"rope_scaling":{"type":"yarn","factor":2,"beta_fast":16}}"#, "'beta_fast'"),
            (r#"{"rope_scaling":{"type":"yarn","factor":2,"mscale":1}}"#, "'mscale'"),
            (r#"{"rope_scaling":{"type":"yarn","factor":0.5}}"#, "'factor'"),
            (r#"{"partial_rotary_factor":0.5}"#, "'partial_rotary_factor'"),
            (r#"{"rope_theta":0}"#, "'rope_theta'"),
            (
                r#"{"architectures":["Qwen2ForCausalLM"],"rope_scaling":{"rope_type":"llama3"}}"#,
                "'llama3' is not supported",
            ),
        ];
        for (changes, says) in cases {
            let fault = rope(changes).unwrap_err();
            assert!(fault.cause.contains(says), "{says}: {fault:?}");
        }
    }
}
