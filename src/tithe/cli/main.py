"""`tithe`: finds the command, and turns errors into one line and an exit status.

| exit status | means |
|---|---|
| 0 | done; `tithe serve` was stopped by Ctrl-C or SIGTERM, running calls ended |
| 1 | the endpoint failed; an audit that gave up has printed what it had measured; a self-test did not hold; an agent came to no answer |
| 2 | what was asked for cannot be done |
| 130, 143 | any other command, or `serve` before it listened: ended by Ctrl-C, by SIGTERM; an audit has told what it measured |

Commands are named by dotted path and imported when asked for: the base install has no engine. The front page
(front.py) is printed before anything else is imported.
"""

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import tithe
from tithe.cli.front import COMMANDS, SAYS, front_page

if TYPE_CHECKING:
    from cyclopts import App

ENDPOINT_FAILED, CANNOT, INTERRUPTED = 1, 2, 130
_FRONT: tuple[list[str], ...] = ([], ["--help"], ["-h"])


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status. Errors go to stderr, without a traceback."""
    if list(arguments) in _FRONT:
        sys.stdout.write(front_page())
        return 0
    if list(arguments) == ["--version"]:
        sys.stdout.write(f"{tithe.__version__}\n")
        return 0
    names = [command.name for command in COMMANDS]
    if not arguments[0].startswith("-") and arguments[0] not in names:
        # cyclopts would name eight of them.
        return _say(f"There is no command {arguments[0]!r}; there are {', '.join(names)}.", CANNOT)
    return _run_command(arguments)


def _run_command(arguments: Sequence[str]) -> int:
    from cyclopts import CycloptsError

    from tithe.cli.extras import ENGINE_HINT, is_engine_module
    from tithe.cli.units import joined
    from tithe.core.errors import EndpointError, TitheError

    try:
        _command_line()(joined(arguments))
    except CycloptsError:
        return CANNOT  # cyclopts has said what is wrong
    except EndpointError as error:
        return _say(error.message, ENDPOINT_FAILED)
    except TitheError as error:
        return _say(with_flag(error.message, arguments), CANNOT)
    except ImportError as error:
        if not is_engine_module(error):
            raise
        return _say(f"The embedded engine is not installed. {ENGINE_HINT}", CANNOT)
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _command_line() -> "App":
    """What parses options and finds the command."""
    from cyclopts import App

    app = App(
        name="tithe",
        version=tithe.__version__,
        help=SAYS,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
    )
    for command in COMMANDS:
        app.command(command.path, name=command.name, help=command.help)
    return app


def with_flag(message: str, arguments: Sequence[str]) -> str:
    """An error about an option's value begins with the option's name: give it as it was typed."""
    named = re.match(r"(?:the )?(\w+) is ", message)
    if named is None:
        return message
    flag = "--" + named[1].replace("_", "-")
    typed = any(argument == flag or argument.startswith(f"{flag}=") for argument in arguments)
    return flag + message[named.end(1) :] if typed else message


def _say(message: str, status: int) -> int:
    sys.stderr.write(f"tithe: {message}\n")
    return status
