"""An address that cannot be listened on: the message names what to change, whichever loop was asked."""

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest
import uvloop

from tithe.core import Script, ScriptedBackend
from tithe.core.errors import UsageError
from tithe.net.address import cannot_listen
from tithe.net.options import ServerOptions
from tithe.net.server import Server

Loop = Callable[[], asyncio.AbstractEventLoop]


def refusal(loop: Loop, host: str, port: int = 0) -> str:
    async def start() -> str:
        server = Server(
            ScriptedBackend(Script()), "nano", ServerOptions(host=host, port=port, api_key=("k",))
        )
        with pytest.raises(UsageError) as refused:
            await server.start()
        return refused.value.message

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(start())


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_port_in_use_a_host_that_is_not_and_an_address_that_is_not_ours(loop: Loop, taken: int) -> None:
    assert refusal(loop, "127.0.0.1", taken) == (
        f"cannot listen on 127.0.0.1:{taken}: port {taken} is in use. Give another --port (0 takes any free one), "
        "or end what listens there"
    )
    for host in ("nosuchhost.invalid", "a" * 70):
        assert f"there is no host {host!r}. Give an address of this machine" in refusal(loop, host)
    # An address of TEST-NET-1 (RFC 5737) is no machine's.
    assert "is not one of this machine's. Give another --host" in refusal(loop, "192.0.2.1")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(13, "Permission denied"),
            "this user may not listen there. Give a --port above 1023",
        ),
        (OSError("could not bind on any address out of [...]"), "is not one of this machine's"),
        (OSError(24, "Too many open files"), "Too many open files"),
    ],
)
def test_what_this_machine_cannot_be_made_to_say(error: OSError, said: str) -> None:
    message = cannot_listen("127.0.0.1", 80, error).message
    assert message.startswith("cannot listen on 127.0.0.1:80: ")
    assert said in message
