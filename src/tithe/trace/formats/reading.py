"""Which formats there are, and which of them a file is of."""

from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from tithe.core.errors import UsageError
from tithe.trace.formats import (
    claude_code,
    codex,
    langfuse,
    mooncake,
    openai_agents,
    otlp,
    recording,
    swe_agent,
    weka,
)
from tithe.trace.formats.imported import Imported
from tithe.trace.formats.source import Source

_LOOKED_AT = 200  # records from a file's beginning; logs begin with titles and snapshots


class Format(NamedTuple):
    """A format: its name, what it is for people, what no file of it tells (the first of what is read's notes), whether a
    record is of it, and what reads a file of it."""

    name: str
    says: str
    lacks: str | None
    recognizes: Callable[[dict[str, Any]], bool]
    read: Callable[[Source], Imported]


FORMATS = tuple(
    Format(each.NAME, each.SAYS, each.LACKS, each.recognizes, each.read)
    for each in (
        otlp,
        claude_code,
        codex,
        langfuse,
        openai_agents,
        swe_agent,
        weka,
        mooncake,
        recording,
    )
)


def read_guessed(source: Source) -> tuple[Format, Imported]:
    """Read a file of whichever format it is of. Raises `UsageError` when it is of none, or cannot be read."""
    for record in islice(source.records, _LOOKED_AT):
        for each in FORMATS:
            if each.recognizes(record.value):
                return each, each.read(source)
    told = ", ".join(list(source.records[0].value)[:6]) or "nothing"
    raise UsageError(
        f"{source.name} is of no format that is known: its first object (line {source.records[0].line}) has {told}. "
        f"The formats are {_names()}."
    )


def format_named(name: str) -> Format:
    """The format of a name. Raises `UsageError` when there is none."""
    found = next((each for each in FORMATS if each.name == name), None)
    if found is None:
        raise UsageError(f"format is {name!r}: the formats are {_names()}.")
    return found


def _names() -> str:
    return ", ".join(each.name for each in FORMATS)
