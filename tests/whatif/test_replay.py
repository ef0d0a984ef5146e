"""A replay: a recorded task's shape, run on the fake clock against an endpoint of known times."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tithe.core import (
    Anchor,
    FakeClock,
    Message,
    Request,
    Script,
    ScriptedBackend,
    Span,
    TextDelta,
    Usage,
)
from tithe.core import attributes as at
from tithe.core.errors import EndpointRefused, StreamBroken, Unreachable
from tithe.core.part import Part, fingerprint
from tithe.ledger import make_account
from tithe.trace import TaskRecord
from tithe.trace.tree import build_tree
from tithe.whatif import Replayed, ReplayOptions, graph_of, replay, slept

AROUND = 5  # tokens of the endpoint's template around each message


def span(id_: str, kind: str, start: float, end: float, parent: str | None = "task", **told: Any) -> Span:
    error = told.pop("error", None)
    attributes = {getattr(at, name): value for name, value in told.items()}
    return Span(
        id=id_,
        trace="t",
        kind=kind,
        name=id_,
        start=start,
        end=end,
        parent=parent,
        error=error,
        attributes=attributes,
    )


def call(id_: str, start: float, end: float, tokens: int, out: int, **told: Any) -> Span:
    return span(id_, "call", start, end, INPUT_TOKENS=tokens, OUTPUT_TOKENS=out, **told)


def record(*spans: Span) -> TaskRecord:
    end = max(one.end or 0.0 for one in spans)
    task = span("task", "task", 0.0, end, None)
    return TaskRecord(
        id="t",
        anchor=Anchor(monotonic=0.0, unix=0.0),
        source="api",
        name="mend",
        session=None,
        spans=(task, *spans),
    )


SERIAL = record(
    call("one", 0.0, 4.0, 500, 20),
    span("look", "tool", 4.0, 6.0, TOOL_NAME="look"),
    call("two", 6.5, 10.0, 800, 30),
)


class Endpoint:
    """An endpoint of one token a word, that answers what it is asked for in a second and 10 ms a token."""

    def __init__(self, *, strict: Sequence[str] = (), fails_at: int | None = None) -> None:
        self.clock = FakeClock(100.0)
        self.strict = strict
        self.fails_at = fails_at
        self.backend = ScriptedBackend(self._script, self.clock)

    @property
    def asked(self) -> Sequence[Request]:
        """The calls of the replay itself."""
        return [one for one in self.backend.requests if one.max_tokens != 1]

    def _script(self, request: Request) -> Script:
        if set(self.strict) & {*request.extra, *(["min_tokens"] if request.min_tokens else [])}:
            return Script(error=EndpointRefused("no such field", http_status=400, body="", retry_after=None))
        out = request.max_tokens or 1
        if self.fails_at is not None and out != 1 and len(self.asked) > self.fails_at:
            return Script(deltas=[TextDelta(at=0, text="half")], ttft=1.0, error=StreamBroken("it died"))
        return Script(
            deltas=[TextDelta(at=0, text=f" {word}") for word in range(out)],
            ttft=1.0,
            gap=0.01,
            usage=Usage(prompt_tokens=prompt_tokens(request.messages), completion_tokens=out),
        )

    def run(self, recorded: TaskRecord, recorder: Any = None, **given: Any) -> "asyncio.Future[Replayed]":
        names = ("prompts", "content", "salt", "on_call")
        rest = {name: given.pop(name) for name in names if name in given}
        options = ReplayOptions(model="nano", **given)
        work = replay(recorded, self.backend, self.clock, options, recorder=recorder, **rest)
        return self.clock.run(asyncio.ensure_future(work), idle_turns=30)


def prompt_tokens(messages: Sequence[Message]) -> int:
    return sum(AROUND + len((one.content or "").split()) for one in messages)


def by_name(done: Replayed) -> dict[str, Span]:
    return {one.name if one.parent is not None else "task": one for one in done.record.spans}


async def test_calls_take_their_own_time_and_what_lies_between_is_as_it_was():
    done = await Endpoint().run(SERIAL)
    spans = by_name(done)
    begun = spans["task"].start
    assert [
        (name, spans[name].start - begun, spans[name].end - begun) for name in ("one", "look", "two")
    ] == [
        ("one", 0.0, pytest.approx(1.19)),
        ("look", pytest.approx(1.19), pytest.approx(3.19)),
        ("two", pytest.approx(3.69), pytest.approx(4.98)),
    ]
    assert (done.made, done.calls, done.failure) == (2, 2, None)


async def test_prompts_have_the_recorded_lengths_and_go_on_from_each_other():
    endpoint = Endpoint()
    done = await endpoint.run(SERIAL)
    one, two = endpoint.asked
    assert [prompt_tokens(each.messages) for each in (one, two)] == pytest.approx([500, 800], abs=2)
    assert two.messages[: len(one.messages)] == one.messages
    assert two.messages[len(one.messages)].content == "".join(f" {word}" for word in range(20))
    assert [each.max_tokens for each in (one, two)] == [20, 30]
    assert one.min_tokens == 20
    assert by_name(done)["two"].attributes[at.INPUT_TOKENS] == pytest.approx(800, abs=2)


async def test_two_replays_share_no_text():
    first, second = Endpoint(), Endpoint()
    await first.run(SERIAL)
    await second.run(SERIAL)
    for mine, others in zip(first.asked, second.asked, strict=True):
        assert mine.messages[0].content.split()[:20] != others.messages[0].content.split()[:20]


@pytest.mark.parametrize(("tools", "took"), [(0.5, 1.0), (0.0, 0.0), (2.0, 4.0)])
async def test_tools_are_scaled(tools, took):
    spans = by_name(await Endpoint().run(SERIAL, tools=tools))
    assert spans["look"].end - spans["look"].start == pytest.approx(took)
    assert spans["two"].start - spans["look"].end == pytest.approx(0.5)


async def test_what_ran_at_once_runs_at_once():
    recorded = record(
        call("plan", 0.0, 2.0, 100, 10),
        span("left", "branch", 2.0, 6.0),
        span("right", "branch", 2.0, 5.0),
        span("a", "call", 2.0, 6.0, "left", INPUT_TOKENS=300, OUTPUT_TOKENS=50),
        span("b", "call", 2.0, 5.0, "right", INPUT_TOKENS=300, OUTPUT_TOKENS=5),
        call("end", 6.0, 8.0, 150, 10),
    )
    spans = by_name(await Endpoint().run(recorded))
    assert spans["a"].start == spans["b"].start == spans["plan"].end
    assert spans["b"].end < spans["a"].end == spans["end"].start
    assert spans["a"].parent == spans["left"].id


async def test_people_are_not_waited_for_unless_asked():
    recorded = record(
        call("one", 0.0, 1.0, 100, 5), span("ask", "user", 1.0, 3601.0), call("two", 3601.0, 3602.0, 150, 5)
    )
    done = await Endpoint().run(recorded)
    assert make_account(done.record).wall_s == pytest.approx(2.08)
    assert "3600.0 s of waiting for people were not waited again." in done.notes
    assert make_account((await Endpoint().run(recorded, people=1.0)).record).wall_s == pytest.approx(3602.08)


# Nothing but calls was seen: an hour of thinking between two of them, and half a second.
THOUGHT = record(
    call("one", 0.0, 1.0, 100, 5), call("two", 3601.0, 3602.0, 150, 5), call("three", 3602.5, 3603.5, 200, 5)
)


@pytest.mark.parametrize(
    ("given", "gaps"),
    [
        ({}, 3600.5),
        ({"gaps": 0.0}, 0.0),
        ({"gaps": 0.5}, 1800.25),
        ({"longest_gap_s": 10.0}, 10.5),
        ({"gaps": 0.01, "longest_gap_s": 10.0}, 10.005),
    ],
)
async def test_gaps_that_nothing_accounts_for_are_scaled_and_cut_and_projected_so(given, gaps):
    done = await Endpoint().run(THOUGHT, **given)
    account = make_account(done.record)
    assert account.wall_s == pytest.approx(3 * 1.04 + gaps)
    told = f"{3600.5 - gaps:,.1f} s of gaps that nothing accounts for were left out."
    assert (told in done.notes) == bool(given)
    graph = graph_of(build_tree(THOUGHT.spans), task="t", name="t")
    assert sum(slept(graph, ReplayOptions(model="nano", **given)).values()) == pytest.approx(gaps)


async def test_the_frameworks_own_time_is_no_gap():
    spans = by_name(await Endpoint().run(SERIAL, gaps=0.0))
    assert spans["two"].start - spans["look"].end == pytest.approx(0.5)


RETRIED = record(
    call("one", 0.0, 9.0, 100, 5),
    span("one/1", "attempt", 0.0, 5.0, "one", error="500"),
    span("one/2", "attempt", 6.0, 9.0, "one", INPUT_TOKENS=100, OUTPUT_TOKENS=5),
)


async def test_retries_are_left_out():
    done = await Endpoint().run(RETRIED)
    assert [one.kind for one in done.record.spans] == ["task", "call"]
    assert make_account(done.record).retries == 0
    assert done.notes == ("1 failed attempt left out.",)


async def test_retries_take_as_long_as_they_did_where_they_are_asked_for():
    account = make_account((await Endpoint().run(RETRIED, retries=True)).record)
    assert account.retries == 1
    assert account.wall["retry"] == pytest.approx(6.0)
    assert account.wall_s == pytest.approx(6.0 + 1.04)


async def test_a_call_that_never_had_an_answer_is_not_made():
    recorded = record(call("one", 0.0, 1.0, 100, 5), call("lost", 1.0, 4.0, 100, 5, error="500"))
    endpoint = Endpoint()
    done = await endpoint.run(recorded)
    assert len(endpoint.asked) == 1
    assert done.failure is None


async def test_an_endpoint_that_dies_leaves_what_there_was():
    written: dict[str, Span] = {}

    class Kept:
        def record(self, span: Span) -> None:
            written[span.id] = span

    done = await Endpoint(fails_at=1).run(SERIAL, Kept())
    assert isinstance(done.failure, StreamBroken)
    assert (done.made, done.calls) == (1, 2)
    spans = by_name(done)
    assert spans["two"].error == "StreamBroken"
    assert spans["two"].attributes[at.FIRST_TOKEN] == pytest.approx(1.0)
    assert spans["task"].error == "replay_ended"
    assert {one.end is not None for one in done.record.spans} == {True}
    assert written == {one.id: one for one in done.record.spans}
    assert make_account(done.record).calls == 2


async def test_an_endpoint_that_is_not_there_is_told_before_anything_is_recorded():
    clock = FakeClock()
    backend = ScriptedBackend(Script(error=Unreachable("nobody there")), clock)
    work = replay(SERIAL, backend, clock, ReplayOptions(model="nano"))
    with pytest.raises(Unreachable):
        await clock.run(asyncio.ensure_future(work))


@pytest.mark.parametrize(
    ("strict", "sent"),
    [(["min_tokens"], {"tithe": {"facts": True}}), (["min_tokens", "tithe"], {})],
)
async def test_a_strict_endpoint_is_not_sent_what_it_does_not_know(strict, sent):
    endpoint = Endpoint(strict=strict)
    done = await endpoint.run(SERIAL)
    assert not done.forced
    assert [one.extra for one in endpoint.asked] == [sent, sent]
    assert [one.min_tokens for one in endpoint.asked] == [0, 0]


async def test_answers_that_come_short_are_told():
    clock = FakeClock()
    script = Script(deltas=[TextDelta(at=0, text="no")], usage=Usage(prompt_tokens=9, completion_tokens=1))
    done = await clock.run(
        asyncio.ensure_future(replay(SERIAL, ScriptedBackend(script, clock), clock, ReplayOptions(model="m")))
    )
    assert any("2 calls whose answers ended before the recorded length" in note for note in done.notes)


async def test_the_ledger_reads_a_replay():
    account = make_account((await Endpoint().run(SERIAL)).record)
    assert account.name == "replay of mend"
    assert account.wall["tool"] == pytest.approx(2.0)
    assert account.wall["prefill"] == pytest.approx(2.0)
    assert account.wall["decode"] == pytest.approx(0.19 + 0.29)
    assert account.wall["overhead"] == pytest.approx(0.5)
    assert account.wall_s == pytest.approx(4.98)


async def test_recorded_messages_are_sent_where_they_were_kept():
    body = (
        b'{"model":"big","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"}]}'
    )
    other = b'{"model":"big","input":"Hi"}'
    endpoint = Endpoint()
    done = await endpoint.run(SERIAL, content={"one": body, "two": other}.get, salt="5a17")
    one, two = endpoint.asked
    assert [message.content for message in one.messages] == ["[5a17] Be kind.", "Hi"]
    assert (one.model, one.max_tokens) == ("nano", 20)
    assert prompt_tokens(two.messages) == pytest.approx(800, abs=5)
    assert any("1 call made with the recorded messages" in note for note in done.notes)
    assert any("1 call whose recorded request cannot be read" in note for note in done.notes)


async def test_where_all_messages_were_kept_there_is_no_rest():
    body = b'{"model":"big","messages":[{"role":"user","content":"Hi"}]}'
    done = await Endpoint().run(SERIAL, content=lambda _: body)
    assert done.notes == ("2 calls made with the recorded messages.",)


async def test_blocks_are_shared_as_they_were():
    recorded = record(
        call("one", 0.0, 1.0, 300, 5, BLOCKS=[[0, 4]], BLOCK_TOKENS=64),
        call("two", 1.0, 2.0, 420, 5, BLOCKS=[[0, 2], [7, 4]], BLOCK_TOKENS=64),
    )
    endpoint = Endpoint()
    await endpoint.run(recorded)
    one, two = (each.messages[0].content.split() for each in endpoint.asked)
    assert [prompt_tokens(each.messages) for each in endpoint.asked] == pytest.approx([300, 420], abs=2)
    assert one[:128] == two[:128]
    assert one[128:140] != two[128:140]


def parts(*texts: tuple[str, str]) -> tuple[Part, ...]:
    return tuple(
        fingerprint(text, place=f"messages[{place}]", role=role) for place, (role, text) in enumerate(texts)
    )


async def test_a_part_that_changed_in_its_middle_is_shared_up_to_there():
    system = "".join(chr(97 + letter) * 256 for letter in range(8))
    changed = system[:1024] + "X" + system[1025:]
    prompts = {
        "one": parts(("system", system), ("user", "u" * 256)),
        "two": parts(("system", changed), ("user", "u" * 256)),
    }
    recorded = record(call("one", 0.0, 1.0, 900, 5), call("two", 1.0, 2.0, 900, 5))
    endpoint = Endpoint()
    await endpoint.run(recorded, prompts=prompts)
    one, two = (each.messages[0].content.split() for each in endpoint.asked)
    same = next(place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    assert same == pytest.approx(len(one) / 2, abs=3)
    assert [each.messages[1].role for each in endpoint.asked] == ["user", "user"]


async def test_fingerprints_go_on_with_what_was_really_answered():
    first = (("system", "s" * 1000), ("user", "u" * 300))
    prompts = {
        "one": parts(*first),
        "two": parts(*first, ("assistant", "a" * 80), ("tool", "t" * 900)),
    }
    endpoint = Endpoint()
    await endpoint.run(SERIAL, prompts=prompts)
    one, two = endpoint.asked
    assert [message.role for message in two.messages] == ["system", "user", "assistant", "user"]
    assert two.messages[:2] == one.messages
    assert two.messages[2].content == "".join(f" {word}" for word in range(20))
    assert [prompt_tokens(each.messages) for each in (one, two)] == pytest.approx([500, 800], abs=2)


async def test_a_span_names_what_it_replays():
    done = await Endpoint().run(SERIAL)
    assert {name: one.attributes[at.REPLAY_OF] for name, one in by_name(done).items()} == {
        name: name for name in ("task", "one", "look", "two")
    }
    assert {one.attributes[at.SOURCE] for one in done.record.spans} == {"replay"}
