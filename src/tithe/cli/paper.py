"""What is printed for people, on a terminal or anywhere else."""

import sys
from collections.abc import Callable
from typing import TextIO

from rich.console import Console


def show(printed: Callable[[Console], None], into: TextIO | None = None) -> None:
    """Print tables, to standard output or `into`; into a pipe or file without the spaces that fill a terminal's lines."""
    out = into if into is not None else sys.stdout
    console = Console(file=out)
    if console.is_terminal:
        printed(console)
        return
    with console.capture() as captured:
        printed(console)
    out.write("\n".join(line.rstrip() for line in captured.get().split("\n")))
