"""SWE-agent's trajectories: tools one after the other, and calls that nobody timed."""

from tithe.core import attributes as at
from tithe.trace.tree import build_tree

from .given import of_kind

RUN = {
    "environment": "swe_main",
    "trajectory": [
        {"action": "ls -la /secret\n", "observation": "secret", "response": "secret", "execution_time": 0.25},
        {
            "action": "str_replace_editor view x",
            "observation": "",
            "thought": "secret",
            "execution_time": 1.5,
        },
        {"action": "submit", "observation": ""},
    ],
    "info": {
        "exit_status": "submitted",
        "model_stats": {"tokens_sent": 900, "tokens_received": 90, "api_calls": 3, "instance_cost": 0.1},
    },
}


def test_tools_have_their_time_and_calls_have_none(imported):
    found = imported("swe-agent", document=RUN)
    [task] = found.tasks
    assert [(tool.name, tool.start, tool.end) for tool in of_kind(task.spans, "tool")] == [
        ("ls", 0.0, 0.25),
        ("str_replace_editor", 0.25, 1.75),
        ("submit", 1.75, 1.75),
    ]
    calls = of_kind(task.spans, "call")
    assert [call.start for call in calls] == [call.end for call in calls] == [0.0, 0.25, 1.75]
    assert all(call.attributes[at.UNTIMED] is True for call in calls)
    assert [at.UNTIMED in tool.attributes for tool in of_kind(task.spans, "tool")] == [False, False, True]
    assert "secret" not in repr(found)


def test_what_is_not_told_is_said(imported):
    found = imported("swe-agent", document=RUN)
    assert "how long calls took" in found.notes[0]
    assert found.notes[1] == "not reported: how long 1 of 3 tools ran"
    assert found.tasks[0].began is None


def test_the_run_has_the_tokens_and_the_steps(imported):
    [task] = imported("swe-agent", document=RUN).tasks
    [whole] = of_kind(task.spans, "task")
    assert (whole.attributes[at.INPUT_TOKENS], whole.attributes[at.OUTPUT_TOKENS]) == (900, 90)
    assert (whole.end, whole.error) == (1.75, None)
    assert len(of_kind(task.spans, "step")) == 3
    assert {span.parent for span in of_kind(task.spans, "step")} == {whole.id}
    tree = build_tree(task.spans)
    assert (tree.notes, tree.root.length) == ((), 1.75)


def test_a_run_that_did_not_submit_failed(imported):
    info = {"exit_status": "exit_context (limit: 3)"}
    [task] = imported("swe-agent", document=RUN | {"info": info}).tasks
    assert of_kind(task.spans, "task")[0].error == "exit_context_limit_3"
