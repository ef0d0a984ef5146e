"""What an audit is pointed at: an endpoint that is there, or the embedded one, started for it."""

import contextlib
from collections.abc import AsyncGenerator

import msgspec

from tithe.audit import Endpoint
from tithe.cli.child import child_server
from tithe.cli.embedded import embedded_endpoint
from tithe.core.errors import EndpointError, EndpointRefused, UsageError
from tithe.net.remote import RemoteBackend

_NO_SUCH_ROUTE = (404, 405, 501)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint to audit: where it is, how to ask it, and what the report calls it."""

    endpoint: Endpoint
    backend: RemoteBackend


@contextlib.asynccontextmanager
async def open_target(
    url: str | None, model: str | None, key: str | None, *, timeout_s: float
) -> AsyncGenerator[Target, None]:
    """The endpoint at `url`, or the embedded one where that is None, started and stopped here.

    A call is given up after `timeout_s` of silence.
    """
    async with contextlib.AsyncExitStack() as stack:
        if url is None:
            ready = await stack.enter_async_context(embedded_endpoint())
            endpoint = Endpoint(url=ready.url, model=model or ready.model, embedded=True)
            backend = RemoteBackend(ready.url, idle_timeout_s=timeout_s)
        else:
            backend = RemoteBackend(url, api_key=key, idle_timeout_s=timeout_s)
            endpoint = Endpoint(url=url, model="")
        stack.push_async_callback(backend.aclose)
        if not endpoint.model:
            endpoint = msgspec.structs.replace(
                endpoint, model=model or await _only_model(backend, endpoint.url)
            )
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
