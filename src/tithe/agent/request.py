"""What the model is asked, and in which words."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tithe.core import Message, Request, ResponseFormat, Sampling, Tool, ToolChoice

CANDIDATES_TEMPERATURE = 0.7
"""For candidates where the agent's own answers are greedy: equal ones would be of no use."""

NO_CALL = "No tool was called. Call a tool; {final} ends the task."
CUT = "The answer was cut at its limit of tokens. Answer more briefly."
TIME_IS_UP = "The time is nearly up. Give the best answer that you can now, from what you know."
VERIFY = (
    "Before this is run: is it the right next step towards the goal, and are its arguments right?\n\n{call}\n\n"
    'Answer with JSON: {{"right": true or false, "why": "in one sentence"}}.'
)
REVIEW = (
    "Review this answer to the goal against what the tools have shown. Is it right and complete?\n\n{answer}\n\n"
    'Answer with JSON: {{"right": true or false, "why": "in one sentence"}}.'
)
JUDGE = (
    "Which of these is the best next step towards the goal?\n\n{candidates}\n\n"
    'Answer with JSON: {{"best": its number}}.'
)


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification or a review answers."""

    right: bool
    why: str = ""


class Preferred(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge answers: the number of a candidate, from 1."""

    best: int


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are made: what is the same in all of an agent's."""

    model: str
    tools: tuple[Tool, ...] = ()
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    parallel: bool = True
    session: str | None = None
    extra: dict[str, Any] = {}

    def of_session(self, session: str) -> "Asking":
        """The same, for the conversation of that name."""
        return msgspec.structs.replace(self, session=session)

    def step(
        self, history: Sequence[Message], *, n: int = 1, at: int = 0, final: str | None = None
    ) -> Request:
        """The next answer. `n` choices; `at` is the number of this call among candidates, 0 where it is the only one.

        `final`: the tool that must be called, "" where no tool may be.
        """
        sampling = self.sampling
        if (n > 1 or at) and sampling.temperature == 0:
            sampling = msgspec.structs.replace(sampling, temperature=CANDIDATES_TEMPERATURE)
        if at and sampling.seed is not None:
            sampling = msgspec.structs.replace(sampling, seed=sampling.seed + at)
        choice = ToolChoice()
        if final is not None and self.tools:
            choice = ToolChoice(mode="named", name=final) if final else ToolChoice(mode="none")
        return Request(
            model=self.model,
            messages=tuple(history),
            tools=self.tools,
            tool_choice=choice,
            parallel_tool_calls=self.parallel,
            max_tokens=self.max_tokens,
            n=n,
            sampling=sampling,
            session=self.session,
            extra=self.extra,
        )

    def aside(self, history: Sequence[Message], question: str, schema: dict[str, Any]) -> Request:
        """A question about the conversation, which does not enter it: its prefix stays the conversation's."""
        return Request(
            model=self.model,
            messages=(*history, Message(role="user", content=question)),
            tools=self.tools,
            tool_choice=ToolChoice(mode="none") if self.tools else ToolChoice(),
            response_format=ResponseFormat(kind="json_schema", name="opinion", schema=schema),
            max_tokens=self.max_tokens,
            sampling=self.sampling,
            session=self.session,
            extra=self.extra,
        )


def shown(message: Message) -> str:
    """An answer in words, for a judge: its calls, or its text."""
    calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
    return "\n".join(calls) or (message.content or "")
