"""A saved report read again: whole, or refused with what is wrong."""

import msgspec
import pytest

from tithe.audit import AuditReport, read_report
from tithe.audit.audit import REPORT_VERSION
from tithe.core.errors import UsageError


def refused(written: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read_report(written, "report.json")
    return caught.value.message


def changed(report: AuditReport, **changes: object) -> bytes:
    measured = msgspec.structs.replace(report.measured, **changes)
    return msgspec.json.encode(msgspec.structs.replace(report, measured=measured))


def test_a_report_comes_back_whole(bench):
    report = bench().audit()
    assert read_report(msgspec.json.encode(report), "report.json") == report


def test_another_version_is_refused_by_its_number():
    said = refused(b'{"version": 1, "tithe": "0.0.9"}')
    assert said.startswith("report.json is a report of version 1, written by Tithe 0.0.9")
    assert f"reports of version {REPORT_VERSION}" in said


@pytest.mark.parametrize(
    "written",
    [b"", b"{", b"[]", b"null", b'{"a": 1}', b'{"version": "2"}', b'{"version": 3}', b"\xff", b"[" * 100_000],
    ids=["nothing", "cut", "a list", "null", "no version", "words", "no more", "bytes", "deep"],
)
def test_what_is_no_report_is_refused(written: bytes):
    assert refused(written).startswith("report.json is no audit report: ")


def test_a_report_that_lacks_a_part_is_refused(bench):
    report = bench().audit()
    measured = report.measured
    fewer = msgspec.structs.replace(measured.structured, figures=measured.structured.figures[:2])
    assert "other arms" in refused(changed(report, structured=fewer))
    unjudged = msgspec.structs.replace(report, verdicts=())
    assert "0 verdicts, not 5" in refused(msgspec.json.encode(unjudged))
