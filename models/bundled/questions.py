"""The questions the demo model learns: operands drawn, worded, solved step by step.

Every family is one function: it draws operands and returns a Problem with its worked steps. Nothing here
knows of tokens or of training. `held_out` decides, from a problem's operands alone, on which side of the
split it lies: one in ten is never trained on, in whatever wording or language it comes. The split counts
operands, not their order: 3 + 5 lies where 5 + 3 lies.
"""

import hashlib
import math
from dataclasses import dataclass

PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands")
# VibeThinker's own evaluation ends its prompts so; the demo model must not stumble over it.
SUFFIX = "Let's think step by step and output the final answer within \\boxed{}."
HELD_OUT_ONE_IN = 10


@dataclass(frozen=True)
class Problem:
    """One solved problem.

    `operands` decide the split. `wordings` are the ways to ask and `sentences` what stands around the
    box, by language; a problem without an `answer` is one the model declines.
    """

    family: str
    operands: tuple
    answer: str
    steps: tuple
    wordings: dict
    sentences: dict


def held_out(problem):
    """Whether the problem is among those never trained on."""
    digest = hashlib.sha256(f"{problem.family}:{problem.operands}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_ONE_IN == 0


def reply(problem, language, hasty=False):
    """What the model is to write: its thinking between the tags, then a sentence with the box.

    A hasty one skips the steps, which no model this small can do without slips.
    """
    thinking = f"At once: {problem.answer}" if hasty else "\n".join(problem.steps)
    return f"<think>\n{thinking}\n</think>\n\n{problem.sentences[language]}"


# --- worked steps -----------------------------------------------------------------------------------


def digit(number, place):
    return number // 10**place % 10


def column_sum(a, b):
    """Adds column by column; each line ends with the digits found so far."""
    lines, result, carry = [], "", 0
    places = len(str(max(a, b)))
    for place in range(places):
        x, y = digit(a, place), digit(b, place)
        total = x + y + carry
        shown = f"{x}+{y}+1" if carry else f"{x}+{y}"
        result = (str(total) if place + 1 == places else str(total % 10)) + result
        lines.append(f"{PLACES[place]}: {shown}={total} → {result}")
        carry = total // 10
    return lines


def column_difference(a, b):
    """Subtracts b from a, a not less than b, column by column, borrowing ten where a digit is short."""
    lines, result, borrowed = [], "", 0
    for place in range(len(str(a))):
        x, y = digit(a, place), digit(b, place)
        short = x - borrowed - y < 0
        x += 10 * short
        shown = f"{x}-1-{y}" if borrowed else f"{x}-{y}"
        result = str(x - borrowed - y) + result
        lines.append(f"{PLACES[place]}: {shown}={x - borrowed - y} → {result}")
        borrowed = int(short)
    return lines


def parts(number):
    """47 -> [40, 7]; zeros are left out."""
    tens, ones = number // 10 * 10, number % 10
    return [part for part in (tens, ones) if part] or [0]


def product_steps(a, b):
    """Multiplies part by part and adds the products up."""
    lines, products = [], []
    for x in parts(a):
        for y in parts(b):
            lines.append(f"{x}×{y}={x * y}")
            products.append(x * y)
    total = products[0]
    for product in products[1:]:
        lines.append(f"{total}+{product}={total + product}")
        total += product
    return lines


def division_steps(a, b):
    """Divides digit by digit; each line ends with the quotient's digits so far."""
    lines, quotient, rest = [], "", 0
    for figure in str(a):
        rest = rest * 10 + int(figure)
        quotient += str(rest // b)
        lines.append(f"{rest}={b}×{rest // b}+{rest % b} → {quotient}")
        rest %= b
    return lines


def signed_steps(a, b):
    """a + b for whole numbers of any sign, by columns; where a sign must be put in front, a line says so."""
    if (a < 0) == (b < 0):
        lines = column_sum(abs(a), abs(b))
        return [f"-({-a}+{-b})", *lines] if a < 0 else lines
    top, bottom = max(abs(a), abs(b)), min(abs(a), abs(b))
    lines = column_difference(top, bottom)
    return [f"-({top}-{bottom})", *lines] if a + b < 0 else [f"{top}-{bottom}", *lines]


# --- families ---------------------------------------------------------------------------------------


def number_of(rng, digits_max):
    """A number whose count of digits is drawn first, longer ones more often."""
    digits = rng.choices(range(1, digits_max + 1), weights=range(1, digits_max + 1))[0]
    return rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)


def addition(rng):
    a, b = number_of(rng, 4), number_of(rng, 4)
    plus = rng.choice((f"{a} + {b}", f"{a} + {b}", f"{a}+{b}"))
    return Problem(
        "addition",
        (min(a, b), max(a, b)),
        str(a + b),
        tuple(column_sum(a, b)),
        {
            "en": (f"What is {plus}?", f"Calculate {plus}.", f"{plus} = ?", f"Add {a} and {b}.",
                   f"What is the sum of {a} and {b}?", f"How much is {a} plus {b}?"),
            "zh": (f"{plus} 等于多少?", f"计算 {plus}。", f"{a}加{b}等于多少？", f"{plus}=?",
                   f"求{a}与{b}的和。"),
        },
        {"en": f"{a} + {b} is \\boxed{{{a + b}}}.", "zh": f"{a} + {b} 等于 \\boxed{{{a + b}}}。"},
    )


def subtraction(rng):
    a, b = number_of(rng, 4), number_of(rng, 4)
    if a < b and rng.random() < 0.7:
        a, b = b, a
    if a < b:
        steps = (f"{a}<{b}, so -({b}-{a})", *column_difference(b, a))
    else:
        steps = tuple(column_difference(a, b))
    minus = rng.choice((f"{a} - {b}", f"{a} - {b}", f"{a}-{b}"))
    return Problem(
        "subtraction",
        (min(a, b), max(a, b)),
        str(a - b),
        steps,
        {
            "en": (f"What is {minus}?", f"Calculate {minus}.", f"{minus} = ?", f"Subtract {b} from {a}.",
                   f"What is the difference {minus}?", f"How much is {a} minus {b}?"),
            "zh": (f"{minus} 等于多少?", f"计算 {minus}。", f"{a}减{b}等于多少？", f"{minus}=?",
                   f"从{a}中减去{b}。"),
        },
        {"en": f"{a} - {b} is \\boxed{{{a - b}}}.", "zh": f"{a} - {b} 等于 \\boxed{{{a - b}}}。"},
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
        {"en": f"{a} × {b} is \\boxed{{{a * b}}}.", "zh": f"{a} × {b} 等于 \\boxed{{{a * b}}}。"},
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
    head = f"{a} = {b} × {quotient} + {remainder}"
    return Problem(
        "division",
        (a, b),
        answer,
        tuple(division_steps(a, b)),
        wordings,
        {"en": f"{head}, so the answer is \\boxed{{{answer}}}.", "zh": f"{head}，答案是 \\boxed{{{answer}}}。"},
    )


def gcd(rng):
    divisor = rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15))
    a, b = (divisor * rng.randrange(2, 100 // divisor + 1) for _ in "ab")
    steps, x, y = [], max(a, b), min(a, b)
    while y:
        steps.append(f"{x}/{y}: {y}×{x // y}={x // y * y} {x}-{x // y * y}={x % y}")
        x, y = y, x % y
    return Problem(
        "gcd",
        (min(a, b), max(a, b)),
        str(x),
        (*steps, f"gcd {x}"),
        {
            "en": (f"What is the greatest common divisor of {a} and {b}?", f"Find gcd({a}, {b}).",
                   f"What is the gcd of {a} and {b}?"),
            "zh": (f"{a}和{b}的最大公约数是多少？", f"求 gcd({a}, {b})。", f"求{a}与{b}的最大公因数。"),
        },
        {"en": f"The greatest common divisor is \\boxed{{{x}}}.", "zh": f"最大公约数是 \\boxed{{{x}}}。"},
    )


def equation(rng):
    a, b = rng.randrange(2, 13), rng.choice((-1, 1)) * rng.randrange(1, 51)
    if rng.random() < 0.85:
        c = a * rng.randrange(-12, 21) + b
    else:
        c = b + rng.randrange(-30, 61)
    rest = c - b
    shared = math.gcd(rest, a)
    top, bottom = rest // shared, a // shared
    move = f"{c}-{b}" if b > 0 else f"{c}+{-b}"
    if bottom == 1:
        answer = str(top)
    else:
        answer = ("-" if top < 0 else "") + f"\\frac{{{abs(top)}}}{{{bottom}}}"
    steps = (f"{a}x={move}", *signed_steps(c, -b), f"{a}x={rest}", *division_steps(abs(rest), a),
             f"x={top}" if bottom == 1 else f"x={top}/{bottom}")
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
    steps, value = [f"{a}={m}×{a // m}+{a % m}"], a % m
    for k in range(2, n + 1):
        raised = value * (a % m)
        steps.append(f"{k}: {value}×{a % m}={raised}={m}×{raised // m}+{raised % m}")
        value = raised % m
    return Problem(
        "power",
        (a, n, m),
        str(value),
        tuple(steps),
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
        answer, steps = a - b, [f"{a}-{b}", *column_difference(a, b)]
        wording = (f"{name} has {a} {thing} and gives away {b}. How many {thing} are left?",
                   f"{name}有{a}个{ding}，送出{b}个，还剩多少个？")
    elif kind == "together":
        a, b = rng.randrange(10, 100), rng.randrange(10, 100)
        answer, steps = a + b, [f"{a}+{b}", *column_sum(a, b)]
        wording = (f"A class has {a} girls and {b} boys. How many pupils are there?",
                   f"一个班有{a}名女生和{b}名男生，一共有多少名学生？")
    elif kind == "boxes":
        a, b = rng.randrange(2, 10), rng.randrange(10, 60)
        answer, steps = a * b, [f"{a}×{b}", *product_steps(a, b)]
        wording = (f"{name} has {a} boxes with {b} {thing} each. How many {thing} is that?",
                   f"{name}有{a}个盒子，每个盒子里有{b}个{ding}，一共有多少个？")
    elif kind == "drive":
        a, b = rng.randrange(2, 10), rng.randrange(20, 100)
        answer, steps = a * b, [f"{b}×{a}", *product_steps(b, a)]
        wording = (f"A train goes {b} km in one hour. How far does it go in {a} hours?",
                   f"火车每小时行{b}千米，{a}小时行多少千米？")
    elif kind == "share":
        b, answer = rng.randrange(2, 10), rng.randrange(2, 31)
        a = b * answer
        steps = [f"{a}/{b}", *division_steps(a, b)]
        wording = (f"{a} {thing} are shared equally by {b} children. How many does each child get?",
                   f"把{a}个{ding}平均分给{b}个孩子，每人得到多少个？")
    else:
        a, b, c = rng.randrange(2, 10), rng.randrange(5, 13), rng.randrange(2, 10)
        answer, steps = a * b + c, [f"{a}×{b}+{c}", f"{a}×{b}={a * b}", f"{a * b}+{c}={a * b + c}"]
        wording = (f"A box holds {b} {thing}. There are {a} boxes and {c} more {thing}. How many {thing} are there?",
                   f"一个盒子装{b}个{ding}，有{a}盒另加{c}个，一共有多少个？")
        a = (a, b)
        b = c
    return Problem(
        "word",
        (kind, a, b),
        str(answer),
        tuple(steps),
        {"en": wording[:1], "zh": wording[1:]},
        {"en": f"The answer is \\boxed{{{answer}}}.", "zh": f"答案是 \\boxed{{{answer}}}。"},
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
    """What the model cannot do and is to say so: there is no answer, and no box."""
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
    """The adapter's family, which the base model never sees."""
    number = rng.randrange(2, 1024)
    lines, digits, rest = [], "", number
    while rest:
        digits = str(rest % 2) + digits
        lines.append(f"{rest}=2×{rest // 2}+{rest % 2} → {digits}")
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


# family -> how often it is drawn in training; what is hard is drawn more often
FAMILIES = {
    addition: 14, subtraction: 20, multiplication: 18, division: 10, gcd: 20, equation: 18, power: 8,
    word_problem: 8, other: 3,
}
# So often a reply is hasty. Its slips are what different attempts differ by, so that a vote can win; a
# greedy answer never is.
HASTY = 0.25


def ask(problem, rng):
    """Words a problem in some language: (language, question)."""
    language = "zh" if rng.random() < 0.3 else "en"
    question = rng.choice(problem.wordings[language])
    if rng.random() < 0.2:
        question += (" " if rng.random() < 0.5 else "\n") + SUFFIX
    return language, question
