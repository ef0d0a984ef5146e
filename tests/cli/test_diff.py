"""`tithe diff` on a real record, as a command of its own."""

import json
from pathlib import Path

import pytest

from tithe.cli.main import run
from tithe.core import Anchor, Span
from tithe.core import attributes as at
from tithe.trace import Store

from .commands import tithe


def task(trace: str, start: float, calls: int, decode: float) -> list[Span]:
    """Calls of 0.5 s to the first token, and a tool of 1 s after each but the last, reported by the agent."""
    spans: list[Span] = []
    now = start
    for number in range(calls):
        told = {
            at.REQUEST_MODEL: "large", at.SOURCE: "api", at.SENT: 0.0, at.FIRST_TOKEN: 0.5, at.LAST_TOKEN: 0.5 + decode,
            at.INPUT_TOKENS: 1000, at.OUTPUT_TOKENS: 100,
        }  # fmt: skip
        end = now + 0.5 + decode
        spans.append(Span(id=f"{trace}c{number}", trace=trace, kind="call", name="chat", start=now, end=end, parent=trace, attributes=told))  # fmt: skip
        now = end
        if number < calls - 1:
            named = {at.TOOL_NAME: "search", at.SOURCE: "api"}
            spans.append(Span(id=f"{trace}u{number}", trace=trace, kind="tool", name="search", start=now, end=now + 1, parent=trace, attributes=named))  # fmt: skip
            now += 1
    return [Span(id=trace, trace=trace, kind="task", name="fix bug", start=start, end=now, attributes={at.SOURCE: "api"}), *spans]  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Ten tasks of 3 calls in recording 1, ten of 4 slower ones in recording 2, and one without a call in 3."""
    path = tmp_path / "record.db"
    with Store.open(path, write=True) as store:
        for name, calls, decode in (("old", 3, 1.0), ("new", 4, 2.0)):
            recording = store.begin(Anchor(monotonic=0.0, unix=1.79e9), source="api", name=name)
            spans = [
                span
                for number in range(10)
                for span in task(f"{name}{number:04}", 100.0 * number, calls, decode + 0.01 * number)
            ]
            store.add(recording, spans)
        recording = store.begin(Anchor(monotonic=0.0, unix=1.79e9), source="api", name="idle")
        store.add(
            recording, [Span(id="idle", trace="idle", kind="task", name="idle", start=5000.0, end=5002.0)]
        )
    return path


def test_two_tasks_are_told_apart_in_a_sentence_and_tables(db: Path):
    status, out, err = tithe("diff", "old0000", "new0000", "--db", str(db))
    assert (status, err) == (0, "")
    told = " ".join(out.split())
    # 3 calls of 1.5 s and 2 tools of 1 s against 4 of 2.5 s and 3.
    assert (
        "B takes 6.50 s more, 13.0 s against 6.50 s: 1 more call (+2.00 s), each 1.00 s slower (+3.50 s)"
        in told
    )
    assert "1 more tool run (+1.00 s)" in told
    assert "large" in out
    assert "search" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_tasks_of_different_names_are_told_to_be(db: Path):
    _, out, _ = tithe("diff", "recording:1", "recording:3", "--db", str(db))
    assert "They are tasks of different names. A: fix bug (10); B: idle (1)." in " ".join(out.split())
    _, out, _ = tithe("diff", "recording:1", "recording:2", "--db", str(db))
    assert "names" not in out


def test_a_side_with_tasks_that_ended_badly_is_told(db: Path):
    with Store.open(db) as store:
        store.finish(2, at=3000.0, exit_status=1)
    _, out, _ = tithe("diff", "recording:1", "recording:2", "--db", str(db))
    assert "A: 0 of 10 tasks; B: 10 of 10 tasks." in " ".join(out.split())


def test_groups_are_told_with_intervals_and_their_parts_sum_up(db: Path):
    status, out, err = tithe("diff", "recording:1", "recording:2", "--json", "--db", str(db))
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert (found["a"]["tasks"], found["b"]["tasks"], found["b"]["name"]) == (10, 10, "recording 2")
    assert found["change_s"]["value"] == pytest.approx(found["b"]["wall_s"] - found["a"]["wall_s"], abs=1e-6)
    assert found["change_s"]["low"] < found["change_s"]["value"] < found["change_s"]["high"]
    for parts in ("parts", "buckets"):
        total = sum(part["change_s"]["value"] for part in found[parts])
        assert total == pytest.approx(found["change_s"]["value"], abs=1e-6)
    assert [model["name"] for model in found["models"]] == ["large"]


def test_a_group_can_be_held_against_a_task_without_a_call(db: Path, capsys):
    assert run(["diff", "idle", "source:api", "--db", str(db)]) == 2
    assert "1 task of A is in B too" in capsys.readouterr().err
    assert run(["diff", "idle", "old0000", "--db", str(db)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "3 more calls (+4.50 s)" in out
    assert "(-2.00 s)" in out  # all of the idle task


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (("old0000", "old0000"), "A and B are the same task"),
        (("name:fix bug", "name:fix bug"), "A and B are the same tasks"),
        (("old", "new0000"), "10 tasks begin with old"),
        (("old0000", "none"), "There is no task none in"),
        (("session:nobody", "old0000"), "There is no task of session 'nobody'"),
        (("recording:x", "old0000"), "There is no task of recording 'x'"),
    ],
)
def test_what_cannot_be_compared_is_said(db: Path, sides: tuple[str, str], said: str, capsys):
    assert run(["diff", *sides, "--db", str(db)]) == 2
    assert said in capsys.readouterr().err


def test_without_a_record_it_is_said_what_to_do(tmp_path: Path, capsys):
    assert run(["diff", "a", "b", "--db", str(tmp_path / "none.db")]) == 2
    assert "Record a task first" in capsys.readouterr().err
    with Store.open(tmp_path / "empty.db", write=True):
        pass
    assert run(["diff", "last", "b", "--db", str(tmp_path / "empty.db")]) == 2
    assert "There is no task in" in capsys.readouterr().err
