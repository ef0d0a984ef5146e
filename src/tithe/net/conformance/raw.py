"""The bytes of a Chat Completions stream, spelled out.

Nothing here comes from `wire/`: a suite that wrote its answers with the code that it tests could not
prove that code wrong. Arguments are JSON (or its inside) as it goes out, already escaped.
"""

from tithe.net.scripted import Reply

_HEAD = b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"scripted"'


def event(payload: bytes) -> bytes:
    """One server-sent event."""
    return b"data: " + payload + b"\n\n"


def chunk(delta: bytes, *, finish: bytes = b"null", more: bytes = b"") -> bytes:
    """A chunk with one choice. `more` are further fields, beginning with a comma."""
    choice = b'{"index":0,"delta":' + delta + b',"finish_reason":' + finish + b"}"
    return event(_HEAD + b',"choices":[' + choice + b"]" + more + b"}")


def text(said: bytes, *, more: bytes = b"") -> bytes:
    """A chunk with text; `said` is the inside of a JSON string."""
    return chunk(b'{"content":"' + said + b'"}', more=more)


def call(inside: bytes) -> bytes:
    """A chunk with a part of tool call 0; `inside` are the part's further fields, beginning with a comma."""
    return chunk(b'{"tool_calls":[{"index":0' + inside + b"}]}")


def counts(prompt: int, output: int, *, details: bytes = b"") -> bytes:
    """The field `usage`. `details` are further fields of it, beginning with a comma."""
    return b',"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d%s}' % (
        prompt,
        output,
        prompt + output,
        details,
    )


def usage(prompt: int, output: int, *, details: bytes = b"", more: bytes = b"") -> bytes:
    """The chunk without choices that brings the usage."""
    return event(_HEAD + b',"choices":[]' + counts(prompt, output, details=details) + more + b"}")


def cached(tokens: int) -> bytes:
    """The detail of a usage that tells cached tokens."""
    return b',"prompt_tokens_details":{"cached_tokens":%d}' % tokens


ROLE = chunk(b'{"role":"assistant","content":""}')
STOP = chunk(b"{}", finish=b'"stop"')
LENGTH = chunk(b"{}", finish=b'"length"')
CALLED = chunk(b"{}", finish=b'"tool_calls"')
DONE = event(b"[DONE]")

_JSON = {"content-type": "application/json"}


def stream(*chunks: tuple[float, bytes]) -> Reply:
    """A stream: delays in seconds, and what is then written at once."""
    return Reply(chunks=chunks)


def body(status: int, payload: bytes, *, after: float, **headers: str) -> Reply:
    """One JSON body, `after` seconds. Underscores in a header's name stand for hyphens."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(chunks=((0.0, payload),), status=status, headers=_JSON | more, head_after=after)
