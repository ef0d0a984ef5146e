"""How the importers' tests read what they made."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tithe.trace.formats import Imported, parse, read_guessed

from .given import lines


@pytest.fixture
def imported() -> Callable[..., Imported]:
    """Reads records, as lines, or one document; the format is guessed, and has to be the one that is expected."""

    def read(expected: str, *records: Any, document: Any = None, raw: bytes | None = None) -> Imported:
        data = (
            raw if raw is not None else lines(*records) if document is None else json.dumps(document).encode()
        )
        found, result = read_guessed(parse(data, "given.json"))
        assert found.name == expected
        for task in result.tasks:
            ids = [span.id for span in task.spans]
            assert len(set(ids)) == len(ids)
            assert {span.trace for span in task.spans} == {task.id}
            assert min(span.start for span in task.spans) == 0.0
        return result

    return read
