"""The figures of a projection's page, one file each: drawings, captions and tables."""

from tithe.report.whatif_figures.basis import assumptions_figure, fits_figure
from tithe.report.whatif_figures.knobs import knobs_figure
from tithe.report.whatif_figures.ledgers import ledgers_figure
from tithe.report.whatif_figures.sliders import sliders_figure
from tithe.report.whatif_figures.tasks import tasks_figure

__all__ = [
    "assumptions_figure",
    "fits_figure",
    "knobs_figure",
    "ledgers_figure",
    "sliders_figure",
    "tasks_figure",
]
