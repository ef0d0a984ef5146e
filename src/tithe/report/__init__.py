"""Reports for people: what was measured, and what it amounts to."""

from tithe.report.audit_page import audit_page
from tithe.report.calls_csv import calls_csv, compared_calls_csv
from tithe.report.comparison import print_comparison
from tithe.report.comparison_page import comparison_page
from tithe.report.difference import print_difference
from tithe.report.ledger_page import ledger_page
from tithe.report.ledger_short import print_many, print_short
from tithe.report.ledger_terminal import print_ledger
from tithe.report.plan import print_plan
from tithe.report.plan_page import plan_page
from tithe.report.replay import print_replay
from tithe.report.scenarios import print_scenarios, print_self_test
from tithe.report.tasks import print_tasks
from tithe.report.terminal import print_audit
from tithe.report.whatif import print_projection
from tithe.report.whatif_page import whatif_page

__all__ = [
    "audit_page",
    "calls_csv",
    "compared_calls_csv",
    "comparison_page",
    "ledger_page",
    "plan_page",
    "print_audit",
    "print_comparison",
    "print_difference",
    "print_ledger",
    "print_many",
    "print_plan",
    "print_projection",
    "print_replay",
    "print_scenarios",
    "print_self_test",
    "print_short",
    "print_tasks",
    "whatif_page",
]
