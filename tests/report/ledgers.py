"""Ledgers to show: tasks made by hand, through the ledger's own code, with a doctor's findings made by hand."""

import functools
from typing import Any

from hypothesis import strategies as st

from tithe.core import Anchor, Span
from tithe.core import attributes as at
from tithe.ledger import Break, CallPrefix, Diagnosis, Ledger, make_ledger
from tithe.trace import TaskRecord

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\u202egnp.exe\x1b[31m\x00[red]'
TOOLS = ("read_file", "search", "run_tests", "edit_file")
MODEL = "qwen3-coder-30b-a3b-instruct"


class _Clock:
    """A task being made: spans with lengths that differ and are the same each time."""

    def __init__(self, source: str, evil: str | None) -> None:
        self.now = 0.0
        self.spans: list[Span] = []
        self.source = source
        self.evil = evil
        self.prompt = 4_200

    def span(
        self, id_: str, kind: str, start: float, end: float | None, parent: str | None, **told: Any
    ) -> None:
        error, name = told.pop("error", None), told.pop("name", kind)
        self.spans.append(
            Span(
                id=id_,
                trace="4f9c27d1a0b35e68",
                kind=kind,  # type: ignore[arg-type]
                name=self.evil or name,
                start=start,
                end=end,
                parent=parent,
                error=error,
                attributes={getattr(at, key.upper()): value for key, value in told.items()}
                | {at.SOURCE: self.source},
            )
        )

    def answer(self, number: int, parent: str | None, asks: list[tuple[str, str]], **more: Any) -> None:
        """An attempt that is answered, from now on."""
        broke = number % 7 == 3
        ttft = 0.18 + 0.03 * (number % 5) + (0.9 if broke else 0.0)
        decode = 0.35 + 0.11 * (number % 6)
        connect = 0.04 if number == 0 else 0.0
        sent = connect + 0.002
        first, last = sent + ttft, sent + ttft + decode
        self.prompt += 310 + 17 * (number % 9)
        model = self.evil or MODEL
        told: dict[str, Any] = {
            "request_model": model,
            "response_model": model,
            "status": 200,
            "input_tokens": self.prompt,
            "cache_read_tokens": 512 if broke or number == 0 else self.prompt - 350,
            "output_tokens": int(decode * 110),
            "sent": sent,
            "first_token": first,
            "last_token": last,
            "phases": [["reasoning", first, first + decode / 3], ["arguments", first + decode / 3, last]],
            "asked_tools": [list(one) for one in asks],
            "has_tools": True,
            "relation": "extends" if number else "new",
        }
        if connect:
            told["connect"] = connect
        if number % 11 == 5:
            told["queue"] = 0.07
        self.span(f"a{number}", "attempt", self.now, self.now + last + 0.004, parent, **told, **more)
        self.now += last + 0.004


@functools.cache
def proxied(steps: int = 8, evil: str | None = None) -> Ledger:
    """A task as the proxy sees it: calls, tools seen from outside, a retry after two failures, and two branches."""
    made = _Clock("proxy", evil)
    results: list[str] = []
    for number in range(steps):
        asks = [
            (f"t{number}-{n}", made.evil or TOOLS[(number + n) % 4]) for n in range(1 + (number % 4 == 2))
        ]
        asks = asks if number < steps - 1 else []
        told: dict[str, Any] = {"tool_results": results} if results else {}
        if number % 50 == 4:
            for place, (error, backoff) in enumerate((("429", 0.5), ("timeout", 1.0))):
                failed = made.now + 0.06 + 0.3 * place
                made.span(f"f{number}{place}", "attempt", made.now, failed, f"c{number}", error=evil or error,
                          request_model=MODEL, **told)  # fmt: skip
                made.now = failed + backoff
                told = {}
        made.answer(number, f"c{number}", asks, **told)
        if number % 40 == 5:
            _branch(made, number)
        # Nobody saw what this was: the request brings no results.
        unseen = number % 9 == 6
        results = [] if unseen else [id_ for id_, _ in asks]
        made.now += 0.6 if unseen else 0.12 + 0.2 * (number % 4) if asks else 0.0
    return make_ledger(
        TaskRecord(
            id="4f9c27d1a0b35e68",
            anchor=Anchor(monotonic=0.0, unix=1_790_000_000.0),
            source="proxy",
            name=evil or "fix the failing test in parser.py",
            session=evil,
            spans=tuple(made.spans),
        ),
        diagnosis(steps),
    )


def _branch(made: _Clock, number: int) -> None:
    """Two sub-agents of two calls each, at once, after a call."""
    start, ends = made.now, list[float]()
    for way in "ab":
        made.now = start + (0.02 if way == "b" else 0.0)
        for call in range(2):
            made.answer(10_000 + 100 * number + 10 * call + (way == "b"), None, [],
                        branch=f"b{number}{way}", branch_of=f"a{number}")  # fmt: skip
            made.now += 0.05
        ends.append(made.now)
    made.now = max(ends)


@functools.cache
def reported(steps: int = 5, evil: str | None = None) -> Ledger:
    """A task whose agent reports its spans: steps, tools at once and one after the other, a person, an end that is missing."""
    made = _Clock("api", evil)
    made.span("task", "task", 0.0, None, None, name="book a table")
    for number in range(steps):
        start = made.now
        made.now += 0.03
        made.answer(number, f"s{number}", [(f"t{number}-{n}", TOOLS[n]) for n in range(3)])
        ran = made.now + 0.01
        for n in range(3):
            at_once = number % 2 == 0
            begin = ran + (0.0 if at_once else 0.31 * n)
            failed = {"error": evil or "exit 1"} if n == 2 and number == 1 else {}
            made.span(f"t{number}-{n}", "tool", begin, begin + 0.3 + 0.1 * n * at_once, f"s{number}",
                      name=TOOLS[n], tool_name=evil or TOOLS[n], tool_call_id=f"t{number}-{n}", **failed)  # fmt: skip
            made.now = max(made.now, begin + 0.31 + 0.1 * n * at_once)
        if number == 1:
            made.span("user", "user", made.now, made.now + 1.2, f"s{number}", name="confirm")
            made.now += 1.2
        made.span(f"s{number}", "step", start, made.now, "task", name=f"step {number + 1}")
        made.now += 0.02
    made.span("left", "tool", made.now, None, "task", name="notify", tool_name=evil or "notify")
    return make_ledger(
        TaskRecord(
            id="task", anchor=Anchor(monotonic=0.0, unix=0.0), source="api", name=None, session=None,
            spans=tuple(made.spans),
        )
    )  # fmt: skip


def diagnosis(steps: int = 8, evil: str | None = None) -> Diagnosis:
    """Findings on `proxied(steps)`: a timestamp in the system prompt each seventh call, once tools in another order."""
    prompt, calls, breaks = 4_200, list[CallPrefix](), list[Break]()
    for number in range(steps):
        prompt += 310 + 17 * (number % 9)
        broke, shared = number % 7 == 3, prompt - 350 if number else 0
        told = f"a{number}"
        calls.append(
            CallPrefix(
                call=told,
                step=number + 1,
                prompt_tokens=prompt,
                own_shared_tokens=shared,
                any_shared_tokens=shared,
                cached_tokens=512 if broke or not number else shared,
            )
        )
        if broke:
            reordered = number == 10
            breaks.append(
                Break(
                    call=f"a{number}",
                    step=number + 1,
                    cause="tools reordered" if reordered else "timestamp",
                    place=evil or ("tools[0]" if reordered else "system"),
                    offset=2_048,
                    paid_by=f"a{number - 1}",
                    other_session=False,
                    shared_tokens=512,
                    lost_tokens=shared - 512,
                    estimated=False,
                    cost_s=min(0.9, 0.00018 * (shared - 512)),
                    sentence=evil
                    or (
                        "The same tools stand in another order than in the call before."
                        if reordered
                        else "A time of day in the system prompt changed from one call to the next."
                    ),
                    fix=evil
                    or (
                        "Sort the tools once, and send them in that order."
                        if reordered
                        else "Move the time to the end of the last message, or leave it out."
                    ),
                )
            )
    return Diagnosis(
        task="4f9c27d1a0b35e68",
        calls=tuple(calls),
        breaks=tuple(breaks),
        token_s=0.00018,
        fitted_on=f"{len(calls)} calls of this task",
        notes=(),
    )


@st.composite
def any_ledger(draw: st.DrawFn) -> Ledger:
    """The ledger of any spans at all: overlaps, missing ends, no length, parents that are not there."""
    made = _Clock("proxy", None)
    moments = st.integers(0, 12).map(float) | st.floats(0, 30)
    for number in range(draw(st.integers(1, 10))):
        start = draw(moments)
        made.span(
            f"s{number}",
            draw(st.sampled_from(("task", "branch", "step", "call", "attempt", "tool", "user", "other"))),
            start,
            draw(st.none() | st.floats(0, 15).map(lambda length, start=start: start + length)),
            draw(st.none() | st.integers(0, 10).map(lambda parent: f"s{parent}")),
            error=draw(st.sampled_from((None, None, "429"))),
            name=draw(st.text(min_size=1, max_size=40)),
            **({"first_token": draw(st.floats(0, 9))} if draw(st.booleans()) else {}),
        )
    return make_ledger(
        TaskRecord(
            id="any",
            anchor=Anchor(monotonic=0.0, unix=1.0),
            source="proxy",
            name=draw(st.none() | st.text(max_size=60)),
            session=None,
            spans=tuple(made.spans),
        )
    )
