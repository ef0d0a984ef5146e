"""The calls as a file: what a reader of CSV finds in it, against the report that it was made of."""

import csv
import io
import re
import statistics
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tithe.audit import NOT_ASKED, AuditReport
from tithe.report import calls_csv
from tithe.report.calls_csv import COLUMNS, CallRow
from tithe.report.failures import observations

TRUTHS = {
    "all is well": {},
    "calls break": {"fails_every": 7},
    "no usage": {"reports_usage": False},
    "short answers": {"ends_after": 60},
    "gave up": {"fails_after": 60},
    "reasons": {"reasons": 2},
    "turned away": {
        "turns_away": (1, 4, 6, 7, 12, 13, 14, 15, 70, 100, 140, 160, 161, 175),
        "ends_after": 60,
    },
}


def read(report: AuditReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(calls_csv(report), newline=""), strict=True))


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_every_call_of_the_report_is_a_row_and_nothing_else_is(report, truth):
    found = report(**truth)
    rows = read(found)
    assert len(rows) == found.calls
    assert len(rows) == sum(
        one.failure is None or one.failure.kind != NOT_ASKED for one in observations(found)
    )
    assert sum(row["asked_again"] == "true" for row in rows) == found.asked_again
    assert sum(row["failure"] != "" for row in rows) == found.failures
    begun = [float(row["begun_s"]) for row in rows]
    assert begun == sorted(begun)
    assert begun[0] >= 0


def test_it_has_calls_of_every_measurement_and_kind(report):
    counted = Counter((row["measurement"], row["part"]) for row in read(report()))
    assert set(counted) == {
        ("warm-up", "warm-up"), ("warm-up", "calibration"),
        ("pairs", "prime"), ("totals", "prime"), ("structured", "prime"), ("concurrency", "prime"), ("task", "prime"),
        ("pairs", "sample"), ("totals", "sample"), ("structured", "sample"), ("concurrency", "sample"),
        ("arrivals", "sample"), ("task", "sample"),
    }  # fmt: skip


def test_figures_made_from_it_are_the_report_s(report):
    found = report(fails_every=7)
    rows = [row for row in read(found) if row["answered"] == "true" and row["part"] == "sample"]
    for figures in found.measured.pairs.figures.lengths:
        for arm, told in (("cached", figures.cached_ttft_s), ("uncached", figures.uncached_ttft_s)):
            ttfts = [
                float(row["ttft_s"])
                for row in rows
                if (row["measurement"], row["arm"], row["length"]) == ("pairs", arm, str(figures.length))
            ]
            assert len(ttfts) == told.n
            assert statistics.median(ttfts) == pytest.approx(told.value, abs=1e-9)
    for level in found.measured.concurrency.figures:
        here = [row for row in rows if row["agents"] == str(level.agents)]
        assert len(here) == level.calls - level.failed
        ttft = statistics.median(float(row["ttft_s"]) for row in here)
        assert ttft == pytest.approx(level.ttft_p50_s.value, abs=1e-9)
    for arrivals in found.measured.concurrency.arrivals:
        due = [
            float(row["first_s"]) - float(row["due_s"]) for row in rows if row["load"] == str(arrivals.load)
        ]
        assert statistics.median(due) == pytest.approx(arrivals.figures.ttft_p50_s.value, abs=3e-9)
    for arm in found.measured.structured.figures:
        classes = Counter(
            row["validity"]
            for row in read(found)
            if row["measurement"] == "structured" and row["part"] == "sample" and row["arm"] == arm.arm
        )
        assert classes == arm.classes


def test_a_call_s_place_is_told(report):
    rows = read(report(ends_after=60))
    asked = [row for row in rows if row["measurement"] == "totals" and row["wanted_tokens"] == "100"]
    assert [(row["repeat"], row["attempt"], row["asked_again"]) for row in asked[:3]] == [
        ("0", "0", "false"), ("0", "1", "true"), ("1", "0", "false"),
    ]  # fmt: skip
    prime = next(row for row in rows if row["measurement"] == "pairs" and row["part"] == "prime")
    assert (prime["length"], prime["repeat"], prime["arm"]) == ("256", "", "")
    (agent,) = (
        row
        for row in rows
        if (row["agents"], row["round"], row["agent"], row["step"]) == ("4", "0", "3", "1")
    )
    assert agent["measurement"] == "concurrency"
    families = {row["family"] for row in rows if row["measurement"] == "task"}
    assert len(families) == 3
    assert "" not in families


def test_a_call_that_was_turned_away_is_a_row_and_what_then_came_is_asked_again(report):
    rows = read(report(turns_away=(6, 7, 11)))
    primes = [row for row in rows if (row["measurement"], row["part"]) == ("pairs", "prime")]
    assert [(row["length"], row["attempt"], row["asked_again"], row["http_status"]) for row in primes] == [
        ("256", "0", "false", "429"), ("256", "1", "true", "429"), ("256", "2", "true", ""),
        ("1024", "0", "false", ""), ("2048", "0", "false", ""),
    ]  # fmt: skip
    first, again, after = [row for row in rows if row["part"] == "sample"][:3]
    assert (first["answered"], again["answered"], after["attempt"]) == ("false", "true", "0")
    assert (first["arm"], first["length"]) == (again["arm"], again["length"])


def test_what_is_not_reported_is_empty_and_what_is_zero_is_zero(report):
    silent = read(report(reports_usage=False))
    tokens = ("prompt_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    assert {row[name] for row in silent for name in tokens} == {""}
    uncached = read(report(caches=False))
    assert {row["cached_tokens"] for row in uncached} == {"0"}
    assert {row["cached_tokens"] for row in read(report(reports_cached=False, caches=False))} == {""}


def test_reasoning_is_told_from_what_is_seen(report):
    rows = [
        row for row in read(report(reasons=2)) if row["measurement"] == "totals" and row["answered"] == "true"
    ]
    longer = [row for row in rows if row["part"] == "sample"]
    assert all(float(row["visible_ttft_s"]) > float(row["ttft_s"]) for row in longer)
    assert all(float(row["first_visible_s"]) > float(row["first_s"]) for row in longer)


def test_a_failed_call_has_its_kind_and_no_time_that_did_not_happen(report):
    failed = [row for row in read(report(fails_after=60)) if row["failure"]]
    assert {row["failure"] for row in failed} == {"StreamBroken"}
    assert {(row["answered"], row["finish"], row["http_status"]) for row in failed} == {("false", "", "")}
    assert {row["validity"] for row in failed if row["measurement"] == "structured"} <= {"failed", ""}


def test_it_keeps_to_the_rfc(report):
    text = calls_csv(report())
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert len({line.count(",") for line in text.split("\r\n")[:-1]}) == 1
    assert not re.search(r"\d\.?\d*e[+-]\d", text)


def test_no_words_of_the_endpoint_are_in_it(report):
    found = report()
    samples = tuple(
        msgspec.structs.replace(one, observation=msgspec.structs.replace(one.observation, text="=SECRET()"))
        for one in found.measured.pairs.samples
    )
    pairs = msgspec.structs.replace(found.measured.pairs, samples=samples)
    changed = msgspec.structs.replace(found, measured=msgspec.structs.replace(found.measured, pairs=pairs))
    assert "SECRET" not in calls_csv(changed)


def test_every_column_is_explained():
    explained = re.findall(r"^(\w+): ", (CallRow.__doc__ or "").replace("    ", ""), re.MULTILINE)
    assert tuple(explained) == COLUMNS
    page = (Path(__file__).parents[2] / "docs" / "report.md").read_text("utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in page] == []
