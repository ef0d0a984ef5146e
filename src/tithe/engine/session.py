"""Conversations, token for token: sampled ids are reused, and every lost prefix is noticed.

**Exact prefixes.** The KV cache holds what the model sampled, but a client sends back text, and text
can be cut into other tokens than those that were sampled. So for every segment of a finished turn
(the text between two added tokens, see `vocabulary`) the sampled ids are kept under a digest chained
over all segments before it. When the turn comes back as history and renders to the same text after
the same text, those ids are used, and nothing is tokenized again.

**Prefix breaks.** A session is the calls with one session hint, or without a hint one cache domain,
that begin with the same user message. Each of its calls leaves behind a *leaf*: the ids of its
prompt and its answer, which are paid for. The next call keeps the prefix when it extends a leaf,
repeats a prompt (a retry, a further candidate), or goes back to an earlier turn of a leaf and
continues differently after it (a branch). Any other call breaks the prefix, at the first token at
which it stops agreeing with the leaf that it agrees with longest.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tithe.core.request import Request
from tithe.engine.blocks import root
from tithe.engine.vocabulary import Vocabulary

TURNS_TOKENS = 4_000_000
"""Sampled tokens that are remembered, the latest used."""

SESSIONS = 2048
"""Sessions whose leaves are remembered, the latest used."""

LEAVES = 8
"""Leaves remembered a session: parallel branches and candidates each leave one."""


class Encoded(NamedTuple):
    """A prompt as ids, and where its last segment begins, to be continued by the answer.

    `digest` names all segments before the last one, whose text and ids are `tail` and `tail_ids`.
    """

    ids: list[int]
    digest: bytes
    tail: str
    tail_ids: tuple[int, ...]


class Turns:
    """Remembers the ids of generated segments."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._sampled: OrderedDict[bytes, tuple[int, ...]] = OrderedDict()
        self._tokens = 0
        # The event loop reads while the engine's thread writes.
        self._lock = threading.Lock()

    def encode(self, text: str, isolation: str) -> Encoded:
        """The ids of a rendered prompt, with the sampled ones wherever they are known."""
        ids: list[int] = []
        before = digest = root(isolation)
        tail, tail_ids = "", ()
        for segment in self._vocabulary.segments(text):
            before, digest = digest, _after(digest, segment)
            with self._lock:
                known = self._sampled.get(digest)
                if known is not None:
                    self._sampled.move_to_end(digest)
            tail, tail_ids = segment, known or self._vocabulary.encode_segment(segment)
            ids.extend(tail_ids)
        return Encoded(ids, before, tail, tail_ids)

    def remember(self, prompt: Encoded, sampled: Sequence[int]) -> None:
        """Keep the ids of an answer to `prompt`, up to its last token before the end of the turn."""
        digest, ids = prompt.digest, list(prompt.tail_ids)
        fixed = prompt.tail
        if ids and self._vocabulary.is_added(ids[0]):
            digest, ids, fixed = _after(digest, prompt.tail), [], ""
        run: list[int] = []
        for token in sampled:
            if self._vocabulary.is_added(token):
                digest = self._keep(digest, fixed + self._vocabulary.text_of(run), ids + run)
                digest = _after(digest, self._vocabulary.text_of([token]))
                fixed, ids, run = "", [], []
            else:
                run.append(token)
        self._keep(digest, fixed + self._vocabulary.text_of(run), ids + run)

    def _keep(self, digest: bytes, text: str, ids: list[int]) -> bytes:
        if not text:
            return digest
        digest = _after(digest, text)
        with self._lock:
            replaced = self._sampled.pop(digest, ())
            self._sampled[digest] = tuple(ids)
            self._tokens += len(ids) - len(replaced)
            while self._tokens > TURNS_TOKENS:
                self._tokens -= len(self._sampled.popitem(last=False)[1])
        return digest


class _Leaf(NamedTuple):
    """What one call paid for. `turns` tells, for each answer in it, how many assistant turns it
    is the last of, and at which token it ends."""

    ids: array[int]
    turns: list[tuple[int, int]]

    def is_kept_by(self, common: int, n_new: int, n_assistant: int) -> bool:
        """Whether a prompt of `n_new` tokens that agrees for the first `common` keeps this prefix."""
        if common in (len(self.ids), n_new):
            return True
        return any(turn == n_assistant and end <= common for turn, end in self.turns)


class Sessions:
    """Remembers what each session has paid for, and finds where a call breaks with it."""

    def __init__(self) -> None:
        self._leaves: OrderedDict[bytes, deque[_Leaf]] = OrderedDict()
        self._lock = threading.Lock()

    def break_of(self, request: Request, ids: Sequence[int]) -> int | None:
        """The position at which a call breaks its session's prefix, or None."""
        with self._lock:
            leaves = list(self._leaves.get(_session_key(request), ()))
        if not leaves:
            return None
        new = np.asarray(ids, dtype=np.int32)
        turns = _assistant_turns(request)
        longest = 0
        for leaf in leaves:
            common = _common(np.frombuffer(leaf.ids, dtype=np.int32), new)
            if leaf.is_kept_by(common, len(new), turns):
                return None
            longest = max(longest, common)
        return longest

    def paid(self, request: Request, ids: Sequence[int]) -> None:
        """Note a call's prompt and answer as paid for. Leaves that it extends are replaced."""
        key = _session_key(request)
        new = array("i", ids)
        turns = [(_assistant_turns(request) + 1, len(new))]
        with self._lock:
            leaves = self._leaves.setdefault(key, deque(maxlen=LEAVES))
            self._leaves.move_to_end(key)
            for leaf in [leaf for leaf in leaves if new[: len(leaf.ids)] == leaf.ids]:
                leaves.remove(leaf)
                turns = sorted({*leaf.turns, *turns})
            leaves.append(_Leaf(new, turns))
            if len(self._leaves) > SESSIONS:
                self._leaves.popitem(last=False)


def _assistant_turns(request: Request) -> int:
    return sum(message.role == "assistant" for message in request.messages)


def _session_key(request: Request) -> bytes:
    first = next((m.content or "" for m in request.messages if m.role == "user"), "")
    name = "\0".join((request.isolation, request.session or "", first))
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _after(digest: bytes, segment: str) -> bytes:
    return hashlib.blake2b(segment.encode("utf-8", "surrogatepass"), digest_size=16, key=digest).digest()


def _common(left: np.ndarray, right: np.ndarray) -> int:
    n = min(len(left), len(right))
    differ = np.flatnonzero(left[:n] != right[:n])
    return int(differ[0]) if len(differ) else n
