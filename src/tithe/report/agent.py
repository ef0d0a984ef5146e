"""An agent's run for the terminal: what it does while it does it, and what came of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from tithe.agent import Outcome
from tithe.agent.code import Changes
from tithe.agent.progress import Event, ToolUsed, WayBegun
from tithe.agent.step_times import StepTime
from tithe.report.figures import counted, seconds
from tithe.report.tables import calm_table

_SHOWN = 100
_FAULTS = 5
_COMMANDS = ("run_tests", "run_command")
_WORDS = {
    "answered": "answered",
    "out of time": "the time was up",
    "out of steps": "every way took all the steps that it may",
    "stuck": "the model went in circles",
    "failed": "the endpoint did not answer",
}
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
# What a terminal acts on in place of showing it: a file's content is not to move the cursor.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def print_event(event: Event, console: Console) -> None:
    """A line on what is being done."""
    if isinstance(event, WayBegun):
        if event.number > 1:
            _line(console, f"way {event.number}, from the start in a fresh copy", "bold")
    elif isinstance(event, ToolUsed):
        _line(console, f"  {event.name}({_arguments(event.arguments)})  {_ended(event)}", "dim")
        if event.failed is not None:
            _line(console, f"    {_first_line(event.failed)}", "yellow")
    else:
        predicted = f", {seconds(event.predicted_s)} expected" if event.predicted_s else ""
        _line(console, f"{event.kind}: {event.why}{predicted}")


def print_outcome(outcome: Outcome, console: Console, notes: Sequence[str] = ()) -> None:
    """The answer, why the run ended, what it took, and what else there is to say."""
    console.print()
    if outcome.answer is not None:
        _line(console, str(outcome.answer), "bold")
    else:
        _line(console, "There is no answer.", "bold red")
    counts = ", ".join((
        counted(outcome.steps, "step"),
        counted(outcome.calls, "call"),
        *((counted(outcome.ways, "way"),) if outcome.ways > 1 else ()),
        *((counted(len(outcome.faults), "fault"),) if outcome.faults else ()),
    ))  # fmt: skip
    _line(console, f"{_stopped(outcome)}; {seconds(outcome.wall_s)} of {seconds(outcome.budget_s)}, {counts}")
    seen = Counter(f"{fault.kind}: {_first_line(fault.words)}" for fault in outcome.faults)
    for words, count in seen.most_common(_FAULTS):
        _line(console, f"  {count} x {words}", "yellow")
    if outcome.error is not None and outcome.answer is not None:
        _line(console, f"What ended it: {outcome.error.message}")
    if outcome.next is not None:
        _line(console, f"With more time: {outcome.next}.")
    for note in notes:
        _line(console, note)


def print_steps(steps: Sequence[StepTime], console: Console) -> None:
    """The page's and the model's part of each step, in seconds."""
    if not steps:
        return
    table = calm_table("step", "page (s)", "model (s)", "in all (s)")
    for each in steps:
        name = str(each.step) if each.kind == "step" else f"{each.step} {each.kind}"
        times = (f"{value:.2f}" for value in (each.page_s, each.model_s, each.wall_s))
        table.add_row(Text(f"{name} {', '.join(each.tools)}".rstrip()), *times)
    console.print()
    console.print(table)


def print_changes(changes: Changes, console: Console) -> None:
    """The diff; in colour on a terminal."""
    for line in changes.diff.splitlines():
        heading = line.startswith(("--- ", "+++ "))
        style = "bold" if heading else _STYLES.get(line[:1], "")
        console.print(Text(shown(line), style=style), highlight=False, soft_wrap=True)


def shown(text: str) -> str:
    """Text as it may be shown on a terminal."""
    return text.translate(_CONTROLS)


def _ended(event: ToolUsed) -> str:
    """How long it took; of a command, how it ended."""
    if event.said is not None and event.name in _COMMANDS:
        return str(event.said).rpartition("\n")[2]
    given_up = "" if event.said is not None or event.failed is not None else ", given up"
    return f"{seconds(event.seconds)}{given_up}"


def _stopped(outcome: Outcome) -> str:
    words = _WORDS[outcome.stopped]
    if outcome.answer is None:
        return f"Ended: {words}"
    vouched = "and vouched for" if outcome.vouched else "and nothing vouches for it"
    return (
        f"Done, {vouched}"
        if outcome.stopped == "answered"
        else f"Ended: {words}; there is an answer, {vouched}"
    )


def _arguments(arguments: dict[str, Any]) -> str:
    told = msgspec.json.encode(arguments).decode()[1:-1]
    return told if len(told) <= _SHOWN else f"{told[:_SHOWN]}..."


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(shown(text), style=style), highlight=False, soft_wrap=True)
