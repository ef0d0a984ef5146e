"""Errors in the shape of Anthropic's API: `{"type": "error", "error": {"type", "message"}}`."""

import msgspec

from tithe.core.errors import TitheError

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


def encode_messages_error(error: TitheError) -> bytes:
    """The error as a JSON object: a response's body."""
    kind = _TYPES.get(error.status, "api_error")
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": error.message}})
