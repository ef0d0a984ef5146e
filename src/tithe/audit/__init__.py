"""Measuring an endpoint the way an agent uses it: observations, statistics, verdicts."""

from tithe.audit.arrivals import ArrivalFigures, Arrivals
from tithe.audit.audit import AuditReport, Client, Endpoint, WarmUp, run_audit
from tithe.audit.comparison import Compared, Comparison, Contrast, Finding, Row, compare
from tithe.audit.concurrency import Concurrency, ConcurrencyFigures, Round, agent_rate
from tithe.audit.differences import Difference, fewest_pairs
from tithe.audit.innocence import FAR_BELOW, Floor, Judgement, LagFigures, LagWatch, ThreadedLagWatch
from tithe.audit.interleaved import Candidate, run_comparison
from tithe.audit.knee import Knee
from tithe.audit.observation import Failure, Observation, Stamp, observe
from tithe.audit.pace import Fit, Pace
from tithe.audit.pairs import LengthFigures, Pairs, PairsFigures
from tithe.audit.plan import QUICK, QUICK_PAIRS, STANDARD, AuditPlan, Cost, as_typed, costs
from tithe.audit.prediction import CallTimes, PredictedRun, Prediction
from tithe.audit.probe import NOT_ASKED, Interruption
from tithe.audit.sampling import Extent
from tithe.audit.saved import read_report, read_saved
from tithe.audit.schema import report_schema, written_schema
from tithe.audit.spending import foreseen
from tithe.audit.structured import Structured, StructuredFigures, judged
from tithe.audit.task import FamilyFigures, Task, TaskFigures, draw_tasks
from tithe.audit.task_run import Account, TaskOutcome, TaskRun, TaskStep, account
from tithe.audit.totals import ChatFigures, TotalFigures, Totals, TotalsFigures
from tithe.audit.validity import ValidityClass
from tithe.audit.verdict import About, Measured, Verdict, clients_share_s
from tithe.core.statistics import Estimate, Share, samples_for
from tithe.core.words import Calibration

__all__ = [
    "FAR_BELOW",
    "NOT_ASKED",
    "QUICK",
    "QUICK_PAIRS",
    "STANDARD",
    "About",
    "Account",
    "ArrivalFigures",
    "Arrivals",
    "AuditPlan",
    "AuditReport",
    "Calibration",
    "CallTimes",
    "Candidate",
    "ChatFigures",
    "Client",
    "Compared",
    "Comparison",
    "Concurrency",
    "ConcurrencyFigures",
    "Contrast",
    "Cost",
    "Difference",
    "Endpoint",
    "Estimate",
    "Extent",
    "Failure",
    "FamilyFigures",
    "Finding",
    "Fit",
    "Floor",
    "Interruption",
    "Judgement",
    "Knee",
    "LagFigures",
    "LagWatch",
    "LengthFigures",
    "Measured",
    "Observation",
    "Pace",
    "Pairs",
    "PairsFigures",
    "PredictedRun",
    "Prediction",
    "Round",
    "Row",
    "Share",
    "Stamp",
    "Structured",
    "StructuredFigures",
    "Task",
    "TaskFigures",
    "TaskOutcome",
    "TaskRun",
    "TaskStep",
    "ThreadedLagWatch",
    "TotalFigures",
    "Totals",
    "TotalsFigures",
    "ValidityClass",
    "Verdict",
    "WarmUp",
    "account",
    "agent_rate",
    "as_typed",
    "clients_share_s",
    "compare",
    "costs",
    "draw_tasks",
    "fewest_pairs",
    "foreseen",
    "judged",
    "observe",
    "read_report",
    "read_saved",
    "report_schema",
    "run_audit",
    "run_comparison",
    "samples_for",
    "written_schema",
]
