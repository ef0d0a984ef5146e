"""The reference agent for code: it works in copies of a project's folder, and shows what it would change."""

from tithe.agent.code.sandbox import Limits, can_confine
from tithe.agent.code.task import Changes, CodeTask
from tithe.agent.code.usual import is_test, usual_test
from tithe.agent.code.workspace import Change, Changed

__all__ = [
    "Change",
    "Changed",
    "Changes",
    "CodeTask",
    "Limits",
    "can_confine",
    "is_test",
    "usual_test",
]
