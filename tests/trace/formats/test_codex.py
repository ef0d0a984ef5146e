"""Codex's logs: calls by what is written between two inputs, usage told once, tools, people, retries."""

from tithe.core import attributes as at
from tithe.trace.tree import build_tree

from .given import of_kind


def at_(seconds: float, type_: str, **payload):
    return {"timestamp": f"2026-03-01T10:00:{seconds:06.3f}Z", "type": type_, "payload": payload}


def item(seconds: float, type_: str, **more):
    return at_(seconds, "response_item", **{"type": type_, **more})


def event(seconds: float, type_: str, **more):
    return at_(seconds, "event_msg", **{"type": type_, **more})


def tokens(seconds: float, total: int, given: int, cached: int, out: int, reasoning: int):
    last = {
        "input_tokens": given, "cached_input_tokens": cached, "output_tokens": out,
        "reasoning_output_tokens": reasoning, "total_tokens": given + out,
    }  # fmt: skip
    return event(
        seconds, "token_count", info={"total_token_usage": {"total_tokens": total}, "last_token_usage": last}
    )


HEAD = [
    at_(0.0, "session_meta", id="rollout-1", cwd="/w/shop", model_provider="openai"),
    event(0.0, "task_started"),
    at_(0.1, "turn_context", model="gpt-x"),
]
TURN = [
    *HEAD,
    item(0.2, "message", role="user", content=[{"type": "input_text", "text": "secret question"}]),
    event(0.2, "user_message", message="secret question"),
    event(0.3, "token_count", info=None),
    item(2.0, "reasoning", summary=[]),
    item(3.0, "function_call", name="exec_command", call_id="c1", arguments="{secret}"),
    item(3.2, "custom_tool_call", name="apply_patch", call_id="c2", input="secret"),
    tokens(3.5, 110, 100, 64, 10, 4),
    tokens(3.6, 110, 100, 64, 10, 4),
    item(5.0, "function_call_output", call_id="c1", output='{"output":"x","metadata":{"exit_code":0,"duration_seconds":1.5}}'),
    item(5.5, "custom_tool_call_output", call_id="c2", output="secret"),
    item(8.0, "message", role="assistant", content=[{"type": "output_text", "text": "secret"}]),
    tokens(8.2, 330, 200, 128, 20, 0),
    event(8.3, "task_complete"),
]  # fmt: skip


def test_calls_reach_from_what_they_answer_to_their_usage(imported):
    [task] = imported("codex", *TURN).tasks
    first, second = of_kind(task.spans, "call")
    assert (first.start, first.end) == (0.2, 3.5)
    assert (second.start, second.end) == (5.5, 8.2)
    assert [call.attributes[at.INPUT_TOKENS] for call in (first, second)] == [100, 200]
    assert [call.attributes[at.CACHE_READ_TOKENS] for call in (first, second)] == [64, 128]
    assert first.attributes[at.REASONING_TOKENS] == 4
    assert first.attributes[at.REQUEST_MODEL] == "gpt-x"
    assert first.attributes[at.ASKED_TOOLS] == [["c1", "exec_command"], ["c2", "apply_patch"]]
    assert second.attributes[at.TOOL_RESULTS] == ["c1", "c2"]


def test_a_tool_runs_as_long_as_its_output_says_or_until_it(imported):
    [task] = imported("codex", *TURN).tasks
    patch, shell = of_kind(task.spans, "tool")
    assert (shell.name, shell.start, shell.end) == ("exec_command", 3.5, 5.0)
    assert (patch.name, patch.start, patch.end) == ("apply_patch", 3.2, 5.5)


def test_the_task_is_the_session_and_holds_no_content(imported):
    found = imported("codex", *TURN)
    [task] = found.tasks
    assert (task.name, task.session) == ("shop", "rollout-1")
    [whole] = of_kind(task.spans, "task")
    assert (whole.start, whole.end) == (0.0, 8.3)
    assert "secret" not in repr(found)
    assert build_tree(task.spans).notes == ()


def test_the_event_that_ends_a_tool_tells_more_than_when_its_output_was_given(imported):
    ended = event(4.0, "exec_command_end", call_id="c1", duration={"secs": 0, "nanos": 250_000_000})
    [task] = imported(
        "codex", *TURN[:10], ended, item(9.0, "function_call_output", call_id="c1", output="x")
    ).tasks
    [shell] = [tool for tool in of_kind(task.spans, "tool") if tool.name == "exec_command"]
    assert (shell.start, shell.end) == (3.75, 4.0)


def test_a_second_message_ends_the_wait_for_a_person(imported):
    [task] = imported(
        "codex",
        *TURN,
        event(40.0, "user_message", message="more"),
        item(42.0, "message", role="assistant", content=[]),
    ).tasks
    [wait] = of_kind(task.spans, "user")
    assert round(wait.end - wait.start, 6) == 31.8
    assert round(of_kind(task.spans, "call")[-1].end - wait.end, 6) == 2.0


def test_broken_streams_are_attempts_and_an_error_ends_a_call(imported):
    [task] = imported(
        "codex",
        *HEAD,
        event(1.0, "user_message", message="go"),
        event(3.0, "stream_error", message="secret"),
        item(6.0, "message", role="assistant", content=[]),
        event(7.0, "user_message", message="more"),
        event(9.0, "error", message="secret"),
    ).tasks
    retried, failed = of_kind(task.spans, "call")
    assert (retried.error, failed.error) == (None, "error")
    assert [attempt.error for attempt in of_kind(task.spans, "attempt")] == ["stream_error", None]
    assert "secret" not in repr(task)


def test_compaction_is_told_by_the_call_after_it(imported):
    [task] = imported(
        "codex", *TURN, at_(9.0, "compacted", message="secret"), event(10.0, "user_message", message="m"),
        item(12.0, "message", role="assistant", content=[]),
    ).tasks  # fmt: skip
    assert [call.attributes.get(at.RELATION) for call in of_kind(task.spans, "call")] == [
        None,
        None,
        "compacted",
    ]


def test_usage_may_be_totals_alone(imported):
    def totals(seconds, given, out):
        return event(
            seconds, "token_count", info={"total_token_usage": {"input_tokens": given, "output_tokens": out}}
        )

    [task] = imported(
        "codex", *HEAD, event(1.0, "user_message", message="go"), item(2.0, "message", role="assistant", content=[]),
        totals(2.1, 100, 10), event(3.0, "user_message", message="go"), totals(3.1, 100, 10),
        item(4.0, "message", role="assistant", content=[]), totals(4.1, 250, 15),
    ).tasks  # fmt: skip
    found = [
        (call.attributes[at.INPUT_TOKENS], call.attributes[at.OUTPUT_TOKENS])
        for call in of_kind(task.spans, "call")
    ]
    assert found == [(100, 10), (150, 5)]
