//! From a question to the tokens of its prompt.
//!
//! The chat template's own text may contain control tokens, a person's text never does: `template`
//! renders the one around the other, and each is tokenised in its own way here. A person's text is
//! tokenised together with the template's plain text around it, so that the tokens are those of the
//! usual rendering whenever nobody typed a control token.

use super::Token;
use super::adapter_sets::AdapterSetId;
use super::llama::{Model, Written};
use super::template::{Segment, bad_template, render};
use super::think;
use crate::types::answer::Part;
use crate::types::error::{Error, Kind};
use crate::types::job::{Question, Role};
use crate::types::limits;

/// A prompt ready to be decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Its tokens, at least one.
    pub tokens: Vec<Token>,
    /// Where the model's text begins: thinking where the template itself opened it.
    pub part: Part,
    /// How many of them every prompt of its mode begins with.
    pub prefix_tokens: usize,
    /// The adapters it is read with.
    pub adapter_set: AdapterSetId,
}

/// ChatML, for models that have its control tokens but bring no template.
const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + \
    '<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}";

/// Renders and tokenises `question`.
///
/// # Errors
/// `too_long` with both numbers where the client's text exceeds `question_tokens_max` or the prompt
/// leaves no room in `context_tokens`; `bad_model` where the template is missing or broken.
pub fn prepare(
    model: &Model,
    question: &Question,
    question_tokens_max: u32,
    context_tokens: u32,
) -> Result<Prompt, Error> {
    let template = template_of(model)?;
    let texts: Vec<&str> = std::iter::once(question.system.as_str())
        .chain(question.turns.iter().map(|turn| turn.text.as_str()))
        .collect();
    check_length(model, question, &texts, question_tokens_max)?;
    let segments = render(&template, model.template_tokens(), question)?;
    let tokens = tokenize(model, &segments, &texts);
    if tokens.is_empty() {
        return Err(bad_template("nothing of it can be written in the model's vocabulary"));
    }
    if tokens.len() as u64 + 1 > u64::from(context_tokens) {
        return Err(too_long("prompt", tokens.len(), context_tokens.saturating_sub(1)));
    }
    let opens = |text: &String| text.trim_end().ends_with(think::OPEN);
    let opened = matches!(segments.last(), Some(Segment::Template(text)) if opens(text));
    let part = if opened { Part::Thinking } else { Part::Answer };
    Ok(Prompt { tokens, part, prefix_tokens: 0, adapter_set: 0 })
}

fn template_of(model: &Model) -> Result<String, Error> {
    let has = |name: &str| model.control_tokens().iter().any(|(_, text)| text == name);
    match model.chat_template() {
        Some(template) => Ok(template),
        None if has("<|im_start|>") && has("<|im_end|>") => Ok(CHATML.to_string()),
        None => Err(bad_template("it has none")),
    }
}

fn too_long(what: &str, tokens: usize, tokens_max: u32) -> Error {
    Error::new(
        Kind::TooLong,
        format!("the {what} has {tokens} tokens, at most {tokens_max} are allowed"),
        "Shorten the question.",
    )
}

/// Measures what people wrote: their side of the conversation, and a system message of their own.
/// What the model answered was bounded when it did; all of it must fit the context anyway.
///
/// Bytes are compared first: tokenising costs time that others wait for.
fn check_length(model: &Model, q: &Question, texts: &[&str], tokens_max: u32) -> Result<(), Error> {
    let people = q.turns.iter().zip(&texts[1..]).filter(|(turn, _)| turn.role == Role::User);
    let system = texts.first().filter(|_| q.brings_system());
    let sent: Vec<&str> = system.into_iter().chain(people.map(|(_, text)| text)).copied().collect();
    let bytes: usize = sent.iter().map(|text| text.len()).sum();
    let bytes_max = tokens_max as usize * limits::TOKEN_BYTES_MEAN_MAX;
    if bytes > bytes_max {
        return Err(Error::new(
            Kind::TooLong,
            format!("the question has {bytes} bytes, at most {bytes_max} are allowed"),
            "Shorten the question.",
        ));
    }
    let tokens = sent.iter().map(|text| model.tokenize(text, Written::ByPerson).len()).sum();
    if tokens > tokens_max as usize {
        return Err(too_long("question", tokens, tokens_max));
    }
    Ok(())
}

/// Tokenises segments: what stands between control tokens is one text, as llama.cpp itself sees it.
pub fn tokenize(model: &Model, segments: &[Segment], texts: &[&str]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut plain = String::new();
    for segment in segments {
        let text = match segment {
            Segment::Person(slot) => {
                plain.push_str(slot.fill(texts));
                continue;
            }
            Segment::Template(text) => text,
        };
        let Some((first, last)) = control_span(text, model.control_tokens()) else {
            plain.push_str(text);
            continue;
        };
        plain.push_str(&text[..first]);
        tokens.extend(model.tokenize(&plain, Written::ByPerson));
        tokens.extend(model.tokenize(&text[first..last], Written::ByTemplate));
        plain = text[last..].to_string();
    }
    tokens.extend(model.tokenize(&plain, Written::ByPerson));
    if let Some(start) = model.start_token()
        && tokens.first() != Some(&start)
    {
        tokens.insert(0, start);
    }
    tokens
}

/// Returns where the first control token in `text` begins and the last one ends.
fn control_span(text: &str, control: &[(Token, String)]) -> Option<(usize, usize)> {
    let first = control.iter().filter_map(|(_, name)| text.find(name.as_str())).min()?;
    let last = control
        .iter()
        .filter_map(|(_, name)| text.rfind(name.as_str()).map(|at| at + name.len()))
        .max()?;
    Some((first, last))
}
