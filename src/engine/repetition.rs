//! Notices that an attempt repeats itself in its thinking: such a loop never ends by itself, and
//! what it repeats looks certain to a vote.
//!
//! `attempt` asks after every [`limits::LOOP_CHECK_TOKENS`] tokens and then closes the thinking.

use std::collections::HashSet;

use crate::types::answer::Token;
use crate::types::limits;

/// Returns whether the tokens go in a loop: of the n-grams of the last
/// [`limits::LOOP_WINDOW_TOKENS`], too few are distinct. Shorter texts never do.
pub(crate) fn is_looping(tokens: &[Token]) -> bool {
    let Some(start) = tokens.len().checked_sub(limits::LOOP_WINDOW_TOKENS) else { return false };
    let ngrams = tokens[start..].windows(limits::LOOP_NGRAM_TOKENS);
    let (count, distinct) = (ngrams.len(), ngrams.collect::<HashSet<_>>().len());
    distinct * 100 < count * limits::LOOP_DISTINCT_PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(of: impl Fn(usize) -> usize) -> Vec<Token> {
        (0..4_000).map(|at| Token(of(at) as i32)).collect()
    }

    #[test]
    fn a_loop_is_noticed_whatever_its_length_up_to_a_quarter_of_the_window() {
        for period in [1, 2, 33, 500] {
            assert!(is_looping(&tokens(|at| at % period)), "{period}");
        }
        assert!(!is_looping(&tokens(|at| at % 700)), "said three times is not yet a loop");
    }

    #[test]
    fn few_words_in_ever_new_order_do_not_loop() {
        // Ten tokens, but no pattern.
        let hash = |at: usize| (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let digit = |at| ((hash(at) ^ (hash(at) >> 29)).wrapping_mul(hash(7)) >> 33) % 10;
        assert!(!is_looping(&tokens(|at| digit(at) as usize)));
        assert!(!is_looping(&tokens(|at| at)));
    }

    #[test]
    fn a_short_text_and_an_old_loop_do_not_count() {
        assert!(!is_looping(&tokens(|_| 1)[..limits::LOOP_WINDOW_TOKENS - 1]));
        assert!(!is_looping(&tokens(|at| if at < 2_000 { 1 } else { at })));
    }
}
