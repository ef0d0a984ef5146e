"""The chat template: messages and tools to the text that the model continues.

Templates come with models and are code: they run in Jinja's immutable sandbox, with the names that
Hugging Face's templates use (`messages`, `tools`, `add_generation_prompt`, `tojson`,
`raise_exception`, `strftime_now`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tithe.core.errors import InvalidRequest, ModelFilesError
from tithe.core.message import Message
from tithe.core.request import Request, Tool


class ChatTemplate:
    """A compiled chat template.

    Args:
        source: the template.
        guard: makes a message's text safe to stand between control tokens (`Vocabulary.guard`).

    Raises `ModelFilesError` when `source` is not a template.
    """

    def __init__(self, source: str, guard: Callable[[str], str]) -> None:
        self._guard = guard
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        names: dict[str, Any] = environment.globals
        names.update(raise_exception=_refuse, strftime_now=_now)
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise ModelFilesError(f"The model's chat template is not valid Jinja: {error}.") from error

    def render(self, request: Request) -> str:
        """The prompt's text, up to where the model's turn begins.

        Raises `InvalidRequest` when the template refuses the messages or fails on them.
        """
        # Shown whatever `tool_choice` says: a system turn that changed with it would break the prefix.
        tools = [_tool(tool) for tool in request.tools]
        try:
            return self._template.render(
                messages=[self._message(message) for message in request.messages],
                tools=tools or None,
                add_generation_prompt=True,
                **{key: value for key, value in request.template.items() if key not in _RESERVED},
            )
        # A template is code of the model's: whatever it raises means that it cannot take these messages.
        except Exception as error:
            raise InvalidRequest(
                f"The model's chat template does not take these messages: {error}.", param="messages"
            ) from error

    def _message(self, message: Message) -> dict[str, Any]:
        shown: dict[str, Any] = {"role": message.role, "content": self._guard(message.content or "")}
        if message.reasoning is not None:
            shown["reasoning_content"] = self._guard(message.reasoning)
        if message.tool_calls:
            shown["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": self._guard(call.arguments)},
                }
                for call in message.tool_calls
            ]
        if message.tool_call_id is not None:
            shown["tool_call_id"] = message.tool_call_id
        if message.name is not None:
            shown["name"] = message.name
        return shown


_RESERVED = frozenset({"messages", "tools", "add_generation_prompt"})


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _now(form: str) -> str:
    return dt.datetime.now().astimezone().strftime(form)
