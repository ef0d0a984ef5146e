"""The example agent, recorded as the README has it: a real model, real tools, and a prefix that it loses at every step."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .commands import tithe

ROOT = Path(__file__).parents[2]


def test_the_doctor_finds_the_clock_in_the_examples_system_prompt(tmp_path: Path) -> None:
    db, page = tmp_path / "record.db", tmp_path / "ledger.html"
    command = ("record", "--upstream", "embedded", "--db", str(db), "--html", str(page))
    agent = (sys.executable, "examples/agent.py", "lookup", "1", "--clock")
    ran = subprocess.run(
        [sys.executable, "-m", "tithe", *command, "--", *agent],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "80"},
    )
    # Whether the model solves its task is no matter here.
    assert ran.returncode in (0, 1), ran.stderr
    assert "list_files" in ran.stdout
    assert "tithe: recorded 1 task" in ran.stderr
    assert "where a time stands" in " ".join(ran.stderr.split())
    assert "<title>" in page.read_text("utf-8")

    status, out, err = tithe("ledger", "--db", str(db), "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["name"] == "agent.py"
    assert sum(entry["wall_s"] for entry in found["entries"]) == pytest.approx(found["wall_s"], abs=1e-6)
    breaks = found["prefix"]["breaks"]
    assert [one["step"] for one in breaks] == list(range(2, len(found["steps"]) + 1))
    assert {one["cause"] for one in breaks} == {"timestamp"}
    # The endpoint's own count says the same: what stands before the clock was cached, and no more.
    lost = [(step["input_tokens"], step["cached_tokens"]) for step in found["steps"][1:]]
    assert all(cached < prompt / 4 for prompt, cached in lost)
