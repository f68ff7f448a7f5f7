# The common tasks of this repository, one target each. `make` without a target lists them.
# Each target first installs its missing dependencies (build/prepare.sh), so all work on a fresh clone.

SHELL := /bin/bash
# Puts rustup's cargo first even if the shell has not sourced rustup's env file: `cross` may install Debian's.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
# One profile for every build, so that llama.cpp is compiled once.
CARGO_FLAGS := --release --locked
# Options for `solverbox serve`, as in: make run ARGS='--listen 0.0.0.0:7860'
ARGS :=
# The binary built for this machine.
BINARY = target/$(shell rustc -vV | sed -n 's/^host: //p')/release/solverbox
# Target triple of `cross` (default: 64-bit ARM boards) and `reproducible` (default: this machine).
TRIPLE :=

.NOTPARALLEL: # every target installs its dependencies first
.PHONY: help run page test check fmt lint bench bench-peers quality workshop references corruption schedules votes first-answers page-trials client-trials noise reliability picture cross reproducible trials bundled model-smollm2 clean

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

run: ## serves the page on http://127.0.0.1:7860: the first thing to try
	@build/prepare.sh build
	cargo build $(CARGO_FLAGS)
	cargo run $(CARGO_FLAGS) -- serve $(ARGS)

page: ## after a change in page/src: checks types, runs unit tests, rebuilds page/dist, which is committed, and checks it
	@build/prepare.sh page
	@cd page && ../target/venv/bin/node node_modules/typescript/bin/tsc
	@cd page && ../target/venv/bin/node --test 'test/*.test.ts'
	@target/venv/bin/node page/build.mjs
	@target/venv/bin/node page/oldest/check.mjs

test: ## runs the whole suite: the real binary on the demo model, then the ARM binary in an emulator
	@build/prepare.sh test
	@build/prepare.sh cross
	@cross/build.sh
	cargo test $(CARGO_FLAGS) -- --skip page::browser
# The page's bounds on time are for a machine that does nothing else.
	cargo test $(CARGO_FLAGS) --test tests -- page::browser --test-threads 1

check: fmt lint test ## run before every commit: formatting, clippy, the suite

fmt: ## checks the formatting only (`cargo fmt` fixes it)
	@build/prepare.sh build
	cargo fmt --check

lint: ## runs clippy only, with warnings as errors
	@build/prepare.sh build
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

bench: ## speed against llama-bench, instructions per token on ARM, memory (first run: builds llama-bench, 10 min)
	@build/prepare.sh bench
	@build/prepare.sh cross
	@models/fetch.sh
	@cross/build.sh
	cargo build $(CARGO_FLAGS)
	@build/bench.sh
	@build/instructions.sh
	@build/memory.sh

bench-peers: ## concurrent load against llama-server, 30 min on an idle machine (first run: builds it, 15 min, 8 GB)
	@build/prepare.sh bench
	@models/fetch.sh
	cargo build $(CARGO_FLAGS)
	@build/bench-peers.sh

quality: ## accuracy of the demo model by quantization type, and the loss each type causes
	@build/prepare.sh test
	cargo build $(CARGO_FLAGS)
	cargo test $(CARGO_FLAGS) every_quantization # writes the quantized files
	@build/quality.sh
	@build/quantizing.sh

workshop: ## speed and memory of convert and quantize against llama.cpp's tools (first run: 12 GB, 20 min)
	@build/prepare.sh bench
	@build/prepare.sh references
	cargo build $(CARGO_FLAGS)
	@build/workshop.sh

references: ## regenerates the suite's tiny checkpoints with transformers and compares with llama.cpp's converter
	@build/prepare.sh references
	cargo build $(CARGO_FLAGS)
	target/venv-references/bin/python tests/data/checkpoints/make.py --check
	target/venv-references/bin/python tests/data/checkpoints/peer.py $(BINARY)

cross: ## builds the static binary for 64-bit ARM boards (TRIPLE=x86_64-unknown-linux-gnu: for a PC), 8 min
	@build/prepare.sh cross $(TRIPLE)
	@cross/build.sh $(TRIPLE)

reproducible: ## before a release: builds the last commit in two folders and compares the binaries, 20 min
	@build/prepare.sh cross $(or $(TRIPLE),$(shell uname -m)-unknown-linux-gnu)
	@cross/reproducible.sh $(TRIPLE)

bundled: ## repacks the demo model and its adapter from models/bundled/checkpoint and models/bundled/adapter
	@build/prepare.sh test
	@target/venv/bin/python models/bundled/pack.py

model-smollm2: ## fetches SmolLM2-135M into models/: a small chat model of another architecture, for tests and benchmarks
	@build/prepare.sh model
	@models/fetch.sh

corruption: ## 48,000 corrupted files and a minute of fuzzing for each parser, 10 min
	@build/prepare.sh test
	CORRUPTION_TRIALS=1 FUZZ_SECONDS=60 cargo test $(CARGO_FLAGS) --test tests -- corruption:: fuzz::
	CORRUPTION_TRIALS=1 cargo test $(CARGO_FLAGS) --lib -- engine::prefix_store::

schedules: ## 1,000 random schedules of many clients, 8 min
	@build/prepare.sh test
	SCHEDULE_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- schedules:: --nocapture

votes: ## effect of stopping decided votes early, on 560 jobs of the demo model, 3 min
	@build/prepare.sh test
	VOTES_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- votes:: --nocapture

first-answers: ## the questions of the README and docs, 100 times each, answered by the demo model, 2 min
	@build/prepare.sh test
	FIRST_ANSWER_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- first_answer:: --nocapture

reliability: ## the full reliability trials, on an idle machine, 30 min; writes docs/reliability.md
	@build/prepare.sh test
	@build/reliability.sh

picture: ## takes the pictures of the page in docs, with a real answer
	@build/prepare.sh test
	cargo build $(CARGO_FLAGS)
	@target/venv/bin/node build/picture.mjs $(BINARY)

page-trials: ## the browser tests of the page with full repetitions and speeds, and in Chromium 80, idle machine, 10 min
	@build/prepare.sh test
	@build/prepare.sh oldest
	PAGE_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- page:: --nocapture --test-threads 1

client-trials: ## LiteLLM, which is too large for the suite, against the box (first run: 400 MB, 2 min)
	@build/prepare.sh test
	@build/prepare.sh clients
	CLIENT_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- clients::litellm --nocapture

noise: ## one minute of line noise at a console; the suite runs five seconds of it
	@build/prepare.sh test
	CONSOLE_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- console::terminal::noise

trials: model-smollm2 test references corruption schedules votes first-answers page-trials client-trials noise reliability workshop quality reproducible ## before a release: the suite and every check too slow for it

clean: ## removes build output; keeps fetched models
	rm -rf target page/node_modules models/.fetch.*
