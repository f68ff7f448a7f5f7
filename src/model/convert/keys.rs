//! Builds the metadata of a GGUF file from a checkpoint, with the key names of llama.cpp's
//! converter.

use std::path::Path;

use super::config::{Config, KnownArchitecture};
use super::fault::{CheckpointFault, shown, unsupported};
use super::json::Object;
use super::rope::{self, Scaling};
use super::special::Special;
use super::tokenizer::Vocabulary;
use crate::model::write::GgufValue;

/// The version of ggml's block formats.
const QUANTIZATION_VERSION: u32 = 2;

/// Keys and values, in file order.
#[derive(Debug, Default)]
pub(super) struct MetadataBuilder(pub Vec<(String, GgufValue)>);

impl MetadataBuilder {
    /// Starts with the keys every file has: architecture, type and name.
    pub(super) fn of(architecture: KnownArchitecture, kind: &str, name: &str) -> MetadataBuilder {
        let mut keys = MetadataBuilder::default();
        keys.text("general.architecture", architecture.name());
        keys.text("general.type", kind);
        keys.text("general.name", name);
        keys
    }

    pub(super) fn text(&mut self, key: &str, text: impl Into<String>) {
        self.0.push((key.into(), GgufValue::Text(text.into())));
    }

    pub(super) fn float(&mut self, key: &str, number: f32) {
        self.0.push((key.into(), GgufValue::F32(number)));
    }

    fn count(&mut self, key: &str, count: u64) {
        // Counts are bounded far below 2^32 where they are read.
        self.0.push((key.into(), GgufValue::U32(u32::try_from(count).unwrap_or(u32::MAX))));
    }

    /// Adds the file type and the quantization version, which tools display.
    pub(super) fn file_type(&mut self, file_type: u32) {
        self.count("general.file_type", u64::from(file_type));
        self.count("general.quantization_version", u64::from(QUANTIZATION_VERSION));
    }

    /// Adds the authors' recommended sampling settings.
    pub(super) fn sampling(&mut self, generation: &Object) -> Result<(), CheckpointFault> {
        if let Some(count) = generation.number("top_k")? {
            self.0.push(("general.sampling.top_k".into(), GgufValue::I32(count as i32)));
        }
        for (name, key) in [
            ("top_p", "top_p"),
            ("min_p", "min_p"),
            ("temperature", "temp"),
            ("repetition_penalty", "penalty_repeat"),
        ] {
            if let Some(number) = generation.number(name)? {
                self.float(&format!("general.sampling.{key}"), number as f32);
            }
        }
        Ok(())
    }

    /// Adds the parameters of the architecture.
    pub(super) fn config(&mut self, config: &Config) {
        let name = config.architecture.name();
        let of = |key: &str| format!("{name}.{key}");
        self.count(&of("block_count"), config.layers);
        self.count(&of("context_length"), config.context_tokens);
        self.count(&of("embedding_length"), config.hidden);
        self.count(&of("feed_forward_length"), config.feed_forward);
        self.count(&of("attention.head_count"), config.heads);
        self.count(&of("attention.head_count_kv"), config.kv_heads);
        self.float(&of("attention.layer_norm_rms_epsilon"), config.epsilon);
        self.count(&of("attention.key_length"), config.head);
        self.count(&of("attention.value_length"), config.head);
        if config.architecture == KnownArchitecture::Llama {
            self.count(&of("vocab_size"), config.vocabulary);
            self.count(&of("rope.dimension_count"), config.head);
        }
        self.float(&of("rope.freq_base"), config.rope.base);
        match &config.rope.scaling {
            // Llama 3's scaling is stored as a tensor.
            Scaling::None | Scaling::Llama3(_) => {}
            Scaling::Linear { factor } => {
                self.text(&of("rope.scaling.type"), "linear");
                self.float(&of("rope.scaling.factor"), *factor);
            }
            Scaling::Yarn { factor, original_tokens, attention } => {
                self.text(&of("rope.scaling.type"), "yarn");
                self.float(&of("rope.scaling.factor"), *factor);
                let original = u64::from(*original_tokens);
                self.count(&of("rope.scaling.original_context_length"), original);
                if let Some(attention) = attention {
                    // llama.cpp always applies YaRN's own factor, so this is the ratio to it. The
                    // other key, which its converter writes, is read but never used.
                    let own = rope::yarn_attention(*factor);
                    self.float(&of("rope.scaling.attn_factor"), *attention / own);
                    self.float(&of("rope.scaling.yarn_attn_factor"), *attention);
                }
            }
        }
    }

    /// Adds the vocabulary, special tokens and chat templates.
    pub(super) fn tokenizer(&mut self, vocabulary: Vocabulary, special: Special) {
        let mut add = |key: &str, value| self.0.push((format!("tokenizer.{key}"), value));
        add("ggml.model", GgufValue::Text(vocabulary.model.into()));
        add("ggml.pre", GgufValue::Text(vocabulary.pre.into()));
        if let Some(yes) = vocabulary.space_prefix {
            add("ggml.add_space_prefix", GgufValue::Bool(yes));
        }
        add("ggml.tokens", GgufValue::Texts(vocabulary.tokens));
        if let Some(scores) = vocabulary.scores {
            add("ggml.scores", GgufValue::F32s(scores));
        }
        add("ggml.token_type", GgufValue::I32s(vocabulary.kinds));
        if vocabulary.model == "gpt2" {
            add("ggml.merges", GgufValue::Texts(vocabulary.merges));
        }
        for (part, token) in &special.tokens {
            add(&format!("ggml.{part}_token_id"), GgufValue::U32(*token));
        }
        add("ggml.add_bos_token", GgufValue::Bool(special.adds_begin));
        if let Some(yes) = special.adds_end {
            add("ggml.add_eos_token", GgufValue::Bool(yes));
        }
        if !special.templates.is_empty() {
            let names = special.templates.iter().map(|(name, _)| name.clone()).collect();
            add("chat_templates", GgufValue::Texts(names));
        }
        for (name, text) in special.templates {
            add(&format!("chat_template.{name}"), GgufValue::Text(text));
        }
        if let Some(text) = special.template {
            add("chat_template", GgufValue::Text(text));
        }
    }
}

/// Returns the model's name: the one in its configuration, else its folder's.
pub(super) fn name(json: &Object, folder: &Path) -> Result<String, CheckpointFault> {
    let path = json.text("_name_or_path")?.map(Path::new);
    let given = path.and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = given.or_else(|| folder.file_name().map(|name| name.to_string_lossy()));
    let name = name.unwrap_or_default().into_owned();
    if name.contains('\0') {
        return Err(unsupported(format!("key '_name_or_path': {} contains NUL", shown(&name))));
    }
    Ok(name)
}
