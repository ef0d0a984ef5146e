"""A projection as a page: its head, its conclusions, the ledgers, what each knob is worth, and sliders to go on from there."""

from collections.abc import Iterator

import tithe
from tithe.report.figures import counted, number, seconds
from tithe.report.headline import Headline
from tithe.report.ledger_words import visible
from tithe.report.page import Fact, Page, render
from tithe.report.whatif import floor_told, headline
from tithe.report.whatif_figures import (
    assumptions_figure,
    fits_figure,
    knobs_figure,
    ledgers_figure,
    sliders_figure,
    tasks_figure,
)
from tithe.whatif import Change, Program, Projection

_WALL, _FLOOR, _KNOB = "Wall clock", "Floor", "Worth most"
_ANCHORS = {_WALL: "ledgers", _FLOOR: "ledgers", _KNOB: "knobs"}


def whatif_page(found: Projection, change: Change, program: Program) -> str:
    """The projection as one HTML file that needs nothing else. `program` is compiled of the same tasks under the same change."""
    return render(as_whatif_page(found, change, program))


def as_whatif_page(found: Projection, change: Change, program: Program) -> Page:
    """What the page says and draws."""
    several = len(found.tasks) > 1
    return Page(
        kind="tithe whatif",
        title=counted(len(found.tasks), "task") if several else visible(found.tasks[0].name),
        facts=tuple(_facts(found, change)),
        alerts=(),
        headlines=tuple(_headlines(found)),
        anchors=_ANCHORS,
        figures=(
            ledgers_figure(found),
            knobs_figure(found),
            sliders_figure(found, program),
            *([tasks_figure(found)] if several else []),
            assumptions_figure(found),
            fits_figure(found),
        ),
        notes=(
            (
                "A projection is a task’s ledger under another endpoint or another design. Its interval has in it what calls scatter by and "
                "how many attempts fail, and nothing of what the fit may have wrong. `tithe replay` runs the task’s shape for real."
            ),
            f"Made by Tithe {tithe.__version__}. This file holds no message of the task, and reaches for nothing on any network.",
        ),
    )


def _facts(found: Projection, change: Change) -> Iterator[Fact]:
    if len(found.tasks) == 1 and found.tasks[0].task != found.tasks[0].name:
        yield Fact(name="Task", value=visible(found.tasks[0].task, 64))
    yield Fact(name="Calls", value=f"{sum(task.calls for task in found.tasks):,}")
    yield Fact(name="Changed", value=", ".join(_changes(change)) or "nothing")
    yield Fact(name="Before", value=seconds(found.before_s))
    yield Fact(name="Projected", value=seconds(found.wall.mean))
    if found.wall.ends is not None:
        yield Fact(name="80 % of draws", value=" to ".join(map(seconds, found.wall.ends)))


def _changes(change: Change) -> Iterator[str]:
    if change.ttft_s is not None:
        yield f"TTFT {seconds(change.ttft_s)}"
    if change.tokens_per_s is not None:
        yield f"{change.tokens_per_s:g} tokens/s"
    if change.profile is not None:
        yield f"the endpoint of {visible(change.profile.name, 64)}"
    if change.cache is not None:
        yield f"cache {change.cache}"
    if change.retries is not None:
        yield f"{100 * change.retries:g} % of attempts fail"
    if change.parallel_tools:
        yield "tools of one answer at once"
    if change.tools != 1:
        yield f"tools x{change.tools:g}"
    if change.candidates > 1:
        yield f"{change.candidates} candidates"
    if change.verify:
        yield "answers checked"
    if change.speedup != 1:
        yield f"inference {change.speedup:g} times as fast"
    if change.agents > 1:
        yield f"{change.agents:,} agents at once"


def _headlines(found: Projection) -> Iterator[Headline]:
    times = found.before_s / found.wall.mean if found.wall.mean > 0 else 0.0
    if times > 1.005:
        outcome, good = f"{number(times)} times as fast", True
    elif 0 < times < 0.995:
        outcome, good = f"{number(1 / times)} times as long", False
    else:
        outcome, good = "as before", None
    yield Headline(about=_WALL, outcome=outcome, sentence=headline(found), good=good)
    yield Headline(
        about=_FLOOR,
        outcome=seconds(found.floor_s) if found.floor_s > 0 else "none",
        sentence=" ".join(floor_told(found)),
        good=None,
    )
    if found.knobs:
        first, *others = found.knobs
        yield Headline(
            about=_KNOB,
            outcome=first.name,
            sentence=f"{first.notch} saves {seconds(first.saves_s)}"
            + (
                f"; next is {others[0].name}, {others[0].notch}: {seconds(others[0].saves_s)}."
                if others
                else "."
            ),
            good=None,
        )
