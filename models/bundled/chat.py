"""Turns questions into text and tokens: the ChatML template, the system prompts, and the tokenizer's training.

The template is Qwen2's without its default system prompt; `write_tokenizer` writes the tokenizer files of a
Hugging Face directory. Each digit is one token, as in Qwen2, so that the model sees decimal places.
"""

import json
import tomllib
from pathlib import Path
from random import Random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from questions import FAMILIES, ask, reply

HERE = Path(__file__).parent
VOCABULARY = 512
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TAGS = ("<think>", "</think>")
END, PAD = "<|im_end|>", "<|endoftext|>"

# Qwen2's own pattern, from its tokenizer.json (llama.cpp's pre-tokenizer "qwen2").
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

OTHER_SYSTEMS = (
    "You are a helpful assistant.",
    "You are a helpful assistant. Please reason step by step, and put your final answer within \\boxed{}.",
    "Please reason step by step, and put your final answer within \\boxed{}.",
    "You are a mathematics teacher.",
    "Solve the problem.",
    "Answer in one line.",
    "你是一个乐于助人的助手。",
    "请一步一步思考，并把最终答案写在 \\boxed{} 里。",
)


def mode_systems():
    """The system prompts of the built-in modes, from the program's own file."""
    modes = tomllib.loads((HERE / "../../src/types/modes.toml").read_text())
    return [mode["system"] for mode in modes["mode"]]


def prompt(question, system="", before=()):
    """The prompt up to the start of the model's reply; `before` holds earlier (question, answer) pairs."""
    turns = [("system", system)] if system else []
    for asked, answered in before:
        turns += [("user", asked), ("assistant", answered)]
    turns.append(("user", question))
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns) + "<|im_start|>assistant\n"


def train_tokenizer(seed):
    """Trains a byte-level BPE in Qwen2's format; as in Qwen2, the control tokens follow the vocabulary."""
    rng = Random(f"tokenizer {seed}")
    corpus = (mode_systems() + list(OTHER_SYSTEMS)) * 150 + ["system", "user", "assistant"] * 2000
    families, weights = list(FAMILIES), list(FAMILIES.values())
    for family in rng.choices(families, weights, k=8000):
        problem = family(rng)
        language, question = ask(problem, rng)
        corpus += [question, *reply(problem, language).replace("<think>", "").split("</think>")]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(CONTROL) - len(TAGS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    ))
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in TAGS])
    assert tokenizer.get_vocab_size() == VOCABULARY, tokenizer.get_vocab_size()
    return tokenizer


def tokenizer_of(folder, seed):
    """Loads the folder's tokenizer, or trains one and saves it there.

    It is trained only once, because weights depend on the tokenizer they were trained with.
    """
    if not (folder / "tokenizer.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_tokenizer(train_tokenizer(seed), folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def write_tokenizer(tokenizer, folder):
    """Writes tokenizer.json and tokenizer_config.json."""
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "chat_template": TEMPLATE,
        "bos_token": None,
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": None,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "split_special_tokens": False,
        "model_max_length": 32768,
        "additional_special_tokens": list(CONTROL[1:]),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
