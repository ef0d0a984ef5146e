"""The simulated agent's loop that the concurrency measurement runs, many at once.

History is append-only: a shared system prompt, the agent's goal, then for each step the model's
answer as it came and a tool's result. So every step's prompt extends the one before it.
"""

from tithe.audit.observation import Observation
from tithe.audit.probe import Probe
from tithe.core import Message, Request

# What stands in the history for a turn without text: some servers refuse an empty one.
_NO_TEXT = "(nothing)"


class AgentLoop:
    """One simulated agent: what it sends next, given what it has seen."""

    def __init__(self, probe: Probe, system: Message, key: str) -> None:
        self._probe = probe
        self._key = key
        self._steps = 0
        self._history: tuple[Message, ...] = (
            system,
            probe.prompts.user(probe.plan.step_in, f"{key}/goal"),
        )

    def request(self) -> Request:
        """The next step's call."""
        return self._probe.request(self._history, self._probe.plan.step_out)

    def advance(self, seen: Observation) -> None:
        """Append the answer and a synthetic tool result."""
        self._steps += 1
        answer = Message(role="assistant", content=seen.text or _NO_TEXT)
        result = self._probe.prompts.tool_result(self._probe.plan.step_in, f"{self._key}/tool/{self._steps}")
        self._history = (*self._history, answer, result)
