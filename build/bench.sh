#!/usr/bin/env bash
# Speed of `solverbox solve` with each kernel set of this machine against llama.cpp's own llama-bench: same
# file, same threads, same sources, runs in turn. Prints a Markdown table for docs/benchmarks.md.
# `make bench` calls it after a build; use it on a machine that does nothing else meanwhile.
#
#   ROUNDS=5 THREADS=2 MODEL=FILE PEER=native|equal build/bench.sh
#
# PEER=native is llama.cpp as it comes: compiled for this very CPU, with OpenMP. PEER=equal is compiled as
# llama-cpp-sys-2 would have it: AVX2, without OpenMP. A Q4_0 copy of the default model is made where MODEL
# is not set, because Q4_0 is what the boards run and most kernels are repacked for.
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
    """Returns what a command printed: on standard output, and on standard error."""
    done = subprocess.run(command, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{done.stderr}\nsolverbox: bench.sh: '{' '.join(command)}' ended with {done.returncode}")
    return done.stdout, done.stderr


FIGURES = re.compile(r"prompt (\d+) tokens at ([\d.]+) tokens/s · generated (\d+) tokens at ([\d.]+) tokens/s")


def ours(kernels, words, tokens):
    """Returns the tokens of the prompt, and the speeds of prefill and decode in tokens/s."""
    _, log = run(
        binary, "solve", "--model", model, "--kernels", kernels, "--mode", "plain", "--temperature", "0",
        "--ignore-eos", "--budget-tokens", str(tokens), "--threads", threads, "--json", "--log", "info",
        "one" + " one" * (words - 1))
    prompt, prefill, generated, decode = FIGURES.search(log).groups()
    assert int(generated) == tokens, log
    return int(prompt), float(prefill), float(decode)


def both(kernels):
    # The first token comes out of the prefill, so one more is asked for than is timed.
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
    """Returns the seconds all cores have worked since start-up, and those of them this script's runs took."""
    with open("/proc/stat") as f:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, f.readline().split()[1:9])
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK"), mine.ru_utime + mine.ru_stime


listed = run(binary, "kernels")[0].splitlines()
sets = [line.split()[0] for line in listed if "can run here" in line]
best = next(line.split()[0] for line in listed if "runs: " in line)
sets = [best] + [name for name in sets if name != best]
# Words are tokens here: the prompt is brought to the length wanted. The shortest is decoded after.
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
    print("solverbox: bench.sh: other programs were busy, so these figures mean little\n"
          "Run it again on a quiet machine.", file=sys.stderr)

with open("/proc/cpuinfo") as f:
    lines = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
cpu = lines[0] if lines else platform.machine()
print(f"`{os.path.basename(model)}`, {threads} threads on {cpu}, {rounds} runs of each in turn; "
      f"peer built with `{env['PEER_FLAGS']}`; other programs took {others_percent:.0f} % of the CPU meanwhile.\n")
print(f"| what | pp{PREFILL}, tokens/s | to llama-bench | tg{DECODE}, tokens/s | to llama-bench | "
      f"to llama-bench -d {depth} |")
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
