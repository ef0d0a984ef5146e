"""A projection for people: before and after side by side, the floor, the knobs, and what it all stands on."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.report.figures import NOTHING, counted, number, seconds, tokens
from tithe.report.tables import calm_table
from tithe.report.task import plain
from tithe.trace.buckets import BUCKETS
from tithe.whatif import Beside, FitQuality, Interval, Projected, Projection

_INDENT = 2
_MOST_TASKS, _LONGEST_NAME = 20, 32
_SAME = 1e-9
_WHAT = {
    "whole": "A whole answer",
    "decode": "Decode",
    "decode beside others": "Decode beside others",
}


def print_projection(found: Projection, console: Console) -> None:
    """Print a projection of one task or several; for 80 columns and wider."""
    console.print(Text(headline(found), style="bold"), highlight=False)
    console.print()
    if len(found.tasks) > 1:
        _put(console, _by_task(found.tasks))
    _put(console, _ledgers(found))
    _lines(console, floor_told(found))
    if found.knobs:
        console.print(Text("What one notch more of each knob saves", style="bold"))
        _put(console, _knobs(found))
    if found.sharing:
        _lines(console, sharing_told(found))
    if found.fits:
        console.print(Text("How well calls are known", style="bold"))
        _lines(console, fits_told(found.fits))
    console.print(Text("Taken for granted", style="bold"))
    _lines(console, found.assumptions)


def headline(found: Projection) -> str:
    """Before and projected, with the interval, in a sentence."""
    [first, *more] = found.tasks
    what = plain(first.name) if not more else counted(len(found.tasks), "task")
    spread = f" ({told})" if (told := spread_told(found.wall)) else ""
    return f"{what}: {seconds(found.before_s)} before, {seconds(found.wall.mean)} projected{spread}{faster(found)}."


def spread_told(wall: Interval) -> str:
    """The interval in words; nothing where there is none."""
    return (
        f"80 % of draws {seconds(wall.ends[0])} to {seconds(wall.ends[1])}" if wall.ends is not None else ""
    )


def faster(found: Projection) -> str:
    """How many times as fast, as the end of a sentence; nothing where it is not."""
    times = found.before_s / found.wall.mean if found.wall.mean > 0 else 0.0
    return f", {number(times)} times as fast" if times > 1.005 else ""


def _ledgers(found: Projection) -> Table:
    table = calm_table("(s)", "before", "after", "change")
    for bucket in BUCKETS:
        before, after = found.before.get(bucket), found.after.get(bucket)
        if before is None and after is None:
            continue
        difference = (after or 0.0) - (before or 0.0)
        table.add_row(
            bucket,
            bounded(found, bucket, before),
            bounded(found, bucket, after),
            signed(difference),
        )
    table.add_section()
    table.add_row(
        "wall clock, mean",
        number(found.before_s),
        number(found.wall.mean),
        signed(found.wall.mean - found.before_s),
    )
    return table


def bounded(found: Projection, bucket: str, value: float | None, scale: float = 1.0) -> str:
    """A bucket's figure, as an upper bound where it is one."""
    if value is None:
        return NOTHING
    return f"≤ {number(value * scale)}" if bucket in found.outside else number(value * scale)


def signed(difference: float) -> str:
    """A change with its sign; nothing where there is none."""
    if abs(difference) < _SAME:
        return ""
    return ("+" if difference > 0 else "-") + number(abs(difference))


def _by_task(tasks: tuple[Projected, ...]) -> Table:
    table = calm_table("task", "id", "calls", "before", "projected", "80 %\nfrom", "to", "floor")
    table.columns[0].no_wrap = False  # where it is narrow a name takes two lines, and no figure is cut
    for task in sorted(tasks, key=lambda one: one.wall.mean - one.before_s)[:_MOST_TASKS]:
        table.add_row(
            Text(plain(task.name)[:_LONGEST_NAME]),
            plain(task.task[:8]),
            f"{task.calls:,}",
            *(
                seconds(value) if value is not None else NOTHING
                for value in (task.before_s, task.wall.mean, task.wall.low, task.wall.high, task.floor_s)
            ),
        )
    if len(tasks) > _MOST_TASKS:
        table.add_row(Text(f"... {len(tasks) - _MOST_TASKS} more ..."))
    return table


def floor_told(found: Projection) -> Iterator[str]:
    """What sets the floor, in a sentence."""
    if found.floor_s > 0:
        times = found.before_s / found.floor_s
        if set(found.outside) & set(found.floor):
            yield (
                f"The floor is at most {seconds(found.floor_s)} ({_parts(found.floor)}): what is left when inference takes no time. Some of it "
                f"was seen from outside, so that is an upper bound: an endpoint that takes no time makes it {number(times)} times as fast as "
                "before, or more."
            )
            return
        yield (
            f"The floor is {seconds(found.floor_s)} ({_parts(found.floor)}): what is left when inference takes no time. However fast "
            f"the endpoint, at most {number(times)} times as fast as before."
        )
    else:
        yield "There is no floor: nothing but inference takes time here."


def _parts(account: Mapping[str, float]) -> str:
    by_size = sorted(account.items(), key=lambda one: -one[1])
    return ", ".join(f"{bucket} {seconds(value)}" for bucket, value in by_size[:3])


def _knobs(found: Projection) -> Table:
    table = calm_table("knob", "one notch", "saves")
    table.columns[1].justify = "left"
    for knob in found.knobs:
        table.add_row(knob.name, knob.notch, seconds(knob.saves_s))
    return table


def fits_told(fits: tuple[FitQuality, ...]) -> Iterator[str]:
    """How well each time is known, in a sentence each."""
    for fit in fits:
        name = f"{_WHAT.get(fit.what, fit.what)} of {plain(fit.source)}"
        if fit.error is None:
            yield f"{name}: not fitted, {'; '.join(fit.notes)}."
            continue
        if fit.beside is not None:
            yield f"{name}: {_law(fit.beside)}. Off by {100 * fit.error:.1f} % (median of {counted(fit.n, 'call')})."
            continue
        ranges = ", ".join(
            f"{tokens(low)} to {tokens(high)} {size.removesuffix(' tokens')}"
            for size, (low, high) in fit.ranges.items()
        )
        yield (
            f"{name}: {_prices(fit)}. Off by {100 * fit.error:.1f} %, each call told from the others (median of "
            f"{counted(fit.n, 'call')}{_of_tasks(fit)}; tokens {ranges})."
            + (f" {'; '.join(fit.notes)}." if fit.notes else "")
        )


def _of_tasks(fit: FitQuality) -> str:
    return "" if fit.tasks is None else f" of {counted(fit.tasks, 'task')}"


def _law(beside: Beside) -> str:
    free = f" beyond {beside.free:g}" if beside.free else ""
    each = (
        f"each other call under way{free} adds {100 * beside.share:.0f} %"
        if beside.share
        else "as fast as alone"
    )
    return f"{each}, seen with up to {number(beside.most)}"


def _prices(fit: FitQuality) -> str:
    told = [seconds(fit.prices["constant"])] if fit.prices.get("constant") else []
    for name, price in fit.prices.items():
        if name != "constant":
            told.append(f"{seconds(1000 * price)} for 1,000 {name}")
    return " + ".join(told)


def sharing_told(found: Projection) -> Iterator[str]:
    """What the queueing simulation says of each level that was measured, in a sentence."""
    told = "; ".join(
        f"{agents}: {seconds(simulated)} ({seconds(measured)} measured)"
        for agents, simulated, measured in found.sharing
    )
    yield f"Agents at once, a call's time simulated, and as the audit measured it: {told}."


def _put(console: Console, table: Table) -> None:
    console.print(Padding(table, (0, 0, 0, _INDENT)), highlight=False)
    console.print()


def _lines(console: Console, lines: Iterator[str] | tuple[str, ...]) -> None:
    for line in lines:
        console.print(Padding(Text(plain(line), style="dim"), (0, 0, 0, _INDENT)), highlight=False)
    console.print()
