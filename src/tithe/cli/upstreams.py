"""Which variables tell an agent's library where to ask, and what they are made to say while it is recorded.

A base URL keeps its path: where a library asked `https://api.openai.com/v1`, it now asks `http://127.0.0.1:PORT/openai/v1`, and
whatever it appends arrives where it did before.
"""

import urllib.request
from collections.abc import Mapping
from typing import NamedTuple

from yarl import URL

from tithe.core.errors import UsageError
from tithe.net.client import endpoint_url, http_url
from tithe.net.upstream import Upstream


class _Vendor(NamedTuple):
    """A vendor's API: the variables that name its base URL, and that URL where none of them is set.

    `key`: the variable without which, or a base URL, an agent does not use it; None: it is always there to be asked.
    """

    name: str
    variables: tuple[str, ...]
    usual: str | None
    key: str | None = None


# The first variables are the vendors' own libraries'; the others LiteLLM's and LangChain's.
_VENDORS = (
    _Vendor("openai", ("OPENAI_BASE_URL", "OPENAI_API_BASE"), "https://api.openai.com/v1"),
    _Vendor(
        "anthropic",
        ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE", "ANTHROPIC_API_URL"),
        "https://api.anthropic.com",
    ),
    _Vendor("azure", ("AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"), None, "AZURE_OPENAI_ENDPOINT"),
    _Vendor("cerebras", ("CEREBRAS_BASE_URL",), "https://api.cerebras.ai", "CEREBRAS_API_KEY"),
    _Vendor("deepseek", ("DEEPSEEK_API_BASE",), None, "DEEPSEEK_API_BASE"),
    _Vendor("groq", ("GROQ_BASE_URL",), "https://api.groq.com", "GROQ_API_KEY"),
    _Vendor("openrouter", ("OPENROUTER_API_BASE",), None, "OPENROUTER_API_BASE"),
    _Vendor("together", ("TOGETHER_BASE_URL",), "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
)
# The APIs whose paths any endpoint has that offers them.
_COMMON = ("openai", "anthropic")


class Routes(NamedTuple):
    """`upstreams` by the name that stands first in a path at the proxy; `bases`: each variable's path there."""

    upstreams: dict[str, Upstream]
    bases: dict[str, str]

    def variables(self, proxy: str) -> dict[str, str]:
        """What each variable is to say, with the proxy at the URL `proxy`."""
        return {variable: proxy + path for variable, path in self.bases.items()}


def routes(environment: Mapping[str, str], upstream: str | None = None, called: str | None = None) -> Routes:
    """Where requests go: to `upstream`, or wherever the environment's variables say, or where they usually go.
    `called`: what the record is to call `upstream`.

    Raises `UsageError` for what is not a URL.
    """
    found = Routes({}, {})
    for vendor in _VENDORS:
        if upstream is not None:
            if vendor.name in _COMMON:
                for variable in vendor.variables:
                    _add(found, vendor.name, variable, _common(upstream, vendor.name), called)
            continue
        told = {
            name: environment[name].strip() for name in vendor.variables if environment.get(name, "").strip()
        }
        first = next(iter(told.values()), vendor.usual)
        if first is None or not (told or vendor.key is None or environment.get(vendor.key)):
            continue
        for variable in vendor.variables if vendor.name in _COMMON else (told or vendor.variables):
            _add(found, vendor.name, variable, read_url(told.get(variable, first), variable))
    return found


def _add(found: Routes, vendor: str, variable: str, base: URL, called: str | None = None) -> None:
    origin = str(base.origin())
    name, number = vendor, 2
    while name in found.upstreams and found.upstreams[name].origin != origin:
        name, number = f"{vendor}{number}", number + 1
    found.upstreams[name] = Upstream(origin=origin, through=through(base), called=called)
    found.bases[variable] = f"/{name}{base.raw_path.rstrip('/')}"


def _common(upstream: str, vendor: str) -> URL:
    """The base URL that a vendor's library needs: OpenAI's appends to `/v1`, Anthropic's appends that too."""
    base = endpoint_url(upstream)
    read_url(upstream.strip(), "--upstream")
    return base if vendor == "openai" else base.with_path(base.path.removesuffix("/v1") or "/")


def read_url(base: str, variable: str) -> URL:
    """What a variable says. Raises `UsageError` when that is no URL."""
    url = http_url(base)
    if url is None:
        raise UsageError(f"{variable} is {base!r}, which is no http(s) URL: mend it, or unset it.")
    if url.user or url.password or url.query_string:
        raise UsageError(
            f"{variable} has a user, a password or a query in its URL, which would not reach the endpoint from here: "
            "send them as headers, or record without them."
        )
    return url


def through(base: URL) -> str | None:
    """The HTTP proxy on the way, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY have it for every program."""
    if urllib.request.proxy_bypass(base.host or ""):
        return None
    return urllib.request.getproxies().get(base.scheme)


def around_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY with this machine in it: a recording proxy is not asked by way of another."""
    variables = ("no_proxy", "NO_PROXY")
    named = ",".join(environment.get(variable, "") for variable in variables).split(",")
    hosts = ",".join(dict.fromkeys(filter(None, (*map(str.strip, named), "127.0.0.1", "localhost"))))
    return dict.fromkeys(variables, hosts)
