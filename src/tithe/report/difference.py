"""What changed between two tasks or groups on the terminal: the sentence first, then where it is.

Colour only repeats what the signs say.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.core.statistics import Estimate
from tithe.ledger.difference import Change, Difference, Effect, Side
from tithe.report.figures import NOTHING, TimeUnit, counted, number, seconds
from tithe.report.ledger_words import bound, name_list
from tithe.report.tables import calm_table
from tithe.report.task import plain

_INDENT = 2
_PLURALS = {"call": "calls", "tool run": "tool runs", "failed attempt": "failed attempts"}
_TOKENS = {"uncached": "uncached prompt tokens", "input": "prompt tokens", "output": "output tokens"}
# Of all that was added and taken away, what is less than this share is not named in the sentence.
_NAMED_FROM = 0.01
_MOST_NAMED = 6
# Below this many seconds nothing changed.
_NOTHING_S = 5e-7


def print_difference(found: Difference, console: Console) -> None:
    """Print what B takes more or less than A, and why; made for 80 columns and wider."""
    console.print()
    console.print(Text.assemble(("tithe diff", "bold"), "  ", ("B against A", "bold cyan")))
    console.print(Padding(_legend(found), (0, 0, 0, _INDENT)), highlight=False)
    console.print()
    console.print(Padding(Text(headline(found)), (0, 0, 0, _INDENT)), highlight=False)
    for line in _doubts(found):
        console.print(Padding(Text(line, style="yellow"), (0, 0, 0, _INDENT)), highlight=False)
    console.print()
    _print_table("Wall clock", _wall_table(found), console)
    factors = _factors_table(found)
    if factors.row_count:
        _print_table("Why", factors, console)
    for title, changes in (("By model", found.models), ("By tool", found.tools)):
        if changes:
            _print_table(title, _named_table(changes), console)
    for note in _notes(found):
        console.print(Text(note, style="dim"))
    console.print()


def headline(found: Difference) -> str:
    """The change in a sentence, its greatest causes first. They sum to it with the rest that is named last."""
    change = found.change_s
    mean = " on the mean" if found.a.tasks > 1 or found.b.tasks > 1 else ""
    sides = f"{seconds(found.b.wall_s)} against {seconds(found.a.wall_s)}{mean}{_badly(found)}"
    interval = ""
    if change.low is not None and change.high is not None:
        interval = f" [{_signed(change.low)} {_signed(change.high)}]"
    causes = sorted(_causes(found.parts), key=lambda one: -one[0])
    whole = sum(weight for weight, _, _ in causes)
    named = [one for one in causes if one[0] >= _NAMED_FROM * whole][:_MOST_NAMED]
    if not named:
        return f"B takes as long as A: {sides}."
    rest = change.value - sum(added for _, added, _ in named)
    words = [words for _, _, words in named]
    if abs(rest) > _NAMED_FROM * whole:
        words.append(f"all else ({_signed_seconds(rest)})")
    if abs(change.value) < _NOTHING_S:
        return f"B takes as long as A ({sides}), although: {', '.join(words)}."
    more = "more" if change.value > 0 else "less"
    doubt = ""
    if change.low is not None and change.high is not None and change.low <= 0 <= change.high:
        doubt = " The interval holds zero: that there is a difference is not shown."
    return f"B takes {seconds(abs(change.value))} {more}{interval}, {sides}: {', '.join(words)}.{doubt}"


def _badly(found: Difference) -> str:
    """Which side's wall clock was cut short by a failure: it is not faster for that."""
    told = [
        f"{letter} ended badly" if side.tasks == 1 else f"of {letter} {side.failed:,} ended badly"
        for letter, side in (("A", found.a), ("B", found.b))
        if side.failed
    ]
    return f" ({'; '.join(told)})" if told else ""


def _causes(parts: Sequence[Change]) -> Iterator[tuple[float, float, str]]:
    """Of each part its weight, the seconds it adds, and its words."""
    for part in parts:
        added = part.change_s.value
        if part.more is None or part.each is None or part.unit is None:
            if abs(added) >= _NOTHING_S:
                yield (
                    abs(added),
                    added,
                    f"{'more' if added > 0 else 'less'} {part.name} ({_signed_seconds(added)})",
                )
            continue
        weights = [abs(effect.change_s.value) for effect in (part.more, part.each)]
        words = [_more(part.unit, part.more), _each(part.unit, part)]
        told = [each for each, weight in zip(words, weights, strict=True) if weight >= _NOTHING_S and each]
        if told:
            if len(told) == 2:
                told[1] = told[1].removeprefix(f"{_PLURALS[part.unit]} ")
            yield sum(weights), added, ", ".join(told)


def _more(unit: str, effect: Effect) -> str:
    """So many more or fewer of a unit."""
    change = (effect.b or 0.0) - (effect.a or 0.0)
    noun = unit if abs(change) == 1 else _PLURALS[unit]
    size = f"{abs(change):,.0f}" if float(change).is_integer() else number(abs(change))
    return f"{size} {'more' if change > 0 else 'fewer'} {noun} ({_signed_seconds(effect.change_s.value)})"


def _each(unit: str, part: Change) -> str:
    """How much slower or faster each of a unit is, and why where there are several reasons."""
    effect = part.each
    if effect is None or effect.a is None or effect.b is None:
        return ""
    change = effect.b - effect.a
    if part.a_outside or part.b_outside:
        # The difference of two bounds is no bound: that they got faster was not seen.
        a, b = (
            f"{bound(outside)}{seconds(value)}"
            for value, outside in ((effect.a, part.a_outside), (effect.b, part.b_outside))
        )
        return (
            f"{_PLURALS[unit]} each {b} against {a} ({_signed_seconds(effect.change_s.value)}, from outside)"
        )
    told = [
        one
        for one in part.within
        if abs(one.change_s.value) >= max(_NOTHING_S, 0.05 * abs(effect.change_s.value))
    ]
    why = ""
    if len(told) > 1:
        why = ": " + ", ".join(f"{_signed_seconds(one.change_s.value)} {_reason(one)}" for one in told)
    elif told and told[0].factor != "speed":
        why = f", {_reason(told[0])}"
    return (
        f"{_PLURALS[unit]} each {seconds(abs(change))} {'slower' if change > 0 else 'faster'} "
        f"({_signed_seconds(effect.change_s.value)}{why})"
    )


def _reason(effect: Effect) -> str:
    up = effect.change_s.value > 0
    if effect.factor == "tokens":
        return "by more tokens" if up else "by fewer tokens"
    if effect.factor == "overlap":
        return "by less running at once" if up else "by more running at once"
    return "by slower work" if up else "by faster work"


def _legend(found: Difference) -> Table:
    legend = Table.grid(padding=(0, 2))
    for letter, side in (("A", found.a), ("B", found.b)):
        legend.add_row(Text(letter, style="bold"), Text(plain(side.name)), Text(_size(side), style="dim"))
    return legend


def _size(side: Side) -> str:
    if side.tasks == 1:
        return f"{seconds(side.wall_s)}, {counted(round(side.steps), 'step')}"
    return f"{counted(side.tasks, 'task')}, mean {seconds(side.wall_s)}, {number(side.steps)} steps"


def _wall_table(found: Difference) -> Table:
    """The wall clock by what its seconds are counted by, and calls by bucket."""
    unit = TimeUnit.of(_seconds_of(side.wall_s) for side in (found.a, found.b))
    table = _changes_table(unit)
    for part in found.parts:
        table.add_row(*_cells(part, part.name, unit))
        inside = [bucket for bucket in found.buckets if bucket.unit == part.unit == "call"]
        for bucket in inside if len(inside) > 1 else ():
            table.add_row(*_cells(bucket, f"  {bucket.name}", unit, counts=False), style="dim")
    table.add_section()
    table.add_row(
        "wall clock",
        "",
        number(found.a.wall_s * unit.scale),
        number(found.b.wall_s * unit.scale),
        _change(found.change_s, unit),
        "",
        "",
        style="bold",
    )
    return table


def _named_table(changes: Sequence[Change]) -> Table:
    unit = TimeUnit.of(_seconds_of(value) for change in changes for value in (change.a_s, change.b_s))
    table = _changes_table(unit)
    for change in changes:
        table.add_row(*_cells(change, change.name, unit))
    return table


def _changes_table(unit: TimeUnit) -> Table:
    table = calm_table(
        "",
        "how\nmany",
        f"A\n({unit.name})",
        f"B\n({unit.name})",
        f"B - A\n({unit.name})",
        f"by more\n({unit.name})",
        f"by slower\n({unit.name})",
    )
    table.columns[0].no_wrap = False  # where it is narrow a name breaks, and no figure is cut
    return table


def _cells(change: Change, name: str, unit: TimeUnit, *, counts: bool = True) -> tuple[Text | str, ...]:
    more, each = change.more, change.each
    return (
        Text(plain(name)),
        _pair(more) if more is not None and counts else "",
        f"{bound(change.a_outside)}{number(change.a_s * unit.scale)}",
        f"{bound(change.b_outside)}{number(change.b_s * unit.scale)}",
        _change(change.change_s, unit),
        _signed(more.change_s.value * unit.scale) if more is not None else NOTHING,
        _signed(each.change_s.value * unit.scale) if each is not None else NOTHING,
    )


def _factors_table(found: Difference) -> Table:
    """Every factor that changed: how many of a unit, then in each bucket tokens a unit, seconds a token, what ran beside."""
    unit = TimeUnit.of(effect.change_s for bucket in found.buckets for effect in bucket.within)
    table = calm_table("", "A", "B", f"adds\n({unit.name})")
    table.columns[0].no_wrap = False
    rows = [(part, part.more) for part in found.parts]
    rows += [(bucket, effect) for bucket in found.buckets for effect in bucket.within]
    for change, effect in rows:
        if effect is None or abs(effect.change_s.value) < _NOTHING_S:
            continue
        name, scale = _factor(change, effect)
        write = _count if effect.factor == "count" else number
        a, b = (
            f"{bound(outside and effect.factor != 'count')}{write(one * scale)}"
            if one is not None
            else NOTHING
            for one, outside in ((effect.a, change.a_outside), (effect.b, change.b_outside))
        )
        table.add_row(name, a, b, _change(effect.change_s, unit))
    return table


def _factor(change: Change, effect: Effect) -> tuple[str, float]:
    """What a factor is called, with its unit, and its scale."""
    noun = change.unit or "call"
    if effect.factor == "count":
        return f"{_PLURALS[noun]} a task", 1.0
    if effect.factor == "tokens":
        return f"{change.name}: {_TOKENS[change.tokens or 'output']} a {noun}", 1.0
    if effect.factor == "overlap":
        return f"{change.name}: waited for, of its work (%)", 100.0
    if change.tokens is not None:
        return f"{change.name}: ms a token", 1e3
    return f"{change.name}: s a {noun}", 1.0


def _doubts(found: Difference) -> Iterator[str]:
    """Why A and B may not be what one means to compare."""
    a, b = ({name for name, _ in side.names} for side in (found.a, found.b))
    if a != b:
        yield f"They are tasks of different names. A: {name_list(found.a.names)}; B: {name_list(found.b.names)}."
    elif len(a) > 1:
        yield f"Each pools tasks of {len(a)} names. A: {name_list(found.a.names)}; B: {name_list(found.b.names)}."
    if found.a.failed or found.b.failed:
        told = "; ".join(
            f"{letter}: {side.failed:,} of {counted(side.tasks, 'task')}"
            for letter, side in (("A", found.a), ("B", found.b))
        )
        yield f"Some ended badly, and what they had still to do is not in their time. {told}."


def _notes(found: Difference) -> Iterator[str]:
    yield (
        "By more: the change in how many, at the mean of both sides' seconds each. By slower: the change in seconds each, at "
        "the mean of how many. Together they are B - A; waits for parallel work are counted once."
    )
    if any(part.a_outside or part.b_outside for part in found.parts):
        yield (
            "≤: seen from outside, so an upper bound. A change of bounds is no bound: what the framework did beside the tools "
            "may be all of it."
        )
    if found.a.tasks == found.b.tasks == 1:
        yield "Two single tasks: what differs may be chance. Groups of tasks have intervals."
        return
    yield "Means a task, since the buckets' means sum to the wall clock's and medians don't."
    if found.change_s.low is None:
        yield "Fewer than three tasks on one side, so no intervals."
    else:
        yield "Intervals: 95 %, bootstrap over tasks."


def _pair(effect: Effect) -> str:
    a, b = (_count(one or 0.0) for one in (effect.a, effect.b))
    return a if a == b else f"{a} → {b}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else number(value)


def _change(estimate: Estimate, unit: TimeUnit) -> str:
    value = _signed(estimate.value * unit.scale)
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{_signed(estimate.low * unit.scale)} {_signed(estimate.high * unit.scale)}]"


def _signed(value: float) -> str:
    written = number(value)
    return f"+{written}" if value > 0 and written != "0" else written


def _signed_seconds(value: float) -> str:
    return f"+{seconds(value)}" if value > 0 else seconds(value)


def _seconds_of(value: float) -> Estimate:
    return Estimate(value=value, low=None, high=None, n=1)


def _print_table(title: str, table: Table, console: Console) -> None:
    console.print(Text(title, style="bold"))
    console.print(Padding(table, (0, 0, 0, _INDENT)), highlight=False)
    console.print()
