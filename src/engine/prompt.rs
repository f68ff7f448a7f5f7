//! From a question to the tokens of its prompt.
//!
//! The chat template's own text may contain control tokens, user text never does: `template`
//! renders the one around the other, and here each is tokenised in its own way. User text is
//! tokenised together with the template's plain text around it, so the tokens equal those of the
//! usual rendering unless a user typed a control token.

use super::llama::{Model, TextOrigin};
use super::protocol::{AdapterSetId, Prompt};
use super::template::{Segment, bad_template, render};
use super::think;
use crate::types::answer::{Part, Token};
use crate::types::error::{Error, Kind};
use crate::types::job::{Question, Role};
use crate::types::limits;

/// ChatML, for models that have its control tokens but no template.
const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + \
    '<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}";

/// Renders and tokenises `question`; the prompt has no prefix and no adapters yet.
///
/// # Errors
/// `too_long`, with both numbers, if the client's text exceeds `question_tokens_max` or the prompt
/// leaves no room in `context_tokens`; `bad_model` if the template is missing or broken.
pub(crate) fn prepare(
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
        return Err(bad_template("its output has no tokens in the model's vocabulary"));
    }
    if tokens.len() as u64 + 1 > u64::from(context_tokens) {
        return Err(too_long("prompt", tokens.len(), context_tokens.saturating_sub(1)));
    }
    let opens = |text: &String| text.trim_end().ends_with(think::OPEN);
    let opened = matches!(segments.last(), Some(Segment::Template(text)) if opens(text));
    let part = if opened { Part::Thinking } else { Part::Answer };
    Ok(Prompt { tokens, part, prefix_tokens: 0, adapter_set: AdapterSetId::NONE })
}

fn template_of(model: &Model) -> Result<String, Error> {
    let has = |name: &str| model.control_tokens().iter().any(|(_, text)| text == name);
    match model.chat_template() {
        Some(template) => Ok(template),
        None if has("<|im_start|>") && has("<|im_end|>") => Ok(CHATML.to_string()),
        None => Err(bad_template("the file has none")),
    }
}

fn too_long(what: &str, tokens: usize, tokens_max: u32) -> Error {
    Error::new(
        Kind::TooLong,
        format!("the {what} has {tokens} tokens, at most {tokens_max} are allowed"),
        "Shorten the question.",
    )
}

/// Checks the length of the client's own text: the user turns, and a system message if the client
/// supplied one. Earlier answers were bounded when they were generated, and the context bounds
/// everything.
///
/// Compares bytes first, because all attempts wait while a text is tokenised.
fn check_length(model: &Model, q: &Question, texts: &[&str], tokens_max: u32) -> Result<(), Error> {
    let user_turns = q.turns.iter().zip(&texts[1..]).filter(|(turn, _)| turn.role == Role::User);
    let system = texts.first().filter(|_| q.brings_system());
    let sent: Vec<&str> =
        system.into_iter().chain(user_turns.map(|(_, text)| text)).copied().collect();
    let bytes: usize = sent.iter().map(|text| text.len()).sum();
    let bytes_max = tokens_max as usize * limits::TOKEN_BYTES_MEAN_MAX;
    if bytes > bytes_max {
        return Err(Error::new(
            Kind::TooLong,
            format!("the question has {bytes} bytes, at most {bytes_max} are allowed"),
            "Shorten the question.",
        ));
    }
    let tokens = sent.iter().map(|text| model.tokenize(text, TextOrigin::User).len()).sum();
    if tokens > tokens_max as usize {
        return Err(too_long("question", tokens, tokens_max));
    }
    Ok(())
}

/// Tokenises segments; the text between two control tokens is tokenised in one piece, as llama.cpp
/// does it.
pub(crate) fn tokenize(model: &Model, segments: &[Segment], texts: &[&str]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut plain = String::new();
    for segment in segments {
        let text = match segment {
            Segment::User(slot) => {
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
        tokens.extend(model.tokenize(&plain, TextOrigin::User));
        tokens.extend(model.tokenize(&text[first..last], TextOrigin::Template));
        plain = text[last..].to_string();
    }
    tokens.extend(model.tokenize(&plain, TextOrigin::User));
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
