"""The embedded engine: model files to tokens, with shared prefixes, on the local CPU."""

from tithe.engine.engine import Engine
from tithe.engine.options import EngineOptions

__all__ = ["Engine", "EngineOptions"]
