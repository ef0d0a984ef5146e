"""`machine()` of the other benchmarks, found beside this folder."""

from __future__ import annotations

import sys
from pathlib import Path

# The folder above is no package.
sys.path.append(str(Path(__file__).parents[1]))

from endpoint import machine

__all__ = ["machine"]
