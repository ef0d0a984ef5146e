"""`tithe.Agent`: the agent of `tithe.agent`, for whoever has an endpoint's URL and not a backend.

It stands above the rooms, since the agent itself knows of no sockets, and `net` of no agents.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tithe import agent
from tithe.agent.outcome import Outcome
from tithe.agent.speeds import CallTime
from tithe.audit import read_report
from tithe.core import Backend
from tithe.core.errors import UsageError
from tithe.net.remote import RemoteBackend


class Agent(agent.Agent):
    """An agent on a backend, or on an endpoint by its URL.

    Args:
        endpoint: a `Backend`, or the URL of an OpenAI-style endpoint ("http://127.0.0.1:8383/v1").
        model: its name there; may be left out where an endpoint has only one.
        api_key: what the endpoint asks for; nothing is read from the environment.
        profile: a report that `tithe audit --save` wrote: how fast this endpoint is, until the agent has seen it.
        given: what `tithe.agent.Agent` takes (tools, instructions, answer, check, crafts, ...).

    Raises `UsageError` as that does, and for a URL that is none or a profile that cannot be read. Inside `async with agent:` the
    connections to a URL stay open from run to run; without it they are closed when no run is going on.
    """

    def __init__(
        self,
        endpoint: Backend | str,
        model: str | None = None,
        *,
        api_key: str | None = None,
        profile: str | Path | None = None,
        **given: Any,
    ) -> None:
        self._remote = RemoteBackend(endpoint, api_key=api_key) if isinstance(endpoint, str) else None
        if self._remote is None and (api_key is not None or model is None):
            raise UsageError(
                "A backend has its own key, and does not tell its model: give model, and no api_key."
            )
        if profile is not None:
            given["seed"] = [*call_times(Path(profile)), *given.get("seed", ())]
        backend = self._remote if self._remote is not None else endpoint
        assert not isinstance(backend, str)
        super().__init__(backend, model or "", **given)
        self._kept = 0  # runs that are going on, and blocks that keep the connections open

    async def run(self, goal: str, budget: float) -> Outcome:
        """As `tithe.agent.Agent.run`; also raises `UsageError` when no model was named and the endpoint has not just one."""
        async with self:
            return await super().run(goal, budget)

    async def named_model(self) -> str:
        """The model that was named, or the endpoint's only one."""
        if not self.model:
            self.model = await self._only_model()
        return self.model

    async def __aenter__(self) -> Self:
        self._kept += 1
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._kept -= 1
        if self._remote is not None and not self._kept:
            await self._remote.aclose()

    async def _only_model(self) -> str:
        assert self._remote is not None
        url = self._remote.url.human_repr()
        models = await self._remote.models()
        if len(models) != 1:
            raise UsageError(
                f"{url} has {len(models)} models; name one: {', '.join(models[:10]) or 'it lists none'}."
            )
        return models[0]


def call_times(path: Path) -> Iterator[CallTime]:
    """What the short calls of a saved audit took: those of its task, and its short generations.

    Raises `UsageError` when the file cannot be read or is no report.
    """
    try:
        report = read_report(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"The report {path} cannot be read: {error.strerror}.") from error
    seen = [total.observation for total in report.measured.totals.samples]
    seen += [step.attempts[-1] for run in report.measured.task.runs for step in run.steps]
    for call in seen:
        if call.answered and call.ttft is not None and call.total is not None:
            yield CallTime(call.ttft, call.total - call.ttft, call.output_tokens)
