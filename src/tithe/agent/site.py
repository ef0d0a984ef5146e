"""Which addresses belong to the site that an agent was sent to."""

from urllib.parse import SplitResult, urlsplit

import msgspec

from tithe.core.errors import UsageError

_PORTS = {"http": 80, "https": 443}


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A host and what is beneath it (`www.` does not count), at a port; `port` None is the scheme's own."""

    host: str
    port: int | None

    def holds(self, url: str) -> bool:
        """Whether an address is on this site."""
        try:
            other = site_of(url)
        except UsageError:
            return False
        beneath = other.host == self.host or other.host.endswith(f".{self.host}")
        return beneath and other.port == self.port


def site_of(url: str) -> Site:
    """The site of an address. Raises `UsageError` where it is none that a browser may be sent to."""
    try:
        parts: SplitResult | None = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        parts, port = None, None
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        raise UsageError(
            f"{url} is no web address: it has to begin with http:// or https://, and to name a host."
        )
    return Site(
        host=parts.hostname.rstrip(".").removeprefix("www."),
        port=None if port == _PORTS[parts.scheme] else port,
    )
