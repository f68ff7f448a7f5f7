#!/usr/bin/env bash
# Compares the peak memory of running servers with the estimate of `solverbox plan`, across weight types, context
# sizes and KV cache types, for models of VibeThinker-1.5B's shape (tests/engine/memory.rs). Prints a Markdown
# table for docs/benchmarks.md, and fails if any difference exceeds 5 %. `make bench` calls it; it takes about 10
# minutes and 3.2 GB of memory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

MEMORY_GRID=all cargo test --release --locked --test tests \
    memory::a_running_server_takes_the_planned_memory -- --nocapture --test-threads 2 2>target/memory.log |
    grep --line-buffered '^|' || { cat target/memory.log >&2 && exit 1; }
