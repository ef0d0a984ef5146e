"""What an audit is pointed at: an endpoint that is there, or the embedded one, started for it."""

import contextlib
from collections.abc import AsyncGenerator, Sequence

import msgspec

from tithe.audit import Endpoint
from tithe.cli.child import child_server
from tithe.cli.embedded import embedded_endpoint
from tithe.core.errors import EndpointError, EndpointRefused, UsageError
from tithe.net.client import endpoint_url
from tithe.net.remote import RemoteBackend

EMBEDDED = "embedded"
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


def wanted(urls: Sequence[str], models: Sequence[str], keys: Sequence[str]) -> tuple[Wanted, ...]:
    """What the command line asks for; `EMBEDDED` in place of a URL is the embedded endpoint.

    One model or key is for all URLs, several are for a URL each. A key is never sent to another URL than its own.

    Raises:
        UsageError: a number of models or keys that fits neither, or a URL that is none.
    """
    for url in urls:
        if url != EMBEDDED:
            endpoint_url(url)
    places = urls or (EMBEDDED,)
    return tuple(
        Wanted(url=None if url == EMBEDDED else url, model=model, key=key)
        for url, model, key in zip(
            places, _each(models, len(places), "--model"), _each(keys, len(places), "--api-key"), strict=True
        )
    )


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
