"""Writes the question sets of tests/data: held-out questions, which training never draws.

    python sets.py [FOLDER]
"""

import json
import sys
from pathlib import Path
from random import Random

from questions import FAMILIES, ask, binary, held_out, other

DATA = Path(__file__).parent / "../../tests/data"
EACH, BINARY = 25, 80  # of some hundred held-out numbers


def questions_of(family, count):
    """`count` held-out problems of a family, no operands twice, as lines of a set."""
    rng, seen = Random(f"set {family.__name__}"), set()
    while len(seen) < count:
        problem = family(rng)
        if not held_out(problem) or problem.operands in seen:
            continue
        seen.add(problem.operands)
        name = problem.family
        yield {
            "id": f"{name}-{len(seen)}", "question": ask(problem, rng)[1], "answer": problem.answer, "family": name,
        }


def write(path, lines):
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    folder.mkdir(parents=True, exist_ok=True)
    arithmetic = [family for family in FAMILIES if family is not other]
    write(folder / "arithmetic-heldout.jsonl", (line for f in arithmetic for line in questions_of(f, EACH)))
    write(folder / "binary-heldout.jsonl", questions_of(binary, BINARY))


if __name__ == "__main__":
    main()
