"""Ledgers in short: what `tithe record` prints when it ends, and many tasks at once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tithe.ledger import BUCKETS, Bucket, Diagnosis, Ledger, ManyTasks, Spread
from tithe.report.buckets import LOOKS
from tithe.report.figures import NOTHING, counted, interval, number, percent, seconds
from tithe.report.ledger_bars import coloured, legend, stacked
from tithe.report.ledger_rows import Cells, unit_of
from tithe.report.ledger_terminal import fitting
from tithe.report.ledger_words import (
    avoidable,
    bound,
    bucket_seconds,
    finding_sentence,
    findings,
    inference_seconds,
    name_list,
    of_all,
    reported_by,
    title,
)
from tithe.report.outcome import command_end, outcome_sentences
from tithe.trace.node import HUNG_UP
from tithe.trace.tree import NO_CALL, STEPS_ALONE, TOOLS_ALONE

_INDENT = 2
# So many tasks are told one by one; of more there is a table.
ONE_BY_ONE = 3
_MOST_ROWS = 20
_MOST_NAMED = 3


def print_short(
    ledgers: Sequence[tuple[Ledger, Diagnosis | None]], console: Console, *, command: str = "tithe ledger"
) -> None:
    """Print what was recorded, in a few lines a task. `command`: what is typed to see the ledger of one."""
    alone = [ledger for ledger, _ in ledgers if TOOLS_ALONE in ledger.notes]
    told = [one for one in ledgers if one[0] not in alone] if len(alone) < len(ledgers) else ledgers
    if len(told) > ONE_BY_ONE:
        _print_table([ledger for ledger, _ in told], console, command)
    else:
        for ledger, diagnosis in told:
            _print_one(ledger, diagnosis, console, command)
    said = {note for ledger, _ in told for note in ledger.notes}
    hints = [
        *([_tools_alone(alone)] if alone else []),
        *(note for note in (STEPS_ALONE, NO_CALL) if note in said),
    ]
    for hint in hints:
        console.print(Text(hint), highlight=False)
        console.print()


def _tools_alone(alone: Sequence[Ledger]) -> str:
    """What is said of tasks that hold tool runs and no call."""
    runs = sum(row.runs for ledger in alone for row in ledger.tools)
    ids = ", ".join(ledger.task[:8] for ledger in alone[:_MOST_NAMED])
    more = f" and {len(alone) - _MOST_NAMED:,} more" if len(alone) > _MOST_NAMED else ""
    stands = "stands in a task of its own" if runs == 1 else "stand in tasks of their own"
    return (
        f"{counted(runs, 'tool run')} {stands} ({ids}{more}): no one task's calls lie around what ran outside of "
        "any task. Put `with task(...)` of tithe.trace around the agent's run. Where it is there, give a tool the name and "
        "the call_id of what the model asked for, or run its thread in a copy of the context."
    )


def _print_one(ledger: Ledger, diagnosis: Diagnosis | None, console: Console, command: str) -> None:
    colour, width = coloured(console), console.width
    sums = bucket_seconds(ledger)
    share = percent(inference_seconds(ledger), ledger.wall_s)
    unfinished = "" if ledger.finished else ", not finished"
    console.print(
        Text.assemble(
            (title(ledger), "bold"),
            f"  {seconds(ledger.wall_s)}, {counted(len(ledger.steps), 'step')}, {share} inference{unfinished}",
        ),
    )
    for line in outcome_sentences(ledger.outcome):
        console.print(Text(line, style="yellow" if ledger.outcome.good else "bold red"), highlight=False)
    for line in (
        stacked(sums, width, colour=colour),
        *legend(sums, width, colour=colour, outside=ledger.outside)[:1],
    ):
        console.print(line, highlight=False)
    told = avoidable(ledger, diagnosis)
    console.print(Text(f"{told[:1].upper()}{told[1:]}."), highlight=False)
    found = findings(diagnosis) if diagnosis is not None else ()
    if found:
        console.print(Text(f"Prefix: {finding_sentence(found[0])}"), highlight=False)
    console.print(Text(f"{command} {ledger.task[:8]}, or with --html FILE", style="dim"), highlight=False)
    console.print()


def _print_table(ledgers: Sequence[Ledger], console: Console, command: str) -> None:
    unit = unit_of(ledger.wall_s for ledger in ledgers)
    longest = sorted(ledgers, key=lambda ledger: -ledger.wall_s)[:_MOST_ROWS]
    whole: dict[Bucket, float] = {
        bucket: sum(ledger.bucket_s(bucket) for ledger in ledgers) for bucket in BUCKETS
    }
    sums: dict[Bucket, float] = {bucket: value for bucket, value in whole.items() if value > 0}
    wall, tax = sum(ledger.wall_s for ledger in ledgers), sum(ledger.tax_s for ledger in ledgers)
    told = any(_end(ledger) for ledger in longest)
    rows = [
        (
            title(ledger),
            ledger.task[:8],
            f"{len(ledger.steps):,}",
            number(ledger.wall_s * unit.scale),
            percent(inference_seconds(ledger), ledger.wall_s),
            number(ledger.tax_s * unit.scale),
            *([_end(ledger)] if told else []),
        )
        for ledger in longest
    ]
    rows.append(
        (
            f"all {len(ledgers):,} tasks",
            "",
            f"{sum(len(ledger.steps) for ledger in ledgers):,}",
            number(wall * unit.scale),
            percent(sum(inference_seconds(ledger) for ledger in ledgers), wall),
            number(tax * unit.scale),
            *([""] if told else []),
        )
    )
    heads = (
        *("task", "id", "steps", f"wall ({unit.name})", "inference", f"avoidable ({unit.name})"),
        *(("end",) if told else ()),
    )
    cells = Cells(title="", heads=heads, rows=tuple(rows), total=True)
    console.print(fitting(cells, console.width), highlight=False)
    if len(ledgers) > len(longest):
        console.print(Text(f"Shown are the {len(longest)} longest.", style="dim"))
    colour = coloured(console)
    outside: set[Bucket] = {bucket for ledger in ledgers for bucket in ledger.outside}
    for line in (
        stacked(sums, console.width, colour=colour),
        *legend(sums, console.width, colour=colour, outside=outside)[:2],
    ):
        console.print(line, highlight=False)
    console.print(Text(f"{command} ID, or with --html FILE", style="dim"), highlight=False)
    console.print()


def _end(ledger: Ledger) -> str:
    """How a task ended, in a word or two where it ended badly."""
    outcome = ledger.outcome
    given_up = outcome.failed is not None and outcome.failed.error == HUNG_UP
    if (outcome.failed is not None and not given_up) or outcome.error is not None:
        return "failed"
    return command_end(outcome.exit_status, outcome.signal) or (
        "cut off" if outcome.recorder == "killed" else "given up" if given_up else ""
    )


def print_many(many: ManyTasks, console: Console) -> None:
    """Print many tasks as one: p50 and p95 of each bucket over them, with intervals, and what all of them sum to."""
    colour, width = coloured(console), console.width - _INDENT
    console.print()
    console.print(Text.assemble(("tithe ledger", "bold"), f"  {counted(len(many.accounts), 'task')}"))
    for line in _pooled(many):
        console.print(Text(line, style="yellow"), highlight=False)
    console.print()
    sums: dict[Bucket, float] = defaultdict(float)
    for account in many.accounts:
        for bucket, value in account.wall.items():
            sums[bucket] += value
    outside: set[Bucket] = {bucket for account in many.accounts for bucket in account.outside}
    for line in (
        stacked(sums, width, colour=colour),
        *legend(sums, width, colour=colour, outside=outside),
    ):
        console.print(Padding(line, (0, 0, 0, _INDENT)), highlight=False)
    console.print()
    unit = unit_of(
        estimate.value for one in (many.wall, *many.buckets) for estimate in (one.p50, one.p95) if estimate
    )
    heads = ("a task", f"p50 ({unit.name})", f"p95 ({unit.name})", f"all ({unit.name})", "share")
    rows = [
        *(_spread(_bucket_name(one.name), one, unit.scale) for one in many.buckets),
        _spread("wall clock", many.wall, unit.scale),
    ]
    table = fitting(Cells(title="", heads=heads, rows=tuple(rows), total=True), width)
    console.print(Padding(table, (0, 0, 0, _INDENT)), highlight=False)
    some = reported_by(many)
    notes = [
        *([some] if some is not None else []),
        f"Steps a task: p50 {interval(many.steps.p50)}, p95 {interval(many.steps.p95)}, {many.steps.total:,.0f} in all.",
        "Figures: value [95 % interval over tasks, by order statistics]; a p95 takes 20 tasks.",
        *(["≤: some of it was seen from outside, so an upper bound."] if outside else []),
    ]
    for note in notes:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, _INDENT)), highlight=False)
    console.print()


def _pooled(many: ManyTasks) -> Iterator[str]:
    """What is in one figure here that may not belong together."""
    if len(many.names) > 1:
        yield f"Pooled are tasks of {len(many.names):,} names: {name_list(many.names)}. --name NAME tells those of one."
    if many.failed:
        yield f"{many.failed:,} of them ended badly, and what they had still to do is not in their time."


def _bucket_name(name: str) -> str:
    return next((look.name for bucket, look in LOOKS.items() if bucket == name), name)


def _spread(name: str, one: Spread, scale: float) -> tuple[str, ...]:
    share = of_all(one.share, 1.0) if one.share is not None else NOTHING
    figures = (interval(one.p50, scale), interval(one.p95, scale), number(one.total * scale), share)
    return (name, *(f"{bound(one.outside)}{figure}" if figure != NOTHING else figure for figure in figures))
