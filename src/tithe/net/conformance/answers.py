"""Pitfall 8: answers that were to have a form, and the class of each (`audit/validity.py`).

"Stripped, it parses" is not validation. White space that JSON allows around a value (RFC 8259, 2) leaves
it valid; a space that only a programming language would strip does not, and neither do prose or a fence.
"""

from tithe.net.conformance import raw
from tithe.net.conformance.behaviour import InTurn
from tithe.net.conformance.findings import Finding, Findings
from tithe.net.conformance.raw import CALLED, DONE, LENGTH, ROLE, STOP
from tithe.net.conformance.scenario import Asking, Form, Scenario

_SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "lines": {"type": "integer"}},
    "required": ["path", "lines"],
    "additionalProperties": False,
}
JSON = Form(kind="json", name="read_file", schema=_SCHEMA)
CALL = Form(kind="call", name="read_file", schema=_SCHEMA)

_GOOD = rb"{\"path\": \"a.py\", \"lines\": 10}"


def _json(name: str, wrong: str, said: bytes, validity: str, *, finish: bytes = STOP) -> Scenario:
    """A scenario whose answer is text; `said` is the inside of a JSON string."""
    written = raw.stream((0.02, ROLE), (0.01, raw.text(said)), (0.0, finish + raw.usage(40, 12) + DONE))
    return Scenario(
        name=name,
        pitfall=8,
        wrong=wrong,
        asking=Asking(form=JSON),
        behaviour=InTurn((written,)),
        truth=Findings(attempts=(Finding(outcome="answered", validity=validity),)),
    )


def _call(name: str, wrong: str, tool: bytes, arguments: bytes, validity: str) -> Scenario:
    """A scenario whose answer is a tool call; `arguments` are the inside of a JSON string."""
    opened = b',"id":"call_1","type":"function","function":{"name":"' + tool + b'","arguments":""}'
    written = raw.stream(
        (0.02, ROLE + raw.call(opened)),
        (0.01, raw.call(b',"function":{"arguments":"' + arguments + b'"}')),
        (0.0, CALLED + raw.usage(40, 12) + DONE),
    )
    return Scenario(
        name=name,
        pitfall=8,
        wrong=wrong,
        asking=Asking(form=CALL),
        behaviour=InTurn((written,)),
        truth=Findings(attempts=(Finding(outcome="answered", validity=validity),)),
    )


ANSWERS = (
    _json("json-valid", "A validator that refuses all is no better than one that takes all.", _GOOD, "valid"),
    _json(
        "json-in-white-space",
        "White space that JSON allows around a value is held against the answer.",
        rb"\n  " + _GOOD + rb"\r\n",
        "valid",
    ),
    _json(
        "json-in-other-space",
        "A no-break space is stripped before parsing, and hides that the answer is no JSON.",
        rb"\u00a0" + _GOOD + rb"\u00a0",
        "parse",
    ),
    _json("json-in-prose", "JSON is searched for within prose.", rb"Sure, here it is: " + _GOOD, "parse"),
    _json(
        "json-in-a-fence",
        "A code fence is stripped before parsing.",
        rb"```json\n" + _GOOD + rb"\n```",
        "parse",
    ),
    _json(
        "json-cut", "An answer that ran into its limit counts as bad JSON.", _GOOD[:-9], "cut", finish=LENGTH
    ),
    _json(
        "json-off-schema",
        "What parses counts as valid, whatever its schema.",
        rb"{\"path\": \"a.py\", \"lines\": \"ten\"}",
        "schema",
    ),
    _call("call-valid", "A validator that refuses all is no better.", b"read_file", _GOOD, "valid"),
    _call("call-no-json", "Arguments that are no JSON.", b"read_file", rb"path=a.py", "parse"),
    _call(
        "call-no-object", "Arguments that are JSON and no object.", b"read_file", rb"[\"a.py\", 10]", "schema"
    ),
    _call("call-unknown-tool", "A tool that does not exist is called.", b"open_file", _GOOD, "tool name"),
    _call(
        "call-off-schema",
        "A field that the tool's schema does not have passes.",
        b"read_file",
        rb"{\"path\": \"a.py\", \"lines\": 10, \"mode\": \"r\"}",
        "arguments",
    ),
    Scenario(
        name="text-for-a-call",
        pitfall=8,
        wrong="A call was asked for, and text that looks like one passes.",
        asking=Asking(form=CALL),
        behaviour=InTurn(
            (raw.stream((0.03, ROLE + raw.text(_GOOD)), (0.0, STOP + raw.usage(40, 12) + DONE)),)
        ),
        truth=Findings(attempts=(Finding(outcome="answered", validity="no call"),)),
    ),
)
