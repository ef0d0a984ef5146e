"""Langfuse's observations, in each of the shapes that they come in."""

import pytest

from tithe.core import attributes as at

from .given import by_name, lines, of_kind


def seen(own, type_, start, end, parent=None, **more):
    def stamp(seconds):
        return None if seconds is None else f"2026-03-01T10:00:{seconds:06.3f}Z"

    return {
        "id": own, "traceId": "tr", "type": type_, "name": own, "parentObservationId": parent,
        "startTime": stamp(start), "endTime": stamp(end), **more,
    }  # fmt: skip


OBSERVATIONS = [
    seen("root", "SPAN", 0.0, 10.0),
    seen(
        "gen", "GENERATION", 1.0, 4.0, "root", model="gpt-x", completionStartTime="2026-03-01T10:00:01.250Z",
        usageDetails={
            "input": 30, "input_cached_tokens": 70, "output": 15, "output_reasoning_tokens": 5, "total": 120
        },
        usage={"input": 100, "output": 20, "total": 120, "unit": "TOKENS"}, input=[{"role": "user", "content": "secret"}], output="secret",
    ),
    seen("search", "TOOL", 4.0, 6.0, "root", input="secret"),
    seen("docs", "RETRIEVER", 6.0, 7.0, "root"),
    seen("helper", "AGENT", 7.0, 9.0, "root"),
    seen("inner", "GENERATION", 7.0, 8.0, "helper", level="ERROR", statusMessage="secret", usage={"promptTokens": 5, "completionTokens": 0}),
    seen("check", "GUARDRAIL", 9.0, 9.5, "root"),
    seen("tick", "EVENT", 9.5, None, "root"),
    seen("lost", "SPAN", 9.0, None, "nobody"),
]  # fmt: skip


@pytest.mark.parametrize("shape", ["lines", "array", "page", "trace"])
def test_every_shape_is_read_alike(imported, shape):
    documents = {
        "array": OBSERVATIONS[:-1],
        "page": {"data": OBSERVATIONS[:-1], "meta": {"page": 1}},
        "trace": {"id": "tr", "name": "nightly", "sessionId": "ses", "observations": OBSERVATIONS[:-1]},
    }
    if shape == "lines":
        found = imported("langfuse", raw=lines(*OBSERVATIONS[:-1]))
    else:
        found = imported("langfuse", document=documents[shape])
    [task] = found.tasks
    kinds = {name: span.kind for name, span in by_name(task.spans).items()}
    assert kinds == {
        "root": "task", "gen": "call", "search": "tool", "docs": "tool", "helper": "branch", "inner": "call",
        "check": "validation", "tick": "other",
    }  # fmt: skip
    assert (task.name, task.session) == (("nightly", "ses") if shape == "trace" else ("root", None))


def test_times_tokens_parents_and_errors(imported):
    found = imported("langfuse", document=OBSERVATIONS)
    [task] = found.tasks
    spans = by_name(task.spans)
    call = spans["gen"]
    assert (call.start, call.end, call.attributes[at.FIRST_TOKEN]) == (1.0, 4.0, 0.25)
    assert call.attributes[at.TTFT_FROM] == "chunk"
    assert (call.attributes[at.INPUT_TOKENS], call.attributes[at.OUTPUT_TOKENS]) == (100, 20)
    assert (call.attributes[at.CACHE_READ_TOKENS], call.attributes[at.REASONING_TOKENS]) == (70, 5)
    assert spans["inner"].parent == spans["helper"].id
    assert spans["inner"].error == "error"
    assert (spans["inner"].attributes[at.INPUT_TOKENS], spans["inner"].attributes[at.OUTPUT_TOKENS]) == (5, 0)
    assert spans["tick"].end == spans["tick"].start
    assert spans["lost"].end is None
    assert spans["lost"].parent not in {span.id for span in task.spans}
    # Two at the top: none of them is the task.
    assert spans["root"].kind == "other"
    assert found.notes == ("not reported: the first token of 1 of 2 calls",)
    assert [part.role for part in task.prompts[call.id]] == ["user"]
    assert set(task.prompts) == {call.id}
    assert "secret" not in repr(found)


def test_characters_are_no_tokens(imported):
    usage = {"input": 4000, "output": 80, "unit": "CHARACTERS"}
    [task] = imported("langfuse", seen("g", "GENERATION", 0.0, 1.0, usage=usage)).tasks
    [call] = of_kind(task.spans, "call")
    assert at.INPUT_TOKENS not in call.attributes


def test_what_has_no_start_is_counted(imported):
    found = imported("langfuse", seen("a", "SPAN", 0.0, 1.0), seen("b", "SPAN", None, 1.0))
    assert found.notes == ("left out: 1 record without an id and a start in each observation (line 2)",)
