"""What an audit's page says and draws, from reports with known truths."""

import msgspec
import pytest

from tithe.audit import AuditReport
from tithe.report import audit_page
from tithe.report.audit_page import as_page
from tithe.report.drawing import Samples, Stacks, marks
from tithe.report.page import Figure, Page

TRUTHS = {
    "all is well": {},
    "calls break": {"fails_every": 7},
    "no usage": {"reports_usage": False},
    "no cached tokens": {"reports_cached": False, "caches": False},
    "short answers": {"ends_after": 60},
    "free is never valid": {"free_valid_every": 0},
    "no task is solved": {"solves": ()},
    "slow": {"base_s": 2.0, "uncached_token_s": 0.002, "decode_s": 0.05},
    "gave up": {"fails_after": 60},
    "gave up at once": {"fails_after": 6},
    "busy client": {"lag": 0.5},
}


def figure(page: Page, anchor: str) -> Figure:
    return next(one for one in page.figures if one.anchor == anchor)


def samples(page: Page, anchor: str, place: int = 0) -> Samples:
    drawing = figure(page, anchor).panels[place].drawing
    assert isinstance(drawing, Samples)
    return drawing


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_every_truth_makes_a_whole_page(report, truth):
    found = report(**truth)
    page = as_page(found)
    assert [one.anchor for one in page.figures] == [
        "cache", "short-generations", "structured-output", "concurrency", "task", "client",
    ]  # fmt: skip
    assert set(page.anchors) == {line.about for line in page.headlines}
    for one in page.figures:
        assert one.title
        assert one.formulas
        assert one.tables or found.gave_up is not None
        for table in one.tables:
            # No rows where the audit ended before there were any.
            assert {len(row) for row in table.rows} <= {len(table.heads)}
    assert "None" not in audit_page(found).split('id="drawings"')[0]


def test_every_answered_call_is_a_mark(report):
    found = report(fails_every=7)
    page, measured = as_page(found), found.measured
    answered = [sample for sample in measured.pairs.samples if sample.observation.answered]
    assert sum(len(one.points) for one in samples(page, "cache").series) == len(answered)
    calls = [
        seen
        for one in measured.concurrency.rounds
        for run in one.runs
        for seen in run.observations
        if seen.answered
    ]
    assert sum(len(one.points) for one in samples(page, "concurrency").series) == len(calls)
    assert any("failed, came back empty or not asked" in line for line in figure(page, "cache").caption)


def test_marks_are_in_the_unit_of_their_axis(report):
    fast, slow = as_page(report()), as_page(report(**TRUTHS["slow"]))
    drawing = samples(fast, "cache")
    assert drawing.value.label == "TTFT (ms)"
    uncached, cached = drawing.series
    # 10 ms and 0.1 ms for each of the tokens that are not in the cache: 60 of 2,108.
    assert cached.intervals[-1].value == pytest.approx(16.0, abs=0.1)
    assert uncached.intervals[-1].value == pytest.approx(220.8, abs=0.5)
    assert uncached.intervals[-1].at == 2048.0
    assert samples(slow, "cache").value.label == "TTFT (s)"
    assert samples(slow, "cache").series[0].intervals[-1].value == pytest.approx(6.2, abs=0.1)


def test_the_knee_is_a_rule_with_its_interval_in_both_charts(report, with_knee):
    page = as_page(with_knee(report(), 3.97, 3.06, 5.57))
    for place in (0, 1):
        drawing = samples(page, "concurrency", place)
        (rule,) = drawing.rules
        assert (rule.at, rule.low, rule.high) == (3.97, 3.06, 5.57)
        assert (rule.label, rule.name) == ("knee 3.97", "knee with its 95 % interval")
        assert (drawing.position.low, drawing.position.high) == (1.0, 16.0)
        assert drawing.position.values == (1.0, 2.0, 4.0, 8.0, 16.0)


def test_an_interval_beyond_the_agents_that_ran_stretches_the_axis(report, with_knee):
    position = samples(as_page(with_knee(report(), 1.1, 0.9, 19.5)), "concurrency").position
    assert (position.low, position.high) == (0.9, 19.5)


def test_without_an_interval_the_knee_is_a_line_alone(report, with_knee):
    (rule,) = samples(as_page(with_knee(report(), 3.0)), "concurrency").rules
    assert (rule.low, rule.high, rule.name) == (None, None, "knee")


@pytest.mark.parametrize("truth", [{}, TRUTHS["gave up at once"], TRUTHS["no usage"]], ids=str)
def test_where_no_knee_is_known_none_is_marked(report, truth):
    page = as_page(report(**truth))
    assert samples(page, "concurrency").rules == samples(page, "concurrency", 1).rules == ()


def test_a_client_that_cannot_vouch_marks_no_knee(report, with_knee):
    page = as_page(with_knee(report(**TRUTHS["busy client"]), 3.97, 3.06, 5.57))
    assert samples(page, "concurrency").rules == ()


def test_the_server_s_own_count_stands_beside_it(report):
    drawing = samples(as_page(report()), "cache", 1)
    assert {point.value for point in drawing.series[1].points} == {256.0, 1024.0, 2048.0}
    assert drawing.guides[0].line[-1] == (2048.0, 2108.0)


def test_what_is_not_reported_is_said_and_never_drawn_as_zero(report):
    page = as_page(report(reports_usage=False))
    panel = figure(page, "cache").panels[1]
    assert marks(panel.drawing) == 0
    assert panel.empty.startswith("Not reported: ")
    assert all(row[4:6] == ("not reported", "not reported") for row in figure(page, "cache").tables[0].rows)
    assert figure(page, "concurrency").panels[1].empty.startswith("Not reported: ")
    assert not samples(page, "short-generations").guides
    rate = [row[4] for row in figure(page, "concurrency").tables[0].rows]
    assert set(rate) == {"not reported"}


def test_the_chat_figure_s_promise_is_a_line(report):
    found = report(base_s=0.05)
    chat = found.measured.totals.figures.chat
    (guide,) = samples(as_page(found), "short-generations").guides
    assert guide.line[0] == (0.0, 0.0)
    assert guide.line[1] == (200.0, pytest.approx(200 / chat.tokens_per_s.value * 1e3))
    assert figure(as_page(found), "short-generations").title == (
        "A step of 80 tokens takes 135 ms, 1.30 times what the chat figure promises"
    )


def test_a_call_stands_at_the_tokens_that_came(report):
    drawing = samples(as_page(report(ends_after=60)), "short-generations")
    measured, short = drawing.series
    assert {point.at for point in measured.points} == {50.0}
    assert {point.at for point in short.points} == {60.0}


def test_answers_are_told_apart_by_form_and_colour(report):
    page = as_page(report(free_valid_every=0))
    drawing = samples(page, "structured-output")
    looks = {one.name: (one.symbol, one.colour) for one in drawing.series if one.points}
    assert {"valid", "cut"} <= set(looks)
    assert len(set(looks.values())) == len({symbol for symbol, _ in looks.values()}) == len(looks)
    shares = samples(page, "structured-output", 1).series[0].intervals
    assert (shares[0].value, shares[1].value, shares[1].low) == (100.0, 0.0, 0.0)
    assert shares[1].high > 40
    assert "expected, at least" in {one.name for one in drawing.series if one.intervals}
    assert figure(page, "structured-output").tables[0].rows[1][4].startswith("over ")


def test_the_parts_of_a_run_sum_to_its_wall_clock(report):
    found = report(fails_every=7)
    shown, every = (panel.drawing for panel in figure(as_page(found), "task").panels)
    assert isinstance(shown, Stacks)
    assert isinstance(every, Stacks)
    task = found.measured.task
    assert sum(shown.rows[0].values) == pytest.approx(task.figures.account.wall_s * 1e3)
    assert len(every.rows) == len(task.runs)
    for row, run in zip(every.rows, task.runs, strict=True):
        assert sum(row.values) == pytest.approx(run.wall_s * 1e3)


def test_a_solved_run_is_told_in_words_and_a_sign(report):
    _, every = (panel.drawing for panel in figure(as_page(report(solves=(1,))), "task").panels)
    assert [row.end for row in every.rows] == ["✗ not solved", "✓ solved", "✗ not solved"]


def test_a_withheld_verdict_leaves_its_title_without_a_claim(report):
    page = as_page(report(lag=0.5))
    assert not [one.title for one in page.figures[:5] if any(sign.isdigit() for sign in one.title)]
    assert page.figures[5].title == "The client cannot vouch for 5 of 5 verdicts"
    assert all("the client may be in them" in one.caption[0] for one in page.figures[:5])


def test_an_audit_that_gave_up_says_so_and_empty_charts_say_why(report):
    page = as_page(report(fails_after=6))
    assert page.alerts[0].startswith("The audit gave up: 25 calls in a row failed")
    empty = [panel.empty for one in page.figures[:5] for panel in one.panels if not marks(panel.drawing)]
    assert len(empty) == 9
    assert all(why.startswith("Nothing to draw: ") for why in empty)
    assert any("none was answered" in why for why in empty)
    assert any("had ended before" in why for why in empty)
    assert page.figures[5].title == "Of 5 verdicts, 5 have no answered call to stand on"


def test_runs_whose_calls_failed_are_no_run_to_show(report):
    found = report()
    failed = tuple(msgspec.structs.replace(run, outcome="failed") for run in found.measured.task.runs)
    figures = msgspec.structs.replace(
        found.measured.task.figures, shown=None, account=None, solved=None, failed=len(failed)
    )
    task = msgspec.structs.replace(found.measured.task, runs=failed, figures=figures)
    measured = msgspec.structs.replace(found.measured, task=task)
    shown, every = figure(as_page(msgspec.structs.replace(found, measured=measured)), "task").panels
    assert (marks(shown.drawing), shown.empty) == (0, "Nothing to draw: no run came to its end.")
    assert [row.end for row in every.drawing.rows] == ["– calls failed"] * 3


def test_the_client_s_part_stands_beside_the_figures(report):
    drawing = samples(as_page(report()), "client")
    fifth, measured, floor, lag = drawing.series
    assert [one.value for one in fifth.intervals] == pytest.approx(
        [one.value / 5 for one in measured.intervals]
    )
    assert [one.value for one in floor.intervals] == pytest.approx([1.0] * 5, abs=1e-3)
    assert len(lag.intervals) == 5
    assert drawing.value.scale == "log"


def test_a_report_comes_back_from_json_to_the_same_page(report):
    found = report()
    again = msgspec.json.decode(msgspec.json.encode(found), type=AuditReport)
    assert audit_page(again) == audit_page(found)
