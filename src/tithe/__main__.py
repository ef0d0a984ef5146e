"""`tithe`, and `python -m tithe`.

Ctrl-C and SIGTERM end it in silence but for one line from the first moment on. Importing takes a good part of a
second, and Python's own handler would raise in the midst of whatever is imported: a traceback. So until a
command runs (`tithe.cli.loop.run_command` takes the signals over) there is nothing to put in order, and
the process just ends.
"""

import os
import signal
import sys
from types import FrameType

_SAID = {signal.SIGINT: b"tithe: Interrupted.\n", signal.SIGTERM: b""}


def main() -> None:
    """Run the command line and exit."""
    for early in _SAID:
        signal.signal(early, _leave)
    from tithe.cli.main import run

    sys.exit(run(sys.argv[1:]))


def _leave(received: int, _frame: FrameType | None) -> None:
    os.write(2, _SAID[signal.Signals(received)])
    os._exit(128 + received)


if __name__ == "__main__":
    main()
