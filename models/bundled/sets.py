"""Writes the question sets of tests/data: held-out questions, which are excluded from training.

    python sets.py [--into FOLDER] [--each N]
"""

import argparse
import json
from pathlib import Path
from random import Random

from questions import FAMILIES, ask, binary, held_out, other, split_key

DATA = Path(__file__).parent / "../../tests/data"
EACH, BINARY = 25, 80  # the binary family has about a hundred held-out numbers
ARITHMETIC = [family for family in FAMILIES if family is not other]


def problems_of(family, count):
    """Yields (problem, question) for `count` held-out problems, or as many as exist, each with other operands."""
    rng, seen = Random(f"set {family.__name__}"), set()
    for _ in range(1000 * count):
        problem = family(rng)
        if not held_out(problem) or split_key(problem) in seen:
            continue
        seen.add(split_key(problem))
        yield problem, ask(problem, rng)[1]
        if len(seen) == count:
            return


def lines_of(family, count):
    """Yields the same problems as the JSON objects of a question set."""
    for number, (problem, question) in enumerate(problems_of(family, count), 1):
        name = problem.family
        yield {"id": f"{name}-{number}", "question": question, "answer": problem.answer, "family": name}


def write(path, lines):
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=DATA, help="output folder")
    parser.add_argument("--each", type=int, default=EACH, help="questions per arithmetic family")
    args = parser.parse_args()
    args.into.mkdir(parents=True, exist_ok=True)
    write(args.into / "arithmetic-heldout.jsonl", (line for f in ARITHMETIC for line in lines_of(f, args.each)))
    write(args.into / "binary-heldout.jsonl", lines_of(binary, BINARY))


if __name__ == "__main__":
    main()
