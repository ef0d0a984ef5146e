"""Tools of MCP servers, through the protocol's own SDK; of the extra `tithe[mcp]`.

    async with mcp_tools("npx -y @modelcontextprotocol/server-everything") as tools:
        agent = Agent(backend, "my-model", tools=[*tools, my_own])

What a server says of a tool decides how the loop may use it. One that only reads (`readOnlyHint`) may start before the answer that asks
for it is complete, and run beside others. `idempotentHint` says less than that: to delete a file twice is to delete it once, and still is
not to be done for nothing; so such a tool is used like any other. Both are the server's word: use servers that you trust.
"""

import asyncio
import contextlib
import re
import shlex
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from tithe.agent.fault import Fault
from tithe.agent.strict import is_strict
from tithe.agent.tool import AgentTool, Traits, described_tool
from tithe.core import Tool
from tithe.core.errors import UsageError

if TYPE_CHECKING:
    import mcp
    import mcp.types

_LISTS = 100
_NAME = re.compile(r"[^A-Za-z0-9_-]")  # what endpoints do not take in a name, nor more of it than
_NAME_LENGTH = 64


@contextlib.asynccontextmanager
async def mcp_tools(
    server: Any,
    *,
    prefix: str = "",
    only: Collection[str] | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - of a tool's run
    connect_s: float = 30.0,
    environment: Mapping[str, str] | None = None,
) -> AsyncGenerator[list[AgentTool]]:
    """The tools of a server, for as long as this is open. Enter and leave it in the same task.

    Args:
        server: an address that begins with http:// or https:// (streamable HTTP); a command, as a line or as its words (stdio); or a
            transport of the SDK's, such as one with headers of yours.
        prefix: put before each tool's name, where two servers' would be equal.
        only: the tools to take, by the names that the server has for them; None: all. Each costs prompt tokens in every call.
        timeout: seconds that a run of a tool may take: `Traits.timeout`.
        connect_s: seconds that the server has, to be there and to list its tools.
        environment: variables for the command, besides PATH, HOME and the like; no others of this process reach it.

    Raises `UsageError` when the SDK is not installed, the server cannot be reached or breaks the protocol, it has no tool of a name
    in `only`, or one of those taken has a schema that cannot be read.
    """
    client, called = _client(server, environment)
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(connect_s):
                await client.__aenter__()
                # Not told of what is raised in here: the SDK would give it back inside a group.
                stack.push_async_callback(client.__aexit__, None, None, None)
                listed = await _listed(client)
        except Exception as error:
            raise UsageError(f"The MCP server {called} cannot be used: {_told(error)}.") from error
        names = [each.name for each in listed]
        missing = [name for name in only or () if name not in names]
        if missing:
            raise UsageError(
                f"The MCP server {called} has no tool {', '.join(missing)}; it has: {', '.join(names) or 'none'}."
            )
        yield [_tool(client, each, prefix, timeout) for each in listed if only is None or each.name in only]


def _client(server: Any, environment: Mapping[str, str] | None) -> "tuple[mcp.Client, str]":
    """The SDK's client for a server, and what the server is called."""
    try:
        import mcp
    except ImportError as error:
        raise UsageError(
            "MCP servers need the SDK, not installed here. Get it with: pip install 'tithe[mcp]'"
        ) from error
    if isinstance(server, str) and server.startswith(("http://", "https://")):
        return mcp.Client(server), server
    if not isinstance(server, (str, Sequence)):
        return mcp.Client(server), type(server).__name__
    words: list[str] = shlex.split(server) if isinstance(server, str) else list(cast("Sequence[str]", server))
    if not words:
        raise UsageError("No MCP server is named: give its address, or the command that starts it.")
    started = mcp.StdioServerParameters(
        command=words[0], args=words[1:], env=dict(environment) if environment is not None else None
    )
    return mcp.Client(started), shlex.join(words)


async def _listed(client: "mcp.Client") -> "list[mcp.types.Tool]":
    tools: list[mcp.types.Tool] = []
    cursor: str | None = None
    for _ in range(_LISTS):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools
    raise UsageError(f"its list of tools does not end, after {len(tools):,}")


def _tool(client: "mcp.Client", told: "mcp.types.Tool", prefix: str, timeout: float | None) -> AgentTool:
    reads = told.annotations is not None and told.annotations.read_only_hint is True
    wire = Tool(
        name=_NAME.sub("_", prefix + told.name)[:_NAME_LENGTH],
        description=told.description or None,
        parameters=told.input_schema,
    )

    async def run(**arguments: Any) -> str:
        from mcp import MCPError

        try:
            result = await client.call_tool(told.name, arguments)
        except MCPError as error:
            raise Fault("failed tool", f"{wire.name} failed: {error.message}") from error
        text = _text(result)
        if result.is_error:
            raise Fault("failed tool", text or f"{wire.name} failed, and did not say why.")
        return text

    made = described_tool(wire, run, Traits(timeout=timeout, idempotent=reads, parallel=reads))
    if not is_strict(told.input_schema):
        return made
    return msgspec.structs.replace(made, wire=msgspec.structs.replace(wire, strict=True))


def _text(result: "mcp.types.CallToolResult") -> str:
    """A result as the model reads it. What is structured is JSON, where the server has not put it into words itself."""
    parts = [_words(block) for block in result.content]
    if result.structured_content is not None and not any(block.type == "text" for block in result.content):
        parts.append(msgspec.json.encode(result.structured_content).decode())
    return "\n".join(parts)


def _words(block: "mcp.types.ContentBlock") -> str:
    if block.type == "text":
        return block.text
    if block.type == "resource_link":
        return f"({block.uri}: {block.description or block.name})"
    if block.type == "resource":
        text = getattr(block.resource, "text", None)
        return text if text is not None else f"({block.resource.uri}: not text, and not shown)"
    return f"({block.mime_type}: not text, and not shown)"


def _told(error: BaseException) -> str:
    """The words of an error, or of the first in a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return str(error).rstrip(".") or type(error).__name__
