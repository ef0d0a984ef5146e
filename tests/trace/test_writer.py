"""Spans written in the background: by several processes, beside readers, until the disk is full or the process killed."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tithe.core import Anchor, Span
from tithe.core.errors import UsageError
from tithe.core.part import fingerprint
from tithe.trace import Store

# Records a span of its own every few milliseconds until it is killed, or as many as it is told.
RECORDER = """
import sys, time
from tithe.core import Anchor, Span
from tithe.trace import Store

path, trace, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store.open(path)
writer = store.writer(store.begin(Anchor.take(0.0), source="proxy", command="agent"))
for number in range(count):
    writer.record(Span(id=f"{trace}-{number}", trace=trace, kind="attempt", name="chat", start=float(number)))
    print(number, flush=True)
    time.sleep(0.002)
"""


def recorder(path: Path, trace: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(path), trace, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_what_was_handed_over_is_there_after_a_flush_and_before_the_writer_is_closed(
    store, recording, span
) -> None:
    with store.writer(recording) as writer:
        writer.record(span("a", end=None))
        writer.flush()
        assert store.task("task-a").spans == (span("a", end=None),)
        writer.record(span("a"))
        writer.add_prompt("a", [fingerprint("hello", place="system", role="system")])
        writer.add_content("a", b'{"model":"nano"}', None)
        writer.add_content("a", None, b"answer \xff")
    assert store.task("task-a").spans == (span("a"),)
    assert store.prompt("a") == (fingerprint("hello", place="system", role="system"),)
    assert store.content("a") == (b'{"model":"nano"}', b"answer \xff")


def test_it_is_written_soon_without_being_asked(store, recording, span) -> None:
    with store.writer(recording) as writer:
        writer.record(span("a"))
        for _ in range(500):
            if store.tasks():
                break
            time.sleep(0.01)
        assert [task.id for task in store.tasks()] == ["task-a"]


def test_many_threads_hand_over_at_once(store, recording, span) -> None:
    with store.writer(recording) as writer:
        threads = [
            threading.Thread(
                target=lambda one=one: [writer.record(span(f"{one}-{number}")) for number in range(200)]
            )
            for one in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(store.task("last").spans) == 1600


def test_a_closed_writer_says_so(store, recording, span) -> None:
    writer = store.writer(recording)
    writer.close()
    writer.close()
    with pytest.raises(UsageError, match="is closed"):
        writer.record(span("a"))


def test_a_full_disk_is_told_at_the_next_call_and_holds_nobody_up(store, recording, span) -> None:
    writer = store.writer(recording)
    writer.record(span("before"))
    writer.flush()
    writer._connection.execute("PRAGMA max_page_count = 1")
    writer.record(span("lost", attributes={"tithe.note": "x" * 100_000}))
    with pytest.raises(UsageError, match=r"full.*1 records were lost"):
        writer.flush()
    with pytest.raises(UsageError, match="full"):
        writer.record(span("refused"))
    with pytest.raises(UsageError, match="full"):
        writer.close()
    assert [one.id for one in store.task("last").spans] == ["before"]


def test_several_processes_write_while_others_read(path: Path) -> None:
    with Store.open(path) as store:
        running = [recorder(path, trace, 150) for trace in ("one", "two", "three")]
        seen: list[int] = []
        while any(each.poll() is None for each in running):
            seen.append(sum(len(record.spans) for record in store.task_records()))
            time.sleep(0.02)
        for each in running:
            each.communicate()
        assert seen == sorted(seen)
        found = {record.id: [one.id for one in record.spans] for record in store.task_records()}
    # They end without closing the writer: what is left is written as they go.
    assert found == {trace: [f"{trace}-{n}" for n in range(150)] for trace in ("one", "two", "three")}


def test_what_was_recorded_a_second_before_a_kill_is_there(path: Path) -> None:
    child = recorder(path, "task-a", 100_000)
    assert child.stdout is not None
    last = 0
    while last < 100:
        last = int(child.stdout.readline())
    time.sleep(1)
    child.kill()
    child.communicate()
    with Store.open(path, write=False) as store:
        found = {one.id for one in store.task("last").spans}
        [task] = store.tasks()
    assert found >= {f"task-a-{number}" for number in range(last + 1)}
    assert not task.finished
    assert task.wall_s >= last
    with Store.open(path) as store:  # and it goes on being a record
        other = store.begin(Anchor.take(0.0), source="proxy")
        store.add(other, [Span(id="b", trace="task-b", kind="task", name="later", start=0.0, end=1.0)])
        assert {one.id for one in store.tasks()} == {"task-a", "task-b"}


def test_a_thread_that_breaks_off_leaves_nobody_waiting(store, recording, span, monkeypatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # what it broke off with is printed there
    writer = store.writer(recording)
    writer.add_content("a", "text, where bytes belong", None)
    with pytest.raises(UsageError, match="broke off"):
        writer.flush()
    with pytest.raises(UsageError, match="broke off"):
        writer.record(span("a"))
    with pytest.raises(UsageError, match="broke off"):
        writer.close()


# Opens each record that it is told of.
OPENER = """
import sys
from tithe.core import Anchor
from tithe.trace import Store

for line in sys.stdin:
    with Store.open(line.strip()) as store:
        print(store.begin(Anchor.take(0.0), source="proxy"), flush=True)
"""


def test_processes_that_make_the_file_at_once_all_get_to_write(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENER]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for _ in range(4)
    ]
    try:
        for number in range(15):
            told: list[str] = []
            for each in running:
                assert each.stdin is not None
                each.stdin.write(f"{tmp_path / f'{number}.db'}\n")
            for each in running:
                assert each.stdout is not None
                told.append(each.stdout.readline().strip())
            assert sorted(told) == ["1", "2", "3", "4"]
    finally:
        for each in running:
            each.communicate()
