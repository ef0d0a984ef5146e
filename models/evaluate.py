"""Evaluate a model on held-out tasks, through a real endpoint and with tools that act.

    python models/evaluate.py --out card.md --json runs.json      # the bundled model; hours, or less
    python models/evaluate.py --quick                             # a few tasks
    python models/evaluate.py --model models/out/nano             # another model folder
    python models/evaluate.py --url http://127.0.0.1:8383/v1      # an endpoint that is there

Prints Markdown for a model card: success, steps and malformed calls by family and temperature, pass@k,
and the settings. Needs the engine, not torch: `make evaluate ARGS=...` runs it in the package's own
environment. Ctrl-C prints the figures of what was run by then.

What can be repeated. Tasks, tools and checks are the same for the same seeds and the same version of
`tithe.world`, and every run sends a sampling seed of its own. The same seed gives the same answer where
the endpoint computes the same logits: with `--precision f32` it does, whatever shares its steps. By
default OpenVINO quantizes activations by what stands in a batch, so two evaluations agree in their
figures within the intervals and not run by run, not even at temperature 0 (docs/decisions.md, 1). A
repair whose code runs into a limit of time may end otherwise on a busy machine.

Exit status: 0 done; 1 the endpoint failed on the way; 2 what was asked for cannot be done; 130 interrupted.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

import tithe
from evaluation_endpoint import BUNDLED, running, started
from evaluation_report import Evaluation, Setting, markdown
from evaluation_runs import Arm, Design, Run, Runner, plan
from tithe.cli.loop import run_command
from tithe.core.errors import EndpointError, TitheError, UsageError
from tithe.world import FAMILIES, SPLITS

T = TypeVar("T")

PRECISIONS = ("auto", "f32", "u8")
# What is taken where nothing is said, and what --quick takes then.
QUICK: dict[str, tuple[Any, Any]] = {
    "tasks": (200, 3),
    "temperatures": ((0.0, 0.3, 0.7, 1.0), (0.0,)),
    "constrained": ("also", "no"),
    "candidates": (5, 2),
    "pass_tasks": (None, 2),
    "max_tokens": (256, 256),
}
INTERRUPTED = "It was interrupted."
PROGRESS_S = 5.0


class Parser(argparse.ArgumentParser):
    """Says what is wrong in a line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See --help.")


class Given(argparse.Namespace):
    """The command line as it was read; None where --quick decides."""

    model: str | None
    url: str | None
    precision: str
    families: tuple[str, ...]
    split: str
    first_seed: int
    tasks: int
    temperatures: tuple[float, ...]
    constrained: str
    candidates: int
    pass_tasks: int | None
    pass_temperature: float
    pass_at: tuple[int, ...] | None
    max_tokens: int
    concurrency: int
    quick: bool
    json: Path | None
    out: Path | None


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Evaluate as the arguments say; returns the exit status. Errors go to stderr, in a line."""
    try:
        given = parse(arguments)
        design = design_of(given)
        for path in (given.json, given.out):
            if path is not None:
                check_writable(path)
        evaluation, status = run_command(evaluate(given, design, arguments))
    except TitheError as error:
        sys.stderr.write(f"evaluate: {error.message}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"evaluate: {INTERRUPTED}\n")
        return 130
    if evaluation.incomplete is not None:
        sys.stderr.write(f"evaluate: {evaluation.incomplete}\n")
    if not evaluation.runs:
        return status
    shown = markdown(evaluation)
    print(shown, end="", flush=True)
    if given.out is not None:
        given.out.write_text(shown, encoding="utf-8")
    if given.json is not None:
        given.json.write_bytes(msgspec.json.encode(evaluation) + b"\n")
    return status


def parse(arguments: Sequence[str]) -> Given:
    """Raises `UsageError` for what is no option or no value of one."""
    parser = Parser(description="Evaluate a model on held-out tasks.", allow_abbrev=False)
    add = parser.add_argument
    add(
        "--model", help="a model folder, or nano (the bundled model, the default); with --url, its name there"
    )
    add("--url", help="an endpoint that is running, in place of one started for this")
    add("--precision", choices=PRECISIONS, default="auto", help="of the endpoint that is started")
    add("--families", type=listed(str), default=FAMILIES, help="with commas; all unless named")
    add("--split", choices=SPLITS, default="held_out")
    add("--first-seed", type=at_least(0), default=10_000, help="lower ones are for watching a training")
    add("--tasks", type=at_least(1), help="a family (200)")
    add("--temperatures", type=listed(float), help="with commas (0,0.3,0.7,1)")
    add(
        "--constrained",
        nargs="?",
        choices=("no", "also", "only"),
        const="only",
        help="hold calls to the tools' schemas: no; also, at the lowest temperature (the default); or only",
    )
    add("--candidates", type=at_least(0), help="a task, for pass@k (5); 0 leaves it out")
    add("--pass-tasks", type=at_least(1), help="a family, for pass@k (all of --tasks)")
    add("--pass-temperature", type=float, default=0.7)
    add("--pass-at", type=listed(int), help="the k of pass@k, with commas (1 to --candidates, at most 5)")
    add("--max-tokens", type=at_least(1), help="an answer (256); the expert's longest has fewer than 230")
    add("--concurrency", type=at_least(1), default=8, help="runs at once")
    add("--quick", action="store_true", help="a few tasks; options named beside it keep their value")
    add("--json", type=Path, help="write every run to this file")
    add("--out", type=Path, help="write the Markdown to this file as well")
    given = parser.parse_args(arguments, namespace=Given())
    for name, (whole, quick) in QUICK.items():
        if getattr(given, name) is None:
            setattr(given, name, quick if given.quick else whole)
    return given


def at_least(least: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"{text} is too few: at least {least}")
        return value

    return whole_number


def listed(kind: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    def list_of_values(text: str) -> tuple[T, ...]:
        return tuple(dict.fromkeys(kind(part.strip()) for part in text.split(",")))

    return list_of_values


def design_of(given: Given) -> Design:
    """Raises `UsageError` for values that do not go together."""
    for family in given.families:
        if family not in FAMILIES:
            raise UsageError(f"There is no family {family!r}. Families: {', '.join(FAMILIES)}.")
    for temperature in (*given.temperatures, given.pass_temperature):
        if not 0 <= temperature <= 2:
            raise UsageError(f"The temperature {temperature:g} cannot be: give one from 0 to 2.")
    ks = given.pass_at if given.pass_at is not None else range(1, min(5, given.candidates) + 1)
    for k in ks:
        if not 1 <= k <= given.candidates:
            raise UsageError(
                f"pass@{k} cannot be told from {given.candidates} candidates a task: give --candidates {k} or "
                "more, or other --pass-at."
            )
    only = given.constrained == "only"
    arms = [Arm(temperature=temperature, constrained=only) for temperature in given.temperatures]
    if given.constrained == "also":
        arms.insert(1, Arm(temperature=min(given.temperatures), constrained=True))
    return Design(
        families=tuple(family for family in FAMILIES if family in given.families),
        split=next(split for split in SPLITS if split == given.split),
        first_seed=given.first_seed,
        tasks=given.tasks,
        arms=tuple(sorted(arms, key=lambda arm: (arm.temperature, arm.constrained))),
        candidates=given.candidates,
        pass_tasks=given.pass_tasks or given.tasks,
        pass_arm=Arm(temperature=given.pass_temperature, constrained=only),
        pass_at=tuple(sorted(ks)),
        max_tokens=given.max_tokens,
        concurrency=given.concurrency,
    )


def check_writable(path: Path) -> None:
    """Raises `UsageError` when `path` cannot be written: now, not when all has been run."""
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Name another file.") from error


async def evaluate(given: Given, design: Design, arguments: Sequence[str]) -> tuple[Evaluation, int]:
    """Run the design, as far as it goes; also returns the exit status.

    Raises `UsageError` when the endpoint cannot be started or reached.
    """
    begun, date = time.monotonic(), dt.datetime.now(dt.UTC)
    planned = plan(design)
    incomplete, status = None, 0
    endpoint = (
        running(given.url, given.model) if given.url else started(given.model or BUNDLED, given.precision)
    )
    async with endpoint as target:
        runner = Runner(target.backend, target.model, design, target.extra)
        try:
            await runner.run(planned, Progress(len(planned)))
        except asyncio.CancelledError:
            incomplete, status = INTERRUPTED, 130
        except EndpointError as error:
            incomplete, status = f"The endpoint failed: {error.message}", 1
    wall = time.monotonic() - begun
    settings = (*target.settings, *design_settings(design, arguments, date, wall), *machine_settings())
    evaluation = Evaluation(
        design=design,
        planned=len(planned),
        settings=settings,
        runs=tuple(runner.runs),
        incomplete=incomplete,
    )
    return evaluation, status


def design_settings(
    design: Design, arguments: Sequence[str], date: dt.datetime, wall_s: float
) -> tuple[Setting, ...]:
    """What was run, when, and how long it took."""
    first = design.first_seed
    seeds = f"{design.split}, {first} to {first + design.tasks - 1}"
    if design.pass_at:
        seeds += f"; for pass@k {first} to {first + design.pass_tasks - 1}"
    command = shlex.join(["python", "models/evaluate.py", *arguments])
    return (
        Setting(name="tasks a family", value=str(design.tasks)),
        Setting(name="task seeds", value=seeds),
        Setting(name="sampling seeds", value="one a run: BLAKE2b of `family/seed/candidate`, 6 bytes"),
        Setting(name="tokens an answer", value=f"at most {design.max_tokens}"),
        Setting(name="runs at once", value=str(design.concurrency)),
        Setting(name="command", value=f"`{command}`"),
        Setting(name="date", value=f"{date:%Y-%m-%d %H:%M} UTC"),
        Setting(name="wall clock", value=f"{wall_s / 60:.1f} min" if wall_s >= 60 else f"{wall_s:.1f} s"),
    )


def machine_settings() -> tuple[Setting, ...]:
    """Where this script ran, and under which versions."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(
            (line.partition(":")[2].strip() for line in lines if "model name" in line), processor
        )
    return (
        Setting(name="machine", value=f"{processor}, {os.cpu_count()} CPUs, {platform.system()}"),
        Setting(name="versions", value=f"tithe {tithe.__version__}, Python {platform.python_version()}"),
    )


class Progress:
    """Says on stderr how far it is, every few seconds."""

    def __init__(self, planned: int) -> None:
        self._planned = planned
        self._done = self._succeeded = 0
        self._begun = self._said = time.monotonic()

    def __call__(self, run: Run) -> None:
        self._done += 1
        self._succeeded += run.succeeded
        now = time.monotonic()
        if now - self._said < PROGRESS_S and self._done < self._planned:
            return
        self._said = now
        spent = now - self._begun
        left = spent / self._done * (self._planned - self._done)
        sys.stderr.write(
            f"{self._done} of {self._planned} runs, {self._succeeded} succeeded; "
            f"{spent:.0f} s, about {left:.0f} s to go\n"
        )
        sys.stderr.flush()


if __name__ == "__main__":
    main()
