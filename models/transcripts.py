"""The training data: the expert's transcripts as tokens, each with a mask of those to learn.

A transcript is rendered with the chat template that the engine uses, as one text, and encoded. What
comes before the goal (system prompt and tools) is the same for all tasks of a family; it is kept once,
as the family's prefix. Learnt are the assistant's turns up to and with `<|im_end|>`, but for those that
the expert marked as mistakes.
"""

import functools
import json
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from drills import drill
from interpreter import run_here
from renaming import pieces_of, rename, renaming, vocabulary
from stories import story
from tithe.core import Message, Request, ToolCall
from tithe.engine.template import ChatTemplate
from tithe.world import FAMILIES, Family, Split, Turn, make_task, solve

HERE = Path(__file__).parent
STORY = len(FAMILIES)
DRILL = STORY + 1
KINDS = DRILL + 1
"""Kinds of examples: the families, then stories and drills, which have no prefix."""

_OPENS = "<|im_start|>"
_HEAD = 3  # <|im_start|>, the role, the line break
_CHUNK = 200


@dataclass(frozen=True)
class Example:
    """`tokens` (n,) after the prefix of its kind; `learn` (n,): whether a model should learn to write it."""

    kind: int
    tokens: NDArray[np.uint16]
    learn: NDArray[np.bool_]


def save(path: Path, examples: list[Example]) -> None:
    """Keep examples, so that another training need not make them again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        kinds=[example.kind for example in examples],
        ends=np.cumsum([len(example.tokens) for example in examples]),
        tokens=np.concatenate([example.tokens for example in examples]),
        learn=np.concatenate([example.learn for example in examples]),
    )


def load(path: Path) -> list[Example]:
    """What `save` kept."""
    with np.load(path) as kept:
        tokens = np.split(kept["tokens"], kept["ends"][:-1])
        learn = np.split(kept["learn"], kept["ends"][:-1])
        return [Example(int(k), t, m) for k, t, m in zip(kept["kinds"], tokens, learn, strict=True)]


@functools.cache
def template() -> ChatTemplate:
    return ChatTemplate((HERE / "chat_template.jinja").read_text(encoding="utf-8"), lambda text: text)


def rendered(messages: tuple[Message, ...], family: Family | None) -> str:
    """A conversation's text, without the beginning of a turn to come."""
    tools = make_task(family, 0, "train").tools if family else ()
    text = template().render(Request(model="nano", messages=messages, tools=tools))
    return text.removesuffix(f"{_OPENS}assistant\n")


def prefix(kind: int) -> str:
    """What stands before the goal in every transcript of a family; nothing before a story."""
    if kind >= STORY:
        return ""
    task = make_task(FAMILIES[kind], 0, "train")
    return rendered((Message(role="system", content=task.system),), task.family)


def transcript_text(
    family: Family, seed: int, split: Split, words: list[str], pieces: Sequence[str] = ()
) -> tuple[str, list[bool]]:
    """The text of the expert's run, and for each turn whether it is to be learnt."""
    task = make_task(family, seed, split)
    turns = solve(task, run_here).turns
    others = (
        renaming(task, random.Random(f"renaming/{family}/{seed}"), words, pieces) if split == "train" else {}
    )
    return rendered(tuple(_renamed(turn, others) for turn in turns), family), [turn.learn for turn in turns]


def _renamed(turn: Turn, others: dict[str, str]) -> Message:
    message = turn.message
    if not others or message.role == "system":
        return message
    return Message(
        role=message.role,
        content=None if message.content is None else rename(message.content, others),
        tool_calls=tuple(_renamed_call(call, others) for call in message.tool_calls),
        tool_call_id=message.tool_call_id,
    )


def _renamed_call(call: ToolCall, others: dict[str, str]) -> ToolCall:
    arguments: dict[str, str] = json.loads(call.arguments)
    # The values alone: the keys are the tool's.
    changed = {key: rename(value, others) for key, value in arguments.items()}
    return ToolCall(id=call.id, name=call.name, arguments=json.dumps(changed))


def examples(tokenizer: Tokenizer, split: Split, seeds: range, processes: int) -> list[Example]:
    """Every family's transcripts of these seeds; for training as many drills, and a twentieth as many stories."""
    jobs = [
        (tokenizer.to_str(), kind, split, range(start, min(start + _CHUNK, seeds.stop)))
        for start in range(seeds.start, seeds.stop, _CHUNK)
        for kind in range(KINDS if split == "train" else STORY)
    ]
    if processes == 1:
        return [example for job in jobs for example in _chunk(job)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return [example for chunk in pool.imap(_chunk, jobs) for example in chunk]


def _chunk(job: tuple[str, int, Split, range]) -> list[Example]:
    source, kind, split, seeds = job
    tokenizer = Tokenizer.from_str(source)
    return list(_encoded(tokenizer, kind, _texts(kind, split, seeds, pieces_of(tokenizer))))


def _texts(kind: int, split: Split, seeds: range, pieces: list[str]) -> Iterator[tuple[str, list[bool]]]:
    words = vocabulary()
    if kind >= STORY:
        for seed in seeds[:: 20 if kind == STORY else 1]:
            messages = story(seed) if kind == STORY else drill(seed, words, pieces)
            yield rendered(messages, None), [message.role == "assistant" for message in messages]
        return
    for seed in seeds:
        yield transcript_text(FAMILIES[kind], seed, split, words, pieces)


def _encoded(tokenizer: Tokenizer, kind: int, texts: Iterator[tuple[str, list[bool]]]) -> Iterator[Example]:
    opens = tokenizer.token_to_id(_OPENS)
    ends = tokenizer.token_to_id("<|im_end|>")
    before = prefix(kind)
    for text, learns in texts:
        if not text.startswith(before):
            raise RuntimeError(f"a transcript does not begin with its family's prefix: {text[:200]!r}")
        tokens = np.asarray(
            tokenizer.encode(text.removeprefix(before), add_special_tokens=False).ids, np.uint16
        )
        starts = np.flatnonzero(tokens == opens)
        turns = learns[1:] if before else learns
        if len(starts) != len(turns):
            raise RuntimeError(f"{len(starts)} turns in the text and not {len(turns)}: {text[:200]!r}")
        learn = np.zeros(len(tokens), np.bool_)
        for start, stop, learnt in zip(starts, [*starts[1:], len(tokens)], turns, strict=True):
            if learnt:
                end = stop - 1 - int(np.argmax(tokens[start:stop][::-1] == ends))
                # A story never ends: its last turn is cut, and no end is learnt.
                learn[start + _HEAD : end + (kind != STORY)] = True
        yield Example(kind=kind, tokens=tokens, learn=learn)
