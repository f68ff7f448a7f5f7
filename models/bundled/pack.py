"""Packs the checkpoint and the adapter as GGUF files.

    python pack.py                      writes the two files embedded in the program, and SHA256SUMS
    python pack.py --into FOLDER        writes the same files to another folder
    python pack.py --type f16 FILE      writes only the checkpoint, in another type (f16, q8_0 or q4_0)

The output depends only on the checkpoint and the adapter, so repacking gives identical files. Names and layout
are those of llama.cpp's converter for Qwen2 (gguf's documentation, "Standardized key-value pairs"). Norms and
biases stay 32-bit floats, which the kernels require.
"""

import argparse
import hashlib
import json
from pathlib import Path

import gguf
import numpy as np

from weights import read_adapter, read_checkpoint

HERE = Path(__file__).parent
MODEL, ADAPTER = "solverbox-demo-q8_0.gguf", "solverbox-demo-binary-f16.gguf"
NAMES = {  # Hugging Face name to GGUF name
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
TYPES = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
}


def gguf_name(name):
    """model.layers.0.mlp.up_proj.weight -> blk.0.ffn_up.weight"""
    if not name.startswith("model.layers."):
        return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]
    layer, rest = name.removeprefix("model.layers.").split(".", 1)
    module, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{NAMES[module]}.{kind}"


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_vocabulary(writer, folder, vocabulary):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    config = json.loads((folder / "tokenizer_config.json").read_text())
    tokens = [""] * vocabulary
    kinds = [gguf.TokenType.NORMAL] * vocabulary
    for text, number in tokenizer["model"]["vocab"].items():
        tokens[number] = text
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    assert all(tokens), "every token ID has a token"
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(tokens.index(config["eos_token"]))
    writer.add_pad_token_id(tokens.index(config["pad_token"]))
    writer.add_add_bos_token(False)
    writer.add_chat_template(config["chat_template"])


def pack_model(folder, path, kind):
    """Writes the checkpoint of `folder` to `path`, its matrices in type `kind`."""
    quantization, file_type = TYPES[kind]
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("solverbox demo: school arithmetic")
    writer.add_description("A demo model that solves school arithmetic and nothing else.")
    writer.add_license("MIT")
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    add_vocabulary(writer, folder, config["vocab_size"])
    for name, value in sorted(read_checkpoint(folder).items()):
        kind_here = quantization if value.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(gguf_name(name), gguf.quantize(value, kind_here), raw_dtype=kind_here)
    write(writer)


def pack_adapter(folder, path):
    adapter, alpha = read_adapter(folder)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    # llama.cpp divides alpha by the rank, which it takes from lora_b.
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    writer.add_name("solverbox demo: base 2")
    writer.add_license("MIT")
    for name, value in sorted(adapter.items()):
        module, part = name.rsplit(".", 1)
        writer.add_tensor(f"{gguf_name(module + '.weight')}.{part.lower()}", value.astype(np.float16))
    write(writer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--type", choices=TYPES, default="q8_0")
    parser.add_argument("--into", type=Path, default=HERE)
    parser.add_argument("file", type=Path, nargs="?")
    args = parser.parse_args()
    if args.file:
        pack_model(HERE / "checkpoint", args.file, args.type)
        return
    pack_model(HERE / "checkpoint", args.into / MODEL, "q8_0")
    pack_adapter(HERE / "adapter", args.into / ADAPTER)
    sum_of = lambda name: hashlib.sha256((args.into / name).read_bytes()).hexdigest()
    (args.into / "SHA256SUMS").write_text("".join(f"{sum_of(name)}  {name}\n" for name in (ADAPTER, MODEL)))


if __name__ == "__main__":
    main()
