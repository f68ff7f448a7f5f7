"""Reads the weights of the checkpoint and the adapter. Requires neither JAX nor a tokenizer."""

import json

import numpy as np
from safetensors.numpy import load_file

PEFT = "base_model.model."  # PEFT's prefix of module names


def read_checkpoint(folder):
    """Returns all parameters by Hugging Face name, as 32-bit floats."""
    return {name: value.astype(np.float32) for name, value in load_file(folder / "model.safetensors").items()}


def read_adapter(folder):
    """Returns a dict of MODULE.lora_A [r, in] and MODULE.lora_B [out, r], and the adapter's alpha."""
    config = json.loads((folder / "adapter_config.json").read_text())
    stored = load_file(folder / "adapter_model.safetensors")
    adapter = {n.removeprefix(PEFT).removesuffix(".weight"): v.astype(np.float32) for n, v in stored.items()}
    return adapter, config["lora_alpha"]
