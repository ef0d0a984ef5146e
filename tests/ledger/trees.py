"""Span trees for tests: written by hand, and made by hypothesis with all that can be wrong in them."""

from typing import Any

from hypothesis import strategies as st

from tithe.core import Anchor, Span
from tithe.core import attributes as at
from tithe.trace import TaskRecord

KINDS = ("task", "branch", "step", "call", "attempt", "tool", "validation", "user", "other")


def span(
    id_: str, kind: str, start: float, end: float | None, parent: str | None = None, **told: Any
) -> Span:
    """A span of the task "t". `error=` and `name=` are the span's; the rest are attributes, by constant name in lower case."""
    error, name = told.pop("error", None), told.pop("name", kind)
    attributes = {getattr(at, key.upper()): value for key, value in told.items()}
    return Span(
        id=id_,
        trace="t",
        kind=kind,  # pyright: ignore[reportArgumentType]
        name=name,
        start=start,
        end=end,
        parent=parent,
        error=error,
        attributes=attributes,
    )


def record(*spans: Span, source: str = "proxy") -> TaskRecord:
    """A task of these spans."""
    return TaskRecord(
        id="t", anchor=Anchor(monotonic=0.0, unix=1.79e9), source=source, name=None, session=None, spans=spans
    )


_moments = st.one_of(
    st.floats(min_value=0, max_value=30),
    st.integers(min_value=0, max_value=12).map(float),
    st.floats(min_value=1e6, max_value=1e6 + 30),
)
_offsets = st.floats(min_value=-1, max_value=12)


@st.composite
def _attributes(draw: st.DrawFn) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key in (
        at.CONNECT,
        at.SENT,
        at.FIRST_TOKEN,
        at.LAST_TOKEN,
        at.QUEUE,
        at.PREFILL,
        at.DECODE,
        at.PREPARE,
    ):
        if draw(st.booleans()):
            told[key] = draw(_offsets)
    if draw(st.booleans()):
        told[at.INPUT_TOKENS] = draw(st.integers(0, 1000))
        told[at.CACHE_READ_TOKENS] = draw(st.integers(0, 1200))
    if draw(st.booleans()):
        kinds = st.sampled_from(("reasoning", "arguments", "answer", "odd"))
        told[at.PHASES] = draw(st.lists(st.tuples(kinds, _offsets, _offsets), max_size=3))
    ids = st.lists(st.sampled_from(("a", "b", "c")), max_size=2)
    if draw(st.booleans()):
        told[at.RELATION] = "extends"
        told[at.TOOL_RESULTS] = draw(ids)
        told[at.ASKED_TOOLS] = [[one, "search"] for one in draw(ids)]
        told[at.HAS_TOOLS] = draw(st.booleans())
        told[at.NEW_ROLES] = draw(st.lists(st.sampled_from(("user", "tool")), max_size=2))
    if draw(st.integers(0, 4)) == 0:
        told[at.BRANCH] = draw(st.sampled_from(("s1", "s2", "x1")))
        told[at.BRANCH_OF] = draw(st.sampled_from(("s0", "s3", "x2")))
    if draw(st.integers(0, 4)) == 0:
        told[at.TOOL_CALL_ID] = draw(st.sampled_from(("a", "b", "c")))
    if draw(st.integers(0, 9)) == 0:
        told[at.SPECULATIVE] = True
    if draw(st.integers(0, 9)) == 0:
        told[at.BUCKET] = draw(st.sampled_from(("tool", "user", "nonsense")))
    if draw(st.booleans()):
        told[at.SOURCE] = draw(st.sampled_from(("proxy", "api", "otlp", "import:weka")))
    return told


@st.composite
def span_trees(draw: st.DrawFn, most: int = 14) -> list[Span]:
    """Any spans at all: overlaps, missing ends, ends before starts, skew, rings of parents, parents that are not there."""
    count = draw(st.integers(1, most))
    spans: list[Span] = []
    for number in range(count):
        start = draw(_moments)
        length = draw(st.one_of(st.just(0.0), st.floats(-2, 15), st.integers(0, 6).map(float)))
        spans.append(
            Span(
                id=f"s{number}",
                trace="t",
                kind=draw(st.sampled_from(KINDS)),
                name=draw(st.sampled_from(("chat", "search"))),
                start=start,
                end=None if draw(st.integers(0, 7)) == 0 else start + length,
                parent=draw(
                    st.one_of(st.none(), st.integers(0, count).map(lambda n: f"s{n}"), st.just("x1"))
                ),
                error=draw(st.sampled_from((None, None, "429", "timeout"))),
                attributes=draw(_attributes()),
            )
        )
    return spans
