"""What is found of an endpoint by three short calls (more, if it refuses fields) before a replay."""

from typing import Any

import msgspec

from tithe.core import Backend, Clock, Message, Request
from tithe.core.errors import EndpointRefused, InvalidRequest, TitheError
from tithe.core.words import CALIBRATION_WORDS, KEEP_WRITING, Calibration, calibration_from, words
from tithe.whatif.hearing import Heard, hear

# What templates commonly put around a further message. It counts only where no earlier prompt tells.
AROUND = 5.0
# What strict endpoints answer to fields that they do not have.
_REFUSALS = (400, 404, 422)
# vLLM's and SGLang's fields that force a length, and Tithe's that asks for an endpoint's inner times; then fewer of them.
_TRIED: tuple[tuple[str, ...], ...] = (("ignore_eos", "min_tokens", "tithe"), ("tithe",), ())


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay builds on.

    `asking`: the tokens of `KEEP_WRITING`. `takes`: the further fields that the endpoint does not refuse.
    """

    calibration: Calibration
    asking: float
    takes: tuple[str, ...]

    @property
    def forcing(self) -> bool:
        """Whether the endpoint takes the fields that force an answer's length. Whether it heeds them, the answers show."""
        return "min_tokens" in self.takes

    def fields(self, tokens: int) -> dict[str, Any]:
        """The further fields of a request whose answer is to have so many tokens."""
        return _fields(tokens, self.takes)


async def survey(backend: Backend, clock: Clock, model: str, salt: str) -> Ground:
    """Open the connection, and find how many tokens words have there and whether lengths can be forced.

    Raises what the endpoint answers with, where that is no answer.
    """
    short, long = (words(count, salt, f"calibration/{count}") for count in CALIBRATION_WORDS)

    def asked(*messages: Message, extra: dict[str, Any] | None = None) -> Request:
        return Request(model=model, messages=messages, max_tokens=1, extra=extra or {})

    user, system = Message(role="user", content=KEEP_WRITING), Message(role="system", content=short)
    takes, *fewer = _TRIED
    first = await hear(backend, asked(system, user, extra=_fields(1, takes)), clock)
    while fewer and _refused(first.error):
        takes = fewer.pop(0)
        first = await hear(backend, asked(system, user, extra=_fields(1, takes)), clock)
    both = _tokens(first)
    one, other = [
        _tokens(await hear(backend, asked(Message(role="user", content=text)), clock))
        for text in (short, long)
    ]
    calibration = calibration_from(one, other)
    asking = calibration.tokens_a_word * len(KEEP_WRITING.split())
    if both is not None and one is not None:
        asking = max(1.0, both - one - AROUND)
    return Ground(calibration=calibration, asking=asking, takes=takes)


def _fields(tokens: int, names: tuple[str, ...]) -> dict[str, Any]:
    every: dict[str, Any] = {"ignore_eos": True, "min_tokens": tokens, "tithe": {"facts": True}}
    return {name: every[name] for name in names}


def _refused(error: TitheError | None) -> bool:
    if isinstance(error, EndpointRefused):
        return error.http_status in _REFUSALS
    return isinstance(error, InvalidRequest)


def _tokens(heard: Heard) -> int | None:
    if heard.error is not None:
        raise heard.error
    return heard.usage.prompt_tokens if heard.usage is not None else None
