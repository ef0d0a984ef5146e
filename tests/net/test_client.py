"""The measuring client: what it stamps, and what it will not do on its own."""

import asyncio
import socket
import time
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tithe.core.errors import StreamBroken, Unreachable, UsageError
from tithe.net.client import Answer, ClientOptions, MeasuringClient, endpoint_url
from tithe.net.scripted import Reply, ScriptedServer
from tithe.net.stamps import MeasuredResponse

BODY = b'{"x": 1}'


async def received(answer: Answer) -> list[tuple[bytes, float]]:
    pieces: list[tuple[bytes, float]] = []
    while more := await answer.receive():
        pieces += more
    return pieces


async def pieces(server: ScriptedServer, client: MeasuringClient) -> list[tuple[bytes, float]]:
    answer = await client.send("POST", URL(server.url), {}, BODY)
    try:
        return await received(answer)
    finally:
        answer.close()


async def test_stamps_follow_the_order_of_the_exchange() -> None:
    script = Reply(chunks=[(0.05, b"one"), (0.05, b"two"), (0.05, b"three")])
    async with ScriptedServer(script) as server, MeasuringClient(ClientOptions()) as client:
        began = time.perf_counter()
        answer = await client.send("POST", URL(server.url), {}, BODY)
        stamped = await received(answer)
    ended = time.perf_counter()
    assert [data for data, _ in stamped] == [b"one", b"two", b"three"]
    assert answer.connected > 0
    stamps = [began, began + answer.connected, answer.sent_at, *(at for _, at in stamped), ended]
    assert stamps == sorted(stamps)
    assert stamped[0][1] - answer.sent_at >= 0.05
    assert stamped[2][1] - stamped[0][1] >= 0.1
    assert answer.last_at == stamped[-1][1]


async def test_a_late_reader_still_gets_the_stamps_of_the_socket() -> None:
    """The reader comes after both reads have arrived; joined they would carry one stamp."""
    script = Reply(chunks=[(0.0, b"early"), (0.08, b"late")])
    async with ScriptedServer(script) as server, MeasuringClient(ClientOptions()) as client:
        answer = await client.send("POST", URL(server.url), {}, BODY)
        await asyncio.sleep(0.2)
        read_at = time.perf_counter()
        stamped = await received(answer)
    assert [data for data, _ in stamped] == [b"early", b"late"]
    assert stamped[1][1] - stamped[0][1] >= 0.06
    assert stamped[1][1] < read_at - 0.05


async def test_a_body_larger_than_the_buffers_keeps_its_stamps_in_order() -> None:
    script = Reply(chunks=[(0.0, b"x" * 700_000), (0.02, b"y" * 700_000)])
    async with ScriptedServer(script) as server, MeasuringClient(ClientOptions()) as client:
        answer = await client.send("POST", URL(server.url), {}, BODY)
        await asyncio.sleep(0.05)
        stamped = await received(answer)
    assert b"".join(data for data, _ in stamped) == b"x" * 700_000 + b"y" * 700_000
    assert all(data for data, _ in stamped)
    stamps = [at for _, at in stamped]
    assert stamps == sorted(stamps)
    assert stamps[0] >= answer.sent_at


async def test_a_large_request_was_sent_when_the_server_had_room_for_it() -> None:
    """The server does not read for a while: the request's last byte cannot have been written before."""
    released = 0.0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal released
        await asyncio.sleep(0.1)
        released = time.perf_counter()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0, limit=1024)
    port = server.sockets[0].getsockname()[1]
    async with server, MeasuringClient(ClientOptions()) as client:
        answer = await client.send("POST", URL(f"http://127.0.0.1:{port}/"), {}, b"z" * 30_000_000)
        [(_, at)] = await received(answer)
    assert released < answer.sent_at < at


async def test_the_connection_is_reused_and_connecting_is_counted_once() -> None:
    async with (
        ScriptedServer(Reply(chunks=[(0.0, b"ok")])) as server,
        MeasuringClient(ClientOptions()) as client,
    ):
        connected: list[float] = []
        for _ in range(3):
            answer = await client.send("POST", URL(server.url), {}, BODY)
            assert await answer.read() == b"ok"
            answer.close()
            connected.append(answer.connected)
    assert {request.connection for request in server.received} == {0}
    assert connected[0] > 0
    assert connected[1:] == [0.0, 0.0]


async def answers_of_a_server_that_closes(after: float, calls: int) -> list[bytes | type[Exception]]:
    """A server that closes each connection so long after its answer, without a word of it before."""

    served: list[asyncio.Task[None] | None] = []

    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        await reader.readuntil(BODY)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        if after:
            await asyncio.sleep(after)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer_and_close, "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    seen: list[bytes | type[Exception]] = []
    async with server, MeasuringClient(ClientOptions()) as client:
        for _ in range(calls):
            try:
                answer = await client.send("POST", url, {}, BODY)
            except Unreachable:
                seen.append(Unreachable)
                continue
            seen.append(await answer.read())
            answer.close()
    await asyncio.gather(*(task for task in served if task is not None), return_exceptions=True)
    return seen


async def test_a_connection_that_the_server_closed_after_its_answer_is_not_used_again() -> None:
    assert await answers_of_a_server_that_closes(after=0.0, calls=5) == [b"ok"] * 5


async def test_a_server_that_closes_after_an_answer_is_asked_on_new_connections() -> None:
    """The second call goes into a connection that is closed while it waits. It fails, and teaches."""
    assert await answers_of_a_server_that_closes(after=0.05, calls=5) == [b"ok", Unreachable, *[b"ok"] * 3]


async def test_it_asks_plainly() -> None:
    async with ScriptedServer(Reply()) as server, MeasuringClient(ClientOptions()) as client:
        await pieces(server, client)
    [request] = server.received
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(BODY))
    assert request.body == BODY


async def test_small_writes_are_not_held_back_by_the_kernel() -> None:
    script = Reply(chunks=[(0.0, b"a"), (0.01, b"b")])
    async with ScriptedServer(script) as server, MeasuringClient(ClientOptions()) as client:
        answer = await client.send("POST", URL(server.url), {}, BODY)
        connection: Any = answer._response.connection  # pyright: ignore[reportPrivateUsage]
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        answer.close()


async def test_a_connection_that_does_not_stamp_is_refused() -> None:
    """What happens when a release of aiohttp no longer takes the protocol from where we put it."""
    async with (
        ScriptedServer(Reply()) as server,
        aiohttp.ClientSession(response_class=MeasuredResponse) as session,
    ):
        with pytest.raises(TypeError, match="no stamps"):
            await session.get(server.url)


async def test_redirects_are_answers() -> None:
    moved = Reply(status=307, headers={"location": "/elsewhere"})
    async with ScriptedServer(moved) as server, MeasuringClient(ClientOptions()) as client:
        answer = await client.send("POST", URL(server.url), {}, BODY)
        answer.close()
    assert answer.status == 307
    assert len(server.received) == 1


async def test_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with MeasuringClient(ClientOptions()) as client:
            with pytest.raises(Unreachable, match=r"took no connection .*Is it running"):
                await client.send("POST", URL(f"http://127.0.0.1:{port}/v1"), {}, BODY)


async def test_silence_before_the_head_and_after_it() -> None:
    options = ClientOptions(idle_timeout_s=0.05)
    async with ScriptedServer(Reply(head_after=5.0)) as server, MeasuringClient(options) as client:
        with pytest.raises(Unreachable, match="fell silent"):
            await client.send("POST", URL(server.url), {}, BODY)
        assert len(server.received) == 1
    async with (
        ScriptedServer(Reply(chunks=[(0.0, b"a"), (5.0, b"b")])) as server,
        MeasuringClient(options) as client,
    ):
        with pytest.raises(StreamBroken, match="fell silent"):
            await pieces(server, client)


async def test_a_body_that_is_cut_is_broken() -> None:
    script = Reply(chunks=[(0.0, b"a")], cut=True)
    async with ScriptedServer(script) as server, MeasuringClient(ClientOptions()) as client:
        with pytest.raises(StreamBroken, match="before its response ended"):
            await pieces(server, client)
    assert len(server.received) == 1


async def test_closing_an_unread_answer_hangs_up() -> None:
    script = Reply(chunks=[(0.0, b"a"), (5.0, b"b")])
    async with ScriptedServer(script) as server, MeasuringClient(ClientOptions()) as client:
        answer = await client.send("POST", URL(server.url), {}, BODY)
        answer.close()
        for _ in range(200):
            if server.hung_up:
                break
            await asyncio.sleep(0.01)
    assert server.hung_up == 1


async def test_what_does_not_speak_http() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, MeasuringClient(ClientOptions()) as client:
        with pytest.raises(Unreachable, match="before it answered"):
            await client.send("POST", URL(f"http://127.0.0.1:{port}/"), {}, BODY)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h:1/v1", "http://h:1/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("https://h/openai/v1/", "https://h/openai/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_the_base_url(given: str, meant: str) -> None:
    assert str(endpoint_url(given)) == meant


@pytest.mark.parametrize("given", ["", "localhost:8000", "ftp://h/v1", "http://", "http://h:x"])
def test_what_is_no_base_url(given: str) -> None:
    with pytest.raises(UsageError, match="is not an endpoint's URL"):
        endpoint_url(given)
