"""A task's ledger on the terminal: what it amounts to, where the time went, what of it was avoidable, and what ran when.

Colour only repeats what letters and words say, so nothing is lost without it.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tithe.ledger import Diagnosis, Ledger
from tithe.report.ledger_bars import coloured, legend, stacked
from tithe.report.ledger_rows import (
    Cells,
    cost_cells,
    kept_steps,
    model_cells,
    step_cells,
    tax_cells,
    tool_cells,
)
from tithe.report.ledger_waterfall import waterfall_lines
from tithe.report.ledger_words import (
    TOGETHER,
    alerts,
    bucket_seconds,
    finding_sentence,
    findings,
    first_sentence,
    no_break,
    title,
    unchecked_sentences,
    visible,
)
from tithe.report.outcome import outcome_sentences
from tithe.report.tables import calm_table

_INDENT = 2
_MOST_FINDINGS = 5
# Columns of tables that a narrow terminal does without, the first to go first.
_SPARE = (
    "of them cached",
    "attempts",
    "from outside",
    "longest",
    "busy",
    "output tokens",
    "failed",
    "length",
    "TTFT",
)
# Columns of names, which may be cut: to this at first, and to that where nothing else is left to give.
_NAMES = ("bucket", "avoidable", "step", "tools", "tool", "model", "task", "a task")
_FAIR_NAME, _LEAST_NAME = 30, 12
_FOLDED = "model"  # names that their ends tell apart: they go on below before a column goes
_BETWEEN = 2
BOUND = "≤: seen from outside, so an upper bound"


def print_ledger(ledger: Ledger, diagnosis: Diagnosis | None, console: Console) -> None:
    """Print the whole ledger; made for 80 columns and wider."""
    width, colour = console.width - _INDENT, coloured(console)
    console.print()
    console.print(
        Text.assemble(("tithe ledger", "bold"), "  ", (title(ledger), "bold cyan"), f"  {ledger.task[:12]}"),
        soft_wrap=False,
    )
    for line in alerts(ledger):
        console.print(Text(line, style="yellow"))
    for line in outcome_sentences(ledger.outcome):
        console.print(Text(line, style="yellow" if ledger.outcome.good else "bold red"))
    console.print()
    sums = bucket_seconds(ledger)
    _indented(
        console,
        [Text(first_sentence(ledger, diagnosis), style="bold"), Text(), stacked(sums, width, colour=colour)],
    )
    _indented(console, legend(sums, width, colour=colour, outside=ledger.outside))
    console.print()
    _print_cells(
        console,
        cost_cells(ledger),
        "Saves: so much shorter the task is without it; less than wall where something else would be waited for.",
        *([f"{BOUND}."] if ledger.outside else []),
    )
    _print_tax(console, ledger)
    _print_doctor(console, diagnosis)
    _print_steps(console, ledger)
    if ledger.tools:
        together = any(row.together for row in ledger.tools)
        outside = [f"{BOUND}{f'; {TOGETHER}' if together else ''}."] if "tool" in ledger.outside else []
        _print_cells(console, tool_cells(ledger), *outside)
    if ledger.models:
        _print_cells(console, model_cells(ledger))
    console.print(Text("Waterfall", style="bold"))
    _indented(console, waterfall_lines(ledger, width, colour=colour))
    console.print()


def _print_tax(console: Console, ledger: Ledger) -> None:
    unchecked = unchecked_sentences(ledger)
    if ledger.tax:
        together = "Removed together they may save less or more than one by one."
        _print_cells(console, tax_cells(ledger), together, *unchecked)
    elif unchecked:
        console.print(Text(tax_cells(ledger).title, style="bold"))
        _indented(console, [Text(line, style="dim") for line in ("Nothing found.", *unchecked)])
        console.print()


def _print_doctor(console: Console, diagnosis: Diagnosis | None) -> None:
    if diagnosis is None:
        return
    console.print(Text("Prefix", style="bold"))
    found = findings(diagnosis)
    if not found:
        told = no_break(diagnosis)
        _indented(console, [Text(f"No break. {told}" if diagnosis.known > 1 else told, "dim")])
    _indented(console, [Text(finding_sentence(one)) for one in found[:_MOST_FINDINGS]])
    if len(found) > _MOST_FINDINGS:
        _indented(console, [Text(f"... and {len(found) - _MOST_FINDINGS:,} more findings.", "dim")])
    _indented(console, [Text(visible(note), "dim") for note in diagnosis.notes])
    console.print()


def _print_steps(console: Console, ledger: Ledger) -> None:
    if not ledger.steps:
        return
    cells, kept = step_cells(ledger), kept_steps(ledger.steps)
    rows: list[tuple[str, ...]] = []
    for place, index in enumerate(kept):
        before = kept[place - 1] if place else -1
        if index - before > 1:
            rows.append((f"... {index - before - 1:,} more ...",))
        rows.append(cells.rows[index])
    folded = Cells(title=cells.title, heads=cells.heads, rows=tuple(rows))
    notes: list[str] = []
    if len(kept) < len(ledger.steps):
        notes.append("Shown are the first, the last, and those that take most.")
    if any(row.line is not None for row in ledger.steps):
        notes.append(
            "A branch's steps are in the step that holds it too: rows may sum to more than the wall clock."
        )
    _print_cells(console, folded, *notes)


def _print_cells(console: Console, cells: Cells, *notes: str) -> None:
    console.print(Text(cells.title, style="bold"))
    table = fitting(cells, console.width - _INDENT)
    console.print(Padding(table, (0, 0, 0, _INDENT)), highlight=False)
    there = {column.header for column in table.columns}
    gone = [head.partition(" (")[0] for head in cells.heads if _broken(head) not in there]
    want = [f"For want of width without {', '.join(gone)}."] if gone else []
    _indented(console, [Text(note, style="dim") for note in (*notes, *want)])
    console.print()


def fitting(cells: Cells, width: int) -> Table:
    """The cells as a table that is no wider: columns that can be spared go, then names are cut."""
    columns = list(range(len(cells.heads)))
    heads = [_broken(head) for head in cells.heads]

    wide = {place: _wide(heads[place], cells.rows, place) for place in columns}
    # Names give way first, as far as they still tell; then columns; then names again.
    names = [place for place in {0, len(columns) - 1} if cells.heads[place] in _NAMES]
    cut: dict[int, int] = {}

    def over() -> int:
        return sum(cut.get(place, wide[place]) + _BETWEEN for place in columns) - _BETWEEN - width

    def shorten(least: int) -> None:
        for place in sorted(names, key=lambda place: -wide[place]):
            now = cut.get(place, wide[place])
            kept = max(min(now, least), now - max(0, over()), len(cells.heads[place]))
            if kept < now:
                cut[place] = kept

    folded = cells.heads[0] == _FOLDED
    shorten(_LEAST_NAME if folded else _FAIR_NAME)
    for spare in _SPARE:
        if over() <= 0:
            break
        columns = [place for place in columns if not cells.heads[place].startswith(spare)]
    shorten(_LEAST_NAME)
    table = calm_table(*(heads[place] for place in columns))
    if folded and 0 in cut:
        table.columns[0].no_wrap, table.columns[0].overflow, table.columns[0].width = (
            False,
            "fold",
            cut.pop(0),
        )
    if cells.heads[columns[-1]] == "tools":
        table.columns[-1].justify = "left"
    for number, row in enumerate(cells.rows):
        if cells.total and number == len(cells.rows) - 1:
            table.add_section()
        shown = [Text(row[place]) for place in columns if place < len(row)]
        for position, place in enumerate(columns):
            if place in cut and position < len(shown):
                shown[position].truncate(cut[place], overflow="ellipsis")
        table.add_row(*shown)
    return table


def _broken(head: str) -> str:
    """A head on several lines, a word each."""
    return (
        head.replace(" tokens", "\ntokens")
        .replace(" (", "\n(")
        .replace(" p50", "\np50")
        .replace("of them ", "of them\n")
        .replace("from ", "from\n")
    )


def _wide(head: str, rows: Sequence[Sequence[str]], place: int) -> int:
    cells = [*head.split("\n"), *(row[place] for row in rows if place < len(row))]
    return max(Text(cell).cell_len for cell in cells)


def _indented(console: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        console.print(Padding(line, (0, 0, 0, _INDENT)), highlight=False)
