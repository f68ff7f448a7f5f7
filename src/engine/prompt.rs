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
/// `too_long`, with both numbers and whether the question or the conversation is meant, if the
/// client's text exceeds `question_tokens_max` or the prompt leaves no room in `context_tokens`;
/// `bad_model` if the template is missing or broken.
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
        let sent = match question.turns.len() {
            1 => TextSent::Question,
            _ => TextSent::Conversation,
        };
        let tokens_max = context_tokens.saturating_sub(1) as usize;
        return Err(sent.too_long("tokens", tokens.len(), tokens_max));
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

/// What a client can shorten.
#[derive(Clone, Copy)]
enum TextSent {
    Question,
    Conversation,
}

impl TextSent {
    fn too_long(self, unit: &str, length: usize, length_max: usize) -> Error {
        let (what, remedy) = match self {
            TextSent::Question => ("question", "Shorten the question."),
            TextSent::Conversation => {
                ("conversation", "Start a new conversation, or leave out its first messages.")
            }
        };
        Error::new(
            Kind::TooLong,
            format!("the {what} has {length} {unit}, at most {length_max} are allowed"),
            remedy,
        )
    }
}

/// Checks the length of the client's own text: the user turns, and a system message if the client
/// supplied one. Earlier answers were bounded when they were generated, and the context bounds
/// everything.
///
/// Compares bytes first, because all attempts wait while a text is tokenised.
fn check_length(model: &Model, q: &Question, texts: &[&str], tokens_max: u32) -> Result<(), Error> {
    let turns = q.turns.iter().zip(&texts[1..]).filter(|(turn, _)| turn.role == Role::User);
    let mut sent: Vec<&str> = turns.map(|(_, &text)| text).collect();
    // The question itself is last.
    let earlier = sent.len().saturating_sub(1);
    sent.extend(texts.first().filter(|_| q.brings_system()));
    let check = |unit, length_max: usize, length_of: &dyn Fn(&str) -> usize| {
        let lengths: Vec<usize> = sent.iter().map(|text| length_of(text)).collect();
        let (all, question) = (lengths.iter().sum(), lengths[earlier..].iter().sum::<usize>());
        match () {
            () if question > length_max => {
                Err(TextSent::Question.too_long(unit, question, length_max))
            }
            () if all > length_max => Err(TextSent::Conversation.too_long(unit, all, length_max)),
            () => Ok(()),
        }
    };
    check("bytes", tokens_max as usize * limits::TOKEN_BYTES_MEAN_MAX, &str::len)?;
    check("tokens", tokens_max as usize, &|text| model.tokenize(text, TextOrigin::User).len())
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
