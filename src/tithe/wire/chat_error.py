"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, written and read.

Reading is for whatever an endpoint, or a proxy in front of it, answers with: OpenAI's shape, a bare
string, `message` or `detail` at the top (older vLLM, FastAPI), or no JSON at all.
"""

from typing import Any, cast

import msgspec

from tithe.core.errors import TitheError

_LONGEST = 500


def encode_error(error: TitheError) -> bytes:
    """The error as a JSON object: a response's body, or the data of a stream's last event."""
    return msgspec.json.encode(
        {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}}
    )


def read_error(body: bytes) -> str:
    """What the body of an error response says, in its own words, shortened; empty when it says nothing."""
    try:
        words = _words(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        words = ""
    return " ".join((words or body.decode("utf-8", "replace")).split())[:_LONGEST]


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return ""
    fields = cast("dict[str, Any]", value)
    for field in ("error", "message", "detail"):
        if words := _words(fields.get(field)):
            return words
    for field in ("error", "detail"):
        if fields.get(field):
            return msgspec.json.encode(fields[field]).decode()
    return ""
