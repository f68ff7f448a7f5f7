"""Small tokenizers with the structure of real ones. make.py and big.py use this; it writes nothing.

Each *family* below (Qwen2, Llama 3, SmolLM2) has its model's pre-tokenizer: the patterns and the
order of the steps are those of the published tokenizers, because a converter must recognise them.
Only the vocabulary is our own, trained on corpus.json.
"""
import json

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORDS = (
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CHATML = (
    "{%- if messages[0]['role'] != 'system' -%}"
    "{{- '<|im_start|>system\\nSolve the problem step by step.<|im_end|>\\n' -}}{%- endif -%}"
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
HEADERS = (
    "{{- bos_token -}}{%- for message in messages -%}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' -}}"
    "{{- message['content'] | trim + '<|eot_id|>' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}{%- endif -%}"
)


def byte_level(use_regex, trim_offsets=True):
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": trim_offsets,
        "use_regex": use_regex,
    }


def split(pattern):
    return {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }


def begin_with(token, at):
    """The post-processor that prepends the first token when special tokens are requested."""
    special = {"SpecialToken": {"id": token, "type_id": 0}}
    texts = [{"Sequence": {"id": name, "type_id": kind}} for kind, name in enumerate("AB")]
    second = {"SpecialToken": {"id": token, "type_id": 1}}
    template = {
        "type": "TemplateProcessing",
        "single": [special, texts[0]],
        "pair": [special, texts[0], second, texts[1]],
        "special_tokens": {token: {"id": token, "ids": [at], "tokens": [token]}},
    }
    return {"type": "Sequence", "processors": [byte_level(True), template]}


QWEN = {
    "normalizer": {"type": "NFC"},
    "steps": [split(WORDS.replace("DIGITS", r"\p{N}")), byte_level(False, False)],
    "after": byte_level(False, False),
    "special": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "plain": ["<tool_call>", "</tool_call>", "<think>", "</think>"],
    "unreachable": [],
    "ignore_merges": False,
    "config": {
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
        "chat_template": CHATML,
    },
}
LLAMA_3 = {
    "normalizer": None,
    "steps": [split(WORDS.replace("DIGITS", r"\p{N}{1,3}")), byte_level(False)],
    "special": [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|reserved_special_token_0|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ],
    "plain": [],
    # Words that no merges produce; ignore_merges makes each of them one token all the same.
    "unreachable": ["Ġtheorem", "Ġpolynomial", "Ġhypotenuse"],
    "ignore_merges": True,
    "begin": "<|begin_of_text|>",
    "config": {
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "model_input_names": ["input_ids", "attention_mask"],
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": HEADERS,
    },
}
SMOL = {
    "normalizer": None,
    "steps": [{"type": "Digits", "individual_digits": True}, byte_level(True)],
    # These come first in the vocabulary, unlike in the other families.
    "special_first": [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<repo_name>",
        "<file_sep>",
        "<empty_output>",
    ],
    "special": [],
    "plain": [],
    "unreachable": [],
    "ignore_merges": False,
    "config": {
        "add_prefix_space": False,
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "tokenizer_class": "GPT2Tokenizer",
        "unk_token": "<|endoftext|>",
        "vocab_size": None,
        "chat_template": CHATML,
    },
}


def skeleton(family):
    """Returns a tokenizer.json with an empty vocabulary."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": family["normalizer"],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": family["steps"]},
        "post_processor": family.get("after"),
        "decoder": byte_level(True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": family["ignore_merges"],
            "vocab": {},
            "merges": [],
        },
    }


def learn(family, texts, tokens):
    """Trains vocabulary and merges: all 256 bytes, then the frequent pairs of the texts."""
    from tokenizers import Tokenizer, pre_tokenizers, trainers  # not needed by big.py

    tokenizer = Tokenizer.from_str(json.dumps(skeleton(family)))
    trainer = trainers.BpeTrainer(
        vocab_size=tokens,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=family.get("special_first", []),
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return dict(sorted(model["vocab"].items(), key=lambda entry: entry[1])), model["merges"]


def added(content, special):
    return {
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }


def build(family, texts, tokens, merges_as_text=False):
    """Returns the values of tokenizer.json and tokenizer_config.json for this many tokens."""
    later = family["special"] + family["plain"]
    unreachable = family["unreachable"]
    vocab, merges = learn(family, texts, tokens - len(later) - len(unreachable))
    for word in unreachable:
        assert word not in vocab, f"{word} was learnt"
        vocab[word] = len(vocab)
    first = family.get("special_first", [])
    specials = {vocab[token]: added(token, True) for token in first}
    for at, token in enumerate(later, start=len(vocab)):
        specials[at] = added(token, token in family["special"])
    out = skeleton(family)
    out["added_tokens"] = [{"id": at, **entry} for at, entry in specials.items()]
    out["model"]["vocab"] = vocab
    out["model"]["merges"] = [" ".join(pair) for pair in merges] if merges_as_text else merges
    if "begin" in family:
        ids = {entry["content"]: at for at, entry in specials.items()}
        out["post_processor"] = begin_with(family["begin"], ids[family["begin"]])
    total = len(vocab) + len(later)
    assert total == tokens, f"{total} tokens were learnt, not {tokens}"
    return out, tokenizer_config(family, specials, total)


def tokenizer_config(family, specials, total):
    config = dict(family["config"])
    if "vocab_size" in config:
        config["vocab_size"] = total
    config["added_tokens_decoder"] = {str(at): entry for at, entry in specials.items()}
    config["additional_special_tokens"] = family.get("special_first", family["special"])
    config["clean_up_tokenization_spaces"] = False
    config["model_max_length"] = 512
    return dict(sorted(config.items()))
