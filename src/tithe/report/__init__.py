"""Reports for people: what was measured, and what it amounts to."""

from tithe.report.audit_page import audit_page
from tithe.report.calls_csv import calls_csv, compared_calls_csv
from tithe.report.comparison import print_comparison
from tithe.report.comparison_page import comparison_page
from tithe.report.replay import print_replay
from tithe.report.scenarios import print_scenarios, print_self_test
from tithe.report.tasks import print_tasks
from tithe.report.terminal import print_audit

__all__ = [
    "audit_page",
    "calls_csv",
    "compared_calls_csv",
    "comparison_page",
    "print_audit",
    "print_comparison",
    "print_replay",
    "print_scenarios",
    "print_self_test",
    "print_tasks",
]
