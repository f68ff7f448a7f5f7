//! Every bound of the program, with its name and unit.
//!
//! A bound belongs here even if only one file uses it, so that one page answers "how large may …
//! be?". Where a flag changes a bound, its default and its ceiling are here. `relations` has the
//! compiler check the bounds that depend on each other; `thinking` has those of an attempt.

mod relations;
mod thinking;

use std::num::NonZeroU64;
use std::time::Duration;

pub use thinking::*;

// Requests.

/// Longest request body the gate accepts, in bytes: twice the longest question.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest request line plus headers the gate accepts, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most header lines in one request.
pub const HEADERS_MAX: usize = 64;
/// Longest question in tokens of the model, unless `--question-tokens-max` is given: this part of
/// the context, but at least [`QUESTION_TOKENS_DEFAULT_MIN`].
pub const QUESTION_CONTEXT_PART: u32 = 4;
/// Smallest default of `--question-tokens-max`, in tokens of the model.
pub const QUESTION_TOKENS_DEFAULT_MIN: u32 = 2_048;
/// Largest value of `--question-tokens-max`, in tokens.
pub const QUESTION_TOKENS_CEILING: u32 = 32_768;
/// Most bytes per token of a question, on average; a longer text is rejected before it is
/// tokenised.
pub const TOKEN_BYTES_MEAN_MAX: usize = 16;
/// Longest conversation with its system prompt, in bytes, checked before tokenising.
pub const QUESTION_BYTES_MAX: usize = 512 << 10;
/// Most messages in one conversation.
pub const TURNS_MAX: usize = 256;
/// Most stop strings in one request.
pub const STOPS_MAX: usize = 4;
/// Longest stop string, in bytes.
pub const STOP_BYTES_MAX: usize = 256;
/// Largest settings file, modes file or list of API keys, in bytes.
pub const SETTINGS_BYTES_MAX: u64 = 1 << 20;
/// Longest system prompt of a mode, in bytes.
pub const SYSTEM_PROMPT_BYTES_MAX: usize = 16 << 10;
/// Most example questions of a mode.
pub const MODE_EXAMPLES_MAX: usize = 8;
/// Longest example question of a mode, in bytes.
pub const MODE_EXAMPLE_BYTES_MAX: usize = 1 << 10;

// Jobs.

/// Largest token budget of a job; the prompt does not count.
pub const BUDGET_TOKENS_MAX: u32 = 131_072;
/// Smallest token budget of a job.
pub const BUDGET_TOKENS_MIN: u32 = 1;
/// Number of latest tokens a repetition penalty applies to.
pub const PENALTY_WINDOW_TOKENS: usize = 256;
/// Most attempts at one question; each occupies a sequence.
pub const ATTEMPTS_MAX: u32 = SEQUENCES_MAX;
/// A vote ends early once its leading answer would win with at least this probability.
pub const VOTE_CHANCE_ENOUGH: f64 = 0.95;
/// Longest value of an answer that is kept for lists, in bytes; a longer one counts as none.
pub const VALUE_BYTES_MAX: usize = 4 << 10;
/// Highest sampling temperature a request may set.
pub const TEMPERATURE_MAX: f32 = 5.0;

// The queue.

/// Most jobs in the queue, unless `--queue-jobs-max` is given.
pub const QUEUE_JOBS_DEFAULT: usize = 32;
/// Largest value of `--queue-jobs-max`.
pub const QUEUE_JOBS_CEILING: usize = 1_024;
/// Most unanswered jobs per client, waiting or running, unless `--client-jobs-max` is given.
pub const CLIENT_JOBS_DEFAULT: usize = 16;
/// Largest value of `--client-jobs-max`: a full queue.
pub const CLIENT_JOBS_CEILING: usize = QUEUE_JOBS_CEILING;

/// Most ended jobs cached in memory in addition to the journal.
pub const RECENT_JOBS_MAX: usize = 64;
/// Most text of all the ended jobs cached in memory, in bytes.
pub const RECENT_BYTES_MAX: usize = 8 << 20;
/// Minimum pause between two estimates of when jobs will end.
pub const ESTIMATE_PAUSE: Duration = Duration::from_millis(500);
/// Minimum pause between two estimates, as a multiple of the time the last one took to compute: a
/// long queue on a slow board.
pub const ESTIMATE_PAUSE_TIMES: u32 = 20;
/// Forecasts of questions that were not asked which are reused for [`ESTIMATE_PAUSE`].
pub const FORECASTS_KEPT: usize = 64;
/// Computing time that such forecasts may take at once; it comes back at the pace of
/// [`ESTIMATE_PAUSE_TIMES`], so that a crowd that looks takes a twentieth of a core.
pub const FORECAST_BURST: Duration = Duration::from_millis(200);
/// Interval between two estimates while nothing else changes.
pub const ESTIMATE_EVERY: Duration = Duration::from_secs(3);
/// Most time spent between two steps on preparing questions; a preparation that has begun is
/// finished.
pub const PREPARE_WITHIN: Duration = Duration::from_millis(10);
/// Mean time an adapter set stays active while others wait: each switch costs building a graph.
pub const ADAPTERS_TURN: Duration = Duration::from_secs(1);
/// Tokens a client decodes before its slots go to another client: at 10 steps/s a pause of 6
/// seconds.
pub const TURN_TOKENS: u32 = 64;
/// Most tokens a client's share can be ahead of the others': the longest usual prompt.
pub const LEAD_TOKENS_MAX: u64 = QUESTION_TOKENS_DEFAULT_MIN as u64;
/// Most clients without jobs whose share is remembered; later ones replace the earliest.
pub const CLIENTS_REMEMBERED_MAX: usize = 64;
/// Number of latest attempts of a mode whose lengths are kept to estimate those of the next.
pub const LENGTHS_KEPT: usize = 256;
/// Time constant of the moving average of measured speeds, in seconds.
pub const SPEED_MEMORY_SECONDS: f64 = 30.0;
/// Weights read per second that are assumed before any speed is measured, in bytes/s: with a 1.5B
/// model in Q4_0 that is 7 tokens/s, between those of the two boards.
pub const WEIGHT_BYTES_PER_SECOND_GUESSED: f64 = 6.5e9;
/// Highest speed assumed before any is measured, in tokens/s: that of a model so small that its
/// weights no longer limit the speed.
pub const TOKENS_PER_SECOND_GUESSED_MAX: f64 = 200.0;

/// Smallest and largest `Retry-After` sent to a rejected client, in seconds.
pub const RETRY_SECONDS: std::ops::RangeInclusive<f64> = 1.0..=600.0;

// The journal.

/// Longest delay of the journal behind a running answer, in seconds, unless `--sync-seconds` is
/// given: an SD card wears out from small writes.
pub const SYNC_SECONDS_DEFAULT: u32 = 2;
/// Largest value of `--sync-seconds`.
pub const SYNC_SECONDS_MAX: u32 = 60;
/// Most tokens of one job the journal may be behind, whatever `--sync-seconds` is.
pub const JOURNAL_TOKENS_MAX: usize = 256;
/// Most ended jobs of clients that only listened which wait for a disk that cannot be written.
pub const JOURNAL_BACKLOG_MAX: usize = 64;
/// Pause after a failed write to the journal: the disk may have space again.
pub const JOURNAL_RETRY: Duration = Duration::from_secs(2);
/// Size of SQLite's page cache for each of the journal's writer and readers, in KiB.
pub const JOURNAL_CACHE_KIB: i64 = 512;
/// Longest wait for a lock on the journal's own files.
pub const JOURNAL_BUSY_WAIT: Duration = Duration::from_secs(5);
/// Interval between two rounds of pruning and checks while the server is idle.
pub const JOURNAL_CHORES_EVERY: Duration = Duration::from_secs(10);
/// Most jobs deleted in one transaction for their age or for space.
pub const FORGOTTEN_AT_ONCE: u32 = 64;
/// Most pages returned to the file system at a time; a page has 4 KiB.
pub const VACUUM_PAGES: u32 = 1_024;
/// Days to keep an answered question, unless `--history-days` is given: a school year.
pub const HISTORY_DAYS_DEFAULT: u32 = 365;
/// Largest value of `--history-days`.
pub const HISTORY_DAYS_MAX: u32 = 36_500;
/// A clock that advances by more days than this was set, not left running: longer than the summer
/// holidays.
pub const CLOCK_LEAP_DAYS: i64 = 100;
/// Most disk space for answered questions, in MiB, unless `--history-mb` is given.
pub const HISTORY_MB_DEFAULT: u32 = 2_048;
/// Smallest and largest value of `--history-mb`.
pub const HISTORY_MB: std::ops::RangeInclusive<u32> = 16..=1 << 20;
/// Number of restarts whose truncations of a job's log are kept; an older log position counts as
/// the beginning.
pub const TRUNCATIONS_KEPT: usize = 64;
/// A job that was in the batch in this many crashes fails and is not tried again.
pub const CRASHES_MAX: u32 = 2;
/// Most jobs in one page of a list.
pub const LIST_JOBS_MAX: u32 = 100;
/// Days that a usage report covers, unless `days` is given.
pub const USAGE_DAYS_DEFAULT: u32 = 14;
/// Most days that a usage report covers: a term of school.
pub const USAGE_DAYS_MAX: u32 = 92;
/// Longest `Idempotency-Key`, in bytes.
pub const REQUEST_KEY_BYTES_MAX: usize = 256;

// The engine.

/// Largest KV cache that can be requested, in tokens.
pub const CONTEXT_TOKENS_MAX: u32 = 1 << 20;
/// Smallest useful KV cache, in tokens.
pub const CONTEXT_TOKENS_MIN: u32 = 256;
/// Largest KV cache chosen by default, in tokens: VibeThinker's longest answers.
pub const CONTEXT_TOKENS_DEFAULT_MAX: u32 = 40_960;
/// Granularity of the KV cache's size, in tokens, to which llama.cpp rounds.
pub const CONTEXT_STEP_TOKENS: u32 = 256;
/// Most sequences in one KV cache.
pub const SEQUENCES_MAX: u32 = 16;
/// Most sequences reserved by default: on a Raspberry Pi 5 a pass over the weights serves 8 tokens
/// for little more than the price of one.
pub const SEQUENCES_DEFAULT_MAX: u32 = 8;
/// Smallest share of the KV cache for which one more sequence is reserved by default, in tokens:
/// the longest question and an answer as long. A sequence may use more than its share.
pub const SEQUENCE_SHARE_TOKENS_MIN: u32 = 4_096;
/// Divisor of the KV cache that limits the prompts kept for reuse: at most a quarter of it.
pub const KEPT_SHARE_OF_CACHE: usize = 4;
/// Divisor of the KV cache for the cells that must remain free after an attempt gets cells again,
/// so that it does not lose them at once.
pub const ROOM_SHARE_OF_CACHE: usize = 16;
/// Rows of logits in one pass: one for each sequence, the rest for drafted tokens.
pub const LOGIT_ROWS: u32 = SEQUENCES_MAX;
/// Most drafted tokens of one attempt in one pass: with more, a pass costs as much as decoding them
/// one by one.
pub const DRAFT_TOKENS_MAX: usize = 15;
/// Size of the table drafts are taken from, in bytes; it holds the successors of 131,072 contexts.
pub const DRAFT_TABLE_BYTES: usize = 2 << 20;
/// Longest time a pass should take, in milliseconds, unless `--step-ms` is given.
pub const STEP_MS_DEFAULT: u32 = 250;
/// Smallest and largest value of `--step-ms`.
pub const STEP_MS: std::ops::RangeInclusive<u32> = 20..=10_000;
/// Memory `plan` leaves to a board's system, in bytes, unless `--reserve` is given.
pub const RESERVE_BYTES_DEFAULT: u64 = 700 << 20;
/// Largest value of `--ram` and `--reserve`, in bytes.
pub const RAM_BYTES_MAX: u64 = 1 << 44;
/// Most levels of control groups searched for a memory limit; systemd creates about five.
pub const GROUP_LEVELS_MAX: usize = 64;
/// Most tokens a prefill step decodes: enough to be efficient, and logits for 128 rows stay small.
pub const UBATCH_TOKENS: u32 = 128;
/// Most instructions a chat template may execute; the longest known ones need a few thousand.
pub const TEMPLATE_FUEL: u64 = 1_000_000;
/// Stack of the engine's thread, in bytes; untouched pages take no memory. For some vocabularies
/// llama.cpp splits a text with std::regex, which recurses: 560 bytes per character.
pub const ENGINE_STACK_BYTES: usize = QUESTION_BYTES_MAX << 10;
/// Most threads the engine may be given.
pub const THREADS_MAX: u32 = 64;
/// Most tokens of a pass whose speed the memory limits; larger passes are limited by the cores.
/// Each kind has a thread count of its own.
pub const SMALL_PASS_TOKENS: usize = 16;
/// Largest file of tuned thread counts, in bytes; an entry has 130.
pub const TUNING_BYTES_MAX: u64 = 64 << 10;
/// Most models in a file of tuned thread counts; the oldest entries are dropped.
pub const TUNED_MODELS_MAX: usize = 32;
/// Longest rest of the engine after a step, so that it reacts to orders soon.
pub const REST_MAX: Duration = Duration::from_millis(500);
/// Interval between two readings of the temperature sensors and of other programs' CPU use.
pub const REST_CHECK_EVERY: Duration = Duration::from_secs(1);
/// Most temperature sensors searched for; phones have the most, about 60.
pub const THERMAL_ZONES_MAX: usize = 64;
/// Most trip points read of one sensor; Linux once allowed 12.
pub const THERMAL_TRIPS_MAX: usize = 12;

// Prefilled prompts on disk.

/// Largest prefilled prompt kept on disk, in bytes: 2,300 tokens of VibeThinker's f16 cells. It
/// takes as much memory again while it is written or read.
pub const PREFIX_BYTES_MAX: u64 = 64 << 20;
/// Most files of prefilled prompts; a server with ten modes and three adapters has 30.
pub const PREFIX_FILES_MAX: usize = 64;
/// Most disk space for all prefilled prompts, in bytes; a mode's takes 4 MiB.
pub const PREFIX_FOLDER_BYTES_MAX: u64 = 256 << 20;
/// Most prefilled prompts waiting for a slow disk; further ones are not written this time.
pub const PREFIX_WRITES_WAITING_MAX: usize = 2;

// Evaluations.

/// Largest question set, in bytes; the largest known have a few megabytes.
pub const EVAL_SET_BYTES_MAX: u64 = 64 << 20;
/// Longest record of an attempt in an evaluation, in bytes: ten times that of the longest answer.
pub const EVAL_RECORD_BYTES_MAX: u64 = 16 << 20;
/// Most attempts at each question of an evaluation; published tables go up to 64.
pub const EVAL_ATTEMPTS_MAX: u32 = 256;

// Commands that make and measure models.

/// Part of a tensor the quantizer holds in memory at once, in bytes.
pub const QUANTIZE_BUFFER_BYTES: usize = 128 << 20;
/// Free space below which a disk counts as full, in bytes: less than a block of any file system's
/// journal.
pub const FULL_DISK_BYTES: u64 = 1 << 20;
/// Longest text a model is measured on, in bytes: a thick book.
pub const TEXT_BYTES_MAX: u64 = 16 << 20;
/// Part of a text that is tokenised at once, in bytes.
pub const TEXT_PIECE_BYTES: usize = 64 << 10;
/// Length of the passages a text is cut into to measure a model, in tokens, as in llama.cpp's
/// tools.
pub const PASSAGE_TOKENS: u32 = 512;
/// Longest recorded question with its answer a model is measured on, in tokens.
pub const EXCHANGE_TOKENS_MAX: u32 = 4_096;
/// Shortest passage a model is measured on, in tokens.
pub const PASSAGE_TOKENS_MIN: usize = 16;
/// Largest importance matrix, in bytes; that of a model with 70 billion weights has 50 million.
pub const IMPORTANCE_BYTES_MAX: u64 = 256 << 20;

/// Size of the buffer read to measure the memory's bandwidth, in bytes: eight times the largest
/// caches of usual machines.
pub const BANDWIDTH_BYTES: usize = 256 << 20;

// The GGUF header, checked before any other parser reads it.

/// Most key-value pairs in a GGUF header.
pub const GGUF_KEYS_MAX: u64 = 65_536;
/// Most tensors in a GGUF file.
pub const GGUF_TENSORS_MAX: u64 = 65_536;
/// Longest key, tensor name or string value in a GGUF header, in bytes; the longest known are chat
/// templates.
pub const GGUF_STRING_BYTES_MAX: u64 = 1 << 20;
/// Most elements of one array in a GGUF header; the largest known vocabularies have 262,144.
pub const GGUF_ARRAY_ITEMS_MAX: u64 = 1 << 20;
/// Most elements of all arrays outside the vocabulary in a GGUF header; most have one per layer.
pub const GGUF_LISTED_ITEMS_MAX: u64 = 65_536;
/// Largest GGUF header before the tensors, in bytes.
pub const GGUF_HEADER_BYTES_MAX: u64 = 64 << 20;

// Checkpoints.

/// Largest JSON file of a checkpoint, in bytes; the largest known tokenizer.json has 34 MB.
pub const CHECKPOINT_JSON_BYTES_MAX: u64 = 64 << 20;
/// Largest header of a safetensors file, in bytes: twice that of 4,096 layers.
pub const SAFETENSORS_HEADER_BYTES_MAX: u64 = 16 << 20;
/// Most files the weights of a checkpoint are split into; each is held open.
pub const CHECKPOINT_SHARDS_MAX: usize = 512;
/// Longest token of a vocabulary without a pre-tokenizer, in bytes: each is tried with every
/// possible split.
pub const TOKEN_BYTES_SENTENCEPIECE_MAX: usize = 256;
/// Most adapters a server can load.
pub const ADAPTERS_MAX: usize = 16;
/// Most adapters one question is answered with: 16 adapters then have 2,516 combinations, which
/// bounds the list of adapter sets.
pub const ADAPTERS_PER_QUESTION_MAX: usize = 4;
/// Largest scale of an adapter, positive or negative.
pub const ADAPTER_SCALE_MAX: f32 = 10.0;
/// Most columns of an adapter's matrices (its rank); the largest in use are a few hundred.
pub const ADAPTER_RANK_MAX: u64 = 4_096;
/// Part of a tensor converted at a time, in bytes, at least one row: four times as much does not
/// fit into the second-level cache and costs the kernel four times the work.
pub const CONVERT_CHUNK_BYTES: usize = 1 << 20;

// Values in a GGUF header.

/// Longest tensor name, in bytes; ggml stores 64 with the terminating zero.
pub const GGUF_NAME_BYTES_MAX: u64 = 63;
/// Longest token of a vocabulary, in bytes; the longest known are runs of 128 spaces, 384 bytes.
pub const TOKEN_BYTES_MAX: usize = 2_048;
/// Most bytes llama.cpp may expand all tokens' texts to; for valid ones the result is smaller than
/// the texts.
pub const VOCABULARY_BYTES_MAX: usize = 32 << 20;

/// Most layers of a model; llama.cpp asserts that there are no more.
pub const MODEL_LAYERS_MAX: u64 = 512;
/// Most experts of a layer; llama.cpp asserts that there are no more.
pub const MODEL_EXPERTS_MAX: u32 = 1_024;
/// Most attention heads of a layer.
pub const MODEL_HEADS_MAX: u64 = 4_096;
/// Widest head, in elements.
pub const MODEL_HEAD_ELEMENTS_MAX: u64 = 16_384;
/// Widest layer, in elements.
pub const MODEL_WIDTH_MAX: u64 = 1 << 22;
/// Largest file of recorded SHA-256 sums, in bytes.
pub const SUMS_BYTES_MAX: u64 = 1 << 20;
/// Part of a model read ahead before its header says how much will fit, in bytes; an SD card takes
/// a second for it, the header a tenth of one.
pub const READ_AHEAD_FIRST_BYTES: u64 = 64 << 20;
/// Size of one request to read ahead, in bytes.
pub const READ_AHEAD_CHUNK_BYTES: NonZeroU64 = NonZeroU64::new(8 << 20).unwrap();

// The gate.

/// Most connections held at once.
pub const CONNECTIONS_MAX: usize = 128;
/// Most connections held at once per address; a classroom terminal needs a handful.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 32;
/// Most connections held at once from loopback, where every program of this machine shares one
/// address.
pub const CONNECTIONS_LOOPBACK_MAX: usize = 96;
/// Longest time a client may take to send its request head.
pub const HEAD_WAIT: Duration = Duration::from_secs(10);
/// Longest time a client may take to send the body after the head.
pub const BODY_WAIT: Duration = Duration::from_secs(30);
/// Longest time a client may leave a write unread before it is disconnected.
pub const WRITE_WAIT: Duration = Duration::from_secs(20);
/// Longest time a client may take to read a whole response of known length, however steadily: what
/// the largest needs over a line of 100 kbit/s.
pub const REPLY_WAIT: Duration = Duration::from_secs(300);
/// Longest time a rejected client gets to read the response while the rest of its request is
/// discarded.
pub const LINGER_WAIT: Duration = Duration::from_secs(2);
/// Most bytes of a rejected request that are discarded so that the client can read the response.
pub const LINGER_BYTES_MAX: usize = 32 << 20;
/// Pause of the accept loop after an error, so that it neither ends nor spins.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Rate limit of requests that reach the server, from all clients together; later ones wait. Each
/// takes a quarter of a millisecond of a PC's core or a full one of a board's, which the engine
/// lacks then.
pub const REQUESTS_PER_SECOND: u32 = 250;
/// Most requests at once after a pause, from all clients together: thirty pages with all their
/// files.
pub const REQUESTS_BURST: u32 = 256;
/// Rate limit of requests per address; later ones wait. Opening the page takes eight at first, and
/// a whole school may share one address.
pub const ADDRESS_REQUESTS_PER_SECOND: u32 = 50;
/// Most requests at once after a pause, per address.
pub const ADDRESS_REQUESTS_BURST: u32 = 128;
/// Most addresses whose request rate is tracked before quiet ones are dropped: as many as the
/// common rate limit admits until then.
pub const RATED_ADDRESSES_MAX: usize = 1_024;
/// Interval between two checks that tiny_http still accepts: a connection waiting from one check to
/// the next shows that it does not.
pub const SERVER_CHECK_EVERY: Duration = Duration::from_millis(250);
/// Niceness of the HTTP threads relative to the engine's (nice(1)), so that viewing the page does
/// not slow answers: a thread at 5 gets a third of the time of one at 0.
pub const DOOR_NICENESS: i32 = 5;

/// Most numeric addresses of the box that it lists.
pub const ADDRESSES_MAX: usize = 8;
/// Part of a file about the machine's network that is read, in bytes; a board's have a few KiB.
pub const NETWORK_FILE_BYTES_MAX: u64 = 256 << 10;

// The pages.

/// Time for which a browser may keep an asset of the page, in seconds: a year, the longest that
/// caches know.
pub const ASSET_SECONDS: u32 = 31_536_000;
/// Shortest and longest time after which a page without script looks at an unfinished job again, in
/// seconds.
pub const REFRESH_SECONDS: std::ops::RangeInclusive<u64> = 5..=30;
/// Part of the time a job has taken so far after which such a page looks at it again.
pub const REFRESH_SHARE: u64 = 10;
/// Most fields of a form that are read.
pub const FORM_FIELDS_MAX: usize = 16;
/// Most characters of a question in a list of a page without script.
pub const EXCERPT_CHARACTERS: usize = 80;

// Authentication.

/// Length of the secret that seals cookies, in bytes: that of a SHA-256.
pub const SECRET_BYTES: usize = 32;
/// Most refusals with one cause logged within [`ALARM_WINDOW`]; further ones are counted.
pub const ALARMS_MAX: u32 = 10;
/// Period in which at most [`ALARMS_MAX`] refusals with one cause are logged.
pub const ALARM_WINDOW: Duration = Duration::from_secs(60);
/// Most characters of untrusted input quoted in a refusal or in the log.
pub const QUOTED_CHARS_MAX: usize = 80;
/// Longest name of a host, in bytes (RFC 1035, 2.3.4, without the dots' bookkeeping).
pub const HOST_NAME_BYTES_MAX: usize = 253;
/// Most names given by `--host-name`.
pub const HOST_NAMES_MAX: usize = 32;
/// Most origins given by `--allow-origin`.
pub const ALLOWED_ORIGINS_MAX: usize = 32;
/// Most API keys a server reads.
pub const API_KEYS_MAX: usize = 1_024;
/// Longest name of an API key, in bytes.
pub const API_KEY_NAME_BYTES_MAX: usize = 64;
/// Largest PIN file or record of wrong PINs, in bytes; both have about 200.
pub const PIN_FILE_BYTES_MAX: u64 = 4 << 10;
/// Shortest and longest PIN of an owner, in characters.
pub const PIN_CHARS: std::ops::RangeInclusive<usize> = 6..=64;
/// Memory cost of hashing a PIN with Argon2id, in KiB: OWASP's recommendation, and little for a
/// board with 4 GB.
pub const PIN_MEMORY_KIB: u32 = 19 << 10;
/// Time cost of hashing a PIN with Argon2id, in passes over the memory: OWASP's recommendation.
pub const PIN_PASSES: u32 = 2;
/// Largest memory cost a PIN file may ask for, in KiB.
pub const PIN_MEMORY_KIB_MAX: u32 = 64 << 10;
/// Largest time cost a PIN file may ask for, in passes over the memory.
pub const PIN_PASSES_MAX: u32 = 8;
/// Wait after the first wrong PIN; each further one doubles it.
pub const PIN_WAIT_FIRST: Duration = Duration::from_secs(1);
/// Longest wait after a wrong PIN.
pub const PIN_WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// Number of consecutive wrong PINs after which sign-in is locked for [`PIN_LOCKED`].
pub const PIN_WRONG_MAX: u32 = 20;
/// Lockout after [`PIN_WRONG_MAX`] wrong PINs, and again after each further one.
pub const PIN_LOCKED: Duration = Duration::from_secs(60 * 60);
/// Time after which an inactive owner is signed out.
pub const OWNER_IDLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Most browsers in which an owner is signed in; a further one ends the session unused the longest.
pub const OWNER_SESSIONS_MAX: usize = 16;
/// Largest log of the owner's actions, in bytes; the previous one is kept too.
pub const OWNER_LOG_BYTES_MAX: u64 = 1 << 20;
/// Longest detail in a line of the owner's log, in characters.
pub const OWNER_LOG_DETAIL_CHARS_MAX: usize = 256;

// Connections inside the gate.

/// Longest head of a response from tiny_http, in bytes; a longer one is a fault.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 16 << 10;
/// Most bytes a client may send after its request, which are discarded; more end the connection.
pub const SURPLUS_BYTES_MAX: usize = 64 << 10;
/// Longest line of a chunked body (a chunk's size or a trailer), in bytes.
pub const CHUNK_LINE_BYTES_MAX: usize = 1 << 10;
/// Part of a response the relay holds on its way to the client, in bytes.
pub const RELAY_BYTES: usize = 16 << 10;
/// Most bytes the kernel buffers for one client that reads slowly; its own default is 4 MiB.
pub const SEND_BUFFER_BYTES: usize = 128 << 10;
/// Most rejected connections kept open for a moment so that the client can read the response.
pub const REJECTED_MAX: usize = 32;
/// Stack of a connection's thread, in bytes.
pub const STACK_BYTES: usize = 256 << 10;
/// File descriptors one connection may need: two in the gate, two in tiny_http, two for a file it
/// reads.
pub const DESCRIPTORS_PER_CONNECTION: u64 = 6;
/// File descriptors reserved for the rest of the process: model, journal, terminals, rejected
/// connections.
pub const DESCRIPTORS_RESERVED: u64 = 96;
/// Silence after which the kernel probes whether a client is still connected (TCP keep-alive).
pub const PROBE_AFTER: Duration = Duration::from_secs(15);
/// Interval between two TCP keep-alive probes.
pub const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Interval at which the accept loop checks whether it should end.
pub const CLOSING_CHECK_EVERY: Duration = Duration::from_millis(100);
/// Most relayed connections waiting for tiny_http: more than the gate opens at once.
pub const BACKEND_BACKLOG: i32 = 1_024;

// Streams.

/// Time after which the head of a whole answer is sent, before the answer is there: clients wait
/// for a head for a limited time, Node's fetch for 300 s. An error until then has its own status.
pub const WHOLE_HEAD_WAIT: Duration = Duration::from_secs(10);
/// Silence on a stream after which a comment is sent, so that proxies keep the connection open.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// Interval between two checks that a job is still shared while somebody follows it.
pub const SHARE_CHECK_EVERY: Duration = Duration::from_secs(2);
/// Longest time a stream's head waits for the engine to accept the question, so that a refusal can
/// still have its own status.
pub const VERDICT_WAIT: Duration = Duration::from_secs(5);
/// Longest time the response to a submitted job waits for the engine to accept the question.
pub const JOB_VERDICT_WAIT: Duration = Duration::from_millis(500);
/// Jobs in one page of a list, unless `limit` is given.
pub const LIST_JOBS_DEFAULT: u32 = 50;
/// Time after which a client should reconnect when its stream ends or the server is closing: the
/// time a server takes to restart.
pub const RECONNECT_WAIT: Duration = Duration::from_secs(2);
/// Longest reply, or line of an event stream, that `solve` reads from a running server, in bytes.
pub const REMOTE_LINE_BYTES_MAX: u64 = 64 << 20;

// Shutdown, and the service manager.

/// Longest time a closing server waits for its streams to end.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Time after a signal at which the process exits, whatever hangs: half a second before the
/// promised 5 s.
pub const LEAVE_WITHIN: Duration = Duration::from_millis(4_500);
/// Minimum interval between two status messages to a service manager.
pub const STATUS_EVERY: Duration = Duration::from_secs(3);
/// Longest interval between two checks for news to send to a service manager; half its watchdog
/// time may be less.
pub const STATUS_CHECK_EVERY: Duration = Duration::from_millis(500);
/// Extension of the start-up time-out requested from a service manager at each check while the
/// model loads.
pub const LOADING_PATIENCE: Duration = Duration::from_secs(60);

// Consoles.

/// Most consoles of one server.
pub const CONSOLES_MAX: usize = 16;
/// Speed of a serial line, in bits per second, unless `--serial` gives one.
pub const CONSOLE_BAUD_DEFAULT: u32 = 115_200;
/// Slowest and fastest speed of a serial line, in bits per second.
pub const CONSOLE_BAUD: std::ops::RangeInclusive<u32> = 50..=4_000_000;
/// Interval between two attempts to open a port that is not available.
pub const CONSOLE_PORT_EVERY: Duration = Duration::from_millis(500);
/// Longest time a console's read or write blocks, and so the time it takes to notice a stop.
pub const CONSOLE_READ_WAIT: Duration = Duration::from_millis(100);
/// Longest time a console's follower blocks waiting for a job's next event.
pub const CONSOLE_FOLLOW_WAIT: Duration = Duration::from_secs(1);
/// Most bytes read from a console at once.
pub const CONSOLE_READ_BYTES: usize = 1 << 10;
/// Most reads waiting to be processed by a session; then the line is not read.
pub const CONSOLE_READS_WAITING_MAX: usize = 8;
/// Most bytes of a formula held back until its end is known.
pub const LATEX_HELD_BYTES_MAX: usize = 4 << 10;
/// Size of the output buffer on the slowest and on the fastest line, in bytes.
pub const CONSOLE_OUT_BYTES: std::ops::RangeInclusive<usize> = 256..=4_096;
/// Most bytes of a session's own output that wait when the output buffer is full, such as echoes on
/// a blocked line.
pub const CONSOLE_BACKLOG_BYTES_MAX: usize = 64 << 10;
/// Longest time a closing console may take to send its last output; shorter than [`CLOSE_WAIT`].
pub const CONSOLE_CLOSE_WAIT: Duration = Duration::from_secs(1);
/// Longest time an escape sequence may take to arrive.
pub const CONSOLE_KEY_WAIT: Duration = Duration::from_millis(50);
/// Time after noise on a line in which further input counts as noise.
pub const CONSOLE_NOISE_LASTS: Duration = Duration::from_secs(1);
/// Longest time an unfinished input line holds back the text of an answer.
pub const CONSOLE_TYPING_LASTS: Duration = Duration::from_secs(30);
/// Minimum interval between two announced estimates on a console.
pub const CONSOLE_ETA_EVERY: Duration = Duration::from_secs(60);
/// Smallest relative change of an estimate worth announcing on a console.
pub const CONSOLE_ETA_CHANGE: f64 = 0.25;
/// Most jobs of a pipe that are unanswered before more of it is read.
pub const CONSOLE_PIPE_JOBS: usize = 8;
/// Longest line that can be typed, in bytes; a question may have several.
pub const CONSOLE_LINE_BYTES_MAX: usize = QUESTION_BYTES_MAX;
/// Most input lines a console keeps in its history.
pub const CONSOLE_HISTORY_LINES: usize = 100;
/// Largest history of input lines of a console, in bytes.
pub const CONSOLE_HISTORY_BYTES: usize = 256 << 10;
/// Width of a terminal that does not report one, in columns.
pub const CONSOLE_COLUMNS_DEFAULT: usize = 80;
/// Smallest and largest width `/width` accepts, in columns.
pub const CONSOLE_COLUMNS: std::ops::RangeInclusive<usize> = 20..=500;
/// Most jobs a machine on one line follows at once, and most of its request IDs that are
/// remembered.
pub const CONSOLE_KNOWN_MAX: usize = 16;
/// Longest line a machine may send, in bytes without its line end: the longest question with its
/// other fields. A question that escapes every character can have a sixth of this.
pub const MACHINE_LINE_BYTES_MAX: usize = QUESTION_BYTES_MAX + (4 << 10);
/// Most positions in a line, besides its beginning, where an object is searched for. Each may cost
/// a scan of the whole line; after noise an intact line begins only once.
pub const MACHINE_STARTS_MAX: usize = 16;
/// Number of consecutive bad lines that are each answered; after that the number of answers grows
/// with the logarithm: 24 for a million.
pub const MACHINE_BAD_LINES_ANSWERED: u64 = 8;
/// Smallest and largest limit a machine may set for the lines it receives, in bytes with checksum
/// and line feed.
pub const MACHINE_LINE_BYTES: std::ops::RangeInclusive<usize> = 128..=4_096;
/// Longest line sent to a machine that sets no limit, in bytes with checksum and line feed.
pub const MACHINE_LINE_BYTES_DEFAULT: usize = 1_024;
/// Longest request ID as JSON, in bytes: the shortest lines have room for it and everything else.
pub const MACHINE_ID_BYTES_MAX: usize = 24;
