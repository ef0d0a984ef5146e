"""Exact spans from the agent itself.

    from tithe.trace import task, step, tool

    @tool("search")
    def search(query: str) -> str: ...

    async def run(goal: str) -> str:
        with task("research", session=conversation_id):
            while True:
                with step():
                    answer = await client.chat.completions.create(...)
                    for call in answer.choices[0].message.tool_calls or []:
                        with tool(call.function.name, call_id=call.id):
                            ...

Run the agent as `tithe record -- python my_agent.py`, and these spans stand in the ledger beside the calls that
the recording proxy saw, on one clock. Without `tithe record` nothing is written, and a span costs less than a
microsecond; `record_to("run.db")` in the program records without it.

**What there is.** `task` is one run, from goal to final answer; `step` one pass through its loop; `tool` one execution of
a tool call (give `call_id`, the id that the model gave it: it is what ties the run to the answer that asked for
it); `validation` checking an answer; `user` waiting for a person; `branch` a sub-agent, or one of several ways that go on
at once. Each is used as `with`, as `async with`, or as a decorator of a function, sync or async, with or without
parentheses; a decorated function's spans are named after it. A generator is refused: put the `with` inside it.

**Nesting** follows the program through `contextvars`: what runs inside stands under it, in `asyncio` tasks too. A new
thread begins with an empty context, so that its spans would be a task of their own; hand it the context:
`pool.submit(contextvars.copy_context().run, work)`; `asyncio.to_thread` does so by itself. A task inside a task is a
sub-agent and is written as a branch. A forked process goes on under the span that was open when it forked.

**Errors.** An exception goes through unchanged; the span keeps its class name, never its text.

**Linking calls exactly.** A call is placed under the span in which it was made by its time. Where several go on at once,
hand the client the place: `client.chat.completions.create(..., extra_headers=headers())`.

**The clock** is `time.perf_counter()`, as in `core.clock.SystemClock`. On Linux it reads CLOCK_MONOTONIC, on macOS
mach_absolute_time, on Windows QueryPerformanceCounter: each counts from the machine's start and is the same for every
process, so spans of the agent and attempts seen by the proxy need no alignment. (`time.get_clock_info` names
it; PEP 418 tells where each comes from.) It is not one clock across machines, nor into a virtual machine, nor into a
container with a time namespace of its own: record such an agent by OTLP, which is aligned by the wall clock.
"""

import functools
import inspect
import os
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast, overload
from urllib.parse import quote

import msgspec

from tithe.core import attributes
from tithe.core.errors import UsageError
from tithe.core.span import Span, SpanKind, new_id
from tithe.trace import destination

P = ParamSpec("P")
R = TypeVar("R")


class _Open:
    """A span that has begun. `session` is its task's; `span` is None once it has ended."""

    __slots__ = ("into", "outer", "over", "process", "session", "span")

    def __init__(
        self, span: Span, outer: "_Open | None", session: str | None, into: destination.Destination
    ) -> None:
        self.span: Span | None = span
        self.outer = outer
        self.session = session
        self.into = into
        self.over: float | None = None
        self.process = os.getpid()


# The innermost that is open here. Work that was left running may have outlived it.
_current: ContextVar[_Open | None] = ContextVar("tithe_open", default=None)


def _innermost() -> _Open | None:
    inner = _current.get()
    while inner is not None and inner.span is None:
        inner = inner.outer
    return inner


class Scope:
    """What opens a span and ends it: a context manager, sync and async, and a decorator.

    `id` (16 hex digits) and `trace` (32) are those of the open span, and None when nothing records. A scope can be used
    again when it is closed; to open it while it is open raises `UsageError`.
    """

    __slots__ = ("_attributes", "_kind", "_name", "_open", "_session")

    def __init__(
        self,
        kind: SpanKind,
        name: str | None,
        *,
        session: str | None = None,
        given: dict[str, Any] | None = None,
    ) -> None:
        self._kind: SpanKind = kind
        self._name = name
        self._session = session
        self._attributes = given
        self._open: _Open | None = None

    @property
    def id(self) -> str | None:
        return self._open.span.id if self._open is not None and self._open.span is not None else None

    @property
    def trace(self) -> str | None:
        return self._open.span.trace if self._open is not None and self._open.span is not None else None

    def note(self, told: dict[str, Any]) -> None:
        """Say more of the open span, by attributes (`core.attributes`); nothing where nothing records."""
        if self._open is not None and self._open.span is not None:
            span = self._open.span
            self._open.span = msgspec.structs.replace(span, attributes=span.attributes | told)

    def over(self) -> None:
        """What the open span tells of ends now; it is closed later, when it is known what became of it."""
        if self._open is not None:
            self._open.over = time.perf_counter()

    def __enter__(self) -> Self:
        into = destination.chosen()
        if into is not None:
            self._begin(into)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._open is not None:
            ended, self._open = self._open, None
            # A program that ends itself in good order did not fail.
            left = isinstance(error, SystemExit) and not error.code
            _end(ended, None if left else kind)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, where)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """`function`, each of whose calls is a span of its own."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"{function.__name__} is a generator, which runs between the calls of others and is no one span: "
                f"write `with {self._kind}(...)` inside it"
            )
        name = self._name if self._name is not None else getattr(function, "__name__", self._kind)

        def scope() -> Scope:
            return Scope(self._kind, name, session=self._session, given=self._attributes)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waited(*args: P.args, **kwargs: P.kwargs) -> Any:
                with scope():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", waited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            with scope():
                return function(*args, **kwargs)

        return called

    def _begin(self, into: destination.Destination) -> None:
        if self._open is not None:
            raise UsageError(f"this {self._kind} is open already: make one for each `with`")
        outer = _innermost()
        above = outer.span if outer is not None else None
        kind = "branch" if self._kind == "task" and above is not None else self._kind
        name = self._name if self._name is not None else kind
        session = self._session
        told = {attributes.SOURCE: "api"}
        if self._attributes is not None:
            told |= self._attributes
        if kind == "tool":
            told[attributes.TOOL_NAME] = name
        if session is not None:
            told[attributes.CONVERSATION] = session
        elif outer is not None:
            session = outer.session
        span = Span(
            id=new_id(),
            trace=above.trace if above is not None else secrets.token_hex(16),
            kind=kind,
            name=name,
            start=time.perf_counter(),
            parent=above.id if above is not None else None,
            attributes=told,
        )
        into.begin(span)
        self._open = _Open(span, outer, session, into)
        _current.set(self._open)


def _end(ended: _Open, error: type[BaseException] | None) -> None:
    end = time.perf_counter() if ended.over is None else ended.over
    span, ended.span = ended.span, None
    # No token is kept for this: a generator's `with` may be left in another context than it was entered in.
    if _current.get() is ended:
        _current.set(ended.outer)
    if span is None or ended.process != os.getpid():
        return  # what was open when this process forked is its parent's to end
    ended.into.end(
        msgspec.structs.replace(span, end=end, error=error.__name__ if error is not None else None)
    )
    # A forked worker ends without running `atexit`: what is outermost in a process is written out at once.
    if span.kind == "task" or ended.outer is None or ended.outer.process != ended.process:
        ended.into.flush()


def _scope(
    kind: SpanKind,
    name: str | Callable[..., Any] | None,
    *,
    session: str | None = None,
    given: dict[str, Any] | None = None,
) -> Any:
    """A scope, or, where a decorator stands without parentheses and gets the function as its name, the function."""
    if callable(name):
        return Scope(kind, None)(name)
    return Scope(kind, name, session=session, given=given)


@overload
def task(name: Callable[P, R]) -> Callable[P, R]: ...
@overload
def task(name: str | None = None, session: str | None = None) -> Scope: ...
def task(name: Any = None, session: str | None = None) -> Any:
    """One agent run, from goal to final answer. `session` is the id of the conversation that it is part of, if any."""
    return _scope("task", name, session=session)


@overload
def branch(name: Callable[P, R]) -> Callable[P, R]: ...
@overload
def branch(name: str | None = None) -> Scope: ...
def branch(name: Any = None) -> Any:
    """A sub-agent, or one of several ways that a task goes on at once."""
    return _scope("branch", name)


@overload
def step(name: Callable[P, R]) -> Callable[P, R]: ...
@overload
def step(name: str | None = None) -> Scope: ...
def step(name: Any = None) -> Any:
    """One pass through the loop: a model call and the tools that it asks for."""
    return _scope("step", name)


@overload
def tool(name: Callable[P, R]) -> Callable[P, R]: ...
@overload
def tool(name: str | None = None, call_id: str | None = None) -> Scope: ...
def tool(name: Any = None, call_id: str | None = None) -> Any:
    """One execution of one tool call. `call_id` is the id that the model gave the call."""
    return _scope("tool", name, given={attributes.TOOL_CALL_ID: call_id} if call_id is not None else None)


def call(model: str) -> Scope:
    """One logical inference request, its attempts inside; for agents that make their own, as `tithe.agent` does."""
    return _scope("call", model)


def attempt(model: str) -> Scope:
    """One HTTP request of a call. What was seen of it is told by `Scope.note`."""
    return _scope("attempt", model)


@overload
def validation(name: Callable[P, R]) -> Callable[P, R]: ...
@overload
def validation(name: str | None = None) -> Scope: ...
def validation(name: Any = None) -> Any:
    """Checking an answer."""
    return _scope("validation", name)


@overload
def user(name: Callable[P, R]) -> Callable[P, R]: ...
@overload
def user(name: str | None = None) -> Scope: ...
def user(name: Any = None) -> Any:
    """Waiting for a person."""
    return _scope("user", name)


def headers() -> dict[str, str]:
    """Headers that tell whoever gets a request in which span it was made; none when nothing is open or recorded.

    `traceparent` as in W3C Trace Context, and, where the task has a session, `baggage` with `gen_ai.conversation.id`.
    """
    inner = _innermost()
    if inner is None or inner.span is None:
        return {}
    told = {"traceparent": f"00-{inner.span.trace}-{inner.span.id}-01"}
    if inner.session is not None:
        told["baggage"] = f"{attributes.CONVERSATION}={quote(inner.session, safe='')}"
    return told
