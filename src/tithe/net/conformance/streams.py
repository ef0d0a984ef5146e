"""Pitfalls 1 to 6: what a single stream says, and when."""

from tithe.net.conformance import raw
from tithe.net.conformance.behaviour import InTurn
from tithe.net.conformance.findings import Finding, Findings
from tithe.net.conformance.raw import CALLED, DONE, LENGTH, ROLE, STOP
from tithe.net.conformance.scenario import Asking, Form, Scenario
from tithe.net.scripted import Reply

FIND = Form(
    kind="call",
    name="find",
    schema={"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)


def _one(
    name: str, pitfall: int, wrong: str, reply: Reply, truth: Finding, *, form: Form | None = None
) -> Scenario:
    return Scenario(
        name=name,
        pitfall=pitfall,
        wrong=wrong,
        asking=Asking(form=form),
        behaviour=InTurn((reply,)),
        truth=Findings(attempts=(truth,)),
    )


FIRST_TOKEN = (
    _one(
        "role-first",
        1,
        "The first chunk holds only a role; TTFT is stamped on it.",
        raw.stream(
            (0.02, ROLE),
            (0.06, raw.text(b"Hello")),
            (0.04, raw.text(b" there")),
            (0.0, STOP + raw.usage(20, 2) + DONE),
        ),
        Finding(
            outcome="answered",
            ttft_s=0.08,
            visible_ttft_s=0.08,
            total_s=0.12,
            output_tokens=2,
            text="Hello there",
        ),
    ),
    _one(
        "comment-and-empty-first",
        1,
        "A comment that keeps the connection alive, or an empty delta, is taken for a token.",
        raw.stream(
            (0.0, b": waiting\n\n"),
            (0.02, ROLE),
            (0.02, b": waiting\r\n\r\n" + raw.text(b"")),
            (0.05, raw.text(b"Hello") + STOP + raw.usage(20, 1) + DONE),
        ),
        Finding(
            outcome="answered",
            ttft_s=0.09,
            visible_ttft_s=0.09,
            total_s=0.09,
            output_tokens=1,
            text="Hello",
        ),
    ),
    _one(
        "tool-call-only",
        2,
        "No text ever comes; TTFT is never stamped, or stamped on the chunk that brings the usage.",
        raw.stream(
            (0.02, raw.chunk(b'{"role":"assistant","content":null}')),
            (0.03, raw.call(b',"id":"call_1","type":"function","function":{"arguments":""}')),
            (0.04, raw.call(b',"function":{"name":"find","arguments":""}')),
            (0.04, raw.call(b',"function":{"arguments":"{\\"path\\": \\"a.py\\"}"}')),
            (0.0, CALLED),
            (0.06, raw.usage(30, 9) + DONE),
        ),
        Finding(
            outcome="answered",
            ttft_s=0.09,
            visible_ttft_s=0.09,
            total_s=0.13,
            output_tokens=9,
            text="",
            validity="valid",
        ),
        form=FIND,
    ),
)

_THOUGHT = b',"completion_tokens_details":{"reasoning_tokens":10}'


def _reasoning(field: bytes) -> Scenario:
    def thought(said: bytes) -> bytes:
        return raw.chunk(b'{"' + field + b'":"' + said + b'"}')

    return _one(
        field.decode().replace("_", "-"),
        3,
        "Reasoning is no token, or is added to completion_tokens, which hold it already.",
        raw.stream(
            (0.02, ROLE),
            (0.04, thought(b"Let me")),
            (0.04, thought(b" see.")),
            (0.06, raw.text(b"42")),
            (0.0, STOP + raw.usage(20, 12, details=_THOUGHT) + DONE),
        ),
        Finding(
            outcome="answered",
            ttft_s=0.06,
            visible_ttft_s=0.16,
            total_s=0.16,
            output_tokens=12,
            reasoning_tokens=10,
            text="42",
        ),
    )


REASONING = (
    _reasoning(b"reasoning"),
    _reasoning(b"reasoning_content"),
    _one(
        "reasoning-hidden",
        3,
        "Reasoning is counted in the usage and never sent: the wait for it is TTFT all the same.",
        raw.stream(
            (0.02, ROLE),
            (0.10, raw.text(b"42") + STOP + raw.usage(20, 12, details=_THOUGHT) + DONE),
        ),
        Finding(
            outcome="answered",
            ttft_s=0.12,
            visible_ttft_s=0.12,
            total_s=0.12,
            output_tokens=12,
            reasoning_tokens=10,
            text="42",
        ),
    ),
    _one(
        "reasoning-alone",
        3,
        "The answer is cut off while it reasons; a visible TTFT is made up for it.",
        raw.stream(
            (0.05, ROLE + raw.chunk(b'{"reasoning_content":"Let me"}')),
            (0.05, raw.chunk(b'{"reasoning_content":" see"}') + LENGTH + raw.usage(20, 4) + DONE),
        ),
        Finding(
            outcome="answered",
            ttft_s=0.05,
            visible_ttft_s=None,
            total_s=0.10,
            output_tokens=4,
            reasoning_tokens=None,
            text="",
        ),
    ),
)

CHUNKS = (
    _one(
        "several-tokens-a-chunk",
        4,
        "Chunks are counted as tokens.",
        raw.stream(
            (0.04, ROLE + raw.text(b"one two three four")),
            (0.04, raw.text(b" five six seven eight")),
            (0.04, raw.text(b" nine ten eleven twelve")),
            (0.0, STOP + raw.usage(20, 12) + DONE),
        ),
        Finding(
            outcome="answered",
            ttft_s=0.04,
            total_s=0.12,
            gaps_s=(0.04, 0.04),
            output_tokens=12,
            text="one two three four five six seven eight nine ten eleven twelve",
        ),
    ),
    _one(
        "usage-missing",
        4,
        "Where no usage is reported, a count of chunks is printed as if it were one of tokens.",
        raw.stream((0.04, ROLE + raw.text(b"one two")), (0.04, raw.text(b" three") + STOP + DONE)),
        Finding(
            outcome="answered",
            ttft_s=0.04,
            total_s=0.08,
            output_tokens=None,
            cached_tokens=None,
            text="one two three",
        ),
    ),
)

_SPLIT = raw.text("é☕".encode())
_CUT = _SPLIT.index("☕".encode()) + 1

STAMPS = (
    _one(
        "done-late",
        5,
        "The usage and [DONE] come long after the last token, and are taken for the end.",
        raw.stream(
            (0.04, ROLE + raw.text(b"Good")),
            (0.04, raw.text(b" bye") + STOP),
            (0.06, raw.usage(20, 2)),
            (0.08, DONE),
        ),
        Finding(outcome="answered", ttft_s=0.04, total_s=0.08, output_tokens=2, text="Good bye"),
    ),
    _one(
        "token-in-two-writes",
        5,
        "A token's bytes come in two writes, cut within a character: it is lost, garbled or stamped too soon.",
        raw.stream(
            (0.03, ROLE + _SPLIT[:_CUT]),
            (0.06, _SPLIT[_CUT:]),
            (0.0, STOP + raw.usage(20, 2) + DONE),
        ),
        Finding(outcome="answered", ttft_s=0.09, total_s=0.09, output_tokens=2, text="é☕"),
    ),
)

_FELL = b'{"error":{"message":"the GPU fell off the bus","type":"server_error","code":500}}'
_FAILED = Finding(outcome="failed")

ERRORS = (
    _one(
        "error-event",
        6,
        "An error comes under HTTP 200, with [DONE] after it, and passes as an answer.",
        raw.stream((0.04, ROLE + raw.text(b"So far")), (0.02, raw.event(_FELL) + DONE)),
        _FAILED,
    ),
    _one(
        "error-event-named",
        6,
        "The error is told by the event's name alone, which is not read.",
        raw.stream(
            (0.04, ROLE + raw.text(b"So far")),
            (0.02, b'event: error\ndata: {"message":"the GPU fell off the bus"}\n\n' + DONE),
        ),
        _FAILED,
    ),
    _one(
        "error-body",
        6,
        "The error is a JSON body under HTTP 200 where a stream was asked for.",
        raw.body(200, _FELL, after=0.03),
        _FAILED,
    ),
    _one(
        "cut-off",
        6,
        "The stream ends without a finish reason or [DONE], and passes as a short answer.",
        raw.stream((0.04, ROLE + raw.text(b"So far"))),
        _FAILED,
    ),
)
