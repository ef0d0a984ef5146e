"""Claude Code's logs: answers in several records, tools, people, retries, sub-agents, compaction."""

import pytest

from tithe.core import attributes as at
from tithe.trace.formats import parse, read_guessed
from tithe.trace.tree import build_tree

from .given import lines, of_kind

S = "s-1"


def stamp(seconds: float) -> str:
    return f"2026-03-01T10:{int(seconds // 60):02}:{seconds % 60:06.3f}Z"


def user(uuid, seconds, content, parent=None, **more):
    return {
        "type": "user", "uuid": uuid, "parentUuid": parent, "isSidechain": False, "sessionId": S, "cwd": "/w/shop",
        "timestamp": stamp(seconds), "message": {"role": "user", "content": content}, **more,
    }  # fmt: skip


def assistant(uuid, seconds, message, block, parent=None, out=7, stop=None, **more):
    usage = {
        "input_tokens": 3, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 50, "output_tokens": out
    }  # fmt: skip
    return {
        "type": "assistant", "uuid": uuid, "parentUuid": parent, "isSidechain": False, "sessionId": S,
        "timestamp": stamp(seconds),
        "message": {"id": message, "model": "claude-x", "content": [block], "stop_reason": stop, "usage": usage}, **more,
    }  # fmt: skip


def asks(tool, name, **given):
    return {"type": "tool_use", "id": tool, "name": name, "input": given}


def result(uuid, seconds, tool, told=None, **more):
    block = {"type": "tool_result", "tool_use_id": tool, "content": "secret output", **more}
    return user(uuid, seconds, [block], toolUseResult=told)


TEXT = {"type": "text", "text": "secret answer"}


def conversation():
    return [
        {"type": "summary", "summary": "secret title", "leafUuid": "x"},
        user("u1", 0.0, "secret question"),
        assistant("a1", 2.0, "m1", {"type": "thinking", "thinking": "hm"}, "u1", out=1),
        assistant("a2", 3.0, "m1", asks("t1", "Bash", command="secret"), "a1", out=80, stop="tool_use"),
        assistant("a3", 3.5, "m1", asks("t2", "Glob"), "a2", out=80, stop="tool_use"),
        result("u2", 4.0, "t2", {"durationMs": 200}),
        result("u3", 5.0, "t1", is_error=True),
        assistant("a4", 8.0, "m2", TEXT, "u3", stop="end_turn"),
        user("u4", 68.0, "secret second question", "a4"),
        assistant("a5", 70.0, "m3", TEXT, "u4", stop="end_turn"),
    ]


def test_a_tool_without_a_logged_duration_is_an_upper_bound_since_a_person_may_have_been_asked(imported):
    found = imported("claude-code", *conversation())
    tools = of_kind(found.tasks[0].spans, "tool")
    assert {tool.name: tool.attributes.get("tithe.seen") for tool in tools} == {
        "Bash": "outside",
        "Glob": None,
    }
    assert "permission prompts included" in found.notes[0]


def test_an_answer_in_several_records_is_one_call_and_its_usage_counts_once(imported):
    [task] = imported("claude-code", *conversation()).tasks
    first, second, third = of_kind(task.spans, "call")
    assert [(call.start, call.end) for call in (first, second, third)] == [
        (0.0, 3.5),
        (5.0, 8.0),
        (68.0, 70.0),
    ]
    assert first.attributes[at.INPUT_TOKENS] == 1053
    assert first.attributes[at.CACHE_READ_TOKENS] == 1000
    assert first.attributes[at.CACHE_WRITE_TOKENS] == 50
    assert first.attributes[at.OUTPUT_TOKENS] == 80
    assert first.attributes[at.ASKED_TOOLS] == [["t1", "Bash"], ["t2", "Glob"]]
    assert second.attributes[at.TOOL_RESULTS] == ["t2", "t1"]
    assert second.attributes[at.FINISH_REASONS] == ["end_turn"]
    assert at.FIRST_TOKEN not in first.attributes


def test_tools_run_from_their_request_to_their_result_or_as_long_as_they_say(imported):
    [task] = imported("claude-code", *conversation()).tasks
    bash, glob = of_kind(task.spans, "tool")
    assert (bash.name, bash.start, bash.end, bash.error) == ("Bash", 3.0, 5.0, "tool_error")
    assert (glob.name, glob.start, glob.end, glob.error) == ("Glob", 3.8, 4.0, None)
    assert glob.attributes[at.TOOL_CALL_ID] == "t2"


def test_the_task_is_the_session_and_waits_for_its_person(imported):
    found = imported("claude-code", *conversation())
    [task] = found.tasks
    [whole] = of_kind(task.spans, "task")
    assert (whole.name, whole.start, whole.end) == ("shop", 0.0, 70.0)
    [wait] = of_kind(task.spans, "user")
    assert (wait.start, wait.end, wait.parent) == (8.0, 68.0, whole.id)
    assert (task.session, task.name, task.began) == (S, "shop", 1_772_359_200.0)
    assert found.notes[0].startswith("not reported: when a request was sent")
    assert {span.attributes[at.SOURCE] for span in task.spans} == {"import:claude-code"}
    assert build_tree(task.spans).notes == ()


def test_no_content_is_taken_over(imported):
    assert "secret" not in repr(imported("claude-code", *conversation()))


def test_a_tool_that_asks_a_person_and_one_that_was_refused_are_waiting(imported):
    [task] = imported(
        "claude-code",
        user("u1", 0.0, "go"),
        assistant("a1", 1.0, "m1", asks("t1", "AskUserQuestion"), "u1"),
        result("u2", 31.0, "t1"),
        assistant("a2", 32.0, "m2", asks("t2", "Bash"), "u2"),
        result("u3", 40.0, "t2", "User rejected tool use", is_error=True),
    ).tasks
    assert of_kind(task.spans, "tool") == []
    assert [(span.start, span.end, span.error) for span in of_kind(task.spans, "user")] == [
        (1.0, 31.0, None),
        (32.0, 40.0, None),
    ]


def test_failed_attempts_are_attempts_of_the_call_that_was_answered_in_the_end(imported):
    def failure(uuid, seconds, status):
        return {
            "type": "system", "subtype": "api_error", "uuid": uuid, "parentUuid": "u1", "sessionId": S,
            "timestamp": stamp(seconds), "retryInMs": 500.0, "error": {"status": status, "message": "secret"},
        }  # fmt: skip

    [task] = imported(
        "claude-code",
        user("u1", 0.0, "go"),
        failure("e1", 1.0, 529),
        failure("e2", 3.0, 429),
        assistant("a1", 6.0, "m1", TEXT, "e2"),
    ).tasks
    [call] = of_kind(task.spans, "call")
    assert (call.start, call.end, call.error) == (0.0, 6.0, None)
    attempts = of_kind(task.spans, "attempt")
    assert [(one.start, one.end, one.error) for one in attempts] == [
        (0.0, 1.0, "529"),
        (1.5, 3.0, "429"),
        (3.5, 6.0, None),
    ]
    assert {one.parent for one in attempts} == {call.id}
    assert [at.INPUT_TOKENS in span.attributes for span in (call, *attempts)] == [False, False, False, True]


def test_a_call_that_failed_for_good_has_the_error_and_not_its_text(imported):
    told = assistant(
        "a1", 2.0, "m1", {"type": "text", "text": "API Error: 500 secret"}, "u1", isApiErrorMessage=True
    )
    [task] = imported("claude-code", user("u1", 0.0, "go"), told).tasks
    [call] = of_kind(task.spans, "call")
    assert (call.start, call.end, call.error) == (0.0, 2.0, "500")
    assert "secret" not in repr(task)


@pytest.mark.parametrize(
    ("more", "error"),
    [({"error": "rate_limit"}, "rate_limit"), ({"apiErrorStatus": 529}, "529"), ({}, "api_error")],
)
def test_a_failure_is_its_code_or_its_status(imported, more, error):
    told = assistant("a1", 2.0, "m1", TEXT, "u1", isApiErrorMessage=True, **more)
    [task] = imported("claude-code", user("u1", 0.0, "go"), told).tasks
    assert of_kind(task.spans, "call")[0].error == error


def test_a_compaction_is_told_by_the_call_after_it(imported):
    [task] = imported(
        "claude-code",
        user("u1", 0.0, "go"),
        assistant("a1", 1.0, "m1", TEXT, "u1"),
        {"type": "system", "subtype": "compact_boundary", "uuid": "c", "parentUuid": None, "sessionId": S, "timestamp": stamp(9)},
        user("u2", 9.0, "secret summary", isCompactSummary=True),
        assistant("a2", 11.0, "m2", TEXT, "u2"),
    ).tasks  # fmt: skip
    before, after = of_kind(task.spans, "call")
    assert at.RELATION not in before.attributes
    assert after.attributes[at.RELATION] == "compacted"
    assert of_kind(task.spans, "user") == []


def side(record, agent=None):
    return {**record, "isSidechain": True} | ({} if agent is None else {"agentId": agent})


MAIN = [
    user("u1", 0.0, "go"),
    assistant("a1", 1.0, "m1", asks("t1", "Task", prompt="look around"), "u1"),
    result("u2", 20.0, "t1", {"agentId": "ag1", "totalDurationMs": 18_000}),
    assistant("a2", 22.0, "m2", TEXT, "u2"),
]
AGENT = [
    side(user("s1", 2.0, "look around"), "ag1"),
    side(assistant("s2", 5.0, "m9", asks("t9", "Read"), "s1"), "ag1"),
    side(result("s3", 6.0, "t9"), "ag1"),
    side(assistant("s4", 19.0, "m10", TEXT, "s3"), "ag1"),
]


@pytest.mark.parametrize("order", [(MAIN, AGENT), (AGENT, MAIN)])
def test_a_sub_agents_own_file_joins_the_task_of_its_session(imported, order):
    parts = [imported("claude-code", *records).tasks[0] for records in order]
    assert parts[0].id == parts[1].id
    spans = {span.id: span for part in parts for span in part.spans}
    [branch] = [span for span in spans.values() if span.kind == "branch"]
    assert branch.parent is not None
    assert (spans[branch.parent].kind, spans[branch.parent].name) == ("tool", "Task")
    inside = [span for span in spans.values() if span.parent == branch.id]
    assert sorted(span.kind for span in inside) == ["call", "call", "tool"]
    assert len([span for span in spans.values() if span.kind == "task"]) == 1


def test_an_agent_in_the_background_is_not_inside_the_tool_that_launched_it(imported):
    launched = result("u2", 1.5, "t1", {"agentId": "ag1", "status": "async_launched"})
    parts = [
        imported("claude-code", *records).tasks[0] for records in ([*MAIN[:2], launched, MAIN[3]], AGENT)
    ]
    tree = build_tree([span for part in parts for span in part.spans])
    assert [node.kind for node in tree.root.children] == ["call", "call", "tool", "branch"]
    [tool] = [node for node in tree.root.children if node.kind == "tool"]
    assert tool.length == 0.5


def test_a_sidechain_without_an_agents_id_is_found_by_its_prompt(imported):
    records = [*MAIN[:2], *[{**side(one), "agentId": None} for one in AGENT]]
    records[2]["parentUuid"], records[4]["parentUuid"] = None, "s2"
    [task] = imported("claude-code", *records, *MAIN[2:3]).tasks
    spans = {span.id: span for span in task.spans}
    [branch] = of_kind(task.spans, "branch")
    assert (branch.start, branch.end) == (2.0, 19.0)
    assert spans[branch.parent].name == "Task"


def test_a_line_cut_short_is_counted_and_the_rest_is_read(imported):
    data = lines(*conversation())
    whole = imported("claude-code", raw=data)
    cut = imported("claude-code", raw=data[:-40])
    assert "left out: 1 line that is no JSON object (line 10)" in cut.notes
    assert len(of_kind(cut.tasks[0].spans, "call")) == len(of_kind(whole.tasks[0].spans, "call")) - 1


def test_a_tool_without_a_result_is_open(imported):
    [task] = imported("claude-code", *conversation()[:5]).tasks
    assert [span.end for span in of_kind(task.spans, "tool")] == [None, None]


def test_ids_are_the_same_each_time():
    data = lines(*conversation())
    assert read_guessed(parse(data, "a"))[1].tasks == read_guessed(parse(data, "b"))[1].tasks
