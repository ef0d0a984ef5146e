"""What the tests of the store and of the exporters record."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tithe.core import Anchor, Span
from tithe.trace import Store

ANCHOR = Anchor(monotonic=100.0, unix=1_790_000_000.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "record.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


@pytest.fixture
def recording(store: Store) -> int:
    return store.begin(ANCHOR, source="proxy")


@pytest.fixture
def span() -> Callable[..., Span]:
    """A span of an attempt, and whatever is asked to be otherwise."""

    def make(span_id: str, **told: Any) -> Span:
        given = {"trace": "task-a", "kind": "attempt", "name": "chat nano", "start": 101.0, "end": 102.5}
        return Span(id=span_id, **(given | told))

    return make
