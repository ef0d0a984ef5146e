"""A replay under way: the task's tree walked in its own order, its calls made, what lies between them slept.

Inside one span what began later waits for all that had ended when it began, and then for as long as it did in the record
(trace/timing.py has the theory). So what ran at once runs at once, and a slower call holds up what came after it.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tithe.core import Backend, Clock, Recorder, Request, Sampling, Span, new_id
from tithe.core import attributes as at
from tithe.core.errors import InvalidRequest, TitheError
from tithe.trace.buckets import Bucket
from tithe.trace.node import LINES, Node, answer_of, answering, failures, walk
from tithe.trace.phases import own_slices
from tithe.trace.timing import name_gap
from tithe.trace.tree import TaskTree
from tithe.whatif.graph import REPLAY_ENDED
from tithe.whatif.hearing import Heard, hear
from tithe.whatif.prompt_shape import CallShape
from tithe.whatif.replay_prompts import Answer, ReplayPrompts, recorded_request
from tithe.whatif.survey import Ground

_COPIED = (at.TOOL_NAME, at.TOOL_CALL_ID, at.TOOL_TYPE, at.BUCKET, at.SEEN, at.SPECULATIVE, at.AGENT_NAME)


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a task is replayed.

    `tools` and `people`: how long tools and waits for people take, over what they took. `gaps`: the same for each gap that
    nothing accounts for (unattributed), which then takes at most `longest_gap_s` seconds. `retries`: failed attempts and
    backoff take as long as they did. `server` and `port`: what the record is to call the endpoint.
    """

    model: str
    server: str | None = None
    port: int | None = None
    tools: float = 1.0
    people: float = 0.0
    gaps: float = 1.0
    longest_gap_s: float = math.inf
    retries: bool = False

    def takes(self, bucket: Bucket, seconds: float) -> float:
        """What a replay makes of some time between or beside calls that was in this bucket, in seconds."""
        match bucket:
            case "tool":
                return seconds * self.tools
            case "user":
                return seconds * self.people
            case "unattributed":
                return min(seconds * self.gaps, self.longest_gap_s)
            case _:
                return seconds


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay asks for. `content` gives the recorded request body of a span, where it was kept."""

    shapes: Mapping[str, CallShape]
    prompts: ReplayPrompts
    content: Callable[[str], bytes | None]
    salt: str
    ground: Ground


class _Ended(Exception):
    """The replay is over before its end."""


class ReplayRun:
    """One replay. `spans` is what it recorded, `failure` what ended it, `lengths` (recorded, come) of its answers' tokens.

    `made` of `calls` calls were answered, and `asked` were begun. `failed` attempts and `people_s` seconds of waits for
    people are in the record; `cut_s` seconds of gaps that nothing accounts for were left out.

    `name` is what its task is called.
    """

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        options: ReplayOptions,
        script: Script,
        *,
        name: str,
        recorder: Recorder | None,
        on_call: Callable[[str], None] | None,
    ) -> None:
        self._backend = backend
        self._clock = clock
        self.options = options
        self._script = script
        self._recorder = recorder
        self._on_call = on_call
        self._name = name
        self.trace = new_id() + new_id()
        self.spans: dict[str, Span] = {}
        self.failure: TitheError | None = None
        self.calls = 0
        self.asked = 0
        self.made = 0
        self.failed = 0
        self.people_s = 0.0
        self.cut_s = 0.0
        self.lengths: list[tuple[int, int]] = []
        self._instrumented = False
        self.replayed_content = 0
        self.unread_content = 0

    async def task(self, tree: TaskTree) -> None:
        """Run the task to its end, or until a call fails."""
        root, self._instrumented = tree.root, tree.instrumented
        nodes = list(walk(root))
        self.calls = sum(node.kind == "call" and self._asks(node) for node in nodes)
        self.people_s = sum(node.length for node in nodes if node.kind == "user")
        self.failed = sum(failures(node) for node in nodes if node.kind == "call" and node.attempts)
        try:
            await self._play(root, None)
        except* _Ended:
            pass

    async def _play(self, node: Node, parent: str | None) -> float:
        """Replay a span and what is under it; when it ended."""
        span = self._begin(node, parent)
        error: str | None = REPLAY_ENDED
        try:
            if node.kind == "call":
                await self._call(node, span)
            elif node.children:
                await self._children(node, node.children, span)
            else:
                await self._until(span.start + self._own(node, node.length))
            error = None if node.kind == "call" and self._asks(node) else node.span.error
        finally:
            self._end(span, error)
        return self._clock.now()

    async def _children(self, node: Node, children: Sequence[Node], own: Span) -> None:
        """Replay what is inside a span, each when all that had ended before it has ended."""
        ordered = sorted(children, key=lambda child: (child.start, child.end))
        playing: list[asyncio.Task[float]] = []
        async with asyncio.TaskGroup() as group:
            for child in ordered:
                before = [
                    (other, task)
                    for other, task in zip(ordered, playing, strict=False)
                    if other.end <= child.start
                ]
                last = max((other for other, _ in before), key=lambda other: other.end, default=None)
                gap = self._gap(node, last, child)
                playing.append(group.create_task(self._after([task for _, task in before], gap, child, own)))
        last = max(ordered, key=lambda child: child.end)
        await self._until(max(task.result() for task in playing) + self._gap(node, last, None))

    async def _after(
        self, before: Sequence["asyncio.Task[float]"], gap: float, child: Node, own: Span
    ) -> float:
        ended = [await task for task in before]
        await self._until(max(ended, default=own.start) + gap)
        return await self._play(child, own.id)

    async def _call(self, node: Node, span: Span) -> None:
        others = [child for child in node.children if child.kind != "attempt"]
        if not others:
            await self._attempts(node, span)
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._attempts(node, span))
            group.create_task(self._children(node, others, span))

    async def _attempts(self, node: Node, span: Span) -> None:
        """The attempts that failed, if they are wanted, and the one that was answered, for real."""
        attempts = sorted(node.attempts, key=lambda one: one.start)
        answered = answering(attempts)
        failed = [one for one in attempts if answered is None or one.start < answered.start]
        whole = span
        if self.options.retries:
            if not self._asks(node) and not attempts:
                await self._until(span.start + node.length)
            for one in failed:
                await self._until(span.start + one.start - node.start)
                await self._play(one, span.id)
            if answered is not None and failed:
                await self._until(span.start + answered.start - node.start)
                whole = self._begin(answered, span.id)
        if not self._asks(node):
            return
        self.asked += 1
        try:
            recorded = self._recorded(node)
            heard = await self._ask(node, recorded)
        except BaseException:
            if whole is not span:
                self._end(whole, REPLAY_ENDED)
            raise
        self._keep(whole, heard)
        if whole is not span:
            self._end(whole, heard.attributes.get(at.ERROR))
        if self._on_call is not None:
            self._on_call(node.span.name)
        if heard.error is not None:
            self._end(span, heard.attributes.get(at.ERROR))
            self.failure = self.failure or heard.error
            raise _Ended
        self._learn(node, heard, of_ours=recorded is None)

    def _asks(self, call: Node) -> bool:
        """Whether a recorded call had an answer, so that it is made again."""
        return answer_of(call) is not None

    async def _ask(self, node: Node, request: Request | None) -> Heard:
        shape = self._script.shapes[node.span.id]
        if request is None:
            request = Request(model=self.options.model, messages=self._script.prompts.messages(shape))
        told = node.attributes.get(at.TEMPERATURE)
        if told is not None:
            request = msgspec.structs.replace(request, sampling=Sampling(temperature=float(told)))
        return await hear(self._backend, self._script.ground.ask(request, shape.output_tokens), self._clock)

    def _recorded(self, node: Node) -> Request | None:
        """The recorded request of a call, if it was kept and can be read."""
        for one in filter(None, (answering(node.attempts), node)):
            body = self._script.content(one.span.id)
            if body is None:
                continue
            try:
                request = recorded_request(body, self.options.model, self._script.salt)
            except InvalidRequest:
                self.unread_content += 1
                return None
            self.replayed_content += 1
            return request
        return None

    def _learn(self, node: Node, heard: Heard, *, of_ours: bool) -> None:
        shape, usage = self._script.shapes[node.span.id], heard.usage
        self.made += 1
        if usage is not None:
            self.lengths.append((shape.output_tokens, usage.completion_tokens))
        answer = Answer(
            text=heard.text,
            prompt_tokens=usage.prompt_tokens if usage is not None else None,
            output_tokens=usage.completion_tokens if usage is not None else None,
        )
        self._script.prompts.heard(node.span.id, shape, answer, of_ours=of_ours)

    def _own(self, node: Node, seconds: float) -> float:
        """What becomes of some of a span's own time."""
        slices = own_slices(node)
        if node.kind in ("call", "attempt") or not slices:
            return seconds
        return self._taken("tool" if node.kind == "tool" else slices[0][2], seconds)

    def _gap(self, holder: Node, before: Node | None, after: Node | None) -> float:
        """What becomes of the time between two spans inside another, or between one and the holder's own beginning or end."""
        start = before.end if before is not None else holder.start
        seconds = (after.start if after is not None else holder.end) - start
        if holder.kind not in LINES:
            return self._own(holder, seconds)
        bucket, _ = name_gap(holder, before, after, instrumented=self._instrumented)
        return self._taken(bucket, seconds)

    def _taken(self, bucket: Bucket, seconds: float) -> float:
        taken = self.options.takes(bucket, seconds)
        if bucket == "unattributed":
            self.cut_s += max(0.0, seconds - taken)
        return taken

    async def _until(self, instant: float) -> None:
        while (left := instant - self._clock.now()) > 0:
            await self._clock.sleep(left)

    def _begin(self, node: Node, parent: str | None) -> Span:
        told = {name: node.span.attributes[name] for name in _COPIED if name in node.span.attributes}
        span = Span(
            id=new_id(),
            trace=self.trace,
            kind=node.kind,
            name=node.span.name if parent is not None else self._name,
            start=self._clock.now(),
            parent=parent,
            attributes={**told, at.SOURCE: "replay", at.REPLAY_OF: node.span.id},
        )
        return self._write(span)

    def _keep(self, span: Span, heard: Heard) -> None:
        """Put what was heard into a span that is open."""
        named = {at.SERVER: self.options.server, at.SERVER_PORT: self.options.port}
        told = {name: value for name, value in named.items() if value is not None}
        attributes = {**self.spans[span.id].attributes, **told, **heard.attributes}
        self._write(msgspec.structs.replace(self.spans[span.id], start=heard.begun, attributes=attributes))

    def _end(self, span: Span, error: str | None) -> None:
        one = self.spans[span.id]
        if one.end is None:
            self._write(msgspec.structs.replace(one, end=self._clock.now(), error=error))

    def _write(self, span: Span) -> Span:
        self.spans[span.id] = span
        if self._recorder is not None:
            self._recorder.record(span)
        return span
