"""Payloads to `core` and back: Chat Completions, server-sent events, model text; and calls of three APIs, seen from outside.

No file here does I/O: a server and a client, or a test, feed bytes in and take bytes out.
"""

from tithe.wire.answer_reader import AnswerReader
from tithe.wire.chat_chunks import ChunkReader, read_completion
from tithe.wire.chat_error import encode_error, read_error
from tithe.wire.chat_request import Incoming, decode_request, encode_request
from tithe.wire.chat_response import ChunkWriter, Completion
from tithe.wire.exchange import answer_reader, api_of, read_request
from tithe.wire.output import CallArguments, CallOpened, OutputParser, Piece, Reasoning, Text
from tithe.wire.sse import ServerEvent, SseParser

__all__ = [
    "AnswerReader",
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
    "answer_reader",
    "api_of",
    "decode_request",
    "encode_error",
    "encode_request",
    "read_completion",
    "read_error",
    "read_request",
]
