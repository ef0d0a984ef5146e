"""A server for the tests, made with the protocol's own SDK. Run as `mcp_server.py`, or with a port for HTTP."""

import os
import sys

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, ImageContent, TextContent, ToolAnnotations
from pydantic import BaseModel

server = MCPServer("tests", log_level="CRITICAL")


class Weather(BaseModel):
    city: str
    degrees: int


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def weather(city: str, day: int = 0) -> Weather:
    """What the weather is."""
    return Weather(city=city, degrees=20 + day)


@server.tool(name="files.delete", annotations=ToolAnnotations(idempotent_hint=True))
def delete(path: str) -> str:
    """Delete a file."""
    return f"deleted {path}"


@server.tool()
def picture() -> CallToolResult:
    return CallToolResult(
        content=[
            TextContent(text="A picture:"),
            ImageContent(data="AAAA", mime_type="image/png"),
        ]
    )


@server.tool()
def numbers() -> CallToolResult:
    return CallToolResult(content=[], structured_content={"numbers": [1, 2]})


@server.tool()
def refuse(why: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=f"Refused: {why}")], is_error=True)


@server.tool()
async def sleep() -> str:
    await anyio.sleep(60)
    return "awake"


@server.tool()
def secret() -> str:
    return os.environ.get("TOLD", "") + os.environ.get("UNTOLD", "")


@server.tool()
def leave() -> str:
    os._exit(3)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run()
