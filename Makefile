# What a person does with this repository, one command each. `make` alone lists the targets.
# Each target first installs what it misses (build/prepare.sh), so all of them work on a bare clone.

SHELL := /bin/bash
# rustup's cargo first, also in a shell that has not read rustup's env file yet: `cross` may install Debian's.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
# One profile for all that is built, so that llama.cpp is compiled once.
CARGO_FLAGS := --release --locked
# Options for `solverbox serve`, as in: make run ARGS='--listen 0.0.0.0:7860'
ARGS :=
# What is built for this machine.
BINARY = target/$(shell rustc -vV | sed -n 's/^host: //p')/release/solverbox
# The machine `cross` and `reproducible` build for: a 64-bit ARM board and this machine, unless told.
TRIPLE :=

.NOTPARALLEL: # every target prepares the machine first
.PHONY: help run test check fmt lint bench bench-peers quality workshop references corruption schedules votes noise reliability cross reproducible trials bundled model-smollm2 clean

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

run: ## serves the page on http://127.0.0.1:7860: the first thing to try
	@build/prepare.sh build
	cargo build $(CARGO_FLAGS)
	cargo run $(CARGO_FLAGS) -- serve $(ARGS)

test: ## runs the whole suite: the real binary on the demo model, then the boards' file in an emulator
	@build/prepare.sh test
	@build/prepare.sh cross
	@cross/build.sh
	cargo test $(CARGO_FLAGS)

check: fmt lint test ## what must pass before a commit: formatting, clippy, the suite

fmt: ## only the formatting (`cargo fmt` repairs it)
	@build/prepare.sh build
	cargo fmt --check

lint: ## only clippy, warnings refused
	@build/prepare.sh build
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

bench: ## speed against llama-bench, instructions on a board, memory (first time: builds the peer, 10 min)
	@build/prepare.sh bench
	@build/prepare.sh cross
	@models/fetch.sh
	@cross/build.sh
	cargo build $(CARGO_FLAGS)
	@build/bench.sh
	@build/instructions.sh
	@build/memory.sh

bench-peers: ## many at once against llama-server, 30 min on a quiet machine (first time: builds it, 15 min, 8 GB)
	@build/prepare.sh bench
	@models/fetch.sh
	cargo build $(CARGO_FLAGS)
	@build/bench-peers.sh

quality: ## how often the answers are right, by quantization of the demo model; what quantizing costs
	@build/prepare.sh test
	cargo build $(CARGO_FLAGS)
	cargo test $(CARGO_FLAGS) every_quantization # makes the files
	@build/quality.sh
	@build/quantizing.sh

workshop: ## speed and memory of convert and quantize against llama.cpp's tools (first time: 12 GB, 20 min)
	@build/prepare.sh bench
	@build/prepare.sh references
	cargo build $(CARGO_FLAGS)
	@build/workshop.sh

references: ## remakes the suite's tiny checkpoints with transformers, and compares with llama.cpp's converter
	@build/prepare.sh references
	cargo build $(CARGO_FLAGS)
	target/venv-references/bin/python tests/data/checkpoints/make.py --check
	target/venv-references/bin/python tests/data/checkpoints/peer.py $(BINARY)

cross: ## builds the static file for a 64-bit ARM board (TRIPLE=x86_64-unknown-linux-gnu: for a PC), 8 min
	@build/prepare.sh cross $(TRIPLE)
	@cross/build.sh $(TRIPLE)

reproducible: ## before a release: builds the last commit in two folders and compares the bytes, 20 min
	@build/prepare.sh cross $(or $(TRIPLE),$(shell uname -m)-unknown-linux-gnu)
	@cross/reproducible.sh $(TRIPLE)

bundled: ## packs the demo model and its adapter anew from models/bundled/checkpoint and adapter
	@build/prepare.sh test
	@target/venv/bin/python models/bundled/pack.py

model-smollm2: ## gets SmolLM2-135M into models/: a model of another architecture that speaks, for the suite and benchmarks
	@build/prepare.sh model
	@models/fetch.sh

corruption: ## 48,000 damaged files and a minute of fuzzing for each reader, 10 min
	@build/prepare.sh test
	CORRUPTION_TRIALS=1 FUZZ_SECONDS=60 cargo test $(CARGO_FLAGS) --test tests -- corruption:: fuzz::
	CORRUPTION_TRIALS=1 cargo test $(CARGO_FLAGS) --lib -- engine::prefix::

schedules: ## 1,000 random schedules of many clients, 8 min
	@build/prepare.sh test
	SCHEDULE_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- schedules:: --nocapture

votes: ## what stopping votes early changes and saves, on 560 jobs of the demo model, 3 min
	@build/prepare.sh test
	VOTES_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- votes:: --nocapture

reliability: ## the full forms of the trials of reliability, on a quiet machine, 30 min; makes docs/reliability.md
	@build/prepare.sh test
	@build/reliability.sh

noise: ## a whole minute of noise at a console, of which the suite has five seconds
	@build/prepare.sh test
	CONSOLE_TRIALS=1 cargo test $(CARGO_FLAGS) --test tests -- console::terminal::noise

trials: model-smollm2 test references corruption schedules votes noise reliability workshop quality reproducible ## before a release: the suite and everything that takes too long for it

clean: ## removes what was built; fetched models stay
	rm -rf target models/.fetch.*
