"""Reports for people: what was measured, and what it amounts to."""

from tithe.report.scenarios import print_scenarios, print_self_test
from tithe.report.terminal import print_audit

__all__ = ["print_audit", "print_scenarios", "print_self_test"]
