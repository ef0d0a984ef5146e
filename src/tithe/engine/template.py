"""The chat template: messages and tools to the text that the model continues.

Templates come with models and are code: they run in Jinja's immutable sandbox, with the names that
Hugging Face's templates use (`messages`, `tools`, `add_generation_prompt`, `tojson`,
`raise_exception`, `strftime_now`).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any, NoReturn, cast

import jinja2
from jinja2 import meta
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tithe.core.errors import InvalidRequest, ModelFilesError
from tithe.core.message import Message
from tithe.core.request import Request, Tool


class ChatTemplate:
    """A compiled chat template. `variables` are the names that it reads.

    Args:
        source: the template.
        guard: makes a text of the request's safe to stand between control tokens (`Vocabulary.guard`).

    Raises `ModelFilesError` when `source` is not a template.
    """

    def __init__(self, source: str, guard: Callable[[str], str]) -> None:
        self._guard = guard
        self.variables = _variables(environment := _sandbox(), source)
        self._takes_text = _TAKES_TEXT.search(source) is not None
        self._template = environment.from_string(source)

    def render(self, request: Request) -> str:
        """The prompt's text, up to where the model's turn begins.

        Raises `InvalidRequest` when the template refuses the messages or fails on them.
        """
        # Shown whatever `tool_choice` says: a system turn that changed with it would break the prefix.
        tools = [self._guarded(_tool(tool)) for tool in request.tools]
        try:
            # Of the hints only those that the template reads.
            hints = {
                name: self._guarded(request.template[name])
                for name in request.template.keys() & self.variables
            }
            return self._template.render(
                {
                    **hints,
                    "messages": [self._guarded(self._message(message)) for message in request.messages],
                    "tools": tools or None,
                    "add_generation_prompt": True,
                }
            )
        # A template is code of the model's: whatever it raises means that it cannot take these messages.
        except Exception as error:
            raise InvalidRequest(
                f"The model's chat template does not take these messages: {error}.", param="messages"
            ) from error

    def _message(self, message: Message) -> dict[str, Any]:
        shown: dict[str, Any] = {"role": message.role, "content": message.content or ""}
        if message.reasoning is not None:
            shown["reasoning_content"] = message.reasoning
        if message.tool_calls:
            shown["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": self._arguments(call.arguments)},
                }
                for call in message.tool_calls
            ]
        if message.tool_call_id is not None:
            shown["tool_call_id"] = message.tool_call_id
        if message.name is not None:
            shown["name"] = message.name
        return shown

    def _arguments(self, text: str) -> object:
        """A call's arguments as the template wants them: the text as it was sampled, or the object."""
        if self._takes_text:
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text

    def _guarded(self, value: Any) -> Any:
        """The same value with every text in it guarded."""
        if isinstance(value, str):
            return self._guard(value)
        if isinstance(value, dict):
            entries = cast("dict[str, Any]", value)
            return {self._guard(key): self._guarded(entry) for key, entry in entries.items()}
        if isinstance(value, list | tuple):
            return [self._guarded(entry) for entry in cast("list[Any]", value)]
        return value


_TAKES_TEXT = re.compile(r"arguments is (not )?(string|mapping)")
"""In templates that ask what arguments are. Others write them with `tojson`, which would quote a text."""


def _sandbox() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    names: dict[str, Any] = environment.globals
    names.update(raise_exception=_refuse, strftime_now=_now)
    return environment


def _variables(environment: jinja2.Environment, source: str) -> frozenset[str]:
    try:
        names = meta.find_undeclared_variables(environment.parse(source))
    except jinja2.TemplateError as error:
        raise ModelFilesError(f"The model's chat template is not valid Jinja: {error}.") from error
    # What the sandbox brings (`range`, `raise_exception`) is not for a request to replace.
    return frozenset(names - environment.globals.keys() - _GIVEN)


_GIVEN = frozenset({"messages", "tools", "add_generation_prompt"})


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _now(form: str) -> str:
    return dt.datetime.now().astimezone().strftime(form)
