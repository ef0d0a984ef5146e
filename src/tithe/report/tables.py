"""The audit's tables: medians with their 95 % intervals, units in the head, notes below. The task has a file of its own."""

from collections.abc import Sequence

import msgspec
from rich import box
from rich.table import Table

from tithe.audit import (
    Concurrency,
    ConcurrencyFigures,
    Estimate,
    LengthFigures,
    Pairs,
    Structured,
    StructuredFigures,
    TotalFigures,
    Totals,
    samples_for,
)
from tithe.report.failures import said
from tithe.report.figures import (
    NOT_REPORTED,
    NOTHING,
    TimeUnit,
    counted,
    interval,
    number,
    seconds,
    share,
    tokens,
)


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement as it is shown."""

    title: str
    table: Table
    notes: tuple[str, ...]


def calm_table(*heads: str) -> Table:
    """A calm table: one rule under the head, the first column to the left and figures to the right."""
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )
    for position, head in enumerate(heads):
        table.add_column(head, justify="left" if position == 0 else "right", no_wrap=True, vertical="bottom")
    return table


def pairs_section(pairs: Pairs) -> Section:
    """TTFT with and without the prefix in the cache, a row for each length."""
    rows = pairs.figures.lengths
    unit = TimeUnit.of(row.uncached_ttft_s for row in rows)
    table = calm_table(
        "prefix\n(tokens)",
        f"uncached\n({unit.name})",
        f"cached\n({unit.name})",
        f"saved\n({unit.name})",
        "cached/all\ntokens",
    )
    for row in rows:
        table.add_row(
            f"{row.length:,}",
            unit.write(row.uncached_ttft_s),
            unit.write(row.cached_ttft_s),
            unit.write(row.saved_s),
            _reported(row.cached_tokens, row.prompt_tokens) if row.cached_ttft_s is not None else NOTHING,
        )
    figures, notes = pairs.figures, list[str]()
    if figures.token_worth_s is not None and figures.uncached_token_s is not None:
        notes.append(
            f"A prefix token costs {interval(figures.uncached_token_s, 1e6)} µs uncached; cached, it saves "
            f"{interval(figures.token_worth_s, 1e6)} µs."
        )
    notes += refused_lengths(rows)
    silent = [row for row in rows if row.uncached_ttft_s is None and row.cached_ttft_s is None]
    unanswered = [row for row in silent if row.refused is None]
    notes += [f"{row.length:,} tokens: no call of that length was answered." for row in unanswered]
    notes += _failed(sum(row.failed for row in rows))
    if any(row.cached_ttft_s is not None and row.cached_tokens is None for row in rows):
        notes.append(f"{NOT_REPORTED}: the endpoint does not report cached tokens.")
    if any(row.cached_tokens is not None for row in rows):
        notes.append(
            "Rows are the lengths asked for; cached/all is what the endpoint reported, template and tail included."
        )
    return Section(title="Cached against uncached TTFT", table=table, notes=tuple(notes))


def refused_lengths(rows: Sequence[LengthFigures]) -> list[str]:
    """What the endpoint said of the lengths that it does not take."""
    return [
        f"{row.length:,} tokens: not measured, the endpoint {said(row.refused)}"
        for row in rows
        if row.refused is not None
    ]


def _reported(cached: float | None, prompt: float | None) -> str:
    return f"{tokens(cached)}/{tokens(prompt)}" if cached is not None else NOT_REPORTED


def totals_section(totals: Totals) -> Section:
    """Time to N tokens with the prefix cached, and the chat figure as the last row."""
    chat = totals.figures.chat
    rows = (*totals.figures.lengths, chat.figures)
    total, ttft = TimeUnit.of(row.total_s for row in rows), TimeUnit.of(row.ttft_s for row in rows)
    table = calm_table(
        "tokens\nout", "came", f"total\n({total.name})", f"TTFT\n({ttft.name})", "decode\n(tok/s)"
    )
    for row in totals.figures.lengths:
        name = f"{row.wanted} (step)" if row.wanted == chat.step_tokens else str(row.wanted)
        table.add_row(name, *_total_cells(row, total, ttft))
    if chat.figures.total_s is not None:
        table.add_section()
        table.add_row(f"{chat.figures.wanted} (chat)", *_total_cells(chat.figures, total, ttft))
    notes: list[str] = []
    if chat.misjudged is not None and chat.measured_step_s is not None and chat.predicted_step_s is not None:
        notes.append(
            f"Chat figure: {interval(chat.tokens_per_s)} tok/s from a fresh prompt. For a step it predicts "
            f"{seconds(chat.predicted_step_s)}; measured {seconds(chat.measured_step_s.value)}, "
            f"{chat.misjudged:.2f} times that."
        )
    notes += _between_chunks(totals.figures.lengths)
    notes += _visible(rows)
    short = sum(row.fell_short for row in totals.figures.lengths) + chat.figures.fell_short
    if short:
        notes.append(
            f"{counted(short, 'answer')} ended before the length asked for, even when asked again; `came` is the median."
        )
    notes += _failed(sum(row.failed for row in totals.figures.lengths) + chat.figures.failed)
    return Section(title="Short generations, prefix cached", table=table, notes=tuple(notes))


def _between_chunks(rows: Sequence[TotalFigures]) -> list[str]:
    """A note on how evenly the longest answers came."""
    known = [row for row in rows if row.itc_p50_s is not None]
    return [
        f"Between the chunks of {row.wanted} tokens: {seconds(row.itc_p50_s or 0.0)} p50"
        + (f", {seconds(row.itc_p99_s)} p99" if row.itc_p99_s is not None else "")
        + " (a chunk may hold several tokens)."
        for row in known[-1:]
    ]


def _visible(rows: Sequence[TotalFigures]) -> list[str]:
    """A note where reasoning comes before the first token that a reader sees."""
    for row in rows:
        if row.ttft_s is None or (
            row.visible_ttft_s is not None and row.visible_ttft_s.value <= row.ttft_s.value
        ):
            continue
        if row.visible_ttft_s is None:
            return ["The model reasons: no visible token came within these lengths."]
        return [
            f"The model reasons: of {row.wanted} tokens, the first visible one came after {seconds(row.visible_ttft_s.value)}."
        ]
    return []


def _total_cells(row: TotalFigures, total: TimeUnit, ttft: TimeUnit) -> tuple[str, str, str, str]:
    return (
        tokens(row.generated),
        total.write(row.total_s),
        ttft.write(row.ttft_s),
        interval(row.decode_tokens_per_s),
    )


def structured_section(structured: Structured) -> Section:
    """Validity and time to a valid answer, constrained against free."""
    rows = structured.figures
    unit = TimeUnit.of(time for row in rows for time in (row.ttft_s, row.valid_total_s))
    table = calm_table(
        "answer",
        "valid\n(%)",
        f"TTFT\n({unit.name})",
        f"valid answer\n({unit.name})",
        f"with\nretries\n({unit.name})",
    )
    for row in rows:
        table.add_row(
            row.arm,
            share(row.valid),
            unit.write(row.ttft_s),
            unit.write(row.valid_total_s),
            _with_retries(row, unit),
        )
    notes = [*refused_arms(rows)]
    notes += [f"{row.arm}: {_classes(row)}." for row in rows if set(row.classes) - {"valid"}]
    notes.append("With retries: mean time of a call / share valid, each call like the others.")
    return Section(title="Structured output, time to a valid answer", table=table, notes=tuple(notes))


def refused_arms(rows: Sequence[StructuredFigures]) -> list[str]:
    """What the endpoint said of the arms that it does not take; arms of which it said the same are told at once."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.refused is not None:
            found.setdefault(said(row.refused), []).append(row.arm)
    return [f"{', '.join(arms)}: not measured, the endpoint {words}" for words, arms in found.items()]


def _with_retries(row: StructuredFigures, unit: TimeUnit) -> str:
    if row.expected_s is not None:
        return number(row.expected_s * unit.scale)
    return (
        f"over {number(row.expected_at_least_s * unit.scale)}"
        if row.expected_at_least_s is not None
        else NOTHING
    )


def _classes(row: StructuredFigures) -> str:
    return ", ".join(
        f"{count} {found}" for found, count in sorted(row.classes.items(), key=lambda one: -one[1])
    )


def concurrency_section(concurrency: Concurrency) -> Section:
    """TTFT and tokens a second with N agents at once."""
    rows = concurrency.figures
    unit = TimeUnit.of(time for row in rows for time in (row.ttft_p50_s, row.ttft_p95_s))
    table = calm_table(
        "agents",
        f"TTFT p50\n({unit.name})",
        f"p95\n({unit.name})",
        f"p99\n({unit.name})",
        "an agent\n(tok/s)",
        "all\n(tok/s)",
        "Jain",
    )
    for row in rows:
        table.add_row(
            str(row.agents),
            unit.write(row.ttft_p50_s),
            *(
                number(tail.value * unit.scale) if tail is not None else NOTHING
                for tail in (row.ttft_p95_s, row.ttft_p99_s)
            ),
            interval(row.agent_tokens_per_s),
            number(row.aggregate_tokens_per_s) if row.aggregate_tokens_per_s is not None else NOT_REPORTED,
            f"{row.jain:.2f}" if row.jain is not None else NOTHING,
        )
    notes = [
        "An agent's rate counts the seconds it waited; all agents' together, the wall clock with pauses.",
        *_steps(rows),
        *tail_notes(rows),
        *knee_notes(concurrency),
        *arrival_notes(concurrency),
        *(_worst(rows[-1]) if rows else []),
        *_failed(sum(row.failed for row in rows)),
    ]
    return Section(title="Concurrent agents, shared system prompt", table=table, notes=tuple(notes))


def tail_notes(rows: Sequence[ConcurrencyFigures]) -> list[str]:
    """Why some rows have no p95 or p99, where they had answers."""
    lacking = any(row.ttft_p50_s is not None and row.ttft_p99_s is None for row in rows)
    few = f"a p95 takes {samples_for(0.95)} calls and a p99 {samples_for(0.99)}; with fewer there is none"
    return [f"{few[:1].upper()}{few[1:]}."] if lacking else []


def knee_notes(concurrency: Concurrency) -> list[str]:
    """Where the knee is and how it was found, or why it is not known."""
    knee = concurrency.knee
    if knee is None:
        return []
    capacity = f"{number(knee.capacity_steps_per_s)} steps/s at the most"
    if knee.agents is None and concurrency.climb != "planned":
        return [f"{capacity}; the climb to the knee was cut short."]
    if knee.agents is None:
        return [f"{capacity}; no knee up to {counted(knee.beyond, 'agent')}: the steps a second still grew."]
    cycle = "times the seconds from step to step of an agent alone, its pause included"
    return [f"The knee is at {interval(knee.agents)} agents: {capacity}, {cycle}."]


def arrival_notes(concurrency: Concurrency) -> list[str]:
    """What tasks that came by themselves met, a sentence for each rate."""
    return [
        f"Tasks arriving at {number(run.tasks_per_s)}/s ({100 * run.load:.0f} % of that): TTFT from due p50 "
        f"{_time(run.figures.ttft_p50_s)}, p95 {_time(run.figures.ttft_p95_s)}; from sent "
        f"{_time(run.figures.sent_ttft_p50_s)}, {_time(run.figures.sent_ttft_p95_s)}; client late by at most "
        f"{seconds(run.figures.send_lag_max_s)}."
        for run in concurrency.arrivals
        if run.figures.send_lag_max_s is not None
    ]


def _time(figure: Estimate | None) -> str:
    return seconds(figure.value) if figure is not None else NOTHING


def _steps(rows: Sequence[ConcurrencyFigures]) -> list[str]:
    told = [f"{seconds(row.step_s.value)} with {row.agents}" for row in rows if row.step_s is not None]
    return [f"An agent's step, p50: {', '.join(told)}."] if told else []


def _worst(row: ConcurrencyFigures) -> list[str]:
    if row.worst_over_median is None or row.agents == 1:
        return []
    return [
        f"Of {row.agents} agents, the worst served gets {row.worst_over_median:.2f} of the median's rate."
    ]


def _failed(count: int) -> list[str]:
    return [f"In no figure: {counted(count, 'call')} failed, came back empty or not asked."] if count else []
