"""KV blocks: who owns them, which tokens they hold, which may be reused. Pure: no tensor, clock or thread.

A block holds the keys and values of up to `size` consecutive tokens. What they are depends on every
token before them, so a cached block is named by a *digest* chained from its parent's:

    digest(block) = blake2b(digest(parent) | tokens of the block),   digest(root) = blake2b(isolation)

Equal digests mean equal prefixes (and equal cache domains: two API keys have two roots and can never
meet). The cached blocks therefore form a forest, and these rules keep it sound:

1. A block in use has `refs` > 0: one for each sequence whose table holds it. It is never evicted.
2. A sequence's table holds the *registered* block of every digest it has filled: when it fills a
   block that another sequence registered first, it takes that one and frees its own. So the
   ancestors of a block in use are in use, and every cached block with `refs` = 0 can be evicted.
3. Eviction takes leaves first, the least recently used of them; a parent becomes a leaf when its
   last child has gone. A prefix is so lost from its end, and what is left of it stays usable.
4. A block that is only partly shared (the last one of a prefix) is copied on write: the reader gets
   a block of its own with the shared tokens in it. The copy itself is made by the runner.
5. A part-filled block of a finished sequence is kept as a leaf; it is dropped as superseded once a
   block under the same parent is registered whose tokens begin with its own.

The design follows hash-chained prefix caching as in vLLM's block manager (Kwon et al., 2023), with
SGLang's token-granular radix match (Zheng et al., 2024) recovered by rule 4.
"""

import hashlib
import heapq
from array import array
from collections.abc import Sequence
from typing import NamedTuple


class Shared(NamedTuple):
    """The longest cached prefix found: whole blocks in order, and a part of one more.

    `source` is the block whose first `part` tokens can be copied, or None when `part` is 0.
    """

    blocks: list[int]
    source: int | None
    part: int


class _Block:
    __slots__ = ("children", "digest", "parent", "refs", "tokens", "used")

    def __init__(self) -> None:
        self.refs = 0
        self.digest: bytes | None = None
        self.parent: bytes | None = None
        self.tokens: tuple[int, ...] = ()
        self.children = 0
        self.used = 0


def root(isolation: str) -> bytes:
    """The digest that all chains of one cache domain start from."""
    return hashlib.blake2b(isolation.encode(), digest_size=16, person=b"tithe-root").digest()


def chained(parent: bytes, tokens: Sequence[int]) -> bytes:
    """The digest of a block of `tokens` that follows the block named `parent`."""
    return hashlib.blake2b(array("q", tokens).tobytes(), digest_size=16, key=parent).digest()


class BlockPool:
    """All blocks of the cache, free, in use and cached.

    Args:
        n_blocks: how many blocks there are.
        size: tokens a block holds.
    """

    def __init__(self, n_blocks: int, size: int) -> None:
        self.size = size
        self.n_blocks = n_blocks
        self._blocks = [_Block() for _ in range(n_blocks)]
        self._free = list(range(n_blocks - 1, -1, -1))
        self._registered: dict[bytes, int] = {}
        self._children: dict[bytes, list[int]] = {}
        self._leaves: list[tuple[int, int]] = []
        self._evictable = 0
        self._tick = 0
        self.evicted = 0

    @property
    def available(self) -> int:
        """Blocks that can be had now: free ones, and cached ones that nobody uses."""
        return len(self._free) + self._evictable

    @property
    def in_use(self) -> int:
        """Blocks held by at least one sequence."""
        return self.n_blocks - self.available

    @property
    def cached(self) -> int:
        """Blocks that nobody uses and that still hold a reusable prefix."""
        return self._evictable

    def refs(self, block: int) -> int:
        """How many sequences hold the block."""
        return self._blocks[block].refs

    def find(self, digest: bytes) -> int | None:
        """The registered block of a digest."""
        return self._registered.get(digest)

    def match(self, parent: bytes, tokens: Sequence[int], start: int, limit: int) -> Shared:
        """The longest cached continuation of `tokens[start:limit]` under `parent`. Takes no reference.

        `start` is a multiple of the block size, and `parent` the digest of the block before it.
        """
        blocks: list[int] = []
        while start + self.size <= limit:
            digest = chained(parent, tokens[start : start + self.size])
            block = self._registered.get(digest)
            if block is None:
                break
            blocks.append(block)
            parent = digest
            start += self.size
        source, part = None, 0
        wanted = tokens[start : min(start + self.size, limit)]
        for block in self._children.get(parent, ()):
            common = common_length(self._blocks[block].tokens, wanted)
            if common > part:
                source, part = block, common
        return Shared(blocks, source, part)

    def acquire(self, block: int) -> None:
        """Take a reference to a block."""
        held = self._blocks[block]
        if held.refs == 0 and held.digest is not None:
            self._evictable -= 1
        held.refs += 1

    def allocate(self) -> int | None:
        """A block of one's own, with one reference; evicts the oldest unused leaf if none is free."""
        if not self._free and not self._evict():
            return None
        block = self._free.pop()
        self._blocks[block].refs = 1
        return block

    def release(self, block: int) -> None:
        """Give a reference back. An unregistered block is free at once; a registered one stays cached."""
        held = self._blocks[block]
        held.refs -= 1
        if held.refs:
            return
        if held.digest is None:
            self._free.append(block)
            return
        self._evictable += 1
        self._touch(block)

    def register(self, block: int, parent: bytes, tokens: Sequence[int]) -> int:
        """Name a block that its one owner has filled (or part-filled, at its end) with `tokens`.

        Returns the block the owner's table must hold from now on: this one, or the one that was
        registered under the same digest before (this one is then free).
        """
        digest = chained(parent, tokens)
        known = self._registered.get(digest)
        if known is not None and known != block:
            self.acquire(known)
            self.release(block)
            return known
        held = self._blocks[block]
        if held.digest is not None:
            return block
        held.digest, held.parent, held.tokens = digest, parent, tuple(tokens)
        self._registered[digest] = block
        siblings = self._children.setdefault(parent, [])
        for other in [b for b in siblings if self._superseded(b, held.tokens)]:
            self._forget(other)
            self._free.append(other)
        # Forgetting the last sibling drops the parent's list.
        self._children.setdefault(parent, []).append(block)
        above = self._registered.get(parent)
        if above is not None:
            self._blocks[above].children += 1
        return block

    def _superseded(self, block: int, tokens: tuple[int, ...]) -> bool:
        held = self._blocks[block]
        n = len(held.tokens)
        return held.refs == 0 and n < len(tokens) and tokens[:n] == held.tokens

    def _touch(self, block: int) -> None:
        """Note a block's use now; offer it for eviction if it is a leaf."""
        held = self._blocks[block]
        self._tick += 1
        held.used = self._tick
        if held.children == 0:
            self._offer(block)

    def _offer(self, block: int) -> None:
        if len(self._leaves) > 4 * self.n_blocks:
            self._leaves = [entry for entry in self._leaves if self._is_fresh(*entry)]
            heapq.heapify(self._leaves)
        heapq.heappush(self._leaves, (self._blocks[block].used, block))

    def _is_fresh(self, used: int, block: int) -> bool:
        """Whether an entry still holds: not used, evicted or given children since it was made."""
        held = self._blocks[block]
        return not held.refs and held.digest is not None and held.used == used and not held.children

    def _evict(self) -> bool:
        """Free the least recently used leaf that nobody uses."""
        while self._leaves:
            used, block = heapq.heappop(self._leaves)
            if not self._is_fresh(used, block):
                continue
            self._forget(block)
            self._free.append(block)
            self.evicted += 1
            return True
        return False

    def _forget(self, block: int) -> None:
        """Take an unused cached block out of the forest; its parent may become a leaf."""
        held = self._blocks[block]
        digest, parent = held.digest, held.parent
        if digest is None or parent is None:
            return
        del self._registered[digest]
        siblings = self._children[parent]
        siblings.remove(block)
        if not siblings:
            del self._children[parent]
        held.digest = held.parent = None
        held.tokens = ()
        self._evictable -= 1
        above = self._registered.get(parent)
        if above is not None:
            over = self._blocks[above]
            over.children -= 1
            if over.children == 0 and over.refs == 0:
                self._offer(above)


def common_length(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two runs have in common at their start."""
    n = min(len(left), len(right))
    if tuple(left[:n]) == tuple(right[:n]):
        return n
    for i in range(n):
        if left[i] != right[i]:
            return i
    return n
