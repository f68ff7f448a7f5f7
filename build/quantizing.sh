#!/usr/bin/env bash
# Measures the loss from quantization: each type against the original, for the demo model and for a chat model.
# `solverbox compare` gives perplexity, divergence and agreement, and for the demo model also accuracy. Prints
# Markdown tables for docs/benchmarks.md; `make quality` calls it after a build.
#
#   THREADS=2 build/quantizing.sh
#
# The demo model is evaluated on its own replies to held-out questions; its importance matrix is computed from
# other questions. SmolLM2-135M, available only in Q4_1, is evaluated on this project's prose.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export THREADS=${THREADS:-$(nproc)}
export BINARY=${BINARY:-target/$(rustc -vV | sed -n 's/^host: //p')/release/solverbox}
models/fetch.sh >&2

exec python3 - <<'PYTHON'
import json, os, subprocess, sys

env = os.environ
binary, threads, work = env["BINARY"], env["THREADS"], "target/quantizing"
plain = {k: v for k, v in env.items() if not k.startswith("SOLVERBOX_")}
HELD_OUT = "tests/data/arithmetic-heldout.jsonl"
SMOLLM2 = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
TYPES = ["q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_k_s", "iq4_nl", "q4_0"]


def run(*command):
    done = subprocess.run([binary, *command], env=plain, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"solverbox: quantizing.sh: '{' '.join(command)}' failed with status {done.returncode}\n"
                 "Fix the error printed above, then run it again.")
    return done.stdout.decode()


def made(original, name, kind, *how):
    """Quantizes the original and returns the new file's path."""
    file = f"{work}/{name}-{kind}{'-'.join(how[:1])}.gguf"
    run("quantize", original, file, kind, "--requantize", "--threads", threads, *how)
    return file


def with_error(value, digits, scale=1):
    mean, half = (scale * number for number in value.values())
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def table(title, original, text, matrix, few, *more):
    answers = " right answers, % |" if more else ""
    print(f"\n| {title} | MB | perplexity ratio | KL divergence, 10⁻³ nats | same top token, % |{answers}")
    print("|---|---:|---:|---:|---:|" + ("---:|" if more else ""))
    rows = [(kind.upper(), kind, []) for kind in TYPES]
    for kind in ("q4_k_m", "q4_0"):
        rows.append((f"{kind.upper()}, importance matrix", kind, ["--imatrix", matrix]))
    rows.append(("Q4_0, head in Q8_0", "q4_0", ["--keep-head", "q8_0"]))
    for title, kind, how in rows:
        file = made(original, os.path.basename(text).split(".")[0], kind, *how)
        result = json.loads(run("compare", original, file, "--text", text, "--json", "--threads", few, *more))
        share = (result["same_top"]["share"] * 100, result["same_top"]["half_interval_95"] * 100)
        cells = [f"{os.path.getsize(file) / 1e6:.1f}", with_error(result["perplexity_ratio"], 4),
                 with_error(result["kl_divergence_nats"], 2, 1000), f"{share[0]:.2f} ± {share[1]:.2f}"]
        if more:
            right = [answer["pass_at_1"] for answer in result["answers"]]
            cells.append("{:.1f} ({:.1f} to {:.1f})".format(*(100 * right[1][k] for k in ("share", "low", "high"))))
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
    first = f"Original: {os.path.getsize(original) / 1e6:.1f} MB, perplexity {result['perplexity'][0]:.4f}"
    if more:
        first += ", right answers {:.1f} %".format(100 * right[0]["share"])
    print(f"\n{first}; {result['tokens']} tokens evaluated.")


os.makedirs(work, exist_ok=True)
demo = f"{work}/demo-f16.gguf"
run("convert", "models/bundled/checkpoint", demo)
records = f"{work}/records.jsonl"
if os.path.exists(records):
    os.remove(records)
run("eval", "--model", demo, "--set", HELD_OUT, "--out", records, "--threads", "1", "--json")
with open(records) as f:
    head, *lines = f.readlines()
for name, some in (("taught", lines[::2]), ("judged", lines[1::2])):
    with open(f"{work}/{name}.jsonl", "w") as f:
        f.writelines([head, *some])
run("imatrix", "--model", demo, "--text", f"{work}/taught.jsonl", f"{work}/demo.imatrix", "--threads", "1")
# One thread: the demo model is too small for more.
table("demo model", demo, f"{work}/judged.jsonl", f"{work}/demo.imatrix", "1", "--set", HELD_OUT, "--attempts", "4")

judged = [f"{page}.md" for page in ("README", "docs/api", "docs/commands", "docs/modes", "docs/benchmarks")]
for name, files in (("prose", judged), ("taught", ["ARCHITECTURE.md", "models/README.md", "CHANGELOG.md"])):
    with open(f"{work}/{name}.txt", "w") as f:
        f.write("\n".join(open(file).read() for file in files))
run("imatrix", "--model", SMOLLM2, "--text", f"{work}/taught.txt", f"{work}/smollm2.imatrix", "--threads", threads)
table("SmolLM2-135M-Instruct", SMOLLM2, f"{work}/prose.txt", f"{work}/smollm2.imatrix", threads)
PYTHON
