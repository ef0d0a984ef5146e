"""`tithe whatif`: what recorded tasks, or a described one, would take with another endpoint or another design."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.paper import show
from tithe.cli.profiles import read_profile
from tithe.cli.selection import group
from tithe.cli.store import Db, record_path
from tithe.cli.units import factor_of, seconds_of
from tithe.core.errors import UsageError
from tithe.trace import Store
from tithe.trace.tree import build_tree
from tithe.whatif import Cache, Change, Description, Graph, described_graph, graph_of, own_call_times, project

_Switch = Annotated[bool, Parameter(negative=())]


def whatif(
    *tasks: str,
    ttft: str | None = None,
    tps: float | None = None,
    profile: Path | None = None,
    cache: Cache | None = None,
    retries: float | None = None,
    parallel_tools: _Switch = False,
    tools: str = "x1",
    candidates: int = 1,
    verify: _Switch = False,
    speedup: float = 1.0,
    agents: int = 1,
    steps: int | None = None,
    out: int | None = None,
    tool_time: str | None = None,
    overhead: str | None = None,
    prompt: int | None = None,
    failed: int | None = None,
    retry_time: str | None = None,
    base_ttft: str | None = None,
    base_tps: float | None = None,
    db: Db = None,
    json: _Switch = False,
) -> None:
    """Project tasks onto another endpoint or another design: their wall clock, its floor, and what each knob is worth.

    Parameters
    ----------
    tasks
        The tasks: an id, a beginning of it, last, or name:NAME, session:ID, recording:N, source:SOURCE. The last one when left out.
    ttft
        Every call's time to the first token, with its unit: 200ms.
    tps
        Every call's decode rate, in tokens a second.
    profile
        An endpoint as `tithe audit --save FILE` measured it.
    cache
        warm: a prompt is cached as far as it repeats the one before; cold: nothing is.
    retries
        The share of attempts that fail, in place of those that did: 0.05.
    parallel_tools
        Tools that one answer asked for run at once.
    tools
        What the tools' times are multiplied by: x0.5.
    candidates
        So many answers are asked for at once at each step.
    verify
        A short call checks each answer.
    speedup
        Inference is so many times as fast.
    agents
        So many such agents share the endpoint; it takes a profile.
    steps
        In place of recorded tasks, a described one of so many steps.
    out
        Of a described task: tokens that each answer decodes. 80 when left out.
    tool_time
        Of a described task: how long the tool of each step runs: 0.4s.
    overhead
        Of a described task: the agent's own time in each step.
    prompt
        Of a described task: tokens of the first prompt.
    failed
        Of a described task: how many attempts failed.
    retry_time
        Of a described task: how long each failed attempt took.
    base_ttft
        Of a described task: its calls' TTFT as they are. 600ms when left out.
    base_tps
        Of a described task: its decode rate as it is. 60 when left out.
    db
        The record's file. Without it that of TITHE_DB, else record.db in the user's data directory.
    json
        Print the projection as JSON in place of tables.
    """
    change = Change(
        ttft_s=None if ttft is None else seconds_of(ttft, "ttft"),
        tokens_per_s=tps,
        profile=None if profile is None else read_profile(profile),
        cache=cache,
        retries=retries,
        parallel_tools=parallel_tools,
        tools=factor_of(tools, "tools"),
        candidates=candidates,
        verify=verify,
        speedup=speedup,
        agents=agents,
    )
    change.check()
    described = {
        name: value
        for name, value in {
            "out": out,
            "tool_s": None if tool_time is None else seconds_of(tool_time, "tool_time"),
            "overhead_s": None if overhead is None else seconds_of(overhead, "overhead"),
            "prompt": prompt,
            "failed": failed,
            "retry_s": None if retry_time is None else seconds_of(retry_time, "retry_time"),
            "ttft_s": None if base_ttft is None else seconds_of(base_ttft, "base_ttft"),
            "tokens_per_s": base_tps,
        }.items()
        if value is not None
    }
    if steps is None and described:
        raise UsageError(
            "A task is described by --steps and more: give --steps, or leave out what describes one."
        )
    if steps is not None and tasks:
        raise UsageError("--steps describes a task; name recorded tasks, or describe one, not both.")
    graphs = (
        recorded(tasks or ("last",), record_path(db))
        if steps is None
        else [described_graph(msgspec.convert({"steps": steps, **described}, Description))]
    )
    found = project(graphs, change, own_call_times(graphs))
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    from tithe.report import print_projection

    show(lambda console: print_projection(found, console))


def recorded(named: tuple[str, ...], path: Path) -> list[Graph]:
    """The graphs of recorded tasks. Raises `UsageError` for one that is not there."""
    with Store.open(path, write=False) as store:
        ids = list(dict.fromkeys(id_ for one in named for id_ in group(store, one).ids))
        return [
            graph_of(build_tree(record.spans), task=record.id, name=record.name or record.id[:8])
            for record in store.task_records(ids)
            if record.spans
        ]
