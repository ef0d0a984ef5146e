"""Payloads to `core` and back: Chat Completions, server-sent events, model text.

No file here does I/O: a server and a client, or a test, feed bytes in and take bytes out.
"""

from tithe.wire.chat_chunks import ChunkReader, read_completion
from tithe.wire.chat_error import encode_error, read_error
from tithe.wire.chat_request import Incoming, decode_request, encode_request
from tithe.wire.chat_response import ChunkWriter, Completion
from tithe.wire.output import CallArguments, CallOpened, OutputParser, Piece, Reasoning, Text
from tithe.wire.sse import ServerEvent, SseParser

__all__ = [
    "CallArguments",
    "CallOpened",
    "ChunkReader",
    "ChunkWriter",
    "Completion",
    "Incoming",
    "OutputParser",
    "Piece",
    "Reasoning",
    "ServerEvent",
    "SseParser",
    "Text",
    "decode_request",
    "encode_error",
    "encode_request",
    "read_completion",
    "read_error",
]
