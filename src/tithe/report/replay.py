"""A replay for the terminal: a task's wall clock by bucket as it was recorded, and as it went against the endpoint."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.ledger import BUCKETS, Account
from tithe.report.figures import NOTHING, seconds, tokens

_INDENT = 2


def print_replay(recorded: Account, replayed: Account, notes: Sequence[str], console: Console) -> None:
    """The two side by side, and what has to be known of the replay."""
    name = recorded.name or recorded.task[:8]
    console.print(Text(f"\n{name}: recorded, and replayed\n", style="bold"), highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("bucket")
    for head in ("recorded", "replayed", "difference"):
        table.add_column(head, justify="right")
    for row in _rows(recorded, replayed):
        table.add_row(*(Text(cell) for cell in row))
    console.print(Padding(table, (0, 0, 0, _INDENT)), highlight=False)
    console.print()
    for note in notes:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, _INDENT)), highlight=False)


def _rows(recorded: Account, replayed: Account) -> Iterable[tuple[str, str, str, str]]:
    for bucket in BUCKETS:
        before, after = recorded.wall.get(bucket), replayed.wall.get(bucket)
        if before or after:
            yield (bucket, _time(before), _time(after), _difference(before, after))
    before, after = recorded.wall_s, replayed.wall_s
    yield ("wall clock", seconds(before), seconds(after), _difference(before, after))
    for what, before, after in (
        ("calls", recorded.calls, replayed.calls),
        ("input tokens", recorded.input_tokens, replayed.input_tokens),
        ("of them cached", recorded.cached_tokens, replayed.cached_tokens),
        ("output tokens", recorded.output_tokens, replayed.output_tokens),
    ):
        yield (what, tokens(before), tokens(after), NOTHING)


def _time(value: float | None) -> str:
    return seconds(value) if value else NOTHING


def _difference(before: float | None, after: float | None) -> str:
    change = (after or 0.0) - (before or 0.0)
    return f"{'+' if change >= 0 else '-'}{seconds(abs(change))}"
