"""The shape of a task's prompts: how long each is, and what it has in common with which from its start.

A prompt is messages, a message is runs of text. Runs with equal keys are equal text, so two prompts share a prefix exactly
as far as their runs agree. How runs are found, the best that the record has first:

- `blocks`: hash blocks, as WEKA's and Mooncake's traces have them. A run is a block; what is beyond the last whole block is
  a run of its own.
- `parts`: fingerprints (core/part.py). A run is a piece of at most 256 characters of a part. The tokens that a prompt has
  beyond the runs that are known from earlier prompts are shared out among its new ones by their characters.
- `tokens`: counts alone. A call goes on where the one before it on its line ended, answer included, where its count allows
  that. Where it does not, or the line has none before it, it shares with the task's earlier calls as many tokens as the
  endpoint said were cached, and otherwise nothing.

An answer that a later prompt has in it is marked, so that a replay can put there what the endpoint really answered.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from tithe.core import attributes as at
from tithe.core.part import PIECE, Part
from tithe.trace.node import Node, teller

ShapeFrom = Literal["blocks", "parts", "tokens"]
ShapeRole = Literal["system", "user", "assistant"]

# What a call is taken to have whose tokens nobody reported, where no other call of the task tells either.
_ASSUMED_PROMPT = 500
_ASSUMED_ANSWER = 100
_CHARACTERS_A_TOKEN = 4.0
_USER = 200  # tokens of the first user's message, where only a whole prompt's are known


class Run(msgspec.Struct, frozen=True, array_like=True):
    """A run of text: equal keys, equal text (of one length, the beginning of a longer one)."""

    key: str
    tokens: float


class MessageShape(msgspec.Struct, frozen=True, kw_only=True):
    """A message. `answer_of`: the call, by its span's id, whose answer it is."""

    role: ShapeRole
    runs: tuple[Run, ...]
    answer_of: str | None = None

    @property
    def tokens(self) -> float:
        """Tokens of all its runs."""
        return sum(run.tokens for run in self.runs)


class CallShape(msgspec.Struct, frozen=True, kw_only=True):
    """A call's prompt and the length of its answer, in tokens. `assumed`: what of the two was not reported."""

    messages: tuple[MessageShape, ...]
    input_tokens: int
    output_tokens: int
    source: ShapeFrom
    assumed: tuple[Literal["prompt", "answer"], ...] = ()


def call_shapes(root: Node, prompts: Mapping[str, Sequence[Part]]) -> dict[str, CallShape]:
    """The shape of each call under `root`, by its span's id. `prompts`: the fingerprints of spans, where they were kept."""
    placed = sorted(_placed(root), key=lambda one: one.call.start)
    outputs = [told for one in placed if (told := _count(one.call, at.OUTPUT_TOKENS))]
    usual = round(statistics.median(outputs)) if outputs else _ASSUMED_ANSWER
    shapes = _Shapes(usual)
    for call, line in placed:
        shapes.add(call, line, _parts(call, prompts))
    return shapes.found


class _Placed(NamedTuple):
    """A call, and the line (task or branch) that it is on, by its id."""

    call: Node
    line: str


def _placed(root: Node) -> Iterable[_Placed]:
    stack = [(root, root.span.id)]
    while stack:
        node, line = stack.pop()
        if node.kind == "call":
            yield _Placed(node, line)
        own = node.span.id if node.kind in ("task", "branch") else line
        stack.extend((child, own) for child in node.children)


def _parts(call: Node, prompts: Mapping[str, Sequence[Part]]) -> Sequence[Part]:
    asked = (teller(call), *call.attempts, call)
    return next((prompts[one.span.id] for one in asked if prompts.get(one.span.id)), ())


def _count(call: Node, name: str) -> int | None:
    told = call.attributes.get(name)
    return int(told) if isinstance(told, int | float) and told >= 0 else None


class _Shapes:
    """The shapes of the calls so far, in order of their starts."""

    def __init__(self, usual_answer: int) -> None:
        self.found: dict[str, CallShape] = {}
        self._usual_answer = usual_answer
        self._last: dict[str, str] = {}  # by line: its latest call
        self._parts: dict[str, Sequence[Part]] = {}
        self._answers: dict[
            str, dict[int, str]
        ] = {}  # by call: the places of earlier calls' answers among its parts
        self._known: dict[str, float] = {}  # tokens of the runs of parts seen so far

    def add(self, call: Node, line: str, parts: Sequence[Part]) -> None:
        """Find the shape of the next call."""
        own, told = call.span.id, call.attributes
        before = self._last.get(line)
        reported_in, reported_out = _count(call, at.INPUT_TOKENS), _count(call, at.OUTPUT_TOKENS)
        output = reported_out if reported_out is not None else self._usual_answer
        blocks = _blocks(told)
        source: ShapeFrom
        if blocks is not None:
            blocked = sum(run.tokens for run in blocks)
            tokens = reported_in if reported_in is not None else round(blocked)
            # A tail of its own in any case: it says what is to be written.
            tail = Run(f"tail/{own}", max(1.0, tokens - blocked))
            messages, source = (MessageShape(role="user", runs=(*blocks, tail)),), "blocks"
        elif parts:
            messages = self._of_parts(own, before, parts, reported_in)
            tokens = reported_in if reported_in is not None else round(sum(one.tokens for one in messages))
            source = "parts"
        else:
            assumed = self.found[before].input_tokens if before is not None else _ASSUMED_PROMPT
            tokens = reported_in if reported_in is not None else assumed
            messages = self._of_tokens(own, before, tokens, _count(call, at.CACHE_READ_TOKENS))
            source = "tokens"
        self.found[own] = CallShape(
            messages=messages,
            input_tokens=tokens,
            output_tokens=max(1, output),
            source=source,
            assumed=(
                *(("prompt",) if reported_in is None and blocks is None else ()),
                *(("answer",) if reported_out is None else ()),
            ),
        )
        self._last[line] = own
        self._parts[own] = parts

    def _of_parts(
        self, own: str, before: str | None, parts: Sequence[Part], tokens: int | None
    ) -> tuple[MessageShape, ...]:
        earlier = self._parts.get(before, ()) if before is not None else ()
        digests = [part.digest for part in parts]
        answers: dict[int, str] = {}
        if before is not None and earlier and digests[: len(earlier)] == [part.digest for part in earlier]:
            new_places = range(len(earlier), len(parts))
            newest = next((place for place in new_places if parts[place].role == "assistant"), None)
            # An answer stays what it was: another text in its place would break the prefix there.
            answers = self._answers.get(before, {}) | ({newest: before} if newest is not None else {})
        self._answers[own] = answers
        runs = [_pieces(part) for part in parts]
        # A piece may stand several times in one prompt.
        new = [(key, size) for pieces in runs for key, size in pieces if key not in self._known]
        if tokens is None:
            a_character = 1 / _CHARACTERS_A_TOKEN
        else:
            known = sum(self._known.get(key, 0.0) for pieces in runs for key, _ in pieces)
            a_character = max(0.0, tokens - known) / max(1, sum(size for _, size in new))
        self._known.update((key, max(1e-3, size * a_character)) for key, size in new)
        return tuple(
            MessageShape(
                role=_role(part),
                runs=tuple(Run(key, self._known[key]) for key, _ in pieces),
                answer_of=answers.get(place),
            )
            for place, (part, pieces) in enumerate(zip(parts, runs, strict=True))
        )

    def _of_tokens(
        self, own: str, before: str | None, tokens: int, cached: int | None
    ) -> tuple[MessageShape, ...]:
        if before is not None:
            earlier = self.found[before]
            left = tokens - earlier.input_tokens
            if left > earlier.output_tokens:
                answer = MessageShape(
                    role="assistant",
                    runs=(Run(f"answer/{before}", earlier.output_tokens),),
                    answer_of=before,
                )
                left -= earlier.output_tokens
                return (*earlier.messages, answer, _user(own, left))
            if left > 0:
                return (*earlier.messages, _user(own, left))
        shared = min(cached or 0, tokens - 1)
        source = before if before is not None else next(iter(self.found), None)
        if shared > 0 and source is not None:
            start = _beginning(self.found[source].messages, shared)
            left = tokens - sum(message.tokens for message in start)
            return (*start, _user(own, max(1.0, left)))
        user = min(_USER, max(1, tokens // 4))
        system = MessageShape(role="system", runs=(Run(f"system/{own}", tokens - user),))
        return (system, _user(own, user)) if tokens > user else (_user(own, user),)


def _user(own: str, tokens: float) -> MessageShape:
    return MessageShape(role="user", runs=(Run(f"user/{own}", tokens),))


def _beginning(messages: Sequence[MessageShape], tokens: float) -> tuple[MessageShape, ...]:
    """The first `tokens` tokens of some messages; the last of them is cut."""
    kept: list[MessageShape] = []
    for message in messages:
        runs: list[Run] = []
        for run in message.runs:
            if tokens <= 0:
                break
            runs.append(Run(run.key, min(run.tokens, tokens)))
            tokens -= run.tokens
        if runs:
            cut = len(runs) < len(message.runs) or runs[-1] != message.runs[-1]
            answer = None if cut else message.answer_of
            kept.append(msgspec.structs.replace(message, runs=tuple(runs), answer_of=answer))
    return tuple(kept)


def _blocks(told: Mapping[str, Any]) -> list[Run] | None:
    runs, size = told.get(at.BLOCKS), told.get(at.BLOCK_TOKENS)
    if not isinstance(runs, list) or not isinstance(size, int | float) or size <= 0:
        return None
    return [Run(f"block/{first + place}", float(size)) for first, count in runs for place in range(count)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _pieces(part: Part) -> list[tuple[str, int]]:
    """(key, characters) of each piece of a part. A part is told from another of the same text by its role."""
    role = _role(part)
    if not part.pieces:
        return [(f"{role}/{part.digest}", max(1, part.size))]
    whole, rest = divmod(part.size, PIECE)
    sizes = [PIECE] * whole + ([rest] if rest else [])
    return [
        (f"{role}/{digest}", size)
        for digest, size in zip(part.pieces, sizes or [1] * len(part.pieces), strict=False)
    ]


def _role(part: Part) -> ShapeRole:
    if part.role == "assistant":
        return "assistant"
    return "system" if part.role in ("tool_definition", "system", "developer") else "user"
