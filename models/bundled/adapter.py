"""Trains the demo model's second speciality: base 2, as a LoRA adapter (arXiv 2106.09685).

    python adapter.py [--steps N] [--seed S]

The base is the finished checkpoint, which stays unchanged and was never trained on this family. Every matrix
gets an adapter of rank 8. The result is written to `adapter/` in PEFT's format.
"""

import train  # first, because it configures XLA before JAX is imported

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from random import Random

import jax
import jax.numpy as jnp
import numpy as np

import files
import qwen2
from chat import PAD, tokenizer_of
from questions import binary
from weights import read_checkpoint

RATE, BETAS = 0.004, (0.9, 0.98)


def initial(seed):
    """A: initialised like the matrices of a new model; B: zero, so that training starts from the base's output."""
    rng, adapter = np.random.default_rng(seed), {}
    for name, rows, columns, _ in qwen2.linears():
        adapter[f"{name}.lora_A"] = rng.normal(0, (3 * columns) ** -0.5, (files.RANK, columns))
        adapter[f"{name}.lora_B"] = np.zeros((rows, files.RANK))
    return {name: jnp.asarray(value, jnp.float32) for name, value in adapter.items()}


def with_base(base, adapter):
    return base | adapter | {"lora_scale": files.ALPHA / files.RANK}


@jax.jit
def gradients_of(adapter, base, tokens, mask):
    return jax.value_and_grad(lambda a: train.loss(with_base(base, a), tokens, mask))(adapter)


@jax.jit
def update(adapter, first, second, parts, learned, rate, step):
    """One step of Adam on the parts' gradients, summed over `learned` tokens."""
    new, firsts, seconds = {}, {}, {}
    for name, value in adapter.items():
        grad = sum(part[name] for part in parts) / learned
        firsts[name] = BETAS[0] * first[name] + (1 - BETAS[0]) * grad
        seconds[name] = BETAS[1] * second[name] + (1 - BETAS[1]) * grad * grad
        scaled = firsts[name] / (1 - BETAS[0]**step) / (jnp.sqrt(seconds[name] / (1 - BETAS[1]**step)) + 1e-10)
        new[name] = value - rate * scaled
    return new, firsts, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    tokenizer = tokenizer_of(train.HERE / "checkpoint", args.seed)
    pad = tokenizer.token_to_id(PAD)
    base = {name: jnp.asarray(value) for name, value in read_checkpoint(train.HERE / "checkpoint").items()}
    adapter = initial(args.seed)
    first = second = {name: jnp.zeros_like(value) for name, value in adapter.items()}
    cores = ThreadPoolExecutor(os.cpu_count())
    for step in range(1, args.steps + 1):
        rng = Random(f"adapter {args.seed} {step}")
        examples = [train.conversation(rng, tokenizer, 1.0, {binary: 1}) for _ in range(train.EXAMPLES)]
        learned = sum(len(ids) - start for ids, start in examples)
        cut = list(train.slices(examples, pad))
        parts = list(cores.map(lambda part: jax.block_until_ready(gradients_of(adapter, base, *part)), cut))
        rate = RATE * min(1.0, step / 20, 2 * (args.steps - step + 1) / args.steps)
        adapter, first, second = update(adapter, first, second, [grads for _, grads in parts], learned, rate, step)
        if step % 20 == 0:
            print(f"step {step}: loss {sum(float(value) for value, _ in parts) / learned:.4f}", flush=True)
        if step % 100 == 0 or step == args.steps:
            print("  the base, then the base with the adapter:")
            train.report(base, tokenizer, args.seed, {binary: 1})
            train.report(with_base(base, adapter), tokenizer, args.seed, {binary: 1})
            files.write_adapter(train.HERE / "adapter", adapter)


if __name__ == "__main__":
    main()
