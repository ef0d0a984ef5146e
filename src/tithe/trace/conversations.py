"""What the grouping remembers: conversations, the calls made in them, and an index of the prompts they sent.

The index is a trie. Its edges are digests of messages, so what two prompts have in common is there once, and finding the
longest earlier prompt that a new one begins with costs a step a message. Tool definitions and the system prompt that
leads are no edges: they change while a conversation stays the same (a clock in the system prompt), and are the same in
conversations that have nothing to do with each other.
"""

from collections.abc import Iterator, Sequence

from tithe.core.exchange import SeenRequest
from tithe.core.part import Part

# A message shorter than this stands in conversations that are not the same: "ok", "continue".
TELLING = 40  # characters


class Prompt:
    """A request's prompt as the grouping looks at it.

    `digests` are those of its messages. `heading` is what leads its messages, but for the times, ids and numbers in it; `program` that and the tools: what
    two runs of the same agent have in common.
    """

    __slots__ = ("digests", "heading", "messages", "program")

    def __init__(self, request: SeenRequest) -> None:
        rest = [part for part in request.parts if part.role != "tool_definition"]
        leading = next(
            (at for at, part in enumerate(rest) if part.role not in ("system", "developer")), len(rest)
        )
        self.messages: Sequence[Part] = rest[leading:]
        # A request without messages, or that could not be read, is at least known again when it is sent again.
        self.digests = [part.digest for part in self.messages] or ([request.digest] if request.digest else [])
        self.heading = tuple(part.masked for part in rest[:leading])
        tools = sorted(part.digest for part in request.parts if part.role == "tool_definition")
        self.program = (self.heading, tuple(tools))


class Node:
    """A prompt, as the way to it from the root; `calls` are those that sent exactly this one."""

    __slots__ = ("_digest", "_parent", "calls", "children")

    def __init__(self, parent: "Node | None" = None, digest: str = "") -> None:
        self._parent = parent
        self._digest = digest
        self.children: dict[str, Node] = {}
        self.calls: list[Call] = []

    def along(self, digests: Sequence[str]) -> "Iterator[tuple[int, Node]]":
        """The nodes on the way that `digests` lead, as far as there is one, each with its depth."""
        node: Node | None = self
        for depth in range(len(digests) + 1):
            if node is None:
                return
            yield depth, node
            if depth < len(digests):
                node = node.children.get(digests[depth])

    def reach(self, digests: Sequence[str]) -> "tuple[Node, int]":
        """The node at the end of that way, and how many had to be added."""
        node, added = self, 0
        for digest in digests:
            child = node.children.get(digest)
            if child is None:
                child = node.children[digest] = Node(node, digest)
                added += 1
            node = child
        return node, added

    def release(self, call: "Call") -> int:
        """Take a call away, and every node that only led to it; how many those were."""
        self.calls.remove(call)
        node, removed = self, 0
        while node._parent is not None and not node.calls and not node.children:
            del node._parent.children[node._digest]
            node, removed = node._parent, removed + 1
        return removed


class Call:
    """One call. `order` counts the placed calls; `before` is the call that it goes on from."""

    __slots__ = (
        "answer",
        "answered",
        "asked",
        "attempts",
        "before",
        "continued",
        "id",
        "in_flight",
        "line",
        "new_roles",
        "node",
        "order",
        "program",
    )

    def __init__(
        self,
        identity: str,
        order: int,
        line: "Line",
        node: Node,
        prompt: Prompt,
        before: "Call | None",
        new_roles: tuple[str, ...],
    ) -> None:
        self.id = identity
        self.order = order
        self.line = line
        self.node = node
        self.program = prompt.program
        self.before = before
        self.new_roles = new_roles
        self.attempts = 0
        self.in_flight = 0
        self.answered = False
        self.asked = 0  # how many tools the answer asked for
        self.answer: str | None = None  # the answer's digest, as it would stand in a history
        self.continued = False

    @property
    def heading(self) -> tuple[str, ...]:
        """What led its messages."""
        return self.program[0]

    @property
    def failed(self) -> bool:
        """Every attempt is over, and none was answered."""
        return not self.in_flight and not self.answered

    @property
    def waiting(self) -> bool:
        """The answer asked for tools, and no request has brought what they gave."""
        return self.asked > 0 and not self.continued


class Line:
    """A way that a task goes: its own (`branch` None), or a branch's. `head` is the call placed last."""

    __slots__ = ("branch", "branch_of", "first", "head", "task")

    def __init__(self, task: "Task", branch: str | None, branch_of: Call | None) -> None:
        self.task = task
        self.branch = branch
        self.branch_of = branch_of
        self.first: Call | None = None
        self.head: Call | None = None
        task.lines.append(self)

    @property
    def busy(self) -> bool:
        """Its last call is in flight."""
        return self.head is not None and self.head.in_flight > 0

    @property
    def over(self) -> bool:
        """It went on from its first call and came to an answer that asks for nothing more."""
        head = self.head
        return head is not None and head is not self.first and head.answered and not head.waiting


class Task:
    """A task. `produced` are the digests by which its conversation is known again."""

    __slots__ = ("calls", "id", "lines", "produced", "responses", "sessions")

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.lines: list[Line] = []
        self.calls: dict[str, Call] = {}
        self.sessions: set[str] = set()
        self.responses: list[str] = []
        self.produced: set[str] = set()

    @property
    def busy(self) -> bool:
        """A call of it is in flight."""
        return any(call.in_flight for call in self.calls.values())
