"""A projection's page without a browser: what it says and draws, and what its sliders are given."""

import json
import re

import msgspec
import pytest

from tithe.report import audit_page
from tithe.report.drawing import Sliders, Stacks
from tithe.report.figures import seconds
from tithe.report.page import Figure, json_for_script
from tithe.report.whatif_page import as_whatif_page
from tithe.whatif import (
    Change,
    Description,
    Graph,
    Projection,
    compiled,
    described_graph,
    own_call_times,
    project,
)

from .projections import any_graph, projected
from .test_page import Reader

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m"
MISSION = described_graph(Description(steps=10, tool_s=0.4, failed=1, retry_s=2.0))


def figures(graphs: list[Graph], change: Change) -> tuple[dict[str, Figure], Projection]:
    own = own_call_times(graphs)
    found = project(graphs, change, own)
    page = as_whatif_page(found, change, compiled(graphs, change, own))
    return {figure.anchor: figure for figure in page.figures}, found


def sliders(shown: dict[str, Figure]) -> Sliders:
    drawing = shown["sliders"].panels[0].drawing
    assert isinstance(drawing, Sliders)
    return drawing


def test_the_mission_s_example():
    html, _, _ = projected([MISSION], Change(ttft_s=0.2, tokens_per_s=200))
    text = " ".join(Reader(html).text.split())
    assert "25.3 s before, 12.0 s projected, 2.11 times as fast" in text
    assert "The floor is 4.00 s (tool 4.00 s)" in text
    assert "TTFT 200 ms, 200 tokens/s" in text
    assert "10 % less time a token saves 400 ms" in text
    assert "Every TTFT is the given one, whatever the prompt and the cache." in text


def test_bars_are_the_ledgers_and_end_with_their_sums():
    shown, found = figures([any_graph(1), any_graph(2)], Change(speedup=3))
    drawing = shown["ledgers"].panels[0].drawing
    assert isinstance(drawing, Stacks)
    assert [row.name for row in drawing.rows] == ["before", "projected", "floor"]
    for row, total in zip(drawing.rows[1:], (found.wall.mean, found.floor_s), strict=True):
        assert sum(row.values) == pytest.approx(total)
        assert row.end == seconds(total)
    knobs = shown["knobs"].panels[0].drawing
    assert isinstance(knobs, Stacks)
    assert [row.name for row in knobs.rows] == [knob.name for knob in found.knobs]
    assert (
        f"80 % of them take {seconds(found.wall.low)} to {seconds(found.wall.high)}"
        in shown["ledgers"].caption[0]
    )


def test_only_a_page_with_sliders_carries_their_script(report):
    html, _, _ = projected([MISSION], Change())
    assert len(Reader(html).scripts) == 5
    assert ".sliders" in html.split("</style>")[0]
    other = audit_page(report())
    assert len(Reader(other).scripts) == 4
    assert ".sliders" not in other.split("</style>")[0]


def test_sliders_stand_where_the_flags_put_them():
    shown, _ = figures([MISSION], Change(ttft_s=0.2, tokens_per_s=200, retries=0.05, candidates=7, tools=3.0))
    assert {one.key: one.initial for one in sliders(shown).sliders} == pytest.approx(
        {"ttft_s": 200.0, "tokens_per_s": 200.0, "retries": 5.0, "candidates": 7.0, "tools": 3.0}
    )
    for one in sliders(shown).sliders:
        assert one.least <= one.low <= one.initial <= one.high <= one.most


@pytest.mark.parametrize("change", [Change(speedup=100), Change(ttft_s=60.0, tokens_per_s=0.5)])
def test_a_slider_reaches_what_was_recorded(change):
    shown, _ = figures([MISSION], change)
    by_key = {one.key: one for one in sliders(shown).sliders}
    for key, recorded in (("ttft_s", 0.6), ("tokens_per_s", 60.0)):
        one = by_key[key]
        assert one.low < recorded * one.scale < one.high
        assert one.least <= one.low <= one.initial <= one.high <= one.most


def test_what_cannot_be_moved_has_no_slider_and_the_page_says_why():
    shown, _ = figures([described_graph(Description(steps=3, out=0))], Change())
    assert [one.key for one in sliders(shown).sliders] == ["ttft_s", "retries", "candidates"]
    assert any("No decode rate above zero is known" in line for line in shown["sliders"].caption)


def test_a_difference_between_the_sliders_and_the_projection_is_explained():
    both = [any_graph(seed) for seed in range(20)]
    shown, found = figures(both, Change(speedup=2))
    said = [line for line in shown["sliders"].caption if line.startswith("Unmoved")]
    assert len(said) == 1
    assert seconds(found.wall.mean) in said[0]
    serial, _ = figures([MISSION], Change())
    assert not [line for line in serial["sliders"].caption if line.startswith("Unmoved")]


def test_several_tasks_are_told_apart_and_summed():
    shown, found = figures([any_graph(1), any_graph(2), any_graph(3)], Change(ttft_s=0.1))
    accounts = sliders(shown).accounts
    assert len(accounts) == 4
    assert accounts[0].projected_s == pytest.approx(sum(one.projected_s for one in accounts[1:]))
    assert [row[0] for row in shown["tasks"].tables[0].rows] == [
        one.name for one in sorted(found.tasks, key=lambda one: one.wall.p50 - one.before_s)
    ]
    alone, _ = figures([any_graph(1)], Change())
    assert "tasks" not in alone


def test_whatever_a_name_holds_it_stays_text():
    html, _, _ = projected([any_graph(1, name=EVIL), any_graph(2)], Change(speedup=2))
    read = Reader(html)
    assert len(read.named("script")) == 5
    assert read.named("img") == []
    assert "\x1b" not in html


def test_the_data_is_what_the_types_say():
    html, _, program = projected([any_graph(5)], Change(retries=0.1))
    data = json.loads(Reader(html).scripts[0])["sliders-0"]
    assert msgspec.convert(data["program"], type(program)) == program
    assert json_for_script(program)


def test_every_change_is_named_in_the_head():
    change = Change(
        cache=None, parallel_tools=True, tools=0.5, candidates=2, verify=True, speedup=10, retries=0.05
    )
    html, _, _ = projected([any_graph(7)], change)
    text = Reader(html).text
    for words in (
        "5 % of attempts fail", "tools of one answer at once", "tools x0.5", "2 candidates", "answers checked",
        "inference 10 times as fast",
    ):  # fmt: skip
        assert words in text
    assert re.search("Changed *nothing", Reader(projected([MISSION], Change())[0]).text)
