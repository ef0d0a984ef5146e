"""The one error tree.

Every error says what happened, to what, and what to do. Foreign exceptions (of sockets, of kernels,
of JSON) are translated into these at the seam where they enter. `status`, `kind` and `code` are what
an HTTP server answers with, in the shape that OpenAI's API uses; a program that is not a server
ignores them.
"""


class TitheError(Exception):
    """Root of all errors that Tithe raises on purpose.

    Args:
        message: what happened, to what, and what to do about it.
        param: the path of the offending field (`messages[0].role`), when one field is to blame.
        code: a machine-readable reason; the class's own when not given.
    """

    status: int = 500
    kind: str = "server_error"
    default_code: str | None = None

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code if code is not None else self.default_code


class UsageError(TitheError):
    """The user asked the command line or the Python API for something that cannot be done."""


class InvalidRequest(TitheError):
    """A request that no retry will mend: a malformed body, a wrong type, an unsupported field."""

    status = 400
    kind = "invalid_request_error"


class ContextOverflow(InvalidRequest):
    """The prompt, or the prompt and the tokens asked for, do not fit the context or the KV budget."""

    default_code = "context_length_exceeded"


class Unauthorized(TitheError):
    """The API key is missing or wrong."""

    status = 401
    kind = "authentication_error"
    default_code = "invalid_api_key"


class NotFound(TitheError):
    """The model or the route named by the request does not exist here."""

    status = 404
    kind = "invalid_request_error"
    default_code = "not_found"


class TooLarge(InvalidRequest):
    """The request body is over the server's limit."""

    status = 413
    default_code = "request_too_large"


class TooSlow(InvalidRequest):
    """The request body did not arrive within the server's limit of time. The connection is closed."""

    status = 408
    default_code = "request_timeout"


class Overloaded(TitheError):
    """The house is full. `retry_after` is in seconds."""

    status = 429
    kind = "rate_limit_error"
    default_code = "overloaded"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Closing(TitheError):
    """The endpoint is shutting down and takes no new requests."""

    status = 503
    default_code = "shutting_down"


class EngineError(TitheError):
    """The embedded engine failed in a step; the sequences of that step were ended with this error."""

    default_code = "engine_error"


class ModelFilesError(UsageError):
    """A model folder or Hub id cannot be loaded: something is missing, unreadable or unsupported."""


class EndpointError(TitheError):
    """A remote endpoint did not give a whole, valid answer."""

    status = 502
    kind = "upstream_error"


class Unreachable(EndpointError):
    """No connection to the endpoint could be made, or it broke before the response began."""


class EndpointRefused(EndpointError):
    """The endpoint answered with an HTTP error. `http_status` and `body` are what it sent.

    A 429 stays one for whoever asked us: only they can wait. Any other is an upstream's fault (502).
    """

    def __init__(self, message: str, *, http_status: int, body: str, retry_after: float | None) -> None:
        super().__init__(message)
        if http_status == Overloaded.status:
            self.status, self.kind, self.code = Overloaded.status, Overloaded.kind, Overloaded.default_code
        self.http_status = http_status
        self.body = body
        self.retry_after = retry_after


class StreamBroken(EndpointError):
    """A stream ended early, carried an `error` event under HTTP 200, or was not what it claimed to be."""
