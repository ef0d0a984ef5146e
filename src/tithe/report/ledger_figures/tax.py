"""The tax: what was avoidable, and what removing it saves."""

from tithe.ledger import Ledger
from tithe.report.drawing import Part, Row, Stacks
from tithe.report.figures import number, seconds
from tithe.report.ledger_figures.costs import as_table
from tithe.report.ledger_rows import tax_cells, unit_of
from tithe.report.ledger_words import TAX_NAMES, avoidable, of_all, tax_sentence, unchecked_sentences
from tithe.report.page import Figure, Panel

ANCHOR = "tax"


def tax_figure(ledger: Ledger) -> Figure:
    """Each avoidable part by what its removal saves."""
    unit = unit_of(item.saves_s for item in ledger.tax)
    told = avoidable(ledger)
    return Figure(
        anchor=ANCHOR,
        title=f"{told[:1].upper()}{told[1:]}" if ledger.tax else "Nothing of it is known to be avoidable",
        panels=(
            Panel(
                title="What removing it saves",
                drawing=Stacks(
                    label=f"saves ({unit.name})",
                    parts=(Part(name="saves", colour="red"),),
                    rows=tuple(
                        Row(
                            name=TAX_NAMES[item.kind],
                            values=(item.saves_s * unit.scale,),
                            told=(f"saves {number(item.saves_s * unit.scale)} {unit.name}",),
                            end=f"{seconds(item.saves_s)}, {of_all(item.saves_s, ledger.wall_s)}",
                        )
                        for item in ledger.tax
                    ),
                ),
                empty="Nothing to draw: no retries, no queueing that was reported, no tools known to have run in series, no lost prefix of known cost.",
            ),
        ),
        reading="A bar is by how much the task is shorter without that part alone.",
        caption=(
            *(f"{line[:1].upper()}{line[1:]}." for line in map(tax_sentence, ledger.tax)),
            *unchecked_sentences(ledger),
        ),
        formulas=("saves = wall clock − wall clock of the task timed again without that part",),
        tables=(as_table(tax_cells(ledger), shown=True),) if ledger.tax else (),
    )
