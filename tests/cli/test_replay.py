"""`tithe replay` as a process: against the embedded endpoint, the scripted server, and one that dies."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tithe.core import Anchor, Span
from tithe.core import attributes as at
from tithe.net.scripted import Received, Reply, ScriptedServer
from tithe.trace import Store

ROOT = Path(__file__).parents[2]
SPANS = (
    ("task", "task", None, 0.0, 5.0, {}),
    (
        "one",
        "call",
        "task",
        0.0,
        2.0,
        {at.INPUT_TOKENS: 300, at.OUTPUT_TOKENS: 12, at.FIRST_TOKEN: 1.0, at.LAST_TOKEN: 2.0},
    ),
    ("look", "tool", "task", 2.0, 2.2, {at.TOOL_NAME: "look"}),
    (
        "two",
        "call",
        "task",
        2.2,
        5.0,
        {at.INPUT_TOKENS: 420, at.OUTPUT_TOKENS: 12, at.FIRST_TOKEN: 1.0, at.LAST_TOKEN: 2.0},
    ),
)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A record with one task of two calls and a tool between them."""
    path = tmp_path / "record.db"
    with Store.open(path) as store:
        recording = store.begin(Anchor(monotonic=0.0, unix=1.79e9), source="api", name="mend")
        store.add(
            recording,
            [
                Span(
                    id=id_,
                    trace="t1",
                    kind=kind,
                    name=id_ if parent else "mend",
                    parent=parent,
                    start=start,
                    end=end,
                    attributes=told,
                )
                for id_, kind, parent, start, end, told in SPANS
            ],
        )
        store.finish(recording, at=5.0)
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tithe", "replay", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_embedded_endpoint_replays_a_task_and_the_record_has_it(db):
    ended = run("t1", "embedded", "--db", str(db), "--json", "--tools", "x2")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["made"], told["calls"], told["failure"]) == (2, 2, None)
    assert told["recorded"]["wall_s"] == pytest.approx(5.0)
    assert told["replayed"]["wall"]["tool"] == pytest.approx(0.4, abs=0.05)
    assert told["replayed"]["input_tokens"] == pytest.approx(720, rel=0.05)
    with Store.open(db) as store:
        kept = store.task(told["replay"])
    assert kept.source == "replay"
    assert kept.name == "replay of mend"
    calls = [span for span in kept.spans if span.kind == "call"]
    assert [span.attributes[at.REPLAY_OF] for span in calls] == ["one", "two"]
    # The second goes on from the first, so most of it is cached.
    assert calls[1].attributes[at.CACHE_READ_TOKENS] >= 256


def test_a_replay_loses_no_more_of_its_prefix_than_the_recorded_agent(tmp_path):
    path = str(tmp_path / "record.db")
    agent = (sys.executable, "examples/agent.py", "lookup", "1")
    tithe = (sys.executable, "-m", "tithe")
    recording = (*tithe, "record", "--upstream", "embedded", "--db", path, "--quiet", "--", *agent)
    ran = subprocess.run(recording, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode in (0, 1), ran.stderr
    told = json.loads(run("last", "embedded", "--db", path, "--json").stdout)

    def steps(task: str) -> list[tuple[int, int]]:
        """Prompt tokens, and those of them that were not cached, by step."""
        asked = (*tithe, "ledger", task, "--db", path, "--json")
        found = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=True)
        return [
            (step["input_tokens"], step["input_tokens"] - step["cached_tokens"])
            for step in json.loads(found.stdout)["steps"]
        ]

    recorded, replayed = steps(told["task"]), steps(told["replay"])
    assert len(recorded) == len(replayed) >= 4
    assert [prompt for prompt, _ in replayed] == pytest.approx([prompt for prompt, _ in recorded], rel=0.05)
    # The embedded endpoint is one, whatever its port was.
    with Store.open(Path(path)) as store:
        called = {
            one.attributes[at.SERVER]
            for task in (told["task"], told["replay"])
            for one in store.task(task).spans
            if at.SERVER in one.attributes
        }
    assert called == {"embedded"}
    # A block more or less, and a token or two where an answer meets what comes after it.
    assert [new for _, new in replayed] == pytest.approx([new for _, new in recorded], abs=40)


def chunk(delta: dict[str, str], finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "choices": [choice], **more}).encode() + b"\n\n"


def answer(request: Received) -> Reply:
    body = json.loads(request.body)
    words = sum(len(message["content"].split()) for message in body["messages"])
    usage = {"prompt_tokens": words, "completion_tokens": 1, "total_tokens": words + 1}
    return Reply(chunks=[(0.0, chunk({"content": "so"}, "stop", usage=usage)), (0.0, b"data: [DONE]\n\n")])


def whole_answer(request: Received) -> Reply:
    body = json.loads(request.body)
    words = sum(len(message["content"].split()) for message in body["messages"])
    out = body["max_tokens"]
    usage = {"prompt_tokens": words, "completion_tokens": out, "total_tokens": words + out}
    first, last = chunk({"content": "so"}), chunk({"content": " it is"}, "stop", usage=usage)
    return Reply(chunks=[(0.02, first), (0.02, last), (0.0, b"data: [DONE]\n\n")])


async def replayed(server: ScriptedServer, db: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    async with server:
        return await asyncio.to_thread(run, "last", server.url, "--model", "any", "--db", str(db), *flags)


async def test_both_ledgers_stand_side_by_side(db):
    ended = await replayed(ScriptedServer(by=answer), db, "--tools", "zero")
    assert ended.returncode == 0, ended.stderr
    assert "bucket" in ended.stdout
    rows = {
        line.split("  ")[1].strip(): line.split()
        for line in ended.stdout.splitlines()
        if line.startswith("  ")
    }
    assert rows["tool"][1:3] == ["200", "ms"]
    assert "wall clock" in rows
    assert "2 calls whose answers ended before the recorded length" in ended.stdout
    assert "recorded as" in ended.stdout


async def test_an_endpoint_that_dies_half_way_leaves_what_there_was(db):
    asked = 0

    def dying(request: Received) -> Reply:
        nonlocal asked
        asked += 1
        whole = answer(request)
        # Three calls go before a replay: the fifth is its second.
        return whole if asked < 5 else Reply(chunks=[(0.0, chunk({"content": "so"}))], cut=True)

    ended = await replayed(ScriptedServer(by=dying), db)
    assert ended.returncode == 1
    assert "The replay ended after 1 call of 2" in ended.stderr
    assert "ended. What there was until then" in " ".join(ended.stderr.split())
    assert "wall clock" in ended.stdout
    assert "replayed, 1 of 2 calls" in ended.stdout
    assert "It broke off after 1 call of 2" in ended.stdout
    assert "No projection to compare with" not in ended.stdout
    with Store.open(db) as store:
        [kept] = [one for one in store.task_records() if one.source == "replay"]
    errors = {span.attributes[at.REPLAY_OF]: span.error for span in kept.spans}
    assert errors["one"] is None
    assert errors["two"] == "StreamBroken"
    assert errors["task"] == "replay_ended"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nosuch", "embedded"], "There is no task nosuch"),
        (["t1", "embedded", "--tools", "half"], "--tools is 'half'; give a factor"),
        (["t1", "embedded", "--tools", "x-1"], "--tools is 'x-1'"),
        (["t1", "embedded", "--gaps", "10"], "--gaps is '10', without its unit"),
        (["t1", "embedded", "--gaps", "x-1"], "--gaps is 'x-1'; give a factor"),
        (["t1", "embedded", "--timeout=-1"], "--timeout is -1; give the seconds"),
        (["t1", "embedded", "--timeout", "nan"], "--timeout is nan; give the seconds"),
        (["t1", "http://example.invalid/v1"], "takes 2 calls, with about 720 prompt tokens"),
        (["t1", "http://127.0.0.1:1/v1", "--model", "m"], "took no connection"),
        (["t1", "http://example.invalid/v1"], "Say --yes to go on."),
        (["t1", "ftp://here"], "not an endpoint's URL"),
    ],
)
def test_what_cannot_be_replayed_is_told_in_a_line(db, arguments, says):
    ended = run(*arguments, "--db", str(db))
    assert ended.returncode in (1, 2)
    assert ended.stderr.startswith("tithe: ")
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1


async def test_the_last_task_is_the_last_that_is_no_replay(db):
    async with ScriptedServer(by=whole_answer) as server:
        asked = ("last", server.url, "--model", "any", "--db", str(db), "--tools", "zero", "--json")
        for newer in ("", "the newest task is a replay", "the newest 2 tasks are replays"):
            ended = await asyncio.to_thread(run, *asked)
            assert json.loads(ended.stdout)["task"] == "t1"
            assert newer in ended.stderr
            assert bool(newer) == ("The last task that is no replay is t1" in ended.stderr)
        replayed_again = await asyncio.to_thread(run, json.loads(ended.stdout)["replay"], *asked[1:])
    assert replayed_again.returncode == 0


async def test_long_waits_are_told_before_the_replay_begins(tmp_path):
    path = tmp_path / "record.db"
    with Store.open(path) as store:
        recording = store.begin(Anchor(monotonic=0.0, unix=1.79e9), source="weka")
        spans = [("one", 0.0, 1.0), ("two", 3601.0, 3602.0)]
        told = {at.INPUT_TOKENS: 300, at.OUTPUT_TOKENS: 12}
        store.add(
            recording,
            [
                Span(id=name, trace="t1", kind="call", name=name, start=start, end=end, attributes=told)
                for name, start, end in spans
            ],
        )
        store.finish(recording, at=3602.0)
    # Nobody is there: what is waited is told, and then that.
    asked = ("t1", "http://127.0.0.1:1/v1", "--model", "m", "--db", str(path))
    ended = await asyncio.to_thread(run, *asked)
    assert "Beside its calls the replay waits 10.0 s: 10.0 s of gaps" in " ".join(ended.stderr.split())
    whole = await asyncio.to_thread(run, *asked, "--gaps", "x1")
    assert "3,600 s of gaps that nothing accounts for" in " ".join(whole.stderr.split())
    none = await asyncio.to_thread(run, *asked, "--gaps", "zero")
    assert "Beside its calls" not in none.stderr


def test_a_task_without_calls_is_told(tmp_path):
    with Store.open(tmp_path / "r.db") as store:
        recording = store.begin(Anchor(monotonic=0.0, unix=1.79e9), source="api")
        store.add(recording, [Span(id="a", trace="t1", kind="tool", name="a", start=0.0, end=1.0)])
    ended = run("t1", "embedded", "--db", str(tmp_path / "r.db"))
    assert "has no model call that could be replayed" in ended.stderr


def test_without_a_record_none_is_made(tmp_path):
    ended = run("last", "embedded", "--db", str(tmp_path / "none.db"))
    assert ended.returncode == 2
    assert not (tmp_path / "none.db").exists()


async def test_a_replay_is_held_against_its_projection(db):
    flags = ("--ttft", "500ms", "--tps", "11", "--tools", "zero")
    ended = await replayed(ScriptedServer(by=answer), db, *flags, "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    found, real = told["projection"], told["replayed"]["wall_s"]
    # 2 calls of 500 ms and 11 tokens at 11/s after the first, and 0.8 s that the last call had to its end; no tools.
    assert found["projected"]["wall"]["p50"] == pytest.approx(2 * (0.5 + 1.0) + 0.8)
    assert found["error"] == pytest.approx(3.8 / real - 1)
    assert found["inside"] is None  # two calls tell no scatter
    assert found["errors"]["prefill"] == pytest.approx(1.0, abs=0.3)
    printed = await replayed(ScriptedServer(by=answer), db, *flags)
    assert "projected less replayed" in printed.stdout
    assert "it has no interval, for too few calls" in " ".join(printed.stdout.split())


async def test_what_the_record_has_of_the_endpoint_is_what_a_replay_is_expected_to_take(db):
    async with ScriptedServer(by=whole_answer) as server:
        url = server.url

        def again(*flags: str) -> subprocess.CompletedProcess[str]:
            asked = (url, "--model", "any", "--db", str(db), "--tools", "zero")
            return run("t1", *asked, *flags)

        first = await asyncio.to_thread(again)
        assert "no call to any at 127.0.0.1:" in " ".join(first.stdout.split())
        for _ in range(2):
            await asyncio.to_thread(again)
        told = json.loads((await asyncio.to_thread(again, "--json")).stdout)
        assert told["projection"]["source"] == "6 calls of 3 tasks that were recorded of it before"
    with Store.open(db) as store:
        kept = store.task(told["replay"])
    ports = {span.attributes[at.SERVER_PORT] for span in kept.spans if span.kind == "call"}
    assert [f":{port}/" in url for port in ports] == [True]


async def test_a_projection_that_cannot_be_is_refused_before_anything_is_sent(db):
    asked: list[Received] = []

    def counting(request: Received) -> Reply:
        asked.append(request)
        return answer(request)

    for flags, says in ((("--ttft", "200"), "unit"), (("--speedup", "0"), "speedup is 0")):
        ended = await replayed(ScriptedServer(by=counting), db, *flags)
        assert ended.returncode == 2
        assert says in ended.stderr
    assert asked == []
