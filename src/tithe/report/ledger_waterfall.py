"""A task's waterfall on the terminal: a line a bar, its name on the left, its time on the right."""

from collections.abc import Sequence

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tithe.ledger import Bar, Ledger, StepRow
from tithe.report.buckets import UNSEEN
from tithe.report.figures import seconds
from tithe.report.ledger_bars import drawn, in_time
from tithe.report.ledger_words import visible

# Rows that are shown of a longer waterfall, and how many of them stand before the costliest step.
MOST_ROWS = 40
_BEFORE = 12
_LEAST_NAME, _MOST_NAME = 18, 44
_LENGTH = 9
_MARK = 3
FIRST_TOKEN, ON_PATH, LINE = "▏", "●", "─"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that are shown, and the stretch of time that they are drawn in."""

    bars: tuple[Bar, ...]
    begin: float
    end: float
    left_out: int


def window(ledger: Ledger) -> Window:
    """All rows, or the first and those around the costliest step, which then have the whole width."""
    bars = ledger.bars
    if len(bars) <= MOST_ROWS:
        return Window(bars=bars, begin=0.0, end=ledger.wall_s, left_out=0)
    dearest = max(ledger.steps, key=lambda step: step.wall_s, default=None)
    place = _first_of(dearest, bars)
    start = min(max(1, place - _BEFORE), len(bars) - MOST_ROWS + 1)
    shown = bars[start : start + MOST_ROWS - 1]
    inner = [bar for bar in shown if bar.kind not in ("task", "branch")] or list(shown)
    return Window(
        bars=(bars[0], *shown),
        begin=min(bar.start_s for bar in inner),
        end=max(bar.end_s for bar in inner),
        left_out=len(bars) - MOST_ROWS,
    )


def _first_of(step: StepRow | None, bars: Sequence[Bar]) -> int:
    if step is None:
        return 1
    return next((place for place, bar in enumerate(bars) if place and bar.start_s >= step.start_s), 1)


def waterfall_lines(ledger: Ledger, width: int, *, colour: bool) -> list[Text]:
    """The waterfall, `width` columns wide, with its scale and a key of its signs."""
    shown = window(ledger)
    name = max(_LEAST_NAME, min(_MOST_NAME, width // 3))
    room = max(10, width - name - _MARK - _LENGTH - 1)
    lines = [_scale(shown, name, room)]
    lines += [_line(bar, ledger, shown, name, room, colour=colour) for bar in shown.bars]
    signs = f"{ON_PATH} on the critical path   {FIRST_TOKEN} first token   ░ not instrumented   ≤ seen from outside: an upper bound"
    lines.append(Text(signs, style="dim"))
    if shown.left_out:
        lines.append(
            Text(
                f"Shown are {len(shown.bars)} of {len(ledger.bars):,} rows, around the step that takes most; --html FILE has all of them.",
                style="dim",
            )
        )
    return lines


def _scale(shown: Window, name: int, room: int) -> Text:
    begin, end = seconds(shown.begin) if shown.begin else "0", seconds(shown.end)
    gap = max(1, room - cell_len(begin) - cell_len(end))
    return Text(" " * (name + _MARK) + begin + " " * gap + end, style="dim")


def _line(bar: Bar, ledger: Ledger, shown: Window, name: int, room: int, *, colour: bool) -> Text:
    line = Text() + _name(bar, name)
    line.append(f" {ON_PATH if bar.critical or bar.kind == 'task' else ' '} ", style="bold")
    line += _track(bar, ledger, shown, room, colour=colour)
    bound = "≤" if bar.outside else ""
    length = f"{bound}{seconds(bar.end_s - bar.start_s)}{'?' if bar.unended else ''}"
    return line + Text(length.rjust(_LENGTH + 1))


def _name(bar: Bar, width: int) -> Text:
    error = " ✗" if bar.error is not None else ""
    number = f"{bar.step} " if bar.kind == "call" and bar.step is not None else ""
    said = "  " * min(bar.depth, 6) + number + visible(bar.name, 120)
    if bar.kind in ("branch", "step", "user", "validation") and bar.kind not in bar.name:
        said += f" ({bar.kind})"
    room = width - len(error)
    said = said if cell_len(said) <= room else set_cell_size(said, room - 1) + "…"
    style = "red" if error else "bold" if bar.kind in ("task", "branch", "step") else ""
    return Text(set_cell_size(said + error, width), style=style)


def _track(bar: Bar, ledger: Ledger, shown: Window, room: int, *, colour: bool) -> Text:
    """The bar in time. The task's has the whole path; a step's or a branch's is a line, with what nobody saw in it."""
    begin, end = shown.begin, shown.end
    if bar.kind == "task":
        return drawn(in_time(ledger.slices, begin, end, room), colour=colour)
    cell = (end - begin) / room if end > begin else 1.0
    first = min(room - 1, max(0, int((bar.start_s - begin) / cell)))
    last = min(room - 1, max(first, int((bar.end_s - begin) / cell - 1e-9)))
    if bar.kind in ("branch", "step"):
        unseen = [
            one for one in ledger.slices if one.bucket == UNSEEN and bar.start_s <= one.start < bar.end_s
        ]
        gaps = in_time(unseen, begin, end, room)
        return Text(
            "".join(
                ("░" if gaps[place] else LINE) if first <= place <= last else " " for place in range(room)
            ),
            style="dim" if colour else "",
        )
    track = drawn(in_time(bar.slices, begin, end, room), colour=colour)
    if not track.plain.strip():
        track = Text(" " * first + ("▏" if bar.end_s <= bar.start_s else "·") + " " * (room - first - 1))
    if bar.first_token_s is not None and begin <= bar.first_token_s <= end:
        place = min(room - 1, int((bar.first_token_s - begin) / cell))
        mark = track[place].copy()
        mark.plain = FIRST_TOKEN
        track = track[:place] + mark + track[place + 1 :]
    return track
