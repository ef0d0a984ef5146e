"""Projection: what a recorded or described task would take with another endpoint or another design, and what fits into a budget."""

from tithe.whatif.calltimes import CallSample, CallTimes, fit_call_times, own_call_times
from tithe.whatif.change import Cache, Change
from tithe.whatif.described import Description, described_graph
from tithe.whatif.fit import Fit, NoFit
from tithe.whatif.graph import Call, Graph, Segment, Work, graph_of
from tithe.whatif.plan import BUDGETS, BudgetPlan, Plan, Row, plan_budgets
from tithe.whatif.profile import Capacity, Level, Profile
from tithe.whatif.projection import FitQuality, Interval, Knob, Projected, Projection, project
from tithe.whatif.simulate import Simulated, simulate

__all__ = [
    "BUDGETS",
    "BudgetPlan",
    "Cache",
    "Call",
    "CallSample",
    "CallTimes",
    "Capacity",
    "Change",
    "Description",
    "Fit",
    "FitQuality",
    "Graph",
    "Interval",
    "Knob",
    "Level",
    "NoFit",
    "Plan",
    "Profile",
    "Projected",
    "Projection",
    "Row",
    "Segment",
    "Simulated",
    "Work",
    "described_graph",
    "fit_call_times",
    "graph_of",
    "own_call_times",
    "plan_budgets",
    "project",
    "simulate",
]
