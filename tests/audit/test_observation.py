import asyncio

import pytest

from tithe.audit.observation import observe
from tithe.core import (
    Delta,
    FakeClock,
    Message,
    ReasoningDelta,
    Request,
    Script,
    ScriptedBackend,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from tithe.core.errors import EndpointRefused, StreamBroken

REQUEST = Request(model="m", messages=(Message(role="user", content="hi"),))


def see(script: Script):
    clock = FakeClock(start=100.0)

    async def main():
        return await clock.run(
            asyncio.ensure_future(observe(ScriptedBackend(script, clock), REQUEST, clock, "label"))
        )

    return asyncio.run(main())


def words(count: int) -> tuple[Delta, ...]:
    return tuple(TextDelta(at=0.0, text=" w") for _ in range(count))


def test_times_come_from_the_stamps():
    usage = Usage(prompt_tokens=7, completion_tokens=9)
    seen = see(Script(deltas=words(5), ttft=0.5, gap=0.25, usage=usage))
    assert seen.sent == 100.0
    assert seen.ttft == 0.5
    assert seen.total == 1.5
    assert seen.gaps == (0.25,) * 4
    # Nine tokens in five chunks: the rate counts tokens, and the first one is the TTFT's.
    assert seen.decode_rate == 8.0
    assert seen.text == " w w w w w"


def test_reasoning_is_a_token_but_not_a_visible_one():
    deltas = (ReasoningDelta(at=0.0, text="hm"), TextDelta(at=0.0, text="yes"))
    seen = see(Script(deltas=deltas, ttft=0.5, gap=0.25))
    assert seen.ttft == 0.5
    assert seen.visible_ttft == 0.75
    assert (seen.reasoning, seen.text) == ("hm", "yes")


def test_tool_call_alone_has_a_first_token():
    deltas = (
        ToolCallDelta(at=0.0, call=0, id="a", name="f"),
        ToolCallDelta(at=0.0, call=1, id="b", name="g", arguments="{}"),
        ToolCallDelta(at=0.0, call=0, arguments='{"x"'),
        ToolCallDelta(at=0.0, call=0, arguments=": 1}"),
    )
    seen = see(Script(deltas=deltas, ttft=0.5, gap=0.25, finish="tool_calls"))
    assert seen.ttft == seen.visible_ttft == 0.5
    assert seen.tool_calls == (
        ToolCall(id="a", name="f", arguments='{"x": 1}'),
        ToolCall(id="b", name="g", arguments="{}"),
    )


def test_an_empty_delta_is_no_token():
    deltas = (TextDelta(at=0.0, text=""), ToolCallDelta(at=0.0, call=0, id="a"), TextDelta(at=0.0, text="x"))
    assert see(Script(deltas=deltas, ttft=0.5, gap=0.25)).ttft == 1.0


def test_what_was_not_reported_is_none_and_not_zero():
    seen = see(Script(deltas=words(3), gap=0.5))
    assert (seen.output_tokens, seen.prompt_tokens, seen.cached_tokens) == (None, None, None)
    assert seen.decode_rate is None
    seen = see(Script(deltas=words(3), gap=0.5, usage=Usage(prompt_tokens=4, completion_tokens=3)))
    assert seen.cached_tokens is None


def test_an_answer_without_tokens_is_not_answered():
    seen = see(Script(usage=Usage(prompt_tokens=4, completion_tokens=0)))
    assert seen.failure is None
    assert not seen.answered
    assert (seen.ttft, seen.total, seen.decode_rate) == (None, None, None)


def test_everything_in_one_instant_has_no_decode_rate():
    seen = see(Script(deltas=words(3), ttft=0.5, usage=Usage(prompt_tokens=1, completion_tokens=3)))
    assert seen.total == 0.5
    assert seen.decode_rate is None


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (StreamBroken("it broke"), "StreamBroken", None),
        (EndpointRefused("no", http_status=429, body="", retry_after=None), "EndpointRefused", 429),
    ],
)
def test_an_error_is_a_failure_however_much_came_before_it(error, kind, status):
    seen = see(Script(deltas=words(3), ttft=0.5, error=error))
    assert not seen.answered
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.http_status) == (kind, status)
    assert seen.ended == 100.5
