"""A ledger's page without a browser: what it says and draws, and which scripts it carries."""

import base64
import hashlib
import io
import itertools
import json
import re

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from rich.cells import cell_len
from rich.console import Console

from tithe.ledger import BUCKETS, CallPrefix, Diagnosis, Ledger
from tithe.report import audit_page
from tithe.report.buckets import LOOKS, PARTS
from tithe.report.drawing import Columns, Stacks, Waterfall
from tithe.report.ledger_page import as_ledger_page, ledger_page
from tithe.report.ledger_short import print_short
from tithe.report.ledger_terminal import print_ledger
from tithe.report.ledger_words import CLOCK, PREFIX, TAX, TOOLS
from tithe.report.page import Figure, json_for_script

from .ledgers import EVIL, any_ledger, diagnosis, proxied, reported
from .test_page import DICHROMATS, Reader, lab, themes


def figures(ledger: Ledger) -> dict[str, Figure]:
    return {figure.anchor: figure for figure in as_ledger_page(ledger, diagnosis()).figures}


def waterfall(ledger: Ledger) -> Waterfall:
    drawing = figures(ledger)["waterfall"].panels[0].drawing
    assert isinstance(drawing, Waterfall)
    return drawing


def test_only_a_page_with_a_waterfall_carries_its_script_and_the_policy_names_it(report):
    page = ledger_page(proxied(), diagnosis())
    read = Reader(page)
    assert len(read.scripts) == 5
    digests = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in read.scripts[1:]
    ]
    policy = next(told["content"] for tag, told in read.tags if tag == "meta" and "http-equiv" in told)
    assert policy is not None
    assert f"script-src {' '.join(digests)};" in policy
    other = audit_page(report())
    assert len(Reader(other).scripts) == 4
    assert ".waterfall" in page
    assert ".waterfall" not in other.split("</style>")[0]


def test_every_headline_leads_to_a_figure():
    page = as_ledger_page(proxied(), diagnosis())
    assert {line.about for line in page.headlines} <= set(page.anchors)
    assert set(page.anchors.values()) <= {figure.anchor for figure in page.figures}


def test_the_bar_is_the_wall_clock_and_so_are_the_steps():
    ledger = proxied()
    shown = figures(ledger)
    bar = shown["costs"].panels[0].drawing
    assert isinstance(bar, Stacks)
    assert sum(bar.rows[0].values) == pytest.approx(ledger.wall_s, abs=1e-6)
    steps = shown["steps"].panels[0].drawing
    assert isinstance(steps, Columns)
    assert sum(sum(column.values) for column in steps.columns) == pytest.approx(ledger.wall_s, abs=1e-6)


def test_a_prompt_is_what_was_shared_paid_again_and_new():
    drawing = figures(proxied())["prefix"].panels[0].drawing
    assert isinstance(drawing, Columns)
    calls = diagnosis().calls
    assert [sum(column.values) for column in drawing.columns] == [call.prompt_tokens for call in calls]
    assert [column.at for column in drawing.columns if column.sign] == [4.0]
    assert drawing.columns[3].values[1] == diagnosis().breaks[0].lost_tokens


def test_a_call_without_prompt_tokens_is_left_out_and_not_zero():
    silent = msgspec.structs.replace(diagnosis().calls[2], prompt_tokens=None)
    calls = (*diagnosis().calls[:2], silent, *diagnosis().calls[3:])
    page = as_ledger_page(proxied(), msgspec.structs.replace(diagnosis(), calls=calls))
    figure = next(one for one in page.figures if one.anchor == "prefix")
    drawing = figure.panels[0].drawing
    assert isinstance(drawing, Columns)
    assert [column.at for column in drawing.columns] == [1, 2, 4, 5, 6, 7, 8]
    assert figure.tables[1].rows[2][2] == "n/r"


@pytest.mark.parametrize(
    "ledger", [proxied(), reported(), proxied(60)], ids=["proxied", "reported", "longer"]
)
def test_a_row_of_the_waterfall_is_what_its_bar_is(ledger: Ledger):
    drawing = waterfall(ledger)
    assert len(drawing.lines) == len(ledger.bars)
    for line, bar in zip(drawing.lines, ledger.bars, strict=True):
        assert (line.start, line.end) == (
            pytest.approx(bar.start_s, abs=1e-6),
            pytest.approx(bar.end_s, abs=1e-6),
        )
        assert (line.outside, line.unended, line.error) == (bar.outside, bar.unended, bar.error is not None)
        assert sum(end - start for start, end in line.path) == pytest.approx(
            sum(end - start for start, end in bar.critical), abs=1e-5
        )
        if line.above is not None:
            assert drawing.lines[line.above].depth < line.depth
            assert line.above < drawing.lines.index(line)
    assert [line.above for line in drawing.lines].count(None) == 1
    assert sum(end - start for start, end, _ in drawing.over) == pytest.approx(ledger.wall_s, abs=1e-4)
    unseen = sum(end - start for start, end in drawing.gaps)
    assert unseen == pytest.approx(ledger.bucket_s("unattributed"), abs=1e-5)


def test_the_details_of_a_row_say_what_is_known_and_no_more():
    lines = waterfall(proxied()).lines
    call = dict(next(line for line in lines if line.name.startswith("4  ")).facts)
    assert call["kind"] == "call, step 4"
    assert call["of them cached"] == "512"
    assert call["first token"] == "1.17 s from its start"
    tool = dict(next(line for line in lines if line.name == "run_tests").facts)
    assert tool["seen"].startswith("from outside")
    assert tool["on the critical path"] == "≤ 520 ms"  # it or the other of that answer: nobody saw which
    assert not {"first token", "prompt tokens"} & set(tool)


def test_without_a_diagnosis_the_page_says_so():
    page = as_ledger_page(proxied(), None)
    figure = next(one for one in page.figures if one.anchor == "prefix")
    assert figure.title == "Prompts were not examined"
    assert "not examined" in {line.outcome for line in page.headlines}


def judged(known: int, calls: int = 3) -> Diagnosis:
    """A diagnosis without a break: of so many calls, so many told their prompts."""
    return Diagnosis(
        task="t",
        calls=tuple(
            CallPrefix(
                call=f"a{number}", step=number + 1, prompt_tokens=900, own_shared_tokens=None,
                any_shared_tokens=None, cached_tokens=None, known=number < known,
            )
            for number in range(calls)
        ),
        breaks=(),
        token_s=None,
        fitted_on=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("known", "outcome", "good", "said"),
    [
        (0, "not known", None, "none of 3 calls told its prompt"),
        (1, "not known", None, "none before that it could extend"),
        (2, "no break", True, "Of 3 calls 2 told their prompts"),
        (3, "no break", True, "Every call extends"),
    ],
)
def test_where_no_prompt_could_be_judged_there_is_no_verdict(
    known: int, outcome: str, good: bool | None, said: str
):
    page = as_ledger_page(proxied(), judged(known))
    headline = next(line for line in page.headlines if line.about == PREFIX)
    assert (headline.outcome, headline.good) == (outcome, good)
    assert said in headline.sentence
    figure = next(one for one in page.figures if one.anchor == "prefix")
    assert ("not known" in figure.title) == (good is None)
    assert said in " ".join(figure.caption)


def test_a_table_of_no_breaks_is_not_shown():
    figure = next(one for one in as_ledger_page(proxied(), judged(3)).figures if one.anchor == "prefix")
    assert [table.title for table in figure.tables] == ["Prompts, by call"]


def test_what_was_seen_from_outside_is_a_bound_wherever_it_is_told():
    page = as_ledger_page(proxied(), diagnosis())
    shown = {figure.anchor: figure for figure in page.figures}
    tools = next(row for row in shown["costs"].tables[0].rows if row[0] == "tools")
    assert all(cell.startswith("≤ ") for cell in tools[1:])
    assert all("≤" not in cell for row in shown["costs"].tables[0].rows if row[0] != "tools" for cell in row)
    assert all(cell.startswith("≤ ") for row in shown["tools"].tables[0].rows for cell in row[3:8])
    assert shown["tools"].title.startswith("≤ ")
    assert "ran at once is not seen" in " ".join(shown["tools"].caption)
    headlines = {line.about: line for line in page.headlines}
    assert headlines[TOOLS].outcome.startswith("≤ ")
    assert re.search(r"≤ \d+ % tools", headlines[CLOCK].sentence)
    assert "≤" not in ledger_page(reported()).split("<footer>")[0].replace("≤: ", "")


def test_nothing_found_is_no_verdict_where_something_was_not_looked_for():
    bare = msgspec.structs.replace(proxied(), tax=(), tax_s=0.0)
    headline = next(line for line in as_ledger_page(bare, None).headlines if line.about == TAX)
    assert headline.good is None
    assert "Tools in series not checked for 1 answer that asked" in headline.sentence


def test_a_task_of_nothing_has_a_page():
    bare = msgspec.structs.replace(
        proxied(),
        wall_s=0.0,
        slices=(),
        entries=(),
        tax=(),
        steps=(),
        tools=(),
        models=(),
        bars=(),
        saves_s={},
    )
    read = Reader(ledger_page(bare))
    assert "Nothing to draw: nothing ran." in read.text
    assert len(read.scripts) == 4


def test_whatever_a_name_holds_it_stays_text():
    read = Reader(ledger_page(proxied(8, EVIL), diagnosis(8, EVIL)))
    assert len(read.scripts) == 5
    assert not [tag for tag, _ in read.tags if tag == "img"]
    assert not [told for _, told in read.tags if any(name.startswith("on") for name in told)]
    assert read.text.count("<script>alert(1)</script>") > 20
    assert not set(read.text) & {"\x1b", "\x00", "\u202e"}
    data = json.loads(read.scripts[0])
    assert "</script>" in data["waterfall-0"]["lines"][1]["name"]
    assert not set(read.scripts[0]) & set("<>&")


def test_a_table_of_very_many_rows_stays_closed_on_paper():
    many = ledger_page(proxied(300), diagnosis(300))
    assert re.search(r'<details class="long"><summary>Every row', many)
    assert re.search(r"<details open><summary>By cost", many)


def test_parts_are_the_buckets_and_differ_in_look():
    assert len(PARTS) == len(BUCKETS)
    assert len({(part.colour, part.hatched) for part in PARTS}) == len(PARTS)


COMMON = ("queue", "prefill", "decode", "inference", "tool", "retry", "overhead")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("seen", DICHROMATS.values(), ids=DICHROMATS)
def test_the_buckets_that_most_tasks_have_differ_for_every_eye(
    theme: str, seen: tuple[tuple[float, ...], ...]
):
    """Twelve colours cannot all differ for a dichromat; those that share most bars do."""
    colours = themes()[theme]
    for one, other in itertools.combinations([LOOKS[bucket].colour for bucket in COMMON], 2):
        assert np.linalg.norm(lab(colours[one], seen) - lab(colours[other], seen)) >= 8, (one, other)


@given(any_ledger())
@settings(max_examples=60, deadline=None)
def test_whatever_the_spans_are_they_can_be_shown(ledger: Ledger):
    """Overlaps, missing ends, no length: the terminal, the short form and the page take what a ledger is."""
    out = io.StringIO()
    console = Console(file=out, width=80, no_color=True)
    print_ledger(ledger, None, console)
    print_short([(ledger, None)], console)
    assert max(cell_len(line) for line in out.getvalue().splitlines()) <= 80
    page = as_ledger_page(ledger, None)
    drawing = next(one for one in page.figures if one.anchor == "waterfall").panels[0].drawing
    assert isinstance(drawing, Waterfall)
    assert len(drawing.lines) == len(ledger.bars)
    json_for_script(drawing)
