"""Measuring an endpoint the way an agent uses it: observations, statistics, verdicts."""

from tithe.audit.arrivals import ArrivalFigures, Arrivals
from tithe.audit.audit import AuditReport, Client, Endpoint, WarmUp, run_audit
from tithe.audit.concurrency import Concurrency, ConcurrencyFigures, agent_rate
from tithe.audit.innocence import FAR_BELOW, Floor, Judgement, LagFigures, LagWatch, ThreadedLagWatch
from tithe.audit.knee import Knee
from tithe.audit.observation import Failure, Observation, Stamp, observe
from tithe.audit.pace import Fit, Pace
from tithe.audit.pairs import LengthFigures, Pairs, PairsFigures
from tithe.audit.plan import QUICK, STANDARD, AuditPlan, Cost, costs
from tithe.audit.prediction import CallTimes, PredictedRun, Prediction
from tithe.audit.probe import NOT_ASKED, Interruption
from tithe.audit.prompt import Calibration
from tithe.audit.sampling import Extent
from tithe.audit.saved import read_report
from tithe.audit.spending import foreseen
from tithe.audit.statistics import Estimate, Share, samples_for
from tithe.audit.structured import Structured, StructuredFigures, judged
from tithe.audit.task import (
    Account,
    FamilyFigures,
    Task,
    TaskFigures,
    TaskOutcome,
    TaskRun,
    TaskStep,
    account,
    draw_tasks,
)
from tithe.audit.totals import ChatFigures, TotalFigures, Totals, TotalsFigures
from tithe.audit.validity import ValidityClass
from tithe.audit.verdict import About, Measured, Verdict

__all__ = [
    "FAR_BELOW",
    "NOT_ASKED",
    "QUICK",
    "STANDARD",
    "About",
    "Account",
    "ArrivalFigures",
    "Arrivals",
    "AuditPlan",
    "AuditReport",
    "Calibration",
    "CallTimes",
    "ChatFigures",
    "Client",
    "Concurrency",
    "ConcurrencyFigures",
    "Cost",
    "Endpoint",
    "Estimate",
    "Extent",
    "Failure",
    "FamilyFigures",
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
    "costs",
    "draw_tasks",
    "foreseen",
    "judged",
    "observe",
    "read_report",
    "run_audit",
    "samples_for",
]
