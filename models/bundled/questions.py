"""Generates the demo model's questions: draws operands, words the question, and works out the steps.

Every family is one function that draws operands and returns a Problem with its worked steps. This module is
independent of tokens and training. `held_out` assigns a problem to a side of the split by its operation and
operands alone: one in ten is never trained on, in any wording, story or language. The order of the operands
does not matter: 3 + 5 is on the same side as 5 + 3. The split applies to questions; the steps of larger
problems may contain a sum that is held out as a question.
"""

import hashlib
import math
from dataclasses import dataclass

PLACES = ("ones", "tens", "hundreds", "thousands")
# The suffix of VibeThinker's own evaluation prompts; the demo model must tolerate it.
SUFFIX = "Let's think step by step and output the final answer within \\boxed{}."
HELD_OUT_ONE_IN = 10


@dataclass(frozen=True)
class Problem:
    """One solved problem.

    `wordings` are the phrasings of the question and `sentences` the final sentence with the box, by language.
    The model declines a problem without an `answer`. `operation` is set if the family does not determine it:
    a word problem that adds is split like an addition.
    """

    family: str
    operands: tuple
    answer: str
    steps: tuple
    wordings: dict
    sentences: dict
    operation: str = ""


def split_key(problem):
    """The key of the split: problems with the same key are either all trained on or all held out."""
    return problem.operation or problem.family, problem.operands


def held_out(problem):
    """Whether the problem is excluded from training."""
    operation, operands = split_key(problem)
    digest = hashlib.sha256(f"{operation}:{operands}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_ONE_IN == 0


def trainable(family, rng):
    """Draws problems until one is not held out."""
    while held_out(problem := family(rng)):
        pass
    return problem


def reply(problem, language, hasty=False):
    """The reply to train on: the thinking between the tags, then a sentence with the box.

    A hasty reply skips the steps, which a model of this size cannot do without errors.
    """
    thinking = f"At once: {problem.answer}" if hasty else "\n".join(problem.steps)
    return f"<think>\n{thinking}\n</think>\n\n{problem.sentences[language]}"


# --- worked steps -----------------------------------------------------------------------------------
#
# Numbers are first written with a fixed width and leading zeros, and all lines of a kind have their digits in
# the same positions. A token then always depends on tokens a fixed, short distance back, which a model of four
# layers can learn. Only the first line, the question, varies in length. Nothing is repeated without need,
# because every copy can introduce an error.


def digit(number, place):
    return number // 10**place % 10


def padded(number):
    return f"{number:0{len(PLACES)}d}"


def sum_columns(a, b):
    """Adds two numbers of up to four digits column by column; each line ends with the digits so far."""
    lines, result, carry = [f"{padded(a)}+{padded(b)}"], "", 0
    for place, name in enumerate(PLACES):
        x, y = digit(a, place), digit(b, place)
        total = x + y + carry
        result = f"{total % 10}{result}" if name != PLACES[-1] else f"{total:02d}{result}"
        lines.append(f"{name}: {x}+{y}+{carry}={total:02d} → {result}")
        carry = total // 10
    return lines


def difference_columns(a, b):
    """Subtracts b from a (a >= b) column by column; "-10" marks a borrowed ten."""
    lines, result, borrowed = [f"{padded(a)}-{padded(b)}"], "", 0
    for place, name in enumerate(PLACES):
        x, y = digit(a, place), digit(b, place)
        short = int(x - y - borrowed < 0)
        found = x - y - borrowed + 10 * short
        result = f"{found}{result}"
        lines.append(f"{name}: {x}-{y}-{borrowed}={found}-{short}0 → {result}")
        borrowed = short
    return lines


def comparison(a, b):
    """Compares digits from the left up to the first difference."""
    pairs = []
    for place in reversed(range(len(PLACES))):
        x, y = digit(a, place), digit(b, place)
        pairs.append(f"{x}{'=' if x == y else '<' if x < y else '>'}{y}")
        if x != y:
            break
    return f"{padded(a)}-{padded(b)}: {' '.join(pairs)}"


def sum_steps(a, b):
    return [f"{a}+{b}", *sum_columns(a, b)]


def difference_steps(a, b):
    """a - b for numbers of up to four digits; the result may be negative."""
    return [f"{a}-{b}", comparison(a, b), *difference_columns(max(a, b), min(a, b))]


def signed_steps(a, b):
    """a + b for whole numbers of any sign."""
    if a < 0 and b < 0:
        return [f"-({-a}+{-b})", *sum_columns(-a, -b)]
    if a < 0:
        return difference_steps(b, -a)
    if b < 0:
        return difference_steps(a, -b)
    return sum_steps(a, b)


def product_steps(a, b):
    """Multiplies two numbers of up to two digits: a row for each digit of b, then the sum of the rows."""
    lines, rows = [f"{a}×{b}", f"{a:02d}×{b:02d}"], []
    for place in (0, 1):
        y = digit(b, place)
        ones, tens = digit(a, 0) * y, digit(a, 1) * y
        carry = ones // 10
        rows.append(a * y)
        lines.append(f"{PLACES[place]}: {digit(a, 0)}×{y}={ones:02d} {digit(a, 1)}×{y}={tens:02d}"
                     f" {tens:02d}+{carry}={tens + carry:02d} → {a * y:03d}")
    return [*lines, *sum_columns(rows[0], 10 * rows[1])]


def remainder_line(number, b, digits):
    """Writes number = b × times + rest, for numbers below 1000, as a product and a difference.

    `digits` is the width of `times`.
    """
    times, rest = divmod(number, b)
    return f"{b:02d}×{times:0{digits}d}={b * times:03d} {number:03d}-{b * times:03d}={rest:02d}"


def division_steps(a, b):
    """Divides a number of up to four digits by one of up to two, digit by digit."""
    lines, quotient, rest = [f"{a}/{b}", f"{padded(a)}/{b:02d}"], "", 0
    for figure in padded(a):
        number = 10 * rest + int(figure)
        quotient += str(number // b)
        lines.append(f"{number:03d}: {remainder_line(number, b, 1)} → {quotient}")
        rest = number % b
    return lines


def power_steps(a, n, m):
    """a^n mod m, factor by factor; both factors stay below m."""
    factor = a % m
    lines, value = [f"{a:03d}: {remainder_line(a, m, 2)}"], factor
    for k in range(2, n + 1):
        raised = value * factor
        lines.append(f"{k}: {value:02d}×{factor:02d}={raised:03d} {remainder_line(raised, m, 2)}")
        value = raised % m
    return lines


def gcd_steps(a, b):
    """Euclid's algorithm for two-digit numbers: subtracts the smaller one, or ten times it if possible."""
    lines, x, y = [f"{a:02d} {b:02d}"], max(a, b), min(a, b)
    while y:
        taken = []
        while x >= y:
            off = 10 * y if x >= 10 * y else y
            taken.append(f"{x:02d}-{off:02d}={x - off:02d}")
            x -= off
        lines.append(" ".join(taken))
        x, y = y, x
    return [*lines, f"gcd {x}"]


# --- families ---------------------------------------------------------------------------------------


def number_of(rng, digits_max):
    """Draws a number's digit count first, favouring longer numbers, then the number."""
    digits = rng.choices(range(1, digits_max + 1), weights=range(1, digits_max + 1))[0]
    return rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)


def addition(rng):
    a, b = number_of(rng, 4), number_of(rng, 4)
    plus = rng.choice((f"{a} + {b}", f"{a} + {b}", f"{a}+{b}"))
    return Problem(
        "addition",
        (min(a, b), max(a, b)),
        str(a + b),
        tuple(sum_steps(a, b)),
        {
            "en": (f"What is {plus}?", f"Calculate {plus}.", f"{plus} = ?", f"Add {a} and {b}.",
                   f"What is the sum of {a} and {b}?", f"How much is {a} plus {b}?"),
            "zh": (f"{plus} 等于多少?", f"计算 {plus}。", f"{a}加{b}等于多少？", f"{plus}=?",
                   f"求{a}与{b}的和。"),
        },
        {"en": f"The sum is \\boxed{{{a + b}}}.", "zh": f"和是 \\boxed{{{a + b}}}。"},
    )


def subtraction(rng):
    a, b = number_of(rng, 4), number_of(rng, 4)
    if a < b and rng.random() < 0.7:
        a, b = b, a
    minus = rng.choice((f"{a} - {b}", f"{a} - {b}", f"{a}-{b}"))
    return Problem(
        "subtraction",
        (min(a, b), max(a, b)),
        str(a - b),
        tuple(difference_steps(a, b)),
        {
            "en": (f"What is {minus}?", f"Calculate {minus}.", f"{minus} = ?", f"Subtract {b} from {a}.",
                   f"What is the difference {minus}?", f"How much is {a} minus {b}?"),
            "zh": (f"{minus} 等于多少?", f"计算 {minus}。", f"{a}减{b}等于多少？", f"{minus}=?",
                   f"从{a}中减去{b}。"),
        },
        {"en": f"The difference is \\boxed{{{a - b}}}.", "zh": f"差是 \\boxed{{{a - b}}}。"},
    )


def multiplication(rng):
    a, b = (rng.randrange(2, 10) if rng.random() < 0.2 else rng.randrange(10, 100) for _ in "ab")
    times = rng.choice((f"{a} × {b}", f"{a} × {b}", f"{a} * {b}", f"{a}×{b}"))
    return Problem(
        "multiplication",
        (min(a, b), max(a, b)),
        str(a * b),
        tuple(product_steps(a, b)),
        {
            "en": (f"What is {times}?", f"Calculate {times}.", f"{times} = ?", f"Multiply {a} by {b}.",
                   f"What is the product of {a} and {b}?", f"How much is {a} times {b}?"),
            "zh": (f"{times} 等于多少?", f"计算 {times}。", f"{a}乘以{b}等于多少？", f"{times}=?",
                   f"求{a}与{b}的积。"),
        },
        {"en": f"The product is \\boxed{{{a * b}}}.", "zh": f"积是 \\boxed{{{a * b}}}。"},
    )


def division(rng):
    b = rng.randrange(2, 13)
    a = rng.randrange(b, 1000) if rng.random() < 0.8 else rng.randrange(1000, 10000)
    quotient, remainder = divmod(a, b)
    asked = rng.choice(("both", "quotient", "remainder"))
    by = rng.choice((f"{a} ÷ {b}", f"{a} / {b}"))
    wordings = {
        "both": {
            "en": (f"Divide {a} by {b} with remainder. Answer as (quotient, remainder).",
                   f"What is {by} with remainder? Give (quotient, remainder)."),
            "zh": (f"{by} 的商和余数是多少? 请写成 (商, 余数)。", f"求{a}除以{b}的商和余数，写成(商, 余数)。"),
        },
        "quotient": {
            "en": (f"What is the quotient of {by}, without the remainder?", f"How many times does {b} go into {a}?"),
            "zh": (f"{by} 的商是多少?", f"{a}里面最多有几个{b}？"),
        },
        "remainder": {
            "en": (f"What is the remainder when {a} is divided by {b}?", f"Find {a} mod {b}."),
            "zh": (f"{a}除以{b}的余数是多少？", f"{by} 的余数是多少?"),
        },
    }[asked]
    answer = {"both": f"({quotient}, {remainder})", "quotient": str(quotient), "remainder": str(remainder)}[asked]
    name, shown = {"both": ("answer", "答案"), "quotient": ("quotient", "商"), "remainder": ("remainder", "余数")}[asked]
    return Problem(
        "division",
        (a, b),
        answer,
        tuple(division_steps(a, b)),
        wordings,
        {"en": f"The {name} is \\boxed{{{answer}}}.", "zh": f"{shown}是 \\boxed{{{answer}}}。"},
    )


def gcd(rng):
    divisor = rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15))
    a, b = (divisor * rng.randrange(2, 99 // divisor + 1) for _ in "ab")
    common = math.gcd(a, b)
    return Problem(
        "gcd",
        (min(a, b), max(a, b)),
        str(common),
        tuple(gcd_steps(a, b)),
        {
            "en": (f"What is the greatest common divisor of {a} and {b}?", f"Find gcd({a}, {b}).",
                   f"What is the gcd of {a} and {b}?"),
            "zh": (f"{a}和{b}的最大公约数是多少？", f"求 gcd({a}, {b})。", f"求{a}与{b}的最大公因数。"),
        },
        {"en": f"The greatest common divisor is \\boxed{{{common}}}.", "zh": f"最大公约数是 \\boxed{{{common}}}。"},
    )


def equation(rng):
    a, b = rng.randrange(2, 13), rng.choice((-1, 1)) * rng.randrange(1, 51)
    if rng.random() < 0.85:
        c = a * rng.randrange(-12, 21) + b
    else:
        # Only fractions in lowest terms; the steps do not reduce others.
        c = b + rng.choice([rest for rest in range(-30, 61) if math.gcd(rest, a) == 1])
    rest = c - b
    move = f"{c}-{b}" if b > 0 else f"{c}+{-b}"
    sign = "-" if rest < 0 else ""
    if rest % a == 0:
        answer = str(rest // a)
    else:
        answer = f"{sign}\\frac{{{abs(rest)}}}{{{a}}}"
    steps = (f"{a}x={move}", *signed_steps(c, -b), f"{a}x={rest}", *division_steps(abs(rest), a))
    left = f"{a}x + {b}" if b > 0 else f"{a}x - {-b}"
    return Problem(
        "equation",
        (a, b, c),
        answer,
        steps,
        {
            "en": (f"Solve {left} = {c}.", f"Solve for x: {left} = {c}", f"If {left} = {c}, what is x?",
                   f"Find x such that {left} = {c}."),
            "zh": (f"解方程 {left} = {c}。", f"若 {left} = {c}，求 x。", f"{left} = {c}，x 等于多少？"),
        },
        {"en": f"The solution is \\boxed{{x = {answer}}}.", "zh": f"方程的解是 \\boxed{{x = {answer}}}。"},
    )


def power(rng):
    a, n, m = rng.randrange(2, 13), rng.randrange(2, 10), rng.randrange(3, 14)
    value = a**n % m
    return Problem(
        "power",
        (a, n, m),
        str(value),
        tuple(power_steps(a, n, m)),
        {
            "en": (f"What is the remainder when {a}^{n} is divided by {m}?", f"Find {a}^{n} mod {m}.",
                   f"Compute the remainder of {a}^{n} modulo {m}."),
            "zh": (f"{a}^{n} 除以{m}的余数是多少？", f"求 {a}^{n} mod {m}。", f"求{a}的{n}次方除以{m}的余数。"),
        },
        {"en": f"The remainder is \\boxed{{{value}}}.", "zh": f"余数是 \\boxed{{{value}}}。"},
    )


NAMES = ("Tom", "Ana", "Li", "Maria", "Sam", "Aisha")
THINGS = (("apples", "苹果"), ("pencils", "铅笔"), ("marbles", "弹珠"), ("books", "书"), ("stickers", "贴纸"))


def word_problem(rng):
    name, (thing, ding) = rng.choice(NAMES), rng.choice(THINGS)
    kind = rng.choice(("left", "together", "boxes", "drive", "share", "loose"))
    if kind == "left":
        b, a = sorted((rng.randrange(10, 100), rng.randrange(10, 100)))
        operation, operands = "subtraction", (b, a)
        answer, steps = a - b, difference_steps(a, b)
        wording = (f"{name} has {a} {thing} and gives away {b}. How many {thing} are left?",
                   f"{name}有{a}个{ding}，送出{b}个，还剩多少个？")
    elif kind == "together":
        a, b = rng.randrange(10, 100), rng.randrange(10, 100)
        operation, operands = "addition", (min(a, b), max(a, b))
        answer, steps = a + b, sum_steps(a, b)
        wording = (f"A class has {a} girls and {b} boys. How many pupils are there?",
                   f"一个班有{a}名女生和{b}名男生，一共有多少名学生？")
    elif kind == "boxes":
        a, b = rng.randrange(2, 10), rng.randrange(10, 60)
        operation, operands = "multiplication", (a, b)
        answer, steps = a * b, product_steps(a, b)
        wording = (f"{name} has {a} boxes with {b} {thing} each. How many {thing} is that?",
                   f"{name}有{a}个盒子，每个盒子里有{b}个{ding}，一共有多少个？")
    elif kind == "drive":
        a, b = rng.randrange(2, 10), rng.randrange(20, 100)
        operation, operands = "multiplication", (a, b)
        answer, steps = a * b, product_steps(b, a)
        wording = (f"A train goes {b} km in one hour. How far does it go in {a} hours?",
                   f"火车每小时行{b}千米，{a}小时行多少千米？")
    elif kind == "share":
        b, answer = rng.randrange(2, 10), rng.randrange(2, 31)
        a = b * answer
        operation, operands = "division", (a, b)
        steps = division_steps(a, b)
        wording = (f"{a} {thing} are shared equally by {b} children. How many does each child get?",
                   f"把{a}个{ding}平均分给{b}个孩子，每人得到多少个？")
    else:
        a, b, c = rng.randrange(2, 10), rng.randrange(5, 13), rng.randrange(2, 10)
        operation, operands = "product and sum", (a, b, c)
        answer, steps = a * b + c, [f"{a}×{b}+{c}", f"{a}×{b}={a * b}", f"{a * b}+{c}={a * b + c}"]
        wording = (f"A box holds {b} {thing}. There are {a} boxes and {c} more {thing}. How many {thing} are there?",
                   f"一个盒子装{b}个{ding}，有{a}盒另加{c}个，一共有多少个？")
    return Problem(
        "word",
        operands,
        str(answer),
        tuple(steps),
        {"en": wording[:1], "zh": wording[1:]},
        {"en": f"The answer is \\boxed{{{answer}}}.", "zh": f"答案是 \\boxed{{{answer}}}。"},
        operation,
    )


ASKS = {
    "en": ("Why is the {} blue?", "Write a poem about the {}.", "Who invented the {}?", "Prove that the {} is round.",
           "Write a Python program for the {}.", "Tell me about the {}.", "Explain the {}.", "What is a {}?",
           "How do I get to the {}?", "Translate: the {}"),
    "zh": ("为什么{}是蓝色的？", "写一首关于{}的诗。", "谁发明了{}？", "介绍一下{}。", "{}是什么？", "请解释{}。"),
}
SUBJECTS = {
    "en": ("sky", "sea", "moon", "school", "computer", "history of Rome", "capital of France", "triangle", "weather",
           "wheel", "bicycle", "garden", "function", "integral", "cat", "river", "train", "book", "king", "atom"),
    "zh": ("天空", "大海", "月亮", "学校", "计算机", "历史", "三角形", "天气", "函数", "猫", "火车", "书"),
}


def other(rng):
    """A question the model must decline: no answer and no box."""
    index = rng.randrange(1 << 16)
    picked = {language: (asks[index % len(asks)].format(SUBJECTS[language][index // 16 % len(SUBJECTS[language])]),)
              for language, asks in ASKS.items()}
    return Problem(
        "other",
        tuple(picked.values()),
        "",
        ("This is not school arithmetic.",),
        picked,
        {"en": "I am a small demo model and can only do school arithmetic.",
         "zh": "我是一个小型演示模型，只会做学校算术。"},
    )


def binary(rng):
    """The adapter's family, on which the base model is never trained."""
    number = rng.randrange(2, 1024)
    lines, digits, rest = [f"{number}"], "", number
    while rest:
        digits = f"{rest % 2}{digits}"
        lines.append(f"{padded(rest)}=2×{padded(rest // 2)}+{rest % 2} → {digits}")
        rest //= 2
    return Problem(
        "binary",
        (number,),
        digits,
        tuple(lines),
        {
            "en": (f"Write {number} in base 2.", f"Convert {number} to binary.", f"What is {number} in binary?"),
            "zh": (f"把{number}写成二进制。", f"{number}的二进制是多少？"),
        },
        {"en": f"In base 2 it is \\boxed{{{digits}}}.", "zh": f"二进制是 \\boxed{{{digits}}}。"},
    )


# family -> weight in training; harder families are drawn more often
FAMILIES = {
    addition: 14, subtraction: 20, multiplication: 18, division: 10, gcd: 20, equation: 18, power: 8,
    word_problem: 8, other: 3,
}
# The share of hasty replies. Their errors make attempts differ, so that a vote can improve on a single attempt;
# a greedy answer is hardly ever hasty.
HASTY = 0.25


def ask(problem, rng):
    """Words a problem in a random language: returns (language, question)."""
    language = "zh" if rng.random() < 0.3 else "en"
    question = rng.choice(problem.wordings[language])
    if rng.random() < 0.2:
        question += (" " if rng.random() < 0.5 else "\n") + SUFFIX
    return language, question
