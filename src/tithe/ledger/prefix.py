"""What of each prompt was paid for already: the longest prefix that it shares with calls before it.

A call pays for its prompt by computing it, and for its answer by generating it: both are then in the endpoint's KV
cache. So what a later call shares with either is paid for, as long as it is the same model at the same server. A prompt
is paid for once the call's first token has come, and an answer once it has ended; a call that is still in prefill when
another begins has paid for nothing that the other could use. One that failed before its first token paid for nothing.

All prompts stand in one trie. A node is a part after all the parts before it, so that the work is that of the parts, and
not of the pairs of calls. Where a part is only begun alike, the runs of characters that core/part.py keeps digests of
tell how far. A prompt that is known as blocks (some importers have nothing else) stands in it by its blocks; their
numbers mean something in their own task only.

Sizes are characters, and of blocks tokens. A prompt's tokens are known as a sum only, so the tokens of a prefix are
estimated: input tokens * its characters / the prompt's characters.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from tithe.core.part import PIECE, Part

# The model and the server that hold a cache.
Endpoint = tuple[str | None, str | None]
Moment = Literal["paid", "answered", "started"]


class PromptedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A request with its prompt. Stamps are seconds on one clock for all calls that are looked at together.

    `step` counts from 1 along `line`, a branch's id or None for the task's own. `answer` is the answer as it would stand
    in the history (empty: not known). `blocks` are a prompt's KV blocks as runs [first id, count] of `block_size` tokens,
    where they are known and the parts are not. `ttft_s` is from the request's last byte to the first token, without what
    the endpoint says it queued. `relation` is what the recording proxy said of the request (docs/record.md).
    """

    id: str
    task: str
    step: int
    line: str | None = None
    started: float
    first_token_at: float | None = None
    ended: float | None = None
    model: str | None = None
    server: str | None = None
    parts: tuple[Part, ...] = ()
    answer: tuple[Part, ...] = ()
    blocks: tuple[tuple[int, int], ...] = ()
    block_size: int | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    ttft_s: float | None = None
    failed: bool = False
    relation: str | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Whose cache it is."""
        return self.model, self.server

    @property
    def size(self) -> int:
        """Of the prompt: characters, or tokens of its blocks."""
        if self.parts:
            return sum(part.size for part in self.parts)
        return sum(count for _, count in self.blocks) * (self.block_size or 0)

    @property
    def paid_at(self) -> float | None:
        """When its prompt was in the cache; None: never, or not yet."""
        if self.first_token_at is not None:
            return self.first_token_at
        return None if self.failed else self.ended

    def tokens(self, size: int) -> int | None:
        """The tokens of `size` characters of the prompt (estimated), or of blocks (exact); None: not reported."""
        if not self.parts:
            return size if self.blocks and self.block_size else None
        whole = self.size
        if self.input_tokens is None or not whole:
            return None
        return round(self.input_tokens * min(size / whole, 1.0))


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How far a prompt was paid for: `parts` whole parts (or blocks), `size` with what of the next part is shared.

    `payer` is the latest call that paid for all of it, by its place among the calls; None if nothing is shared.
    """

    parts: int = 0
    size: int = 0
    payer: int | None = None


class SharedPrefix(msgspec.Struct, frozen=True, kw_only=True):
    """What a call shares with its own task (`own`), and with any (`any`)."""

    own: Reach
    any: Reach


def in_time(calls: Sequence[PromptedCall]) -> Iterator[tuple[Moment, int]]:
    """What happens in time, by the calls' places: what was paid by an instant comes before what starts at it.

    `calls` are in the order of their starts.
    """
    coming: list[tuple[float, int, Moment]] = []
    for place, call in enumerate(calls):
        while coming and coming[0][0] <= call.started:
            _, paid, moment = heapq.heappop(coming)
            yield moment, paid
        yield "started", place
        if call.paid_at is not None:
            heapq.heappush(coming, (call.paid_at, place, "paid"))
            if call.answer and not call.failed and call.ended is not None:
                heapq.heappush(coming, (max(call.ended, call.paid_at), place, "answered"))


def shared_prefixes(calls: Sequence[PromptedCall]) -> list[SharedPrefix]:
    """What each call shares with those before it. `calls` are in the order of their starts."""
    trie = _Trie()
    paths: list[list[int]] = []
    found: list[SharedPrefix] = []
    marks: defaultdict[object, dict[int, int]] = defaultdict(dict)
    for moment, place in in_time(calls):
        call = calls[place]
        own, everyone = (call.task, call.endpoint), call.endpoint
        if moment == "started":
            path = trie.path(call)
            paths.append(path)
            found.append(
                SharedPrefix(
                    own=trie.reach(call, path, marks[own]), any=trie.reach(call, path, marks[everyone])
                )
            )
            continue
        path = paths[place]
        if moment == "answered":
            path = trie.extend(path[-1] if path else 0, call.answer)
        for scope in (own, everyone):
            trie.mark(path, place, marks[scope])
    return found


class _Trie:
    """Prompts by what they begin with. Nodes are numbers; 0 is the beginning of all."""

    def __init__(self) -> None:
        self._children: dict[tuple[int, object], int] = {}
        self._pieces: dict[int, list[int]] = {}

    def path(self, call: PromptedCall) -> list[int]:
        """The nodes of a call's parts or blocks."""
        if call.parts:
            return self.extend(0, call.parts)
        # The same number is another block in another task, or of another size.
        node = self._child(0, ("blocks", call.task, call.block_size))
        return [node := self._child(node, block) for block in _each(call.blocks)]

    def extend(self, node: int, parts: Iterable[Part]) -> list[int]:
        """The nodes of parts that come after `node`."""
        path: list[int] = []
        for part in parts:
            before, known = node, len(self._children)
            node = self._child(before, part.digest)
            if len(self._children) > known:
                self._pieces[node] = self._chain(before, part)
            path.append(node)
        return path

    def mark(self, path: Iterable[int], place: int, marks: dict[int, int]) -> None:
        """Put down that the call at `place` has all of the path."""
        for node in path:
            if node not in marks:
                marks.update(dict.fromkeys(self._pieces.get(node, ()), place))
            marks[node] = place

    def reach(self, call: PromptedCall, path: list[int], marks: dict[int, int]) -> Reach:
        """How far a call's path is marked."""
        whole = 0
        while whole < len(path) and path[whole] in marks:
            whole += 1
        payer = marks[path[whole - 1]] if whole else None
        if not call.parts:
            return Reach(parts=whole, size=whole * (call.block_size or 0), payer=payer)
        size = sum(part.size for part in call.parts[:whole])
        if whole < len(path):
            begun = 0
            for node in self._pieces[path[whole]]:
                if node not in marks:
                    break
                begun += 1
                payer = marks[node]
            size += min(begun * PIECE, call.parts[whole].size)
        return Reach(parts=whole, size=size, payer=payer)

    def _chain(self, node: int, part: Part) -> list[int]:
        node = self._child(node, ("begins", part.role))
        return [node := self._child(node, piece) for piece in part.pieces]

    def _child(self, node: int, by: object) -> int:
        return self._children.setdefault((node, by), len(self._children) + 1)


def _each(runs: Iterable[tuple[int, int]]) -> Iterator[int]:
    for first, count in runs:
        yield from range(first, first + count)
