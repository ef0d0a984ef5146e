"""OpenTelemetry traces in files: the SDK's own console exporter, OTLP/JSON, and what `tithe export` wrote."""

import io
import json

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from tithe.core import Anchor, Span
from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.trace import TaskRecord
from tithe.trace.exports import to_otlp
from tithe.trace.formats import format_named, parse

from .given import by_name, lines

T0 = 1_790_000_000_000_000_000


def span(own, parent, name, start, end, told, **more):
    return {
        "traceId": "AB" * 16, "spanId": own * 8, "parentSpanId": parent and parent * 8, "name": name,
        "startTimeUnixNano": str(T0 + start), "endTimeUnixNano": str(T0 + end),
        "attributes": [{"key": key, "value": value} for key, value in told.items()], **more,
    }  # fmt: skip


def text(value):
    return {"stringValue": value}


def request(*spans):
    resource = {"attributes": [{"key": "service.name", "value": text("shop")}]}
    return {
        "resourceSpans": [
            {"resource": resource, "scopeSpans": [{"scope": {"name": "x"}, "spans": list(spans)}]}
        ]
    }


AGENT = span("0a", "", "invoke_agent bob", 0, 9_000_000_001, {"gen_ai.operation.name": text("invoke_agent"), "gen_ai.agent.name": text("bob"), "gen_ai.conversation.id": text("ses")})  # fmt: skip
CALL = span("0b", "0a", "chat m", 1, 4_000_000_000, {"gen_ai.operation.name": text("chat"), "gen_ai.usage.input_tokens": {"intValue": "12"}})  # fmt: skip
TOOL = span("0c", "0a", "execute_tool add", 4_000_000_000, 9_000_000_000, {"gen_ai.operation.name": text("execute_tool"), "gen_ai.tool.name": text("add")}, status={"code": 2})  # fmt: skip


@pytest.mark.parametrize("shape", ["document", "lines"])
def test_a_trace_is_a_task(imported, shape):
    if shape == "document":
        found = imported("otlp", document=request(AGENT, CALL, TOOL))
    else:
        found = imported("otlp", request(CALL), request(TOOL, AGENT))
    [task] = found.tasks
    assert (task.id, task.name, task.session, task.began) == ("ab" * 16, "bob", "ses", 1_790_000_000.0)
    spans = by_name(task.spans)
    assert {name: one.kind for name, one in spans.items()} == {"bob": "task", "chat m": "call", "add": "tool"}
    assert (spans["chat m"].start, spans["bob"].end) == (1e-9, 9.000000001)
    assert spans["chat m"].parent == spans["bob"].id == "0a" * 8
    assert spans["chat m"].attributes == {
        at.OPERATION: "chat", at.INPUT_TOKENS: 12, at.SOURCE: "import:otlp"
    }  # fmt: skip
    assert spans["add"].error == "error"
    assert found.notes == (
        "not reported: the first token of 1 of 1 calls",
        "not reported: the cached tokens of 1 of 1 calls",
    )


def test_what_the_sdks_console_exporter_prints_is_read(imported):
    out = io.StringIO()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out)))
    tracer = provider.get_tracer("mine")
    with tracer.start_as_current_span(
        "agent", attributes={"openinference.span.kind": "AGENT", "session.id": "ses"}
    ):
        with tracer.start_as_current_span(
            "llm", attributes={"openinference.span.kind": "LLM", "llm.model_name": "m"}
        ):
            pass
        with (
            pytest.raises(KeyError),
            tracer.start_as_current_span("tool", attributes={"openinference.span.kind": "TOOL"}),
        ):
            raise KeyError("secret")
    provider.shutdown()
    found = imported("otlp", raw=out.getvalue().encode())
    [task] = found.tasks
    spans = by_name(task.spans)
    assert {name: one.kind for name, one in spans.items()} == {"agent": "task", "llm": "call", "tool": "tool"}
    assert spans["llm"].parent == spans["agent"].id
    assert spans["llm"].attributes[at.REQUEST_MODEL] == "m"
    assert spans["tool"].error == "KeyError"
    assert task.session == "ses"
    assert "secret" not in repr(found)


def test_a_prompt_that_was_recorded_is_kept_as_fingerprints(imported):
    told = {
        "gen_ai.operation.name": text("chat"),
        "gen_ai.input.messages": text('[{"role":"user","parts":["secret"]}]'),
    }
    found = imported("otlp", request(span("0b", "", "chat", 0, 1, told)))
    [task] = found.tasks
    [part] = task.prompts["0b" * 8]
    assert (part.place, part.role) == ("messages[0]", "user")
    assert "secret" not in repr(found)


def test_what_we_exported_comes_back_as_it_was_recorded(imported):
    def own(number, kind, start, end, parent=None, **told):
        return Span(
            id=f"{number:016x}", trace="c" * 32, kind=kind, name=f"{kind} {number}", start=start, end=end,
            parent=parent and f"{parent:016x}", attributes={at.SOURCE: "proxy", **told},
        )  # fmt: skip

    # Attempts alone: the call around them and the task are made, and are not what was recorded.
    first = own(
        1, "attempt", 100.5, 101.0, 7, **{at.REQUEST_MODEL: "m", at.INPUT_TOKENS: 5, at.FIRST_TOKEN: 0.25}
    )
    other = own(2, "tool", 101.0, None, **{at.TOOL_NAME: "add", at.PHASES: [["answer", 0.5, 1.0]]})
    record = TaskRecord(
        id="c" * 32, anchor=Anchor(monotonic=100.0, unix=1_790_000_000.0), source="proxy", name=None, session=None, spans=(first, other)
    )  # fmt: skip
    [task] = imported("otlp", raw=b"".join(to_otlp([record]))).tasks
    assert (task.id, task.began) == ("c" * 32, 1_790_000_000.5)
    spans = {one.id: one for one in task.spans}
    assert set(spans) == {first.id, other.id}
    back = spans[first.id]
    assert (back.kind, back.name, back.start, back.end, back.parent) == (
        "attempt",
        "attempt 1",
        0.0,
        0.5,
        first.parent,
    )
    assert back.attributes == first.attributes
    assert spans[other.id].end is None
    assert spans[other.id].attributes[at.PHASES] == [["answer", 0.5, 1.0]]


def test_spans_that_are_none_are_counted(imported):
    bad = span("0d", "", "bad", 0, 1, {}) | {"spanId": "xyz"}
    late = span("0e", "", "late", 0, 1, {}) | {"startTimeUnixNano": "9" * 40}
    found = imported("otlp", request(CALL), request(bad, late), {"resourceSpans": [{"scopeSpans": 7}]})
    assert len(found.tasks[0].spans) == 1
    assert "left out: 1 record that is not OTLP/JSON (line 3)" in found.notes
    assert any(note.startswith("left out: 2 spans that are none") for note in found.notes)


def test_a_file_without_spans_says_what_was_expected():
    with pytest.raises(UsageError, match="resourceSpans"):
        format_named("otlp").read(parse(json.dumps({"resourceSpans": []}).encode(), "t.json"))
    with pytest.raises(UsageError, match="line 1 is not that"):
        format_named("otlp").read(parse(lines({"resourceSpans": [{"scopeSpans": 7}]}), "t.json"))
