"""A task with all that an export must tell of: retries, a call that failed, tools, a branch, what is still open."""

from typing import Any

import pytest

from tithe.core import Anchor, Span
from tithe.trace import TaskRecord

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ANCHOR = Anchor(monotonic=1000.0, unix=1_790_000_000.25)


def span(span_id: str, start: float, end: float | None, **told: Any) -> Span:
    given = {"trace": TRACE, "kind": "attempt", "name": "POST /chat", "start": 1000.0 + start}
    return Span(id=span_id, end=None if end is None else 1000.0 + end, **(given | told))


@pytest.fixture
def record() -> TaskRecord:
    """What a proxy saw, and one tool that the agent reported."""
    asked = {"gen_ai.request.model": "nano", "tithe.source": "proxy"}
    return TaskRecord(
        id=TRACE,
        anchor=ANCHOR,
        source="proxy",
        name="fix the bug",
        session="chat-7",
        spans=(
            span("00f067aa0ba902b7", 0.0, 1.0, parent="call-1", error="http_500", attributes=asked),
            span(
                "00f067aa0ba902b8",
                1.5,
                3.000000001,
                parent="call-1",
                attributes=asked
                | {
                    "gen_ai.usage.input_tokens": 1200,
                    "gen_ai.usage.output_tokens": 40,
                    "gen_ai.response.finish_reasons": ["tool_calls"],
                    "tithe.first_token_s": 0.5,
                    "tithe.phases": [["arguments", 0.5, 1.25]],
                    "tithe.tool_calls": [["t1", "search"]],
                },
            ),
            span("tool one", 3.1, 4.0, kind="tool", name="search", attributes={"gen_ai.tool.call.id": "t1"}),
            span("beside", 3.5, 6.0, parent="call-b", attributes=asked | {"tithe.branch": "branch-1"}),
            span("last", 5.0, None, parent="call-2", attributes=asked),
            span("checked", 4.5, 4.75, kind="validation", name="schema", error="invalid"),
            span(
                "theirs",
                4.75,
                4.8,
                kind="other",
                name="=HYPERLINK(1)",
                attributes={"tithe.bucket": "overhead"},
            ),
        ),
    )
