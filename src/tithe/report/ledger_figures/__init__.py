"""The figures of a ledger's page, one file each: drawings, captions and tables."""

from tithe.report.ledger_figures.costs import costs_figure
from tithe.report.ledger_figures.prefixes import prefixes_figure
from tithe.report.ledger_figures.steps import steps_figure
from tithe.report.ledger_figures.tax import tax_figure
from tithe.report.ledger_figures.tools import models_figure, tools_figure
from tithe.report.ledger_figures.waterfall import waterfall_figure

__all__ = [
    "costs_figure",
    "models_figure",
    "prefixes_figure",
    "steps_figure",
    "tax_figure",
    "tools_figure",
    "waterfall_figure",
]
