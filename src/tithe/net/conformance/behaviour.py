"""How a scenario's server chooses its reply to a request: decided here, without a clock or a socket."""

from collections.abc import Sequence

import msgspec

from tithe.net.scripted import Reply


class InTurn(msgspec.Struct, frozen=True, tag="in turn"):
    """The first reply to the first request, and so on; after the last it begins again."""

    replies: tuple[Reply, ...]


class OneAtATime(msgspec.Struct, frozen=True, tag="one at a time"):
    """The same reply to every request, one after the other: a request waits for all that came before it."""

    reply: Reply


class PromptCache(msgspec.Struct, frozen=True, kw_only=True, tag="prompt cache"):
    """`hit` for messages that begin as earlier ones did, `miss` for all others.

    With `whole` only an exact repeat is a hit. What was neither computed nor hit for `lives_s` is forgotten;
    its time runs from the end of the answer.
    """

    hit: Reply
    miss: Reply
    whole: bool = False
    lives_s: float = float("inf")


Behaviour = InTurn | OneAtATime | PromptCache


class Player:
    """Plays one behaviour, and remembers what it was asked. Instants are seconds on the caller's clock."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._asked = 0
        self._free_at = float("-inf")
        self._known: dict[tuple[bytes, ...], float] = {}

    def reply(self, messages: Sequence[bytes], now: float) -> Reply:
        """The reply to a request that came at `now` with these messages (each as it was sent)."""
        match self._behaviour:
            case InTurn(replies):
                self._asked += 1
                return replies[(self._asked - 1) % len(replies)]
            case OneAtATime(reply):
                start = max(now, self._free_at)
                self._free_at = start + reply.lasts_s
                return msgspec.structs.replace(reply, head_after=reply.head_after + start - now)
            case PromptCache() as cache:
                return self._from_cache(cache, tuple(messages), now)

    def _from_cache(self, cache: PromptCache, messages: tuple[bytes, ...], now: float) -> Reply:
        self._known = {known: until for known, until in self._known.items() if until >= now}
        if cache.whole:
            found = [messages] if messages in self._known else []
        else:
            found = [known for known in self._known if known == messages[: len(known)]]
        reply = cache.hit if found else cache.miss
        for known in (*found, messages):
            self._known[known] = now + reply.lasts_s + cache.lives_s
        return reply
