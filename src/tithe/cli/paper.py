"""What is printed for people, on a terminal or anywhere else."""

import sys
from collections.abc import Callable

from rich.console import Console


def show(printed: Callable[[Console], None]) -> None:
    """Print tables; into a pipe or file without the spaces that fill a terminal's lines."""
    console = Console()
    if console.is_terminal:
        printed(console)
        return
    with console.capture() as captured:
        printed(console)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().split("\n")))
