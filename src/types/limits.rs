//! Every bound in the box, with its name and its unit.
//!
//! A bound lives here even when only one file uses it, so that one page answers "what is the most
//! …?". What an owner may change is a flag whose default or ceiling is taken from here.

use std::num::NonZeroU64;
use std::time::Duration;

// What a person may send.

/// Longest request body the gate accepts, in bytes; 2,048 tokens of any script fit many times over.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest request line plus headers the gate accepts, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most header lines in a request.
pub const HEADERS_MAX: usize = 64;
/// Longest question, in tokens of the model, unless `--question-tokens-max` says otherwise.
pub const QUESTION_TOKENS_DEFAULT: u32 = 2_048;
/// The most `--question-tokens-max` may be set to, in tokens.
pub const QUESTION_TOKENS_CEILING: u32 = 32_768;
/// Bytes the tokens of a question have on average at most; a longer one is refused untokenised.
pub const TOKEN_BYTES_MEAN_MAX: usize = 16;
/// Longest text of one question with its conversation, in bytes, before it is tokenised at all.
pub const QUESTION_BYTES_MAX: usize = 512 << 10;
/// Most messages in one conversation.
pub const TURNS_MAX: usize = 256;
/// Most stop strings of one request.
pub const STOPS_MAX: usize = 4;
/// Longest stop string, in bytes.
pub const STOP_BYTES_MAX: usize = 256;
/// Largest settings or modes file, in bytes.
pub const SETTINGS_BYTES_MAX: u64 = 1 << 20;
/// Longest system prompt of a mode, in bytes.
pub const SYSTEM_PROMPT_BYTES_MAX: usize = 16 << 10;

// What a job may take.

/// The most tokens one job may be given, prompt not counted.
pub const BUDGET_TOKENS_MAX: u32 = 131_072;
/// The least budget worth starting, in tokens.
pub const BUDGET_TOKENS_MIN: u32 = 1;
/// The most tokens kept back for a final answer when the budget ends inside the thinking.
pub const RESERVE_TOKENS_MAX: u32 = 512;
/// How many of the latest tokens a repetition penalty looks back on.
pub const PENALTY_WINDOW_TOKENS: usize = 256;
/// Most attempts at one question, each of which needs a sequence.
pub const ATTEMPTS_MAX: u32 = SEQUENCES_MAX;
/// Probability of the leading answer's winning with all attempts above which a vote ends.
pub const VOTE_CHANCE_ENOUGH: f64 = 0.95;
/// Highest sampling temperature.
pub const TEMPERATURE_MAX: f32 = 5.0;

// What waits.

/// Most jobs waiting in line, unless `--queue-jobs-max` says otherwise.
pub const QUEUE_JOBS_DEFAULT: usize = 32;
/// The most `--queue-jobs-max` may be set to.
pub const QUEUE_JOBS_CEILING: usize = 1_024;
/// Most jobs one client may have in the box, waiting and being answered, unless
/// `--client-jobs-max` says otherwise: ten questions of one pupil, and some to spare.
pub const CLIENT_JOBS_DEFAULT: usize = 16;
/// The most `--client-jobs-max` may be set to: all that wait.
pub const CLIENT_JOBS_CEILING: usize = QUEUE_JOBS_CEILING;

/// Ended jobs that are kept in memory besides the journal's, in all.
pub const RECENT_JOBS_MAX: usize = 64;
/// Bytes of their texts, in all.
pub const RECENT_BYTES_MAX: usize = 8 << 20;
/// How long estimates stay as they are whatever changes.
pub const ESTIMATE_PAUSE: Duration = Duration::from_millis(500);
/// And how many times as long as making them took, with a long line on a slow board.
pub const ESTIMATE_PAUSE_TIMES: u32 = 20;
/// How often estimates are made anew while nothing else changes.
pub const ESTIMATE_EVERY: Duration = Duration::from_secs(3);
/// How long questions are prepared between two steps, and the one begun then to its end.
pub const PREPARE_WITHIN: Duration = Duration::from_millis(10);
/// How long questions with the same adapters are decoded before those with others, in the mean: a
/// switch costs a graph.
pub const ADAPTERS_TURN: Duration = Duration::from_secs(1);
/// Tokens a client computes before another may have its seat: at 10 steps/s a pause of 6 seconds.
pub const TURN_TOKENS: u32 = 64;
/// Tokens a client is known to have had more than the others, at most: the longest usual prompt.
pub const LEAD_TOKENS_MAX: u64 = QUESTION_TOKENS_DEFAULT as u64;
/// Most clients without questions whose lead is remembered; later ones push out earlier ones.
pub const CLIENTS_REMEMBERED_MAX: usize = 64;
/// Latest attempts of a mode whose lengths are remembered, to estimate those of the next.
pub const LENGTHS_KEPT: usize = 256;
/// Seconds in which a measured speed is forgotten to a third.
pub const SPEED_MEMORY_SECONDS: f64 = 30.0;
/// Tokens a second a box is taken to make before any was measured: between the two boards'.
pub const TOKENS_PER_SECOND_GUESSED: f64 = 7.0;

/// Seconds after which a client turned away is told to come again, at least and at most.
pub const RETRY_SECONDS: std::ops::RangeInclusive<f64> = 1.0..=600.0;

// The journal.

/// How far the journal of a running job may be behind its text, in seconds, unless
/// `--sync-seconds` says otherwise: an SD card wears out from small writes.
pub const SYNC_SECONDS_DEFAULT: u32 = 2;
/// The most `--sync-seconds` may be set to.
pub const SYNC_SECONDS_MAX: u32 = 60;
/// And in tokens of one job, whatever the seconds.
pub const JOURNAL_TOKENS_MAX: usize = 256;
/// Ended questions of clients that only listened that may wait for a disk that cannot be written.
pub const JOURNAL_BACKLOG_MAX: usize = 64;
/// Pause after a write to the journal that failed: its disk may have room again.
pub const JOURNAL_RETRY: Duration = Duration::from_secs(2);
/// Memory for pages of the journal, in KiB, for who writes and for who reads.
pub const JOURNAL_CACHE_KIB: i64 = 512;
/// How long the journal waits for a lock of its own files.
pub const JOURNAL_BUSY_WAIT: Duration = Duration::from_secs(5);
/// How often retention and checks are thought of while the box rests.
pub const JOURNAL_CHORES_EVERY: Duration = Duration::from_secs(10);
/// Most jobs forgotten in one go for their age or for room.
pub const FORGOTTEN_AT_ONCE: u32 = 64;
/// Pages given back to the file system in one go; a page has 4 KiB.
pub const VACUUM_PAGES: u32 = 1_024;
/// Days an answered question is kept, unless `--history-days` says otherwise: a school year.
pub const HISTORY_DAYS_DEFAULT: u32 = 365;
/// The most `--history-days` may be set to.
pub const HISTORY_DAYS_MAX: u32 = 36_500;
/// Days after which a clock that goes on has been set, not passed: longer than summer holidays.
pub const CLOCK_LEAP_DAYS: i64 = 100;
/// Room for answered questions, in MiB, unless `--history-mb` says otherwise.
pub const HISTORY_MB_DEFAULT: u32 = 2_048;
/// The least and the most `--history-mb` may be set to.
pub const HISTORY_MB: std::ops::RangeInclusive<u32> = 16..=1 << 20;
/// Stops of the box after which places in a job's log are told apart.
pub const CUTS_KEPT: usize = 64;
/// Stops of the box by crashes after which the job that was aboard each time is given up.
pub const CRASHES_MAX: u32 = 2;
/// Most jobs of a list that is asked for at once.
pub const LIST_JOBS_MAX: u32 = 100;
/// Longest `Idempotency-Key`, in bytes.
pub const REQUEST_KEY_BYTES_MAX: usize = 256;

// The engine.

/// Largest KV cache, in tokens, that may be asked for.
pub const CONTEXT_TOKENS_MAX: u32 = 1 << 20;
/// Smallest useful KV cache, in tokens.
pub const CONTEXT_TOKENS_MIN: u32 = 256;
/// Largest KV cache taken without being asked, in tokens: VibeThinker's longest answers.
pub const CONTEXT_TOKENS_DEFAULT_MAX: u32 = 40_960;
/// Steps in which a context is made smaller until it fits, in tokens: llama.cpp rounds to these.
pub const CONTEXT_STEP_TOKENS: u32 = 256;
/// Most sequences in one KV cache.
pub const SEQUENCES_MAX: u32 = 16;
/// Most sequences reserved without being asked: a pass over the weights serves 8 tokens for little
/// more than the price of one on a Raspberry Pi 5.
pub const SEQUENCES_DEFAULT_MAX: u32 = 8;
/// The least share of the context for which one more sequence is reserved without being asked, in
/// tokens: the longest question and as long an answer. Shares are not walls: who is alone has all.
pub const SEQUENCE_SHARE_TOKENS_MIN: u32 = 4_096;
/// The cache keeps at most one part in so many for questions that begin as earlier ones did.
pub const KEPT_SHARE_OF_CACHE: usize = 4;
/// An attempt that has no cells gets some when one part in so many of the cache would be free
/// beside them, so that it does not have to give them back at once.
pub const ROOM_SHARE_OF_CACHE: usize = 16;
/// Rows of logits a pass may compute: one for each sequence, the rest for drafted tokens.
pub const LOGIT_ROWS: u32 = SEQUENCES_MAX;
/// Most drafted tokens of one attempt in one pass: from there on a pass costs what its tokens cost.
pub const DRAFT_TOKENS_MAX: usize = 15;
/// The table drafts are guessed from, in bytes; it holds what followed 131,072 tokens' contexts.
pub const DRAFT_TABLE_BYTES: usize = 2 << 20;
/// How long a pass should take at most, in milliseconds, unless `--step-ms` says otherwise.
pub const STEP_MS_DEFAULT: u32 = 250;
/// The shortest and the longest a pass may be asked to take, in milliseconds.
pub const STEP_MS: std::ops::RangeInclusive<u32> = 20..=10_000;
/// What `plan` leaves to a board's system, in bytes, unless `--reserve` says otherwise.
pub const RESERVE_BYTES_DEFAULT: u64 = 700 << 20;
/// Most memory `--ram` may name, in bytes.
pub const RAM_BYTES_MAX: u64 = 1 << 44;
/// Levels of control groups looked at for a limit; systemd makes about five.
pub const GROUP_LEVELS_MAX: usize = 64;
/// Tokens a prefill step decodes at most: efficient already, and logits for 128 rows stay small.
pub const UBATCH_TOKENS: u32 = 128;
/// Instructions a chat template may execute; the longest known ones need a few thousand.
pub const TEMPLATE_FUEL: u64 = 1_000_000;
/// Stack of the engine's thread, in bytes; what is never used never becomes memory. For some
/// vocabularies llama.cpp splits a text with std::regex, which recurses: 560 bytes a character.
pub const ENGINE_STACK_BYTES: usize = QUESTION_BYTES_MAX << 10;
/// Most threads the engine may be given.
pub const THREADS_MAX: u32 = 64;
/// Passes of so many tokens at most wait for the memory, larger ones for the cores: which threads
/// are best for one says nothing of the other.
pub const SMALL_PASS_TOKENS: usize = 16;
/// Largest file of tuned threads, in bytes; an entry has 130.
pub const TUNING_BYTES_MAX: u64 = 64 << 10;
/// Most models a file of tuned threads is kept for; the oldest entries go.
pub const TUNED_MODELS_MAX: usize = 32;
/// Longest rest of the engine after a step, so that orders are heard soon.
pub const REST_MAX: Duration = Duration::from_millis(500);
/// How often the engine looks at thermometers and at what other programs take.
pub const REST_LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most thermometers looked for; phones have the most, about 60.
pub const THERMAL_ZONES_MAX: usize = 64;
/// Most trip points of one thermometer; Linux once knew 12 at most.
pub const THERMAL_TRIPS_MAX: usize = 12;

// Prefilled prompts on disk.

/// Largest prompt kept, in bytes: 2,300 tokens of VibeThinker's f16 cells. It is in memory once
/// more while it is written or read.
pub const PREFIX_BYTES_MAX: u64 = 64 << 20;
/// Most files of them; a box with ten modes and three adapters has 30.
pub const PREFIX_FILES_MAX: usize = 64;
/// Bytes all of them may have; a mode's takes 4 MiB.
pub const PREFIX_FOLDER_BYTES_MAX: u64 = 256 << 20;
/// Prompts that may wait for a slow disk; more are kept another time.
pub const PREFIX_WRITES_WAITING_MAX: usize = 2;

// An evaluation.

/// Largest question set, in bytes; the largest known have a few megabytes.
pub const EVAL_SET_BYTES_MAX: u64 = 64 << 20;
/// Longest record of an attempt, in bytes: that of the longest answer has a tenth of it.
pub const EVAL_RECORD_BYTES_MAX: u64 = 16 << 20;
/// Most attempts at one question of a set; published tables go up to 64.
pub const EVAL_ATTEMPTS_MAX: u32 = 256;

// The workshop.

/// Rows of a tensor the quantizer keeps in memory at once, in bytes.
pub const QUANTIZE_BUFFER_BYTES: usize = 128 << 20;
/// Free bytes below which a disk is taken for full: less than a block of any file system's journal.
pub const FULL_DISK_BYTES: u64 = 1 << 20;
/// Longest text that is read to measure a model on, in bytes: a thick book.
pub const TEXT_BYTES_MAX: u64 = 16 << 20;
/// Bytes of a text that are tokenised at once.
pub const TEXT_PIECE_BYTES: usize = 64 << 10;
/// Tokens of a text that are read in one go, as llama.cpp's tools do.
pub const PASSAGE_TOKENS: u32 = 512;
/// Longest question with its reply that is read in one go, in tokens.
pub const EXCHANGE_TOKENS_MAX: u32 = 4_096;
/// Fewest tokens worth measuring a model on.
pub const PASSAGE_TOKENS_MIN: usize = 16;
/// Largest importance matrix, in bytes; that of a model with 70 billion weights has 50 million.
pub const IMPORTANCE_BYTES_MAX: u64 = 256 << 20;

/// Bytes read to measure how fast memory can be: eight times the largest caches of usual machines.
pub const BANDWIDTH_BYTES: usize = 256 << 20;

// The GGUF header, bounded before anyone else parses it.

/// Most key-value pairs in a header.
pub const GGUF_KEYS_MAX: u64 = 65_536;
/// Most tensors in a file.
pub const GGUF_TENSORS_MAX: u64 = 65_536;
/// Longest key, tensor name or string value, in bytes; the longest known are chat templates.
pub const GGUF_STRING_BYTES_MAX: u64 = 1 << 20;
/// Most elements of one array; the largest known vocabularies have 262,144.
pub const GGUF_ARRAY_ITEMS_MAX: u64 = 1 << 20;
/// Most items of all lists outside the vocabulary; there is one a layer in most.
pub const GGUF_LISTED_ITEMS_MAX: u64 = 65_536;
/// Largest header before the tensors, in bytes.
pub const GGUF_HEADER_BYTES_MAX: u64 = 64 << 20;

// A checkpoint to be converted.

/// Largest JSON file of a checkpoint, in bytes; the largest known tokenizer.json has 34 MB.
pub const CHECKPOINT_JSON_BYTES_MAX: u64 = 64 << 20;
/// Largest header of a safetensors file, in bytes; 4,096 layers of tensors have half of it.
pub const SAFETENSORS_HEADER_BYTES_MAX: u64 = 16 << 20;
/// Most files the weights of a checkpoint are spread over; each is held open.
pub const CHECKPOINT_SHARDS_MAX: usize = 512;
/// Longest token of a vocabulary without a pre-tokenizer, in bytes: each is tried cut at each
/// place.
pub const TOKEN_BYTES_SENTENCEPIECE_MAX: usize = 256;
/// Most adapters of a box.
pub const ADAPTERS_MAX: usize = 16;
/// Most adapters one question is answered with: of 16 that makes 2,516 combinations, which is what
/// bounds the list of those that were ever asked for.
pub const ADAPTERS_WORN_MAX: usize = 4;
/// Largest scale of an adapter, up and down.
pub const ADAPTER_SCALE_MAX: f32 = 10.0;
/// Most columns of an adapter's matrices; the largest ranks in use are a few hundred.
pub const ADAPTER_RANK_MAX: u64 = 4_096;
/// Bytes of a tensor converted at a time, at least one row of it: what fits into the second cache
/// costs the kernel a quarter of what four times as much does.
pub const CONVERT_CHUNK_BYTES: usize = 1 << 20;

// What a header may say.

/// Longest name of a tensor, in bytes; ggml keeps 64 with the zero at the end.
pub const GGUF_NAME_BYTES_MAX: u64 = 63;
/// Longest token of a vocabulary, in bytes; the longest known are runs of 128 spaces, 384 bytes.
pub const TOKEN_BYTES_MAX: usize = 2_048;
/// What llama.cpp may make of all tokens' texts, in bytes; of sound ones it makes less than they
/// are.
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
/// Largest file of SHA-256 sums, in bytes.
pub const SUMS_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a model read ahead before its header has said how much will fit; an SD card takes a
/// second for them, the header a tenth of one.
pub const READ_AHEAD_FIRST_BYTES: u64 = 64 << 20;
/// Bytes of a model asked for at a time.
pub const READ_AHEAD_CHUNK_BYTES: NonZeroU64 = NonZeroU64::new(8 << 20).unwrap();

// The gate.

/// Most connections held at once, in all.
pub const CONNECTIONS_MAX: usize = 128;
/// Most connections held at once for one address; a classroom terminal needs a handful.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 32;
/// Most connections from loopback, where every program of this machine shares one address.
pub const CONNECTIONS_LOOPBACK_MAX: usize = 96;
/// Time a client has to send its request head.
pub const HEAD_WAIT: Duration = Duration::from_secs(10);
/// Time a client has to send its body once the head is there.
pub const BODY_WAIT: Duration = Duration::from_secs(30);
/// Time a client may leave a write of ours unread before it is dropped.
pub const WRITE_WAIT: Duration = Duration::from_secs(20);
/// Time a client has to take a whole reply of known length, however steadily it reads: what the
/// largest reply needs over a line of 100 kbit/s.
pub const REPLY_WAIT: Duration = Duration::from_secs(300);
/// Time a refused client gets to read the refusal while the rest of its request is thrown away.
pub const LINGER_WAIT: Duration = Duration::from_secs(2);
/// Bytes of a refused request thrown away at most, so that the refusal can be read.
pub const LINGER_BYTES_MAX: usize = 32 << 20;
/// Pause of the accept loop after an accept error, so that it neither dies nor spins.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Requests a second that reach the server, whoever sends them; later ones wait. Each takes a
/// quarter of a millisecond of a PC's core and a whole one of a board's, which the engine misses.
pub const REQUESTS_PER_SECOND: u32 = 250;
/// Requests that may come at once after a pause, from all: thirty pages with all their files.
pub const REQUESTS_BURST: u32 = 256;
/// Requests a second from one address that reach the server; later ones wait. A page that is opened
/// takes four, and a whole school may stand behind one address.
pub const ADDRESS_REQUESTS_PER_SECOND: u32 = 50;
/// Requests that may come at once after a pause from one address.
pub const ADDRESS_REQUESTS_BURST: u32 = 128;
/// Addresses whose pace is remembered before those that have been quiet are forgotten; as many as
/// the pace of all lets through until then.
pub const PACED_ADDRESSES_MAX: usize = 1_024;
/// How often the server's own ear is looked after: a connection of the gate that waits for it from
/// one look to the next is heard by nobody.
pub const DEAF_LOOK: Duration = Duration::from_millis(250);
/// How much the threads of the HTTP door stand back behind the engine's, as nice(1) counts: looks
/// at the page must not cost answers. A thread with 5 gets a third of the time of one with 0.
pub const DOOR_NICENESS: i32 = 5;

// Who asks.

/// Bytes of the secret that seals cookies: as many as its SHA-256 has.
pub const SECRET_BYTES: usize = 32;
/// Refusals of one cause that are logged within [`ALARM_WINDOW`]; further ones are counted.
pub const ALARMS_MAX: u32 = 10;
/// How long that is.
pub const ALARM_WINDOW: Duration = Duration::from_secs(60);
/// Characters of what a stranger sent that are repeated in a refusal or a log.
pub const QUOTED_CHARS_MAX: usize = 80;
/// Longest name of a host, in bytes (RFC 1035, 2.3.4, without the dots' bookkeeping).
pub const HOST_NAME_BYTES_MAX: usize = 253;
/// Most `--host-name`s.
pub const HOST_NAMES_MAX: usize = 32;
/// Most API keys of a box.
pub const API_KEYS_MAX: usize = 1_024;
/// Longest name of an API key, in bytes.
pub const API_KEY_NAME_BYTES_MAX: usize = 64;
/// Longest PIN file or record of wrong PINs, in bytes; both have about 200.
pub const PIN_FILE_BYTES_MAX: u64 = 4 << 10;
/// Characters of an owner's PIN.
pub const PIN_CHARS: std::ops::RangeInclusive<usize> = 6..=64;
/// Memory that hashing a PIN takes, in KiB, and passes over it: what OWASP recommends for Argon2id,
/// and little for a board with 4 GB.
pub const PIN_MEMORY_KIB: u32 = 19 << 10;
/// Those passes.
pub const PIN_PASSES: u32 = 2;
/// Most of either that a PIN file may ask for.
pub const PIN_MEMORY_KIB_MAX: u32 = 64 << 10;
/// Those passes, at most.
pub const PIN_PASSES_MAX: u32 = 8;
/// Wait after the first wrong PIN; each further one doubles it.
pub const PIN_WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest it gets.
pub const PIN_WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// Wrong PINs in a row after which the owner's door is locked.
pub const PIN_WRONG_MAX: u32 = 20;
/// For how long, after each further one too.
pub const PIN_LOCKED: Duration = Duration::from_secs(60 * 60);
/// How long an owner who does nothing stays signed in.
pub const OWNER_IDLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Most browsers an owner is signed in with; the one used longest ago is signed out for another.
pub const OWNER_SESSIONS_MAX: usize = 16;
/// Largest log of what owners did, in bytes; its predecessor is kept beside it.
pub const OWNER_LOG_BYTES_MAX: u64 = 1 << 20;
/// Longest detail of a line in it, in characters.
pub const OWNER_LOG_DETAIL_CHARS_MAX: usize = 256;

// The gate's own plumbing.

/// Longest head of a response of our own server, in bytes; a longer one is a fault.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes a client may send after its request; they are thrown away, more of them end it.
pub const SURPLUS_BYTES_MAX: usize = 64 << 10;
/// Longest line of a chunked body (a chunk's size or a trailer), in bytes.
pub const CHUNK_LINE_BYTES_MAX: usize = 1 << 10;
/// Bytes the relay holds of a response on its way to the client.
pub const RELAY_BYTES: usize = 16 << 10;
/// Bytes the kernel may hold for one client that reads slowly; its own default is 4 MiB.
pub const SEND_BUFFER_BYTES: usize = 128 << 10;
/// Most refused connections kept a moment so that they can read why.
pub const TURNED_AWAY_MAX: usize = 32;
/// Stack of a connection thread, in bytes.
pub const STACK_BYTES: usize = 256 << 10;
/// Descriptors one connection may need: two here, two in tiny_http, two for a file it reads.
pub const DESCRIPTORS_PER_CONNECTION: u64 = 6;
/// Descriptors left to the rest of the process: model, journal, terminals, refused connections.
pub const DESCRIPTORS_RESERVED: u64 = 96;
/// Silence after which the kernel asks a client's machine whether it is still there.
pub const PROBE_AFTER: Duration = Duration::from_secs(15);
/// Time between two such questions.
pub const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How often the accept loop looks whether it is to end.
pub const CLOSING_LOOK: Duration = Duration::from_millis(100);
/// Relayed connections that may wait for tiny_http; more than the gate ever makes at once.
pub const PASSAGE_BACKLOG: i32 = 1_024;

// Streams.

/// Silence on a stream after which a comment is sent, so that proxies and people know it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream's head waits for the engine's verdict on the question, so that a refusal can
/// still carry a status of its own.
pub const VERDICT_WAIT: Duration = Duration::from_secs(5);
/// How long a job's acceptance waits for the engine's verdict on its question.
pub const JOB_VERDICT_WAIT: Duration = Duration::from_millis(500);
/// Jobs of a list unless `limit` says otherwise.
pub const LIST_JOBS_DEFAULT: u32 = 50;
/// Time after which a client whose stream ended is to come back, or who asks a closing box: as long
/// as a box needs to start again.
pub const COME_BACK: Duration = Duration::from_secs(2);
/// Longest reply, or line of an event stream, that `solve` reads from a running solverbox, in bytes.
pub const REMOTE_LINE_BYTES_MAX: u64 = 64 << 20;

// The end of the process, and whoever watches over it.

/// Time a closing server waits for its streams to say goodbye.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Time after a signal at which the process leaves, whatever hangs: half a second before the 5 s
/// that are promised.
pub const LEAVE_WITHIN: Duration = Duration::from_millis(4_500);
/// How often a service manager is told what changed, at most.
pub const STATUS_EVERY: Duration = Duration::from_secs(3);
/// How often is looked whether there is something to tell it, at most; half the time of its
/// watchdog may be less.
pub const STATUS_LOOK: Duration = Duration::from_millis(500);
/// How much longer a service manager is asked to wait at each look while the model is loaded.
pub const LOADING_PATIENCE: Duration = Duration::from_secs(60);

// Consoles.

/// Most consoles of one box.
pub const CONSOLES_MAX: usize = 16;
/// Bits a second on a serial line, unless `--serial` says otherwise.
pub const CONSOLE_BAUD_DEFAULT: u32 = 115_200;
/// The least and the most it may say.
pub const CONSOLE_BAUD: std::ops::RangeInclusive<u32> = 50..=4_000_000;
/// How often a port that cannot be had is tried again.
pub const CONSOLE_PORT_EVERY: Duration = Duration::from_millis(500);
/// How long a console reads or writes at once, and so takes to notice that the box is stopped.
pub const CONSOLE_READ_WAIT: Duration = Duration::from_millis(100);
/// How long who follows a job for a console waits for the job's next change at once.
pub const CONSOLE_FOLLOW_WAIT: Duration = Duration::from_secs(1);
/// Bytes read from a console at once.
pub const CONSOLE_READ_BYTES: usize = 1 << 10;
/// Reads that may wait to be heard; then the line is not read.
pub const CONSOLE_HEARD_MAX: usize = 8;
/// Bytes of a formula that are held back until its end is known.
pub const LATEX_HELD_BYTES_MAX: usize = 4 << 10;
/// Bytes that may wait to be sent, on the slowest line and on the fastest.
pub const CONSOLE_OUT_BYTES: std::ops::RangeInclusive<usize> = 256..=4_096;
/// Bytes of a session's own words that wait beyond that; what is typed at a line that stands still.
pub const CONSOLE_UNSAID_BYTES_MAX: usize = 64 << 10;
/// How long a console's last words may take, before `CLOSE_WAIT` is over.
pub const CONSOLE_LAST_WORDS: Duration = Duration::from_secs(1);
/// How long an escape sequence may take to come.
pub const CONSOLE_KEY_WAIT: Duration = Duration::from_millis(50);
/// How long after noise on a line what comes is taken for more of it.
pub const CONSOLE_NOISE_LASTS: Duration = Duration::from_secs(1);
/// How long a line that nobody types on holds back the text of an answer.
pub const CONSOLE_TYPING_LASTS: Duration = Duration::from_secs(30);
/// How long after an estimate was told another is no news, and from which part of a change on.
pub const CONSOLE_ETA_EVERY: Duration = Duration::from_secs(60);
/// See there.
pub const CONSOLE_ETA_CHANGE: f64 = 0.25;
/// Answers a pipe has coming before more is read of it.
pub const CONSOLE_PIPE_JOBS: usize = 8;
/// Longest line that can be typed, in bytes; a question may have several.
pub const CONSOLE_LINE_BYTES_MAX: usize = QUESTION_BYTES_MAX;
/// Lines a console remembers.
pub const CONSOLE_PAST_LINES: usize = 100;
/// And their bytes.
pub const CONSOLE_PAST_BYTES: usize = 256 << 10;
/// Columns of a terminal that does not say how many it has.
pub const CONSOLE_COLUMNS_DEFAULT: usize = 80;
/// The least and the most `/width` may say.
pub const CONSOLE_COLUMNS: std::ops::RangeInclusive<usize> = 20..=500;
/// Questions of a machine on one line that are known by their ids, and jobs that are told at once.
pub const CONSOLE_KNOWN_MAX: usize = 16;
/// Longest line of a machine, in bytes, its end not counted: the longest question with its other
/// fields. A question that escapes all its characters has a sixth of this.
pub const MACHINE_LINE_BYTES_MAX: usize = QUESTION_BYTES_MAX + (4 << 10);
/// Most places in a line, besides its beginning, from which an object is looked for. Each may cost
/// a look at the whole line; what a sound line has behind noise begins once.
pub const MACHINE_STARTS_MAX: usize = 16;
/// Bad lines in a row of which each is answered; of later ones every second answer is left out
/// again and again, so that a million of them get 24.
pub const MACHINE_BAD_LINES_ANSWERED: u64 = 8;
/// Bytes of the longest line of the box that a machine may ask for, sum and LF counted.
pub const MACHINE_LINE_BYTES: std::ops::RangeInclusive<usize> = 128..=4_096;
/// Where it asks for nothing.
pub const MACHINE_LINE_BYTES_DEFAULT: usize = 1_024;
/// Longest id as JSON, in bytes: the shortest lines have room for it beside everything else.
pub const MACHINE_ID_BYTES_MAX: usize = 24;
