#!/usr/bin/env bash
# Counts the instructions per token the aarch64 binary executes under QEMU, for each kernel set.
# Prints a Markdown table for docs/benchmarks.md. `make bench` calls it after `make cross`.
#
#   MODEL=FILE PREFILL=64 DECODE=16 build/instructions.sh
#
# MODEL defaults to the Q4_0 file that build/bench.sh writes.
#
# Counts are reproducible to about 0.1 % whatever else the machine does. Each figure is the difference between
# two runs with prompts or answers of different lengths, so loading and repacking cancel out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

MODEL=${MODEL:-target/bench/SmolLM2-135M-Instruct.Q4_0.gguf}
[[ -f $MODEL ]] || fail "instructions.sh: cannot find model '$MODEL'" "Run make bench, or name another file with MODEL=FILE."
export MODEL PREFILL=${PREFILL:-64} DECODE=${DECODE:-16}
export BINARY=target/aarch64-unknown-linux-gnu/release/solverbox
[[ -x $BINARY ]] || fail "instructions.sh: cannot find '$BINARY'" "Run make cross to build it."
command -v qemu-aarch64 >/dev/null ||
    fail "instructions.sh: cannot find 'qemu-aarch64', the emulator with plugin support" \
        "Run build/prepare.sh bench, or install the Debian package qemu-user."

PLUGIN=$(mktemp -d)
trap 'rm -rf "$PLUGIN"' EXIT
export PLUGIN
cc -O2 -shared -fPIC -o "$PLUGIN/libcount.so" build/qemu/count.c

python3 - <<'PYTHON'
import json, os, subprocess

env = os.environ
prefill, decode = int(env["PREFILL"]), int(env["DECODE"])
plain = {k: v for k, v in env.items() if not k.startswith("SOLVERBOX_")}
SETS = ["armv8.0", "armv8.2-dotprod", "armv8.6-i8mm"]


def run(kernels, words, tokens):
    """Returns the number of instructions one run executed, and its prompt's length in tokens."""
    out = f"{env['PLUGIN']}/count"
    command = [
        "qemu-aarch64", "-cpu", "max", "-plugin", f"{env['PLUGIN']}/libcount.so,out={out}", env["BINARY"],
        "solve", "--model", env["MODEL"], "--kernels", kernels, "--threads", "1", "--context-tokens", "512",
        "--mode", "plain", "--temperature", "0", "--ignore-eos", "--json", "--budget-tokens", str(tokens),
        "one" + " one" * (words - 1)]
    done = subprocess.run(command, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{done.stderr}\nsolverbox: instructions.sh: '{' '.join(command)}' failed with status "
                         f"{done.returncode}\nFix the error printed above, then run it again.")
    answer = json.loads(done.stdout)
    assert answer["completion_tokens"] == tokens, answer
    with open(out) as f:
        return int(f.read()), answer["prompt_tokens"]


rows = {}
for kernels in SETS:
    short, short_tokens = run(kernels, 1, 1)
    long, long_tokens = run(kernels, 1 + prefill, 1)
    assert long_tokens - short_tokens == prefill, (short_tokens, long_tokens)
    more, _ = run(kernels, 1, 1 + decode)
    rows[kernels] = ((long - short) / prefill, (more - short) / decode)

print(f"`{os.path.basename(env['MODEL'])}`, 1 thread; prefill: {prefill} additional prompt tokens, decode: "
      f"{decode} additional answer tokens.\n")
print("| kernel set | prefill, million instructions/token | ratio to armv8.0 | decode | ratio to armv8.0 |")
print("|---|---:|---:|---:|---:|")
first = rows[SETS[0]]
for kernels, (a, b) in rows.items():
    print(f"| {kernels} | {a / 1e6:.1f} | {a / first[0]:.3f} | {b / 1e6:.1f} | {b / first[1]:.3f} |")
PYTHON
