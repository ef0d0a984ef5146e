"""OpenTelemetry's spans by the conventions there are and were: kinds, names old and new, attempts, and no content."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.core import Span
from tithe.core import attributes as at
from tithe.trace.gen_ai import to_span, with_attempts
from tithe.trace.otel import OtelEvent, OtelSpan

T0 = 1_790_000_000_123_456_789
S = 1_000_000_000


def otel(
    own: str = "01", parent: str | None = "aa", start: int = 0, end: int | None = S, **told: Any
) -> OtelSpan:
    more = {key: told.pop(key) for key in ("failed", "events", "name", "resource") if key in told}
    return OtelSpan(
        trace_id="ab" * 16, span_id=own * 8, parent_id=parent and parent * 8, start_ns=T0 + start,
        end_ns=None if end is None else T0 + end, attributes=told.pop("attributes", {}), **more,
    )  # fmt: skip


def kind(parent: str | None = "aa", **attributes: Any) -> str:
    return to_span(
        otel(parent=parent, attributes={name.replace("__", "."): value for name, value in attributes.items()})
    ).kind


@pytest.mark.parametrize(
    ("attribute", "value", "inside", "at_root"),
    [
        ("gen_ai__operation__name", "chat", "call", "call"),
        ("gen_ai__operation__name", "text_completion", "call", "call"),
        ("gen_ai__operation__name", "generate_content", "call", "call"),
        ("gen_ai__operation__name", "execute_tool", "tool", "tool"),
        ("gen_ai__operation__name", "invoke_agent", "branch", "task"),
        ("gen_ai__operation__name", "invoke_workflow", "other", "task"),
        ("gen_ai__operation__name", "create_agent", "other", "other"),
        ("gen_ai__operation__name", "embeddings", "other", "other"),
        ("openinference__span__kind", "LLM", "call", "call"),
        ("openinference__span__kind", "TOOL", "tool", "tool"),
        ("openinference__span__kind", "RETRIEVER", "tool", "tool"),
        ("openinference__span__kind", "AGENT", "branch", "task"),
        ("openinference__span__kind", "CHAIN", "other", "task"),
        ("openinference__span__kind", "GUARDRAIL", "validation", "validation"),
        ("traceloop__span__kind", "tool", "tool", "tool"),
        ("traceloop__span__kind", "workflow", "other", "task"),
        ("llm__request__type", "chat", "call", "call"),
        ("tithe__kind", "user", "user", "user"),
        ("http__request__method", "GET", "other", "other"),
    ],
)
def test_what_a_span_is(attribute, value, inside, at_root):
    assert kind(**{attribute: value}) == inside
    assert kind(parent=None, **{attribute: value}) == at_root


def test_our_own_word_for_it_counts_most():
    assert kind(tithe__kind="step", gen_ai__operation__name="chat") == "step"
    assert kind(tithe__kind="nonsense", gen_ai__operation__name="chat") == "call"


NEW = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
    "gen_ai.conversation.id": "c", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 9,
    "gen_ai.usage.cache_read.input_tokens": 64, "gen_ai.usage.cache_write.input_tokens": 3,
    "gen_ai.usage.reasoning.output_tokens": 4, "gen_ai.response.finish_reasons": ["stop"],
}  # fmt: skip
OLD = {
    "llm.request.type": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "m", "session.id": "c",
    "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 9,
    "gen_ai.usage.cache_read_input_tokens": 64, "gen_ai.usage.cache_creation.input_tokens": 3,
    "gen_ai.usage.reasoning_tokens": 4, "gen_ai.response.finish_reasons": ("stop",),
}  # fmt: skip
OPENINFERENCE = {
    "openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "m", "session.id": "c",
    "llm.token_count.prompt": 100, "llm.token_count.completion": 9.0,
    "llm.token_count.prompt_details.cache_read": 64, "llm.token_count.prompt_details.cache_write": "3",
    "llm.token_count.completion_details.reasoning": 4, "llm.finish_reason": "stop",
}  # fmt: skip


@pytest.mark.parametrize("told", [NEW, OLD, OPENINFERENCE], ids=["new", "old", "openinference"])
def test_every_convention_says_the_same(told):
    found = to_span(otel(attributes=told)).attributes
    found.pop(at.OPERATION, None)
    assert found == {
        at.PROVIDER: "openai", at.REQUEST_MODEL: "m", at.CONVERSATION: "c", at.INPUT_TOKENS: 100, at.OUTPUT_TOKENS: 9,
        at.CACHE_READ_TOKENS: 64, at.CACHE_WRITE_TOKENS: 3, at.REASONING_TOKENS: 4, at.FINISH_REASONS: ["stop"],
    }  # fmt: skip


def test_the_newest_name_counts_and_what_is_no_number_is_not_reported():
    both = {
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.prompt_tokens": 8,
        "gen_ai.usage.output_tokens": "many",
    }
    found = to_span(otel(attributes=NEW | both)).attributes
    assert found[at.INPUT_TOKENS] == 7
    assert at.OUTPUT_TOKENS not in found
    assert to_span(otel(attributes={"gen_ai.usage.input_tokens": -1})).attributes == {}


def test_stamps_are_exact_to_the_nanosecond():
    span = to_span(otel(start=1, end=S + 4), T0)
    assert (span.start, span.end) == (1e-9, 1.000000004)
    assert to_span(otel(end=None)).end is None


def test_the_first_chunk_from_an_attribute_an_event_or_the_server():
    chunk = to_span(otel(attributes=NEW | {"gen_ai.response.time_to_first_chunk": 0.25})).attributes
    assert (chunk[at.FIRST_TOKEN], chunk[at.TTFT_FROM]) == (0.25, "chunk")
    event = OtelEvent(name="First Token Stream Event", at_ns=T0 + S // 4)
    assert to_span(otel(attributes=OPENINFERENCE, events=(event,))).attributes[at.FIRST_TOKEN] == 0.25
    vllm = {"gen_ai.latency.time_to_first_token": 0.25, "gen_ai.latency.time_in_queue": 0.1}
    served = to_span(otel(attributes=NEW | vllm)).attributes
    assert (served[at.FIRST_TOKEN], served[at.QUEUE]) == (0.25, 0.1)
    assert at.TTFT_FROM not in served


ASKED = [["c1", "add"], ["c2", "find"]]


@pytest.mark.parametrize(
    "told",
    [
        {
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "add",
            "llm.output_messages.0.message.tool_calls.1.tool_call.id": "c2",
            "llm.output_messages.0.message.tool_calls.1.tool_call.function.name": "find",
        },
        {
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "add",
            "gen_ai.completion.0.tool_calls.1.id": "c2",
            "gen_ai.completion.0.tool_calls.1.name": "find",
        },
        {
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [{"type": "tool_call", "id": i, "name": n} for i, n in ASKED],
                    }
                ]
            )
        },
    ],
    ids=["openinference", "openllmetry", "genai"],
)
def test_the_tools_that_an_answer_asked_for(told):
    assert to_span(otel(attributes=NEW | told)).attributes[at.ASKED_TOOLS] == ASKED


def test_choices_may_be_events():
    message = json.dumps({"tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": "secret"}}]})
    event = OtelEvent(
        name="gen_ai.choice", at_ns=T0, attributes={"finish_reason": "tool_calls", "message": message}
    )
    found = to_span(otel(attributes={"gen_ai.operation.name": "chat"}, events=(event,))).attributes
    assert (found[at.ASKED_TOOLS], found[at.FINISH_REASONS]) == ([["c1", "add"]], ["tool_calls"])


def test_the_results_that_a_request_brings_are_those_after_the_last_answer():
    flat = {
        "llm.input_messages.0.message.role": "tool", "llm.input_messages.0.message.tool_call_id": "old",
        "llm.input_messages.1.message.role": "assistant",
        "llm.input_messages.10.message.role": "tool", "llm.input_messages.10.message.tool_call_id": "c2",
        "llm.input_messages.2.message.role": "tool", "llm.input_messages.2.message.tool_call_id": "c1",
    }  # fmt: skip
    assert to_span(otel(attributes=OPENINFERENCE | flat)).attributes[at.TOOL_RESULTS] == ["c1", "c2"]
    messages = [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "add"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "secret"}]},
    ]
    found = to_span(otel(attributes=NEW | {"gen_ai.input.messages": messages})).attributes
    assert found[at.TOOL_RESULTS] == ["c1"]


def test_content_and_keys_are_left_where_they_are():
    secret = {
        "gen_ai.input.messages": "secret", "gen_ai.prompt.0.content": "secret", "input.value": "secret",
        "llm.input_messages.0.message.content": "secret", "gen_ai.tool.call.arguments": "secret",
        "gen_ai.system_instructions": "secret", "http.request.header.authorization": "secret", "api_key": "secret",
    }  # fmt: skip
    event = OtelEvent(
        name="exception", at_ns=T0, attributes={"exception.type": "E", "exception.message": "secret"}
    )
    assert "secret" not in repr(to_span(otel(attributes=NEW | secret, events=(event,), failed=True)))


@pytest.mark.parametrize(
    ("told", "failed", "exception", "error"),
    [
        ({}, False, None, None),
        ({}, True, None, "error"),
        ({"error.type": "timeout"}, True, "builtins.ValueError", "timeout"),
        ({}, True, "openai.RateLimitError", "openai.RateLimitError"),
        ({}, False, "Handled", None),
        ({"error.type": "it said: no way, Bob"}, True, None, "error"),
        ({"http.response.status_code": 503}, False, None, "503"),
        ({"http.response.status_code": 200}, False, None, None),
    ],
)
def test_an_error_is_its_class(told, failed, exception, error):
    events = (
        (OtelEvent(name="exception", at_ns=T0, attributes={"exception.type": exception}),)
        if exception
        else ()
    )
    assert to_span(otel(attributes=told, failed=failed, events=events)).error == error


def test_names_are_those_of_tools_and_agents():
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add", "gen_ai.tool.call.id": "c1"}
    span = to_span(otel(name="execute_tool add", attributes=tool))
    assert (span.name, span.attributes[at.TOOL_CALL_ID]) == ("add", "c1")
    assert (
        to_span(otel(name="invoke_agent bob", attributes={"gen_ai.operation.name": "invoke_agent"})).name
        == "bob"
    )


def http(own: str, start: int, end: int, status: int | None) -> OtelSpan:
    told = {"http.request.method": "POST"} | ({} if status is None else {"http.response.status_code": status})
    return otel(
        own,
        parent="0c",
        start=start,
        end=end,
        attributes=told,
        failed=status is None or status >= 400,
        name="POST",
    )


def test_http_requests_under_a_call_are_its_attempts_where_one_failed():
    chunk = {"gen_ai.response.time_to_first_chunk": 4.5}
    call = otel("0c", start=0, end=9 * S, attributes=NEW | chunk)
    tried = [http("01", 0, S, 503), http("02", S, 2 * S, None), http("03", 3 * S, 4 * S, 200)]
    spans = with_attempts(to_span(each, T0) for each in (call, *tried))
    assert [(span.kind, span.start, span.end, span.error) for span in spans[1:]] == [
        ("attempt", 0.0, 1.0, "503"),
        ("attempt", 1.0, 2.0, "error"),
        ("attempt", 3.0, 9.0, None),  # to the last token, not to the headers
    ]
    assert spans[3].attributes[at.FIRST_TOKEN] == 1.5
    assert spans[3].attributes[at.TTFT_FROM] == "chunk"


def test_http_requests_that_tell_nothing_stay_what_they_are():
    call = otel("0c", end=9 * S, attributes=NEW)
    spans = with_attempts(to_span(each, T0) for each in (call, http("01", 0, S, 200)))
    assert [span.kind for span in spans] == ["call", "other"]
    elsewhere = otel("0c", end=9 * S, attributes={"gen_ai.operation.name": "execute_tool"})
    spans = with_attempts(to_span(each, T0) for each in (elsewhere, http("01", 0, S, 503)))
    assert [span.kind for span in spans] == ["tool", "other"]


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    [
        *NEW, *OLD, *OPENINFERENCE, "tithe.kind", "tithe.name", "tithe.open", "error.type", "gen_ai.output.messages",
        "gen_ai.input.messages", "http.response.status_code", "gen_ai.response.time_to_first_chunk",
        "llm.output_messages.0.message.tool_calls.0.tool_call.id", "llm.input_messages.0.message.role",
    ]
)  # fmt: skip


@given(
    st.dictionaries(_NAMES, _ANY, max_size=8),
    st.dictionaries(st.sampled_from(["message", "finish_reason"]), _ANY),
)
def test_no_attribute_breaks_it(told, choice):
    event = OtelEvent(name="gen_ai.choice", at_ns=T0, attributes=choice)
    span = to_span(otel(attributes=told, events=(event,), failed=True))
    assert isinstance(span, Span)
    assert isinstance(span.name, str)
    with_attempts([span, span])
