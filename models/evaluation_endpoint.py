"""The endpoint that an evaluation asks: started for it on a model folder, or running already."""

import contextlib
import hashlib
import importlib.metadata
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec

from evaluation_report import Setting
from tithe.cli.embedded import embedded_endpoint
from tithe.cli.extras import require_engine
from tithe.core.errors import EndpointError, UsageError
from tithe.net.client import endpoint_url
from tithe.net.remote import RemoteBackend

BUNDLED = "nano"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, the model's name there, the fields of its own that it understands, and what the
    report says of it."""

    backend: RemoteBackend
    model: str
    extra: dict[str, Any]
    settings: tuple[Setting, ...]


@contextlib.asynccontextmanager
async def started(model: str, precision: str) -> AsyncGenerator[Target, None]:
    """`tithe serve` on a model folder (or `nano`), on a free port, for as long as the block lasts.

    Raises:
        UsageError: the engine is not installed, there is no such model, or it did not start.
    """
    require_engine()
    folder, weights, what = files_of(model)
    settings = (
        Setting(name="model", value=what),
        Setting(name="weights", value=f"`{weights.name}`, {weights.stat().st_size:,} bytes"),
        Setting(name="their SHA-256", value=f"`{digest(weights)}`"),
        Setting(
            name="engine", value=f"openvino {importlib.metadata.version('openvino')}, precision {precision}"
        ),
    )
    async with embedded_endpoint(folder, "--precision", precision) as ready:
        backend = RemoteBackend(ready.url)
        try:
            facts = {"tithe": {"facts": True}}
            yield Target(backend=backend, model=ready.model, extra=facts, settings=settings)
        finally:
            await backend.aclose()


@contextlib.asynccontextmanager
async def running(url: str, model: str | None) -> AsyncGenerator[Target, None]:
    """An endpoint by its URL; its only model when none is named.

    Raises:
        UsageError: it cannot be reached, or has not just one model.
    """
    backend = RemoteBackend(url, api_key=os.environ.get("TITHE_API_KEY") or os.environ.get("OPENAI_API_KEY"))
    shown = endpoint_url(url).human_repr()
    try:
        models = await backend.models()
        if model is None and len(models) != 1:
            names = ", ".join(models[:10])
            raise UsageError(f"{shown} has {len(models)} models; name one with --model: {names}.")
        name = model or models[0]
        settings = (
            Setting(name="model", value=name),
            Setting(name="weights", value="unknown: an endpoint by its URL"),
            Setting(name="endpoint", value=shown),
        )
    except EndpointError as error:
        await backend.aclose()
        raise UsageError(error.message) from error
    try:
        yield Target(backend=backend, model=name, extra={}, settings=settings)
    finally:
        await backend.aclose()


def files_of(model: str) -> tuple[str, Path, str]:
    """What to serve, the file with its weights, and how to tell of it. Raises `UsageError`."""
    from tithe.engine import files

    folder = Path(model)
    if model == BUNDLED:
        found, what = files.find(model), "nano, the bundled model"
    elif folder.is_dir():
        model = str(folder.resolve())
        found, what = files.find(model), f"`{folder}`"
    else:
        raise UsageError(f"There is no model folder {model}. Name another, or none for the bundled model.")
    return model, found.ir.with_suffix(".bin"), what


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
