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
_FACTS: dict[str, Any] = {"tithe": {"facts": True}}


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay builds on.

    `asking`: the tokens of `KEEP_WRITING`. `forcing`: it takes `min_tokens`; whether it heeds that, the answers show.
    `facts`: it takes the field that asks for its inner times.
    """

    calibration: Calibration
    asking: float
    forcing: bool
    facts: bool

    def ask(self, request: Request, tokens: int) -> Request:
        """The request of a call whose answer is to have so many tokens, with the fields that the endpoint takes."""
        return msgspec.structs.replace(
            request,
            max_tokens=tokens,
            min_tokens=tokens if self.forcing else 0,
            extra=_FACTS if self.facts else {},
        )


async def survey(backend: Backend, clock: Clock, model: str, salt: str) -> Ground:
    """Open the connection, and find how many tokens words have there and whether lengths can be forced.

    Raises what the endpoint answers with, where that is no answer.
    """
    short, long = (words(count, salt, f"calibration/{count}") for count in CALIBRATION_WORDS)

    def asked(*messages: Message) -> Request:
        return Request(model=model, messages=messages, max_tokens=1)

    # Strict endpoints refuse fields that they do not have: then fewer are sent.
    first = asked(Message(role="system", content=short), Message(role="user", content=KEEP_WRITING))
    forcing = facts = True
    heard = await hear(backend, msgspec.structs.replace(first, min_tokens=1, extra=_FACTS), clock)
    if _refused(heard.error):
        forcing, heard = False, await hear(backend, msgspec.structs.replace(first, extra=_FACTS), clock)
    if _refused(heard.error):
        facts, heard = False, await hear(backend, first, clock)
    both = _tokens(heard)
    one, other = [
        _tokens(await hear(backend, asked(Message(role="user", content=text)), clock))
        for text in (short, long)
    ]
    calibration = calibration_from(one, other)
    asking = calibration.tokens_a_word * len(KEEP_WRITING.split())
    if both is not None and one is not None:
        asking = max(1.0, both - one - AROUND)
    return Ground(calibration=calibration, asking=asking, forcing=forcing, facts=facts)


def _refused(error: TitheError | None) -> bool:
    if isinstance(error, EndpointRefused):
        return error.http_status in _REFUSALS
    return isinstance(error, InvalidRequest)


def _tokens(heard: Heard) -> int | None:
    if heard.error is not None:
        raise heard.error
    return heard.usage.prompt_tokens if heard.usage is not None else None
