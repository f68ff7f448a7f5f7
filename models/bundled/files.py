"""Writes the Hugging Face directories: the checkpoint's and the adapter's.

The checkpoint has the format transformers saves for `Qwen2ForCausalLM`, the adapter PEFT's. Both hold 16-bit
floats. All measurements and GGUF files start from these, never from the training state.
"""

import json

import numpy as np
from safetensors.numpy import save_file

import qwen2
from chat import CONTROL, END, PAD, VOCABULARY
from weights import PEFT

# The context the file allows; training used at most 704 tokens (README.md).
CONTEXT = 32768
RANK, ALPHA = 8, 16


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_checkpoint(folder, params):
    folder.mkdir(parents=True, exist_ok=True)
    end, pad = (VOCABULARY - len(CONTROL) - 2 + CONTROL.index(token) for token in (END, PAD))
    write_json(folder / "config.json", {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "torch_dtype": "float16",
        "vocab_size": VOCABULARY,
        "hidden_size": qwen2.HIDDEN,
        "intermediate_size": qwen2.FFN,
        "num_hidden_layers": qwen2.LAYERS,
        "num_attention_heads": qwen2.HEADS,
        "num_key_value_heads": qwen2.KV_HEADS,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": qwen2.EPSILON,
        "rope_theta": qwen2.ROPE_BASE,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "eos_token_id": end,
        "bos_token_id": None,
        "pad_token_id": pad,
        "use_cache": True,
    })
    write_json(folder / "generation_config.json", {
        "eos_token_id": end, "pad_token_id": pad, "do_sample": True, "temperature": 1.0, "top_p": 0.95, "top_k": 0,
    })
    halves = {name: np.asarray(value, np.float16) for name, value in params.items()}
    save_file(halves, folder / "model.safetensors", {"format": "pt"})


def write_adapter(folder, adapter):
    """Writes an adapter: a dict of MODULE.lora_A [r, in] and MODULE.lora_B [out, r]."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "adapter_config.json", {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "../checkpoint",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted({name.rsplit(".", 1)[1] for name in qwen2.LINEARS}),
    })
    halves = {f"{PEFT}{name}.weight": np.asarray(value, np.float16) for name, value in adapter.items()}
    save_file(halves, folder / "adapter_model.safetensors", {"format": "pt"})
