"""What the base install leaves out, and how to get it."""

import importlib.util

from tithe.core.errors import UsageError

ENGINE_MODULES = ("huggingface_hub", "jinja2", "llguidance", "openvino", "tokenizers")
ENGINE_HINT = "Get it with: pip install 'tithe[engine]'"


def require_engine() -> None:
    """Raises `UsageError` when a module that the embedded engine needs is not installed."""
    missing = [name for name in ENGINE_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"The embedded endpoint needs {', '.join(missing)}, not installed here. {ENGINE_HINT}, "
            "or name the URL of an endpoint."
        )


def require_browser() -> None:
    """Raises `UsageError` when Playwright is not installed."""
    if importlib.util.find_spec("playwright") is None:
        raise UsageError(
            "The browser needs playwright, not installed here. Get it with: pip install 'tithe[browser]'"
        )


def is_engine_module(error: ImportError) -> bool:
    """Whether an import failed, directly or underneath, for a module of the engine's extra."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ImportError) and (cause.name or "").partition(".")[0] in ENGINE_MODULES:
            return True
        cause = cause.__cause__
    return False
