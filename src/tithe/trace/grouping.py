"""Which task, call and branch a request belongs to, found from the requests themselves.

A conversation is stateless on the wire: each request repeats what was said. What binds a request to a conversation is
therefore something that the conversation itself produced: a prompt that was sent whole and is now gone on from, an
answer, what came after it, a response's id, or a session that both name. A system prompt, tools, or examples that two
requests have in common bind nothing: they are the program's and not the conversation's.

In this order, the first that applies:

| the request | is | placed |
|---|---|---|
| is one that failed or was given up, or the client counts it as a retry | `retry` | a further attempt of that call |
| is one that is in flight | `repeat` | a branch |
| is one that was answered | `repeat` | a call of its own, same line; where that conversation has ended: a new one |
| goes on from an earlier prompt, the last of its line | `extends` | same line |
| goes on from an earlier prompt while a later one is in flight | `extends` | a branch |
| goes on from an earlier prompt that was gone on from otherwise | `edited` | same line |
| holds what a conversation produced, and no prompt of it | `compacted` | same line; while that is in flight: a branch |
| begins a conversation in a known session, program and all, while that waits for nothing | `compacted` | same line |
| begins a conversation in a known session otherwise | `new` | a branch |
| begins a conversation of another program while one task waits for tools (`nested`) | `new` | a branch: a sub-agent |
| any other | `new` | a new task |

It is told of requests as they start and of answers as they end, in that order, and knows no clock. Memory is bounded:
the tasks that were not used for the longest are forgotten, but for those in flight.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from tithe.core.exchange import SeenAnswer, SeenRequest
from tithe.core.part import Part
from tithe.core.span import new_id
from tithe.trace.conversations import TELLING, Call, Line, Node, Prompt, Task

Relation = Literal["new", "extends", "retry", "repeat", "edited", "compacted"]

_Found = tuple[Call, Relation]

# Calls and messages that are remembered, each once: some tens of megabytes.
LIMIT = 100_000


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request belongs. Ids are those of spans: `task` of the trace, `call` of the call.

    `branch` is None on the task's own line; `branch_of` is the call that the branch came from. `new_roles` are the roles
    of the messages that it has beyond the call it goes on from. `attempt` counts the call's requests, from 0.
    """

    task: str
    call: str
    relation: Relation
    branch: str | None = None
    branch_of: str | None = None
    new_roles: tuple[str, ...] = ()
    attempt: int = 0


class Grouper:
    """Places requests.

    Args:
        nested: whether everything comes from one command and what that starts, so that a conversation which begins
            while a tool runs may be taken for that tool's.
        limit: how many calls and messages to remember.
        ids: gives a new id at each call.
    """

    def __init__(self, *, nested: bool, limit: int = LIMIT, ids: Callable[[], str] = new_id) -> None:
        self._nested = nested
        self._limit = limit
        self._ids = ids
        self._root = Node()
        self._size = 0
        self._order = 0
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._calls: dict[str, Call] = {}
        self._sessions: dict[str, Task] = {}
        self._responses: dict[str, tuple[Node, Call]] = {}
        self._produced: dict[str, Line] = {}
        self._waiting: dict[str, Call] = {}

    def place(self, request: SeenRequest) -> Placement:
        """Where a request that starts now belongs. Every request placed must be `answered`."""
        prompt = Prompt(request)
        session = self._sessions.get(request.session) if request.session is not None else None
        base, previous = self._responses.get(request.previous or "", (self._root, None))
        if request.previous is not None and previous is None:
            base = Node()  # goes on from what was not seen here
        allowed = self._allowed(request, session)
        call, relation = (
            self._same(request, prompt, base, allowed)
            or self._further(prompt, base, previous, allowed)
            or self._replaced(prompt, base, allowed)
            or self._beginning(prompt, base, session)
        )
        return self._placed(call, relation, request)

    def answered(self, call: str, answer: SeenAnswer) -> None:
        """An attempt of the call with this id has ended; `answer.error` says whether it failed."""
        found = self._calls.get(call)
        if found is None:
            return
        found.in_flight -= 1
        if answer.error is not None:
            return
        task = found.line.task
        found.answered = True
        found.asked = len(answer.tool_calls)
        if found.waiting:
            self._waiting[found.id] = found
        if answer.id is not None:
            self._responses[answer.id] = (Node(), found)
            task.responses.append(answer.id)
        found.answer = answer.parts[0].digest if answer.parts else None
        for part in answer.parts:
            if part.size >= TELLING:
                self._produce(found.line, part.digest)

    def _allowed(self, request: SeenRequest, session: Task | None) -> Callable[[Call], bool]:
        """Whether a call may be of the same task as the request, as far as sessions say."""
        if session is not None:
            return lambda call: call.line.task is session
        if request.session is not None:
            return lambda call: not call.line.task.sessions
        return lambda _: True

    def _same(
        self, request: SeenRequest, prompt: Prompt, base: Node, allowed: Callable[[Call], bool]
    ) -> _Found | None:
        """The prompt was sent before, word for word."""
        depth, node = list(base.along(prompt.digests))[-1]
        if depth < len(prompt.digests) or node is self._root:
            return None
        calls = [call for call in node.calls if call.heading == prompt.heading and allowed(call)]
        if not calls:
            return None
        failed, latest = [call for call in calls if call.failed], calls[-1]
        if failed or request.attempt:
            return (failed[0] if failed else latest), "retry"
        line = latest.line
        if latest.in_flight:
            line = Line(line.task, self._ids(), latest.before or latest)
        elif (line.first is latest and line.over) or _run_again(latest):
            return None  # the same is done once more, from its beginning
        return self._add(line, prompt, node, latest.before, latest.new_roles), "repeat"

    def _further(
        self, prompt: Prompt, base: Node, previous: Call | None, allowed: Callable[[Call], bool]
    ) -> _Found | None:
        """The prompt goes on from one that was sent before, the longest of them."""
        found, shared = previous, 0
        for depth, node in base.along(prompt.digests[:-1]):
            if not node.calls or node is self._root or depth == len(prompt.digests):
                continue
            following = prompt.messages[depth]
            calls = [
                call
                for call in node.calls
                if (call.heading == prompt.heading or following.role == "assistant") and allowed(call)
            ]
            if calls:
                shared = depth
                found = max(calls, key=lambda call: _likelihood(call, following))
        if found is None:
            return None
        line, relation = found.line, "extends"
        if line.head is not found:
            if line.busy:
                line = Line(line.task, self._ids(), found)
            elif found.continued:
                relation = "edited"
                self._continue(line.head)
        self._continue(found)
        return self._go_on(line, prompt, base, found, prompt.messages[shared:]), relation

    def _replaced(self, prompt: Prompt, base: Node, allowed: Callable[[Call], bool]) -> _Found | None:
        """The prompt holds something that a conversation produced: the line that it has most from."""
        held: dict[Line, int] = {}
        for digest in prompt.digests:
            line = self._produced.get(digest)
            if line is not None and line.head is not None and allowed(line.head):
                held[line] = held.get(line, 0) + 1
        return self._compacted(max(held, key=lambda line: held[line]), prompt, base) if held else None

    def _compacted(self, line: Line, prompt: Prompt, base: Node) -> _Found:
        head = line.head
        if line.busy:
            line = Line(line.task, self._ids(), head)
        else:
            self._continue(head)
        answers = [at for at, part in enumerate(prompt.messages) if part.role == "assistant"]
        new = prompt.messages[answers[-1] + 1 :] if answers else prompt.messages
        return self._go_on(line, prompt, base, head, new), "compacted"

    def _beginning(self, prompt: Prompt, base: Node, session: Task | None) -> _Found:
        """The prompt is the first of a conversation."""
        before = None
        if session is not None:
            for earlier in reversed(session.lines):
                head = earlier.head
                if (
                    head is not None
                    and head.program == prompt.program
                    and not (head.in_flight or head.waiting)
                ):
                    return self._compacted(earlier, prompt, base)
            waiting = [call for call in self._waiting.values() if call.line.task is session]
            before = _asking(waiting) or max(session.calls.values(), key=lambda call: call.order)
        elif self._nested and len({call.line.task for call in self._waiting.values()}) == 1:
            before = _asking([call for call in self._waiting.values() if call.program != prompt.program])
        if before is not None:
            line = Line(before.line.task, self._ids(), before)
        else:
            line = Line(Task(self._ids()), None, None)
            self._tasks[line.task.id] = line.task
        return self._go_on(line, prompt, base, None, prompt.messages), "new"

    def _go_on(
        self, line: Line, prompt: Prompt, base: Node, before: Call | None, new: Sequence[Part]
    ) -> Call:
        """A call with a prompt that was not sent before, `new` in it what it has beyond `before`."""
        node, added = base.reach(prompt.digests)
        self._size += added
        if before is not None:
            # What a first prompt holds may be examples that a program sends each time; what comes later is the task's.
            for part in new:
                if part.size >= TELLING:
                    self._produce(line, part.digest)
        return self._add(line, prompt, node, before, tuple(part.role for part in new))

    def _add(
        self, line: Line, prompt: Prompt, node: Node, before: Call | None, new_roles: tuple[str, ...]
    ) -> Call:
        """A call of its own on `line`, which is now the line's last."""
        self._order += 1
        self._size += 1
        call = Call(self._ids(), self._order, line, node, prompt, before, new_roles)
        node.calls.append(call)
        self._calls[call.id] = line.task.calls[call.id] = call
        line.first = line.first or call
        line.head = call
        return call

    def _produce(self, line: Line, digest: str) -> None:
        self._produced[digest] = line
        line.task.produced.add(digest)

    def _continue(self, call: Call | None) -> None:
        if call is not None:
            call.continued = True
            self._waiting.pop(call.id, None)

    def _placed(self, call: Call, relation: Relation, request: SeenRequest) -> Placement:
        line, task = call.line, call.line.task
        if request.session is not None:
            task.sessions.add(request.session)
            self._sessions[request.session] = task
        attempt = call.attempts
        call.attempts += 1
        call.in_flight += 1
        self._tasks.move_to_end(task.id)
        self._forget()
        return Placement(
            task=task.id,
            call=call.id,
            relation=relation,
            branch=line.branch,
            branch_of=line.branch_of.id if line.branch_of is not None else None,
            new_roles=call.new_roles,
            attempt=attempt,
        )

    def _forget(self) -> None:
        """Forget the least recently used tasks while too much is remembered."""
        if self._size <= self._limit:
            return
        for task in [task for task in self._tasks.values() if not task.busy]:
            if self._size <= self._limit:
                return
            del self._tasks[task.id]
            for call in task.calls.values():
                self._size -= call.node.release(call) + 1
                self._calls.pop(call.id)
                self._waiting.pop(call.id, None)
            for response in task.responses:
                self._responses.pop(response, None)
            for session in task.sessions:
                self._sessions.pop(session, None)
            for digest in task.produced:
                line = self._produced.get(digest)
                if line is not None and line.task is task:
                    del self._produced[digest]


def _likelihood(call: Call, following: Part) -> tuple[bool, bool, bool, int]:
    """Orders calls that sent the same prompt by how likely one is gone on from with `following`."""
    return call.answer == following.digest, call.answered, call.line.head is call, call.order


def _run_again(call: Call) -> bool:
    """Whether another call sent the prompt that this one went on from, and its line has come no further yet."""
    before = call.before
    return before is not None and any(
        other is not before and other.line.head is other and not other.continued
        for other in before.node.calls
    )


def _asking(waiting: Sequence[Call]) -> Call | None:
    """The call whose tool a sub-agent most likely is: the outermost of which fewer have begun than it asked for
    tools, else the outermost."""
    calls = sorted(waiting, key=lambda call: (call.line.branch is not None, call.order))
    for call in calls:
        if sum(line.branch_of is call for line in call.line.task.lines) < call.asked:
            return call
    return calls[0] if calls else None
