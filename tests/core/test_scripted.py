"""The scripted backend: what it was told, when it was told, and what it remembers."""

import asyncio
from contextlib import aclosing

import pytest

from tithe.core import (
    Event,
    Facts,
    FakeClock,
    Finished,
    Message,
    Reported,
    Request,
    Script,
    ScriptedBackend,
    Sent,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tithe.core.errors import EngineError

ASK = Request(model="nano", messages=(Message(role="user", content="hi"),))
USAGE = Usage(prompt_tokens=3, completion_tokens=2)
FACTS = Facts(queue_s=0.0, prefill_s=0.1, decode_s=0.2, cached_tokens=1, uncached_tokens=2)


async def play(script: Script, start: float = 0.0) -> list[Event]:
    clock = FakeClock(start)
    backend = ScriptedBackend(script, clock)

    async def answer() -> list[Event]:
        return [event async for event in backend.generate(ASK)]

    return await clock.run(asyncio.ensure_future(answer()))


async def test_every_event_comes_at_its_instant() -> None:
    script = Script(
        deltas=[TextDelta(at=99.0, text="a"), TextDelta(at=0, text="b"), TextDelta(at=0, text="c")],
        ttft=0.5,
        gap=0.125,
        finish="length",
        usage=USAGE,
        facts=FACTS,
        unused=("colour",),
    )
    assert await play(script, start=10.0) == [
        Sent(at=10.0, unused=("colour",)),
        TextDelta(at=10.5, text="a"),
        TextDelta(at=10.625, text="b"),
        TextDelta(at=10.75, text="c"),
        Finished(at=10.75, reason="length"),
        Reported(at=10.75, usage=USAGE, facts=FACTS),
    ]


async def test_every_choice_is_finished() -> None:
    script = Script(
        deltas=[TextDelta(at=0, index=2, text="a"), ToolCallDelta(at=0, index=1, call=0, id="c", name="f")]
    )
    assert [event.index for event in await play(script) if isinstance(event, Finished)] == [2, 1, 0], (
        "each when it ends"
    )


async def test_an_answer_without_deltas_is_finished_too() -> None:
    assert await play(Script(ttft=5.0)) == [Sent(at=0.0), Finished(at=0.0, reason="stop"), Reported(at=0.0)]


@pytest.mark.parametrize(("text", "words"), [("one two  three", 4), ("", 0), (" one", 1)])
async def test_a_text_is_a_delta_a_word(text: str, words: int) -> None:
    events = await play(Script.of_text(text, gap=1.0))
    deltas = [event for event in events if isinstance(event, TextDelta)]
    assert "".join(delta.text for delta in deltas) == text
    assert all(delta.text for delta in deltas)
    reported = events[-1]
    assert isinstance(reported, Reported)
    assert reported.usage is not None
    assert reported.usage.completion_tokens == len(deltas) == words


async def test_an_error_comes_after_the_deltas_and_is_no_abandoned_call() -> None:
    script = Script(deltas=[TextDelta(at=0, text="so far")], error=EngineError("a step failed"))
    backend = ScriptedBackend(script)
    events = backend.generate(ASK)
    assert [type(await anext(events)) for _ in range(2)] == [Sent, TextDelta]
    with pytest.raises(EngineError, match="a step failed"):
        await anext(events)
    assert backend.abandoned == 0


async def test_a_call_closed_before_its_end_is_counted() -> None:
    backend = ScriptedBackend(Script.of_text("one two"))
    async with aclosing(backend.generate(ASK)) as events:
        await anext(events)
        await anext(events)
    assert backend.abandoned == 1
    whole = [event async for event in backend.generate(ASK)]
    assert isinstance(whole[-1], Reported)
    assert backend.abandoned == 1


async def test_a_reader_cancelled_while_it_waits_is_counted() -> None:
    clock = FakeClock()
    backend = ScriptedBackend(Script.of_text("late", ttft=3600.0), clock)

    async def read() -> None:
        async for _ in backend.generate(ASK):
            pass

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert backend.abandoned == 1


async def test_a_function_answers_each_request_by_itself_and_all_are_kept() -> None:
    backend = ScriptedBackend(lambda request: Script.of_text(f"to {request.session}"))
    asked = [Request(model="nano", messages=ASK.messages, session=name) for name in ("ann", "ben")]
    for request in asked:
        texts = [event.text async for event in backend.generate(request) if isinstance(event, TextDelta)]
        assert "".join(texts) == f"to {request.session}"
    assert backend.requests == asked
