"""Constrained output: what a request demands of its answer, as a grammar that masks the model's tokens.

Built on llguidance. A request's tools, `tool_choice` and `response_format` become one Lark grammar:

    text or JSON            what `response_format` asks for
    call                    <tool_call>\\n{"name": "f", "arguments": ARGUMENTS}\\n</tool_call>
    auto                    text, then maybe calls: free until a call is opened, then the tool's schema
    required, named         calls alone
    none                    text in which no call can be opened

ARGUMENTS is the tool's JSON schema; JSON is written with `", "` and `": "`, as chat templates write
it, so that a call renders back to the very tokens that were sampled. Where the grammar leaves one
continuation only, its tokens are *forced*: appended without sampling, and computed in one step.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NoReturn

import llguidance

from tithe.core.errors import InvalidRequest
from tithe.core.request import Request, ResponseFormat, Tool
from tithe.engine.schema import is_finite
from tithe.engine.vocabulary import Vocabulary

KEPT_CHARS = 16_000_000
"""Characters of sources whose compiled grammars are kept: an agent sends the same tools with every step."""

_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class Grammar:
    """One choice's place in a grammar.

    A grammar can grow beyond the compiler's limits while it is followed (a pattern with too many
    states). Then `mask` and `forced` raise its `failure`.
    """

    def __init__(self, matcher: llguidance.LLMatcher, broken: Callable[[], None]) -> None:
        self._matcher = matcher
        self._broken = broken

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can follow."""
        return self._matcher.is_stopped()

    def mask(self) -> bytes:
        """One bit a token, lowest first: set where the token may come next (EOS where it may end)."""
        mask = self._matcher.compute_bitmask()
        if self._matcher.is_error():
            raise self.failure()
        return mask

    def forced(self) -> list[int]:
        """The tokens that must come next, if any; they still have to be accepted."""
        tokens = self._matcher.compute_ff_tokens()
        if self._matcher.is_error():
            raise self.failure()
        return tokens

    def accept(self, token: int) -> bool:
        """Advance by a token; False when the grammar does not allow it, or failed."""
        return self._matcher.consume_token(token)

    def copy(self) -> Grammar:
        """Another choice's place, the same as this one's now."""
        return Grammar(self._matcher.deep_copy(), self._broken)

    def failure(self) -> InvalidRequest:
        """Why it cannot be followed any further; it will not be used again."""
        self._broken()
        return InvalidRequest(
            "The schema could not be followed to its end: "
            f"{_first(self._matcher.get_error())} ({self._matcher.stop_reason()}). Simplify its patterns.",
            code="invalid_schema",
        )


class Grammars:
    """Compiles and keeps the grammars of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._tokenizer = vocabulary.for_grammars
        self._names = {name: self._tag(vocabulary, name) for name in _TAGS}
        self._compiled: OrderedDict[str, llguidance.LLMatcher] = OrderedDict()
        self._chars = 0
        # Compiled beside the event loop, dropped by the engine's thread.
        self._lock = threading.Lock()

    def source(self, request: Request, *, reasoning: str = "none") -> str | None:
        """What a request demands, as Lark; None when it leaves the model free.

        `reasoning` tells whether the answer begins inside the model's thoughts (`open`), may begin
        with them (`may`), or not (`none`); thoughts are free text.
        """
        mode = request.tool_choice.mode if request.tools else "none"
        rules: list[str] = []
        answer = self._format_rule(request, rules)
        tools = _callable(request)
        is_loose = request.parallel_tool_calls and all(tool.strict is False for _, tool in tools)
        if mode == "auto" and answer is None and is_loose:
            return None
        if mode == "none" and answer is None:
            # The template shows the tools all the same, so that the prefix holds.
            return self._without_calls() if request.tools else None
        tags = self._names
        if mode != "none":
            self._call_rules(tools, rules)
        more = f'("\\n" {tags["<tool_call>"]} call)*' if request.parallel_tool_calls else ""
        calls = f"{tags['<tool_call>']} call {more}"
        if mode == "none":
            start = str(answer)
        elif mode == "auto":
            start = f"({answer} | {calls})" if answer is not None else f"free ({calls})?"
        else:
            start = calls
        if reasoning == "open":
            start = f"TEXT {tags['</think>']} SPACE ({start})"
        elif reasoning == "may":
            start = f"({tags['<think>']} TEXT {tags['</think>']} SPACE)? ({start})"
        return self._lark(start, rules)

    def find(self, source: str) -> Grammar | None:
        """The start of a grammar that was compiled before."""
        with self._lock:
            known = self._compiled.get(source)
            if known is None:
                return None
            self._compiled.move_to_end(source)
        return self._start(known, source)

    def compile(self, source: str, request: Request) -> Grammar:
        """The start of a grammar, compiled. Lets go of the GIL while it works.

        Raises `InvalidRequest`, naming the schema, when one is invalid, cannot be met by anything
        finite, or uses a keyword that is not supported and was to be strict.
        """
        self._refuse_endless(request)
        matcher = llguidance.LLMatcher(self._tokenizer, source, log_level=0)
        if matcher.is_error():
            self._refuse(request, matcher.get_error())
        with self._lock:
            if source not in self._compiled:
                self._compiled[source] = matcher
                self._chars += len(source)
            while self._chars > KEPT_CHARS and len(self._compiled) > 1:
                self._chars -= len(self._compiled.popitem(last=False)[0])
        return self._start(matcher, source)

    def _start(self, matcher: llguidance.LLMatcher, source: str) -> Grammar:
        return Grammar(matcher.deep_copy(), lambda: self._drop(source))

    def _drop(self, source: str) -> None:
        """Forget a grammar that broke: its copies share what broke it."""
        with self._lock:
            if self._compiled.pop(source, None) is not None:
                self._chars -= len(source)

    def _refuse_endless(self, request: Request) -> None:
        schemas = [
            (f"tools[{i}].function.parameters", tool.parameters)
            for i, tool in _callable(request)
            if tool.strict is not False
        ]
        schemas.append(("response_format.json_schema.schema", request.response_format.schema))
        for param, schema in schemas:
            if schema is not None and not is_finite(schema):
                raise InvalidRequest(
                    "The JSON schema requires itself without end: no finite JSON can meet it. "
                    "Make the reference optional, or give it a way out (anyOf with null).",
                    param=param,
                    code="invalid_schema",
                )

    def _tag(self, vocabulary: Vocabulary, name: str) -> str:
        """A tag in Lark: the token itself where it is one, else its text."""
        token = vocabulary.added.get(name)
        return json.dumps(name) if token is None else f"<[{token}]>"

    def _without_calls(self) -> str | None:
        # Where the tag is no token it cannot be kept out, and stays plain text.
        return self._lark("free", []) if self._names["<tool_call>"].startswith("<[") else None

    def _lark(self, start: str, rules: list[str]) -> str:
        thoughts = f"({self._names['<think>']} | {self._names['</think>']})"
        text = r"TEXT: /(.|\n)*/"
        if self._names["<tool_call>"].startswith("<["):
            # Nor may text spell the tag: it would read as a call that no schema holds.
            text += r" & ~/(.|\n)*<tool_call>(.|\n)*/"
        fixed = [f"free: TEXT ({thoughts} TEXT)*", text, r"SPACE: /\n*/"]
        return "\n".join(["%llguidance {}", f"start: {start}", *rules, *fixed])

    def _format_rule(self, request: Request, rules: list[str]) -> str | None:
        """Add the rule of the response format; its name, or None when text is free."""
        if request.response_format.kind == "text":
            return None
        rules.append(f"answer: {_format_json(request.response_format)}")
        return "answer"

    def _call_rules(self, tools: list[tuple[int, Tool]], rules: list[str]) -> None:
        bodies: list[str] = []
        for i, tool in tools:
            opening = json.dumps(f'\n{{"name": {json.dumps(tool.name)}, "arguments": ')
            rules.append(f"call_{i}: {opening} {_arguments_json(tool)}")
            bodies.append(f"call_{i}")
        rules.append(f'call: ({" | ".join(bodies)}) "}}\\n" {self._names["</tool_call>"]}')

    def _refuse(self, request: Request, reason: str) -> NoReturn:
        """Raise `InvalidRequest` naming the schema that makes no grammar."""
        schemas = [
            (f"tools[{i}].function.parameters", _arguments_json(tool)) for i, tool in _callable(request)
        ]
        if request.response_format.kind != "text":
            schemas.append(("response_format.json_schema.schema", _format_json(request.response_format)))
        for param, rule in schemas:
            failed, problems = llguidance.LLMatcher.validate_grammar_with_warnings(
                f"start: {rule}", self._tokenizer
            )
            if failed:
                advice = (
                    ", or send strict: false to have it only shown to the model" if "tools" in param else ""
                )
                raise InvalidRequest(
                    f"The JSON schema cannot be held to: {_first(problems[0])}. Simplify it{advice}.",
                    param=param,
                    code="invalid_schema",
                )
        raise InvalidRequest(
            f"The tools and response format do not make a usable grammar: {_first(reason)}.",
            param="tools" if request.tools else "response_format",
        )


def _callable(request: Request) -> list[tuple[int, Tool]]:
    """The tools that may be called, each with its place in the request."""
    choice = request.tool_choice
    if choice.mode == "none":
        return []
    return [(i, t) for i, t in enumerate(request.tools) if choice.mode != "named" or t.name == choice.name]


def _arguments_json(tool: Tool) -> str:
    if tool.strict is False:
        return _json(_ANY_OBJECT, strict=False)
    return _json(tool.parameters or _NO_ARGUMENTS, strict=tool.strict is True)


def _format_json(wanted: ResponseFormat) -> str:
    schema = wanted.schema if wanted.kind == "json_schema" else None
    return _json(schema or _ANY_OBJECT, strict=wanted.strict is True)


def _json(schema: dict[str, Any], *, strict: bool) -> str:
    """A schema in Lark."""
    form = {
        "whitespace_flexible": False,
        "item_separator": ", ",
        "key_separator": ": ",
        "lenient": not strict,
    }
    return f"%json {json.dumps({**schema, 'x-guidance': form})}"


_TAGS = ("<tool_call>", "</tool_call>", "<think>", "</think>")


def _first(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
