"""The prefix: of each call's prompt, what its session had paid for, what was paid for again, and what was new."""

from collections import defaultdict

from tithe.ledger import Break, CallPrefix, Diagnosis
from tithe.report.drawing import Column, Columns, Part
from tithe.report.figures import counted, number, tokens
from tithe.report.ledger_figures.costs import as_table
from tithe.report.ledger_rows import Cells, break_cells
from tithe.report.ledger_words import finding_sentence, findings, no_break, visible
from tithe.report.page import Figure, Panel

ANCHOR = "prefix"
_MOST_FINDINGS = 6
_PARTS = (
    Part(name="shared with what was paid for", colour="blue"),
    Part(name="paid for again", colour="red"),
    Part(name="new", colour="grey"),
)


def prefixes_figure(diagnosis: Diagnosis | None) -> Figure:
    """The prompts as bars, the breaks marked, and the doctor's findings in words."""
    broken: dict[str, list[Break]] = defaultdict(list)
    for one in diagnosis.breaks if diagnosis is not None else ():
        broken[one.call].append(one)
    calls = diagnosis.calls if diagnosis is not None else ()
    shown = [
        (place, call, broken[call.call])
        for place, call in enumerate(calls, start=1)
        if call.prompt_tokens is not None
    ]
    return Figure(
        anchor=ANCHOR,
        title=_title(diagnosis),
        panels=(
            Panel(
                title="The prompt of each call",
                drawing=Columns(
                    position="call",
                    label="prompt (tokens)",
                    parts=_PARTS,
                    columns=tuple(_column(place, call, breaks) for place, call, breaks in shown),
                    sign="the prefix breaks",
                ),
                empty="Nothing to draw: no prompt tokens were reported, or no prompts recorded.",
            ),
        ),
        reading="Red is what had been paid for and was computed again, since the prompt differs before it.",
        caption=_caption(diagnosis),
        formulas=("prompt = shared + paid for again + new",) if shown else (),
        tables=(
            *((as_table(break_cells(diagnosis), shown=True),) if diagnosis.breaks else ()),
            as_table(_call_cells(diagnosis)),
        )
        if diagnosis is not None and calls
        else (),
    )


def _title(diagnosis: Diagnosis | None) -> str:
    if diagnosis is None or not diagnosis.calls:
        return "Prompts were not examined"
    if not diagnosis.breaks and diagnosis.known < 2:
        return "Whether a prefix was lost is not known"
    if not diagnosis.breaks:
        return "No call breaks the prefix that its session had paid for"
    lost = sum(one.lost_tokens or 0 for one in diagnosis.breaks)
    breaks = counted(len(diagnosis.breaks), "prefix break")
    return f"{breaks}: {tokens(lost)} prompt tokens were paid for again" if lost else breaks


def _split(call: CallPrefix, breaks: list[Break]) -> tuple[int, int, int]:
    """Shared, paid again and new; they sum to the prompt."""
    prompt = call.prompt_tokens or 0
    again = min(sum(one.lost_tokens or 0 for one in breaks), prompt)
    told = breaks[0].shared_tokens if breaks else call.own_shared_tokens
    shared = min(max(told or 0, 0), prompt - again)
    return shared, again, prompt - again - shared


def _column(place: int, call: CallPrefix, breaks: list[Break]) -> Column:
    values = _split(call, breaks)
    parts = [f"{part.name}: {value:,}" for part, value in zip(_PARTS, values, strict=True) if value]
    told = [f"call {place}, step {call.step}: {tokens(call.prompt_tokens)} prompt tokens", *parts]
    told.append(f"cached, as the endpoint says: {tokens(call.cached_tokens)}")
    told += [f"{one.cause} at {visible(one.place, 40)}" for one in breaks]
    return Column(at=float(place), values=tuple(map(float, values)), told="\n".join(told), sign=bool(breaks))


def _caption(diagnosis: Diagnosis | None) -> tuple[str, ...]:
    if diagnosis is None:
        return ()
    found = findings(diagnosis)
    told = [finding_sentence(one) for one in found[:_MOST_FINDINGS]] or [no_break(diagnosis)]
    if len(found) > _MOST_FINDINGS:
        told.append(f"And {len(found) - _MOST_FINDINGS:,} more, in the table.")
    if diagnosis.token_s is not None:
        known = f", from {visible(diagnosis.fitted_on)}" if diagnosis.fitted_on is not None else ""
        told.append(f"An uncached prompt token costs {number(diagnosis.token_s * 1e6)} µs here{known}.")
    return (*told, *(visible(note) for note in diagnosis.notes))


def _call_cells(diagnosis: Diagnosis) -> Cells:
    return Cells(
        title="Prompts, by call",
        heads=(
            "call",
            "step",
            "prompt (tokens)",
            "shared with its session",
            "shared with any",
            "cached, as reported",
        ),
        rows=tuple(
            (
                f"{place:,}",
                f"{call.step:,}",
                tokens(call.prompt_tokens),
                tokens(call.own_shared_tokens),
                tokens(call.any_shared_tokens),
                tokens(call.cached_tokens),
            )
            for place, call in enumerate(diagnosis.calls, start=1)
        ),
    )
