"""The front page: the commands that there are, and what `tithe --help` prints of them.

It imports next to nothing. Whoever asks what there is should not wait for the libraries that parse options and
draw tables; each command's own `--help` has those.
"""

import textwrap
from typing import NamedTuple

SAYS = "Measures, explains and cuts the agentic inference tax."
_WIDTH = 80


class Command(NamedTuple):
    """A command's name, one sentence of help, and the dotted path of what runs it."""

    name: str
    help: str
    path: str


COMMANDS = (
    Command("audit", "Measure an endpoint the way an agent uses it.", "tithe.cli.audit:app"),
    Command(
        "record",
        "Run an agent, and record where its time goes; nothing in it changes.",
        "tithe.cli.record:record",
    ),
    Command("ledger", "Tell where a task's wall clock went, or many tasks'.", "tithe.cli.ledger:ledger"),
    Command("diff", "Tell what changed between two tasks or groups of them.", "tithe.cli.diff:diff"),
    Command(
        "whatif",
        "Project tasks onto another endpoint or design before paying for it.",
        "tithe.cli.whatif:whatif",
    ),
    Command("plan", "Tell which designs of an agent fit into a budget of time.", "tithe.cli.plan:plan"),
    Command("agent", "Let a model do a task within a budget of time.", "tithe.cli.agent:app"),
    Command("tasks", "List the tasks that were recorded or imported.", "tithe.cli.tasks:tasks"),
    Command(
        "import", "Read what other programs recorded: traces and agents' logs.", "tithe.cli.imports:import_"
    ),
    Command(
        "export", "Write recorded tasks as OTLP, Chrome trace, CSV or Parquet.", "tithe.cli.export:export"
    ),
    Command(
        "serve",
        "Serve a model on this machine's CPU, as OpenAI's Chat Completions, made for agents.",
        "tithe.cli.serve:serve",
    ),
    Command(
        "replay", "Run a recorded task's shape against an endpoint, for real.", "tithe.cli.replay:replay"
    ),
)
_OPTIONS = (("--help, -h", "Display this message and exit."), ("--version", "Display the version."))


def front_page() -> str:
    """The page as text, at most 80 columns wide."""
    commands = [(command.name, command.help) for command in COMMANDS]
    return (
        f"Usage: tithe COMMAND\n\n{SAYS}\n\nCommands:\n{_lines(commands)}\nOptions:\n{_lines(_OPTIONS)}\n"
        "tithe COMMAND --help tells the options of a command.\n"
    )


def _lines(told: "tuple[tuple[str, str], ...] | list[tuple[str, str]]") -> str:
    margin = " " * 14
    return "".join(
        textwrap.fill(says, _WIDTH, initial_indent=f"  {name:<12}", subsequent_indent=margin) + "\n"
        for name, says in told
    )
