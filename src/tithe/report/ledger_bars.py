"""Bars of a terminal: a letter a bucket, on its colour where there is colour, so that neither is needed alone."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.text import Text

from tithe.ledger import BUCKETS, Bucket, Slice
from tithe.report.buckets import LOOKS, UNSEEN
from tithe.report.figures import seconds
from tithe.report.ledger_words import bound, of_all

_BETWEEN = "  "


def coloured(console: Console) -> bool:
    """Whether colours are shown; where not, bars are of letters alone."""
    return console.color_system is not None and not console.no_color


def stacked(sums: dict[Bucket, float], width: int, *, colour: bool) -> Text:
    """One bar over the whole width: each bucket as many cells as its share, by largest remainders."""
    whole = sum(sums.values())
    if whole <= 0:
        return Text()
    shares = {bucket: width * value / whole for bucket, value in sums.items() if value > 0}
    cells = {bucket: int(share) for bucket, share in shares.items()}
    by_rest = sorted(shares, key=lambda bucket: cells[bucket] - shares[bucket])
    for bucket in by_rest[: width - sum(cells.values())]:
        cells[bucket] += 1
    bar = Text()
    for bucket in BUCKETS:
        _append(bar, bucket, cells.get(bucket, 0), colour=colour)
    return bar


def legend(
    sums: dict[Bucket, float], width: int, *, colour: bool, outside: Collection[Bucket] = ()
) -> list[Text]:
    """What the letters are, with seconds and shares, what is most first; as many on a line as fit.

    `outside`: the buckets whose figures are upper bounds.
    """
    whole = sum(sums.values())
    lines = [Text()]
    for bucket, value in sorted(sums.items(), key=lambda one: -one[1]):
        sign = Text()
        _append(sign, bucket, 1, colour=colour)
        entry = sign + Text(
            f" {LOOKS[bucket].name} {bound(bucket in outside)}{seconds(value)}, {of_all(value, whole)}"
        )
        if lines[-1] and lines[-1].cell_len + len(_BETWEEN) + entry.cell_len > width:
            lines.append(Text())
        lines[-1] = lines[-1] + Text(_BETWEEN) + entry if lines[-1] else entry
    return lines


def in_time(slices: Iterable[Slice], begin: float, end: float, width: int) -> list[Bucket | None]:
    """For each of `width` cells from begin to end, the bucket that most of it is; None where there is nothing."""
    cell = (end - begin) / width
    found: list[dict[Bucket, float]] = [defaultdict(float) for _ in range(width)]
    for one in slices:
        if cell <= 0 or one.end < begin or one.start > end:
            continue
        first = min(width - 1, max(0, int((one.start - begin) / cell)))
        last = min(width - 1, max(0, int((one.end - begin) / cell)))
        for place in range(first, last + 1):
            left = begin + place * cell
            found[place][one.bucket] += max(0.0, min(one.end, left + cell) - max(one.start, left))
    return [max(inside, key=lambda bucket: inside[bucket]) if inside else None for inside in found]


def drawn(cells: Sequence[Bucket | None], *, colour: bool) -> Text:
    """Cells as text; runs of one bucket have its letter once where there is colour."""
    bar, place = Text(), 0
    while place < len(cells):
        until = place
        while until < len(cells) and cells[until] == cells[place]:
            until += 1
        _append(bar, cells[place], until - place, colour=colour)
        place = until
    return bar


def _append(bar: Text, bucket: Bucket | None, cells: int, *, colour: bool) -> None:
    if bucket is None or not cells:
        bar.append(" " * cells)
        return
    look = LOOKS[bucket]
    if bucket == UNSEEN:
        bar.append(look.letter * cells, style="dim" if colour else "")
    elif colour:
        bar.append(look.letter.ljust(cells), style=f"color(16) on {look.style}")
    else:
        bar.append(look.letter * cells)
