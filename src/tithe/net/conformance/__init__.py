"""The conformance suite: every pitfall of measuring as a scenario with known answers, and a judge.

Serve the scenarios with a `Stage`, ask them with any client as each one's `asking` says, put what the
client found into `Findings`, and let `judge` say whether it is right.
"""

from tithe.net.conformance.findings import Finding, Findings, Summary
from tithe.net.conformance.judge import TOLERANCE_S, Fault, Ruling, Run, SelfTest, judge
from tithe.net.conformance.scenario import Asking, Brief, Form, Scenario
from tithe.net.conformance.scenarios import ALL, SCENARIOS, chosen
from tithe.net.conformance.stage import Lateness, Stage

__all__ = [
    "ALL",
    "SCENARIOS",
    "TOLERANCE_S",
    "Asking",
    "Brief",
    "Fault",
    "Finding",
    "Findings",
    "Form",
    "Lateness",
    "Ruling",
    "Run",
    "Scenario",
    "SelfTest",
    "Stage",
    "Summary",
    "chosen",
    "judge",
]
