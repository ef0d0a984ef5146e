"""Fields of JSON that may be anything: what is of the type that was looked for, and nothing where it is not.

For reading what others wrote to others, where a wrong type is no reason to fail.
"""

from typing import Any, cast


def as_object(value: Any) -> dict[str, Any]:
    """The object; empty when it is none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The array; empty when it is none."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The string; empty when it is none."""
    return value if isinstance(value, str) else ""


def as_count(value: Any) -> int | None:
    """The whole number; None when it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
