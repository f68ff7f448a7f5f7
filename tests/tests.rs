//! The suite's contents page. Every topic drives the real binary with the real engine on a real
//! model; nothing is mocked. `make test` prepares what it needs.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used)]

mod docs; // the documents: links, commands and flags, the README's session
mod support; // running boxes, models and their copies, the desk in a process of its own, disks, wires
mod tidy; // the layers and the house style

/// The HTTP door and what comes back through it.
mod api {
    mod attempts; // votes and choices from end to end, conversations that go on
    mod clients; // clients people have: official ones, LangChain, curl, requests, a browser; docs/clients.md
    mod http; // the page, health, predict, limits, bad requests, several clients
    pub mod identity; // forged cookies, keys, foreign names and pages, the owner's PIN, what is logged of it
    pub mod jobs; // the job API, and jobs that go on after the box was stopped
    mod openai; // /v1, streaming and not
    pub mod owner; // the owner's PIN: set, typed, guessed at ten thousand times, locked over a restart
    mod requests; // fields: numbers, strings and duplicates are read alike, whichever way they come
    mod schema; // every reply is as the OpenAPI document says
    mod status; // what the box says of itself, what its owner may do, the history
}

/// Serial lines and pipes.
mod console {
    pub mod machine; // machines at serial consoles, real terminal programs, a login prompt in the way
    pub mod terminal; // people at serial consoles: asking, stopping, pulled cables, noise, slow lines, pipes
}

/// The command line.
mod commands {
    mod first_answer; // the questions the README shows, to the demo model, again and again
    mod plan; // what a model takes, what fits, how fast: tables, JSON, refusals
    mod solve; // answers, JSON, figures, settings, exit codes, Ctrl-C
    mod solve_remote; // the same where a box is running already, which is asked instead
    mod verify; // files told whole from damaged: structure, sums, adapters
}

/// What is computed, and what it takes.
mod engine {
    mod adapters; // questions that wear an adapter beside questions that wear none
    mod bundled; // the demo model: its files, its split, what it knows, and its adapter
    mod drafts; // the same tokens with drafts and without, greedy and sampled
    mod greedy; // greedy answers equal llama.cpp's own plain loop
    mod kernels; // the kernel sets: listed, chosen, refused, checked, and equal in what they answer
    mod memory; // what a running box took at most is what the plan says
    mod prompts; // what a mode's questions begin with, kept over a restart
    mod thinking; // thinking split from answer, closed by the engine when the budget runs out
    mod votes; // attempts that vote: what stopping early changes and saves, what a vote is worth
}

/// What must hold of a box in a classroom, whatever happens to it.
mod reliability {
    mod bad_models; // damaged, foreign and missing model files: one clear error each
    mod classroom; // a lesson of many clients in mixed modes, some of whom leave
    mod corruption; // thousands of damaged files: a clean error or an answer
    pub mod crash; // kill -9 at random instants: nothing lost, nothing doubled, streams go on
    mod door; // whoever stands at it: slow, greedy, many, gone; descriptors used up; answers beside it all
    mod durable_ends; // an end that is told is on the disk, however slow the disk is
    mod fair; // fair turns counted in tokens, stopping within a step, limits of a client and the box
    mod fuzz; // bytes nobody would write, for everything that reads bytes from outside
    mod old_journal; // journals of other versions: opened and gone on with, or refused with a way out
    mod power; // power cuts: what was not synced is gone, and nothing else
    mod schedules; // whatever clients do in whatever order: nothing lost, nothing leaks, nothing changed
    pub mod signals; // stopping in time, whatever hangs; what a service manager is told
}

/// Making and measuring models.
mod workshop {
    pub mod bad_checkpoints; // what `convert` says of damaged, foreign and incomplete checkpoints
    mod bench; // `bench` and `tune`: shapes of what is measured, refusals, what is read back
    pub mod convert; // a file of a checkpoint: its bytes, Ctrl-C, a full disk, memory
    mod eval; // measuring answers: figures that can be counted by hand, faults, going on
    mod quantize; // quantize, imatrix, compare: equal to what is built in, close to the original, refusals
    mod truth; // converted checkpoints compute and cut text as transformers does
}

/// The files that are built.
mod build {
    pub mod boards; // the aarch64 file on emulated processors of boards
    mod cross; // building for a board: what is missing or wrong is said
    mod disassembly; // no instruction outside the sets that an old processor lacks
    mod mixing; // what keeps the kernel sets apart in one program
}
