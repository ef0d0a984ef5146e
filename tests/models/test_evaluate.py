"""The evaluation counts what happened: expert and faulty answers are played to it over a real socket."""

import asyncio
import itertools
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from math import comb
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tithe.core import Message, Request, Script, ScriptedBackend, TextDelta, ToolCallDelta
from tithe.core.errors import ContextOverflow, EngineError
from tithe.core.statistics import wilson
from tithe.net.options import ServerOptions
from tithe.net.server import Server
from tithe.world import FAMILIES, Family, make_task, solve

MODELS = Path(__file__).parents[2] / "models"
sys.path.insert(0, str(MODELS))  # its scripts import each other as what lies beside them

import evaluate  # noqa: E402
import evaluation_figures as figures  # noqa: E402
from evaluation_report import Evaluation, markdown  # noqa: E402
from evaluation_runs import Arm, Run, plan, sampling_seed  # noqa: E402

SCRIPT = MODELS / "evaluate.py"
FIRST = 10_000
GARBLED = '<tool_call>\n{"oops'

Behave = Callable[[Family, int, int, bool], str]
"""How to answer, by family, offset of the task's seed, candidate, and whether the tools are held."""


@cache
def expert(family: Family, seed: int) -> tuple[Message, ...]:
    messages = solve(make_task(family, seed, "held_out")).messages
    # Answers without a call, which an expert's detour may have, change nothing in the world.
    return tuple(message for message in messages if message.role == "assistant" and message.tool_calls)


@cache
def goals(tasks: int) -> dict[str, tuple[Family, int]]:
    return {make_task(f, FIRST + i, "held_out").goal: (f, i) for f in FAMILIES for i in range(tasks)}


def call(name: str, arguments: str, number: int) -> ToolCallDelta:
    return ToolCallDelta(at=0.0, call=0, id=f"made_{number}", name=name, arguments=arguments)


def player(behave: Behave, tasks: int = 4, candidates: int = 3) -> ScriptedBackend:
    """A model that answers each task as `behave` says."""

    def answer(request: Request) -> Script:
        family, offset = goals(tasks)[request.messages[1].content or ""]
        seeds = [sampling_seed(family, FIRST + offset, candidate) for candidate in range(candidates)]
        how = behave(family, offset, seeds.index(request.sampling.seed), request.tools[0].strict is not False)
        said = sum(message.role == "assistant" for message in request.messages)
        return script(how, expert(family, FIRST + offset), said)

    return ScriptedBackend(answer)


def script(how: str, turns: tuple[Message, ...], said: int) -> Script:
    match how:
        case "garbled":
            return Script(deltas=[TextDelta(at=0.0, text=GARBLED)])
        case "silent":
            return Script(deltas=[TextDelta(at=0.0, text="Hm.")], finish="length")
        case "wrong":
            return Script(deltas=[call("finish", '{"answer": "no idea"}', said)], finish="tool_calls")
        case "hang":
            return Script(deltas=[TextDelta(at=0.0, text="late")], ttft=3600.0)
        case "break":
            return Script(error=EngineError("The engine broke."))
        case "overflow" if said == 2:
            return Script(error=ContextOverflow("The conversation is too long."))
        case "unfit" if said < 2:
            return Script(deltas=[call("finish", '{"result"' + ": 1}" * said, said)], finish="tool_calls")
        case "unfit":
            said -= 2
    turn = turns[said].tool_calls[0]
    deltas = [call(turn.name, turn.arguments, said)]
    if how == "mixed" and said == 0:
        return Script(deltas=[TextDelta(at=0.0, text=GARBLED), *deltas], finish="tool_calls")
    return Script(deltas=deltas, finish="tool_calls")


@asynccontextmanager
async def serving(backend: ScriptedBackend) -> AsyncIterator[str]:
    server = Server(backend, "nano", ServerOptions(port=0, drain_s=0.2))
    await server.start()
    try:
        yield server.url
    finally:
        await server.stop()


async def evaluated(backend: ScriptedBackend, *flags: str) -> tuple[Evaluation, int]:
    async with serving(backend) as url:
        arguments = ["--url", url, "--first-seed", str(FIRST), *flags]
        given_ = evaluate.parse(arguments)
        return await evaluate.evaluate(given_, evaluate.design_of(given_), arguments)


def by(runs: tuple[Run, ...], family: Family, offset: int, candidate: int = 0) -> Run:
    (run,) = (r for r in runs if (r.family, r.seed, r.candidate) == (family, FIRST + offset, candidate))
    return run


async def test_each_kind_of_run_is_counted_as_what_it_was() -> None:
    ways = {
        "lookup": ["expert", "garbled", "unfit", "wrong"],
        "repair": ["expert", "silent", "mixed", "overflow"],
        "records": ["unfit", "expert", "expert", "mixed"],
    }
    backend = player(lambda family, offset, candidate, held: ways[family][offset])
    flags = ("--tasks", "4", "--temperatures", "0", "--constrained", "no", "--candidates", "0")
    evaluation, status = await evaluated(backend, *flags)
    runs = evaluation.runs
    assert (status, evaluation.incomplete, len(runs)) == (0, None, 12)

    solved = by(runs, "lookup", 0)
    length = len(expert("lookup", FIRST))
    assert (solved.succeeded, solved.finished, solved.answers, solved.steps) == (True, True, length, length)
    assert (solved.idle, solved.faults, solved.cut) == (0, 0, 0)

    garbled = by(runs, "lookup", 1)
    limit = make_task("lookup", FIRST + 1, "held_out").step_limit
    assert (garbled.succeeded, garbled.finished, garbled.refused) == (False, False, None)
    assert garbled.idle == garbled.idle_garbled == garbled.steps == garbled.answers == limit

    # One call whose arguments are no JSON, and one that does not fit its schema; then all is well.
    unfit = by(runs, "lookup", 2)
    assert (unfit.succeeded, unfit.faults, unfit.idle) == (True, 2, 0)
    assert unfit.steps == len(expert("lookup", FIRST + 2)) + 2

    wrong = by(runs, "lookup", 3)
    assert (wrong.succeeded, wrong.finished, wrong.steps, wrong.faults) == (False, True, 1, 0)

    silent = by(runs, "repair", 1)
    assert (silent.idle, silent.idle_garbled, silent.cut) == (silent.steps, 0, silent.steps)

    mixed = by(runs, "repair", 2)
    assert (mixed.succeeded, mixed.part_garbled, mixed.idle) == (True, 1, 0)

    over = by(runs, "repair", 3)
    assert (over.succeeded, over.finished, over.answers) == (False, False, 2)
    assert over.refused is not None
    assert "The conversation is too long." in over.refused

    rows = {row.family: row for row in figures.arm_figures(runs, evaluation.design)}
    lookup = rows["lookup"]
    assert lookup.success == wilson(2, 4)
    steps = sorted([solved.steps, unfit.steps])
    assert lookup.steps_median == pytest.approx(sum(steps) / 2)
    assert lookup.steps_p90 == pytest.approx(steps[0] + 0.9 * (steps[1] - steps[0]))
    owed = solved.steps + limit + unfit.steps + 1
    assert (lookup.out_of_steps, lookup.refused) == (1, 0)
    assert lookup.unread == wilson(limit, owed)
    assert lookup.unfit == wilson(2, owed)
    assert lookup.sound == wilson(owed - limit - 2, owed)
    # Every call that was owed was begun, and the garbled ones count against it.
    assert lookup.sound_of_made == wilson(owed - limit - 2, owed)
    repair = rows["repair"]
    assert (repair.out_of_steps, repair.refused) == (1, 1)
    # The half-read answer owes one call more than it made.
    assert repair.unread == wilson(silent.steps + 1, sum(by(runs, "repair", i).steps for i in range(4)) + 1)
    # Prose that begins no call is no call that was made; the half-read one is.
    made = sum(by(runs, "repair", i).steps for i in range(4)) + 1 - silent.steps
    unfit_there = sum(by(runs, "repair", i).faults for i in range(4))
    assert repair.sound_of_made == wilson(made - 1 - unfit_there, made)
    assert rows[None].success == wilson(8, 12)

    shown = markdown(evaluation)
    assert "### pass@k" not in shown
    assert f"{silent.cut} were cut at 256 tokens" in shown
    assert "In 1 of all 12 runs the endpoint refused to go on" in shown


async def test_candidates_are_independent_and_pass_at_k_counts_them() -> None:
    # Of three candidates, as many succeed as the task's number.
    backend = player(
        lambda family, offset, candidate, held: "expert" if candidate < offset else "wrong", candidates=3
    )
    flags = ("--families", "records,lookup", "--tasks", "4", "--temperatures", "0.7,0", "--constrained", "no")
    evaluation, _ = await evaluated(backend, *flags, "--candidates", "3")
    # Candidate 0 at 0.7 is the run that the temperatures have already.
    assert len(evaluation.runs) == evaluation.planned == 2 * 4 * 4
    assert len({r.sampling_seed for r in evaluation.runs}) == 2 * 4 * 3
    rows = figures.pass_figures(evaluation.runs, evaluation.design)
    assert [row.family for row in rows] == ["lookup", "records", None]
    for row in rows:
        assert row.tasks == (8 if row.family is None else 4)
        assert {k: at.value for k, at in row.at.items() if at} == pytest.approx(
            {1: (0 + 1 / 3 + 2 / 3 + 1) / 4, 2: (0 + 2 / 3 + 1 + 1) / 4, 3: 3 / 4}
        )
        assert row.gain is not None
        assert row.gain.value == pytest.approx(1 / 4)
        assert row.gain.low <= row.gain.value <= row.gain.high
    # A task that an interruption left without one of its candidates is no task with fewer.
    lost = by(tuple(r for r in evaluation.runs if r.temperature == 0.7), "lookup", offset=0, candidate=2)
    part = figures.pass_figures([r for r in evaluation.runs if r is not lost], evaluation.design)
    assert [row.tasks for row in part] == [3, 4, 7]
    assert part[0].at[1] is not None
    assert part[0].at[1].value == pytest.approx((1 / 3 + 2 / 3 + 1) / 3)
    (success, *_) = [
        row for row in figures.arm_figures(evaluation.runs, evaluation.design) if row.arm.temperature == 0.7
    ]
    assert success.success == wilson(3, 4)


async def test_an_arm_with_a_grammar_stands_beside_the_one_without() -> None:
    backend = player(lambda family, offset, candidate, held: "expert" if held else "garbled")
    flags = ("--families", "records", "--tasks", "3", "--temperatures", "0.3,0", "--candidates", "0")
    evaluation, _ = await evaluated(backend, *flags)
    assert evaluation.design.arms == (
        Arm(temperature=0.0),
        Arm(temperature=0.0, constrained=True),
        Arm(temperature=0.3),
    )
    rows = [row for row in figures.arm_figures(evaluation.runs, evaluation.design) if row.family is None]
    assert [row.success for row in rows] == [wilson(0, 3), wilson(3, 3), wilson(0, 3)]
    assert {tool.strict for request in backend.requests for tool in request.tools} == {None, False}
    assert {request.tool_choice.mode for request in backend.requests} == {"auto"}


async def test_when_the_endpoint_fails_what_was_run_is_kept() -> None:
    backend = player(lambda family, offset, candidate, held: "expert" if offset < 2 else "break")
    flags = ("--families", "lookup", "--tasks", "4", "--temperatures", "0", "--constrained", "no")
    evaluation, status = await evaluated(backend, *flags, "--concurrency", "1", "--candidates", "0")
    assert status == 1
    assert [run.seed for run in evaluation.runs] == [FIRST, FIRST + 1]
    assert "The engine broke." in (evaluation.incomplete or "")
    assert "**Incomplete: 2 of 4 runs.**" in markdown(evaluation)


async def test_interrupted_it_prints_the_figures_of_what_was_run(tmp_path: Path) -> None:
    kept = tmp_path / "runs.json"
    backend = player(lambda family, offset, candidate, held: "hang" if offset == 2 else "expert")
    flags = ["--families", "lookup", "--tasks", "4", "--temperatures", "0", "--constrained", "no"]
    flags += ["--concurrency", "1", "--candidates", "0", "--json", str(kept)]
    async with serving(backend) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SCRIPT), "--url", url, *flags),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        hanging = make_task("lookup", FIRST + 2, "held_out").goal
        while not any(request.messages[1].content == hanging for request in backend.requests):
            assert process.returncode is None
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert process.returncode == 130
    assert out.decode().startswith("**Incomplete: 2 of 4 runs.** It was interrupted.")
    assert "2/2: 100.0 %" in out.decode()
    assert "Traceback" not in err.decode()
    evaluation = msgspec.json.decode(kept.read_bytes(), type=Evaluation)
    assert (len(evaluation.runs), evaluation.incomplete) == (2, "It was interrupted.")


async def test_a_quick_evaluation_of_the_bundled_model_is_well_formed(tmp_path: Path) -> None:
    kept, written = tmp_path / "runs.json", tmp_path / "card.md"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPT), "--quick"),
        *("--json", str(kept), "--out", str(written)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    shown = out.decode()
    assert written.read_text("utf-8") == shown
    evaluation = msgspec.json.decode(kept.read_bytes(), type=Evaluation)
    design, runs = evaluation.design, evaluation.runs
    assert len(runs) == evaluation.planned == len(plan(design)) == 3 * 3 + 3 * 2 * 2
    for run in runs:
        assert run.answers <= run.steps
        assert run.idle + run.faults <= run.steps
        assert run.finished or run.refused or run.steps == 16 or run.steps == 14
        assert run.decode_s is not None
    for family in (*FAMILIES, "all"):
        swept = [
            r for r in runs if family in (r.family, "all") and r.arm == design.arms[0] and r.candidate == 0
        ]
        succeeded, n = re.findall(rf"^\| 0 \| free \| {family} \| (\d+)/(\d+): .*\|$", shown, re.MULTILINE)[0]
        assert (int(succeeded), int(n)) == (sum(r.succeeded for r in swept), len(swept))
        (tasks,) = re.findall(rf"^\| {family} \| (\d+) \|.*\|$", shown, re.MULTILINE)
        assert int(tasks) == (6 if family == "all" else 2)
    assert len(set(re.findall(r"`[0-9a-f]{64}`", shown))) == 1
    # Every row of a table has as many cells as its head.
    for table in re.findall(r"(?:^\|.*\|\n)+", shown, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--families", "lookup,cooking"], "There is no family 'cooking'"),
        (["--pass-at", "1,3", "--candidates", "2"], "pass@3 cannot be told from 2 candidates"),
        (["--pass-at", "0"], "pass@0 cannot be told"),
        (["--temperatures", "0,hot"], "--temperatures"),
        (["--temperatures", "nan"], "The temperature nan cannot be"),
        (["--tasks", "0"], "0 is too few"),
        (["--model", "no/such/folder"], "There is no model folder no/such/folder"),
        (["--model", "."], "openvino_model.xml"),
        (["--url", "http://127.0.0.1:9/v1"], "127.0.0.1:9"),
        (["--url", "ftp://here"], "ftp://here"),
        (["--out", "no/such/folder/card.md"], "no/such/folder/card.md cannot be written"),
        (["--thoroughly"], "--thoroughly"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    flags: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert evaluate.run(flags) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_success(ncks: tuple[int, int, int]) -> None:
    n, c, k = ncks
    draws = itertools.combinations([True] * c + [False] * (n - c), k)
    assert figures.pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / comb(n, k))


def test_the_interval_over_tasks_is_drawn_within_families() -> None:
    assert figures.mean_over_tasks([[], []]) is None
    # What differs between families only is no noise.
    fixed = figures.mean_over_tasks([[1.0] * 5, [0.0] * 5])
    assert fixed is not None
    assert (fixed.value, fixed.low, fixed.high, fixed.n) == (0.5, 0.5, 0.5, 10)
    noisy = figures.mean_over_tasks([[1.0, 0.0] * 5, [0.0, 1.0] * 5])
    assert noisy is not None
    assert noisy.low < 0.4 < 0.6 < noisy.high
    alike = figures.mean_over_tasks([[1.0, 1.0], [1.0]])
    assert alike is not None
    assert (alike.value, alike.low, alike.high) == (1.0, None, None)
