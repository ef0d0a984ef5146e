"""What goes wrong, how often, and what is left of the answer."""

import asyncio
import json

import pytest

from tithe.core import (
    MISHAPS,
    Event,
    FakeClock,
    FaultyBackend,
    Finished,
    Request,
    Script,
    ScriptedBackend,
    TextDelta,
    ToolCallDelta,
)
from tithe.core.errors import Overloaded, StreamBroken, TitheError, Unreachable, UsageError


def called(request: Request) -> Script:
    deltas = []
    for index in range(request.n):
        deltas.append(ToolCallDelta(at=0, index=index, call=0, id=f"c{index}", name="find", arguments='{"a"'))
        deltas.append(ToolCallDelta(at=0, index=index, call=0, arguments=": 1}"))
    return Script(deltas=deltas, ttft=0.5, finish="tool_calls")


def heard(backend: FaultyBackend, clock: FakeClock, n: int = 1) -> tuple[list[Event], TitheError | None]:
    async def main() -> tuple[list[Event], TitheError | None]:
        events: list[Event] = []
        try:
            # What came before an error is kept.
            async for event in backend.generate(Request(model="m", messages=(), n=n)):
                events += [event]
        except TitheError as error:
            return events, error
        return events, None

    async def timed() -> tuple[list[Event], TitheError | None]:
        return await clock.run(asyncio.ensure_future(main()))

    return asyncio.run(timed())


def answered(mishap, n: int = 1, rate: float = 1.0):
    clock = FakeClock()
    backend = FaultyBackend(ScriptedBackend(called, clock), {mishap: rate}, clock=clock)
    events, error = heard(backend, clock, n)
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    return (
        events,
        error,
        "".join(call.arguments for call in calls),
        [call.name for call in calls if call.name],
        clock,
    )


def test_arguments_are_spoilt_as_models_spoil_them():
    _, _, cut, names, _ = answered("malformed")
    with pytest.raises(ValueError):
        json.loads(cut)
    assert names == ["find"]
    _, _, more, _, _ = answered("bad arguments")
    assert json.loads(more) == {"note": 1, "a": 1}
    assert answered("unknown tool")[3] == ["find_now"]


def test_prose_is_text_and_no_call():
    events, _, arguments, _, _ = answered("prose")
    assert arguments == ""
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == '{"a": 1}'
    assert [event.reason for event in events if isinstance(event, Finished)] == ["stop"]


@pytest.mark.parametrize(
    ("mishap", "kind"), [("unreachable", Unreachable), ("full", Overloaded), ("broken", StreamBroken)]
)
def test_the_endpoint_fails_as_endpoints_do(mishap, kind):
    events, error, *_ = answered(mishap)
    assert isinstance(error, kind)
    assert bool(events) == (mishap == "broken")


def test_a_late_token_is_late_and_a_silent_endpoint_says_nothing():
    assert answered("late")[4].now() == pytest.approx(2.5)
    events, *_, clock = answered("silent")
    assert clock.now() > 1e8
    assert len(events) > 0


def test_each_choice_draws_for_itself_what_a_model_does():
    names = answered("unknown tool", n=200, rate=0.5)[3]
    assert 60 < sum(name == "find_now" for name in names) < 140


def test_as_often_as_it_is_told():
    clock = FakeClock()
    rates = dict.fromkeys(MISHAPS, 0.05)
    backend = FaultyBackend(ScriptedBackend(called, clock), rates, seed=1, clock=clock)
    for _ in range(400):
        heard(backend, clock)
    assert all(5 <= count <= 40 for count in backend.happened.values())


@pytest.mark.parametrize("rates", [{"late": -0.1}, {"late": 0.6, "full": 0.6}])
def test_rates_are_shares(rates):
    with pytest.raises(UsageError, match="shares"):
        FaultyBackend(ScriptedBackend(Script()), rates)
