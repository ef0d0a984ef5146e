"""`tithe ledger` on a real record: one task, many, and what is said where there is none."""

import json
from pathlib import Path

import pytest

from tithe.cli.main import run
from tithe.core import Anchor, Span
from tithe.core import attributes as at
from tithe.trace import Store

from .commands import tithe


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Thirty tasks of one call and a tool, named by turns, a second longer each; the last has no call at all."""
    path = tmp_path / "record.db"
    with Store.open(path, write=True) as store:
        for number in range(30):
            source = "api" if number % 2 else "proxy"
            recording = store.begin(
                Anchor(monotonic=0.0, unix=1.79e9), source=source, name="odd" if number % 2 else "even"
            )
            trace, start = f"task{number:04}", 1000.0 * number
            called = start + 2 + number
            told = {
                at.SOURCE: source,
                at.FIRST_TOKEN: 1.0,
                at.LAST_TOKEN: 2.0 + number,
                at.REQUEST_MODEL: "m",
            }
            spans = [
                Span(
                    id=f"{trace}c",
                    trace=trace,
                    kind="call",
                    name="chat",
                    start=start,
                    end=called,
                    attributes=told,
                ),
                Span(id=f"{trace}u", trace=trace, kind="tool", name="search", start=called, end=called + 3),
            ]
            store.add(recording, spans if number < 29 else spans[1:])
    return path


def test_one_tasks_json_sums_to_its_wall_clock_and_the_last_that_has_a_call_is_the_default(db: Path):
    status, out, err = tithe("ledger", "task0003", "--json", "--db", str(db))
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["wall_s"] == pytest.approx(8.0)
    assert sum(entry["wall_s"] for entry in found["entries"]) == pytest.approx(8.0, abs=1e-6)
    status, out, _ = tithe("ledger", "--json", "--db", str(db))
    last = json.loads(out)
    assert (last["task"], len(last["models"]), last["tools"][0]["wall_s"]) == ("task0028", 1, 3.0)


def test_all_tasks_have_percentiles_shares_and_each_an_account(db: Path):
    status, out, err = tithe("ledger", "--all", "--json", "--db", str(db))
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert len(found["accounts"]) == 30
    assert found["wall"]["p95"]["n"] == 30
    assert sum(bucket["share"] for bucket in found["buckets"]) == pytest.approx(1.0)
    tool = next(bucket for bucket in found["buckets"] if bucket["name"] == "tool")
    assert (tool["p50"]["low"], tool["p50"]["value"], tool["total"]) == pytest.approx((3.0, 3.0, 90.0))


def test_tasks_of_several_names_are_told_to_be_pooled(db: Path, capsys):
    assert run(["ledger", "--all", "--db", str(db)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Pooled are tasks of 2 names: even (15), odd (15). --name NAME tells those of one." in told
    assert run(["ledger", "--name", "odd", "--db", str(db)]) == 0
    assert "Pooled" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("narrowing", "left"),
    [(("--name", "even"), 15), (("--source", "api"), 15), (("--since", "2000-01-01", "--name", "odd"), 15)],
)
def test_many_are_narrowed(db: Path, narrowing: tuple[str, ...], left: int, capsys):
    assert run(["ledger", *narrowing, "--json", "--db", str(db)]) == 0
    assert len(json.loads(capsys.readouterr().out)["accounts"]) == left


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("task00",), "tasks begin with task00"),
        (("nothing",), "There is no task nothing in"),
        (("task0001", "--all"), "task0001 is one task; leave it out"),
        (("--all", "--html", "x.html"), "--html is for one task"),
        (("--name", "nobody"), "There is no such task"),
        (("--since", "soon"), "--since is 'soon'"),
        (("--html", "/nowhere/x.html"), "/nowhere/x.html"),
    ],
)
def test_what_cannot_be_told_is_said(db: Path, arguments: tuple[str, ...], said: str, capsys):
    assert run(["ledger", *arguments, "--db", str(db)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("--all",), ()])
def test_an_empty_record_says_what_to_do(tmp_path: Path, arguments: tuple[str, ...], capsys):
    with Store.open(tmp_path / "empty.db", write=True):
        pass
    assert run(["ledger", *arguments, "--db", str(tmp_path / "empty.db")]) == 2
    assert "Record one first" in capsys.readouterr().err
