"""Each way in which agents lose their prefix, made to happen as they do it, is found at its place and named."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.core.part import Part, PartRole, fingerprint
from tithe.ledger.breaks import Break, Diagnosis
from tithe.ledger.doctor import LEAST_TOKENS, diagnose
from tithe.ledger.prefix import PromptedCall
from tithe.ledger.price import FEWEST, SPREAD, Price, fitted

# A token is four characters here, so that lengths can be told.
LONG = "The agent reads files, runs the tests and mends what is wrong. " * 40


def part(role: PartRole, text: str, place: str, **told: Any) -> Part:
    return fingerprint(text, place=place, role=role, **told)


def tool(name: str, *, place: int = 0, **schema: Any) -> Part:
    told = {"name": name, "description": f"{name}: {LONG[:400]}", "parameters": schema or {"type": "object"}}
    return part("tool_definition", json.dumps(told), f"tools[{place}]", name=name, canonical=told)


def prompt(
    *messages: tuple[PartRole, str] | Part, system: str = LONG, tools: Sequence[Part] = ()
) -> tuple[Part, ...]:
    parts: list[Part] = [*tools, part("system", system, "messages[0]")]
    for number, one in enumerate(messages, start=1):
        parts.append(one if isinstance(one, Part) else part(one[0], one[1], f"messages[{number}]"))
    return tuple(parts)


def call(number: int, parts: tuple[Part, ...], *, task: str = "t", **told: Any) -> PromptedCall:
    """The call that begins at `number` seconds and takes half of one."""
    tokens = sum(one.size for one in parts) // 4
    given: dict[str, Any] = {
        "model": "m",
        "input_tokens": tokens,
        "first_token_at": number + 0.2,
        "ended": number + 0.5,
        "ttft_s": 0.2,
    }
    return PromptedCall(
        id=f"{task}{number}",
        task=task,
        step=told.pop("step", number),
        started=number,
        parts=parts,
        **(given | told),
    )


def test_one_call_is_too_few_for_a_price_and_is_one() -> None:
    assert (
        fitted([(1000, 0.5)]).unknown
        == f"1 call tells its first token and uncached tokens; it takes {FEWEST}"
    )


def test_no_more_is_lost_than_was_paid_for() -> None:
    before = prompt(("user", LONG), system=f"{LONG} It is 10:00:01.")
    after = prompt(("user", LONG), system=f"{LONG} It is 10:00:07.")
    # The later prompt says of itself that it has ten times the tokens, of the same text.
    first = call(1, before, input_tokens=1000, output_tokens=20)
    [found] = diagnose("t", [first, call(2, after, input_tokens=10_000)]).breaks
    assert found.lost_tokens == 1020


HISTORY: tuple[tuple[PartRole, str], ...] = (
    ("user", "Mend the failing test. " + LONG[:400]),
    ("assistant", "I read the file first. " + LONG[:300]),
    ("tool", "def add(a, b): return a - b\n" + LONG[:800]),
    ("assistant", "The sign is wrong. " + LONG[:300]),
    ("tool", "1 passed\n" + LONG[:800]),
)


def only(diagnosis: Diagnosis) -> Break:
    [found] = diagnosis.breaks
    return found


def after(first: tuple[Part, ...], second: tuple[Part, ...], **told: Any) -> Break:
    return only(diagnose("t", [call(1, first), call(2, second, **told)]))


def test_a_history_that_only_grows_breaks_nothing() -> None:
    calls = [call(number, prompt(*HISTORY[:number])) for number in (1, 3, 5)]
    diagnosis = diagnose("t", calls)
    assert diagnosis.breaks == ()
    first, *others = diagnosis.calls
    assert first.own_shared_tokens == 0
    for one, earlier in zip(others, calls, strict=False):
        assert one.own_shared_tokens == pytest.approx(earlier.input_tokens, abs=1)


@pytest.mark.parametrize(
    ("stamp", "cause"),
    [
        ("It is {}:00 on 2026-11-25T10:0{}:00Z.", "timestamp"),
        ("Session 550e8400-e29b-41d4-a716-44665544000{1}.", "id"),
        ("{} requests are left.", "number"),
    ],
)
def test_what_changes_in_a_system_prompt_is_named_with_its_place(stamp: str, cause: str) -> None:
    def system(number: int) -> str:
        return f"{LONG[:600]}{stamp.format(number, number)} {LONG}"

    found = after(prompt(*HISTORY[:1], system=system(1)), prompt(*HISTORY[:3], system=system(2)))
    assert (found.cause, found.place) == (cause, "messages[0]")
    assert found.offset is not None
    assert 500 <= found.offset <= 680
    assert "all else in it is the same" in found.sentence
    # All of the first prompt but its beginning was paid for in vain.
    assert found.lost_tokens == pytest.approx((len(system(1)) - 512 + len(HISTORY[0][1])) / 4, rel=0.02)


def test_a_new_task_pays_again_for_a_system_prompt_with_a_time_in_it() -> None:
    def parts(number: int) -> tuple[Part, ...]:
        return prompt(("user", f"goal {number}"), system=f"It is 2026-11-2{number}. {LONG}")

    found = only(diagnose("t", [call(5, parts(2), step=1)], [call(1, parts(1), task="other", step=1)]))
    assert (found.cause, found.other_session) == ("timestamp", True)


def test_another_agents_system_prompt_is_no_break() -> None:
    others = [call(1, prompt(("user", "a goal"), system=f"You write. {LONG}"), task="other", step=1)]
    assert (
        diagnose(
            "t", [call(5, prompt(("user", "a goal"), system=f"You mend. {LONG}"), step=1)], others
        ).breaks
        == ()
    )


def test_another_goal_is_no_break() -> None:
    others = [call(1, prompt(("user", "one goal")), task="other", step=1)]
    assert diagnose("t", [call(5, prompt(("user", "another goal")), step=1)], others).breaks == ()


def test_tools_in_another_order() -> None:
    tools = [tool(name, place=place) for place, name in enumerate(("read", "write", "run"))]
    found = after(prompt(*HISTORY[:1], tools=tools), prompt(*HISTORY[:3], tools=tools[::-1]))
    assert found.cause == "tools reordered"


def test_a_tool_more() -> None:
    found = after(
        prompt(*HISTORY[:1], tools=[tool("read")]),
        prompt(*HISTORY[:3], tools=[tool("ask"), tool("read", place=1)]),
    )
    assert found.cause == "tools changed"
    assert "ask added" in found.sentence


def test_keys_of_a_tools_schema_in_another_order() -> None:
    one, other = tool("read", type="object", properties={}), tool("read", properties={}, type="object")
    assert one.digest != other.digest
    assert (
        after(prompt(*HISTORY[:1], tools=[one]), prompt(*HISTORY[:3], tools=[other])).cause
        == "JSON keys reordered"
    )


def test_a_result_written_with_other_white_space() -> None:
    told = {"files": ["a.py", "b.py"], "text": LONG}

    def result(**how: Any) -> Part:
        return part("tool", json.dumps(told, **how), "messages[3]", canonical=told)

    first = prompt(*HISTORY[:2], result())
    second = prompt(*HISTORY[:2], result(indent=1), *HISTORY[3:])
    found = after(first, second)
    assert (found.cause, found.place) == ("JSON keys reordered", "messages[3]")


def test_reasoning_that_is_not_sent_back() -> None:
    thought, said = "Let me think. " + LONG[:900], "The sign is wrong."
    answer = part("assistant", thought + said, "messages[2]", bare=said)
    bare = part("assistant", said, "messages[2]", bare=said)
    first = call(1, prompt(HISTORY[0]), answer=(answer,))
    later = prompt(HISTORY[0], bare, HISTORY[2])
    kept = call(3, prompt(HISTORY[0], answer, HISTORY[2]))
    assert diagnose("t", [first, kept]).breaks == ()
    found = only(diagnose("t", [first, kept, call(5, (*later, part("user", LONG, "messages[4]")))]))
    assert (found.cause, found.place) == ("reasoning stripped", "messages[2]")


def test_arguments_that_were_written_anew() -> None:
    arguments = {"path": "a.py", "text": LONG}
    given = part("assistant", json.dumps(arguments), "messages[2]", canonical=arguments)
    anew = part("assistant", json.dumps(arguments, separators=(",", ":")), "messages[2]", canonical=arguments)
    first = call(1, prompt(HISTORY[0]), answer=(given,))
    found = only(diagnose("t", [first, call(3, prompt(HISTORY[0], anew, HISTORY[2]))]))
    assert (found.cause, found.place) == ("answer rewritten", "messages[2]")
    assert "written anew" in found.sentence


def test_a_message_taken_out_of_the_history() -> None:
    found = after(prompt(*HISTORY), prompt(*HISTORY[:2], *HISTORY[3:], ("user", "go on")))
    assert found.cause == "history edited"
    assert "was taken out" in found.sentence


def test_a_result_that_was_trimmed() -> None:
    trimmed = ("tool", HISTORY[2][1][:300])
    found = after(prompt(*HISTORY), prompt(*HISTORY[:2], trimmed, *HISTORY[3:]))
    assert (found.cause, found.place) == ("history edited", "messages[3]")


def test_a_summary_in_place_of_the_history() -> None:
    first = prompt(*HISTORY, *HISTORY[1:])
    found = after(
        first,
        prompt(HISTORY[0], ("user", "Summary: the sign was wrong. " + LONG[:300])),
        relation="compacted",
    )
    assert found.cause == "compaction"


def test_another_model_has_a_cache_of_its_own() -> None:
    found = after(prompt(*HISTORY[:3]), prompt(*HISTORY), model="larger")
    assert found.cause == "other model"
    assert "larger after m" in found.sentence


def test_a_cache_that_lost_what_was_paid_for() -> None:
    system = LONG * 4
    first, second = prompt(*HISTORY[:3], system=system), prompt(*HISTORY, system=system)
    tokens = sum(one.size for one in second) // 4
    assert after(first, second, cached_tokens=0).cause == "not cached"
    warm = call(1, prompt(("user", "hello")), task="other", cached_tokens=1)
    lost = only(diagnose("t", [call(1, first), call(2, second, cached_tokens=0)], [warm]))
    assert lost.cause == "evicted"
    assert diagnose("t", [call(1, first), call(2, second, cached_tokens=tokens - 300)]).breaks == ()
    assert diagnose("t", [call(1, first), call(2, second)]).breaks == ()  # not reported is not zero


def test_a_call_still_in_prefill_has_paid_for_nothing() -> None:
    first = call(1, prompt(*HISTORY[:1]), first_token_at=3.0, ended=4.0)
    _, second = diagnose("t", [first, call(2, prompt(*HISTORY[:1]))]).calls
    assert second.own_shared_tokens == 0


def test_nothing_is_lost_to_a_call_that_had_not_paid_yet() -> None:
    def parts(number: int) -> tuple[Part, ...]:
        return prompt(*HISTORY[:1], system=f"It is 2026-11-2{number}. {LONG}")

    first = call(1, parts(1), first_token_at=5.0, ended=6.0)
    at_once = [first, call(2, parts(2), line="b", step=1)]
    assert diagnose("t", at_once).breaks == ()


def test_without_usage_a_few_characters_are_no_finding() -> None:
    def parts(number: int) -> tuple[Part, ...]:
        return prompt(("user", f"goal {number} of mine"), ("user", "on"), system="Short.")

    assert (
        diagnose("t", [call(1, parts(1), input_tokens=None), call(2, parts(2), input_tokens=None)]).breaks
        == ()
    )
    long = [call(n, prompt(*HISTORY[:n], system=f"{n} {LONG}"), input_tokens=None) for n in (1, 3)]
    found = only(diagnose("t", long))
    assert (found.lost_tokens, found.cost_s) == (None, None)
    assert found.why_no_cost is not None


def test_one_models_price_is_not_anothers() -> None:
    def calls(model: str, token_s: float, task: str) -> list[PromptedCall]:
        return [
            call(n, prompt(("user", f"{n} {LONG}")), task=task, model=model, cached_tokens=0, input_tokens=1000 * n,
                 ttft_s=token_s * 1000 * n)
            for n in range(1, 8)
        ]  # fmt: skip

    others = [*calls("slow", 1e-3, "a"), *calls("fast", 1e-5, "b")]
    first, second = prompt(*HISTORY[:1], system=f"1 {LONG}"), prompt(*HISTORY[:3], system=f"2 {LONG}")
    found = diagnose("t", [call(20, first, model="fast"), call(22, second, model="fast")], others)
    assert found.token_s == pytest.approx(1e-5)


def blocks(*runs: tuple[int, int], number: int) -> PromptedCall:
    tokens = 64 * sum(count for _, count in runs)
    return PromptedCall(
        id=f"b{number}", task="t", step=number, started=number, ended=number + 0.5, blocks=runs, block_size=64,
        input_tokens=tokens,
    )  # fmt: skip


def test_blocks_tell_where_and_not_why() -> None:
    grown = [blocks((1, 100), number=1), blocks((1, 99), (200, 20), number=2)]
    assert diagnose("t", grown).breaks == ()
    found = only(diagnose("t", [blocks((1, 100), number=1), blocks((1, 40), (300, 80), number=2)]))
    assert (found.cause, found.shared_tokens, found.estimated) == ("unknown", 40 * 64, False)
    shrunk = only(diagnose("t", [blocks((1, 100), number=1), blocks((1, 10), (300, 20), number=2)]))
    assert shrunk.cause == "compaction"


@given(st.lists(st.integers(100, 3000), min_size=2, max_size=8))
def test_appending_never_breaks(lengths: list[int]) -> None:
    messages: list[tuple[PartRole, str]] = [
        ("user", f"{at} {LONG[:size]}") for at, size in enumerate(lengths)
    ]
    calls = [call(at, prompt(*messages[:at])) for at in range(1, len(messages) + 1)]
    assert diagnose("t", calls).breaks == ()


@given(st.integers(0, 3), st.integers(0, 2000))
def test_a_change_is_found_where_it_is(place: int, character: int) -> None:
    messages = [(role, f"{LONG}{LONG}") for role, _ in HISTORY]
    role, text = messages[place]
    changed = [*messages]
    changed[place] = (role, f"{text[:character]}§{text[character + 1 :]}")
    [found] = diagnose("t", [call(1, prompt(*messages)), call(2, prompt(*changed, ("user", "on")))]).breaks
    assert found.place == f"messages[{place + 1}]"
    assert found.offset is not None
    assert found.offset <= character < found.offset + 256
    assert found.lost_tokens is not None
    assert found.lost_tokens >= LEAST_TOKENS


def test_the_cost_is_the_price_of_the_lost_tokens_and_no_more_than_the_wait() -> None:
    first, second = prompt(*HISTORY[:1], system=f"1 {LONG}"), prompt(*HISTORY[:3], system=f"2 {LONG}")
    calls = [call(1, first), call(2, second)]
    price = Price(token_s=0.0001, known_from="an audit")
    found = only(diagnose("t", calls, price=price))
    assert found.lost_tokens is not None
    assert found.cost_s == pytest.approx(found.lost_tokens * 0.0001)
    dear = only(diagnose("t", calls, price=msgspec.structs.replace(price, token_s=1.0)))
    assert dear.cost_s == pytest.approx(
        0.2 * found.lost_tokens / (second_tokens := sum(one.size for one in second) // 4)
    )
    assert dear.cost_s < 0.2
    assert second_tokens > found.lost_tokens
    unknown = only(diagnose("t", calls))
    assert unknown.cost_s is None
    assert "2 calls tell" in (unknown.why_no_cost or "")


@given(st.floats(1e-6, 1e-2), st.floats(0, 1), st.randoms(use_true_random=False))
def test_the_price_is_found_through_noise_and_stray_calls(slope: float, base: float, random: Any) -> None:
    calls = [(tokens, base + slope * tokens * random.uniform(0.95, 1.05)) for tokens in range(200, 6200, 200)]
    for stray in range(0, len(calls), 5):
        calls[stray] = (calls[stray][0], calls[stray][1] + 50 * slope * 6000)
    assert fitted(calls).token_s == pytest.approx(slope, rel=0.2)


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([(1000 * n, 0.1 * n) for n in range(1, FEWEST)], f"it takes {FEWEST}"),
        ([(1000 + n, 0.1 * n) for n in range(20)], f"it takes {SPREAD}"),
        ([(1000 * n, 3.0 - 0.1 * n) for n in range(20)], "did not take longer"),
        ([(400 * n, [0.1, 9.0][n % 2] + 1e-7 * n) for n in range(20)], "scatter"),
    ],
)
def test_a_price_that_cannot_be_told_is_refused_with_the_reason(
    calls: list[tuple[int, float]], said: str
) -> None:
    price = fitted(calls)
    assert price.token_s is None
    assert said in (price.unknown or "")
