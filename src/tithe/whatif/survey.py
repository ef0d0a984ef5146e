"""What is found of an endpoint by three short calls before a replay."""

from typing import Any

import msgspec

from tithe.core import Backend, Clock, Message, Request
from tithe.core.errors import EndpointRefused, InvalidRequest
from tithe.core.words import CALIBRATION_WORDS, KEEP_WRITING, Calibration, calibration_from, words
from tithe.whatif.hearing import Heard, hear

# What templates commonly put around a further message. It counts only where no earlier prompt tells.
AROUND = 5.0
# What strict endpoints answer to fields that they do not have.
_REFUSALS = (400, 404, 422)


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay builds on.

    `asking`: the tokens of `KEEP_WRITING`. `forcing`: the endpoint takes the fields that force an answer's length.
    """

    calibration: Calibration
    asking: float
    forcing: bool


async def survey(backend: Backend, clock: Clock, model: str, salt: str) -> Ground:
    """Open the connection, and find how many tokens words have there and whether lengths can be forced.

    Raises what the endpoint answers with, where that is no answer.
    """
    short, long = (words(count, salt, f"calibration/{count}") for count in CALIBRATION_WORDS)

    def asked(*messages: Message, extra: dict[str, Any] | None = None) -> Request:
        return Request(model=model, messages=messages, max_tokens=1, extra=extra or {})

    user, system = Message(role="user", content=KEEP_WRITING), Message(role="system", content=short)
    first = await hear(backend, asked(system, user, extra=forced(1)), clock)
    forcing = not isinstance(first.error, EndpointRefused | InvalidRequest)
    if not forcing and getattr(first.error, "http_status", _REFUSALS[0]) in _REFUSALS:
        first = await hear(backend, asked(system, user), clock)
    both = _tokens(first)
    one, other = [
        _tokens(await hear(backend, asked(Message(role="user", content=text)), clock))
        for text in (short, long)
    ]
    calibration = calibration_from(one, other)
    asking = calibration.tokens_a_word * len(KEEP_WRITING.split())
    if both is not None and one is not None:
        asking = max(1.0, both - one - AROUND)
    return Ground(calibration=calibration, asking=asking, forcing=forcing)


def forced(tokens: int) -> dict[str, Any]:
    """The fields that vLLM and SGLang force an answer's length by, and Tithe's own that asks for the endpoint's inner times."""
    return {"ignore_eos": True, "min_tokens": tokens, "tithe": {"facts": True}}


def _tokens(heard: Heard) -> int | None:
    if heard.error is not None:
        raise heard.error
    return heard.usage.prompt_tokens if heard.usage is not None else None
