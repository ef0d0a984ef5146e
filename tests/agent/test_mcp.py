"""Tools of real MCP servers: over stdio, over HTTP, and in an agent's hands."""

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

import msgspec
import pytest
from mcp.server.mcpserver import MCPServer

from tithe.agent import Agent, AgentTool, Traits
from tithe.agent.fault import Fault
from tithe.agent.mcp import mcp_tools
from tithe.core import Request, Script, ScriptedBackend, TextDelta, ToolCallDelta
from tithe.core.errors import UsageError

SERVER = (sys.executable, str(Path(__file__).with_name("mcp_server.py")))


def named(tools: list[AgentTool]) -> dict[str, AgentTool]:
    return {tool.name: tool for tool in tools}


async def use(tool: AgentTool, arguments: str) -> str:
    return await tool.run(**tool.read(arguments))


async def test_a_command_is_started_and_its_tools_are_used() -> None:
    async with mcp_tools(SERVER) as tools:
        tool = named(tools)
        assert tool["weather"].wire.description == "What the weather is."
        assert tool["picture"].wire.description is None
        assert set(tool["weather"].wire.parameters["properties"]) == {"city", "day"}
        said = await use(tool["weather"], '{"city": "Rome", "day": 2}')
        assert msgspec.json.decode(said) == {"city": "Rome", "degrees": 22}
        assert await use(tool["picture"], "") == "A picture:\n(image/png: not text, and not shown)"
        assert await use(tool["numbers"], "{}") == '{"numbers":[1,2]}'
        assert await use(tool["files_delete"], '{"path": "a"}') == "deleted a"


async def test_what_a_server_says_of_a_tool_is_what_the_loop_may_do_with_it() -> None:
    async with mcp_tools(SERVER, timeout=7) as tools:
        traits = {tool.name: tool.traits for tool in tools}
    assert traits["weather"] == Traits(timeout=7, idempotent=True, parallel=True)
    assert traits["files_delete"] == traits["refuse"] == Traits(timeout=7, parallel=False)


async def test_what_goes_wrong_is_a_fault_in_words() -> None:
    async with mcp_tools(SERVER) as tools:
        tool = named(tools)
        with pytest.raises(Fault, match="Refused: late") as refused:
            await use(tool["refuse"], '{"why": "late"}')
        assert refused.value.kind == "failed tool"
        with pytest.raises(Fault, match="must be string") as wrong:
            await use(tool["refuse"], '{"why": 1}')
        assert wrong.value.kind == "bad arguments"
        with pytest.raises(Fault, match="leave failed: Connection closed"):
            await use(tool["leave"], "{}")
        with pytest.raises(Fault, match="weather failed: Connection closed"):
            await use(tool["weather"], '{"city": "Rome"}')


async def test_tools_are_chosen_and_renamed() -> None:
    async with mcp_tools(SERVER, prefix="disk-", only=["files.delete"]) as tools:
        assert [tool.name for tool in tools] == ["disk-files_delete"]
        assert await use(tools[0], '{"path": "b"}') == "deleted b"
    with pytest.raises(UsageError, match="has no tool nothing; it has: weather, "):
        async with mcp_tools(SERVER, only=["nothing"]):
            pass


async def test_what_is_raised_meanwhile_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with mcp_tools(SERVER):
            raise ZeroDivisionError


async def test_a_command_gets_the_variables_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNTOLD", "leaked")
    async with mcp_tools(SERVER, only=["secret"], environment={"TOLD": "given"}) as tools:
        assert await use(tools[0], "{}") == "given"


async def test_an_address_is_a_server_too() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(*SERVER, str(port), stderr=asyncio.subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            assert process.returncode is None
            await asyncio.sleep(0.05)
        async with mcp_tools(f"http://127.0.0.1:{port}/mcp") as tools:
            assert '"Rome"' in await use(named(tools)["weather"], '{"city": "Rome"}')
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("no-such-command --flag", "No such file"),
        ((sys.executable, "-c", "pass"), "Connection closed"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "did not answer in time"),
        ("http://127.0.0.1:9/mcp", "connection attempts failed"),
        ("", "No MCP server is named"),
    ],
)
async def test_a_server_that_cannot_be_used_is_told(server: str | tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        async with mcp_tools(server, connect_s=2):
            pass


async def test_no_schema_is_fetched_from_elsewhere() -> None:
    server = MCPServer("tests")

    @server.tool()
    def look(x: int) -> int:
        return x

    server._tool_manager.get_tool("look").parameters["properties"]["x"] = {"$ref": "http://127.0.0.1:9/x"}
    with pytest.raises(UsageError, match="The tool look has a schema that refers to http"):
        async with mcp_tools(server):
            pass


async def test_strict_is_asked_for_where_the_server_s_schema_is_closed_already() -> None:
    server = MCPServer("tests")

    @server.tool()
    def look(x: int, y: int) -> int:
        return x + y

    @server.tool()
    def more(x: int, y: int = 1) -> int:
        return x + y

    for name in ("look", "more"):
        server._tool_manager.get_tool(name).parameters["additionalProperties"] = False
    async with mcp_tools(server) as tools:
        tool = named(tools)
        assert tool["look"].wire.strict is True
        assert tool["more"].wire.strict is None, "what may be left out is the server's to say"
        assert tool["look"].wire.parameters["required"] == ["x", "y"]
        assert await use(tool["look"], '{"x": 1, "y": 2}') == "3"
    async with mcp_tools(SERVER) as tools:
        assert {each.wire.strict for each in tools} == {None}, "they allow further properties"


def calls(name: str, arguments: str) -> Script:
    deltas = [
        ToolCallDelta(at=0, call=0, id="a", name=name),
        ToolCallDelta(at=0, call=0, arguments=arguments),
    ]
    return Script(deltas=deltas, finish="tool_calls")


async def test_an_agent_uses_them() -> None:
    def script(request: Request) -> Script:
        if request.messages[-1].role == "tool":
            return Script(deltas=[TextDelta(at=0, text=request.messages[-1].content or "")])
        return calls("weather", '{"city": "Oslo"}')

    async with mcp_tools(SERVER) as tools:
        outcome = await Agent(ScriptedBackend(script), "m", tools=tools).run("How warm is it?", 30.0)
    assert msgspec.json.decode(outcome.answer) == {"city": "Oslo", "degrees": 20}


async def test_a_run_does_not_wait_for_a_tool_beyond_its_time() -> None:
    async with mcp_tools(SERVER) as tools:
        agent = Agent(ScriptedBackend(calls("sleep", "{}")), "m", tools=tools)
        outcome = await agent.run("Sleep.", 1.0)
        assert outcome.stopped == "out of time"
        # And the server goes on to be of use.
        assert await use(named(tools)["files_delete"], '{"path": "c"}') == "deleted c"
