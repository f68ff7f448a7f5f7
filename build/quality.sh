#!/usr/bin/env bash
# Measures the demo model's accuracy on held-out questions, by quantization type, with and without its adapter.
# Prints Markdown tables for docs/benchmarks.md. `make quality` calls it after a build and after the test that
# writes the quantized files.
#
#   ATTEMPTS=8 EACH=250 build/quality.sh
#
# The sets of tests/data have 25 questions per family, too few to tell 97 % from 90 %. The figures of single
# families therefore use EACH held-out questions, or as many as exist.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export ATTEMPTS=${ATTEMPTS:-8} EACH=${EACH:-250}
target=target/$(rustc -vV | sed -n 's/^host: //p')
export BINARY=${BINARY:-$target/release/solverbox} FILES=${FILES:-$target/tmp}

exec python3 - <<'PYTHON'
import json, os, subprocess, sys

env = os.environ
attempts, binary, files = env["ATTEMPTS"], env["BINARY"], env["FILES"]
plain = {k: v for k, v in env.items() if not k.startswith("SOLVERBOX_")}
SETS = "tests/data/arithmetic-heldout.jsonl", "tests/data/binary-heldout.jsonl"


SAMPLED, GREEDY = ("--temperature", "1"), ("--temperature", "0")


def measure(model, set_file, temperature, *more):
    command = [binary, "eval", "--json", "--threads", "1", "--model", model, "--set", set_file, *temperature, *more]
    run = subprocess.run(command, env=plain, stdout=subprocess.PIPE)
    if run.returncode:
        sys.exit(f"solverbox: quality.sh: '{' '.join(command)}' failed with status {run.returncode}\n"
                 "Fix the error printed above, then run it again.")
    return json.loads(run.stdout)


def percent(estimate):
    share, low, high = (100 * estimate[key] for key in ("share", "low", "high"))
    return f"{share:.1f} ({low:.1f} to {high:.1f})"


def row(name, sampled, greedy):
    cells = [percent(sampled[key]) for key in ("pass_at_1", "cons_at_k", "pass_at_k")]
    gain = 100 * (sampled["cons_at_k"]["share"] - sampled["pass_at_1"]["share"])
    cells += [f"{gain:+.1f}", percent(greedy["pass_at_1"]), f"{sampled['mean_completion_tokens']:.0f}"]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


head = f"| pass@1, % (95 %) | cons@{attempts} | pass@{attempts} | gain from voting | greedy | tokens |"
print(f"| demo model {head}\n|---|---:|---:|---:|---:|---:|---:|")
for name in ("F16", "Q8_0", "Q4_K_M", "Q4_0"):
    model = "demo" if name == "Q8_0" else f"{files}/solverbox-demo-{name.lower()}.gguf"
    row(name, measure(model, SETS[0], SAMPLED, "--attempts", attempts), measure(model, SETS[0], GREEDY))
many = "target/quality/arithmetic-heldout.jsonl"
subprocess.run([sys.executable, "models/bundled/sets.py", "--into", "target/quality", "--each", env["EACH"]], check=True)
sampled, greedy = (measure("demo", many, temperature)["families"] for temperature in (SAMPLED, GREEDY))
print("\n| family, Q8_0 | questions | one attempt, % (95 %) | greedy | tokens |\n|---|---:|---:|---:|---:|")
for name, scores in sampled.items():
    cells = [scores["questions"], percent(scores["pass_at_1"]), percent(greedy[name]["pass_at_1"])]
    print(f"| {name} |", " | ".join(map(str, cells)), f"| {scores['mean_completion_tokens']:.0f} |", flush=True)
print(f"\n| base 2, Q8_0 {head}\n|---|---:|---:|---:|---:|---:|---:|")
for name, more in (("without the adapter", ()), ("with the adapter", ("--adapter", "demo-binary"))):
    row(name, measure("demo", SETS[1], SAMPLED, "--attempts", attempts, *more), measure("demo", SETS[1], GREEDY, *more))
PYTHON
