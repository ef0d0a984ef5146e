"""A ledger on the terminal: it fits, needs no colour, says what it must and obeys no one's text."""

import io
import itertools
import re

import msgspec
import pytest
from rich.console import Console

from tithe.core.statistics import median, quantile
from tithe.ledger import BUCKETS, Account, Diagnosis, Ledger, ManyTasks, Spread, many_tasks
from tithe.report.buckets import LOOKS
from tithe.report.ledger_bars import in_time, stacked
from tithe.report.ledger_rows import kept_steps, step_cells
from tithe.report.ledger_short import print_many, print_short
from tithe.report.ledger_terminal import print_ledger
from tithe.report.ledger_waterfall import MOST_ROWS, window
from tithe.report.ledger_words import bucket_seconds, finding_sentence, findings, visible
from tithe.trace.tree import STEPS_ALONE

from .ledgers import EVIL, diagnosis, proxied, reported


def show(ledger: Ledger, found: Diagnosis | None = None, width: int = 80, colour: bool = False) -> str:
    out = io.StringIO()
    system = {"force_terminal": True, "color_system": "256"} if colour else {"no_color": True}
    print_ledger(ledger, found, Console(file=out, width=width, **system))  # type: ignore[arg-type]
    return out.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


LEDGERS = {"proxied": proxied, "reported": reported, "long": lambda: proxied(120)}


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("make", LEDGERS.values(), ids=LEDGERS)
def test_it_fits_the_width(make, width: int):
    ledger = make()
    found = diagnosis(120) if ledger.tax else None
    assert max(len(line) for line in show(ledger, found, width).splitlines()) <= width


def test_the_first_sentence_says_what_is_inference_and_what_was_avoidable():
    out = words(show(proxied(), diagnosis()))
    assert (
        "50 % of 14.5 s is inference; 2.83 s (19 %) was avoidable: retries 1.92 s, lost prefix 842 ms" in out
    )
    order = ["By cost", "Tax: what was avoidable", "Prefix", "By step", "By tool", "By model", "Waterfall"]
    places = [out.index(head) for head in order]
    assert places == sorted(places)


def test_the_shares_that_are_printed_are_of_the_whole_wall_clock():
    ledger = proxied()
    lines = show(ledger).splitlines()
    table = lines[lines.index("By cost") :]
    decode = next(line.split() for line in table if line.strip().startswith("decode"))
    assert decode[1] == f"{ledger.bucket_s('decode'):.2f}"
    whole = next(line.split() for line in table if line.strip().startswith("wall clock"))
    assert whole[2:] == ["14.5", "100", "%"]


def test_nothing_avoidable_is_said_to_be_so():
    ledger = msgspec.structs.replace(reported(), tax=(), tax_s=0.0)
    out = show(ledger)
    assert "nothing of it is known to be avoidable" in words(out)
    assert "Tax: what was avoidable" not in out


def test_a_task_without_length_is_shown_too():
    ledger = msgspec.structs.replace(
        proxied(),
        wall_s=0.0,
        slices=(),
        entries=(),
        tax=(),
        steps=(),
        tools=(),
        models=(),
        bars=proxied().bars[:1],
    )
    assert "The task took no time" in words(show(ledger))


@pytest.mark.parametrize("width", [1, 7, 40, 78, 198])
def test_a_stacked_bar_has_the_whole_width_and_a_letter_for_each_bucket(width: int):
    sums = bucket_seconds(proxied())
    bar = stacked(sums, width, colour=False).plain
    assert len(bar) == width
    runs = [letter for letter, _ in itertools.groupby(bar)]
    letters = [LOOKS[bucket].letter for bucket in BUCKETS]
    assert len(runs) == len(set(runs))
    assert sorted(runs, key=letters.index) == runs
    for bucket, value in sums.items():
        assert abs(bar.count(LOOKS[bucket].letter) - width * value / proxied().wall_s) < 1


def test_buckets_differ_by_letter_and_by_colour():
    assert len({look.letter for look in LOOKS.values()}) == len(LOOKS) == len(BUCKETS)
    assert len({look.style for look in LOOKS.values()}) == len(LOOKS)


def test_without_colour_there_are_no_escapes_and_with_it_the_same_letters_stand_once():
    plain, coloured = show(proxied()), show(proxied(), colour=True)
    assert "\x1b" not in plain
    assert "ddddd" in plain
    assert "ddddd" not in coloured
    assert "\x1b[38;5;16;48;5;75md " in coloured


def test_cells_in_time_are_what_most_of_them_is():
    ledger = proxied()
    cells = in_time(ledger.slices, 0.0, ledger.wall_s, 400)
    assert None not in cells
    for place, bucket in enumerate(cells):
        left, right = place * ledger.wall_s / 400, (place + 1) * ledger.wall_s / 400
        inside = {
            one: sum(
                max(0.0, min(right, s.end) - max(left, s.start)) for s in ledger.slices if s.bucket == one
            )
            for one in BUCKETS
        }
        assert inside[bucket] == pytest.approx(max(inside.values()))


def test_what_was_seen_from_outside_is_a_bound_and_whether_tools_ran_at_once_is_said_to_be_unseen():
    out = show(proxied(), width=120)
    assert re.search(r"t tools ≤ [\d.]+ s, \d+ %", out)
    assert re.search(r"^  tools +≤ [\d.]+ +≤ \d+ % +≤ [\d.]+ +≤ [\d.]+ *$", out, re.MULTILINE)
    assert "whether tools of one answer ran at once is not seen" in words(out)
    assert "Tools in series not checked for 1 answer that asked for several tools: whether" in words(out)
    assert "≤ " not in show(reported(), width=120).replace("≤ seen from outside", "")


def test_where_no_prompt_was_told_nothing_is_said_to_be_unbroken():
    calls = tuple(msgspec.structs.replace(one, known=False) for one in diagnosis().calls)
    out = words(show(proxied(), msgspec.structs.replace(diagnosis(), calls=calls, breaks=())))
    assert "Nothing to judge: none of 8 calls told its prompt." in out
    assert "No break" not in out


def test_a_step_that_has_a_name_is_told_by_it():
    named = [msgspec.structs.replace(row, name="plan") for row in reported().steps]
    out = show(msgspec.structs.replace(reported(), steps=tuple(named)))
    assert re.search(r"^  2 plan ", out, re.MULTILINE)


def rows_of_the_waterfall(out: str) -> list[str]:
    lines = out.splitlines()
    return lines[lines.index("Waterfall") + 2 :]


def test_the_waterfall_marks_the_path_the_first_token_the_gaps_and_what_is_a_bound():
    rows = rows_of_the_waterfall(show(proxied(), width=120))
    task, *others = rows
    assert "░" in task
    tests = next(row for row in others if "run_tests" in row)
    edit = next(row for row in others if "edit_file" in row)
    # One answer asked for both: which of them was waited for nobody saw.
    assert "●" in edit
    assert "●" in tests
    assert "≤520 ms" in edit
    assert "≤520 ms" in tests
    assert "▏" in next(row for row in others if "4 qwen3" in row)
    assert "✗" in next(row for row in others if "timeout" in row)


def test_a_step_is_a_line_and_an_end_that_was_not_seen_is_told():
    out = show(reported(), width=100)
    rows = rows_of_the_waterfall(out)
    assert "───" in next(row for row in rows if "step 2" in row)
    assert next(row for row in rows if "notify" in row).rstrip().endswith("?")
    assert "Not finished" in out


def test_a_long_waterfall_is_folded_around_the_costliest_step_and_says_so():
    ledger = proxied(120)
    out = words(show(ledger, diagnosis(120)))
    assert f"Shown are {MOST_ROWS} of {len(ledger.bars)} rows" in out
    assert "--html FILE has all of them" in out
    shown = window(ledger)
    dearest = max(ledger.steps, key=lambda step: step.wall_s)
    assert len(shown.bars) == MOST_ROWS
    assert any(bar.start_s == dearest.start_s for bar in shown.bars)
    assert shown.begin <= dearest.start_s < shown.end < ledger.wall_s
    assert window(proxied()).left_out == 0


def test_of_many_steps_the_first_the_last_and_the_costliest_are_kept_and_the_rest_counted():
    ledger = proxied(120)
    kept = kept_steps(ledger.steps)
    own = [place for place, step in enumerate(ledger.steps) if step.line is None]
    dearest = max(range(len(ledger.steps)), key=lambda place: ledger.steps[place].wall_s)
    assert {0, own[-1], dearest} <= set(kept)
    assert len(kept) < 20
    out = show(ledger)
    left_out = [int(line.split()[1].replace(",", "")) for line in out.splitlines() if " more ..." in line]
    after = len(ledger.steps) - kept[-1] - 1
    assert sum(left_out) + after == len(ledger.steps) - len(kept)
    assert len(step_cells(ledger).rows) == len(ledger.steps)


def test_the_doctor_s_findings_are_grouped_and_say_what_to_do_and_what_it_cost():
    found = findings(diagnosis(120))
    assert [(one.first.cause, one.breaks) for one in found] == [("timestamp", 16), ("tools reordered", 1)]
    said = finding_sentence(found[0])
    assert said.startswith("Step 4 and 15 more, system: A time of day")
    assert "leave it out." in said
    assert said.endswith("s.)")
    unpriced = msgspec.structs.replace(
        found[0].first, cost_s=None, why_no_cost="too few calls", lost_tokens=None, estimated=True
    )
    (only,) = findings(msgspec.structs.replace(diagnosis(), breaks=(unpriced,)))
    assert (only.cost_s, only.lost_tokens) == (None, None)
    assert "cost not known: too few calls" in finding_sentence(only)


def test_no_one_s_text_is_obeyed():
    out = show(proxied(8, EVIL), diagnosis(8, EVIL), width=200, colour=False)
    assert not set(out) & {"\x1b", "\x00", "\u202e"}
    assert "<img src=x" in out
    assert "\\u202egnp.exe\\x1b[31m\\x00[red]" in out
    assert max(map(len, out.splitlines())) <= 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", "a b c"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud800", "\\ud800"),
        ("näme 名", "näme 名"),
        ("x" * 400, "x" * 297 + "..."),
    ],
)
def test_visible_text_is_one_line_of_what_can_be_seen(text: str, shown: str):
    assert visible(text) == shown


def short(*ledgers: Ledger, found: Diagnosis | None = None) -> str:
    out = io.StringIO()
    print_short([(one, found) for one in ledgers], Console(file=out, width=80, no_color=True))
    return out.getvalue()


def test_a_few_tasks_are_told_in_a_few_lines_each():
    out = short(proxied(), found=diagnosis())
    assert "14.5 s, 12 steps, 50 % inference" in out
    assert "was avoidable: retries 1.92 s" in words(out)
    assert "Prefix: Step 4, system" in out
    assert "tithe ledger 4f9c27d1, or with --html FILE" in out
    assert 4 <= len(out.strip().splitlines()) <= 9
    assert max(map(len, out.splitlines())) <= 80
    assert short() == ""


def test_the_short_form_says_once_what_to_do_about_steps_in_no_task():
    torn = msgspec.structs.replace(proxied(), notes=(STEPS_ALONE,))
    assert words(short(torn, torn)).count("each such step, check or pause is a task of its own") == 1
    assert "of its own" not in words(short(proxied()))


def test_models_with_long_names_keep_their_figures_and_what_had_to_go_is_said():
    ledger = proxied(4)
    [model] = ledger.models
    names = ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20260112")
    models = tuple(msgspec.structs.replace(model, name=name) for name in names)
    out = show(msgspec.structs.replace(ledger, models=models))
    table = out.partition("By model")[2].partition("Waterfall")[0]
    heads = " ".join(table.partition("─")[0].split())
    assert [head for head in ("failed", "busy", "output", "saves") if head not in heads] == []
    assert "".join(line[2:14] for line in table.splitlines()[5:11]).replace(" ", "").startswith(names[0])
    assert "For want of width without attempts, of them cached." in words(table)
    assert "For want of width" not in show(ledger, width=200)


def test_steps_of_a_branch_are_said_to_be_in_the_step_that_holds_it_too():
    ledger = proxied(4)
    branch = msgspec.structs.replace(ledger.steps[1], line="helper")
    told = "rows may sum to more than the wall clock"
    assert told in words(show(msgspec.structs.replace(ledger, steps=(*ledger.steps, branch))))
    assert told not in words(show(ledger))


def test_many_tasks_are_a_table_with_what_they_sum_to():
    ledgers = [proxied(steps) for steps in range(3, 30)]
    out = short(*ledgers)
    whole = next(line.split() for line in out.splitlines() if line.startswith("all 27 tasks"))
    assert whole[4] == f"{sum(one.wall_s for one in ledgers):.0f}"
    assert "Shown are the 20 longest" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_percentile_that_the_tasks_do_not_reach_is_a_dash():
    walls = [10.0 + place for place in range(8)]
    spread = Spread(name="wall", p50=median(walls), p95=None, total=sum(walls), tasks=len(walls), share=1.0)
    decode = Spread(
        name="decode",
        p50=median(walls),
        p95=quantile(walls, 0.9),
        total=sum(walls),
        tasks=len(walls),
        share=0.4,
    )
    many = ManyTasks(accounts=(), wall=spread, buckets=(decode,), steps=spread)
    out = io.StringIO()
    print_many(many, Console(file=out, width=80, no_color=True))
    lines = out.getvalue().splitlines()
    row = next(line for line in lines if line.strip().startswith("wall clock"))
    assert row.split()[2:] == ["13.5", "[11.0", "16.0]", "-", "108", "100", "%"]
    assert next(line for line in lines if line.strip().startswith("decode")).rstrip().endswith("40 %")


def test_many_tasks_say_which_buckets_some_of_them_do_not_report():
    told = Account(
        task="t", name="n", started=None, wall_s=1000.0, wall={"decode": 1.0, "overhead": 999.0}, busy={}, steps=1, calls=1,
        retries=0, tools=0, input_tokens=None, cached_tokens=None, output_tokens=None,
    )  # fmt: skip
    untold = msgspec.structs.replace(told, wall={"inference": 1000.0})
    printed = [io.StringIO(), io.StringIO()]
    for accounts, out in zip(([told, told, untold], [told, told]), printed, strict=True):
        print_many(many_tasks(accounts), Console(file=out, width=80, no_color=True))
    some, all_ = (" ".join(out.getvalue().split()) for out in printed)
    assert "Tasks that p50 and p95 are over, where fewer: decode: 2." in some
    assert "decode 1.00" in some
    assert "<1 %" in some
    assert "Not every task" not in all_
