"""Tests of the questions, their split, and the question sets.

    python3 -m unittest test_questions        (in this folder; needs only Python)
"""

import json
import re
import tempfile
import unittest
from fractions import Fraction
from pathlib import Path
from random import Random
from unittest import mock

import sets
from questions import FAMILIES, ask, binary, held_out, other, reply, split_key, trainable, word_problem

EVERY = [*FAMILIES, binary]


def drawn(family, count=3000):
    rng = Random(f"test {family.__name__}")
    return [family(rng) for _ in range(count)]


class Split(unittest.TestCase):
    def test_training_draws_nothing_the_sets_ask_in_whatever_words_or_family(self):
        asked = {split_key(problem) for family in sets.ARITHMETIC for problem, _ in sets.problems_of(family, sets.EACH)}
        asked |= {split_key(problem) for problem, _ in sets.problems_of(binary, sets.BINARY)}
        for family in EVERY:
            rng = Random(f"training {family.__name__}")
            self.assertFalse(asked & {split_key(trainable(family, rng)) for _ in range(5000)}, family.__name__)

    def test_about_one_in_ten_is_held_out(self):
        for family in EVERY:
            distinct = {split_key(problem): held_out(problem) for problem in drawn(family)}
            self.assertAlmostEqual(sum(distinct.values()) / len(distinct), 0.1, delta=0.06, msg=family.__name__)

    def test_the_order_of_operands_does_not_change_the_side(self):
        for problem in (problem for family in EVERY for problem in drawn(family, 300)):
            if split_key(problem)[0] in ("addition", "subtraction", "multiplication", "gcd"):
                self.assertLessEqual(problem.operands[0], problem.operands[1], problem)

    def test_a_word_problem_lies_where_its_sum_or_product_does(self):
        results = {
            "addition": lambda a, b: a + b, "subtraction": lambda a, b: b - a, "multiplication": lambda a, b: a * b,
            "division": lambda a, b: a // b, "product and sum": lambda a, b, c: a * b + c,
        }
        for problem in drawn(word_problem):
            self.assertEqual(results[problem.operation](*problem.operands), int(problem.answer), problem)
            for wordings in problem.wordings.values():
                said = [int(number) for number in re.findall(r"\d+", wordings[0])]
                self.assertEqual(sorted(said), sorted(problem.operands), problem)


class Sets(unittest.TestCase):
    def test_the_committed_sets_are_those_the_program_writes(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch("sys.argv", ["sets.py", "--into", folder]):
            sets.main()
            for made in Path(folder).iterdir():
                kept = (sets.DATA / made.name).read_text()
                self.assertEqual(made.read_text(), kept, f"{made.name}: run sets.py again")

    def test_no_question_of_a_set_can_be_drawn_in_training(self):
        asked = {line["question"] for name in ("arithmetic", "binary") for line in lines(name)}
        for family in EVERY:
            rng = Random(f"training {family.__name__}")
            for _ in range(5000):
                self.assertNotIn(ask(trainable(family, rng), rng)[1], asked)


class Answers(unittest.TestCase):
    """Checks steps and answers independently, by parsing the question and the steps."""

    def test_every_equation_in_the_steps_is_true(self):
        for family in FAMILIES:
            for problem in drawn(family, 500):
                for step in problem.steps:
                    for left, right in equations(step):
                        self.assertEqual(left, right, f"{problem.family}: {step}")

    def test_the_steps_have_equations_and_find_the_answer(self):
        for family in FAMILIES:
            for problem in drawn(family, 500):
                if family is other:
                    continue
                self.assertTrue(any(list(equations(step)) for step in problem.steps), problem)
                said = {int(number) for step in problem.steps for number in re.findall(r"\d+", step)}
                for number in re.findall(r"\d+", problem.answer):
                    self.assertIn(int(number), said, problem)

    def test_the_answer_is_what_the_question_asks_for(self):
        for line in lines("arithmetic"):
            numbers = [int(text) for text in re.findall(r"\d+", line["question"].split("Let's")[0])]
            self.assertEqual(value(line["answer"]), truth(line, numbers), line)

    def test_base_2_reads_back(self):
        for line in lines("binary"):
            number = int(re.search(r"\d+", line["question"]).group())
            self.assertEqual(int(line["answer"], 2), number, line)

    def test_a_reply_ends_with_its_answer_in_a_box(self):
        for family in EVERY:
            for problem in drawn(family, 200):
                for language in ("en", "zh"):
                    text = reply(problem, language)
                    self.assertTrue(text.startswith("<think>\n") and "\n</think>\n\n" in text)
                    if family is other:
                        self.assertNotIn("boxed", text)
                    else:
                        self.assertIn(problem.answer, text.rsplit("\\boxed{", 1)[1])


def lines(name):
    text = (sets.DATA / f"{name}-heldout.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def value(answer):
    """A fraction, or a tuple of numbers."""
    if answer.startswith("("):
        return tuple(int(text) for text in re.findall(r"-?\d+", answer))
    fraction = re.fullmatch(r"(-?)\\frac\{(\d+)\}\{(\d+)\}", answer)
    if fraction:
        return Fraction(int(fraction[1] + fraction[2]), int(fraction[3]))
    return Fraction(answer)


def truth(line, numbers):
    """Computes the right answer from the question's text."""
    question, family = line["question"].split("Let's")[0], line["family"]
    if family == "addition":
        return Fraction(sum(numbers))
    if family == "multiplication":
        return Fraction(numbers[0] * numbers[1])
    if family == "subtraction":
        flipped = "Subtract" in question
        return Fraction(numbers[1] - numbers[0] if flipped else numbers[0] - numbers[1])
    if family == "gcd":
        a, b = numbers
        return Fraction(next(d for d in range(min(a, b), 0, -1) if a % d == b % d == 0))
    if family == "power":
        return Fraction(numbers[0] ** numbers[1] % numbers[2])
    if family == "equation":
        left = re.search(r"(\d+)x ([+-]) (\d+) = (-?\d+)", question)
        a, b, c = int(left[1]), int(left[2] + left[3]), int(left[4])
        return Fraction(c - b, a)
    if family == "division":
        goes_into = "go into" in question or "最多有几个" in question
        top, bottom = (max(numbers), min(numbers)) if goes_into else numbers[:2]
        if "(quotient, remainder)" in question or "(商, 余数)" in question:
            return top // bottom, top % bottom
        asks_rest = any(word in question for word in ("remainder when", "mod", "余数是"))
        return Fraction(top % bottom if asks_rest else top // bottom)
    if family == "word":
        a, b, *more = numbers
        for words, result in (
            (("gives away", "送出"), a - b), (("pupils", "学生"), a + b), (("each.", "每个盒子", "km", "千米"), a * b),
            (("shared", "平均"), a // b), (("There are", "另加"), a * b + sum(more)),
        ):
            if any(word in question for word in words):
                return Fraction(result)
    raise AssertionError(f"cannot tell what '{question}' asks for")


def equations(step):
    """Yields (left, right) as numbers for every equation of sums, differences and products in a step."""
    for chunk in re.split(r"[ :→,]+", step):
        sides = chunk.split("=")
        if len(sides) > 1 and all(re.fullmatch(r"[-\d+×]*\d", side) for side in sides):
            plain = [re.sub(r"\b0+(?=\d)", "", side).replace("×", "*") for side in sides]
            values = [eval(side) for side in plain]  # digits and three signs only
            yield from zip(values, values[1:])


if __name__ == "__main__":
    unittest.main()
