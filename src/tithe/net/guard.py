"""Who may ask: API keys, and what an endpoint without any is willing to serve.

Without keys an endpoint binds to loopback only, which keeps other machines out but not the web pages
open in a browser on this one: a page may send a request to any address. Browsers name the page's origin
in `Origin`, so a request from an origin that is not loopback is refused while no key guards the endpoint.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from tithe.core.errors import Unauthorized, UsageError


class Guard:
    """Checks a request's key. Raises `UsageError` for a host other machines can reach when there are no keys."""

    def __init__(self, host: str, api_keys: tuple[str, ...]) -> None:
        if not api_keys and not is_loopback(host):
            raise UsageError(
                f"{host} can be reached by other machines, so the endpoint needs an API key: "
                "give one (--api-key), or bind to 127.0.0.1"
            )
        if any(not key.strip() for key in api_keys):
            raise UsageError("an API key is empty: give one with at least one character")
        self._digests = tuple(_digest(key) for key in api_keys)

    def admit(self, headers: Mapping[str, str]) -> str:
        """The isolation that the request's caches live in: a hash of its key, "" where there are no keys.

        Raises `Unauthorized`.
        """
        if not self._digests:
            origin = headers.get("Origin")
            if origin is not None and not is_loopback(urlsplit(origin).hostname or ""):
                raise Unauthorized(
                    "a web page that is not served from this machine asked an endpoint without an API key: "
                    "start the endpoint with one (--api-key) and send it"
                )
            return ""
        scheme, _, key = headers.get("Authorization", "").partition(" ")
        given = _digest(key.strip())
        # Every key is compared, each in constant time: how long it takes says nothing of any of them.
        known = sum(hmac.compare_digest(given, digest) for digest in self._digests)
        if scheme.lower() != "bearer" or not known:
            raise Unauthorized("the API key is missing or wrong: send `Authorization: Bearer KEY`")
        return given.hex()[:32]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host` (an address, or `localhost`)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
