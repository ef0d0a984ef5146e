"""Claude Code's logs: `~/.claude/projects/*/SESSION.jsonl`, and `agent-*.jsonl` of its sub-agents. A JSON line a record.

    {"type": "user" | "assistant" | "system", "uuid", "parentUuid", "isSidechain", "agentId", "sessionId", "timestamp",
     "message": {"id", "model", "content": [{"type": "tool_use", "id", "name"}], "stop_reason", "usage": {...}},
     "toolUseResult": {"durationMs", "agentId"}}

No format is promised; this is what is found in them:

- One answer is several records, a content block each, with one `message.id` and its usage repeated: it counts once.
- When a request was sent is not told. A call begins with the last record that it answers (logged.py).
- A tool runs from its `tool_use` to its `tool_result`; the last `durationMs` of that, where the result has it. Without one
  that time has the permission prompt in it, and is marked as seen from outside: an upper bound. A tool that
  asks a person, or that a person refused, is waiting for that person.
- `input_tokens` leaves out what was read from and written to the cache; `gen_ai.usage.input_tokens` is all three.
- Failed attempts are `system` records (`api_error`) with a wait; a call that failed for good is `isApiErrorMessage`.
- Sub-agents are `isSidechain`: in the session's file, or in one of their own with the same `sessionId`. They become branches of
  the tool that started them: by the `agentId` in its result, in older logs by their first prompt. So both files
  make one task, in whichever order they are imported. One that was launched in the background outlives
  its tool, and stands beside it.
"""

import re
from typing import Any, Literal

from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.core.part import digest
from tithe.trace.formats.imported import Draft, Imported, ImportedTask, span_id, task_id, task_of
from tithe.trace.formats.logged import Line, LoggedCall, LoggedTool
from tithe.trace.formats.source import (
    Source,
    count,
    fields,
    instant,
    left_out,
    number,
    objects,
    reported,
    text,
)

NAME = "claude-code"
SAYS = "Claude Code session logs (.jsonl)"
LACKS = (
    "not reported: when a request was sent (taken: the record that it answers), "
    "how long a tool ran where no duration is logged (taken: from record to record, permission prompts included, an upper bound), "
    "the first token, retries within the client"
)
_ASKS = frozenset(("AskUserQuestion", "ExitPlanMode"))
# What the client writes on a person's behalf.
_NOT_SAID = ("[Request interrupted", "<local-command-", "<bash-std", "<task-notification", "<system-reminder")
_STATUS = re.compile(r"API Error: (\d{3})\b")
_WRITTEN = ("user", "assistant", "system")


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return "sessionId" in record and "parentUuid" in record and "type" in record


def read(source: Source) -> Imported:
    """One task a session. Raises `UsageError` when there is no message."""
    sessions: dict[str, _Session] = {}
    undated: list[int] = []
    for record in source.records:
        told = record.value
        named = text(told.get("sessionId"))
        if named is None or told.get("type") not in _WRITTEN:
            continue  # titles, snapshots of files, what was queued: nothing of what ran
        stamp = instant(told.get("timestamp"))
        if stamp is None:
            undated.append(record.line)
            continue
        session = sessions.get(named)
        if session is None:
            session = sessions[named] = _Session(named)
        session.take(told, stamp)
    tasks = [task for session in sessions.values() if (task := session.task()) is not None]
    if not tasks:
        raise UsageError(
            f"{source.name} has no message of a Claude Code session: `user` or `assistant` records were expected."
        )
    notes = [LACKS, *source.notes()]
    if undated:
        notes.append(left_out("record", "without a timestamp", undated))
    return Imported(tasks=tuple(tasks), notes=tuple(notes))


class _Session:
    """The lines of one session: its own, named "", and one for each sub-agent."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._whole = span_id(NAME, name)
        self._lines: dict[str, Line] = {}
        self._place: str | None = None
        self._known: dict[str, str] = {}  # the line of each record, by its uuid
        # The tool that sent a prompt to a sub-agent, by the prompt's digest; the tool that started one, by its line.
        self._prompts: dict[str, LoggedTool] = {}
        self._parents: dict[str, str | LoggedTool | None] = {}

    def take(self, told: dict[str, Any], stamp: int) -> None:
        own = text(told.get("uuid"))
        if own is not None and own in self._known:
            return
        key = self._line_of(told, own)
        if own is not None:
            self._known[own] = key
        line = self._lines.get(key)
        if line is None:
            parent = self._whole if not key else span_id(NAME, self._name, "branch", key)
            line = self._lines[key] = Line((NAME, self._name, key), parent)
            if key:
                self._parents[key] = self._started_by(key, told)
        self._place = self._place or text(told.get("cwd"))
        if told["type"] == "assistant":
            self._assistant(line, told, stamp, own or str(stamp))
        elif told["type"] == "user":
            self._user(line, told, stamp, key)
        elif told.get("subtype") == "api_error":
            wait = number(told.get("retryInMs")) or 0
            line.failed(stamp, _failure(fields(told.get("error"))), round(wait * 1_000_000))
        elif told.get("subtype") == "compact_boundary":
            line.compacted()

    def task(self) -> ImportedTask | None:
        drafts: list[Draft] = []
        for key, line in self._lines.items():
            if line.first is not None:
                drafts += [self._around(key, line, line.first), *line.drafts()]
        # A sub-agent's own file tells nothing of the task around it.
        drafts = [draft for draft in drafts if draft.id != self._whole or "" in self._lines]
        if not drafts:
            return None
        return task_of(
            task_id(NAME, self._name), drafts, source=f"import:{NAME}", name=self._title(), session=self._name
        )

    def _around(self, key: str, line: Line, first: int) -> Draft:
        if not key:
            return Draft(id=self._whole, kind="task", name=self._title(), start=first, end=line.last)
        parent = self._parents[key]
        return Draft(
            id=span_id(NAME, self._name, "branch", key),
            kind="branch",
            name="sub-agent",
            start=first,
            end=line.last,
            parent=parent.id if isinstance(parent, LoggedTool) else parent or self._whole,
        )

    def _title(self) -> str:
        return re.split(r"[/\\]", (self._place or "").rstrip("/\\"))[-1] or NAME

    def _line_of(self, told: dict[str, Any], own: str | None) -> str:
        if told.get("isSidechain") is not True:
            return ""
        agent = text(told.get("agentId"))
        if agent is not None:
            return agent
        before = text(told.get("parentUuid"))
        return self._known.get(before or "") or own or "sidechain"

    def _started_by(self, key: str, told: dict[str, Any]) -> str | LoggedTool | None:
        if text(told.get("agentId")) is not None:
            return span_id(NAME, self._name, "agent", key)
        prompt = _said(told)
        return self._prompts.get(digest(prompt)) if prompt is not None else None

    def _assistant(self, line: Line, told: dict[str, Any], stamp: int, own: str) -> None:
        message = fields(told.get("message"))
        if told.get("isApiErrorMessage") is True:
            line.gave_up(own, stamp, _gave_up(told, message))
            return
        call = line.answered(text(message.get("id")) or own, stamp)
        call.attributes |= _answer(message)
        for block in objects(message.get("content")):
            tool, name = text(block.get("id")), text(block.get("name"))
            if block.get("type") == "tool_use" and tool is not None and name is not None:
                self._asked(line, call, block, (tool, name), stamp)

    def _asked(
        self, line: Line, call: LoggedCall, block: dict[str, Any], tool: tuple[str, str], stamp: int
    ) -> None:
        line.asked(call, *tool, stamp, "user" if tool[1] in _ASKS else "tool")
        prompt = text(fields(block.get("input")).get("prompt"))
        if prompt is not None:
            self._prompts[digest(prompt)] = line.tools[tool[0]]

    def _user(self, line: Line, told: dict[str, Any], stamp: int, key: str) -> None:
        if told.get("isCompactSummary") is True:
            line.compacted()
            line.given(stamp)
            return
        results = [
            block
            for block in objects(fields(told.get("message")).get("content"))
            if block.get("type") == "tool_result"
        ]
        for block in results:
            self._returned(line, told, block, stamp, alone=len(results) == 1)
        if results:
            return
        said = _said(told)
        if key or told.get("isMeta") is True or said is None or said.startswith(_NOT_SAID):
            line.given(stamp)
        else:
            line.said(stamp)

    def _returned(
        self, line: Line, told: dict[str, Any], block: dict[str, Any], stamp: int, *, alone: bool
    ) -> None:
        own = text(block.get("tool_use_id"))
        tool = line.returned(own, stamp) if own is not None else None
        if tool is None:
            line.given(stamp)
            return
        if block.get("is_error") is True:
            tool.error = "tool_error"
        result = told.get("toolUseResult") if alone else None
        if isinstance(result, str) and "User rejected" in result[:80]:
            tool.kind, tool.error = "user", None
        details = fields(result)
        took = number(details.get("durationMs"))
        if took is not None and took >= 0:
            tool.took = round(took * 1_000_000)
        agent = text(details.get("agentId"))
        # What was launched in the background goes on after its tool, and is no part of it.
        if agent is not None and not str(details.get("status")).endswith("_launched"):
            tool.id = span_id(NAME, self._name, "agent", agent)


def _said(told: dict[str, Any]) -> str | None:
    """The text of a message."""
    content = fields(told.get("message")).get("content")
    if isinstance(content, str):
        return content
    return next((said for block in objects(content) if (said := text(block.get("text"))) is not None), None)


def _answer(message: dict[str, Any]) -> dict[str, Any]:
    usage = fields(message.get("usage"))
    plain, read, written = (
        count(usage.get(name))
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    api: Literal["messages"] = "messages"
    stop = text(message.get("stop_reason"))
    kept: dict[str, Any] = {
        at.API: api,
        at.REQUEST_MODEL: text(message.get("model")),
        at.RESPONSE_ID: text(message.get("id")),
        at.FINISH_REASONS: [stop] if stop is not None else None,
        at.INPUT_TOKENS: None if plain is None else plain + (read or 0) + (written or 0),
        at.OUTPUT_TOKENS: count(usage.get("output_tokens")),
        at.CACHE_READ_TOKENS: read,
        at.CACHE_WRITE_TOKENS: written,
    }
    return reported(kept)


def _failure(error: dict[str, Any]) -> str:
    """What an attempt failed with: a status, or the code of a broken connection."""
    status = count(error.get("status"))
    if status is not None:
        return str(status)
    code = text(error.get("code")) or text(fields(error.get("cause")).get("code"))
    return code if code is not None and re.fullmatch(r"\w{1,60}", code) else "api_error"


def _gave_up(told: dict[str, Any], message: dict[str, Any]) -> str:
    code = text(told.get("error"))
    if code is not None and re.fullmatch(r"\w{1,60}", code) and code != "unknown":
        return code
    status = count(told.get("apiErrorStatus"))
    if status is not None:
        return str(status)
    said = next((text(block.get("text")) or "" for block in objects(message.get("content"))), "")
    found = _STATUS.search(said)
    return found[1] if found is not None else "api_error"
