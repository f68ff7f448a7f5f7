"""Qwen2 in JAX: the forward pass, its parameters by their Hugging Face names, and the loss.

Written for training on a few cores: rows of equal length, no KV cache. Weights are [out, in], as in PyTorch, so
that a checkpoint is a direct dump. Source of the formulas: the Qwen2 technical report (arXiv 2407.10671) and
RoFormer (arXiv 2104.09864), with halves rotated as in the Hugging Face implementation.
"""

import jax
import jax.numpy as jnp
import numpy as np

LAYERS, HIDDEN, FFN, HEADS, KV_HEADS, HEAD = 4, 256, 512, 4, 2, 64
EPSILON, ROPE_BASE = 1e-6, 10000.0

LINEARS = {  # name: (out, in, has a bias)
    "self_attn.q_proj": (HEADS * HEAD, HIDDEN, True),
    "self_attn.k_proj": (KV_HEADS * HEAD, HIDDEN, True),
    "self_attn.v_proj": (KV_HEADS * HEAD, HIDDEN, True),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD, False),
    "mlp.gate_proj": (FFN, HIDDEN, False),
    "mlp.up_proj": (FFN, HIDDEN, False),
    "mlp.down_proj": (HIDDEN, FFN, False),
}


def linears():
    """Every matrix of every layer: (name without .weight, out, in, has a bias)."""
    for layer in range(LAYERS):
        for name, shape in LINEARS.items():
            yield f"model.layers.{layer}.{name}", *shape


def initial(seed, vocabulary):
    """Initial parameters: matrices with standard deviation 1/sqrt(3 in), embeddings with 0.02."""
    rng = np.random.default_rng(seed)
    params = {"model.embed_tokens.weight": rng.normal(0, 0.02, (vocabulary, HIDDEN))}
    for name, rows, columns, bias in linears():
        params[f"{name}.weight"] = rng.normal(0, (3 * columns) ** -0.5, (rows, columns))
        if bias:
            params[f"{name}.bias"] = np.zeros(rows)
    norms = [f"model.layers.{i}.{n}" for i in range(LAYERS) for n in ("input_layernorm", "post_attention_layernorm")]
    for name in (*norms, "model.norm"):
        params[f"{name}.weight"] = np.ones(HIDDEN)
    return {name: jnp.asarray(value, jnp.float32) for name, value in params.items()}


def rotation(length):
    """Returns cos and sin of the rotation angles, [length, HEAD / 2] each."""
    angles = np.arange(length)[:, None] * ROPE_BASE ** (-np.arange(0, HEAD, 2) / HEAD)[None, :]
    return jnp.asarray(np.cos(angles), jnp.float32), jnp.asarray(np.sin(angles), jnp.float32)


def rotate(x, cos, sin):
    """Applies the rotary position embedding to x: [rows, length, heads, HEAD]."""
    left, right = x[..., : HEAD // 2], x[..., HEAD // 2 :]
    cos, sin = cos[:, None, :], sin[:, None, :]
    return jnp.concatenate((left * cos - right * sin, right * cos + left * sin), -1)


def norm(x, weight):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPSILON) * weight


def linear(params, name, x):
    """x W^T + b, plus the adapter's share if present: `name.lora_A` [r, in], `name.lora_B` [out, r]."""
    y = x @ params[f"{name}.weight"].T
    if f"{name}.lora_A" in params:
        y += (x @ params[f"{name}.lora_A"].T) @ params[f"{name}.lora_B"].T * params["lora_scale"]
    return y + params[f"{name}.bias"] if f"{name}.bias" in params else y


def logits(params, tokens):
    """tokens: [rows, length] -> [rows, length, vocabulary]. Positions count from the row's start."""
    rows, length = tokens.shape
    cos, sin = rotation(length)
    causal = np.tril(np.ones((length, length), bool))
    embeddings = params["model.embed_tokens.weight"]
    x = embeddings[tokens]
    for i in range(LAYERS):
        at = f"model.layers.{i}"
        h = norm(x, params[f"{at}.input_layernorm.weight"])
        q = linear(params, f"{at}.self_attn.q_proj", h).reshape(rows, length, HEADS, HEAD)
        k = linear(params, f"{at}.self_attn.k_proj", h).reshape(rows, length, KV_HEADS, HEAD)
        v = linear(params, f"{at}.self_attn.v_proj", h).reshape(rows, length, KV_HEADS, HEAD)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        q = q.reshape(rows, length, KV_HEADS, HEADS // KV_HEADS, HEAD)
        scores = jnp.einsum("rqkgd,rskd->rkgqs", q, k) * HEAD**-0.5
        weights = jax.nn.softmax(jnp.where(causal, scores, -1e30), -1)
        mixed = jnp.einsum("rkgqs,rskd->rqkgd", weights, v).reshape(rows, length, HEADS * HEAD)
        x += linear(params, f"{at}.self_attn.o_proj", mixed)
        h = norm(x, params[f"{at}.post_attention_layernorm.weight"])
        gate = jax.nn.silu(linear(params, f"{at}.mlp.gate_proj", h))
        x += linear(params, f"{at}.mlp.down_proj", gate * linear(params, f"{at}.mlp.up_proj", h))
    return norm(x, params["model.norm.weight"]) @ embeddings.T


def log_probabilities(params, tokens):
    """Log-probability of each next token, [rows, length - 1], and whether it was the most likely one."""
    scores = logits(params, tokens[:, :-1])
    targets = tokens[:, 1:]
    picked = jnp.take_along_axis(scores, targets[..., None], -1)[..., 0]
    return picked - jax.nn.logsumexp(scores, -1), picked >= scores.max(-1)
