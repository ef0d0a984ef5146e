"""What is known of an answer so far: each API's reader writes into it, and it keeps the account of the stamps.

A stamp is of a *token*: a role, an empty delta, a signature or the usage is none (MEASURING.md). A run of tokens of
one kind is a phase, which ends where the next begins: so the phases tile the time from first token to last.
"""

from typing import Protocol

from tithe.core.errors import StreamBroken
from tithe.core.exchange import Phase, PhaseKind, SeenAnswer
from tithe.core.part import Part
from tithe.core.usage import Facts, Usage

# Other APIs' finish reasons in the words of `core.event`.
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
}


class AnswerDraft:
    """One answer, while it comes. `whole`: the endpoint has said that this was all of it."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.model: str | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self.usage: Usage | None = None
        self.cache_write_tokens: int | None = None
        self.facts: Facts | None = None
        self.tool_calls: tuple[tuple[str, str], ...] = ()
        self.parts: tuple[Part, ...] = ()
        self.error: str | None = None
        self.unread: str | None = None
        self.whole = False
        self._first_visible: float | None = None
        self._last: float | None = None
        self._runs: list[tuple[PhaseKind, float]] = []

    def token(self, kind: PhaseKind, at: float) -> None:
        """A chunk with tokens of this kind came at `at`."""
        if not self._runs or self._runs[-1][0] != kind:
            self._runs.append((kind, at))
        if self._first_visible is None and kind != "reasoning":
            self._first_visible = at
        self._last = at

    def fail(self, name: str | None) -> None:
        """The endpoint told of an error; the first one counts."""
        self.error = self.error or name or "error"

    def seal(self, broken: str | None) -> SeenAnswer:
        """The answer as it was seen. `broken`: what broke it off, if not the endpoint itself."""
        error = self.error
        if error is None and not self.whole:
            error = broken or (None if self.unread else StreamBroken.__name__)
        return SeenAnswer(
            id=self.id,
            model=self.model,
            finish_reasons=self.finish_reasons,
            usage=self.usage,
            cache_write_tokens=self.cache_write_tokens,
            facts=self.facts,
            tool_calls=self.tool_calls,
            first_token=self._runs[0][1] if self._runs else None,
            first_visible=self._first_visible,
            last_token=self._last,
            phases=self._phases(),
            error=error,
            parts=self.parts,
            unread=self.unread,
        )

    def _phases(self) -> tuple[Phase, ...]:
        if self._last is None:
            return ()
        ends = [start for _, start in self._runs[1:]] + [self._last]
        return tuple(Phase(kind, start, end) for (kind, start), end in zip(self._runs, ends, strict=True))


class ApiAnswer(Protocol):
    """One API's way of answering; it writes what it reads into a draft. None of its methods raises but `fill`."""

    def event(self, name: str, data: bytes, at: float) -> None:
        """One server-sent event, which the read stamped `at` completed."""
        ...

    def body(self, data: bytes) -> None:
        """The whole answer, in one piece."""
        ...

    def fill(self) -> None:
        """There is no more: write what is known only now.

        Raises:
            RecursionError: arguments or items are nested deeper than they can be written.
        """
        ...
