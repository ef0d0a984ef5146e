"""Codex's logs: `~/.codex/sessions/**/rollout-*.jsonl`. A JSON line a record, `{"timestamp", "type", "payload"}`.

| `type` | `payload` |
|---|---|
| session_meta | `id`, `cwd`, `model_provider` |
| turn_context | `model` |
| response_item | `type`: message, reasoning, function_call, custom_tool_call, local_shell_call, ... and the tools' `*_output` |
| event_msg | `type`: user_message, token_count, task_started, stream_error, error, turn_aborted, exec_command_end, ... |
| compacted | the history was replaced |

- What the model writes between two inputs is one call; a `token_count` right after it is its end, and has its usage
  (`last_token_usage`, else what its totals are more than those before; one that repeats them tells of no call). `input_tokens` has the cached ones in it.
- When a request was sent is not told: a call begins with the last thing that it answers (logged.py).
- A tool runs from its call to its output; as long as the output's `duration_seconds`, or the `duration` of the event
  that ends it, where there is one.
"""

import re
from typing import Any

import msgspec

from tithe.core import attributes as at
from tithe.core.errors import UsageError
from tithe.trace.formats.imported import Draft, Imported, span_id, task_id, task_of
from tithe.trace.formats.logged import Line, LoggedCall, LoggedTool
from tithe.trace.formats.source import Source, count, fields, instant, left_out, nanoseconds, number, text

NAME = "codex"
SAYS = "Codex session logs (rollout-*.jsonl)"
LACKS = (
    "not reported: when a request was sent (taken: the record that it answers), "
    "how long a tool ran where no duration is logged (taken: from record to record, permission prompts included, an upper bound), "
    "the first token"
)
_TYPES = ("session_meta", "turn_context", "response_item", "event_msg", "compacted")
_ASKS = frozenset(("function_call", "custom_tool_call", "local_shell_call"))
_TOKENS = (
    (at.INPUT_TOKENS, "input_tokens"),
    (at.OUTPUT_TOKENS, "output_tokens"),
    (at.CACHE_READ_TOKENS, "cached_input_tokens"),
    (at.CACHE_WRITE_TOKENS, "cache_write_input_tokens"),
    (at.REASONING_TOKENS, "reasoning_output_tokens"),
)
_OUTPUTS = frozenset(("function_call_output", "custom_tool_call_output", "local_shell_call_output"))


def recognizes(record: dict[str, Any]) -> bool:
    """Whether a record is of this format."""
    return record.get("type") in _TYPES and isinstance(record.get("payload"), dict) and "timestamp" in record


def read(source: Source) -> Imported:
    """One task: the session. Raises `UsageError` when there is nothing of one."""
    undated: list[int] = []
    session: _Session | None = None
    for record in source.records:
        told = record.value
        stamp = instant(told.get("timestamp"))
        if not recognizes(told):
            continue
        if stamp is None:
            undated.append(record.line)
            continue
        payload = fields(told["payload"])
        if session is None:
            named = text(payload.get("id")) if told["type"] == "session_meta" else None
            session = _Session(named or source.name)
        session.take(told["type"], payload, stamp)
    if session is None or session.line.first is None:
        raise UsageError(
            f"{source.name} has nothing of a Codex session: dated `response_item` or `event_msg` records were expected."
        )
    line = session.line
    whole = Draft(id=session.whole, kind="task", name=session.title, start=session.line.first, end=line.last)
    task = task_of(
        task_id(NAME, session.name),
        [whole, *line.drafts()],
        source=f"import:{NAME}",
        name=session.title,
        session=session.name,
    )
    notes = [LACKS, *source.notes()]
    if undated:
        notes.append(left_out("record", "without a timestamp", undated))
    return Imported(tasks=(task,), notes=tuple(notes))


class _Session:
    def __init__(self, name: str) -> None:
        self.name = name
        self.whole = span_id(NAME, name)
        self.line = Line((NAME, name), self.whole)
        self.title = NAME
        self._model: str | None = None
        self._provider: str | None = None
        self._number = 0  # of calls
        self._open: LoggedCall | None = None  # the call whose answer is being written
        self._unpaid: LoggedCall | None = None  # the last call, until its usage is told
        self._total: dict[str, Any] = {}

    def take(self, type_: str, payload: dict[str, Any], stamp: int) -> None:
        match type_:
            case "session_meta":
                self._provider = text(payload.get("model_provider"))
                place = re.split(r"[/\\]", (text(payload.get("cwd")) or "").rstrip("/\\"))[-1]
                self.title = place or self.title
            case "turn_context":
                self._model = text(payload.get("model")) or self._model
            case "response_item":
                self._item(payload, stamp)
            case "event_msg":
                self._event(payload, stamp)
            case _:
                self.line.compacted()

    def _item(self, payload: dict[str, Any], stamp: int) -> None:
        kind = text(payload.get("type")) or ""
        tool = text(payload.get("call_id")) or text(payload.get("id"))
        if kind in _OUTPUTS:
            self._close()
            found = self.line.returned(tool, stamp) if tool is not None else None
            if found is None:
                self.line.given(stamp)
            else:
                _output(found, payload.get("output"))
        elif kind == "message" and payload.get("role") != "assistant":
            self._close()
            self.line.given(stamp)
        else:
            call = self._answered(stamp)
            if kind in _ASKS and tool is not None:
                name = text(payload.get("name")) or ("shell" if kind == "local_shell_call" else "tool")
                self.line.asked(call, tool, name, stamp)

    def _event(self, payload: dict[str, Any], stamp: int) -> None:
        match payload.get("type"):
            case "user_message":
                self._close()
                self.line.said(stamp)
            case "task_started" | "turn_started":
                self._close()
                self.line.given(stamp)
            case "token_count":
                self._usage(fields(payload.get("info")), stamp)
            case "stream_error":
                self._close()
                self.line.failed(stamp, "stream_error")
            case "error":
                self._close()
                self._number += 1
                self.line.gave_up(str(self._number), stamp, "error")
            case "turn_aborted":
                self.line.seen(stamp)
                self._close()
            case "context_compacted":
                self.line.compacted()
            case "exec_command_end" | "mcp_tool_call_end":
                self._ended(payload, stamp)
            case _:
                self.line.seen(stamp)

    def _answered(self, stamp: int) -> LoggedCall:
        if self._open is None:
            self._number += 1
        call = self._open = self._unpaid = self.line.answered(str(self._number), stamp)
        if self._model is not None:
            call.attributes[at.REQUEST_MODEL] = self._model
        if self._provider is not None:
            call.attributes[at.PROVIDER] = self._provider
        call.attributes[at.API] = "responses"
        return call

    def _close(self) -> None:
        self._open = None

    def _usage(self, info: dict[str, Any], stamp: int) -> None:
        total, last = fields(info.get("total_token_usage")), fields(info.get("last_token_usage"))
        before, self._total = self._total, total
        if total == before or not (total or last):
            return
        call, self._unpaid = self._unpaid, None
        if call is None:
            return
        if call is self._open:
            self.line.answered(str(self._number), stamp)
            self._close()
        for name, field in _TOKENS:
            found = count(last.get(field))
            if not last and (now := count(total.get(field))) is not None:
                found = max(0, now - (count(before.get(field)) or 0))
            if found is not None:
                call.attributes[name] = found

    def _ended(self, payload: dict[str, Any], stamp: int) -> None:
        """A tool ended; its output is logged later, when the model is given it."""
        self.line.seen(stamp)
        tool = self.line.tools.get(text(payload.get("call_id")) or "")
        told = fields(payload.get("duration"))
        seconds, rest = number(told.get("secs")), number(told.get("nanos"))
        if tool is not None and tool.end is None:
            tool.end = max(stamp, tool.start)
            if seconds is not None:
                tool.took = nanoseconds(seconds) + round(rest or 0)


def _output(tool: LoggedTool, output: Any) -> None:
    """What an output says of how its tool ran: some are JSON, with metadata."""
    if isinstance(output, str) and output.startswith("{"):
        try:
            output = msgspec.json.decode(output)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
    told = fields(output)
    took = number(fields(told.get("metadata")).get("duration_seconds"))
    if tool.took is None and took is not None and took >= 0:
        tool.took = nanoseconds(took)
    if told.get("success") is False:
        tool.error = "tool_error"
