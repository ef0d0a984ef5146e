"""The server's options, each stated once: flags, help and docs derive from here."""

from dataclasses import dataclass

from tithe.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """How the server listens. Raises `UsageError` for a value that makes no sense.

    Attributes:
        host: Address to listen on. Any but loopback needs an API key.
        port: Port to listen on; 0 takes any free one.
        api_key: A key that requests must send; may be given several times. Also from TITHE_API_KEYS
            (comma-separated).
        max_body_bytes: The largest request body.
        body_timeout_s: Seconds that a request's body may take to arrive whole.
        max_concurrent: The most calls at once; one more is answered 429.
        drain_s: Seconds that running calls may take to finish when the server is stopped.
    """

    host: str = "127.0.0.1"
    port: int = 8383
    api_key: tuple[str, ...] = ()
    max_body_bytes: int = 8 * 1024 * 1024
    body_timeout_s: float = 30.0
    max_concurrent: int = 256
    drain_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port is {self.port}: give one from 1 to 65535, or 0 for any free one.")
        for name in ("max_body_bytes", "max_concurrent"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least 1.")
        if self.body_timeout_s <= 0:
            raise UsageError(f"body_timeout_s is {self.body_timeout_s}: it must be more than 0.")
        if self.drain_s < 0:
            raise UsageError(f"drain_s is {self.drain_s}: it must be 0 or more.")
