"""A conversation put together from a log that says when something was written, not when anything began.

Logs of coding agents have a stamp on each message. So a call is bounded by what it answers, the last message or tool
result before it, and by the last piece of its answer; a tool by the message that asks for it and its result; and what
lies between the last of these and a person's next message is waiting for that person.
"""

from typing import Any

import msgspec

from tithe.core import attributes as at
from tithe.trace.formats.imported import Draft, span_id


class LoggedCall(msgspec.Struct, kw_only=True):
    """A call as it is found. `failures`: (stamp, error, wait in ns after it) of each attempt that failed."""

    id: str
    start: int
    end: int
    failures: list[tuple[int, str, int]]
    first: dict[str, Any]
    asked: dict[str, str] = {}
    error: str | None = None
    attributes: dict[str, Any] = {}


class LoggedTool(msgspec.Struct, kw_only=True):
    """A tool that was asked for. `took` in nanoseconds, where the log says so."""

    id: str
    name: str
    kind: str = "tool"
    start: int
    end: int | None = None
    took: int | None = None
    error: str | None = None


class Line:
    """One line of a log: a conversation, or a sub-agent's. Stamps are nanoseconds since the epoch, in the log's order."""

    def __init__(self, own: tuple[str, ...], parent: str) -> None:
        self._own = own
        self._parent = parent
        self.calls: dict[str, LoggedCall] = {}
        self.tools: dict[str, LoggedTool] = {}
        self._waits: list[tuple[int, int]] = []
        self._input: int | None = None
        self._results: list[str] = []
        self._failures: list[tuple[int, str, int]] = []
        self._compacted = False
        self._active: int | None = (
            None  # when something of the agent's last ended; None while a person's turn is over
        )
        self.first: int | None = None
        self.last: int | None = None

    def seen(self, stamp: int) -> None:
        """Something of the line was written."""
        self.first = stamp if self.first is None else min(self.first, stamp)
        self.last = stamp if self.last is None else max(self.last, stamp)

    def given(self, stamp: int) -> None:
        """A message or a result that the next call answers."""
        self.seen(stamp)
        self._input = stamp if self._input is None else max(self._input, stamp)

    def said(self, stamp: int) -> None:
        """A person's message."""
        if self._active is not None and stamp > self._active:
            self._waits.append((self._active, stamp))
        self._active = None
        self.given(stamp)

    def compacted(self) -> None:
        """The history was replaced by a summary of it."""
        self._compacted = True

    def answered(self, own: str, stamp: int) -> LoggedCall:
        """A piece of the answer of the call that the log names `own`."""
        self.seen(stamp)
        call = self.calls.get(own)
        if call is None:
            call = self.calls[own] = self._begun(own, stamp)
        call.end = max(call.end, stamp)
        self._active = max(self._active or 0, stamp)
        return call

    def failed(self, stamp: int, error: str, wait: int = 0) -> None:
        """An attempt failed, and another was made after `wait` nanoseconds."""
        self.seen(stamp)
        self._failures.append((stamp, error, wait))

    def gave_up(self, own: str, stamp: int, error: str) -> LoggedCall:
        """A call failed for good."""
        call = self.answered(own, stamp)
        call.error = error
        return call

    def asked(self, call: LoggedCall, tool: str, name: str, stamp: int, kind: str = "tool") -> None:
        """A call asked for a tool, which the log names `tool`."""
        call.asked.setdefault(tool, name)
        self.tools.setdefault(
            tool, LoggedTool(id=span_id(*self._own, "tool", tool), name=name, kind=kind, start=stamp)
        )

    def returned(self, tool: str, stamp: int) -> LoggedTool | None:
        """A tool's result; None for one that nobody asked for. The first that is logged counts."""
        self.given(stamp)
        self._active = max(self._active or 0, stamp)
        if tool not in self._results:
            self._results.append(tool)
        found = self.tools.get(tool)
        if found is not None and found.end is None:
            found.end = max(stamp, found.start)
        return found

    def drafts(self) -> list[Draft]:
        """The spans of the line: calls, their attempts, tools, and waits for a person."""
        found: list[Draft] = []
        if self._failures and self.last is not None:
            self.gave_up("unanswered", self._failures[-1][0], self._failures[-1][1])
        for call in self.calls.values():
            found += self._call(call)
        found += [self._tool(own, tool) for own, tool in self.tools.items()]
        found += [
            Draft(
                id=span_id(*self._own, "user", str(place)),
                kind="user",
                name="user",
                start=start,
                end=end,
                parent=self._parent,
            )
            for place, (start, end) in enumerate(self._waits)
        ]
        return found

    def _begun(self, own: str, stamp: int) -> LoggedCall:
        start = self._input if self._input is not None else self._active
        first: dict[str, Any] = {}
        if self._results:
            first[at.TOOL_RESULTS] = list(self._results)
        if self._compacted:
            first[at.RELATION] = "compacted"
        call = LoggedCall(
            id=span_id(*self._own, "call", own),
            start=stamp if start is None else min(start, stamp),
            end=stamp,
            failures=self._failures,
            first=first,
            asked={},
            attributes={},
        )
        self._input, self._results, self._failures, self._compacted = None, [], [], False
        return call

    def _call(self, call: LoggedCall) -> list[Draft]:
        told: dict[str, Any] = dict(call.attributes)
        if call.asked:
            told |= {at.ASKED_TOOLS: [[own, name] for own, name in call.asked.items()]}
        model = told.get(at.REQUEST_MODEL)
        whole = Draft(
            id=call.id,
            kind="call",
            name=model or "call",
            start=min([call.start, *(stamp for stamp, _, _ in call.failures)]),
            end=call.end,
            parent=self._parent,
            error=call.error,
        )
        if not call.failures:
            whole.attributes = call.first | told
            return [whole]
        return [whole, *self._attempts(call, whole, told, model)]

    def _attempts(
        self, call: LoggedCall, whole: Draft, told: dict[str, Any], model: str | None
    ) -> list[Draft]:
        asked = {} if model is None else {at.REQUEST_MODEL: model}
        again = {at.RELATION: "retry"}
        attempts: list[Draft] = []
        begin = whole.start
        for place, (stamp, error, wait) in enumerate(call.failures):
            attempts.append(
                Draft(
                    id=span_id(call.id, str(place)),
                    kind="attempt",
                    name=whole.name,
                    start=min(begin, stamp),
                    end=stamp,
                    parent=call.id,
                    error=error,
                    attributes=asked | (again if place else call.first),
                )
            )
            begin = stamp + wait
        # Where a call failed for good, the log may tell its last attempt twice: as a failure, and as the end of it all.
        if call.error is None or call.end > call.failures[-1][0] + call.failures[-1][2]:
            attempts.append(
                Draft(
                    id=span_id(call.id, "last"),
                    kind="attempt",
                    name=whole.name,
                    start=min(begin, call.end),
                    end=call.end,
                    parent=call.id,
                    error=call.error,
                    attributes=again | told,
                )
            )
        return attempts

    def _tool(self, own: str, tool: LoggedTool) -> Draft:
        start, end = tool.start, tool.end
        if end is not None and tool.took is not None:
            start = min(max(start, end - tool.took), end)
        told = {at.TOOL_CALL_ID: own} | ({at.TOOL_NAME: tool.name} if tool.kind == "tool" else {})
        if tool.kind == "tool" and tool.took is None:
            told[at.SEEN] = "outside"  # from record to record, with whatever a person was asked first
        return Draft(
            id=tool.id,
            kind="user" if tool.kind == "user" else "tool",
            name=tool.name,
            start=start,
            end=end,
            parent=self._parent,
            error=tool.error,
            attributes=told,
        )
