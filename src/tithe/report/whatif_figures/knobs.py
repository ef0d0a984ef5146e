"""The sensitivity: what one notch more of each knob saves."""

from tithe.report.drawing import Part, Row, Stacks
from tithe.report.figures import number, seconds
from tithe.report.ledger_rows import unit_of
from tithe.report.page import Figure, Panel, Table
from tithe.whatif import Projection

ANCHOR = "knobs"


def knobs_figure(found: Projection) -> Figure:
    """The knobs by what they are worth, all else as projected."""
    unit = unit_of(knob.saves_s for knob in found.knobs)
    rows = tuple(
        Row(
            name=knob.name,
            values=(knob.saves_s * unit.scale,),
            told=(f"{knob.notch} saves {number(knob.saves_s * unit.scale)} {unit.name}",),
            end=seconds(knob.saves_s),
        )
        for knob in found.knobs
    )
    return Figure(
        anchor=ANCHOR,
        title=f"Worth most: {found.knobs[0].name}, {found.knobs[0].notch}"
        if found.knobs
        else "No knob saves anything",
        panels=(
            Panel(
                title="What one notch more of each knob saves",
                drawing=Stacks(
                    label=f"saves ({unit.name})", parts=(Part(name="saves", colour="blue"),), rows=rows
                ),
                empty="Nothing to draw: no knob makes the projected task shorter.",
            ),
        ),
        reading="A bar is by how much the projected task is shorter, on average, with one notch more of that knob alone.",
        caption=(
            "A notch is a tenth of what a knob turns, so that knobs can be held against each other; tools at once and a warm cache are had or not.",
        ),
        formulas=(
            "saves = mean wall clock as projected − mean wall clock with the notch, under the same chance",
        ),
        tables=(
            Table(
                title="Knobs and their notches",
                heads=("knob", "one notch", "saves"),
                rows=tuple((knob.name, knob.notch, seconds(knob.saves_s)) for knob in found.knobs),
                open=True,
            ),
        )
        if found.knobs
        else (),
    )
