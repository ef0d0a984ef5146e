"""What an audit is pointed at: an endpoint that is there, or the embedded one, started for it."""

import contextlib
import os
from collections.abc import AsyncGenerator, Sequence

import msgspec

from tithe.audit import Endpoint
from tithe.cli.child import child_server
from tithe.cli.embedded import EMBEDDED, embedded_endpoint
from tithe.core.errors import EndpointError, EndpointRefused, UsageError
from tithe.net.client import endpoint_url
from tithe.net.guard import is_loopback
from tithe.net.remote import RemoteBackend

_MOST = 26
_KEYS = ("TITHE_API_KEY", "OPENAI_API_KEY")
_NO_SUCH_ROUTE = (404, 405, 501)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint to audit: where it is, how to ask it, and what the report calls it."""

    endpoint: Endpoint
    backend: RemoteBackend


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it was asked for; `url` None: the embedded one. `model` None: its only one."""

    url: str | None
    model: str | None
    key: str | None


def endpoint_key() -> str | None:
    """The key for an endpoint that the environment has."""
    return next((value for name in _KEYS if (value := os.environ.get(name))), None)


def wanted(
    urls: Sequence[str], models: Sequence[str], keys: Sequence[str], environment: str | None
) -> tuple[Wanted, ...]:
    """What the command line asks for; `EMBEDDED` in place of a URL is the embedded endpoint.

    One model or key is for all URLs, several are for a URL each; a single model is not the embedded endpoint's, which has
    its own. `environment`, the key that was not named here, goes to one host alone: not to this machine where
    another host is asked too.

    Raises:
        UsageError: a number of models or keys that fits neither, a URL that is none, more URLs than letters, or
            several hosts that the environment's key may be for.
    """
    hosts = {endpoint_url(url).host or "" for url in urls if url != EMBEDDED}
    if len(urls) > _MOST:
        raise UsageError(f"{len(urls)} endpoints; at most {_MOST} can be compared at once.")
    places = urls or (EMBEDDED,)
    away = {host for host in hosts if not is_loopback(host)}
    if environment is not None and not keys and len(away) > 1:
        raise UsageError(
            "The key in the environment would go to several hosts; give --api-key once for each URL, or once for all."
        )
    chosen = _each(keys, len(places), "--api-key")
    each_model = _each(models, len(places), "--model")
    found: list[Wanted] = []
    for url, model, key in zip(places, each_model, chosen, strict=True):
        if url == EMBEDDED:
            own = model if len(models) == len(places) else None
            found.append(Wanted(url=None, model=own, key=None))
            continue
        here = is_loopback(endpoint_url(url).host or "")
        implied = None if keys or (here and away) else environment
        found.append(Wanted(url=url, model=model, key=key or implied))
    return tuple(found)


def _each(given: Sequence[str], urls: int, flag: str) -> tuple[str | None, ...]:
    if len(given) not in (0, 1, urls):
        raise UsageError(
            f"{len(given)} times {flag} for {urls} endpoints; give it once for all, or once for each."
        )
    return tuple(given) if len(given) == urls else (given[0] if given else None,) * urls


@contextlib.asynccontextmanager
async def open_target(one: Wanted, *, timeout_s: float) -> AsyncGenerator[Target, None]:
    """The endpoint that is wanted; the embedded one is started and stopped here.

    A call is given up after `timeout_s` of silence.
    """
    async with contextlib.AsyncExitStack() as stack:
        if one.url is None:
            ready = await stack.enter_async_context(embedded_endpoint())
            endpoint = Endpoint(url=ready.url, model=one.model or ready.model, embedded=True)
            backend = RemoteBackend(ready.url, idle_timeout_s=timeout_s)
        else:
            backend = RemoteBackend(one.url, api_key=one.key, idle_timeout_s=timeout_s)
            endpoint = Endpoint(url=one.url, model=one.model or "")
        stack.push_async_callback(backend.aclose)
        if not endpoint.model:
            endpoint = msgspec.structs.replace(endpoint, model=await _only_model(backend, endpoint.url))
        yield Target(endpoint=endpoint, backend=backend)


async def _only_model(backend: RemoteBackend, url: str) -> str:
    try:
        models = await backend.models()
    except EndpointRefused as error:
        if error.http_status not in _NO_SUCH_ROUTE:
            raise
        raise EndpointError(
            f"{error.message}. Is {url} the API's base URL? If it lists no models, name one with --model."
        ) from error
    if len(models) == 1:
        return models[0]
    if not models:
        raise UsageError(f"{url} lists no models; name one with --model.")
    shown = ", ".join(models[:10]) + (f" and {len(models) - 10} more" if len(models) > 10 else "")
    raise UsageError(f"{url} has {len(models)} models; name one with --model: {shown}.")


@contextlib.asynccontextmanager
async def null_backend(model: str) -> AsyncGenerator[RemoteBackend, None]:
    """The same client, against a server in another process that answers at once."""
    async with child_server(("-m", "tithe.cli.null", model), what="The null backend") as ready:
        backend = RemoteBackend(ready.url)
        try:
            yield backend
        finally:
            await backend.aclose()
