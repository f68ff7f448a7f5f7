//! Evaluates a model on texts: for importance matrices, and to compare two quantizations of a
//! model.
//!
//! Plain text is processed like in llama.cpp's tools, so that the figures can be compared with
//! theirs: in passages of 512 tokens, of which the second half, except its first token, is scored.
//! A question with its reply is one passage, of which the reply is scored.

mod distance;

use super::attempt::close_text;
use super::llama::{Backend, Context, LlamaSequence, Logits, Model, Observer, TextOrigin};
use super::prompt;
use super::sample::not_a_number;
use super::think;
use crate::types::answer::{Part, Token};
use crate::types::error::{Error, Kind};
use crate::types::job::Question;
use crate::types::limits;
use crate::types::plan::Plan;
use crate::types::quantize::Importance;

pub use distance::Comparison;
use distance::DivergenceSums;

/// A text to evaluate a model on.
#[derive(Clone, Debug)]
pub enum Document {
    /// Plain text. Control tokens in it are parsed, because it is the operator's own text.
    Text(String),
    /// A question as a client submitted it, and a model's reply.
    Exchange {
        /// The question, rendered with the model's chat template.
        question: Box<Question>,
        /// The thinking of the reply; empty if there was none.
        thinking: String,
        /// The answer of the reply.
        answer: String,
    },
}

/// Tokens that are decoded from an empty context on.
#[derive(Clone, Debug, PartialEq)]
struct TokenPassage {
    tokens: Vec<Token>,
    /// The first token that is scored, by the probability the model gave it.
    scored_from: usize,
}

/// Evaluates the plan's model on `documents` and returns the importance of each input of its
/// matrices. Calls `progress` with the passages done and the total.
///
/// Blocks. No engine may be running. The plan's context bounds the length of a passage.
///
/// # Errors
/// `bad_request` if the text is too short; also if the model cannot be loaded.
pub fn importance(
    plan: &Plan,
    documents: &[Document],
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<Importance>, Error> {
    let backend = Backend::start(plan.kernels)?;
    let model = Model::load(&backend, plan, |_| true)?;
    let passages = passages(&model, documents, plan)?;
    let observer = Observer::default();
    let mut context = Context::for_reading(&backend, &model, plan, Some(&observer))?;
    activate_all(&model, plan, &mut context)?;
    for (done, passage) in passages.iter().enumerate() {
        progress(done, passages.len());
        evaluate(&mut [&mut context], passage, |_, _| Ok(()))?;
    }
    progress(passages.len(), passages.len());
    Ok(observer.collected())
}

/// Compares two models on `documents`; the first is the reference. Calls `progress` with the
/// passages done and the total.
///
/// Blocks. No engine may be running. Both models are in memory at once.
///
/// # Errors
/// `bad_request` if the text is too short or the vocabularies differ; `bad_model` if a model
/// computes NaN or infinity; also if a model cannot be loaded.
pub fn compare(
    plans: [&Plan; 2],
    documents: &[Document],
    mut progress: impl FnMut(usize, usize),
) -> Result<Comparison, Error> {
    let backend = Backend::start(plans[0].kernels)?;
    let load = |plan: &Plan| Model::load(&backend, plan, |_| true);
    let models = [load(plans[0])?, load(plans[1])?];
    let lists =
        [passages(&models[0], documents, plans[0])?, passages(&models[1], documents, plans[1])?];
    let width = models[0].vocabulary_tokens();
    if width != models[1].vocabulary_tokens() || lists[0] != lists[1] {
        return Err(Error::bad_request(
            format!("{} and {} have different vocabularies", plans[0].model, plans[1].model),
            "Compare two files of the same model.",
        ));
    }
    let context = |at: usize| Context::for_reading(&backend, &models[at], plans[at], None);
    let (mut first, mut second) = (context(0)?, context(1)?);
    activate_all(&models[0], plans[0], &mut first)?;
    activate_all(&models[1], plans[1], &mut second)?;
    let mut sums = DivergenceSums::default();
    for (done, passage) in lists[0].iter().enumerate() {
        progress(done, lists[0].len());
        evaluate(&mut [&mut first, &mut second], passage, |next, rows| {
            let row = |which: usize, at: usize| &rows[which][at * width..][..width];
            let scored = next.iter().enumerate().filter_map(|(at, token)| Some((at, (*token)?)));
            for (at, token) in scored {
                let logits = [row(0, at), row(1, at)];
                let not_finite = |which: usize| not_a_number(plans[which]);
                sums.add(logits, token.index()).map_err(not_finite)?;
            }
            Ok(())
        })?;
    }
    progress(lists[0].len(), lists[0].len());
    sums.comparison().ok_or_else(|| {
        Error::bad_request(
            "--text: there is nothing to score, because all replies are empty",
            "Give records with answers, or plain text.",
        )
    })
}

/// Activates all of the plan's adapters.
fn activate_all(model: &Model, plan: &Plan, context: &mut Context) -> Result<(), Error> {
    let load = |file| model.load_adapter(file);
    let adapters = plan.adapters.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    context.activate(&adapters.iter().map(|adapter| (adapter, 1.0)).collect::<Vec<_>>())
}

/// Decodes a passage in one or two contexts, ubatch by ubatch, from an empty cache on.
///
/// `score` gets, for each token of a ubatch, the next token if it is to be scored, and each
/// context's logits, one row per token.
fn evaluate<'m>(
    contexts: &mut [&mut Context<'m>],
    passage: &TokenPassage,
    mut score: impl FnMut(&[Option<Token>], &[&[f32]]) -> Result<(), Error>,
) -> Result<(), Error> {
    let step = limits::UBATCH_TOKENS as usize;
    for (index, slice) in passage.tokens.chunks(step).enumerate() {
        let start = index * step;
        for context in contexts.iter_mut() {
            context.read(slice, start as u32, Logits::All)?;
        }
        let next: Vec<Option<Token>> = (start + 1..=start + slice.len())
            .map(|at| passage.tokens.get(at).copied().filter(|_| at >= passage.scored_from))
            .collect();
        let rows: Result<Vec<&[f32]>, Error> = contexts.iter().map(|c| c.all_logits()).collect();
        score(&next, &rows?)?;
    }
    contexts.iter_mut().for_each(|context| context.truncate(LlamaSequence::FIRST, 0));
    Ok(())
}

fn passages(
    model: &Model,
    documents: &[Document],
    plan: &Plan,
) -> Result<Vec<TokenPassage>, Error> {
    let mut list = Vec::new();
    for document in documents {
        match document {
            Document::Text(text) => list.extend(of_text(model, text, plan.context_tokens)),
            Document::Exchange { question, thinking, answer } => {
                list.extend(of_exchange(model, question, thinking, answer, plan)?);
            }
        }
    }
    if list.is_empty() {
        let least = limits::PASSAGE_TOKENS_MIN;
        return Err(Error::bad_request(
            format!("--text: the text is too short, at least {least} tokens are needed"),
            "Give a longer text.",
        ));
    }
    Ok(list)
}

fn of_text(model: &Model, text: &str, context_tokens: u32) -> Vec<TokenPassage> {
    let start = model.start_token();
    let mut tokens: Vec<Token> = start.into_iter().collect();
    // In pieces: llama.cpp allocates 70 bytes for each byte of a text.
    pieces(text).for_each(|piece| tokens.extend(model.tokenize(piece, TextOrigin::Template)));
    let long = limits::PASSAGE_TOKENS.min(context_tokens) as usize;
    // An incomplete passage at the end is dropped, as in llama.cpp's tools, unless it is the only
    // one.
    let long = if tokens.len() < long { tokens.len() } else { long };
    if long < limits::PASSAGE_TOKENS_MIN {
        return Vec::new();
    }
    let passage = |chunk: &[Token]| {
        let mut tokens = chunk.to_vec();
        // Replaces the first token, which is not scored.
        start.iter().for_each(|&start| tokens[0] = start);
        TokenPassage { tokens, scored_from: long / 2 + 1 }
    };
    tokens.chunks_exact(long).map(passage).collect()
}

/// Cuts a text before lines that do not start with white space, where no token spans the cut; a
/// line longer than `TEXT_PIECE_BYTES` is cut anywhere.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let most = rest.floor_char_boundary(limits::TEXT_PIECE_BYTES);
        let begins = |at: &usize| !rest[*at..].starts_with(char::is_whitespace);
        let mut lines = rest[..most].rmatch_indices('\n').map(|(at, _)| at + 1);
        let end = if most == rest.len() { most } else { lines.find(begins).unwrap_or(most) };
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Returns the passage, or `None` if the prompt alone fills the context.
fn of_exchange(
    model: &Model,
    question: &Question,
    thinking: &str,
    answer: &str,
    plan: &Plan,
) -> Result<Option<TokenPassage>, Error> {
    let room = plan.context_tokens;
    let prompt = match prompt::prepare(model, question, plan.question_tokens_max, room) {
        Err(error) if error.kind == Kind::TooLong => return Ok(None),
        prompt => prompt?,
    };
    // With the line breaks of reasoning models; records contain the text without them.
    let thinking = match (thinking.is_empty(), prompt.part) {
        (true, _) => String::new(),
        (false, Part::Thinking) => format!("{thinking}{}", close_text()),
        (false, Part::Answer) => format!("{}\n{thinking}{}", think::OPEN, close_text()),
    };
    let scored_from = prompt.tokens.len();
    let mut tokens = prompt.tokens;
    tokens.extend(model.tokenize(&format!("{thinking}{answer}"), TextOrigin::Template));
    tokens.truncate(room as usize);
    Ok(Some(TokenPassage { tokens, scored_from }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_before_lines_without_loss() {
        let line = "x".repeat(limits::TEXT_PIECE_BYTES / 4 - 10) + "\n";
        let text = line.repeat(4) + "  " + &line.repeat(4) + "é".repeat(90_000).as_str();
        let cut: Vec<&str> = pieces(&text).collect();
        assert!(cut.concat() == text);
        assert!(cut.iter().all(|piece| piece.len() <= limits::TEXT_PIECE_BYTES));
        assert_eq!(cut[0].len(), 3 * line.len(), "not before the line that starts with spaces");
        assert_eq!(pieces("").count(), 0);
    }
}
