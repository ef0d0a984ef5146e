"""The list of tasks: what it counts, how it is narrowed, and that a call is counted once with all its attempts."""

import pytest

from tithe.core import Anchor
from tithe.trace import SILENT_S

INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"


def test_attempts_that_name_a_call_without_a_span_are_one_call(store, recording, span) -> None:
    store.add(
        recording,
        [
            span("a1", parent="call-1", start=101.0, end=102.0, error="http_500"),
            span("a2", parent="call-1", start=103.0, end=104.5, attributes={INPUT: 10, OUTPUT: 3}),
            span(
                "a3", parent="call-2", start=106.0, end=107.0,
                attributes={INPUT: 30, OUTPUT: 5, "tithe.tool_results": ["t1", "t2"]},
            ),
            span(
                "a4", parent="call-3", start=108.0, end=None,
                attributes={"tithe.tool_results": ["t1", "t2"], "tithe.relation": "repeat"},
            ),
        ],
    )  # fmt: skip
    [task] = store.tasks()
    assert (task.calls, task.attempts, task.tools, task.errors) == (3, 4, 2, 1)
    assert (task.input_tokens, task.output_tokens) == (40, 8)
    assert (task.started, task.wall_s) == (1_790_000_001.0, 7.0)


def test_a_call_and_its_attempts_are_not_counted_twice(store, recording, span) -> None:
    store.add(
        recording,
        [
            span("root", kind="task", name="fix the bug", start=100.0, end=120.0),
            span("c1", kind="call", start=101.0, end=105.0, error="x", attributes={INPUT: 10, OUTPUT: 3}),
            span("a1", parent="c1", start=101.0, end=102.0, error="http_500"),
            span("a2", parent="c1", start=103.0, end=105.0, error="x", attributes={INPUT: 10, OUTPUT: 3}),
            span("c2", kind="call", start=106.0, end=109.0, error="x", attributes={INPUT: 7}),
            span("t1", kind="tool", start=110.0, end=111.0, error="exit_1"),
            span("t2", kind="tool", start=110.0, end=111.0),
        ],
    )
    [task] = store.tasks()
    assert (task.name, task.calls, task.attempts, task.tools, task.errors) == ("fix the bug", 2, 3, 2, 4)
    assert (task.input_tokens, task.output_tokens) == (17, 3)
    assert task.finished


def test_what_two_instrumentations_tell_is_counted_once(store, recording, span) -> None:
    once = [
        span("c1", kind="call", start=101.0, end=105.0, error="x", attributes={INPUT: 10, OUTPUT: 3}),
        span("t1", kind="tool", start=105.0, end=106.0, error="exit_1"),
    ]
    store.add(recording, once)
    [before] = store.tasks()
    again = [
        span("c2", kind="call", parent="c1", start=101.1, end=104.9, error="x",
             attributes={INPUT: 10, OUTPUT: 3, "tithe.tool_results": ["a", "b"], "tithe.duplicate_of": "c1"}),
        span("t2", kind="tool", start=105.1, end=105.9, error="exit_1", attributes={"tithe.duplicate_of": "t1"}),
    ]  # fmt: skip
    store.add(recording, again)
    assert store.tasks() == [before]
    assert [(one.id, one.kind) for one in store.task("last").spans] == [
        ("c1", "call"), ("t1", "tool"), ("c2", "call"), ("t2", "tool"),
    ]  # fmt: skip


def test_an_answer_that_the_agent_left_is_no_failure_and_one_that_had_not_begun_is(
    store, recording, span
) -> None:
    left = span("a", error="client_closed", attributes={"tithe.first_token_s": 0.1})
    store.add(recording, [left])
    assert store.tasks()[0].errors == 0
    store.add(recording, [span("b", error="client_closed")])
    assert store.tasks()[0].errors == 1


def test_attempts_that_hang_under_something_else_than_a_call_are_calls_by_themselves(
    store, recording, span
) -> None:
    store.add(
        recording,
        [
            span("s1", kind="step"),
            span("a1", parent="s1", attributes={INPUT: 1}),
            span("a2", parent="s1", attributes={INPUT: 2}),
            span("a3", parent=None, attributes={INPUT: 4}),
        ],
    )
    [task] = store.tasks()
    assert (task.calls, task.attempts, task.input_tokens) == (3, 3, 7)


def test_a_source_finds_what_it_told_of_in_another_ones_recording(store, recording, span) -> None:
    sources = {"seen": ("proxy", "api"), "alone": ("proxy", "proxy"), "named": ("proxy", "otlp")}
    for trace, told in sources.items():
        spans = [
            span(f"{trace}{place}", trace=trace, attributes={"tithe.source": source})
            for place, source in enumerate(told)
        ]
        store.add(recording, spans)
    found = {source: {task.id for task in store.tasks(source=source)} for source in ("api", "otlp", "ap")}
    assert found == {"api": {"seen"}, "otlp": {"named"}, "ap": set()}


def test_what_no_call_reported_is_none(store, recording, span) -> None:
    store.add(recording, [span("a"), span("t", trace="task-t", kind="tool")])
    assert [(task.input_tokens, task.output_tokens, task.name) for task in store.tasks()] == [
        (None, None, None)
    ] * 2


def test_a_recorder_is_known_to_live_by_what_it_says(store, recording, span) -> None:
    store.add(recording, [span("a", end=None)])
    assert [store.tasks()[0].recorder, store.task("last").recorder] == ["unknown"] * 2
    with store.writer(recording, heartbeat=True) as writer:
        writer.record(span("a", end=None))
        writer.flush()
        assert [store.tasks()[0].recorder, store.task("last").recorder] == ["running"] * 2
    store._connection.execute("UPDATE recordings SET heard = heard - ?", (SILENT_S,))
    assert [store.tasks()[0].recorder, store.task("last").recorder] == ["killed"] * 2
    store.finish(recording, at=130.0, exit_status=143, signal=15)
    for told in (store.tasks()[0], store.task("last")):
        assert (told.recorder, told.exit_status, told.signal) == ("ended", 143, 15)


@pytest.mark.parametrize(
    ("agent", "model", "called"),
    [
        ("OpenAI/Python 1.99.1", "gpt-x", "OpenAI/Python, gpt-x"),
        ("claude-cli/2.0.1 (external, cli)", "claude-x", "claude-cli, claude-x"),
        ("litellm/1.2.3rc1", None, "litellm"),
        (" ", "gpt-x", "gpt-x"),
        (None, None, None),
    ],
)
def test_without_a_name_a_task_is_called_by_who_sends_its_requests(
    store, recording, span, agent: str | None, model: str | None, called: str | None
) -> None:
    told = {"tithe.source": "proxy", "user_agent.original": agent, "gen_ai.request.model": model}
    store.add(
        recording, [span("a", attributes={name: value for name, value in told.items() if value is not None})]
    )
    assert [store.tasks()[0].name, store.task("last").name] == [called] * 2
    named = store.begin(Anchor(monotonic=0.0, unix=0.0), source="proxy", name="mine")
    store.add(named, [span("b", trace="task-b", attributes=told)])
    assert {task.id: task.name for task in store.tasks()}["task-b"] == "mine" == store.task("task-b").name


def test_a_task_is_finished_when_its_recording_is(store, recording, span) -> None:
    store.add(recording, [span("a", end=None)])
    assert not store.tasks()[0].finished
    store.finish(recording, at=130.0, exit_status=3)
    assert store.tasks()[0].finished


def test_the_newest_come_first_and_lists_are_narrowed(store, span) -> None:
    proxy = store.begin(Anchor(monotonic=0.0, unix=1000.0), source="proxy", name="Nightly run")
    weka = store.begin(Anchor(monotonic=0.0, unix=5000.0), source="import:weka")
    store.add(
        proxy,
        [
            span("a", trace="one", start=30.0, attributes={"gen_ai.conversation.id": "chat-100%"}),
            span("b", trace="two", start=10.0),
            span("b2", trace="two", start=50.0, kind="task", name="Fix 'it', Änne"),
        ],
    )
    store.add(weka, [span("c", trace="three", start=1.0)])

    def ids(**narrowed: object) -> list[str]:
        return [task.id for task in store.tasks(**narrowed)]

    assert ids() == ["three", "one", "two"]
    assert ids(limit=2) == ["three", "one"]
    assert ids(source="proxy") == ["one", "two"]
    assert ids(recording=proxy) == ["one", "two"]
    assert ids(since=1030.0) == ["three", "one"]
    assert ids(text="nightly") == ["one"]
    assert ids(text="fix 'it', än") == ["two"]
    assert ids(text="CHAT-100%") == ["one"]
    assert ids(text="%") == ["one"]
    assert ids(text="nothing of it") == []


@pytest.mark.parametrize("bad", [True, 2.5, "12", -1, 2**63])
def test_a_count_that_is_none_is_not_counted(store, recording, span, bad) -> None:
    store.add(recording, [span("a", attributes={INPUT: bad, "tithe.tool_results": "t1"})])
    [task] = store.tasks()
    assert (task.input_tokens, task.tools) == (None, 0)
