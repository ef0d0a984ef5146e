"""`tithe whatif` and `tithe plan` from the command line: recorded, described, with a profile, and what they refuse."""

import json
from pathlib import Path

import msgspec
import pytest
from tests.ledger.trees import span

from tithe.audit import AuditPlan, AuditReport
from tithe.audit.known import KnownOptions
from tithe.cli.main import run
from tithe.cli.profiles import profile_of
from tithe.core import Anchor, Span
from tithe.trace import Store
from tithe.whatif import Beside, Fit

from .audits import audited

PLAN = AuditPlan(
    lengths=(64, 512), repeats=8, concurrency=(1, 2), agent_steps=4, rounds=2, task_repeats=1, task_steps=2
)
TRUTH = KnownOptions()


@pytest.fixture(scope="module")
def report() -> AuditReport:
    return audited(PLAN)


@pytest.fixture
def profile(report, tmp_path: Path) -> str:
    file = tmp_path / "audit.json"
    file.write_bytes(msgspec.json.encode(report))
    return str(file)


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = tmp_path / "record.db"
    spans = [span("task", "task", 0.0, 30.0, name="shop", source="api")]
    for step in range(10):
        at = 3.0 * step
        spans.append(
            span(f"c{step}", "call", at, at + 2.0, "task", first_token=0.6, last_token=2.0, input_tokens=500 + 40 * step,
                 cache_read_tokens=460 + 40 * step if step else 0, output_tokens=85, request_model="m")
        )  # fmt: skip
        spans.append(span(f"t{step}", "tool", at + 2.0, at + 2.9, "task"))
    idle = [msgspec.structs.replace(span("i", "task", 0.0, 1.0, name="idle"), trace="idle")]
    with Store.open(path) as store:
        for some in (spans, idle):
            recording = store.begin(Anchor(monotonic=0.0, unix=1_790_000_000.0), source="api")
            store.add(recording, some)
            store.finish(recording, at=30.0)
    return str(path)


def projected(capsys, *arguments: str) -> dict:
    assert run(["whatif", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_missions_task_from_the_command_line(capsys):
    mission = "--steps 10 --out 80 --tool-time 0.4s --failed 1 --retry-time 2s --ttft 200ms --tps 200"
    found = projected(capsys, *mission.split())
    assert found["before_s"] == pytest.approx(25.33, abs=0.01)
    assert found["wall"]["p50"] == pytest.approx(12.0)
    assert run(["whatif", *mission.split()]) == 0
    out = capsys.readouterr().out
    assert "25.3 s before, 12.0 s projected, 2.11 times as fast" in out
    assert "The floor is 4.00 s (tool 4.00 s)" in out


@pytest.mark.parametrize(("failed", "before", "after"), [(1, 30.33, 0.5), (2, 35.33, 1.0)])
def test_the_missions_retry_costs_five_seconds_or_half_of_one(failed, before, after, capsys):
    task = "--steps 10 --out 80 --tool-time 400ms --overhead 200ms --retry-time 5s --speedup 10"
    found = projected(capsys, *task.split(), "--failed", str(failed))
    assert found["before_s"] == pytest.approx(before, abs=0.01)
    assert found["before"]["retry"] == pytest.approx(5.0 * failed)
    assert found["after"]["retry"] == pytest.approx(after)
    assert found["wall"]["mean"] == pytest.approx(7.93 + after, abs=0.01)


@pytest.mark.parametrize(
    ("agent", "steps"),
    [
        ("--budget 1min --ttft 600ms --tps 80 --out 80 --tool-time 400ms", 30),
        ("--budget 40s --ttft 100ms --tps 400 --out 80 --tool-time 100ms", 100),
        ("--budget 1min --ttft 100ms --tps 400 --out 80 --tool-time 100ms", 150),
    ],
)
def test_the_missions_step_caps(agent, steps, capsys):
    assert run(["plan", *agent.split(), "--json"]) == 0
    [budget] = json.loads(capsys.readouterr().out)
    [plain] = [row for row in budget["rows"] if (row["design"], row["speed"]) == ("plain", 1.0)]
    assert (plain["steps_p50"], plain["steps_p95"]) == (steps, steps)


def test_a_recorded_task_at_ten_times_the_speed(db, capsys):
    found = projected(capsys, "t", "--speedup", "10", "--db", db)
    assert found["before_s"] == pytest.approx(30.0)
    assert found["wall"]["p50"] == pytest.approx(12.0)
    assert found["after"]["tool"] == pytest.approx(9.0)
    assert run(["whatif", "t", "--speedup", "10", "--tools", "x0.5", "--db", db]) == 0
    assert "30.0 s before, 7.50 s projected" in capsys.readouterr().out


def test_an_audit_is_fitted_to_what_its_endpoint_is(report):
    found = profile_of(report)
    assert isinstance(found.times.ttft, Fit)
    assert found.times.ttft.prices["uncached tokens"] == pytest.approx(TRUTH.uncached_token_s, rel=0.1)
    assert isinstance(found.times.decode, Fit)
    assert found.times.decode.prices["decoded tokens"] == pytest.approx(TRUTH.decode_s, rel=0.1)
    assert found.times.knows_cache()
    # Agents at once are served as one is: what others cost was measured, and is nothing.
    assert isinstance(found.times.decode_beside, Beside)
    assert found.times.decode_beside.share == pytest.approx(0.0)
    assert 0 < found.times.decode_beside.most <= 1
    assert found.capacity is not None
    for level, agents in zip(found.capacity.levels, (1, 2), strict=True):
        assert (level.agents, level.decode_s) == (agents, pytest.approx((PLAN.step_out - 1) * TRUTH.decode_s))
        assert level.pause_s == pytest.approx(PLAN.think_s, rel=0.5)


def test_a_recorded_task_on_a_measured_endpoint(db, profile, capsys):
    found = projected(capsys, "t", "--profile", profile, "--db", db)
    cold = projected(capsys, "t", "--profile", profile, "--cache", "cold", "--db", db)
    assert found["after"]["decode"] == pytest.approx(840 * TRUTH.decode_s, rel=0.1)
    assert cold["after"]["prefill"] > found["after"]["prefill"]
    laws = {"TTFT beside others", "decode beside others"}
    assert {fit["what"] for fit in found["fits"]} == {"TTFT", "decode", *laws}
    assert [fit["beside"]["share"] for fit in found["fits"] if fit["what"] in laws] == pytest.approx([0, 0])
    assert run(["whatif", "t", "--profile", profile, "--agents", "2", "--db", db]) == 0
    assert "as the audit measured it" in capsys.readouterr().out


def test_a_plan_as_a_table_and_as_json(profile, capsys):
    assert (
        run(["plan", "--budget", "30s", "voice", "--ttft", "600ms", "--tps", "60", "--tool-time", "0.4s"])
        == 0
    )
    out = capsys.readouterr().out
    assert "voice, a turn: 500 ms" in out
    assert "2 candidates" in out
    assert run(["plan", "--profile", profile, "--steps", "5", "--success", "0.9", "--json"]) == 0
    budgets = json.loads(capsys.readouterr().out)
    assert [budget["budget_s"] for budget in budgets] == [0.5, 2.0, 30.0, 120.0, 300.0]
    assert {row["speed"] for row in budgets[0]["rows"]} == {1.0, 3.0, 10.0}


def test_a_plan_is_a_page_too(tmp_path, capsys):
    html = tmp_path / "plan.html"
    assert run(["plan", "--ttft", "600ms", "--tps", "60", "--html", str(html)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "nothing tells how calls scatter" in out
    assert "Success is not known, so this is time alone" in out
    assert "TTFT 600 ms, 60 tokens/s" in html.read_text("utf-8")
    assert run(["plan", "--ttft", "600ms", "--tps", "60", "--html", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_success_is_that_of_an_audit_s_tasks(report, profile, capsys):
    solved = report.measured.task.figures.solved
    assert solved is not None
    arguments = ["plan", "--budget", "5min", "--profile", profile, "--evaluation", profile, "--steps", "2"]
    assert run([*arguments, "--json"]) == 0
    [budget] = json.loads(capsys.readouterr().out)
    steps = len(report.measured.task.runs[0].steps)
    [plain] = [row for row in budget["rows"] if (row["design"], row["speed"]) == ("plain", 1.0)]
    assert plain["right"] == pytest.approx(solved.value ** (2 / steps))
    assert run(arguments) == 0
    assert "Other tasks are another matter." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("whatif t --ttft 200", "--ttft is '200' of what? Give the unit: 200ms or 200s."),
        ("whatif t --speedup 0", "--speedup is 0"),
        ("whatif t --retries=-0.1", "--retries is -0.1"),
        ("whatif t --retries 95%", "--retries is 0.95"),
        ("whatif t --ttft -200ms", "--ttft is '-200ms', which is negative"),
        ("plan --budget -3s --ttft 1s --tps 5", "--budget is '-3s', which is negative"),
        ("whatif --steps 3 --failed 1", "give --retry-time"),
        ("whatif --steps 3 --retry-time 5s", "give --failed"),
        ("whatif t --tools half", "as in x0.5"),
        ("whatif idle --speedup 2", "has no answered LLM call"),
        ("whatif nosuch", "no task nosuch"),
        ("whatif t --profile {tmp}/old.json", "version 1"),
        ("whatif t --profile {tmp}/none.json", "cannot be read"),
        ("whatif t --steps 3", "not both"),
        ("whatif --out 3", "give --steps"),
        ("whatif t --agents 4", "give a profile"),
        ("plan --budget 30", "--budget is '30' of what?"),
        ("plan --budget soon --ttft 1s --tps 5", "voice, interactive"),
        ("plan", "needs an endpoint"),
        ("plan --ttft 1s --tps 5 --jitter 9", "--jitter is 9"),
        ("plan --ttft 1s --tps 5 --tool-time 4", "--tool-time is '4' of what?"),
        ("plan --ttft 1s --tps 5 --evaluation {tmp}/old.json", "version 1"),
        ("plan --ttft 1s --tps 5 --success 1 --evaluation x", "leave out --success"),
        ("whatif --steps 3 --failed 1 --retry-time 1e400s", "--retry-time is inf s"),
        ("whatif --steps 3 --base-tps nan", "--base-tps is nan"),
    ],
)
def test_what_cannot_be_is_one_clear_line(arguments, told, db, tmp_path, capsys):
    (tmp_path / "old.json").write_text('{"version": 1, "tithe": "0.0.1"}')
    typed = arguments.format(tmp=tmp_path).split()
    assert run([*typed, *(["--db", db] if typed[0] == "whatif" else [])]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    "typed", ["whatif --steps 3 --candidates 2.5", "whatif --steps 2.5", "plan --ttft 1s --tps 5 --out 2.5"]
)
def test_half_of_a_thing_is_no_whole_number(typed, capsys):
    assert run(typed.split()) == 2
    assert "'2.5' is no whole number" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_share_is_typed_either_way(capsys):
    found = [projected(capsys, "--steps", "5", "--retries", typed) for typed in ("0.05", "5%")]
    assert found[0] == found[1]
    assert run(["whatif", "--steps", "5", "--retries", "rarely"]) == 2
    assert "give one like 0.05 or 5%" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_described_task_needs_its_prompt_for_a_profile(profile, capsys):
    assert run(["whatif", "--steps", "5", "--profile", profile]) == 2
    assert "with --prompt" in capsys.readouterr().err
    found = projected(capsys, "--steps", "5", "--out", "84", "--prompt", "600", "--profile", profile)
    assert found["after"]["decode"] == pytest.approx(5 * 84 * TRUTH.decode_s, rel=0.1)


def test_an_empty_store_is_told(tmp_path, capsys):
    path = tmp_path / "empty.db"
    with Store.open(path):
        pass
    assert run(["whatif", "--db", str(path)]) == 2
    assert "no task" in capsys.readouterr().err


def test_a_projection_as_a_page(db, tmp_path: Path, capsys):
    page = tmp_path / "whatif.html"
    assert run(["whatif", "t", "--speedup", "10", "--db", db, "--html", str(page)]) == 0
    assert "30.0 s before, 12.0 s projected" in capsys.readouterr().out
    written = page.read_text("utf-8")
    assert "shop" in written
    assert "30.0\u00a0s before, 12.0\u00a0s projected" in written
    # With --json as well, and what the terminal shows is the same.
    assert projected(capsys, "t", "--speedup", "10", "--db", db, "--html", str(page))["wall"]["p50"] == (
        pytest.approx(12.0)
    )


@pytest.mark.parametrize("where", ["nowhere/whatif.html", "."])
def test_a_page_that_cannot_be_written_is_told_before_anything_is_read(where: str, tmp_path: Path, capsys):
    file = tmp_path / where
    assert run(["whatif", "--db", str(tmp_path / "none.db"), "--html", str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "cannot be written" in " ".join(told.err.split())
    assert "--html" in told.err


def test_what_is_refused_leaves_no_page(db, tmp_path: Path, capsys):
    page = tmp_path / "whatif.html"
    assert run(["whatif", "idle", "--db", db, "--html", str(page)]) == 2
    assert "no answered LLM call" in " ".join(capsys.readouterr().err.split())
    assert not page.exists()


def task_spans(name: str, host: str, ttfts: list[float]) -> list[Span]:
    spans = [msgspec.structs.replace(span(name, "task", 0.0, 40.0, name=name, source="proxy"), trace=name)]
    for step, ttft in enumerate(ttfts):
        at = 2.0 * step
        call = span(
            f"{name}-{step}", "call", at, at + ttft + 0.5, name, first_token=ttft, last_token=ttft + 0.5, input_tokens=500 + step,
            output_tokens=31, request_model="m", server=host,
        )  # fmt: skip
        spans.append(msgspec.structs.replace(call, trace=name))
    return spans


def stored(tmp_path: Path, *tasks: tuple[str, list[Span]]) -> str:
    path = tmp_path / "several.db"
    with Store.open(path) as store:
        for number, (source, spans) in enumerate(tasks):
            recording = store.begin(Anchor(monotonic=0.0, unix=1_790_000_000.0 + 100 * number), source=source)
            store.add(recording, spans)
            store.finish(recording, at=50.0)
    return str(path)


TTFTS = [0.6, 0.55, 0.66, 0.58, 0.63, 0.61, 0.57, 0.65, 0.6, 0.59]


def test_calls_are_fitted_to_all_that_the_record_has_of_the_endpoint_and_last_is_no_replay(tmp_path, capsys):
    tasks = [("api", task_spans(f"a{number}", "api.example", TTFTS)) for number in range(3)]
    tasks.append(("api", task_spans("other", "other.example", TTFTS)))
    short = ("api", task_spans("short", "api.example", [0.6, 0.7]))
    db = stored(tmp_path, *tasks, short, ("replay", task_spans("again", "api.example", TTFTS)))
    assert run(["whatif", "--speedup", "2", "--json", "--db", db]) == 0
    printed = capsys.readouterr()
    assert "short; the newest task is a replay" in printed.err
    found = json.loads(printed.out)
    assert found["tasks"][0]["name"] == "short"
    assert [(fit["what"], fit["n"], fit["tasks"]) for fit in found["fits"]] == [
        ("TTFT", 42, 5),
        ("decode", 42, 5),
    ]
    assert found["wall"]["low"] < found["wall"]["high"]


@pytest.mark.parametrize("host", ["127.0.0.1", None])
def test_without_an_endpoint_that_is_known_to_be_the_same_a_task_stands_alone(host, tmp_path, capsys):
    db = stored(
        tmp_path, ("api", task_spans("long", host, TTFTS)), ("api", task_spans("short", host, [0.6, 0.7]))
    )
    found = projected(capsys, "short", "--speedup", "2", "--db", db)
    assert (found["wall"]["low"], found["wall"]["high"]) == (None, None)
