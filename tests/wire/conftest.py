"""The real client libraries, with a tape in the network's place."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import msgspec
import openai
import pytest

from tithe.core.exchange import Api, SeenAnswer, SeenRequest
from tithe.wire.exchange import answer_reader, api_of, read_request


class Tape:
    """Gives the answers it holds in turn, and keeps what was sent and what was answered."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.sent: list[httpx2.Request] = []
        self.given: list[tuple[int, dict[str, str], bytes]] = []

    def stream(self, *events: dict[str, Any] | bytes, named: bool = False) -> None:
        """Answer with server-sent events; `named`: each says its type on a line of its own."""
        frames: list[bytes] = []
        for event in events:
            if isinstance(event, bytes):
                frames.append(event)
                continue
            name = f"event: {event['type']}\n".encode() if named else b""
            frames.append(name + b"data: " + msgspec.json.encode(event) + b"\n\n")
        self.answers.append((200, {"content-type": "text/event-stream"}, b"".join(frames)))

    def piece(self, body: Any, status: int = 200) -> None:
        """Answer with one JSON object."""
        self.answers.append((status, {"content-type": "application/json"}, msgspec.json.encode(body)))

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        self.given.append(self.answers.pop(0))
        status, headers, body = self.given[-1]
        return httpx2.Response(status, headers=headers, content=body)

    def api(self, at: int = -1) -> Api:
        api = api_of(self.sent[at].url.path)
        assert api is not None
        return api

    def request(self, at: int = -1) -> SeenRequest:
        """What is seen of a request that was sent."""
        sent = self.sent[at]
        return read_request(self.api(at), sent.headers, sent.content)

    def answer(self, at: int = -1) -> SeenAnswer:
        """What is seen of an answer that was given; each of its events is a read, stamped 0, 1, ..."""
        status, headers, body = self.given[at]
        reader = answer_reader(self.api(at), status=status, headers=headers)
        for stamp, event in enumerate(body.split(b"\n\n")):
            reader.feed(event + b"\n\n", float(stamp))
        return reader.end(100.0)


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
def openai_client(tape: Tape) -> Iterator[openai.OpenAI]:
    http = httpx2.Client(transport=httpx2.MockTransport(tape))
    with openai.OpenAI(api_key="k", base_url="http://upstream/v1", http_client=http) as client:
        yield client


@pytest.fixture
def anthropic_client(tape: Tape) -> Iterator[anthropic.Anthropic]:
    http = httpx2.Client(transport=httpx2.MockTransport(tape))
    with anthropic.Anthropic(api_key="k", base_url="http://upstream", http_client=http) as client:
        yield client
