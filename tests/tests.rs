//! The suite's contents page. Every topic drives the real binary with the real engine on a real
//! model; nothing is mocked. `make test` prepares what it needs.

// Tests fail by panicking.
#![allow(clippy::unwrap_used)]

mod docs; // the documents: links, commands and flags, the README's session
mod support; // running servers, models, a desk in a process of its own, disks, serial lines
mod tidy; // layers, names, prose and sizes of the sources

/// The HTTP server and its replies.
mod api {
    mod attempts; // votes and choices from end to end, conversations that continue
    mod basic; // the pages without script: forms, hostile text, foreign forms, w3m
    mod browser; // a browser that is handed on: all its jobs are deleted, its cookie expires
    pub mod clients; // existing clients: OpenAI's, LangChain, curl, a browser and more; docs/clients.md
    mod http; // the page, health, predict, limits, bad requests, several clients
    pub mod identity; // forged cookies, keys, foreign host names and pages, and the log of refusals
    pub mod jobs; // the job API, and jobs that continue after a restart
    mod offer; // what can be asked, and when it would be answered
    mod openai; // /v1, streaming and not
    mod origins; // pages and apps that the owner allows, names of home networks
    pub mod owner; // the owner's PIN: set, typed, guessed ten thousand times, locked across restarts
    mod requests; // fields: numbers, strings and duplicates are read alike, whichever way they come
    mod responses; // /v1/responses and /v1/completions, streaming and not
    mod schema; // every reply conforms to the OpenAPI document
    mod shared; // jobs shared by a token: read, followed, withdrawn, gone with the job
    mod status; // status and metrics, the owner's control over jobs, the history
}

/// The page that people see.
mod page {
    mod browser; // in a real browser, against a replayer of recorded answers and the real box
    mod built; // page/dist is what page/src builds; types and unit tests
    mod serving; // its files over HTTP: encodings, ETags, caching
}

/// Serial lines and pipes.
mod console {
    pub mod machine; // machines at serial consoles, real terminal programs, a login prompt in the way
    mod ports; // serial ports: named, listed, refused, waited for
    pub mod terminal; // people at consoles: asking, stopping, pulled cables, noise, slow lines, pipes
}

/// The command line.
mod commands {
    mod first_answer; // the questions the README shows, to the demo model, again and again
    mod plan; // memory, largest contexts and speed of a model: tables, JSON, refusals
    mod solve; // answers, JSON, figures, settings, exit codes, Ctrl-C
    mod solve_remote; // the same where a box is running already, which is asked instead
    mod verify; // intact and damaged files: structure, checksums, adapters
}

/// Results, speed-ups and memory of the engine.
mod engine {
    mod adapters; // questions with and without an adapter at the same time
    mod bundled; // the demo model: its files, its training data, its accuracy, its adapter
    mod drafts; // the same tokens with and without speculative drafts, greedy and sampled
    mod greedy; // greedy answers equal those of llama.cpp's own loop
    mod kernels; // the kernel sets: listed, chosen, refused, checked, equal in their answers
    mod memory; // the peak memory of a running server equals the plan
    mod prompts; // the prefix of a mode's prompts, kept across restarts
    mod thinking; // thinking separated from the answer, closed when the budget runs out
    mod votes; // what early stopping changes and saves, and what voting gains
}

/// What must hold in a classroom, whatever happens.
mod reliability {
    mod bad_metadata; // metadata llama.cpp would assert or throw on: refused before it sees them
    mod bad_models; // damaged, foreign and missing model files: one clear error each
    mod classroom; // a lesson of many clients in mixed modes, some of which disconnect
    mod corruption; // thousands of damaged files: a clean error or an answer
    pub mod crash; // kill -9 at random instants: nothing lost or duplicated, streams resume
    mod door; // slow, greedy, many and vanished clients; used-up descriptors; answers meanwhile
    mod durable_ends; // an end that is told is on the disk, however slow the disk is
    mod fair; // fair scheduling counted in tokens, stopping within a step, limits of clients and the queue
    mod fuzz; // fuzz targets for all parsers of outside bytes
    mod old_journal; // journals of other versions: opened and continued, or refused with a remedy
    mod power; // power cuts lose unsynced writes and nothing else
    mod random_client; // the clients of crash and power
    mod schedules; // random schedules of many clients: nothing lost, leaked or changed
    pub mod signals; // stopping in time whatever hangs; notifications to a service manager
}

/// Making and measuring models.
mod workshop {
    pub mod bad_checkpoints; // `convert` on damaged, foreign and incomplete checkpoints
    mod bench; // `bench` and `tune`: complete results, refusals, tuned settings read back
    pub mod convert; // a file from a checkpoint: its bytes, Ctrl-C, a full disk, memory
    mod eval; // measuring answers: figures counted by hand, faults, continued runs
    mod quantize; // quantize, imatrix, compare: equal to the bundled file, close to the original
    mod replies; // the answer that counts in whole replies
    mod truth; // converted checkpoints have the logits and tokens of transformers
    mod unusual_checkpoints; // whole checkpoints that are not as most are: heads, tokens, pointers
}

/// The files that are built.
mod build {
    pub mod boards; // the aarch64 file on emulated processors of the boards
    mod cross; // building for a board: errors name what is missing
    mod disassembly; // no instruction outside the sets that an old processor lacks
    mod mixing; // how the kernel sets are kept apart in one program
    mod page; // how the page is packed into the program
}
