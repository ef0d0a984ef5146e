"""The figures of an audit's page, one file a measurement: what was measured, as drawings, captions and tables."""

from tithe.report.audit_figures.client import client_figure
from tithe.report.audit_figures.concurrency import concurrency_figure
from tithe.report.audit_figures.pairs import pairs_figure
from tithe.report.audit_figures.structured import structured_figure
from tithe.report.audit_figures.task import task_figure
from tithe.report.audit_figures.totals import totals_figure

__all__ = [
    "client_figure",
    "concurrency_figure",
    "pairs_figure",
    "structured_figure",
    "task_figure",
    "totals_figure",
]
