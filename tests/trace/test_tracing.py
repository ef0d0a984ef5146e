"""The Python API: what an agent says of itself is written as it said it, nested as the program was, from any thread,
coroutine and process, and outlives the agent.
"""

import asyncio
import contextlib
import contextvars
import inspect
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from tithe.core import Anchor, Span, new_id
from tithe.core.errors import UsageError
from tithe.net.scripted import Reply, ScriptedServer
from tithe.trace import (
    JsonlRecorder,
    Store,
    branch,
    headers,
    read_jsonl,
    record_to,
    step,
    task,
    tool,
    user,
    validation,
)


class Kept(list[Span]):
    """A recorder in memory."""

    def record(self, span: Span) -> None:
        self.append(span)

    def named(self, name: str) -> Span:
        [span] = [span for span in self if span.name == name]
        return span


@pytest.fixture
def kept() -> Iterator[Kept]:
    recorder = Kept()
    record_to(recorder)
    yield recorder
    record_to(None)


def tasks_of(path: Path) -> dict[str, dict[str, Span]]:
    with Store.open(path, write=False) as store:
        return {record.id: {span.name: span for span in record.spans} for record in store.task_records()}


def test_spans_nest_as_the_program_does(kept: Kept) -> None:
    with task("run", session="s-1") as run:
        with step() as turn, tool("search", call_id="call_1"), validation("schema"):
            pass
        with user():
            pass
        assert (run.id, run.trace) == (kept.named("step").parent, kept.named("step").trace)
        assert turn.id is None
    parents = {span.name: span.parent for span in kept}
    ids = {span.name: span.id for span in kept}
    assert parents == {
        "schema": ids["search"],
        "search": ids["step"],
        "step": ids["run"],
        "user": ids["run"],
        "run": None,
    }
    assert {span.kind for span in kept} == {"validation", "tool", "step", "user", "task"}
    assert len({span.trace for span in kept}) == 1
    assert kept.named("run").attributes == {"tithe.source": "api", "gen_ai.conversation.id": "s-1"}
    assert kept.named("search").attributes == {
        "tithe.source": "api",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.call.id": "call_1",
    }
    assert all(re.fullmatch("[0-9a-f]{16}", span.id) for span in kept)
    assert re.fullmatch("[0-9a-f]{32}", kept[0].trace)


def test_stamps_are_of_the_clock_that_every_process_shares(kept: Kept) -> None:
    before = time.perf_counter()
    with step():
        inside = time.perf_counter()
    [span] = kept
    assert span.end is not None
    assert before <= span.start <= inside <= span.end <= time.perf_counter()


def test_decorators_make_a_span_of_each_call(kept: Kept) -> None:
    @tool
    def search(query: str, *, limit: int = 3) -> str:
        """Looks it up."""
        return query * limit

    @step("turn")
    async def turn(query: str) -> str:
        return search(query, limit=2)

    @task(session="s")
    async def run() -> list[str]:
        return [await turn("a"), await turn("b")]

    assert asyncio.run(run()) == ["aa", "bb"]
    assert [span.name for span in kept] == ["search", "turn", "search", "turn", "run"]
    [first, above, second, beside, whole] = kept
    assert first.parent == above.id
    assert second.parent == beside.id
    assert above.parent == beside.parent == whole.id
    assert (search.__name__, search.__doc__) == ("search", "Looks it up.")
    assert str(inspect.signature(search)) == "(query: str, *, limit: int = 3) -> str"
    assert inspect.iscoroutinefunction(turn)


def test_a_decorated_function_may_call_itself(kept: Kept) -> None:
    @step
    def down(left: int) -> int:
        return down(left - 1) + 1 if left else 0

    assert down(3) == 3
    assert [span.parent for span in kept] == [span.id for span in kept[1:]] + [None]


def test_a_generator_cannot_be_one_span() -> None:
    def lines() -> Iterator[str]:
        yield ""

    with pytest.raises(UsageError, match="lines is a generator"):
        tool("lines")(lines)


def test_an_exception_marks_its_span_and_goes_on(kept: Kept) -> None:
    def fail(error: Exception) -> None:
        raise error

    @task("run")
    @step("step")
    def run() -> None:
        with contextlib.suppress(ValueError), tool("first"):
            fail(ValueError("secret"))
        with tool("second"):
            fail(LookupError("secret"))

    with pytest.raises(LookupError, match="secret"):
        run()
    assert {span.name: span.error for span in kept} == {
        "first": "ValueError",
        "second": "LookupError",
        "step": "LookupError",
        "run": "LookupError",
    }
    assert "secret" not in repr(list(kept))


@pytest.mark.parametrize(("code", "error"), [(None, None), (0, None), (2, "SystemExit")])
def test_a_program_that_ends_in_good_order_did_not_fail(
    kept: Kept, code: int | None, error: str | None
) -> None:
    with pytest.raises(SystemExit):
        task("run")(sys.exit)(code)
    assert kept.named("run").error == error


async def test_gathered_coroutines_stand_beside_each_other(kept: Kept) -> None:
    both = asyncio.Barrier(2)

    async def way(name: str) -> None:
        async with branch(name):
            await both.wait()
            async with step(f"{name} step"):
                await both.wait()

    async with task("run"):
        await asyncio.gather(way("left"), way("right"))
    for name in ("left", "right"):
        assert kept.named(f"{name} step").parent == kept.named(name).id
        assert kept.named(name).parent == kept.named("run").id


async def test_a_cancelled_step_ends_when_it_was_cancelled(kept: Kept) -> None:
    async def hang() -> None:
        with step("hung"):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hang(), 0.01)
    assert kept.named("hung").error == "CancelledError"


def test_a_thread_stands_where_its_context_says(kept: Kept) -> None:
    def work(name: str) -> None:
        with tool(name):
            pass

    with task("run") as run:
        with ThreadPoolExecutor() as pool:
            pool.submit(contextvars.copy_context().run, work, "handed").result()
            pool.submit(work, "bare").result()
        asyncio.run(asyncio.to_thread(work, "by asyncio"))
        assert kept.named("handed").parent == kept.named("by asyncio").parent == run.id
    assert kept.named("bare").parent is None
    assert kept.named("bare").trace != kept.named("run").trace


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    record_to(path)

    def work(number: int) -> None:
        for turn in range(50):
            with step(f"{number}.{turn}"):
                pass

    with task("run"):
        context = [contextvars.copy_context() for _ in range(8)]
        threads = [
            threading.Thread(target=each.run, args=(work, number)) for number, each in enumerate(context)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # The end of a task writes it out, so it is all there before the recording is closed.
    [spans] = tasks_of(path).values()
    record_to(None)
    assert len(spans) == 401
    assert all(span.end is not None for span in spans.values())


def test_a_task_in_a_task_is_a_branch_of_it(kept: Kept) -> None:
    with task("outer"), tool("ask"), task("inner", session="other"):
        told = headers()
    assert kept.named("inner").kind == "branch"
    assert kept.named("inner").parent == kept.named("ask").id
    assert kept.named("inner").attributes["gen_ai.conversation.id"] == "other"
    assert told["baggage"] == "gen_ai.conversation.id=other"


async def test_what_was_left_running_stands_under_what_is_still_open(kept: Kept) -> None:
    ended = asyncio.Event()

    async def late() -> None:
        await ended.wait()
        with tool("late"):
            pass

    with task("run") as run:
        with step():
            left = asyncio.create_task(late())
        ended.set()
        await left
        assert kept.named("late").parent == run.id


def test_headers_name_the_innermost_span(kept: Kept) -> None:
    assert headers() == {}
    with task("run", session="ä b/1") as run, step() as turn:
        told = headers()
        assert told == {
            "traceparent": f"00-{run.trace}-{turn.id}-01",
            "baggage": "gen_ai.conversation.id=%C3%A4%20b%2F1",
        }
    with step() as turn:
        assert headers() == {"traceparent": f"00-{turn.trace}-{turn.id}-01"}


async def test_a_client_carries_them_to_whoever_gets_the_request(kept: Kept) -> None:
    answer = {
        "id": "r",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    }
    reply = Reply(chunks=[(0, json.dumps(answer).encode())], headers={"content-type": "application/json"})
    async with (
        ScriptedServer(reply) as server,
        AsyncOpenAI(base_url=server.url, api_key="k") as client,
        task("run", session="s"),
        step() as turn,
    ):
        told = headers()
        await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "q"}], extra_headers=told
        )
        assert turn.id is not None
        assert turn.id in told["traceparent"]
    [received] = server.received
    assert {name: received.headers[name] for name in told} == told


def test_without_a_recording_nothing_is_kept_and_there_are_no_headers() -> None:
    with task("run") as run, step():
        assert run.id is None
        assert run.trace is None
        assert headers() == {}


def test_a_scope_cannot_be_open_twice_at_once(kept: Kept) -> None:
    once = step()
    with once, pytest.raises(UsageError, match="is open already"):
        once.__enter__()
    with once:
        pass
    assert len({span.id for span in kept}) == 2


def test_a_generator_closed_elsewhere_does_not_hold_the_context(kept: Kept) -> None:
    def turns() -> Iterator[None]:
        with step("left open"):
            yield

    with task("run"):
        running = turns()
        contextvars.copy_context().run(next, running)
        running.close()
        with step("after"):
            pass
    assert kept.named("after").parent == kept.named("run").id


def test_a_program_may_record_to_a_file_of_its_own(tmp_path: Path) -> None:
    with JsonlRecorder(tmp_path / "run.jsonl") as recorder:
        record_to(recorder)
        with task("run"):
            pass
        record_to(None)
    [recording] = read_jsonl(tmp_path / "run.jsonl")
    assert [span.name for span in recording.spans] == ["run"]


def test_a_database_has_a_span_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    record_to(path)
    run = task("run")
    run.__enter__()
    contextvars.Context().run(task(lambda: None))  # another task; its end writes out all that there is
    [ends] = [[span.end for span in spans.values()] for spans in tasks_of(path).values() if "run" in spans]
    assert ends == [None]
    record_to(None)
    run.__exit__(None, None, None)
    with Store.open(path, write=False) as store:
        spans = {span.name: span for record in store.task_records() for span in record.spans}
    assert spans["run"].end is not None


def test_a_database_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_text("not a database, and long enough to be seen for what it is" * 20)
    with pytest.raises(UsageError, match="is not a record"):
        record_to(path)


# An agent in a process of its own, as `tithe record` runs it.


def agent(tmp_path: Path, source: str, told: str | None, *more: str) -> subprocess.Popen[str]:
    script = tmp_path / "agent.py"
    script.write_text(textwrap.dedent(source))
    environment = {name: value for name, value in os.environ.items() if name != "TITHE_RECORDING"}
    if told is not None:
        environment["TITHE_RECORDING"] = told
    return subprocess.Popen(
        [sys.executable, *more, str(script)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[tuple[Store, int, str]]:
    """A recording that is being written here, and what tells an agent of it."""
    path = tmp_path / "run.db"
    with Store.open(path) as store:
        number = store.begin(Anchor.take(time.perf_counter()), source="proxy")
        yield store, number, json.dumps({"db": str(path), "recording": number})


def test_an_agent_writes_into_the_recording_while_it_is_written(
    tmp_path: Path, recording: tuple[Store, int, str]
) -> None:
    store, number, told = recording
    running = agent(
        tmp_path,
        """
        from tithe.trace import task, step, tool
        for run in range(5):
            with task(f"run {run}"):
                for turn in range(40):
                    with step(f"step {turn}"):
                        pass
        with step("not in a task"):
            pass
        """,
        told,
    )
    before = time.perf_counter()
    written = 0
    with store.writer(number) as writer:
        while running.poll() is None or written < 100:
            now = time.perf_counter()
            writer.record(
                Span(
                    id=new_id(),
                    trace="proxied",
                    kind="attempt",
                    name="m",
                    start=now,
                    end=now,
                    attributes={"tithe.source": "proxy"},
                )
            )
            written += 1
            time.sleep(0.001)
    assert running.communicate() == ("", "")
    records = list(store.task_records())
    assert sorted(len(record.spans) for record in records) == sorted([1, *[41] * 5, written])
    stamps = [stamp for record in records for span in record.spans for stamp in (span.start, span.end or 0.0)]
    assert before <= min(stamps)
    assert max(stamps) <= time.perf_counter()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_agent_leaves_what_it_had_begun(tmp_path: Path, recording: tuple[Store, int, str]) -> None:
    store, _, told = recording
    running = agent(
        tmp_path,
        """
        import time
        from tithe.trace import task, step, tool
        with task("run"):
            with step("one"):
                pass
            with step("two"), tool("slow", call_id="c"):
                print("begun", flush=True)
                time.sleep(60)
        """,
        told,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    time.sleep(1.0)  # what is promised is everything before the last second
    running.send_signal(signal.SIGKILL)
    running.communicate()
    [record] = store.task_records()
    ends = {span.name: span.end is not None for span in record.spans}
    assert ends == {"run": False, "one": True, "two": False, "slow": False}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forks_write_into_the_same_recording(tmp_path: Path, recording: tuple[Store, int, str]) -> None:
    store, _, told = recording
    running = agent(
        tmp_path,
        """
        import multiprocessing, os, sys
        from tithe.trace import task, step, tool

        def work(number):
            with step(f"pool {number}"):
                return number

        with task("run"):
            with step("before"):
                pass
            for number in range(5):
                child = os.fork()
                if not child:
                    with step(f"child {number}"), tool(f"tool {number}"):
                        pass
                    sys.exit(0)  # leaves through the task's `with`, which is its parent's to end
                with step(f"parent {number}"):
                    pass
                os.waitpid(child, 0)
            with multiprocessing.get_context("fork").Pool(3) as pool:
                assert pool.map(work, range(20)) == list(range(20))
        """,
        told,
    )
    assert running.communicate() == ("", "")
    [record] = store.task_records()
    spans = {span.name: span for span in record.spans}
    assert len(spans) == len(record.spans) == 1 + 1 + 3 * 5 + 20
    assert all(span.end is not None for span in record.spans)
    assert spans["run"].error is None
    assert all(spans[f"tool {n}"].parent == spans[f"child {n}"].id for n in range(5))
    assert {spans[f"child {n}"].parent for n in range(5)} == {spans["run"].id}
    assert {spans[f"pool {n}"].parent for n in range(20)} == {spans["run"].id}


def test_an_agent_is_not_stopped_by_a_recording_that_is_not_there(tmp_path: Path) -> None:
    source = """
        from tithe.trace import task
        with task("run"):
            print("done")
        """
    (tmp_path / "file").touch()
    for told in ("{", json.dumps({"db": str(tmp_path / "file" / "run.db"), "recording": 1}), "[]"):
        out, err = agent(tmp_path, source, told).communicate()
        assert out == "done\n", err
        assert "No spans are recorded" in err
    path = tmp_path / "run.db"
    Store.open(path).close()
    out, err = agent(tmp_path, source, json.dumps({"db": str(path), "recording": 5})).communicate()
    assert out == "done\n"
    assert "There is no recording 5" in err


def test_without_a_recording_the_environment_is_read_once_and_nothing_is_begun(tmp_path: Path) -> None:
    out, err = agent(
        tmp_path,
        """
        import os, threading
        import tithe.trace
        from tithe.trace import task
        with task("run") as run:
            os.environ["TITHE_RECORDING"] = "{}"
        with task("run") as run:
            print(run.id, threading.active_count())
        """,
        None,
    ).communicate()
    assert (out, err) == ("None 1\n", "")


def test_spawned_workers_write_into_the_recording_too(
    tmp_path: Path, recording: tuple[Store, int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, told = recording
    monkeypatch.setenv("TITHE_RECORDING", told)
    worker = multiprocessing.get_context("spawn").Process(target=_work)
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    [record] = store.task_records()
    assert [span.name for span in record.spans] == ["spawned"]


def _work() -> None:
    with step("spawned"):
        pass
