//! Relations between bounds, checked by the compiler: a bound cannot be changed without those that
//! depend on it.
//!
//! Each assertion says what would go wrong. There is nothing to call here.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::*;

const fn is_shorter(a: Duration, b: Duration) -> bool {
    a.as_nanos() < b.as_nanos()
}

const fn holds(range: RangeInclusive<u32>, value: u32) -> bool {
    *range.start() <= value && value <= *range.end()
}

const fn holds_size(range: RangeInclusive<usize>, value: usize) -> bool {
    *range.start() <= value && value <= *range.end()
}

// A question passes every check on its way from the socket to the tokeniser.
const _: () = {
    assert!(QUESTION_BYTES_MAX < BODY_BYTES_MAX, "the longest question fits a request body");
    assert!(QUESTION_BYTES_MAX < MACHINE_LINE_BYTES_MAX, "and a machine's line");
    assert!(CONSOLE_LINE_BYTES_MAX <= QUESTION_BYTES_MAX, "a typed line is not too long to ask");
    assert!(SYSTEM_PROMPT_BYTES_MAX < QUESTION_BYTES_MAX, "a mode leaves room for the question");
    assert!((SYSTEM_PROMPT_BYTES_MAX as u64) < SETTINGS_BYTES_MAX, "a modes file holds a prompt");
    assert!(
        QUESTION_TOKENS_CEILING as usize * TOKEN_BYTES_MEAN_MAX <= QUESTION_BYTES_MAX,
        "no question within --question-tokens-max is refused for its bytes first"
    );
    assert!(CHUNK_LINE_BYTES_MAX < HEAD_BYTES_MAX, "a chunk's line is shorter than a head");
    assert!(BODY_BYTES_MAX < LINGER_BYTES_MAX, "a client can read why its body was rejected");
    assert!(ENGINE_STACK_BYTES / QUESTION_BYTES_MAX > 560, "std::regex recurses for each byte");
};

// Defaults lie within what flags and requests accept.
const _: () = {
    assert!(QUESTION_TOKENS_DEFAULT_MIN <= QUESTION_TOKENS_CEILING);
    assert!(BUDGET_TOKENS_MIN <= BUDGET_TOKENS_MAX && RESERVE_TOKENS_MAX < BUDGET_TOKENS_MAX);
    assert!(QUEUE_JOBS_DEFAULT <= QUEUE_JOBS_CEILING && CLIENT_JOBS_DEFAULT <= CLIENT_JOBS_CEILING);
    assert!(CLIENT_JOBS_DEFAULT < QUEUE_JOBS_DEFAULT, "one client cannot fill the queue");
    assert!(SYNC_SECONDS_DEFAULT <= SYNC_SECONDS_MAX && HISTORY_DAYS_DEFAULT <= HISTORY_DAYS_MAX);
    assert!(holds(HISTORY_MB, HISTORY_MB_DEFAULT) && holds(STEP_MS, STEP_MS_DEFAULT));
    assert!(LIST_JOBS_DEFAULT <= LIST_JOBS_MAX);
    assert!(RESERVE_BYTES_DEFAULT <= RAM_BYTES_MAX);
    assert!(holds(CONSOLE_BAUD, CONSOLE_BAUD_DEFAULT));
    assert!(holds_size(CONSOLE_COLUMNS, CONSOLE_COLUMNS_DEFAULT));
    assert!(holds_size(MACHINE_LINE_BYTES, MACHINE_LINE_BYTES_DEFAULT));
    assert!(PIN_MEMORY_KIB <= PIN_MEMORY_KIB_MAX && PIN_PASSES <= PIN_PASSES_MAX);
};

// The KV cache and the batch.
const _: () = {
    assert!(CONTEXT_TOKENS_MIN <= CONTEXT_TOKENS_DEFAULT_MAX);
    assert!(CONTEXT_TOKENS_DEFAULT_MAX <= CONTEXT_TOKENS_MAX);
    assert!(
        CONTEXT_TOKENS_MIN.is_multiple_of(CONTEXT_STEP_TOKENS),
        "shrinking ends at the minimum"
    );
    assert!(CONTEXT_TOKENS_DEFAULT_MAX.is_multiple_of(CONTEXT_STEP_TOKENS));
    assert!(SEQUENCES_DEFAULT_MAX <= SEQUENCES_MAX && ATTEMPTS_MAX <= SEQUENCES_MAX);
    assert!(ATTEMPTS_MAX <= EVAL_ATTEMPTS_MAX);
    assert!(
        2 * QUESTION_TOKENS_DEFAULT_MIN <= SEQUENCE_SHARE_TOKENS_MIN,
        "a question and its answer"
    );
    assert!(2 <= QUESTION_CONTEXT_PART, "the longest question leaves room for its answer");
    assert!(SEQUENCES_MAX <= LOGIT_ROWS, "every sequence gets logits in every pass");
    assert!(DRAFT_TOKENS_MAX < LOGIT_ROWS as usize, "as does each draft and the token before it");
    assert!(LOGIT_ROWS <= UBATCH_TOKENS, "one pass decodes a token of every sequence");
    assert!(SEQUENCES_MAX as usize <= SMALL_PASS_TOKENS, "decoding uses the tuned thread count");
    assert!(SMALL_PASS_TOKENS < UBATCH_TOKENS as usize);
    assert!(LOOP_NGRAM_TOKENS < LOOP_WINDOW_TOKENS && LOOP_DISTINCT_PERCENT < 100);
    assert!(PREFIX_BYTES_MAX <= PREFIX_FOLDER_BYTES_MAX, "the largest prefix can be kept");
    assert!(ADAPTERS_PER_QUESTION_MAX <= ADAPTERS_MAX);
    assert!(PASSAGE_TOKENS_MIN <= PASSAGE_TOKENS as usize && PASSAGE_TOKENS <= EXCHANGE_TOKENS_MAX);
};

// Files from outside.
const _: () = {
    assert!(GGUF_NAME_BYTES_MAX <= GGUF_STRING_BYTES_MAX);
    assert!(TOKEN_BYTES_MAX as u64 <= GGUF_STRING_BYTES_MAX);
    assert!(TOKEN_BYTES_SENTENCEPIECE_MAX <= TOKEN_BYTES_MAX);
    assert!(GGUF_STRING_BYTES_MAX <= GGUF_HEADER_BYTES_MAX);
    assert!(READ_AHEAD_CHUNK_BYTES.get() <= READ_AHEAD_FIRST_BYTES);
};

// Connections: none holds what others need.
const _: () = {
    assert!(CONNECTIONS_PER_ADDRESS_MAX < CONNECTIONS_MAX, "one address cannot take all");
    assert!(CONNECTIONS_LOOPBACK_MAX < CONNECTIONS_MAX, "nor can this machine");
    assert!(
        CONNECTIONS_MAX < BACKEND_BACKLOG as usize,
        "the relay never waits for the server behind it"
    );
    assert!(ADDRESS_REQUESTS_PER_SECOND < REQUESTS_PER_SECOND);
    assert!(ADDRESS_REQUESTS_BURST < REQUESTS_BURST);
};

// Times: each part ends before the whole.
const _: () = {
    assert!(is_shorter(ESTIMATE_PAUSE, ESTIMATE_EVERY));
    assert!(is_shorter(PREPARE_WITHIN, ADAPTERS_TURN));
    assert!(is_shorter(JOB_VERDICT_WAIT, VERDICT_WAIT) && is_shorter(VERDICT_WAIT, HEARTBEAT));
    assert!(is_shorter(CONSOLE_READ_WAIT, CONSOLE_CLOSE_WAIT), "consoles notice the end in time");
    assert!(is_shorter(CONSOLE_CLOSE_WAIT, CLOSE_WAIT) && is_shorter(CLOSE_WAIT, LEAVE_WITHIN));
    assert!(is_shorter(CLOSING_CHECK_EVERY, CLOSE_WAIT));
    assert!(is_shorter(REST_MAX, REST_CHECK_EVERY), "a rest ends before the next reading");
    assert!(is_shorter(STATUS_CHECK_EVERY, STATUS_EVERY));
    assert!(is_shorter(STATUS_EVERY, LOADING_PATIENCE), "the limit is extended in time");
    assert!(is_shorter(PIN_WAIT_FIRST, PIN_WAIT_MAX) && is_shorter(PIN_WAIT_MAX, PIN_LOCKED));
    assert!(is_shorter(CONSOLE_KEY_WAIT, CONSOLE_READ_WAIT), "an escape key is a key by itself");
};

// A serial line holds what must be sent in one piece.
const _: () = {
    assert!(MACHINE_ID_BYTES_MAX < *MACHINE_LINE_BYTES.start(), "every reply has room for its ID");
};
