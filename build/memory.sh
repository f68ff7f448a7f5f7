#!/usr/bin/env bash
# Compares the peak of running boxes with what `solverbox plan` says, over types, contexts and caches of
# VibeThinker-1.5B's shape (tests/engine/memory.rs). Prints a Markdown table for docs/benchmarks.md and fails where
# a difference is above 5 %. `make bench` calls it; it takes some 10 minutes and 3.2 GB of memory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

MEMORY_GRID=all cargo test --release --locked --test tests \
    engine::memory::a_running_box_takes_what_the_plan_says -- --nocapture --test-threads 2 2>target/memory.log |
    grep --line-buffered '^|' || { cat target/memory.log >&2 && exit 1; }
