"""Generates the tiny Hugging Face checkpoints in this folder, and the results transformers and PEFT
compute with them. They test `solverbox convert`: the suite compares its output with these results.

    python tests/data/checkpoints/make.py           writes all files
    python tests/data/checkpoints/make.py --check   generates them in a temporary folder and lists
                                                    those that differ; `make trials` calls this

Install the packages of requirements.txt first, as described there. Weights come from seeded
integers, so that every machine generates the same bytes; logits may differ in their last digits.

A checkpoint has the files its authors would publish (config.json, model*.safetensors,
tokenizer.json, tokenizer_config.json ...), is small, and sets every value that a converter could
miss or confuse to something far from its default. Its folder also contains:

    reference.json  "vocabulary": number of logits; "sequences": 50 lists of token ids, or 16 for a
                    variant, which differs from another checkpoint only in its numbers
    reference.f32   float32, little-endian, [sequence][token]: the logits after the last token of
                    each sequence, from float32 arithmetic on the stored weights
    tokens.json     for each text of corpus.json (in NFC, written by hand) its token ids, with
                    special tokens recognised in the text and none added; not for variants

The adapters (*-lora) have PEFT's format; their logits are those of the base with the adapter.
"""
import argparse
import filecmp
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from sentencepiece import SentencePieceTrainer
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers import LlamaConfig, LlamaTokenizerFast, MistralConfig, Qwen2Config, Qwen3Config
from transformers.utils import logging

import vocabulary

HERE = Path(__file__).resolve().parent
VOCABULARY = 512
SEQUENCES = 50
VARIANT_SEQUENCES = 16
SEQUENCE_TOKENS_MAX = 48
LOGITS_DIFFERENCE_MAX = 1e-4

SMALL = {
    "vocab_size": VOCABULARY,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
LLAMA_3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN_ROPE = {
    "rope_type": "yarn",
    "factor": 4.0,
    "attention_factor": 1.3,
    "original_max_position_embeddings": 128,
}

# `tokens` below VOCABULARY: the embedding has rows that no token uses, as in Qwen.
CHECKPOINTS = {
    "qwen2": {
        "config": Qwen2Config(
            hidden_size=64,
            intermediate_size=96,
            rope_theta=31415.0,
            rms_norm_eps=2e-3,
            tie_word_embeddings=True,
            **SMALL,
        ),
        "ids": {"bos_token_id": "<|endoftext|>", "eos_token_id": "<|im_end|>"},
        "family": vocabulary.QWEN,
        "tokens": 499,
        "dtype": torch.bfloat16,
    },
    "qwen2-sharded": {
        "config": Qwen2Config(
            hidden_size=32,
            intermediate_size=96,
            rope_theta=2718.0,
            rope_scaling=YARN_ROPE,
            rms_norm_eps=3e-3,
            tie_word_embeddings=False,
            **SMALL,
        ),
        "ids": {"bos_token_id": "<|endoftext|>", "eos_token_id": "<|im_end|>"},
        "family": vocabulary.QWEN,
        "tokens": 489,
        "dtype": torch.float32,
        "merges_as_text": True,
        "shard": "96KB",
        "shards": 3,
        "template_apart": True,
        "generation": {
            "do_sample": True,
            "temperature": 0.6,
            "top_k": 20,
            "top_p": 0.95,
            "eos_token_id": ["<|im_end|>", "<|endoftext|>"],
            "pad_token_id": "<|endoftext|>",
        },
    },
    "qwen3": {
        "config": Qwen3Config(
            hidden_size=64,
            intermediate_size=64,
            head_dim=32,
            rope_theta=5772.0,
            rms_norm_eps=2e-3,
            tie_word_embeddings=True,
            **SMALL,
        ),
        "ids": {"bos_token_id": "<|endoftext|>", "eos_token_id": "<|im_end|>"},
        "family": vocabulary.QWEN,
        "tokens": 509,
        "dtype": torch.float16,
        "rope_parameters": True,
    },
    "llama": {
        "config": LlamaConfig(
            hidden_size=64,
            intermediate_size=96,
            rope_theta=9000.0,
            rope_scaling=LLAMA_3_ROPE,
            rms_norm_eps=2e-3,
            tie_word_embeddings=True,
            **SMALL,
        ),
        "ids": {
            "bos_token_id": "<|begin_of_text|>",
            "eos_token_id": ["<|end_of_text|>", "<|eot_id|>"],
        },
        "family": vocabulary.LLAMA_3,
        "tokens": VOCABULARY,
        "dtype": torch.bfloat16,
    },
    "llama-smol": {
        "config": LlamaConfig(
            hidden_size=32,
            intermediate_size=96,
            rope_theta=1618.0,
            rms_norm_eps=3e-3,
            tie_word_embeddings=True,
            **SMALL,
        ),
        "ids": {
            "bos_token_id": "<|im_start|>",
            "eos_token_id": "<|im_end|>",
            "pad_token_id": "<|im_end|>",
        },
        "family": vocabulary.SMOL,
        "tokens": VOCABULARY,
        "dtype": torch.float32,
        "merges_as_text": True,
        "without": ["head_dim"],
    },
}
# Llama 2's kind of tokenizer: characters with byte fallback.
CHECKPOINTS["llama-spm"] = {
    "config": LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        rope_theta=2236.0,
        rms_norm_eps=2e-3,
        tie_word_embeddings=False,
        **SMALL,
    ),
    "ids": {"bos_token_id": "<s>", "eos_token_id": "</s>"},
    "sentencepiece": 510,
    "dtype": torch.bfloat16,
}
THIN = {"hidden_size": 32, "intermediate_size": 64, "tie_word_embeddings": True}
QWEN_IDS = {"bos_token_id": "<|endoftext|>", "eos_token_id": "<|im_end|>"}
LLAMA_3_IDS = {"bos_token_id": "<|begin_of_text|>", "eos_token_id": "<|eot_id|>"}
VARIANTS = {
    # YaRN's default attention factor, which grows with the scaling factor.
    "qwen2-yarn": {
        "config": Qwen2Config(
            rope_theta=4669.0,
            rope_scaling={
                "rope_type": "yarn",
                "factor": 8.0,
                "original_max_position_embeddings": 64,
            },
            rms_norm_eps=2e-3,
            **THIN,
            **SMALL,
        ),
        "ids": QWEN_IDS,
        "family": vocabulary.QWEN,
    },
    "llama-linear": {
        "config": LlamaConfig(
            rope_theta=1414.0,
            rope_scaling={"rope_type": "linear", "factor": 3.0},
            rms_norm_eps=2e-3,
            **THIN,
            **SMALL,
        ),
        "ids": LLAMA_3_IDS,
        "family": vocabulary.LLAMA_3,
    },
    "mistral": {
        "config": MistralConfig(
            rope_theta=1732.0,
            sliding_window=None,
            rms_norm_eps=2e-3,
            head_dim=16,
            **THIN,
            **SMALL,
        ),
        "ids": LLAMA_3_IDS,
        "family": vocabulary.LLAMA_3,
    },
}
for spec in VARIANTS.values():
    spec |= {"tokens": VOCABULARY, "dtype": torch.bfloat16, "is_variant": True}
CHECKPOINTS |= VARIANTS
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
ADAPTERS = {
    "qwen2-lora": {
        "base": "qwen2",
        "targets": ATTENTION + ["gate_proj", "up_proj", "down_proj"],
        "rslora": False,
        "dtype": torch.float32,
    },
    "llama-lora": {
        "base": "llama",
        "targets": ["q_proj", "k_proj", "down_proj"],
        "rslora": True,
        "dtype": torch.bfloat16,
    },
    "qwen2-ranks-lora": {
        "base": "qwen2-yarn",
        "targets": ["q_proj", "v_proj", "down_proj"],
        "rslora": False,
        "ranks": {"q_proj": 2, "layers.1.mlp.down_proj": 8},
        "dtype": torch.bfloat16,
        "is_variant": True,
    },
}


def write_json(path, value, indent=2):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")


def write_lines(path, lists):
    """Writes a list of lists, one per line."""
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in lists)
    path.write_text(f"[\n{rows}\n]\n", encoding="utf-8")


def noise(numbers, shape, deviation):
    """Uniform noise with this standard deviation, identical on every machine."""
    steps = numbers.integers(-(2**15), 2**15, size=tuple(shape)).astype(np.float32)
    return torch.from_numpy(steps / np.float32(2**15) * np.float32(deviation * 3**0.5))


def weight(numbers, name, shape):
    """Values scaled so that logits spread over a few units and every tensor affects them."""
    if name.endswith("norm.weight"):
        return 1 + noise(numbers, shape, 0.3)
    if name.endswith(".bias"):
        return noise(numbers, shape, 0.5)
    if "embed_tokens" in name or "lm_head" in name:
        return noise(numbers, shape, 1.2 / shape[1] ** 0.5)
    return noise(numbers, shape, 1.2 / shape[1] ** 0.5)


def fill(model, numbers, value):
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            parameter.copy_(value(numbers, name, parameter.shape))


def numbers_for(name):
    return np.random.default_rng(list(name.encode()))


def write_sentencepiece(folder, tokens, texts):
    """Trains on the ASCII texts, so that other scripts use byte fallback; written in Llama 2's form."""
    with tempfile.TemporaryDirectory() as made:
        plain = Path(made) / "texts"
        lines = [text.replace("\n", " ") for text in texts if text.strip() and text.isascii()]
        plain.write_text("\n".join(lines), encoding="utf-8")
        SentencePieceTrainer.train(
            input=str(plain),
            model_prefix=str(Path(made) / "tokenizer"),
            model_type="bpe",
            vocab_size=tokens,
            byte_fallback=True,
            character_coverage=0.98,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            minloglevel=2,
        )
        fast = LlamaTokenizerFast(vocab_file=str(Path(made) / "tokenizer.model"))
    tokenizer = json.loads(fast.backend_tokenizer.to_str())
    tokenizer["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        ],
    }
    tokenizer["pre_tokenizer"] = None
    write_json(folder / "tokenizer.json", tokenizer, indent=None)
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    write_json(
        folder / "tokenizer_config.json",
        {"add_bos_token": True, **names, "tokenizer_class": "PreTrainedTokenizerFast"},
    )
    return {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}


def write_tokenizer(folder, spec, texts):
    if "sentencepiece" in spec:
        return write_sentencepiece(folder, spec["sentencepiece"], texts)
    tokenizer, config = vocabulary.build(
        spec["family"], texts, spec["tokens"], spec.get("merges_as_text", False)
    )
    if spec.get("template_apart"):
        template = config.pop("chat_template")
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        # Older files write a special token as an object.
        config["eos_token"] = vocabulary.added(config["eos_token"], True)
        config["eos_token"]["__type"] = "AddedToken"
    write_json(folder / "tokenizer.json", tokenizer, indent=None)
    write_json(folder / "tokenizer_config.json", config)
    return {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}


def numbered(value, ids):
    """Replaces token texts in a value by their ids."""
    if isinstance(value, list):
        return [numbered(entry, ids) for entry in value]
    return ids.get(value, value) if isinstance(value, str) else value


def write_model(folder, spec, ids, numbers):
    config = spec["config"]
    for key, value in spec["ids"].items():
        setattr(config, key, numbered(value, ids))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    fill(model, numbers, weight)
    model.generation_config = GenerationConfig(
        **{key: numbered(value, ids) for key, value in spec.get("generation", {}).items()}
    )
    model.to(spec["dtype"]).save_pretrained(folder, max_shard_size=spec.get("shard", "5GB"))
    if "generation" not in spec:
        (folder / "generation_config.json").unlink()
    shards = list(folder.glob("model*.safetensors"))
    assert len(shards) == spec.get("shards", 1), f"{folder.name} came in {len(shards)} files"
    for path in shards:
        path.chmod(0o644)  # safetensors restricts them to the owner


def respell_config(folder, spec):
    """Rewrites config.json with the key names of most published files, or for one, of the newest."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    if spec.get("rope_parameters"):
        config.pop("rope_scaling", None)
        theta = config.pop("rope_theta")
        config["rope_parameters"] = {"rope_theta": theta, "rope_type": "default"}
    else:
        config["torch_dtype"] = config.pop("dtype")
    for key in spec.get("without", []):
        del config[key]
    write_json(path, dict(sorted(config.items())))


def write_tokens(folder, texts):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    write_lines(folder / "tokens.json", ids)


def write_reference(folder, model, numbers, spec):
    model = model.float().eval()
    count = VARIANT_SEQUENCES if spec.get("is_variant") else SEQUENCES
    lengths = numbers.integers(1, SEQUENCE_TOKENS_MAX + 1, size=count)
    lengths[:2] = 1, SEQUENCE_TOKENS_MAX
    sequences = [numbers.integers(0, VOCABULARY, size=length).tolist() for length in lengths]
    with torch.no_grad():
        logits = [model(torch.tensor([ids])).logits[0, -1].numpy() for ids in sequences]
    np.stack(logits).astype("<f4").tofile(folder / "reference.f32")
    rows = ",\n".join(json.dumps(ids, separators=(",", ":")) for ids in sequences)
    text = f'{{"vocabulary": {VOCABULARY}, "sequences": [\n{rows}\n]}}\n'
    (folder / "reference.json").write_text(text, encoding="utf-8")


def load(folder):
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )


def make_checkpoint(folder, spec, texts):
    numbers = numbers_for(folder.name)
    ids = write_tokenizer(folder, spec, texts)
    write_model(folder, spec, ids, numbers)
    write_reference(folder, load(folder), numbers, spec)
    respell_config(folder, spec)
    if not spec.get("is_variant"):
        write_tokens(folder, texts)


def adapter_weight(numbers, name, shape):
    deviation = 1 / shape[1] ** 0.5 if "lora_A" in name else 0.12
    return noise(numbers, shape, deviation)


def make_adapter(folder, spec):
    numbers = numbers_for(folder.name)
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=spec["targets"],
        use_rslora=spec["rslora"],
        rank_pattern=spec.get("ranks", {}),
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(load(folder.parent / spec["base"]), config)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_" in name:
                parameter.copy_(adapter_weight(numbers, name, parameter.shape))
    # Only the adapter is saved, so the type of the base model does not matter here.
    model.to(spec["dtype"]).save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    (folder / "adapter_model.safetensors").chmod(0o644)
    respell_adapter(folder / "adapter_config.json", spec)
    base = load(folder.parent / spec["base"])
    write_reference(folder, PeftModel.from_pretrained(base, folder), numbers, spec)


def respell_adapter(path, spec):
    """Removes what varies in PEFT's config: the order of a set, and the base model's local path."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["target_modules"] = spec["targets"]
    config["base_model_name_or_path"] = f"../{spec['base']}"
    write_json(path, dict(sorted(config.items())))


def make_all(into):
    texts = json.loads((HERE / "corpus.json").read_text(encoding="utf-8"))
    for name in [*CHECKPOINTS, *ADAPTERS]:
        shutil.rmtree(into / name, ignore_errors=True)
        (into / name).mkdir(parents=True)
        if name in CHECKPOINTS:
            make_checkpoint(into / name, CHECKPOINTS[name], texts)
        else:
            make_adapter(into / name, ADAPTERS[name])


def files(folder):
    names = [*CHECKPOINTS, *ADAPTERS]
    return {path.relative_to(folder) for name in names for path in (folder / name).rglob("*")}


def same(kept, made):
    if kept.suffix != ".f32":
        return filecmp.cmp(kept, made, shallow=False)
    old, new = (np.fromfile(path, dtype="<f4") for path in (kept, made))
    return old.shape == new.shape and bool(np.abs(old - new).max() <= LOGITS_DIFFERENCE_MAX)


def check():
    """Prints the files that differ from this script's output; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        make_all(made)
        wrong = sorted(files(HERE) ^ files(made))
        both = sorted(files(HERE) & files(made))
        wrong += [name for name in both if not same(HERE / name, made / name)]
    for name in wrong:
        print(f"{HERE / name}: differs from the output of make.py")
    print(f"{len(both)} files compared, {len(wrong)} differ")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description="generates the tiny checkpoints and their references")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    if parser.parse_args().check:
        return check()
    make_all(HERE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
