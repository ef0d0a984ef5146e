"""A plan's page: what fits, the frontier where success is known, and what is missing where it is not."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from tithe.report import plan_page
from tithe.report.plan_page import as_plan_page
from tithe.whatif import BUDGETS, Plan, plan_budgets

from .browser import COLLISIONS, EVIL, MARKS, PATIENCE, WIDER, needs_chromium

TIME = Plan(ttft_s=0.6, tokens_per_s=60)
OF_TASK = Plan(ttft_s=0.6, tokens_per_s=60, tool_s=0.4, steps=10)
KNOWN = Plan(ttft_s=0.6, tokens_per_s=60, tool_s=0.4, steps=10, success=0.95, jitter=0.3)
BOUNDED = Plan(ttft_s=0.6, tokens_per_s=60, tool_s=0.4, steps=10, success=0.95)
# A step takes no time, but for one that is checked, or chosen.
NOTHING = Plan(ttft_s=0.0, tokens_per_s=60, out=0)


def page(plan: Plan, budgets=BUDGETS):
    return as_plan_page(plan_budgets(plan, budgets), ["A note."], endpoint="there", agent="an agent")


def text(plan: Plan, *, endpoint: str = "there", agent: str = "an agent") -> str:
    return plan_page(plan_budgets(plan, BUDGETS), ["A note."], endpoint=endpoint, agent=agent)


def test_the_frontier_has_a_line_and_the_rest_for_each_speed():
    frontier = page(KNOWN).figures[0]
    drawing = frontier.panels[0].drawing
    assert [one.name for one in drawing.series] == [
        "1x, best", "1x, others", "3x, best", "3x, others", "10x, best", "10x, others",
    ]  # fmt: skip
    assert [one.joined for one in drawing.series] == [True, False] * 3
    assert [len(one.intervals) for one in drawing.series] == [4, 2] * 3
    for one in drawing.series:
        assert [mark.at for mark in one.intervals] == sorted(mark.at for mark in one.intervals)
    assert drawing.series[0].intervals[0].value == pytest.approx(100 * (0.95 * 0.95) ** 10)
    # Of five budgets those within the axis: it goes from 5 to 100 s.
    assert [rule.at for rule in drawing.rules] == [30.0]
    assert re.fullmatch(r"Right at most: 90 % in 3\d\.\d s at 1x, .* at 10x", frontier.title)


@pytest.mark.parametrize(("plan", "what"), [(TIME, "a step"), (OF_TASK, "a task")])
def test_without_success_time_alone_is_shown_and_what_is_missing(plan, what):
    [alone, *_] = page(plan).figures
    assert alone.title == f"What {what} takes; how often it is right is not known"
    assert "--success" in alone.caption[0]
    assert [len(one.intervals) for one in alone.panels[0].drawing.series] == [6, 6, 6]
    assert "right" not in alone.tables[0].heads


def test_a_budget_says_what_fits_into_it_at_which_speed():
    found = page(msgspec.structs.replace(KNOWN, retries=0.0), [("", 10.0)])
    [line] = found.headlines
    assert (line.outcome, line.good) == ("fits at 10x", None)
    assert line.sentence == "At 1x: none. At 3x: none. At 10x: all designs."
    assert found.anchors[line.about] == found.figures[1].anchor == "budget-10"
    assert [line.good for line in page(KNOWN, [("", 60.0), ("", 0.5)]).headlines] == [True, False]


def test_budgets_that_are_as_long_stand_apart_and_have_one_line_in_the_chart():
    found = page(KNOWN, [("", 30.0), ("browser", 30.0)])
    assert [figure.anchor for figure in found.figures[1:]] == ["budget-30", "budget-browser30"]
    assert len(found.figures[0].panels[0].drawing.rules) == 1


def test_what_may_not_fit_is_told_as_not_known():
    [line] = page(BOUNDED, [("", 30.0)]).headlines
    assert (
        "At 10x: plain, retries, verify, critique; not known of 2 candidates, 3 candidates." in line.sentence
    )
    figure = page(BOUNDED, [("", 30.0)]).figures[1]
    assert figure.title == "30.0 s: 10 of 18 combinations of design and speed fit, and of 4 it is not known"
    told = {row[:2]: row for row in figure.tables[0].rows}
    assert told["2 candidates", "10x"][-1] == "not known"
    assert all(cell.startswith("≤") for cell in told["2 candidates", "10x"][2:5])


def test_a_mark_where_counting_ended_is_not_one_of_a_count():
    drawing = page(TIME, [("", 3600.0)]).figures[1].panels[0].drawing
    by_name = {one.name: one for one in drawing.series}
    assert by_name["1x, 1,000 or more"].symbol != by_name["1x"].symbol
    assert {mark.value for mark in by_name["1x, 1,000 or more"].intervals} == {1000.0}
    assert all(mark.value < 1000 for name in ("1x", "3x", "10x") for mark in by_name[name].intervals)


def test_a_budget_that_no_step_fits_into_has_no_axis_of_steps():
    [_, steps] = page(OF_TASK, [("", 0.5)]).figures
    assert not any(one.intervals for one in steps.panels[0].drawing.series)
    assert "No step fits." in text(OF_TASK)


def test_what_is_not_known_to_be_best_is_told_as_that():
    table = page(BOUNDED).figures[0].tables[0]
    told = {row[0]: row for row in table.rows}
    assert told["3 candidates"][-1] == "not known"
    assert told["3 candidates"][2].startswith("≥")


def test_what_takes_no_time_has_no_place_on_a_logarithmic_axis():
    [alone, *_] = page(NOTHING).figures
    marks = [mark.at for one in alone.panels[0].drawing.series for mark in one.intervals]
    assert marks == ["verify", "2 candidates", "3 candidates"] * 3
    assert len(alone.tables[0].rows) == 18


def test_words_from_outside_are_text():
    found = text(KNOWN, endpoint=EVIL)
    assert EVIL not in found
    assert "&lt;img src=x" in found


@needs_chromium
@pytest.mark.parametrize("plan", [TIME, OF_TASK, KNOWN, BOUNDED], ids=["time", "task", "known", "bounded"])
async def test_it_draws_and_fits_at_every_width_in_both_themes(chromium, plan, tmp_path: Path):
    written = tmp_path / "plan.html"
    await asyncio.to_thread(written.write_text, text(plan), "utf-8")
    for width, scheme in ((1280, "light"), (400, "dark")):
        context = await chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        shown = await context.new_page()
        said: list[str] = []
        asked: list[str] = []
        shown.on("console", lambda message, said=said: said.append(message.text))
        shown.on("pageerror", lambda error, said=said: said.append(str(error)))
        shown.on("request", lambda request, asked=asked: asked.append(request.url))
        await shown.goto(written.as_uri(), timeout=PATIENCE)
        drawn = dict(await shown.evaluate(MARKS))
        # Each design at each speed is a mark, but where no step fits.
        fitting = [one for one in plan_budgets(plan, BUDGETS) if any(row.steps_p50 for row in one.rows)]
        assert list(drawn.values()) == [18] * (1 + len(fitting))
        assert drawn["frontier-0"] == 18
        assert await shown.evaluate(WIDER) <= 0
        assert await shown.locator("#frontier-0").evaluate(COLLISIONS) == []
        assert (said, asked) == ([], [written.as_uri()])
        await context.close()
