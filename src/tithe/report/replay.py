"""A replay for the terminal: a task's wall clock by bucket as it was recorded, as it was projected, and as it went."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.ledger import BUCKETS, Account
from tithe.report.figures import NOTHING, seconds, tokens
from tithe.whatif import Checked

_INDENT = 2
_PROJECTED = ("recorded", "projected", "replayed", "projected less replayed")


def print_replay(
    recorded: Account,
    replayed: Account,
    notes: Sequence[str],
    console: Console,
    projection: Checked | None = None,
    *,
    part: tuple[int, int] | None = None,
) -> None:
    """What was recorded and replayed side by side, with the projection in between and its errors, and what has to be known of it.
    `part`: (answered, all) calls of a replay that broke off."""
    name = recorded.name or recorded.task[:8]
    words = "recorded, and replayed" if projection is None else "recorded, projected, and replayed"
    replayed_head = "replayed" if part is None else f"replayed, {part[0]} of {part[1]} calls"
    console.print(Text(f"\n{name}: {words}\n", style="bold"), highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("bucket")
    heads = ("recorded", replayed_head, "difference") if projection is None else _PROJECTED
    for head in heads:
        table.add_column(head, justify="right")
    rows = _rows(recorded, replayed) if projection is None else _projected(recorded, projection, replayed)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(Padding(table, (0, 0, 0, _INDENT)), highlight=False)
    console.print()
    told = [*((_verdict(projection, replayed),) if projection is not None else ()), *notes]
    for note in told:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, _INDENT)), highlight=False)


def _verdict(projection: Checked, replayed: Account) -> str:
    wall = projection.projected.wall
    if wall.ends is None or projection.inside is None:
        held = "it has no interval, for too few calls of the endpoint were recorded to tell how they scatter"
    else:
        where = "inside" if projection.inside else "outside"
        low, high = map(seconds, wall.ends)
        held = f"the replayed {seconds(replayed.wall_s)} are {where} its 80 % interval, {low} to {high}"
    return (
        f"The projection stands on {projection.source}. It is {100 * abs(projection.error):.1f} % "
        f"{'too long' if projection.error >= 0 else 'too short'}; {held}. "
        f"Buckets are means, the wall clock is the median."
    )


def _projected(recorded: Account, projection: Checked, replayed: Account) -> Iterable[tuple[str, ...]]:
    after, wall = projection.projected.after, projection.projected.wall.p50
    for bucket in BUCKETS:
        cells = recorded.wall.get(bucket), after.get(bucket), replayed.wall.get(bucket)
        if any(cells):
            yield (bucket, *(_time(cell) for cell in cells), _difference(cells[2], cells[1]))
    cells = recorded.wall_s, wall, replayed.wall_s
    yield ("wall clock", *(seconds(cell) for cell in cells), _difference(replayed.wall_s, wall))
    for what, before, now in _counts(recorded, replayed):
        yield (what, tokens(before), NOTHING, tokens(now), NOTHING)


def _rows(recorded: Account, replayed: Account) -> Iterable[tuple[str, ...]]:
    for bucket in BUCKETS:
        before, after = recorded.wall.get(bucket), replayed.wall.get(bucket)
        if before or after:
            yield (bucket, _time(before), _time(after), _difference(before, after))
    before, after = recorded.wall_s, replayed.wall_s
    yield ("wall clock", seconds(before), seconds(after), _difference(before, after))
    for what, then, now in _counts(recorded, replayed):
        yield (what, tokens(then), tokens(now), NOTHING)


def _counts(recorded: Account, replayed: Account) -> Iterable[tuple[str, int | None, int | None]]:
    yield "calls", recorded.calls, replayed.calls
    yield "input tokens", recorded.input_tokens, replayed.input_tokens
    yield "of them cached", recorded.cached_tokens, replayed.cached_tokens
    yield "output tokens", recorded.output_tokens, replayed.output_tokens


def _time(value: float | None) -> str:
    return seconds(value) if value else NOTHING


def _difference(before: float | None, after: float | None) -> str:
    change = (after or 0.0) - (before or 0.0)
    return f"{'+' if change >= 0 else '-'}{seconds(abs(change))}"
