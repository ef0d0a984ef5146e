"""A backend at another's pace: every instant by the fake clock."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.core import (
    Event,
    FakeClock,
    Finished,
    Message,
    Pace,
    PacedBackend,
    Reported,
    Request,
    Script,
    ScriptedBackend,
    Sent,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tithe.core.errors import EngineError, Overloaded, StreamBroken, TitheError

ASK = Request(model="nano", messages=(Message(role="user", content="hi"),))
PACE = Pace(ttft_s=0.6, tokens_per_s=50.0)


def deltas(*texts: str, index: int = 0) -> list[TextDelta]:
    return [TextDelta(at=0.0, index=index, text=text) for text in texts]


def used(tokens: int) -> Usage:
    return Usage(prompt_tokens=3, completion_tokens=tokens)


async def paced(script: Script, pace: Pace = PACE, calls: int = 1) -> list[Event]:
    """The events of the last of some calls, one after the other."""
    clock = FakeClock(10.0)
    backend = PacedBackend(ScriptedBackend(script, clock), pace, clock)

    async def answer() -> list[Event]:
        for _ in range(calls - 1):
            _ = [event async for event in backend.generate(ASK)]
        return [event async for event in backend.generate(ASK)]

    return await clock.run(asyncio.ensure_future(answer()))


def instants(events: list[Event]) -> list[float]:
    """When each delta came, in seconds from the request."""
    return [event.at - events[0].at for event in events if isinstance(event, TextDelta | ToolCallDelta)]


async def test_a_token_a_delta_comes_at_the_pace():
    events = await paced(Script(deltas=deltas("a", "b", "c"), ttft=0.1, gap=0.001, usage=used(3)))
    assert isinstance(events[0], Sent)
    assert instants(events) == pytest.approx([0.6, 0.62, 0.64])
    assert [type(event) for event in events[-2:]] == [Finished, Reported]
    assert events[-1].at - events[0].at == pytest.approx(0.64)


async def test_what_was_added_and_what_is_the_endpoints_own_is_told():
    events = await paced(Script(deltas=deltas("a", "b", "c"), ttft=0.1, gap=0.001, usage=used(3)))
    told = events[-1]
    assert isinstance(told, Reported)
    assert told.usage == used(3)
    assert told.pacing is not None
    assert (told.pacing.ttft_s, told.pacing.tokens_per_s) == (0.6, 50.0)
    assert told.pacing.own_first_token_s == pytest.approx(0.1)
    assert told.pacing.own_last_token_s == pytest.approx(0.102)
    assert told.pacing.added_s == pytest.approx(0.538)


async def test_several_tokens_in_a_delta_take_the_time_of_several():
    answer = deltas("a", "bbbbbbbb", "c", "d")
    events = await paced(Script(deltas=answer, ttft=0.1, gap=0.001, usage=used(11)))
    assert instants(events) == pytest.approx([0.6, 0.76, 0.78, 0.8])


@given(
    st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=20),
    st.integers(1, 60),
    st.floats(0.0, 0.02),
)
async def test_decoding_takes_the_tokens_that_were_reported_whatever_the_deltas_are(texts, tokens, gap):
    events = await paced(Script(deltas=deltas(*texts), ttft=0.05, gap=gap, usage=used(tokens)))
    came = instants(events)
    own_end = 0.05 + gap * (len(texts) - 1)
    assert came == sorted(came)
    assert came[0] == pytest.approx(0.6)
    if own_end <= 0.6:
        assert came[-1] == pytest.approx(0.6 + (tokens - 1) / 50)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "".join(texts)


async def test_a_later_call_knows_what_a_character_holds_before_its_usage_has_come():
    # Two tokens a delta, at two thirds more than the pace. Not known before the end, they all go by and the last is held.
    script = Script(deltas=deltas(*["ab"] * 100), ttft=0.6, gap=0.024, usage=used(200))
    first = instants(await paced(script))
    second = instants(await paced(script, calls=2))
    assert first[50] == pytest.approx(0.6 + 50 * 0.024)
    assert second[50] == pytest.approx(0.6 + 101 / 50)
    assert first[-1] == second[-1] == pytest.approx(0.6 + 199 / 50)


async def test_a_slower_endpoint_is_late_and_its_tokens_are_not_held_back():
    events = await paced(Script(deltas=deltas("a", "b", "c"), ttft=1.5, gap=0.3, usage=used(3)))
    assert instants(events) == pytest.approx([1.5, 1.8, 2.1])
    assert events[-1].pacing.added_s == pytest.approx(0.0)


async def test_an_endpoint_that_begins_late_decodes_at_the_pace_from_there():
    events = await paced(Script(deltas=deltas("a", "b", "c"), ttft=1.0, gap=0.0, usage=used(3)))
    assert instants(events) == pytest.approx([1.0, 1.02, 1.04])


async def test_without_usage_a_delta_is_a_token():
    events = await paced(Script(deltas=deltas("aaaa", "b", "cc"), ttft=0.1))
    assert instants(events) == pytest.approx([0.6, 0.62, 0.64])


async def test_choices_decode_side_by_side():
    both = [one for pair in zip(deltas(*"abcde"), deltas(*"ABCDE", index=1), strict=True) for one in pair]
    events = await paced(Script(deltas=both, ttft=0.1, gap=0.001, usage=used(10)))
    for index in (0, 1):
        own = [event.at - 10.0 for event in events if isinstance(event, TextDelta) and event.index == index]
        assert own == pytest.approx([0.6, 0.62, 0.64, 0.66, 0.68])
    assert sorted(event.index for event in events if isinstance(event, Finished)) == [0, 1]


async def test_choices_that_come_one_after_the_other_are_not_put_in_a_row():
    one_by_one = [*deltas(*"abcde"), *deltas(*"ABCDE", index=1)]
    events = await paced(Script(deltas=one_by_one, ttft=0.1, gap=0.001, usage=used(10)))
    assert max(instants(events)) == pytest.approx(0.68)


async def test_tool_calls_are_paced_as_text_is():
    asked = [
        ToolCallDelta(at=0.0, call=0, id="1", name="look"),
        ToolCallDelta(at=0.0, call=0, arguments='{"a":1}'),
    ]
    events = await paced(Script(deltas=asked, ttft=0.1, finish="tool_calls", usage=used(9)))
    assert instants(events) == pytest.approx([0.6, 0.6 + 8 / 50])


async def test_an_answer_of_nothing_ends_when_its_first_token_would_have_come():
    events = await paced(Script(ttft=0.1, usage=used(0)))
    assert [type(event) for event in events] == [Sent, Finished, Reported]
    assert events[-1].at == pytest.approx(10.6)


async def failing(script: Script) -> tuple[list[Event], TitheError, float]:
    clock = FakeClock()
    backend = PacedBackend(ScriptedBackend(script, clock), PACE, clock)
    seen: list[Event] = []

    async def each() -> TitheError:
        try:
            async for event in backend.generate(ASK):
                seen.append(event)  # noqa: PERF401 - what came before the error counts
        except TitheError as error:
            return error
        raise AssertionError("nothing was raised")

    error = await clock.run(asyncio.ensure_future(each()))
    return seen, error, clock.now()


async def test_a_refusal_is_raised_at_once():
    seen, error, at = await failing(Script(error=Overloaded("full")))
    assert (type(error), at) == (Overloaded, 0.0)
    assert [type(event) for event in seen] == [Sent]


async def test_what_came_before_an_error_is_given_on_at_the_pace():
    seen, error, at = await failing(
        Script(deltas=deltas("a", "b"), ttft=0.1, gap=0.1, error=StreamBroken("cut"))
    )
    assert type(error) is StreamBroken
    assert [event.text for event in seen if isinstance(event, TextDelta)] == ["a", "b"]
    assert at == pytest.approx(0.62)


async def test_closing_a_call_closes_the_endpoints():
    clock = FakeClock()
    inner = ScriptedBackend(Script(deltas=deltas(*"abcdef"), ttft=0.6, gap=1.0), clock)
    backend = PacedBackend(inner, PACE, clock)

    async def leave() -> None:
        async with aclosing(backend.generate(ASK)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    return

    await clock.run(asyncio.ensure_future(leave()))
    assert inner.abandoned == 1


async def test_cancelling_a_reader_closes_the_endpoints_call():
    inner = ScriptedBackend(Script(deltas=deltas("a"), ttft=60.0))
    backend = PacedBackend(inner, PACE)

    async def read() -> None:
        _ = [event async for event in backend.generate(ASK)]

    reading = asyncio.ensure_future(read())
    for _ in range(10):
        await asyncio.sleep(0)
    assert inner.requests
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert inner.abandoned == 1


async def test_jitter_has_the_mean_and_the_spread_that_were_asked_for_and_comes_again_with_its_seed():
    async def drawn(seed: int) -> list[float]:
        clock = FakeClock()
        inner = ScriptedBackend(Script(deltas=deltas("a"), usage=used(1)), clock)
        backend = PacedBackend(inner, Pace(ttft_s=0.5, tokens_per_s=50.0, jitter=0.2, seed=seed), clock)

        async def many() -> list[float]:
            return [
                event.pacing.ttft_s
                for _ in range(400)
                async for event in backend.generate(ASK)
                if isinstance(event, Reported)
            ]

        return await clock.run(asyncio.ensure_future(many()), idle_turns=10)

    first, again, other = await drawn(1), await drawn(1), await drawn(2)
    assert first == again != other
    assert statistics.mean(first) == pytest.approx(0.5, rel=0.05)
    assert statistics.stdev(first) == pytest.approx(0.1, rel=0.15)


async def test_an_endpoints_own_fault_comes_through_as_it_is():
    class Faulty:
        async def generate(self, request: Request) -> AsyncIterator[Event]:
            yield Sent(at=0.0)
            raise EngineError("a step failed")

        async def aclose(self) -> None: ...

    with pytest.raises(EngineError, match="a step failed"):
        _: Any = [event async for event in PacedBackend(Faulty(), PACE).generate(ASK)]
