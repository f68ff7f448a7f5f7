"""Trains the demo model from scratch, or resumes from the last checkpoint.

    python train.py --work FOLDER [--steps N] [--seed S] [--rate R]

Each step draws new problems from the seed and the step number, so an interrupted run sees the same problems as
an uninterrupted one. The loss covers the reply only, not the prompt. Matrices are trained with Muon (momentum,
orthogonalised by five Newton-Schulz steps: Keller Jordan, 2024), the rest with Adam; the learning rates fall to
zero over the last part. A step's problems are sorted by length and cut into slices padded to one length, which
keeps padding small. Each slice runs on one core, with one slice per core at a time (on two cores a quarter
faster than one slice on both).
"""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # before JAX is imported

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random

import jax
import jax.numpy as jnp
import numpy as np

import qwen2
from chat import END, OTHER_SYSTEMS, PAD, VOCABULARY, mode_systems, prompt, tokenizer_of
from questions import FAMILIES, HASTY, ask, binary, held_out, other, reply, trainable

HERE = Path(__file__).parent
EXAMPLES, SLICE = 48, 8  # examples per step, and per forward pass
LENGTH_STEP, LENGTH_MAX = 32, 704
MUON_RATE, ADAM_RATE, WARM_UP, FALL = 0.02, 0.004, 40, 0.6
MOMENTUM, BETAS, DECAY = 0.95, (0.9, 0.98), 0.01
FACTS_UNTIL = 0.6  # share of the steps with few system prompts (they cost time) and no hasty replies (noise)


def conversation(rng, tokenizer, progress, families=None):
    """One example: (token IDs, number of prompt tokens)."""
    families = families or FAMILIES
    family = rng.choices(list(families), list(families.values()))[0]
    problem = trainable(family, rng)
    language, question = ask(problem, rng)
    system, draw = "", rng.random()
    if draw < (0.5 if progress > FACTS_UNTIL else 0.1):
        system = rng.choice(mode_systems() if draw < 0.35 else OTHER_SYSTEMS)
    before = []
    if rng.random() < 0.04:
        earlier = trainable(rng.choice(list(families)), rng)
        spoken, asked = ask(earlier, rng)
        before = [(asked, earlier.sentences[spoken])]
    start = tokenizer.encode(prompt(question, system, before)).ids
    hasty = progress > FACTS_UNTIL and family not in (other, binary) and rng.random() < HASTY
    rest = tokenizer.encode(reply(problem, language, hasty) + END).ids
    return start + rest, len(start)


def slices(examples, pad, size=SLICE):
    """Cuts examples, longest first, into (tokens, mask) padded to one length; the mask marks trained tokens."""
    examples = sorted(examples, key=lambda example: -len(example[0]))
    for first in range(0, len(examples), size):
        part = examples[first : first + size]
        length = -(-len(part[0][0]) // LENGTH_STEP) * LENGTH_STEP
        assert length <= LENGTH_MAX, length
        tokens = np.full((len(part), length), pad, np.int32)
        mask = np.zeros((len(part), length - 1), np.float32)
        for row, (ids, start) in enumerate(part):
            tokens[row, : len(ids)] = ids
            mask[row, start - 1 : len(ids) - 1] = 1
        yield tokens, mask


def loss(params, tokens, mask):
    logp, _ = qwen2.log_probabilities(params, tokens)
    return -(logp * mask).sum()


gradients_of = jax.jit(jax.value_and_grad(loss))


@jax.jit
def judge(params, tokens, mask):
    """For each row: whether every reply token is the most likely one, and the probability of the whole reply."""
    logp, likeliest = qwen2.log_probabilities(params, tokens)
    return jnp.all(likeliest | (mask == 0), -1), jnp.exp((logp * mask).sum(-1))


def orthogonalised(matrix):
    """Approximates the nearest matrix with equal singular values by five steps of a quintic iteration."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x /= jnp.linalg.norm(x) + 1e-7
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x


def by_muon(name, value):
    return value.ndim == 2 and "embed" not in name


@partial(jax.jit, donate_argnums=(0, 1))
def update(params, state, parts, learned, rate, step):
    """Takes one step of both optimisers on the parts' gradients, summed over `learned` tokens.

    `rate` scales the full learning rates, 0 to 1.
    """
    new, kept = {}, {}
    for name, value in params.items():
        grad = sum(part[name] for part in parts) / learned
        if by_muon(name, value):
            momentum = MOMENTUM * state[f"{name}:m"] + grad
            direction = orthogonalised(grad + MOMENTUM * momentum)
            direction *= max(1.0, value.shape[0] / value.shape[1]) ** 0.5
            new[name] = value * (1 - MUON_RATE * rate * DECAY) - MUON_RATE * rate * direction
            kept[f"{name}:m"] = momentum
        else:
            first = BETAS[0] * state[f"{name}:m"] + (1 - BETAS[0]) * grad
            second = BETAS[1] * state[f"{name}:v"] + (1 - BETAS[1]) * grad * grad
            scaled = (first / (1 - BETAS[0]**step)) / (jnp.sqrt(second / (1 - BETAS[1]**step)) + 1e-10)
            new[name] = value - ADAM_RATE * rate * scaled
            kept[f"{name}:m"], kept[f"{name}:v"] = first, second
    return new, kept


def fresh_state(params):
    state = {f"{name}:m": jnp.zeros_like(value) for name, value in params.items()}
    state |= {f"{name}:v": jnp.zeros_like(value) for name, value in params.items() if not by_muon(name, value)}
    return state


def rate_at(step, steps):
    """The rate at a step: rises over WARM_UP steps, stays, then falls over the last FALL of all steps.

    The fall follows 1 - sqrt, steep at first (Hägele et al., arXiv 2405.18392).
    """
    fallen = max(0.0, (step - 1 - (1 - FALL) * steps) / (FALL * steps))
    return min(1.0, step / WARM_UP, 1 - fallen**0.5)


def save(path, params, state, step):
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, step=step, **{f"p:{n}": v for n, v in params.items()}, **{f"s:{n}": v for n, v in state.items()})
    part.rename(path)


def load(path):
    with np.load(path) as stored:
        pick = lambda kind: {n[2:]: jnp.asarray(stored[n]) for n in stored.files if n.startswith(kind)}
        return pick("p:"), pick("s:"), int(stored["step"])


def report(params, tokenizer, seed, families=FAMILIES, count=64):
    """Prints for each family the greedy accuracy on held-out replies and the mean probability of a whole reply."""
    pad = tokenizer.token_to_id(PAD)
    for family in families:
        rng, examples = Random(f"report {seed} {family.__name__}"), []
        while len(examples) < count:
            if held_out(problem := family(rng)):
                language, question = ask(problem, rng)
                start = tokenizer.encode(prompt(question)).ids
                examples.append((start + tokenizer.encode(reply(problem, language) + END).ids, len(start)))
        results = [judge(params, *part) for part in slices(examples, pad)]
        right = np.concatenate([greedy for greedy, _ in results]).mean()
        chance = np.concatenate([whole for _, whole in results]).mean()
        print(f"    {family.__name__:<16} greedy {right:.3f}  whole reply at temperature 1 {chance:.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for training checkpoints")
    parser.add_argument("--steps", type=int, default=3800)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rates, for resumed runs")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    checkpoint = args.work / "checkpoint.npz"
    tokenizer = tokenizer_of(HERE / "checkpoint", args.seed)
    pad = tokenizer.token_to_id(PAD)
    if checkpoint.exists():
        params, state, done = load(checkpoint)
    else:
        params = qwen2.initial(args.seed, VOCABULARY)
        state, done = fresh_state(params), 0
    print(f"{sum(value.size for value in params.values())} parameters, from step {done}", flush=True)
    cores = ThreadPoolExecutor(os.cpu_count())
    since, tokens_seen, losses = time.time(), 0, []
    for step in range(done + 1, args.steps + 1):
        rng = Random(f"{args.seed} {step}")
        examples = [conversation(rng, tokenizer, step / args.steps) for _ in range(EXAMPLES)]
        learned = sum(len(ids) - start for ids, start in examples)
        cut = list(slices(examples, pad))
        parts = list(cores.map(lambda part: jax.block_until_ready(gradients_of(params, *part)), cut))
        total = sum(float(value) for value, _ in parts)
        params, state = update(params, state, [grads for _, grads in parts], learned, args.rate * rate_at(step, args.steps), step)
        losses.append(total / learned)
        tokens_seen += sum(tokens.size for tokens, _ in cut)
        if step % 20 == 0:
            speed = tokens_seen / (time.time() - since)
            print(f"step {step}: loss {np.mean(losses):.4f}, {speed:.0f} tokens/s", flush=True)
            since, tokens_seen, losses = time.time(), 0, []
        if step % 400 == 0 or step == args.steps:
            report(params, tokenizer, args.seed)
        if step % 200 == 0 or step == args.steps:
            save(checkpoint, params, state, step)


if __name__ == "__main__":
    main()
