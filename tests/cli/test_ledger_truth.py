"""Agents whose every second is known, recorded as any agent is: no bucket may hold less than was waited, and every call,
tool and retry is there. How much more it holds is a matter of the machine's, and benchmarks/ledger_truth.py's."""

from pathlib import Path

import pytest
from tests.benchmark import load

from tithe.ledger import Ledger

# A sleep is never short; a stamp may be off by what a clock's tick is.
TICK_S = 0.002


bench = load("ledger_truth")


@pytest.mark.parametrize("spans", [False, True], ids=["outside", "spans"])
@pytest.mark.parametrize(
    "name", ["parallel tools", "retries and backoff", "reasoning, a slow framework, a person"]
)
async def test_no_bucket_holds_less_than_was_waited(name: str, spans: bool, tmp_path: Path) -> None:
    scenario = bench.SCENARIOS[name]
    ledger: Ledger
    ledger, _ = await bench.record(name, spans=spans, folder=tmp_path)
    for bucket, seconds in bench.truth(scenario, spans=spans).items():
        assert ledger.bucket_s(bucket) >= seconds - TICK_S, bucket
    assert sum(entry.wall_s for entry in ledger.entries) == pytest.approx(ledger.wall_s, abs=1e-6)
    [model] = ledger.models
    failures = sum(step.get("failures", 0) for step in scenario)
    assert (model.calls, model.attempts) == (len(scenario), len(scenario) + failures)
    runs = sum(len(step.get("tools", ())) for step in scenario)
    assert sum(row.runs for row in ledger.tools) == runs
    assert sum(row.outside for row in ledger.tools) == (0 if spans else runs)
    assert len(ledger.steps) == len(scenario)
    retried = next((item for item in ledger.tax if item.kind == "retries"), None)
    assert (retried.count if retried is not None else 0) == failures
