"""docs/report.md is true: it names every field of a report, and its examples run on one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tithe.audit import AuditReport, report_schema
from tithe.audit.audit import REPORT_VERSION
from tithe.report import calls_csv

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text("utf-8")
# In a cell of a table, or in a sentence: names with dots, as `measured.pairs.samples`.
NAMED = re.compile(r"`((?:measured|prediction|verdicts|client)[\w.\[\]]*)`")


@pytest.fixture
def saved(report, tmp_path: Path) -> Path:
    file = tmp_path / "audit.json"
    file.write_bytes(msgspec.json.encode(report()))
    return file


def run(*command: str, given: bytes | None = None) -> str:
    ended = subprocess.run(command, check=True, capture_output=True, input=given)
    return ended.stdout.decode()


def test_every_field_of_a_report_is_named():
    table = PAGE.split("## Fields of the whole")[1].split("## ")[0]
    first = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`(\w+)`", first)) == set(AuditReport.__struct_fields__)


def test_the_version_is_the_one_that_is_written():
    assert f"This is version {REPORT_VERSION}." in PAGE
    assert f'assert report["version"] == {REPORT_VERSION}' in PAGE


def test_what_it_says_to_read_is_there():
    kinds = report_schema()["$defs"]
    named = NAMED.findall(PAGE)
    assert len(named) > 10
    for path in named:
        kind = kinds["AuditReport"]
        for name in path.replace("[]", "").split("."):
            assert name in kind["properties"], path
            found = kind["properties"][name]
            while "$ref" not in found and ("items" in found or "anyOf" in found):
                found = found["items"] if "items" in found else found["anyOf"][0]
            kind = kinds[found["$ref"].rpartition("/")[2]] if "$ref" in found else {"properties": {}}


def test_the_example_in_python_runs(report, saved: Path):
    (example,) = re.findall(r"<!-- example -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    out = run(sys.executable, "-c", example, str(saved))
    lines = out.splitlines()
    assert [line.split(" tokens")[0] for line in lines[:3]] == ["256", "1024", "2048"]
    told = report().measured.pairs.figures.lengths[0].cached_ttft_s
    assert f"{told.value * 1e3:.1f} ms, n = {told.n}" in lines[0]
    assert lines[3].startswith("slowest first token: sent ")


def test_the_example_of_the_table_runs(report, tmp_path: Path):
    (example,) = re.findall(r"python -c '(.*?)' calls\.csv", PAGE, re.DOTALL)
    table = tmp_path / "calls.csv"
    table.write_bytes(calls_csv(report()).encode())
    told = report().measured.pairs.figures.lengths[-1].cached_ttft_s
    assert float(run(sys.executable, "-c", example, str(table))) == pytest.approx(told.value, abs=1e-9)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_example_in_jq_runs(report, saved: Path):
    (example,) = re.findall(r"jq -r '(.*?)'", PAGE)
    standing = [verdict for verdict in report().verdicts if verdict.withheld is None]
    told = run("jq", "-r", example, given=saved.read_bytes())
    assert told.splitlines() == [f"{verdict.about}: {verdict.outcome}" for verdict in standing]
