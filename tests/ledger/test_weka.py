"""The real sessions: every ledger adds up, and prefixes are shared as much as is published of them."""

from pathlib import Path
from statistics import median

import pytest

from tithe.core import Anchor
from tithe.ledger import diagnose, make_ledger, prompted_calls
from tithe.trace import TaskRecord
from tithe.trace.formats import parse, read_guessed

WEKA = Path(__file__).parents[3] / "shared" / "data" / "weka"
FILES = sorted(WEKA.glob("trace_*.json"))

pytestmark = pytest.mark.skipif(not FILES, reason="the WEKA traces are not beside this project")


def record(path: Path) -> TaskRecord:
    _, imported = read_guessed(parse(path.read_bytes(), path.name))
    [task] = imported.tasks
    return TaskRecord(
        id=task.id,
        anchor=Anchor(monotonic=0.0, unix=0.0),
        source="import:weka",
        name=task.name,
        session=task.session,
        spans=tuple(task.spans),
    )


def test_there_are_fourteen() -> None:
    assert len(FILES) == 14


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sessions_ledger_adds_up(path: Path) -> None:
    ledger = make_ledger(record(path))
    assert sum(entry.wall_s for entry in ledger.entries) == pytest.approx(ledger.wall_s, abs=1e-6)
    assert ledger.bucket_s("tool") == 0  # think_time mixes tools and people
    assert ledger.bucket_s("unattributed") > 0
    assert ledger.bucket_s("prefill") + ledger.bucket_s("inference") > 0


def test_most_of_a_prompt_was_paid_for() -> None:
    """NUMBERS: a simulated prefix hit of 0.955 at the median over calls; here with an endless cache."""
    shares: list[float] = []
    for path in FILES:
        found = record(path)
        diagnosis = diagnose(found.id, prompted_calls(found, {}))
        shares += [
            call.own_shared_tokens / call.prompt_tokens
            for call in diagnosis.calls
            if call.own_shared_tokens is not None and call.prompt_tokens
        ]
        assert all(one.cost_s is None for one in diagnosis.breaks)
    assert len(shares) > 300
    assert 0.9 < median(shares) <= 1.0
