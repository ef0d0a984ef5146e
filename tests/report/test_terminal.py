import re

import pytest

from tithe.audit import Failure, Observation, Stamp
from tithe.report.failures import failure_lines
from tithe.report.figures import counted

TRUTHS = {
    "all is well": {},
    "calls break": {"fails_every": 7},
    "no usage": {"reports_usage": False},
    "no cached tokens": {"reports_cached": False, "caches": False},
    "short answers": {"ends_after": 60},
    "free is never valid": {"free_valid_every": 0},
    "fast": {"base_s": 0.012, "uncached_token_s": 0.00001, "decode_s": 0.0001},
    "no task is solved": {"solves": ()},
    "slow": {"base_s": 2.0, "uncached_token_s": 0.002, "decode_s": 0.05},
}


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_it_fits_the_width_and_no_cell_is_cut(report, printed, truth, width):
    out = printed(report(**truth), width)
    assert max(len(line) for line in out.splitlines()) <= width
    assert "…" not in out


def test_verdicts_come_first_and_each_measurement_has_its_table(report, printed):
    out = printed(report())
    order = [
        "Prefix cache",
        "Task  ",
        "Cached against uncached TTFT",
        "Short generations, prefix cached",
        "Structured output",
        "Concurrent agents",
        "The task",
        "The client",
    ]
    places = [out.index(words) for words in order]
    assert places == sorted(places)


def test_figures_have_units_intervals_and_the_truth(report, printed):
    out = printed(report())
    assert "(ms)" in out
    assert "2,048        221 [221 221]  16.0 [16.0 16.0]     205 [205 205]  2,048/2,108" in out
    assert "80 tokens 1.00 ms" in out
    assert "Event loop late by at most 100 µs" in out


def test_what_went_wrong_is_counted_and_named(report, printed):
    out = printed(report(fails_every=7, free_valid_every=0))
    assert "failed" in out.splitlines()[2]
    assert "failed: The known endpoint breaks this call" in " ".join(out.split())
    assert "In no figure: 4 calls failed" in out
    assert "json free:" in out
    assert "(2 asked again)" in out


def test_unreported_is_said_and_never_zero(report, printed):
    out = printed(report(reports_usage=False))
    assert "n/r: the endpoint does not report cached tokens." in out
    assert "assumed: no usage was reported" in out
    row = next(line for line in out.splitlines() if line.strip().startswith("2,048 "))
    assert row.split()[-1] == "n/r"


def test_a_short_answer_is_told_with_what_came(report, printed):
    out = printed(report(ends_after=60))
    row = next(line for line in out.splitlines() if line.strip().startswith("100 "))
    assert row.split()[:2] == ["100", "60"]
    assert "ended before the length asked for" in out


def test_a_slow_endpoint_is_told_in_seconds(report, printed):
    out = printed(report(**TRUTHS["slow"]))
    row = next(line for line in out.splitlines() if line.strip().startswith("2,048 "))
    assert row.split()[1:4] == ["6.22", "[6.22", "6.22]"]


def test_reasoning_before_the_answer_is_told(report, printed):
    assert "The model reasons" not in printed(report())
    assert "The model reasons: of 50 tokens, the first visible one came after 36.0 ms." in printed(
        report(reasons=20)
    )
    assert "no visible token came" in printed(report(reasons=1000))


def test_a_length_beyond_the_context_is_not_called_unreported(report, printed):
    out = printed(report(context=1500))
    assert re.search(r"2,048 tokens: not measured, the endpoint [0-9]+ tokens do not fit 1500\.", out)
    assert "does not report cached tokens" not in out
    row = next(line for line in out.splitlines() if line.strip().startswith("2,048 "))
    assert row.split()[1:] == ["-", "-", "-", "-"]


def test_a_measurement_whose_prompt_is_not_taken_says_so_and_has_no_rounds(report, printed):
    out = " ".join(printed(report(context=1000)).split())
    told = "Not measured. The endpoint does not take its calls: 1084 tokens do not fit 1000."
    assert f"Short generations, prefix cached {told}" in out
    assert f"Concurrent agents, shared system prompt {told}" in out
    assert "0 rounds" not in out


def observation(failure: Failure | None, *stamps: Stamp) -> Observation:
    return Observation(label="x", begun=0.0, sent=0.0, ended=1.0, failure=failure, stamps=stamps)


def test_failures_that_differ_in_numbers_are_one_line_and_all_are_shown():
    seen = [observation(Failure(kind="Refused", message=f"{n} tokens do not fit")) for n in range(4)]
    seen += [observation(Failure(kind=kind, message=kind)) for kind in ("A", "B", "C", "D", "E", "E")]
    seen += [observation(None), observation(None, Stamp(0.5, "text"))]
    told = failure_lines(seen)
    assert told[0] == "4 calls of x failed: 0 tokens do not fit (numbers differ)"
    assert "2 calls of x failed: E" in told
    assert "1 call of x came back empty." in told
    assert len(told) == 7
    assert sum(int(line.split()[0]) for line in told) == 11


def test_all_failures_of_a_report_are_in_its_list(report, printed):
    found = report(fails_every=7)
    counts = re.findall(r"^  (\d+) calls? of ", printed(found), re.MULTILINE)
    assert sum(map(int, counts)) == found.failures > 0


def test_an_audit_that_gave_up_says_so_above_the_verdicts(report, printed):
    found = report(fails_after=60)
    out = printed(found)
    assert out.index("The audit gave up: 25 calls in a row failed") < out.index("Prefix cache")
    assert "not asked: the audit had given up by then" in " ".join(out.split())
    assert "NotAsked" not in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_the_time_between_chunks_is_told(report, printed):
    assert "Between the chunks of 200 tokens: 1.00 ms p50, 1.00 ms p99" in printed(report())


def test_what_rows_and_cells_count_is_told(report, printed):
    assert "Rows are the lengths asked for" in printed(report())
    assert "Rows are the lengths asked for" not in printed(report(reports_cached=False, caches=False))


def test_a_withheld_verdict_marks_its_table(report, printed):
    out = " ".join(printed(report(lag=0.5)).split())
    told = "The figures stand as measured, and the client may be in them."
    assert out.count(told) == 5
    assert "Cached against uncached TTFT No verdict: the client's event loop was 500 ms late" in out
    assert told not in printed(report())


def test_one_of_a_kind_is_told_in_the_singular():
    line = failure_lines([observation(Failure(kind="A", message="no"))])
    assert line == ["1 call of x failed: no"]
    assert (counted(1, "answer"), counted(2, "answer"), counted(1200, "call")) == (
        "1 answer",
        "2 answers",
        "1,200 calls",
    )


def test_where_there_are_too_few_calls_for_a_p95_the_cell_is_empty_and_says_why(report, printed):
    out = printed(report())
    assert re.search(r"^  1 +[0-9].* - +- ", out, re.MULTILINE)
    assert "A p95 takes 20 calls and a p99 100; with fewer there is none." in " ".join(out.split())


def test_what_was_waited_for_is_told_whoever_was_turned_away(report, printed):
    alone = " ".join(printed(report(turns_away=(6, 7))).split())
    assert "turned 2 calls away for now, with a Retry-After; the audit waited 1.00 s in all for it" in alone
    of_a_task = report(turns_away=(report().calls - 1,))
    assert not of_a_task.refused
    told = " ".join(printed(of_a_task).split())
    assert "turned 1 call away for now, with a Retry-After; the audit waited 500 ms in all for it" in told


def test_the_warm_up_is_shown_apart(report, printed):
    found = report()
    first = [one for one in found.warm_up.observations if one.label == "warm-up"]
    assert len(first) == 3
    assert "Warm-up, in no figure: first tokens after" in " ".join(printed(found).split())
