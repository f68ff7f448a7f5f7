//! End to end: do all parts together, from the tokens of a question to the last token of an
//! answer, still say what is true?
//!
//! The demo model answers five questions it knows, greedily, on the kernels in use; what is true is
//! computed here. A fault no single operation shows (a wrong layout, a stale cache) ends in other
//! tokens. That the model knows these answers is seen to by the suite, on every kernel set.

use super::{Check, Passed};
use crate::answers::value::{Value, of_reply};
use crate::engine::llama::{Context, Logits, Model};
use crate::engine::sample::{Sampler, Scratch};
use crate::engine::detokenizer::Detokenizer;
use crate::engine::{prompt, run_loop};
use crate::types::answer::{Part, Piece};
use crate::types::error::Error;
use crate::types::job::{Question, Role, Turn};
use crate::types::limits;
use crate::types::mode::{DEFAULT_MODE, Modes, Sampling};
use crate::types::plan::Plan;

/// The questions with their truth.
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
/// Where the model cannot be run at all.
pub fn run(
    model: &Model,
    context: &mut Context,
    plan: &Plan,
    checks: &mut Vec<Check>,
) -> Result<(), Error> {
    for (question, truth) in questions() {
        let result = judged(&greedy(model, context, plan, question)?, truth);
        checks.push(Check { name: question.to_string(), result });
    }
    Ok(())
}

fn judged(reply: &str, truth: u32) -> Result<Passed, String> {
    match of_reply(reply) {
        Some(value) if Some(&value) == Value::parse(&truth.to_string()).as_ref() => {
            Ok(Passed::Right)
        }
        Some(value) => Err(format!("the answer is {value}, it should be {truth}")),
        None => Err(format!("the answer '{}' has no result, it should be {truth}", reply.trim())),
    }
}

/// Returns the answer that always takes the likeliest token, without its thinking.
fn greedy(model: &Model, context: &mut Context, plan: &Plan, text: &str) -> Result<String, Error> {
    let turn = Turn { role: Role::User, text: text.to_string() };
    let mut question = Question::new(Modes::built_in().find(DEFAULT_MODE)?, vec![turn], 0);
    question.system.clear(); // Most of the time would go into reading it.
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    let mut sampler = Sampler::new(sampling, 0, []);
    let mut scratch = Scratch::default();
    let room = plan.context_tokens;
    let prompt = prompt::prepare(model, &question, plan.question_tokens_max, room)?;
    let (mut answer, mut written) = (String::new(), Detokenizer::new(prompt.part, Vec::new()));
    let mut take = |pieces: Vec<Piece>| {
        let answers = pieces.into_iter().filter(|piece| piece.part == Part::Answer);
        answer.extend(answers.map(|piece| piece.text));
    };
    let (mut tokens, mut position) = (prompt.tokens, 0);
    while position + (tokens.len() as u32) < room {
        for slice in tokens.chunks(limits::UBATCH_TOKENS as usize) {
            context.read(slice, position, Logits::Last)?;
            position += slice.len() as u32;
        }
        let drawn = sampler
            .draw(context.last_logits()?, &mut scratch)
            .map_err(|_| run_loop::not_a_number(plan))?;
        if model.is_end(drawn) {
            break;
        }
        take(written.push(&model.piece(drawn)));
        tokens = vec![drawn];
    }
    take(written.finish());
    context.truncate(0, 0);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_true_value_is_right() {
        assert_eq!(judged("348 + 577 is \\boxed{925}.", 925), Ok(Passed::Right));
        assert!(judged("348 + 577 is \\boxed{926}.", 925).unwrap_err().contains("is 926"));
        assert!(judged("925, I think.", 925).unwrap_err().contains("no result"));
        assert!(judged("", 925).is_err());
    }
}
