"""Messages: the conversation as a call sends it, independent of any API's payload."""

from typing import Literal

import msgspec

Role = Literal["system", "developer", "user", "assistant", "tool"]


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call that an assistant's turn asked for.

    `arguments` is the JSON text exactly as the model wrote it: re-serializing it would change the
    prefix that later calls extend.
    """

    id: str
    name: str
    arguments: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. `content` is None where a turn has only tool calls (not the same as empty text)."""

    role: Role
    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
