"""The embedded engine: model files to tokens, with shared prefixes, on the local CPU.

`Engine` is imported when it is first asked for: its options can be read where its extra is not installed.
"""

from typing import TYPE_CHECKING, Any

from tithe.engine.options import EngineOptions

if TYPE_CHECKING:
    from tithe.engine.engine import Engine

__all__ = ["Engine", "EngineOptions"]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from tithe.engine.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
