"""Batches: events that are ready together come together, and the rest behaves as `async for` does."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tithe.core import Event, TextDelta
from tithe.net.batches import BATCH_LIMIT, Batches


def text(word: str) -> TextDelta:
    return TextDelta(at=0.0, text=word)


def words(batch: list[Event]) -> str:
    return "".join(event.text for event in batch if isinstance(event, TextDelta))


async def test_what_is_ready_together_is_one_batch() -> None:
    gate = asyncio.Event()

    async def events() -> AsyncIterator[Event]:
        yield text("a")
        yield text("b")
        await gate.wait()
        yield text("c")
        await asyncio.sleep(0)
        yield text("d")
        yield text("e")

    batches = Batches(events())
    assert words(await anext(batches)) == "ab"
    asyncio.get_running_loop().call_later(0.01, gate.set)
    assert words(await anext(batches)) == "c"
    assert words(await anext(batches)) == "de"
    with pytest.raises(StopAsyncIteration):
        await anext(batches)


async def test_an_error_comes_after_the_events_before_it() -> None:
    async def events() -> AsyncIterator[Event]:
        yield text("a")
        raise ValueError("broken")

    batches = Batches(events())
    assert words(await anext(batches)) == "a"
    with pytest.raises(ValueError, match="broken"):
        await anext(batches)


async def test_a_backend_that_never_waits_is_cut_into_batches() -> None:
    async def events() -> AsyncIterator[Event]:
        for _ in range(BATCH_LIMIT + 1):
            yield text("x")

    assert [len(batch) async for batch in Batches(events())] == [BATCH_LIMIT, 1]


@pytest.mark.parametrize("reading", [True, False], ids=["while waiting", "between two batches"])
async def test_a_backend_that_is_left_frees_what_it_held(reading: bool) -> None:
    seen: list[str] = []
    inner: list[asyncio.Task[None]] = []

    async def events() -> AsyncIterator[Event]:
        try:
            yield text("a")
            inner.append(asyncio.ensure_future(asyncio.sleep(3600)))
            await inner[0]
            yield text("never")
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            seen.append("freed")

    async def read() -> None:
        batches = Batches(events())
        try:
            await anext(batches)
            if reading:
                await anext(batches)
        finally:
            await batches.aclose()

    task = asyncio.ensure_future(read())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert seen == ["cancelled", "freed"]
    assert inner[0].cancelled()


async def test_closing_before_the_first_event_is_harmless() -> None:
    async def events() -> AsyncIterator[Event]:
        yield text("a")

    batches = Batches(events())
    await batches.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(batches)
