//! The suite's contents page. Every topic drives the real binary with the real engine on a real
//! model; nothing is mocked. `make test` prepares what it needs.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used)]

mod crowd; // a desk in a process of its own, with an ear that hears every token drawn
mod damage; // what the seeds of the corruption tests do to a file
mod disk; // what a power cut leaves of the files a traced process wrote
mod fixture;
mod gguf;
mod lives; // a box killed and started again, and readers that follow its jobs over all its lives
mod shape; // a large model's shape with zeros for weights
mod small_disk; // a disk without room, to be stopped and started on
mod terminal; // a terminal at the other end of a serial wire, whose cable can be pulled
mod tiny; // small sound models of every architecture known exactly
mod trial; // trials of reliability: their two forms, and what the full ones measured

mod adapters; // questions that wear an adapter beside questions that wear none
mod api; // what the box says of itself, what its owner may do, the history
mod attempts; // votes and choices from end to end, conversations that go on
mod bad_checkpoints; // what `convert` says of damaged, foreign and incomplete checkpoints
mod bad_models; // damaged, foreign and missing model files: one clear error each
mod bench; // `bench` and `tune`: shapes of what is measured, refusals, what is read back
mod boards; // the aarch64 file on emulated processors of boards
mod bundled; // the demo model: its files, its split, what it knows, and its adapter
mod classroom; // a lesson of many clients in mixed modes, some of whom leave
mod clients; // clients people have: official ones, LangChain, curl, requests, a browser; docs/clients.md
mod console; // people at serial consoles: asking, stopping, pulled cables, noise, slow lines, pipes
mod convert; // a file of a checkpoint: its bytes, Ctrl-C, a full disk, memory
mod corruption; // thousands of damaged files: a clean error or an answer
mod crash; // kill -9 at random instants: nothing lost, nothing doubled, streams go on
mod cross; // building for a board: what is missing or wrong is said
mod disassembly; // no instruction outside the sets that an old processor lacks
mod door; // whoever stands at it: slow, greedy, many, gone; descriptors used up; answers beside it all
mod drafts; // the same tokens with drafts and without, greedy and sampled
mod eval; // measuring answers: figures that can be counted by hand, faults, going on
mod fair; // fair turns counted in tokens, stopping within a step, limits of a client and the box
mod fuzz; // bytes nobody would write, for everything that reads bytes from outside
mod greedy; // greedy answers equal llama.cpp's own plain loop
mod http; // the page, health, predict, limits, bad requests, several clients
mod identity; // forged cookies, keys, foreign names and pages, the owner's PIN, what is logged of it
mod jobs; // the job API, and jobs that go on after the box was stopped
mod kernels; // the kernel sets: listed, chosen, refused, checked, and equal in what they answer
mod machine; // machines at serial consoles, real terminal programs, a login prompt in the way
mod memory; // what a running box took at most is what the plan says
mod mixing; // what keeps the kernel sets apart in one program
mod openai; // /v1, streaming and not
mod owner; // the owner's PIN: set, typed, guessed at ten thousand times, locked over a restart
mod plan; // what a model takes, what fits, how fast: tables, JSON, refusals
mod power; // power cuts: what was not synced is gone, and nothing else
mod prompts; // what a mode's questions begin with, kept over a restart
mod schedules; // whatever clients do in whatever order: nothing lost, nothing leaks, nothing changed
mod schema; // every reply is as the OpenAPI document says
mod signals; // stopping in time, whatever hangs; what a service manager is told
mod solve; // the command line: answers, JSON, figures, settings, exit codes, Ctrl-C
mod thinking; // thinking split from answer, closed by the engine when the budget runs out
mod tidy; // the layers and the house style
mod truth; // converted checkpoints compute and cut text as transformers does
mod verify; // files told whole from damaged: structure, sums, adapters
mod votes; // attempts that vote: what stopping early changes and saves, what a vote is worth
mod workshop; // quantize, imatrix, compare: equal to what is built in, close to the original, refusals
