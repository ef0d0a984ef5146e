"""The store: what was recorded is what is read, by id, by task and by list, whoever wrote it."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tithe.core import Anchor, Span
from tithe.core.errors import UsageError
from tithe.core.part import Part, fingerprint
from tithe.core.span import SpanKind
from tithe.trace import Store

words = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.floats(min_value=-1e9, max_value=1e9)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
spans = st.builds(
    Span,
    id=words,
    trace=st.sampled_from(["one", "two", "three"]),
    kind=st.sampled_from(get_args(SpanKind)),
    name=words,
    start=numbers,
    end=st.none() | numbers,
    parent=st.none() | words,
    error=st.none() | words,
    attributes=st.dictionaries(
        words | st.sampled_from(["gen_ai.usage.input_tokens", "tithe.tool_results"]), values
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(spans, unique_by=lambda one: one.id, max_size=8))
def test_spans_come_back_as_they_were_recorded(tmp_path: Path, made: list[Span]) -> None:
    with Store.open(tmp_path / "one.db") as store:
        recording = store.begin(Anchor(monotonic=0.0, unix=0.0), source="proxy")
        store.add(recording, made)
        found = {record.id: record.spans for record in store.task_records()}
        listed = {one.id for one in store.tasks()}
        store.delete(list(found))
        assert list(store.task_records()) == []
    by_trace: dict[str, tuple[Span, ...]] = {}
    for one in made:
        by_trace[one.trace] = (*by_trace.get(one.trace, ()), one)
    assert found == by_trace
    assert listed == set(by_trace)


def test_a_later_record_of_a_span_takes_the_place_of_the_earlier_one(store, recording, span) -> None:
    store.add(recording, [span("a", end=None), span("b")])
    store.add(recording, [span("a", end=103.0, error="http_500")])
    assert store.task("task-a").spans == (span("a", end=103.0, error="http_500"), span("b"))


def test_adding_the_same_file_again_doubles_nothing(store, span) -> None:
    for _ in range(2):
        store.add(store.begin(Anchor(monotonic=0.0, unix=5.0), source="import:weka"), [span("a"), span("b")])
    [task] = store.tasks()
    assert task.attempts == 2
    assert len(store.task("last").spans) == 2


def test_what_cannot_be_kept_is_refused_and_nothing_of_its_batch_is_written(store, recording, span) -> None:
    for wrong in (span("b", start=float("nan")), span("b", attributes={"x": object()})):
        with pytest.raises(UsageError, match=r"The span b \(chat nano\) cannot be recorded"):
            store.add(recording, [span("a"), wrong])
    assert store.tasks() == []


def test_a_task_is_found_by_its_id_by_a_beginning_of_it_and_as_the_last(store, recording, span) -> None:
    store.add(
        recording,
        [
            span("1", trace="abc1", start=110.0),
            span("2", trace="abc2", start=120.0),
            span("3", trace="abc", start=105.0),
            span("4", trace="d_4", start=104.0),
        ],
    )
    assert store.find("abc") == "abc"
    assert store.find("abc2") == "abc2"
    assert store.find("d") == "d_4"
    assert store.find("last") == "abc2"
    with pytest.raises(UsageError, match="3 tasks begin with ab: abc, abc1, abc2"):
        store.find("ab")
    with pytest.raises(UsageError, match=r"There is no task abc3 in .* The nearest: abc, abc2, abc1"):
        store.task("abc3")
    for nothing in ("%", ""):
        with pytest.raises(UsageError, match=f"no task {nothing} in"):
            store.find(nothing)


def test_the_last_of_nothing_says_what_to_do(store) -> None:
    with pytest.raises(UsageError, match="tithe record"):
        store.task("last")


def test_spans_of_another_recording_are_moved_to_the_task_s_clock(store, recording, span) -> None:
    store.add(recording, [span("seen", start=101.0, end=105.0)])
    other = store.begin(Anchor(monotonic=7.0, unix=1_790_000_002.0), source="api", name="agent")
    store.add(other, [span("told", kind="tool", start=7.5, end=None)])
    record = store.task("task-a")
    assert [(one.id, one.start, one.end) for one in record.spans] == [
        ("seen", 101.0, 105.0),
        ("told", 102.5, None),
    ]
    assert record.source == "proxy"


def test_recordings_of_one_clock_are_put_together_by_it_and_not_by_dates(store, span) -> None:
    first = store.begin(Anchor(monotonic=100.0, unix=1_790_000_000.0), source="proxy", clock="boot-1")
    # The date was set back between the two.
    second = store.begin(Anchor(monotonic=110.0, unix=1_780_000_000.0), source="api", clock="boot-1")
    store.add(first, [span("seen")])
    store.add(second, [span("told", start=111.25)])
    assert store.task("last").spans[1].start == 111.25


def test_placed_spans_stay_where_they_were_put_when_they_are_recorded_again(store, recording, span) -> None:
    store.add(recording, [span("seen", end=None), span("root", trace="task-b", kind="task", name="fix")])
    store.place({"seen": ("task-b", "root"), "later": ("task-b", None)})
    assert [task.id for task in store.tasks()] == ["task-b"]
    store.add(recording, [span("seen", end=109.0), span("later")])
    assert store.task("task-b").spans == (
        span("seen", trace="task-b", parent="root", end=109.0),
        span("root", trace="task-b", kind="task", name="fix"),
        span("later", trace="task-b"),
    )


def test_a_task_that_loses_spans_is_told_from_those_that_are_left(store, recording, span) -> None:
    store.add(
        recording,
        [
            span("a", start=101.0, attributes={"gen_ai.conversation.id": "chat-1"}),
            span("b", start=108.0, end=109.0),
        ],
    )
    store.place({"a": ("task-b", None)})
    by_id = {task.id: task for task in store.tasks()}
    assert (by_id["task-a"].started, by_id["task-a"].session) == (1_790_000_008.0, None)
    assert (by_id["task-b"].started, by_id["task-b"].session) == (1_790_000_001.0, "chat-1")


def test_a_task_whose_spans_are_all_recorded_elsewhere_again_is_gone(store, recording, span) -> None:
    store.add(recording, [span("a"), span("b")])
    store.add(recording, [span("a", trace="task-b"), span("b", trace="task-b")])
    assert [task.id for task in store.tasks()] == ["task-b"]
    assert store.find("last") == "task-b"
    with pytest.raises(UsageError, match="no task task-a"):
        store.task("task-a")


def history(messages: int) -> tuple[Part, ...]:
    return tuple(
        fingerprint(f"message {number}", place=f"messages[{number}]", role="user")
        for number in range(messages)
    )


def test_prompts_come_back_and_share_what_they_share(store, recording, span) -> None:
    store.add(
        recording,
        [span("a"), span("b"), span("c"), span("d")],
        {"a": history(2), "b": history(3), "c": history(1) + history(1), "d": ()},
    )
    assert store.prompt("b") == history(3)
    assert store.prompt("d") == ()
    found = store.prompts("task-a")
    assert found == {"a": history(2), "b": history(3), "c": history(1) + history(1)}
    assert found["a"][1] is found["b"][1]


def test_a_conversation_takes_room_for_each_message_once(store, path, span) -> None:
    sizes: list[int] = []
    for steps in (250, 500):
        whole = history(2 * steps)
        recording = store.begin(Anchor(monotonic=0.0, unix=0.0), source="proxy")
        prompts = {f"{steps}.{step}": (*whole[: 2 * step], whole[-1]) for step in range(steps)}
        store.add(recording, [span(each, trace=str(steps)) for each in prompts], prompts)
        [kept] = store._connection.execute("SELECT sum(length(part)) FROM nodes").fetchone()
        sizes.append(kept)
        assert store.prompts(str(steps)) == prompts
        store.delete([str(steps)])
    assert sizes[1] < 2.2 * sizes[0]


def test_what_is_deleted_is_gone_and_what_it_shared_stays(store, recording, span) -> None:
    store.add(recording, [span("a"), span("b", trace="task-b")], {"a": history(3), "b": history(2)})
    with store.writer(recording) as writer:
        writer.add_content("a", b"request", b"answer")
    store.place({"a": ("task-a", None)})
    store.finish(recording, at=120.0)
    store.delete(["task-a"])
    assert store.prompt("b") == history(2)
    assert store.content("a") == (None, None)
    store.delete(["task-b"])
    counts = {
        table: store._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("recordings", "tasks", "spans", "placed", "nodes", "prompts", "contents")
    }
    assert not any(counts.values()), counts


def test_what_is_deleted_is_overwritten_in_the_file(store, recording, span) -> None:
    store.add(
        recording, [span("a", name="a-name-to-forget"), span("b", trace="task-b", name="a-name-to-keep")]
    )
    assert b"a-name-to-forget" in everything(store._path)
    store.delete(["task-a"])
    assert b"a-name-to-forget" not in everything(store._path)
    assert b"a-name-to-keep" in everything(store._path)


def everything(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in path.parent.iterdir())


def test_a_scan_under_way_does_not_keep_the_store_from_being_written(store, recording, span) -> None:
    store.add(recording, [span("a"), span("b", trace="task-b")])
    scan = store.task_records()
    assert next(scan).id == "task-a"
    with Store.open(store._path) as other:
        other.add(recording, [span("c", trace="task-c")])
    store.add(recording, [span("d", trace="task-d")])
    assert [record.id for record in scan] == ["task-b"]


def test_task_records_of_some(store, recording, span) -> None:
    store.add(recording, [span(str(number), trace=f"task-{number}") for number in range(5)])
    assert [record.id for record in store.task_records(["task-3", "task-1"])] == ["task-1", "task-3"]
    with pytest.raises(UsageError, match="no task task-9"):
        list(store.task_records(["task-9"]))
