"""Hints: used, or named as unused, and never a reason to refuse."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.wire.chat_request import Incoming, decode_request, encode_request

BASE: dict[str, Any] = {"model": "nano", "messages": [{"role": "user", "content": "hi"}]}
HINTS = (
    "user metadata prompt_cache_key prompt_cache_retention safety_identifier service_tier prediction verbosity "
    "session_id priority cache_salt nvext chat_template_kwargs reasoning_effort"
).split()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "none", "low", "default", "tools", 2**31, 1e18, 0.5]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["tools", "messages"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def decode(isolation: str = "", **fields: Any) -> Incoming:
    return decode_request(msgspec.json.encode(BASE | fields), isolation=isolation)


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@given(st.dictionaries(st.sampled_from(HINTS), VALUES))
@settings(max_examples=300)
def test_no_hint_fails_a_request_whatever_its_value(hints: dict[str, Any]):
    incoming = decode("key", **hints)
    asked = incoming.request
    assert -100 <= asked.priority <= 100
    assert (asked.isolation == "key") == (hints.get("cache_salt") is None)
    assert not {"messages", "tools", "add_generation_prompt"} & set(asked.template)
    named = {name.partition(".")[0] for name in incoming.unused}
    assert named <= {name for name, value in hints.items() if value is not None}
    # What came in of use leaves in a form that is read the same again.
    again = decode_request(encode_request(asked, stream=False)).request
    assert again == msgspec.structs.replace(asked, isolation="")


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        ("priority", 0.5),
        ("priority", True),
        ("priority", "high"),
        ("reasoning_effort", "default"),
        ("reasoning_effort", ["low"]),
        ("session_id", True),
        ("session_id", ["a"]),
        ("prompt_cache_key", {}),
        ("user", 5),
        ("service_tier", 5),
        ("nvext", "x"),
        ("metadata", "x"),
        ("metadata", nested(200)),
        ("chat_template_kwargs", "x"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(hint: str, value: Any):
    incoming = decode(**{hint: value})
    assert incoming.unused == (hint,)
    assert incoming.request == decode().request


def test_what_cannot_change_the_answer_is_kept_for_others_and_named():
    passive = {
        "user": "u",
        "metadata": {"a": "b"},
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "service_tier": "auto",
        "prediction": {"type": "content", "content": "x"},
        "verbosity": "low",
        "nvext": {"agent_hints": {"priority": 5}},
    }
    incoming = decode(**passive, store=False, modalities=["text"])
    assert incoming.request == msgspec.structs.replace(decode().request, extra=passive)
    assert sorted(incoming.unused) == sorted(passive)


def test_the_session_is_the_session_id_or_else_the_prompt_cache_key():
    for fields, session, unused in [
        ({"prompt_cache_key": "p"}, "p", ()),
        ({"prompt_cache_key": "p", "session_id": "s"}, "s", ("prompt_cache_key",)),
        ({"prompt_cache_key": "s", "session_id": "s"}, "s", ()),
        ({"prompt_cache_key": "p", "session_id": []}, "p", ("session_id",)),
        ({"session_id": 7}, "7", ()),
        ({"prompt_cache_key": 5.5}, "5.5", ()),
        ({"session_id": 7, "prompt_cache_key": "7"}, "7", ()),
    ]:
        incoming = decode(**fields)
        assert (incoming.request.session, incoming.unused) == (session, unused), fields


@pytest.mark.parametrize(
    ("given", "taken"),
    [(3, 3), (-3, -3), (2.0, 2), (100, 100), (101, 100), (2**31, 100), (1e18, 100), (-(10**30), -100)],
)
def test_a_higher_priority_is_sooner_within_bounds(given: float, taken: int):
    incoming = decode(priority=given)
    assert (incoming.request.priority, incoming.unused) == (taken, ())


def test_a_cache_salt_of_any_value_narrows_the_callers_own_domain():
    own = ["key", "other", "keya", ""]
    assert [decode(isolation).request.isolation for isolation in own] == own
    salts = [("key", salt) for salt in ("a", "b", "ab", "", "1", 1, 1.5, False, [], {}, ["a"], {"a": 1})]
    salted = {
        decode(isolation, cache_salt=salt).request.isolation
        for isolation, salt in [*salts, ("other", "a"), ("keya", "b"), ("", "a")]
    }
    assert len(salted) == len(salts) + 3
    assert salted.isdisjoint(own)
    assert decode("key", cache_salt="a").request.isolation in salted
    assert decode("key", cache_salt={"a": 1, "b": 2}) == decode("key", cache_salt={"b": 2, "a": 1})


def test_template_arguments_and_reasoning_effort():
    assert decode(chat_template_kwargs={"a": 1}).request.template == {"a": 1}
    assert decode(reasoning_effort="high").request.template == {"reasoning_effort": "high"}
    none = {"reasoning_effort": "none", "enable_thinking": False}
    assert decode(reasoning_effort="none").request.template == none
    explicit = decode(reasoning_effort="none", chat_template_kwargs={"enable_thinking": True})
    assert explicit.request.template == none | {"enable_thinking": True}


def test_template_arguments_that_the_endpoint_sets_itself_are_left_out_and_named():
    incoming = decode(chat_template_kwargs={"tools": [], "a": 1, "messages": 5, "deep": nested(200)})
    assert incoming.request.template == {"a": 1}
    assert set(incoming.unused) == {f"chat_template_kwargs.{name}" for name in ("tools", "messages", "deep")}


def test_what_the_template_does_not_read_made_no_difference():
    asked = decode(reasoning_effort="none", chat_template_kwargs={"a": 1, "b": 2}, user="u")
    assert asked.unused_with(()) == ("user",)
    assert asked.unused_with(["a"]) == ("user", "chat_template_kwargs.a")
    # "none" has set enable_thinking too, which is read.
    assert asked.unused_with(["reasoning_effort"]) == ("user",)
    assert asked.unused_with(["reasoning_effort", "enable_thinking"]) == ("user", "reasoning_effort")
    both = decode(reasoning_effort="low", chat_template_kwargs={"reasoning_effort": "high"})
    assert both.unused_with(()) == ("reasoning_effort",)
