"""An evaluation as Markdown, for a model card."""

from collections.abc import Sequence

import msgspec

from evaluation_figures import ArmFigures, PassFigures, arm_figures, decode_ms, pass_figures
from evaluation_runs import OPENING, Arm, Design, Run
from tithe.core.statistics import Estimate, Share

NONE = "–"

ARMS_NOTE = """\
`free`: calls are not held to a grammar, so that malformed ones are the model's own; `grammar`: held to
the tools' schemas. Steps are those of the runs that succeeded. In brackets: Wilson's 95 % interval."""
CALLS_NOTE = """\
Shares of all calls owed, one an answer at least: those that the endpoint could not read as a call, those
that it read and that do not fit their tool's schema, and the sound ones, which parse and fit. Of those
made: of the calls that the model began at all, read or not; answers in prose are left out. The calls of
one run hang together, so these intervals are somewhat too narrow."""
CANDIDATES_NOTE = """\
The chance that at least one of k candidates of the whole task succeeds (Chen et al. 2021, unbiased), in
percent. In brackets: 95 % bootstrap interval over tasks, none where all tasks came out alike."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table of settings."""

    name: str
    value: str


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All that was run, and under what. `incomplete` says why there is less than the design asks for."""

    design: Design
    planned: int
    settings: tuple[Setting, ...]
    runs: tuple[Run, ...]
    incomplete: str | None = None


def markdown(evaluation: Evaluation) -> str:
    """The whole report."""
    design, runs = evaluation.design, evaluation.runs
    parts: list[str] = []
    if evaluation.incomplete is not None:
        parts.append(
            f"**Incomplete: {len(runs)} of {evaluation.planned} runs.** {evaluation.incomplete} "
            "The figures are of what was run."
        )
    rows = arm_figures(runs, design)
    parts += [
        f"### Success on {design.split.replace('_', '-')} tasks",
        _success_table(rows),
        ARMS_NOTE,
        "### Calls",
        _calls_table(rows),
        " ".join([CALLS_NOTE, *_oddities(runs, design)]),
    ]
    if design.pass_at:
        arm = design.pass_arm
        how = f"{design.candidates} candidates a task at temperature {arm.temperature:g}, {_calls(arm)}"
        parts += [f"### pass@k: {how}", _pass_table(pass_figures(runs, design), design), CANDIDATES_NOTE]
    lines = [(setting.name, setting.value) for setting in evaluation.settings]
    lines.append(("decode, ms a token", _decode(runs, design)))
    parts += ["### Settings", _table(("", ""), lines)]
    return "\n\n".join(parts) + "\n"


def _success_table(rows: Sequence[ArmFigures]) -> str:
    head = ("temperature", "calls", "family", "success", "steps: median", "p90", "out of steps")
    return _table(
        head,
        [
            (
                *_names(row),
                share(row.success),
                number(row.steps_median),
                number(row.steps_p90),
                str(row.out_of_steps),
            )
            for row in rows
        ],
    )


def _calls_table(rows: Sequence[ArmFigures]) -> str:
    head = ("temperature", "calls", "family", "not read", "unfit", "sound", "sound of those made")
    return _table(
        head,
        [
            (*_names(row), share(row.unread), share(row.unfit), share(row.sound), share(row.sound_of_made))
            for row in rows
        ],
    )


def _names(row: ArmFigures) -> tuple[str, str, str]:
    return f"{row.arm.temperature:g}", _calls(row.arm), row.family or "all"


def _calls(arm: Arm) -> str:
    return "grammar" if arm.constrained else "free"


def _pass_table(rows: Sequence[PassFigures], design: Design) -> str:
    ks = design.pass_at
    head, gain = ("family", "tasks", *(f"pass@{k}" for k in ks)), f"pass@{ks[-1]} − pass@1"
    lines = [(row.family or "all", str(row.tasks), *(percent(row.at[k]) for k in ks)) for row in rows]
    if all(row.gain is None for row in rows):
        return _table(head, lines)
    gains = [percent(row.gain, sign="+") for row in rows]
    return _table((*head, gain), [(*line, last) for line, last in zip(lines, gains, strict=True)])


def _oddities(runs: Sequence[Run], design: Design) -> list[str]:
    """What seldom happens, said only when it did."""
    said: list[str] = []
    unread = sum(run.idle + run.part_garbled for run in runs)
    if unread:
        garbled = sum(run.idle_garbled + run.part_garbled for run in runs)
        said.append(
            f"Of all {unread} calls not read, {garbled} were begun with `{OPENING}`; the others are "
            "answers without a trace of one."
        )
    cut, answers = sum(run.cut for run in runs), sum(run.answers for run in runs)
    if cut:
        said.append(f"Of all {answers} answers, {cut} were cut at {design.max_tokens} tokens.")
    refused = sum(run.refused is not None for run in runs)
    if refused:
        said.append(
            f"In {refused} of all {len(runs)} runs the endpoint refused to go on; they count as failed."
        )
    return said


def _decode(runs: Sequence[Run], design: Design) -> str:
    found = decode_ms(runs)
    if found is None:
        return "not reported by the endpoint"
    return (
        f"median {found[0]:.2f}, p90 {found[1]:.2f} (by run, as the endpoint reported it, "
        f"{design.concurrency} runs at once)"
    )


def share(value: Share | None) -> str:
    """`12/20: 60 % (39–78)`."""
    if value is None:
        return NONE
    return (
        f"{value.successes}/{value.n}: {100 * value.value:.1f} % "
        f"({100 * value.low:.1f}–{100 * value.high:.1f})"
    )


def percent(value: Estimate | None, *, sign: str = "") -> str:
    """`61.3 (55.0–67.1)`: percent, or points with a sign."""
    if value is None:
        return NONE
    shown = f"{100 * value.value:{sign}.1f}"
    if value.low is None or value.high is None:
        return shown
    return f"{shown} ({100 * value.low:{sign}.1f} to {100 * value.high:{sign}.1f})"


def number(value: float | None) -> str:
    return NONE if value is None else f"{value:g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
