"""A file to import, decoded: JSON, JSON lines, or JSON objects one after the other."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from tithe.core.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 5  # line numbers in a note


class Record(msgspec.Struct, frozen=True):
    """A JSON object of a file. `line` is where it begins; in one document, where the document does."""

    line: int
    value: dict[str, Any]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds. `name` is what it is called in messages; `broken` the numbers of lines that are no JSON object.

    The members of an array, and of the `data` of an API's answer, are records of their own.
    """

    name: str
    records: tuple[Record, ...]
    broken: tuple[int, ...] = ()

    def notes(self) -> list[str]:
        """What was left out in reading."""
        if not self.broken:
            return []
        return [left_out("line", "that is no JSON object", self.broken)]


def parse(data: bytes, name: str) -> Source:
    """Decode a file. Raises `UsageError` where there is no JSON object in it."""
    if not data.strip():
        raise UsageError(f"{name} is empty: there is nothing to import.")
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        source = _lines(data, name)
    else:
        source = Source(name=name, records=tuple(_records(whole, 1)))
    if not source.records:
        raise UsageError(
            f"{name} holds no JSON object{_first(source)}: give a file of one of the formats that `tithe import --help` lists."
        )
    return source


def _first(source: Source) -> str:
    return f" (line {source.broken[0]} is none)" if source.broken else ""


def _records(value: Any, line: int) -> Iterator[Record]:
    if isinstance(value, dict):
        told = cast("dict[str, Any]", value)
        inner = told.get("data")
        # An API's page of results, or what a tracing client posts.
        if isinstance(inner, list) and "id" not in told:
            yield from _records(inner, line)
        else:
            yield Record(line, told)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            if isinstance(each, dict):
                yield from _records(each, line)


def _lines(data: bytes, name: str) -> Source:
    records: list[Record] = []
    broken: list[int] = []
    for number, text in enumerate(data.split(b"\n"), start=1):
        if not text.strip():
            continue
        try:
            found = list(_records(msgspec.json.decode(text), number))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            found = []
        records += found
        if not found:
            broken.append(number)
    if not records:
        return _one_after_the_other(data, name, tuple(broken))
    return Source(name=name, records=tuple(records), broken=tuple(broken))


def _one_after_the_other(data: bytes, name: str, broken: tuple[int, ...]) -> Source:
    """Objects over several lines each, as a console exporter prints them."""
    text = data.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    records: list[Record] = []
    place = text.find("{") if text.lstrip().startswith("{") else -1
    while place >= 0:
        line = text.count("\n", 0, place) + 1
        try:
            _, end = decoder.raw_decode(text, place)  # where it ends; msgspec tells what it is, as everywhere
            value = msgspec.json.decode(text[place:end])
        except (ValueError, RecursionError):
            return Source(name=name, records=tuple(records), broken=(line,) if records else broken)
        records += _records(value, line)
        place = text.find("{", end)
    return Source(name=name, records=tuple(records), broken=() if records else broken)


def left_out(what: str, why: str, lines: list[int] | tuple[int, ...]) -> str:
    """A sentence on what was left out, with the numbers of the first lines that it was on."""
    shown = ", ".join(str(line) for line in lines[:_SHOWN]) + (", ..." if len(lines) > _SHOWN else "")
    if len(lines) > 1:
        why = why.replace("that is ", "that are ", 1)
    where = f"line {shown}" if len(lines) == 1 else f"lines {shown}"
    return f"left out: {len(lines):,} {what}{'' if len(lines) == 1 else 's'} {why} ({where})"


# What a field holds, or None where it holds something else.


def text(value: Any) -> str | None:
    """A string that is not empty."""
    return value if isinstance(value, str) and value else None


def number(value: Any) -> float | int | None:
    """A number that is finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value if abs(value) < 2**62 else None


def count(value: Any) -> int | None:
    """A whole number from 0 on; some write it as a float."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def ids(value: Any) -> list[int] | None:
    """An array of whole numbers."""
    if not isinstance(value, list):
        return None
    found = cast("list[Any]", value)
    return found if all(type(one) is int and -(2**62) < one < 2**62 for one in found) else None


def fields(value: Any) -> dict[str, Any]:
    """An object; empty where it is none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in an array."""
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", one) for one in cast("list[Any]", value) if isinstance(one, dict)]


def reported(told: dict[str, Any]) -> dict[str, Any]:
    """What is there of a span's attributes: None is not reported."""
    return {name: value for name, value in told.items() if value is not None}


def nanoseconds(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(seconds * 1_000_000_000)


def instant(value: Any) -> int | None:
    """An ISO 8601 date as nanoseconds since the epoch; UTC where it names no zone."""
    if not isinstance(value, str):
        return None
    try:
        date = datetime.fromisoformat(value.strip())
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return (date - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError):
        return None
