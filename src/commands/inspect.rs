//! `solverbox inspect FILE`: shows the contents of a GGUF file without loading it.

use std::path::Path;

use crate::model::{self, Header, locate};
use crate::types::error::{Error, printable};
use crate::types::plan::KvType;

/// Prints size, architecture, shape, types, tokenizer and template.
///
/// # Errors
/// Errors of [`model::look`].
pub fn run(file: &Path) -> Result<(), Error> {
    let header = model::look(&locate::find(Some(file), Path::new(""))?)?;
    super::print(&describe(&header))
}

fn describe(header: &Header) -> String {
    let shape = &header.shape;
    let kv = |kv: KvType| {
        let elements = shape.kv_heads * (shape.key + shape.value);
        shape.layers * kv.bytes(elements)
    };
    let mut lines = vec![
        row("file", header.file.name()),
        row("size", format!("{} bytes", header.file_bytes)),
        row("name", printable(&header.name)),
        row("architecture", printable(&header.architecture)),
        row("parameters", header.parameters().to_string()),
        row(
            "shape",
            format!(
                "{} layers, hidden {}, feed-forward {}, {} heads of {}, {} KV heads",
                shape.layers,
                shape.hidden,
                shape.feed_forward,
                shape.heads,
                shape.key,
                shape.kv_heads
            ),
        ),
        row("trained for", format!("{} tokens of context", shape.context_tokens)),
        row(
            "KV cache",
            format!("{} bytes per token in f16, {} in q8_0", kv(KvType::F16), kv(KvType::Q8_0)),
        ),
        row(
            "output head",
            if header.is_tied() { "tied to the embedding" } else { "its own tensor" },
        ),
    ];
    if let Some(fault) = &header.fault {
        lines.push(row("cannot run", printable(fault)));
    }
    for (name, bytes, tensors) in header.types() {
        lines.push(row(&format!("type {name}"), format!("{bytes} bytes in {tensors} tensors")));
    }
    let tokenizer = &header.tokenizer;
    let kind = format!("{} / {}, {} tokens", tokenizer.model, tokenizer.pre, tokenizer.tokens);
    lines.push(row("tokenizer", printable(&kind)));
    match &tokenizer.chat_template {
        Some(template) => lines.push(row("template", printable(template))),
        None => lines.push(row("template", "none")),
    }
    lines.concat()
}

fn row(name: &str, value: impl AsRef<str>) -> String {
    format!("{name:<14} {}\n", value.as_ref())
}
