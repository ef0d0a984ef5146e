"""Projection: what a task would take with another endpoint or another design, what fits into a budget, and a task's shape run for real."""

from tithe.whatif.answers import VERIFY_TOKENS
from tithe.whatif.beside import Beside
from tithe.whatif.calltimes import CallSample, CallTimes, fit_call_times, own_call_times, source_of
from tithe.whatif.change import Cache, Change
from tithe.whatif.described import Description, described_graph
from tithe.whatif.fit import Fit, NoFit
from tithe.whatif.forecast import Checked, Forecast, as_replayed, check, forecast, known_endpoint, slept
from tithe.whatif.graph import Call, Graph, Segment, Work, graph_of
from tithe.whatif.plan import BUDGETS, MOST_STEPS, BudgetPlan, Plan, Row, plan_budgets
from tithe.whatif.profile import Capacity, Level, Profile
from tithe.whatif.program import Program, Result, Settings, compiled, run
from tithe.whatif.projection import FitQuality, Interval, Knob, Projected, Projection, project
from tithe.whatif.prompt_shape import CallShape, MessageShape, Run, call_shapes
from tithe.whatif.replay import Replayed, replay
from tithe.whatif.replay_run import ReplayOptions
from tithe.whatif.simulate import Simulated, draws_for, simulate

__all__ = [
    "BUDGETS",
    "MOST_STEPS",
    "VERIFY_TOKENS",
    "Beside",
    "BudgetPlan",
    "Cache",
    "Call",
    "CallSample",
    "CallShape",
    "CallTimes",
    "Capacity",
    "Change",
    "Checked",
    "Description",
    "Fit",
    "FitQuality",
    "Forecast",
    "Graph",
    "Interval",
    "Knob",
    "Level",
    "MessageShape",
    "NoFit",
    "Plan",
    "Profile",
    "Program",
    "Projected",
    "Projection",
    "ReplayOptions",
    "Replayed",
    "Result",
    "Row",
    "Run",
    "Segment",
    "Settings",
    "Simulated",
    "Work",
    "as_replayed",
    "call_shapes",
    "check",
    "compiled",
    "described_graph",
    "draws_for",
    "fit_call_times",
    "forecast",
    "graph_of",
    "known_endpoint",
    "own_call_times",
    "plan_budgets",
    "project",
    "replay",
    "run",
    "simulate",
    "slept",
    "source_of",
]
