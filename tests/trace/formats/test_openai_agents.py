"""The OpenAI Agents SDK's traces: written by the SDK itself, and fixtures for what it does not write by itself."""

import json

import pytest
from agents.tracing import agent_span, custom_span, function_span, generation_span, guardrail_span, trace
from agents.tracing.processor_interface import TracingProcessor
from agents.tracing.provider import DefaultTraceProvider
from agents.tracing.setup import get_trace_provider, set_trace_provider

from tithe.core import attributes as at

from .given import by_name, of_kind


class Exported(TracingProcessor):
    """Keeps what the SDK's own exporter would post."""

    def __init__(self):
        self.objects = []

    def on_trace_start(self, trace):
        self.objects.append(trace.export())

    def on_span_end(self, span):
        self.objects.append(span.export())

    def on_trace_end(self, trace): ...
    def on_span_start(self, span): ...
    def shutdown(self): ...
    def force_flush(self): ...


@pytest.fixture
def exported():
    before = get_trace_provider()
    provider, kept = DefaultTraceProvider(), Exported()
    provider.set_disabled(False)
    provider.register_processor(kept)
    set_trace_provider(provider)
    yield kept.objects
    set_trace_provider(before)


def test_what_the_sdk_writes_is_read(exported, imported):
    with trace("nightly", group_id="ses"), agent_span("planner"):
        asked = [
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": "secret"}}],
            }
        ]
        usage = {"input_tokens": 9, "output_tokens": 2}
        with generation_span(input=[{"content": "secret"}], output=asked, model="gpt-x", usage=usage):
            pass
        with function_span("add", input="secret") as span:
            span.set_error({"message": "secret", "data": None})
        with guardrail_span("polite"), custom_span("mine"):
            pass
    found = imported("openai-agents", document={"data": json.loads(json.dumps(exported))})
    [task] = found.tasks
    assert (task.name, task.session) == ("nightly", "ses")
    spans = by_name(task.spans)
    assert {name: span.kind for name, span in spans.items()} == {
        "planner": "branch", "gpt-x": "call", "add": "tool", "polite": "validation", "mine": "other"
    }  # fmt: skip
    assert spans["gpt-x"].parent == spans["planner"].id
    assert spans["mine"].parent == spans["polite"].id
    assert spans["gpt-x"].attributes[at.ASKED_TOOLS] == [["c1", "add"]]
    assert spans["gpt-x"].attributes[at.INPUT_TOKENS] == 9
    assert [part.size for part in task.prompts[spans["gpt-x"].id]] == [len("secret")]
    assert spans["add"].error == "error"
    assert "secret" not in repr(found)


def span(own, parent, start, end, **data):
    return {
        "object": "trace.span", "id": own, "trace_id": "t", "parent_id": parent, "error": None, "span_data": data,
        "started_at": f"2026-03-01T10:00:{start:09.6f}+00:00",
        "ended_at": None if end is None else f"2026-03-01T10:00:{end:09.6f}+00:00",
    }  # fmt: skip


RESPONSE = {"input_tokens": 50, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 6, "output_tokens_details": {"reasoning_tokens": 1}}  # fmt: skip
RUN = [
    span("r", None, 0.0, 9.0, type="custom", name="task", data={"sdk_span_type": "task", "name": "run"}),
    span("a", "r", 0.0, 9.0, type="agent", name="planner"),
    span("u", "a", 0.0, 5.0, type="custom", name="turn", data={"sdk_span_type": "turn", "turn": 1}),
    span("p", "u", 0.000001, 4.0, type="response", response_id="resp_1", usage=RESPONSE),
    span("h", "u", 4.0, 4.5, type="handoff", from_agent="planner", to_agent="doer"),
    span("o", "u", 4.5, None, type="function", name="slow"),
]


def test_runs_turns_and_responses(imported):
    [task] = imported("openai-agents", *RUN).tasks
    spans = by_name(task.spans)
    assert {name: one.kind for name, one in spans.items()} == {
        "run": "task", "planner": "branch", "turn 1": "step", "response": "call", "handoff": "other", "slow": "tool"
    }  # fmt: skip
    call = spans["response"]
    assert (call.start, call.end) == (0.000001, 4.0)
    assert call.attributes[at.RESPONSE_ID] == "resp_1"
    assert call.attributes[at.CACHE_READ_TOKENS] == 40
    assert call.attributes[at.REASONING_TOKENS] == 1
    assert spans["slow"].end is None


def test_two_runs_in_one_trace_are_branches(imported):
    again = span(
        "r2", None, 10.0, 11.0, type="custom", name="task", data={"sdk_span_type": "task", "name": "run 2"}
    )
    [task] = imported("openai-agents", *RUN, again).tasks
    assert of_kind(task.spans, "task") == []
    assert [one.name for one in of_kind(task.spans, "branch")] == ["run", "planner", "run 2"]
