import pytest

from tithe.core.errors import UsageError
from tithe.net.client import ClientOptions, MeasuringClient, endpoint_url
from tithe.net.scripted import Reply, ScriptedServer


def test_a_reply_lasts_as_long_as_its_waits() -> None:
    assert Reply(head_after=0.25, chunks=((0.5, b"a"), (0.125, b"b"))).lasts_s == 0.875


async def test_it_tells_how_late_an_answer_was() -> None:
    async with (
        ScriptedServer(Reply(chunks=((0.01, b"a"), (0.01, b"b")))) as server,
        MeasuringClient(ClientOptions()) as client,
    ):
        assert server.late_s == 0.0
        answer = await client.send("GET", endpoint_url(server.url), {})
        assert await answer.read() == b"ab"
        answer.close()
        assert server.late_s > 0.0


async def test_an_address_that_cannot_be_had_is_told() -> None:
    async with ScriptedServer(Reply()) as server:
        port = endpoint_url(server.url).port
        assert port is not None
        with pytest.raises(UsageError, match=f"port {port} is in use"):
            async with ScriptedServer(Reply(), port=port):
                pass
