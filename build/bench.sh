#!/usr/bin/env bash
# Measures `solverbox solve` with each kernel set this CPU can run against llama.cpp's own llama-bench: same
# file, same threads, same sources, alternating runs. Prints a Markdown table for docs/benchmarks.md.
# `make bench` calls it after a build. Run it on an otherwise idle machine.
#
#   ROUNDS=5 THREADS=2 MODEL=FILE PEER=native|equal build/bench.sh
#
# PEER=native is llama.cpp's default build: compiled for this CPU, with OpenMP. PEER=equal uses the flags
# llama-cpp-sys-2 would: AVX2, without OpenMP. If MODEL is unset, SmolLM2-135M is requantized to Q4_0, which is
# the type the boards run and the one most kernel sets repack.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export ROUNDS=${ROUNDS:-5} THREADS=${THREADS:-$(nproc)} PEER=${PEER:-native}

tools=$(build/peer.sh "$PEER")
export LLAMA_BENCH=$tools/llama-bench
PEER_FLAGS=$(build/peer.sh --flags "$PEER")
export PEER_FLAGS

if [[ -z ${MODEL:-} ]]; then
    MODEL=target/bench/SmolLM2-135M-Instruct.Q4_0.gguf
    if [[ ! -f $MODEL ]]; then
        mkdir -p target/bench
        "$tools/llama-quantize" --allow-requantize models/SmolLM2-135M-Instruct.Q4_1.gguf "$MODEL.part" q4_0 >/dev/null 2>&1
        mv "$MODEL.part" "$MODEL"
    fi
fi
export MODEL BINARY=${BINARY:-target/$(rustc -vV | sed -n 's/^host: //p')/release/solverbox}

exec python3 - <<'PYTHON'
import json, os, platform, re, resource, statistics, subprocess, sys, time

env = os.environ
rounds, threads, model, binary = int(env["ROUNDS"]), env["THREADS"], env["MODEL"], env["BINARY"]
PREFILL, DECODE = 128, 32
plain = {k: v for k, v in env.items() if not k.startswith("SOLVERBOX_")}


def run(*command):
    """Returns a command's standard output and standard error."""
    done = subprocess.run(command, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{done.stderr}\nsolverbox: bench.sh: '{' '.join(command)}' failed with status "
                         f"{done.returncode}\nFix the error printed above, then run it again.")
    return done.stdout, done.stderr


FIGURES = re.compile(r"prompt (\d+) tokens at ([\d.]+) tokens/s · generated (\d+) tokens at ([\d.]+) tokens/s")


def ours(kernels, words, tokens):
    """Returns the prompt's length in tokens, and the prefill and decode speeds in tokens/s."""
    _, log = run(
        binary, "solve", "--model", model, "--kernels", kernels, "--mode", "plain", "--temperature", "0",
        "--ignore-eos", "--budget-tokens", str(tokens), "--threads", threads, "--json", "--log", "info",
        "one" + " one" * (words - 1))
    prompt, prefill, generated, decode = FIGURES.search(log).groups()
    assert int(generated) == tokens, log
    return int(prompt), float(prefill), float(decode)


def both(kernels):
    # The prefill yields the first token, so one more is requested than is timed.
    return {"pp": ours(kernels, words, 1)[1], "tg": ours(kernels, 1, DECODE + 1)[2]}


def bench(*what):
    command = [env["LLAMA_BENCH"], "-m", model, "-t", threads, *what]
    rows = json.loads(run(*command, "-fa", "on", "-ub", "128", "-lm", "none", "-r", "1", "-o", "json")[0])
    return rows[0]["avg_ts"]


def peer():
    prefill = bench("-p", str(PREFILL), "-n", "0")
    return {"pp": prefill, "tg": bench("-p", "0", "-n", str(DECODE)),
            "deep": bench("-p", "0", "-n", str(DECODE), "-d", str(depth))}


def cpu_seconds():
    """Returns the CPU seconds used since boot by all processes, and by this script's child processes."""
    with open("/proc/stat") as f:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, f.readline().split()[1:9])
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK"), mine.ru_utime + mine.ru_stime


listed = run(binary, "kernels")[0].splitlines()
sets = [line.split()[0] for line in listed if "can run here" in line]
best = next(line.split()[0] for line in listed if "runs: " in line)
sets = [best] + [name for name in sets if name != best]
# Each word is one token, so the prompt's length can be set exactly. Decoding is timed after the shortest prompt.
depth = ours(best, 1, 1)[0]
words = 1 + PREFILL - depth
assert ours(best, words, 1)[0] == PREFILL

began, (all_before, mine_before) = time.monotonic(), cpu_seconds()
speeds = {name: [] for name in ["peer", *sets]}
for turn in range(rounds):
    order = ["peer", *sets]
    for name in order[:: 1 if turn % 2 == 0 else -1]:
        speeds[name].append(peer() if name == "peer" else both(name))

all_after, mine_after = cpu_seconds()
others = (all_after - all_before) - (mine_after - mine_before)
others_percent = 100 * max(0, others) / ((time.monotonic() - began) * os.cpu_count())
if others_percent > 5:
    print(f"solverbox: bench.sh: other programs used {others_percent:.0f} % of the CPU, so the results are "
          "unreliable\nRun it again on an idle machine.", file=sys.stderr)

with open("/proc/cpuinfo") as f:
    lines = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
cpu = lines[0] if lines else platform.machine()
print(f"`{os.path.basename(model)}`, {threads} threads on {cpu}, {rounds} alternating runs of each; "
      f"llama-bench built with `{env['PEER_FLAGS']}`; other programs used {others_percent:.0f} % of the CPU.\n")
print(f"| program or kernel set | pp{PREFILL}, tokens/s | ratio | tg{DECODE}, tokens/s | ratio | "
      f"ratio to -d {depth} |")
print("|---|---:|---:|---:|---:|---:|")


def cell(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


for name, runs in speeds.items():
    def ratio(ours, theirs):
        return cell([mine[ours] / other[theirs] for mine, other in zip(runs, speeds["peer"])], 2)

    speed = {at: cell([one[at] for one in runs], 1) for at in ("pp", "tg")}
    if name == "peer":
        print(f"| llama-bench | {speed['pp']} | | {speed['tg']} | | |")
    else:
        print(f"| {name} | {speed['pp']} | {ratio('pp', 'pp')} | {speed['tg']} | {ratio('tg', 'tg')} | "
              f"{ratio('tg', 'deep')} |")
PYTHON
