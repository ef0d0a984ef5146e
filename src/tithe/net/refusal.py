"""Errors as HTTP responses, all in OpenAI's shape."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from tithe.core.errors import (
    EndpointRefused,
    EngineError,
    InvalidRequest,
    NotFound,
    Overloaded,
    TitheError,
    TooSlow,
)
from tithe.net.account import CLIENT_CLOSED
from tithe.wire.chat_error import encode_error

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Everything that is raised before a response began becomes one in OpenAI's shape."""
    try:
        return await handler(request)
    except TooSlow as error:
        return await _hang_up(request, refusal(error))
    except TitheError as error:
        return refusal(error)
    except web.HTTPMethodNotAllowed as error:
        refused = InvalidRequest(
            f"{request.path} does not take {request.method}: use {error.headers['Allow']}",
            code="method_not_allowed",
        )
        return refusal(refused, status=405, headers={"Allow": error.headers["Allow"]})
    except web.HTTPException as error:
        if error.status != 404:
            raise
        return refusal(NotFound(f"there is no {request.path} here: the API's root is /v1"))
    except ConnectionError:
        # No one is left to read this; raised, it would be logged as a fault of the server's.
        return web.Response(status=CLIENT_CLOSED)
    except Exception as error:  # noqa: BLE001 - logged, and answered in the API's shape
        return refusal(internal(error))


def refusal(
    error: TitheError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The response that tells `error`; `status` where it is not the error's own."""
    sent = dict(headers or {})
    if isinstance(error, Overloaded | EndpointRefused) and error.status == Overloaded.status:
        sent["Retry-After"] = str(max(1, math.ceil(error.retry_after or 0)))
    if error.status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=encode_error(error), status=status or error.status, content_type="application/json", headers=sent
    )


async def _hang_up(request: web.Request, response: web.Response) -> web.Response:
    """Send the response and close the connection. aiohttp by itself would wait for the request's rest first."""
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    request.protocol.force_close()
    return response


def internal(error: Exception) -> TitheError:
    """A fault of ours: told in the log, and to the client only that it was one."""
    _log.error("a request ended with an unexpected %s", type(error).__name__, exc_info=error)
    return EngineError("the endpoint failed on this request: see its log", code="internal_error")
