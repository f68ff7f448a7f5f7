//! Reads texts with a model instead of answering with it: for importance matrices, and to compare
//! two quantizations of one model.
//!
//! Plain text is read as llama.cpp's tools read it, so that the figures can be compared with
//! theirs: in passages of 512 tokens, of which the second half is judged but for its first token. A
//! question with its reply is read as one passage, of which the reply is judged.

mod distance;

use super::attempt::close_text;
use super::llama::{Backend, Context, Logits, Model, Observer, Written};
use super::run_loop::not_a_number;
use super::{Token, prompt, think};
use crate::types::answer::Part;
use crate::types::error::{Error, Kind};
use crate::types::job::Question;
use crate::types::limits;
use crate::types::plan::Plan;
use crate::types::quantize::Importance;

pub use distance::Comparison;
use distance::Tally;

/// Something to be read.
#[derive(Clone, Debug)]
pub enum Document {
    /// A text. What looks like a control token is one: it is the owner's own text.
    Text(String),
    /// A question as a person asked it, and what a model replied.
    Exchange {
        /// The question.
        question: Box<Question>,
        /// What was thought, empty if nothing.
        thinking: String,
        /// What was answered.
        answer: String,
    },
}

/// Tokens that are read in one go, from an empty context on.
#[derive(Clone, Debug, PartialEq)]
struct Passage {
    tokens: Vec<Token>,
    /// The first token that is judged, by what the model expected in its place.
    judged_from: usize,
}

/// Reads `documents` with the plan's model and returns how much each input of its matrices matters;
/// `progress` hears passages read and passages in all.
///
/// Blocks. No engine may be running. The plan's context bounds a passage.
///
/// # Errors
/// `bad_request` where there is too little to read; those of loading.
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
    wear_all(&model, plan, &mut context)?;
    for (done, passage) in passages.iter().enumerate() {
        progress(done, passages.len());
        read(&mut [&mut context], passage, |_, _| Ok(()))?;
    }
    progress(passages.len(), passages.len());
    Ok(observer.collected())
}

/// Reads `documents` with two models, the first of which is the measure of the second.
///
/// Blocks. No engine may be running. Both models are in memory at once.
///
/// # Errors
/// `bad_request` where there is too little to read, or the models have different vocabularies;
/// `bad_model` where one computes no numbers; those of loading.
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
            "Compare two files of one model.",
        ));
    }
    let context = |at: usize| Context::for_reading(&backend, &models[at], plans[at], None);
    let (mut first, mut second) = (context(0)?, context(1)?);
    wear_all(&models[0], plans[0], &mut first)?;
    wear_all(&models[1], plans[1], &mut second)?;
    let mut tally = Tally::default();
    for (done, passage) in lists[0].iter().enumerate() {
        progress(done, lists[0].len());
        read(&mut [&mut first, &mut second], passage, |next, rows| {
            let row = |which: usize, at: usize| &rows[which][at * width..][..width];
            let judged = next.iter().enumerate().filter_map(|(at, token)| Some((at, (*token)?)));
            for (at, token) in judged {
                let logits = [row(0, at), row(1, at)];
                let no_number = |which: usize| not_a_number(plans[which]);
                tally.add(logits, token as usize).map_err(no_number)?;
            }
            Ok(())
        })?;
    }
    progress(lists[0].len(), lists[0].len());
    tally.comparison().ok_or_else(|| {
        Error::bad_request(
            "--text: it holds nothing to judge the models by: its replies are empty",
            "Give records with answers, or a plain text.",
        )
    })
}

/// Adds all of the plan's adapters to the weights.
fn wear_all(model: &Model, plan: &Plan, context: &mut Context) -> Result<(), Error> {
    let read = |file| model.read_adapter(file);
    let adapters = plan.adapters.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    context.activate(&adapters.iter().map(|adapter| (adapter, 1.0)).collect::<Vec<_>>())
}

/// Reads a passage with one or two contexts, a ubatch at a time, from an empty cache on.
///
/// `judge` hears, for each token of a ubatch, the token that follows if that is to be judged, and
/// each context's logits, a row for each token.
fn read<'m>(
    contexts: &mut [&mut Context<'m>],
    passage: &Passage,
    mut judge: impl FnMut(&[Option<Token>], &[&[f32]]) -> Result<(), Error>,
) -> Result<(), Error> {
    let step = limits::UBATCH_TOKENS as usize;
    for (index, slice) in passage.tokens.chunks(step).enumerate() {
        let start = index * step;
        for context in contexts.iter_mut() {
            context.read(slice, start as u32, Logits::All)?;
        }
        let next: Vec<Option<Token>> = (start + 1..=start + slice.len())
            .map(|at| passage.tokens.get(at).copied().filter(|_| at >= passage.judged_from))
            .collect();
        let rows: Result<Vec<&[f32]>, Error> = contexts.iter().map(|c| c.all_logits()).collect();
        judge(&next, &rows?)?;
    }
    contexts.iter_mut().for_each(|context| context.truncate(0, 0));
    Ok(())
}

fn passages(model: &Model, documents: &[Document], plan: &Plan) -> Result<Vec<Passage>, Error> {
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
            format!("--text: there is too little to read, at least {least} tokens are needed"),
            "Give a longer text.",
        ));
    }
    Ok(list)
}

fn of_text(model: &Model, text: &str, context_tokens: u32) -> Vec<Passage> {
    let start = model.start_token();
    let mut tokens: Vec<Token> = start.into_iter().collect();
    // Piece by piece: llama.cpp takes 70 bytes for each it is given at once.
    pieces(text).for_each(|piece| tokens.extend(model.tokenize(piece, Written::ByTemplate)));
    let long = limits::PASSAGE_TOKENS.min(context_tokens) as usize;
    // What remains at the end is dropped, as llama.cpp's tools do, unless it is all there is.
    let long = if tokens.len() < long { tokens.len() } else { long };
    if long < limits::PASSAGE_TOKENS_MIN {
        return Vec::new();
    }
    let passage = |chunk: &[Token]| {
        let mut tokens = chunk.to_vec();
        // It takes the first token's place, which is not judged.
        start.iter().for_each(|&start| tokens[0] = start);
        Passage { tokens, judged_from: long / 2 + 1 }
    };
    tokens.chunks_exact(long).map(passage).collect()
}

/// Cuts a text before lines that do not begin with white space, where no token ends up in two
/// pieces; a line longer than `TEXT_PIECE_BYTES` is cut anywhere.
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

/// Returns the passage, or nothing where the prompt alone fills the context.
fn of_exchange(
    model: &Model,
    question: &Question,
    thinking: &str,
    answer: &str,
    plan: &Plan,
) -> Result<Option<Passage>, Error> {
    let room = plan.context_tokens;
    let prompt = match prompt::prepare(model, question, plan.question_tokens_max, room) {
        Err(error) if error.kind == Kind::TooLong => return Ok(None),
        prompt => prompt?,
    };
    // With the line breaks reasoning models put there; records keep the text between them.
    let thought = match (thinking.is_empty(), prompt.part) {
        (true, _) => String::new(),
        (false, Part::Thinking) => format!("{thinking}{}", close_text()),
        (false, Part::Answer) => format!("{}\n{thinking}{}", think::OPEN, close_text()),
    };
    let judged_from = prompt.tokens.len();
    let mut tokens = prompt.tokens;
    tokens.extend(model.tokenize(&format!("{thought}{answer}"), Written::ByTemplate));
    tokens.truncate(room as usize);
    Ok(Some(Passage { tokens, judged_from }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_before_lines_and_nothing_of_it_is_lost() {
        let line = "x".repeat(limits::TEXT_PIECE_BYTES / 4 - 10) + "\n";
        let text = line.repeat(4) + "  " + &line.repeat(4) + "é".repeat(90_000).as_str();
        let cut: Vec<&str> = pieces(&text).collect();
        assert!(cut.concat() == text);
        assert!(cut.iter().all(|piece| piece.len() <= limits::TEXT_PIECE_BYTES));
        assert_eq!(cut[0].len(), 3 * line.len(), "not before the line that begins with spaces");
        assert_eq!(pieces("").count(), 0);
    }
}
