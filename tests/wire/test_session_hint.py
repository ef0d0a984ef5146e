from typing import Any

import pytest

from tithe.wire.session_hint import lowered, retry_count, session_hint, trace_parent

UUID = "0b5f7a3e-1c2d-4e5f-8a9b-0123456789ab"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def hint(headers: dict[str, str], **body: Any) -> tuple[str | None, str | None]:
    return session_hint(lowered(headers), body)


def test_the_first_that_names_a_session_does():
    headers = {
        "X-Session-Id": "one",
        "X-Claude-Code-Session-Id": "two",
        "Session-Id": "three",
        "session_id": "four",
        "Baggage": "a=b, gen_ai.conversation.id = fi%20ve ;p=1,c=d",
    }
    body: dict[str, Any] = {
        "prompt_cache_key": "six",
        "conversation": {"id": "seven"},
        "metadata": {"user_id": f"user_ab12_account_{UUID}_session_{UUID}"},
        "session_id": 9,
    }
    expected = [
        ("one", "x-session-id"),
        ("two", "x-claude-code-session-id"),
        ("three", "session-id"),
        ("four", "session_id"),
        ("fi ve", "baggage"),
        ("six", "prompt_cache_key"),
        ("seven", "conversation"),
        (UUID, "metadata.user_id"),
        ("9", "session_id"),
    ]
    found: list[tuple[str | None, str | None]] = []
    while headers or body:
        found.append(hint(headers, **body))
        (headers or body).pop(next(iter(headers or body)))
    assert found == expected
    assert hint({}) == (None, None)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"conversation": "conv_1"}, "conv_1"),
        ({"metadata": {"user_id": f'{{"device_id":"d","session_id":"{UUID}"}}'}}, UUID),
        ({"metadata": {"user_id": "jane@example.org"}}, None),
        ({"metadata": {"user_id": "user_of_session_7"}}, None),
        ({"metadata": {"user_id": "{oops"}}, None),
        ({"metadata": {"user_id": ["x"]}}, None),
        ({"prompt_cache_key": "", "session_id": True}, None),
        ({"conversation": {"id": None}}, None),
        ({"prompt_cache_key": {"a": 1}, "session_id": "s"}, "s"),
    ],
)
def test_a_field_of_the_body_may_name_a_session(body: dict[str, Any], name: str | None):
    assert hint({}, **body)[0] == name


def test_an_empty_header_names_nothing():
    assert hint({"x-session-id": " ", "session-id": "s"}) == ("s", "session-id")
    assert hint({"baggage": "gen_ai.conversation.id,gen_ai.conversation.id=;"}) == (None, None)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"00-{TRACE}-{SPAN}-01", (TRACE, SPAN)),
        (f"01-{TRACE}-{SPAN}-01-more", (TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        ("", None),
    ],
)
def test_the_callers_span_is_read_from_traceparent(header: str, found: tuple[str, str] | None):
    assert trace_parent(lowered({"TraceParent": header})) == found


@pytest.mark.parametrize(
    ("given", "count"), [("0", 0), (" 3 ", 3), ("-1", None), ("x", None), ("", None), ("²", None)]
)
def test_the_sdks_count_of_retries(given: str, count: int | None):
    assert retry_count(lowered({"X-Stainless-Retry-Count": given})) == count
