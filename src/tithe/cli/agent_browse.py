"""`tithe agent browse`: a model acts on a web page within a budget, and answers."""

import asyncio
import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console

from tithe.agent import Outcome
from tithe.agent.step_times import StepTime
from tithe.audit import Endpoint
from tithe.cli.agent_flags import NO_ANSWER, SWITCH, TIMEOUT_S, Asking, recorded, say, say_where
from tithe.cli.agent_report import RunReport
from tithe.cli.extras import require_browser
from tithe.cli.loop import run_command
from tithe.cli.paper import show
from tithe.cli.store import Db
from tithe.cli.target import Wanted, open_target
from tithe.core.errors import UsageError
from tithe.report import figures
from tithe.report.agent import print_event, print_outcome, print_steps

_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


class BrowseReport(RunReport, frozen=True, kw_only=True):
    """What `--json` prints.

    page: the address where it began; ended: where it was last. page_s: in which the page had the turn; model_s: in which the endpoint
    was asked something; where a tool starts before the answer is complete, both count. step_times: the same for each step.
    """

    page: str
    ended: str
    page_s: float
    model_s: float
    step_times: tuple[StepTime, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chromium:
    """Which browser is used, and how. The flags and their help are made from this.

    Attributes:
        chromium: The Chromium or Chrome to run. Without it chromium, chromium-browser or google-chrome, whichever is found; else the
            one that Playwright has installed for itself.
        window: Show the browser.
        no_sandbox: Run the browser without its own sandbox, as root has to: a page that breaks out of it then can do what you can.
        anywhere: Let the model open any address by name. Otherwise only those of the page's own site; links lead anywhere.
    """

    chromium: Path | None = None
    window: Annotated[bool, SWITCH] = False
    no_sandbox: Annotated[bool, SWITCH] = False
    anywhere: Annotated[bool, SWITCH] = False

    def executable(self) -> str | None:
        """None: Playwright's own. Raises `UsageError` for a file that is not there."""
        if self.chromium is None:
            return next((found for name in _CHROMIUMS if (found := shutil.which(name))), None)
        if not self.chromium.is_file():
            raise UsageError(f"--chromium {self.chromium}: there is no such file.")
        return str(self.chromium)


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, read."""

    page: str
    goal: str
    budget_s: float
    chromium: Chromium
    plain: bool


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `ended`: the page's last address."""

    outcome: Outcome
    endpoint: Endpoint
    ended: str
    page_s: float
    model_s: float
    step_times: tuple[StepTime, ...]


def browse(
    page: str,
    goal: str,
    /,
    *,
    asking: Annotated[Asking, Parameter(name="*")] = Asking(),  # noqa: B008 - frozen
    chromium: Annotated[Chromium, Parameter(name="*")] = Chromium(),
    db: Db = None,
    json: Annotated[bool, SWITCH] = False,
) -> None:
    """Let a model act on a web page, and answer.

    It reads the page as its accessibility tree, clicks, types and goes back. What is on the pages goes to the endpoint, and what the
    model sends to a site is sent: give it goals that you would give to a stranger at your keyboard. It has none of your logins.

    Parameters
    ----------
    page
        The address to begin at.
    goal
        What to do or to find out, as in "which plan has single sign-on?".
    db
        The record's file, into which the run is recorded. Also from TITHE_DB.
    json
        Print one JSON object in place of text.
    """
    require_browser()
    if not goal.strip():
        raise UsageError("The goal is empty: say what is to be done.")
    asked = _Asked(page=page, goal=goal, budget_s=asking.budget_s(), chromium=chromium, plain=asking.plain)
    wanted = asking.endpoint()
    notes = Console(stderr=True)
    with recorded(db):
        run = run_command(_run(asked, wanted, notes))
    if json:
        sys.stdout.write(msgspec.json.encode(_report(asked, run)).decode() + "\n")
    else:
        show(lambda console: _print(run, console))
    say_where(db, notes)
    if run.outcome.error is not None:
        raise run.outcome.error
    if run.outcome.answer is None:
        sys.exit(NO_ANSWER)


async def _run(asked: _Asked, wanted: Wanted, notes: Console) -> _Run:
    from tithe.agent.browser import Browser

    asyncio.get_running_loop().set_exception_handler(_unheard)

    async with (
        open_target(wanted, timeout_s=min(TIMEOUT_S, asked.budget_s)) as target,
        Browser(
            asked.page,
            executable=asked.chromium.executable(),
            window=asked.chromium.window,
            sandbox=not asked.chromium.no_sandbox,
            anywhere=asked.chromium.anywhere,
            tell=lambda event: print_event(event, notes),
        ) as browser,
    ):
        say(notes, f"Asking {target.endpoint.model} at {target.endpoint.url}, which gets to see the pages.")
        agent = browser.agent(target.backend, target.endpoint.model, plain=asked.plain)
        outcome = await agent.run(asked.goal, asked.budget_s)
        return _Run(
            outcome=outcome,
            endpoint=target.endpoint,
            ended=browser.address,
            page_s=browser.times.page.seconds,
            model_s=browser.times.model.seconds,
            step_times=browser.times.steps(),
        )


def _unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ctrl-C ends Playwright's driver too, and nobody waits for its last word."""
    if "reading from the driver" not in str(context.get("exception")):
        loop.default_exception_handler(context)


def _print(run: _Run, console: Console) -> None:
    page, model = figures.seconds(run.page_s), figures.seconds(run.model_s)
    took = f"Of that the page took {page}, and the model {model}. It ended at {run.ended}"
    print_outcome(run.outcome, console, [took])
    print_steps(run.step_times, console)


def _report(asked: _Asked, run: _Run) -> BrowseReport:
    return BrowseReport.of(
        asked.goal,
        run.endpoint,
        run.outcome,
        page=asked.page,
        ended=run.ended,
        page_s=run.page_s,
        model_s=run.model_s,
        step_times=run.step_times,
    )
