"""SWE-agent's trajectories (`.traj`): one JSON object a run.

    {"trajectory": [{"action", "observation", "response", "thought", "execution_time"}, ...],
     "info": {"model_stats": {"tokens_sent", "tokens_received", "api_calls", "instance_cost"}, "exit_status"}}

There is not one stamp in it. `execution_time` is how long the action ran, in seconds; how long the model took is not
told, and not zero. So the tools lie one after the other, with an untimed call before each, and the task is as long as
what is reported: its tools. Tokens are told for the whole run, and stand on the task.
"""

import re
from typing import Any

from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.core.part import digest
from tithe.trace.formats.imported import Draft, Imported, ImportedTask, span_id, task_id, task_of
from tithe.trace.formats.source import (
    Source,
    count,
    fields,
    left_out,
    nanoseconds,
    number,
    objects,
    reported,
    text,
)

NAME = "swe-agent"
SAYS = "SWE-agent trajectories (.traj)"
LACKS = "not reported: dates, how long calls took (the task is as long as its tools), tokens of a call"
_COMMAND = re.compile(r"\s*([\w./-]{1,40})")


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return isinstance(record.get("trajectory"), list)


def read(source: Source) -> Imported:
    """One task a run. Raises `UsageError` when there is no step."""
    tasks: list[ImportedTask] = []
    notes = [LACKS, *source.notes()]
    for record in source.records:
        steps = objects(record.value.get("trajectory"))
        if not steps:
            notes.append(left_out("object", "without steps", [record.line]))
            continue
        # What ran names the run: a copy of the file is the same run, another run of the same instance is not.
        told = "\0".join(f"{step.get('action')}\0{step.get('execution_time')}" for step in steps)
        own = task_id(NAME, digest(told))
        drafts, untimed = _steps(own, steps)
        name = text(record.value.get("instance_id")) or source.name
        whole = Draft(
            id=span_id(own),
            kind="task",
            name=name,
            start=0,
            end=max(draft.end or 0 for draft in drafts),
            error=_failure(record.value),
            attributes=_totals(record.value),
        )
        tasks.append(
            task_of(own, [whole, *drafts], source=f"import:{NAME}", name=name, session=None, dated=False)
        )
        if untimed:
            notes.append(f"not reported: how long {untimed:,} of {len(steps):,} tools ran")
    if not tasks:
        raise UsageError(f"{source.name} has no steps: an object with a `trajectory` was expected.")
    return Imported(tasks=tuple(tasks), notes=tuple(notes))


def _steps(own: str, steps: list[dict[str, Any]]) -> tuple[list[Draft], int]:
    drafts: list[Draft] = []
    now = untimed = 0
    for place, step in enumerate(steps):
        around = span_id(own, str(place), "step")
        took = number(step.get("execution_time"))
        acted = text(step.get("action"))
        until = now + (nanoseconds(took) if took is not None and took > 0 and acted is not None else 0)
        tool = _tool(acted) if acted is not None else None
        asked = {} if tool is None else {at.ASKED_TOOLS: [[f"step-{place}", tool]]}
        drafts += [
            Draft(
                id=around, kind="step", name=f"step {place + 1}", start=now, end=until, parent=span_id(own)
            ),
            Draft(
                id=span_id(own, str(place), "call"),
                kind="call",
                name="call",
                start=now,
                end=now,
                parent=around,
                attributes={at.UNTIMED: True} | asked,
            ),
        ]
        if tool is not None:
            untimed += took is None
            drafts.append(
                Draft(
                    id=span_id(own, str(place), "tool"),
                    kind="tool",
                    name=tool,
                    start=now,
                    end=until,
                    parent=around,
                    attributes={at.TOOL_NAME: tool, at.TOOL_CALL_ID: f"step-{place}"}
                    | ({at.UNTIMED: True} if took is None else {}),
                )
            )
        now = until
    return drafts, untimed


def _tool(action: str) -> str:
    """The command that an action runs, without what it runs it on."""
    found = _COMMAND.match(action)
    return found[1] if found is not None else "action"


def _totals(told: dict[str, Any]) -> dict[str, Any]:
    stats = fields(fields(told.get("info")).get("model_stats"))
    totals = {
        at.INPUT_TOKENS: count(stats.get("tokens_sent")),
        at.OUTPUT_TOKENS: count(stats.get("tokens_received")),
    }
    return reported(totals)


def _failure(told: dict[str, Any]) -> str | None:
    """The exit status of a run that did not submit."""
    status = text(fields(told.get("info")).get("exit_status"))
    if status is None or status.startswith("submitted") or status == "early_exit":
        return None
    return re.sub(r"\W+", "_", status)[:80].strip("_") or None
