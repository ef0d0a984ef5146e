"""The tasks of a projection of several, each by itself."""

from tithe.report.figures import NOTHING, seconds
from tithe.report.ledger_words import visible
from tithe.report.page import Figure, Table
from tithe.whatif import Projection

ANCHOR = "tasks"


def tasks_figure(found: Projection) -> Figure:
    """A row for each task, what saves most first."""
    by_saving = sorted(found.tasks, key=lambda one: one.wall.mean - one.before_s)
    return Figure(
        anchor=ANCHOR,
        title=f"The {len(found.tasks):,} tasks, each by itself",
        panels=(),
        reading="",
        caption=("What is projected is the mean of the draws; 80 % of them lie between the two beside it.",),
        formulas=(),
        tables=(
            Table(
                title="By task",
                heads=("task", "id", "calls", "before", "projected", "80 % from", "to", "floor"),
                rows=tuple(
                    (
                        visible(task.name, 48),
                        task.task[:8],
                        f"{task.calls:,}",
                        *(
                            NOTHING if value is None else seconds(value)
                            for value in (
                                task.before_s,
                                task.wall.mean,
                                task.wall.low,
                                task.wall.high,
                                task.floor_s,
                            )
                        ),
                    )
                    for task in by_saving
                ),
                open=True,
            ),
        ),
    )
