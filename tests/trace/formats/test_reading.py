"""Any file: which format it is of, what to do when it is of none, and no way to break an importer."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tithe.core import Anchor
from tithe.core.errors import UsageError
from tithe.ledger import make_ledger
from tithe.trace import TaskRecord
from tithe.trace.formats import FORMATS, Imported, ImportedTask, format_named, parse, read_guessed
from tithe.trace.rows import row_of

from . import (
    test_claude_code,
    test_codex,
    test_langfuse,
    test_openai_agents,
    test_otlp,
    test_swe_agent,
    test_weka,
)
from .given import lines

GIVEN: dict[str, list[dict[str, Any]]] = {
    "otlp": [test_otlp.request(test_otlp.AGENT, test_otlp.CALL, test_otlp.TOOL)],
    "claude-code": [*test_claude_code.conversation(), *test_claude_code.AGENT],
    "codex": test_codex.TURN,
    "langfuse": test_langfuse.OBSERVATIONS,
    "openai-agents": test_openai_agents.RUN,
    "swe-agent": [test_swe_agent.RUN],
    "weka": [test_weka.MADE],
    "mooncake": [{"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": [1, 2]}],
    "tithe": [
        {"record": "anchor", "anchor": {"monotonic": 1.0, "unix": 2.0}},
        {
            "record": "span",
            "span": {"id": "a", "trace": "t", "kind": "call", "name": "c", "start": 1.0, "end": 2.0},
        },
    ],
}


def test_every_format_has_a_fixture_and_is_told_by_it():
    assert {each.name for each in FORMATS} == set(GIVEN)
    for name, records in GIVEN.items():
        found, imported = read_guessed(parse(lines(*records), "some"))
        assert found.name == name
        _is_sound(imported)
        assert imported.notes[:1] == ((found.lacks,) if found.lacks else imported.notes[:1])
        assert found.read(parse(lines(*records), "some")) == imported


@pytest.mark.parametrize("name", GIVEN)
def test_no_format_takes_anothers_file_for_its_own(name):
    for other, records in GIVEN.items():
        if other != name:
            with pytest.raises(UsageError):
                format_named(name).read(parse(lines(*records), "some.json"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "some.json is empty"),
        (b"  \n", "some.json is empty"),
        (b"hello\nworld\n", r"no JSON object \(line 1 is none\)"),
        (b"[1, 2]", "no JSON object"),
        (b"\xff\xfe", "no JSON object"),
        (b'{"a": 1, "b": 2}', r"\(line 1\) has a, b\. The formats are otlp, claude-code"),
        (b"{}", "has nothing"),
        (b"[" * 100_000, "no JSON object"),
    ],
)
def test_what_is_of_no_format_says_so(data, says):
    with pytest.raises(UsageError, match=says):
        read_guessed(parse(data, "some.json"))


def test_a_format_that_there_is_not_names_those_that_there_are():
    with pytest.raises(UsageError, match="format is 'wekka': the formats are otlp"):
        format_named("wekka")


def test_a_log_may_begin_with_other_things_and_lines_in_it_may_be_broken():
    data = b'{"type":"summary"}\nnot json\n' + lines(*test_claude_code.conversation()) + b'{"type":"us'
    found, imported = read_guessed(parse(data, "some"))
    assert found.name == "claude-code"
    assert "left out: 2 lines that are no JSON object (lines 2, 13)" in imported.notes


_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
    | st.sampled_from(["2026-03-01T10:00:00Z", "0001-01-01", "9999-12-31T23:59:59-12:00", "-1", "1" * 30])
)  # fmt: skip
_ANYTHING = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


@st.composite
def mangled(draw: st.DrawFn, name: str) -> bytes:
    """A file of a format, with anything at some places of it, and perhaps cut short."""
    records = json.loads(json.dumps(GIVEN[name]))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.sampled_from(_places(records)))
        holder = records
        for key in place[:-1]:
            holder = holder[key]
        if not place:
            continue
        if draw(st.booleans()):
            holder[place[-1]] = draw(_ANYTHING)
        else:
            del holder[place[-1]]
        if not records:
            break
    data = lines(*records)
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


def _adds_up(task: ImportedTask) -> None:
    """The ledger of a task sums to its wall clock."""
    ledger = make_ledger(
        TaskRecord(
            id=task.id, anchor=Anchor(monotonic=0.0, unix=task.began or 0.0), source="import:x", name=task.name,
            session=task.session, spans=task.spans,
        )
    )  # fmt: skip
    assert abs(sum(entry.wall_s for entry in ledger.entries) - ledger.wall_s) <= 1e-6 * max(
        1.0, ledger.wall_s / 1e6
    )


def _is_sound(imported: Imported) -> None:
    assert imported.tasks
    for task in imported.tasks:
        assert task.spans
        for span in task.spans:
            assert span.trace == task.id
            row_of(span, task.began or 0.0)  # the store takes it
        _adds_up(task)


@pytest.mark.parametrize("name", GIVEN)
def test_whatever_is_in_a_file_it_is_read_or_refused(name):
    @settings(max_examples=150)
    @given(mangled(name))
    def check(data: bytes) -> None:
        for read in (lambda source: read_guessed(source)[1], format_named(name).read):
            try:
                imported = read(parse(data, "some.json"))
            except UsageError:
                continue
            _is_sound(imported)

    check()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        _, imported = read_guessed(parse(data, "some"))
    except UsageError:
        return
    _is_sound(imported)
