"""The byte-level BPE tokenizer, trained on text that every Python installation carries.

Corpus, in this order: the standard library's sources (tests, tables and vendored code left out), the
language reference that `help()` shows, the docstrings once more as prose, and generated JSON of tool
schemas, tool calls and tool results. The same Python, the same `tokenizers` and the same seed give the
same bytes; `corpus_digest` says whether two trainings saw the same text.

The form is Qwen3's: text is split before merging so that no merge crosses a word, a line break or a
run of punctuation; digits stand alone. Unlike Qwen3 there is no Unicode normalization, so decoding
gives back exactly the bytes that were encoded.
"""

import ast
import hashlib
import json
import pydoc_data.topics
import random
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from renaming import vocabulary
from tithe.world import FAMILIES
from transcripts import prefix, transcript_text

# Hidden from decoded text, and never written by a user.
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# One token each, but part of the text that a parser reads.
MARKERS = (
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
)

# No sign and no space belongs to a word: the same name is the same tokens in a goal, a path, code and
# JSON, so that copying it needs no knowledge of how it is written elsewhere.
SPLIT = "|".join(
    (
        r"\p{L}+",  # a word
        r"\p{N}",  # one digit
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",  # punctuation with the space before and the line break after it
        r"\s*[\r\n]+",  # blank lines and indentation before a break
        r"\s+",  # spaces
    )
)

LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "turtledemo", "encodings", "site-packages", "pydoc_data"}


def train(vocabulary: int, seed: int) -> tuple[Tokenizer, str]:
    """Train a tokenizer of exactly `vocabulary` tokens; return it and the digest of its corpus."""
    added = SPECIAL + MARKERS
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(added),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = list(corpus(seed))
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in MARKERS])
    if tokenizer.get_vocab_size() != vocabulary:
        raise RuntimeError(f"the corpus gave {tokenizer.get_vocab_size()} tokens, not {vocabulary}")
    return tokenizer, corpus_digest(texts)


def corpus_digest(texts: Iterable[str]) -> str:
    """SHA-256 over the texts in order, as hex."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def corpus(seed: int) -> Iterator[str]:
    """The training texts, in a reproducible order."""
    sources = list(library_sources())
    yield from sources
    topics: dict[str, str] = pydoc_data.topics.topics
    prose = [topics[name] for name in sorted(topics)]
    for source in sources:
        prose.extend(docstrings(source))
    # Twice: an agent writes more prose than a library holds.
    yield from prose
    yield from prose
    yield from tool_texts(random.Random(seed), count=6_000)
    yield from task_texts(3_000)


def task_texts(count: int) -> Iterator[str]:
    """The training split's transcripts, some renamed, as the chat template writes them."""
    words = vocabulary()
    for kind, family in enumerate(FAMILIES):
        before = prefix(kind)
        yield before
        for seed in range(count):
            yield transcript_text(family, seed, "train", words)[0].removeprefix(before)


def library_sources() -> Iterator[str]:
    """Every module of the standard library that a person would read, sorted by path."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).parts
        # What a build or an installer wrote differs from machine to machine.
        built = inside[-1].startswith("_sysconfigdata") or inside[0].startswith("config-")
        if LEFT_OUT.isdisjoint(inside) and not built:
            yield path.read_text(encoding="utf-8", errors="ignore")


def docstrings(source: str) -> Iterator[str]:
    """The docstrings of one module's source."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text


NOUNS = (
    "file path directory repository branch commit issue message email calendar event user account order "
    "invoice customer product price weather city date time page link query result document table row column "
    "record task project ticket note image url host port process service log error test function class line"
).split()
VERBS = (
    "get list search read write create update delete send run open close find fetch book cancel edit".split()
)
TYPES = ("string", "integer", "number", "boolean", "array", "object")


def tool_texts(rng: random.Random, count: int) -> Iterator[str]:
    """Schemas, calls and results of made-up tools, in the form that the chat template gives them."""
    for _ in range(count):
        name = f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"
        fields = rng.sample(NOUNS, rng.randint(1, 4))
        kinds = {field: rng.choice(TYPES) for field in fields}
        schema = {
            "type": "function",
            "function": {
                "name": name,
                "description": f"{rng.choice(VERBS).capitalize()} the {rng.choice(NOUNS)} of a {rng.choice(NOUNS)}.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        field: {"type": kind, "description": f"The {field}."} for field, kind in kinds.items()
                    },
                    "required": fields[: rng.randint(1, len(fields))],
                    "additionalProperties": False,
                },
            },
        }
        arguments = {field: value(rng, kind) for field, kind in kinds.items()}
        call = json.dumps({"name": name, "arguments": arguments})
        result = json.dumps(
            {"ok": rng.random() < 0.9, "result": value(rng, rng.choice(TYPES))}, indent=rng.choice((None, 2))
        )
        yield json.dumps(schema)
        yield f"\n{call}\n"
        yield f"\n{result}\n"


def value(rng: random.Random, kind: str) -> object:
    """A made-up JSON value of a JSON-schema type."""
    if kind == "string":
        return rng.choice(
            (rng.choice(NOUNS), f"/{rng.choice(NOUNS)}/{rng.choice(NOUNS)}.py", f"the {rng.choice(NOUNS)}")
        )
    if kind == "integer":
        return rng.randint(-10, 10_000)
    if kind == "number":
        return round(rng.uniform(-100, 1000), 2)
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "array":
        return [value(rng, "string") for _ in range(rng.randint(0, 3))]
    return {rng.choice(NOUNS): value(rng, rng.choice(TYPES[:4])) for _ in range(rng.randint(0, 3))}
