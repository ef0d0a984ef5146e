"""What an error is called, and nothing of what it says: a message may quote what was sent."""

import re
from typing import Any

import msgspec

from tithe.wire.field import as_count, as_object, as_text

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,79}")


def error_name(error: Any) -> str | None:
    """The code, else the type, that a decoded error has in any API's shape; None when it has neither."""
    fields = as_object(error)
    inner = as_object(fields.get("error")) or fields
    for name in (inner.get("code"), inner.get("type")):
        if name != "error" and _NAME.fullmatch(as_text(name)):
            return as_text(name)
    number = as_count(inner.get("code"))
    return None if number is None else str(number)


def error_name_of(body: bytes) -> str | None:
    """The same of a body or an event's data, whatever it is."""
    try:
        return error_name(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        return None
