"""The engine against its reference: whatever the batch, the chunks, the cache or the preemptions."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tithe.core import (
    Event,
    Facts,
    Finished,
    Message,
    ReasoningDelta,
    Reported,
    Request,
    ResponseFormat,
    Sampling,
    Sent,
    TextDelta,
    Tool,
    ToolCallDelta,
    ToolChoice,
    Usage,
)
from tithe.core.errors import ContextOverflow, EngineError, InvalidRequest, Overloaded
from tithe.core.words import KEEP_WRITING, words
from tithe.engine import Engine, EngineOptions
from tithe.engine.kernels import Kernels
from tithe.engine.template import ChatTemplate
from tithe.engine.vocabulary import Vocabulary

from . import nano
from .reference import Reference

NANO = nano.FILES
GREEDY = Sampling(temperature=0)
SYSTEM = "You are an agent that reads files and answers questions about them. " * 12
WEATHER = Tool(
    name="get_weather",
    parameters={
        "type": "object",
        "properties": {"unit": {"enum": ["c", "f"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["unit", "days"],
        "additionalProperties": False,
    },
    strict=True,
)


class Answered:
    """An answer as it came."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.text = "".join(e.text for e in events if isinstance(e, TextDelta | ReasoningDelta))
        self.arguments = "".join(e.arguments for e in events if isinstance(e, ToolCallDelta))
        self.reasons = {e.index: e.reason for e in events if isinstance(e, Finished)}
        reported = [e for e in events if isinstance(e, Reported)]
        assert len(reported) == 1
        assert events[-1] is reported[0]
        assert reported[0].usage is not None
        assert reported[0].facts is not None
        self.usage: Usage = reported[0].usage
        self.facts: Facts = reported[0].facts

    def of(self, index: int) -> str:
        return "".join(e.text for e in self.events if isinstance(e, TextDelta) and e.index == index)


def ask(*contents: str, **fields) -> Request:
    roles = ["system", *(["user", "assistant"] * len(contents))]
    messages = tuple(
        Message(role=role, content=content) for role, content in zip(roles, contents, strict=False)
    )
    return Request(model="nano", messages=messages, **{"sampling": GREEDY, **fields})


async def answer(engine: Engine, request: Request) -> Answered:
    return Answered([event async for event in engine.generate(request)])


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(NANO.tokenizer, NANO.eos, nano.SIZE)


@pytest.fixture(scope="module")
def expected(vocabulary: Vocabulary):
    """The reference's greedy answer to a request, as text."""
    reference = Reference(NANO.ir)
    template = ChatTemplate(NANO.template, vocabulary.guard)
    known: dict[tuple[str, int], str] = {}

    def greedy(request: Request) -> str:
        prompt = template.render(request)
        most = request.max_tokens or 0
        if (prompt, most) not in known:
            ids = reference.greedy(vocabulary.encode(prompt), most, vocabulary.size, vocabulary.eos)
            known[prompt, most] = vocabulary.text_of(ids)
        return known[prompt, most]

    return greedy


@pytest.fixture(
    params=[
        {},
        {"step_tokens": 33, "mixed_tokens": 7},
        {"drafting": 4},
        {"kv_bytes": 40 * nano.BLOCK_BYTES, "step_tokens": 64},
    ],
    ids=["plain", "small-chunks", "drafting", "40-blocks"],
)
async def exact(request) -> AsyncIterator[Engine]:
    engine = Engine.load("nano", EngineOptions(precision="f32", **request.param))
    yield engine
    gauges = engine.gauges()
    assert gauges["kv_blocks_used"] == 0, "a finished call still holds blocks"
    assert gauges["running"] == gauges["waiting"] == 0
    await engine.aclose()


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine.load("nano")
    yield engine
    assert engine.gauges()["kv_blocks_used"] == 0, "a finished call still holds blocks"
    await engine.aclose()


async def test_greedy_equals_the_reference_whatever_the_batch(exact: Engine, expected):
    requests = [ask(SYSTEM, f"Question {i}: " + "what is it? " * i, max_tokens=24 + i) for i in range(10)]
    answers = await asyncio.gather(*(answer(exact, request) for request in requests))
    assert [a.text for a in answers] == [expected(r) for r in requests]
    again = await answer(exact, requests[3])
    assert again.text == expected(requests[3])
    assert again.usage.cached_tokens is not None
    assert again.usage.cached_tokens > 0


async def test_a_small_cache_preempts_and_loses_nothing(expected):
    engine = Engine.load(
        "nano", EngineOptions(precision="f32", kv_bytes=24 * nano.BLOCK_BYTES, step_tokens=64)
    )
    # What the model was taught to go on about for as long as it may.
    requests = [
        ask("Be brief.", f"{words(20, str(i), 'story')}. {KEEP_WRITING}", max_tokens=200) for i in range(6)
    ]
    answers = await asyncio.gather(*(answer(engine, request) for request in requests))
    assert [a.text for a in answers] == [expected(r) for r in requests]
    assert sum(a.facts.preemptions for a in answers) > 0
    assert engine.gauges()["kv_blocks_used"] == 0
    await engine.aclose()


async def test_a_conversation_is_token_exact(exact: Engine):
    first = ask(SYSTEM, "hello", max_tokens=30, sampling=Sampling(seed=5))
    said = await answer(exact, first)
    second = await answer(exact, ask(SYSTEM, "hello", said.text, "go on", max_tokens=5))
    assert second.facts.prefix_break is None
    # Everything up to the last sampled token, which was never computed, is read from the cache.
    assert second.facts.cached_tokens >= said.usage.prompt_tokens + said.usage.completion_tokens - 1


async def test_an_edited_history_is_a_prefix_break(engine: Engine):
    said = await answer(engine, ask(SYSTEM, "hello", max_tokens=10))
    kept = await answer(engine, ask(SYSTEM, "hello", said.text, "go on", max_tokens=5))
    edited = await answer(engine, ask("12:07 " + SYSTEM, "hello", said.text, "go on", max_tokens=5))
    assert kept.facts.prefix_break is None
    assert edited.facts.prefix_break is not None
    assert edited.facts.prefix_break < 10


async def test_choices_share_the_prompt_and_differ(exact: Engine):
    many = await answer(exact, ask(SYSTEM, "one", n=4, max_tokens=16, sampling=Sampling(seed=3)))
    again = await answer(exact, ask(SYSTEM, "one", n=4, max_tokens=16, sampling=Sampling(seed=3)))
    texts = [many.of(i) for i in range(4)]
    assert len(set(texts)) == 4
    assert texts == [again.of(i) for i in range(4)]
    assert set(many.reasons) == {0, 1, 2, 3}
    assert many.usage.completion_tokens == 64
    assert many.facts.uncached_tokens == many.usage.prompt_tokens


async def test_choices_of_an_exact_engine_equal_the_reference(exact: Engine, expected):
    request = ask(SYSTEM, "several", n=3, max_tokens=20)
    many = await answer(exact, request)
    assert [many.of(i) for i in range(3)] == [expected(request)] * 3


async def test_a_required_call_fits_its_schema(engine: Engine):
    request = ask(
        SYSTEM,
        "weather?",
        tools=(WEATHER,),
        tool_choice=ToolChoice(mode="required"),
        parallel_tool_calls=False,
        max_tokens=80,
        sampling=Sampling(seed=1),
    )
    called = await answer(engine, request)
    assert called.reasons[0] == "tool_calls"
    assert called.arguments[:10] == '{"unit": "'
    assert called.text == ""
    assert called.facts.forced_tokens > called.usage.completion_tokens // 2


async def test_json_schema_and_no_calls(engine: Engine):
    form = ResponseFormat(kind="json_schema", name="x", schema=WEATHER.parameters, strict=True)
    said = await answer(engine, ask(SYSTEM, "json", response_format=form, max_tokens=60))
    assert said.text.startswith('{"unit": "')
    assert said.reasons[0] == "stop"
    none = await answer(
        engine, ask(SYSTEM, "free", tools=(WEATHER,), tool_choice=ToolChoice(mode="none"), max_tokens=20)
    )
    assert none.arguments == ""


async def test_an_unsupported_schema_is_refused_by_name(engine: Engine):
    bad = Tool(
        name="f", parameters={"type": "object", "properties": {"a": {"type": "nonsense"}}}, strict=True
    )
    with pytest.raises(InvalidRequest) as caught:
        await answer(engine, ask(SYSTEM, "x", tools=(bad,), max_tokens=5))
    assert caught.value.param == "tools[0].function.parameters"


async def test_stop_strings_end_the_answer_and_do_not_show(exact: Engine):
    seeded = Sampling(seed=5)
    whole = await answer(exact, ask(SYSTEM, "stop", max_tokens=40, sampling=seeded))
    middle = whole.text[10:14]
    cut = await answer(exact, ask(SYSTEM, "stop", max_tokens=40, sampling=seeded, stop=(middle,)))
    assert cut.text == whole.text[: whole.text.index(middle)]
    assert cut.reasons[0] == "stop"


async def test_logprobs_cover_every_shown_token(engine: Engine):
    said = await answer(engine, ask(SYSTEM, "lp", max_tokens=12, logprobs=True, top_logprobs=3))
    logprobs = [lp for e in said.events if isinstance(e, TextDelta) for lp in e.logprobs]
    assert len(logprobs) == said.usage.completion_tokens
    assert all(len(lp.top) == 3 and lp.top[0].logprob >= lp.logprob - 1e-6 for lp in logprobs)
    assert b"".join(lp.bytes for lp in logprobs).decode(errors="replace") == said.text


async def test_an_abandoned_call_frees_its_blocks(engine: Engine):
    running = engine.generate(ask(SYSTEM, "abandon", max_tokens=5000))
    async for event in running:
        if not isinstance(event, Sent):
            break
    assert engine.gauges()["kv_blocks_used"] > 0
    await running.aclose()
    await answer(engine, ask("", "another", max_tokens=1))
    assert engine.gauges()["running"] == 0
    assert engine.gauges()["kv_blocks_used"] == 0


async def test_isolated_callers_share_nothing(engine: Engine):
    await answer(engine, ask(SYSTEM, "secret", max_tokens=2, isolation="a"))
    other = await answer(engine, ask(SYSTEM, "secret", max_tokens=2, isolation="b"))
    same = await answer(engine, ask(SYSTEM, "secret", max_tokens=2, isolation="a"))
    assert other.usage.cached_tokens == 0
    assert same.usage.cached_tokens == same.usage.prompt_tokens - 1


async def test_eight_agents_prefill_a_shared_prompt_once(engine: Engine):
    before = engine.gauges()["computed_tokens"]
    requests = [ask(SYSTEM * 8, f"agent {i}", max_tokens=1) for i in range(8)]
    answers = await asyncio.gather(*(answer(engine, request) for request in requests))
    computed = engine.gauges()["computed_tokens"] - before
    longest = answers[0].usage.prompt_tokens
    own = 8 * 12
    assert longest > 1000
    assert computed <= (longest + own) * 1.01


async def test_too_much_is_refused_by_name(engine: Engine):
    with pytest.raises(ContextOverflow) as caught:
        await answer(engine, ask(SYSTEM, "x", max_tokens=10_000_000))
    assert caught.value.param == "max_tokens"
    with pytest.raises(ContextOverflow) as caught:
        await answer(engine, ask("word " * 40_000, "x"))
    assert caught.value.param == "messages"


async def test_a_full_house_says_so():
    engine = Engine.load("nano", EngineOptions(max_waiting=1, max_running=1))
    calls = [asyncio.ensure_future(answer(engine, ask("", f"{i}", max_tokens=200))) for i in range(8)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    refused = [d for d in done if isinstance(d, Overloaded)]
    assert refused
    assert len(refused) < 8
    assert all(isinstance(d, Overloaded | Answered) for d in done)
    await engine.aclose()


async def test_closing_ends_open_calls_with_an_error():
    engine = Engine.load("nano")
    call = asyncio.ensure_future(answer(engine, ask("", "x", max_tokens=20_000)))
    await asyncio.sleep(0.05)
    await engine.aclose()
    with pytest.raises(EngineError, match="closed"):
        await call
    with pytest.raises(EngineError, match="closed"):
        await answer(engine, ask("", "late", max_tokens=1))


async def test_a_vanished_client_costs_one_step_at_most(engine: Engine):
    running = engine.generate(ask(SYSTEM, "vanish", max_tokens=5000))
    async for event in running:
        if not isinstance(event, Sent):
            break
    await running.aclose()
    steps = engine.gauges()["steps"]
    while engine.gauges()["kv_blocks_used"]:  # noqa: ASYNC110 - the engine's thread sets no event
        await asyncio.sleep(0)
    # The step that ran when it left, and at most one more that had been begun.
    assert engine.gauges()["steps"] <= steps + 1


RECURSIVE = {
    "type": "object",
    "properties": {"n": {"$ref": "#"}},
    "required": ["n"],
    "additionalProperties": False,
}


async def test_a_schema_that_nothing_finite_meets_is_refused(engine: Engine):
    endless = Tool(name="f", parameters=RECURSIVE, strict=True)
    with pytest.raises(InvalidRequest, match="without end") as caught:
        await answer(
            engine, ask("", "x", tools=(endless,), tool_choice=ToolChoice(mode="required"), max_tokens=9)
        )
    assert caught.value.param == "tools[0].function.parameters"
    form = ResponseFormat(kind="json_schema", name="x", schema={"$ref": "#"}, strict=True)
    with pytest.raises(InvalidRequest, match="without end"):
        await answer(engine, ask("", "x", response_format=form, max_tokens=9))


async def test_a_bias_on_a_token_that_is_none_is_refused(engine: Engine):
    with pytest.raises(InvalidRequest) as caught:
        await answer(engine, ask("", "x", max_tokens=1, sampling=Sampling(logit_bias={nano.SIZE: 1.0})))
    assert caught.value.param == "logit_bias"


async def test_hints_that_the_template_does_not_read_are_named(engine: Engine):
    hints = {"zzz": 1, "enable_thinking": False, "reasoning_effort": "high"}
    events = [event async for event in engine.generate(ask("", "x", max_tokens=1, template=hints))]
    assert isinstance(events[0], Sent)
    assert events[0].unused == ("reasoning_effort", "zzz")


class FailingKernels(Kernels):
    """Kernels whose every step fails while `broken` is set, as those of a broken machine would."""

    broken: Exception | None = None

    def step(self, inputs):
        if self.broken is not None:
            raise self.broken
        return super().step(inputs)


@pytest.mark.parametrize("error", [EngineError("the kernels broke"), ZeroDivisionError("a defect")])
async def test_a_failed_step_ends_its_calls_and_no_others(error: Exception, caplog):
    kernels = FailingKernels(NANO.ir, context=512, precision="auto", threads=0, kv_bytes=0)
    engine = Engine(NANO, kernels, EngineOptions())
    kernels.broken = error
    with pytest.raises(EngineError, match=str(error)):
        await answer(engine, ask("", "x", max_tokens=3))
    kernels.broken = None
    assert (await answer(engine, ask("", "x", max_tokens=3))).usage.completion_tokens == 3
    assert engine.gauges()["kv_blocks_used"] == 0
    await engine.aclose()


async def test_an_answer_is_no_shorter_than_its_least():
    engine = Engine.load("nano", EngineOptions())
    try:
        ends = Sampling(temperature=0, logit_bias={NANO.eos[0]: 100.0})
        short = await answer(engine, ask(SYSTEM, "Say hi.", max_tokens=40, sampling=ends))
        assert (short.text, short.reasons) == ("", {0: "stop"})
        long = await answer(engine, ask(SYSTEM, "Say hi.", max_tokens=40, min_tokens=20, sampling=ends))
        assert long.usage.completion_tokens == 20
        assert long.reasons == {0: "stop"}
        # A grammar that is at its end has no other way.
        yes_or_no = ResponseFormat(kind="json_schema", name="yes", schema={"type": "boolean"}, strict=True)
        held = await answer(
            engine, ask(SYSTEM, "Yes?", response_format=yes_or_no, max_tokens=40, min_tokens=40)
        )
        assert held.text in ("true", "false")
        assert held.reasons == {0: "stop"}
    finally:
        await engine.aclose()
