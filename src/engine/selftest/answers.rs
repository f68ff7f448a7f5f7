//! End to end: whether complete answers, from the tokens of a question to the last token of the
//! reply, are right.
//!
//! The demo model answers five questions greedily on the kernels in use, and the right answers are
//! computed here. A fault that no single operation shows (a wrong layout, a stale cache) leads to
//! other tokens. The test suite ensures on every kernel set that the model knows these answers.

use super::{Check, Passed};
use crate::answers::value::{Value, of_reply};
use crate::engine::detokenizer::Detokenizer;
use crate::engine::llama::{Context, LlamaSequence, Logits, Model};
use crate::engine::prompt;
use crate::engine::sample::{Sampler, Scratch, not_a_number};
use crate::types::answer::{Part, Piece};
use crate::types::error::Error;
use crate::types::job::{Question, Role, Turn};
use crate::types::limits;
use crate::types::mode::{DEFAULT_MODE, Modes, Sampling};
use crate::types::plan::Plan;

/// Returns the questions with their answers.
fn questions() -> [(&'static str, u32); 5] {
    [
        ("What is 348 + 577?", 348 + 577),
        ("What is 902 - 417?", 902 - 417),
        ("What is 63 × 48?", 63 * 48),
        ("What is the remainder when 250 is divided by 7?", 250 % 7),
        ("Find gcd(84, 60).", gcd(84, 60)),
    ]
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Asks the questions one after the other; `context` is empty before and after.
///
/// # Errors
/// If the model cannot run at all.
pub(crate) fn run(
    model: &Model,
    context: &mut Context,
    plan: &Plan,
    checks: &mut Vec<Check>,
) -> Result<(), Error> {
    for (question, answer) in questions() {
        let result = judged(&greedy_answer(model, context, plan, question)?, answer);
        checks.push(Check { name: question.to_string(), result });
    }
    Ok(())
}

fn judged(reply: &str, answer: u32) -> Result<Passed, String> {
    match of_reply(reply) {
        Some(value) if Some(&value) == Value::parse(&answer.to_string()).as_ref() => {
            Ok(Passed::Right)
        }
        Some(value) => Err(format!("the answer is {value}, it should be {answer}")),
        None => Err(format!("the answer '{}' has no result, it should be {answer}", reply.trim())),
    }
}

/// Returns the answer at temperature 0, without its thinking.
fn greedy_answer(
    model: &Model,
    context: &mut Context,
    plan: &Plan,
    text: &str,
) -> Result<String, Error> {
    let turn = Turn { role: Role::User, text: text.to_string() };
    let mut question = Question::new(Modes::built_in().find(DEFAULT_MODE)?, vec![turn], 0);
    question.system.clear(); // Prefilling it would take most of the time.
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    let mut sampler = Sampler::new(sampling, 0, []);
    let mut scratch = Scratch::default();
    let room = plan.context_tokens;
    let prompt = prompt::prepare(model, &question, plan.question_tokens_max, room)?;
    let (mut answer, mut detokenizer) = (String::new(), Detokenizer::new(prompt.part, Vec::new()));
    let mut append = |pieces: Vec<Piece>| {
        let answers = pieces.into_iter().filter(|piece| piece.part == Part::Answer);
        answer.extend(answers.map(|piece| piece.text));
    };
    let (mut tokens, mut position) = (prompt.tokens, 0);
    while position + (tokens.len() as u32) < room {
        for slice in tokens.chunks(limits::UBATCH_TOKENS as usize) {
            context.read(slice, position, Logits::Last)?;
            position += slice.len() as u32;
        }
        let drawn =
            sampler.draw(context.last_logits()?, &mut scratch).map_err(|_| not_a_number(plan))?;
        if model.is_end(drawn) {
            break;
        }
        append(detokenizer.push(&model.piece(drawn)));
        tokens = vec![drawn];
    }
    append(detokenizer.finish());
    context.truncate(LlamaSequence::FIRST, 0);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_value_passes() {
        assert_eq!(judged("348 + 577 is \\boxed{925}.", 925), Ok(Passed::Right));
        assert!(judged("348 + 577 is \\boxed{926}.", 925).unwrap_err().contains("is 926"));
        assert!(judged("925, I think.", 925).unwrap_err().contains("no result"));
        assert!(judged("", 925).is_err());
    }
}
