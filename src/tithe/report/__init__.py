"""Reports for people: what was measured, and what it amounts to."""

from tithe.report.terminal import print_audit

__all__ = ["print_audit"]
