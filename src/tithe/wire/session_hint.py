"""Which conversation a request belongs to, where its sender says so, and what else its headers tell.

In order: headers that agents send, then the W3C baggage (https://www.w3.org/TR/baggage/), then fields of the body.
Claude Code names its session in `metadata.user_id`: as `user_HASH_account_UUID_session_UUID`, newer ones as JSON.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from tithe.core.attributes import CONVERSATION
from tithe.wire.field import as_object, as_text

_HEADERS = ("x-session-id", "x-claude-code-session-id", "session-id", "session_id")
_CLAUDE_CODE = re.compile(r"_session_([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$")
_TRACE_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
)


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers by their lower-case names; what comes more than once is joined by commas (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        name = name.lower()
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def session_hint(headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[str, str] | tuple[None, None]:
    """The session's name, and the header or field that gives it. The headers' names are in lower case."""
    for header in _HEADERS:
        if name := headers.get(header, "").strip():
            return name, header
    if name := _in_baggage(headers.get("baggage", "")):
        return name, "baggage"
    conversation = body.get("conversation")
    fields = {
        "prompt_cache_key": body.get("prompt_cache_key"),
        "conversation": as_object(conversation).get("id", conversation),
        "metadata.user_id": _of_claude_code(as_text(as_object(body.get("metadata")).get("user_id"))),
        "session_id": body.get("session_id"),
    }
    for field, given in fields.items():
        if name := _word(given):
            return name, field
    return None, None


def trace_parent(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The trace id and span id of `traceparent` (https://www.w3.org/TR/trace-context/); None when it has no valid one."""
    found = _TRACE_PARENT.fullmatch(headers.get("traceparent", "").strip())
    if found is None or (found.string.startswith("00") and found[3]):
        return None
    return found[1], found[2]


def retry_count(headers: Mapping[str, str]) -> int | None:
    """How many attempts the SDK says it made before this one; None where it says nothing."""
    given = headers.get("x-stainless-retry-count", "").strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def _word(given: Any) -> str | None:
    if isinstance(given, bool) or not isinstance(given, str | int):
        return None
    return str(given).strip() or None


def _in_baggage(baggage: str) -> str | None:
    for member in baggage.split(","):
        key, _, value = member.partition(";")[0].partition("=")
        if key.strip() == CONVERSATION:
            return unquote(value.strip()) or None
    return None


def _of_claude_code(user: str) -> str | None:
    if found := _CLAUDE_CODE.search(user):
        return found[1]
    if not user.startswith("{"):
        return None
    try:
        return _word(as_object(msgspec.json.decode(user)).get("session_id"))
    except (ValueError, RecursionError):
        return None
