"""A projection as a program of sums and maxima, small enough to stand in a page, whose sliders run it.

Theory. What calls take (answers.py) is linear in a factor T on every first token and a factor D on every token after it; k candidates
take c times as long as the projected number of them; and of the attempts that fail at a share p there are r = p / (1 - p) for each
that answers, which the projection has so many seconds of. So each bucket of a segment is

    seconds = sum of coefficient * operand,   operands: 1, tools, c, c T, c D, r, r c, r c T, r c D

and the graph does the rest: a segment begins when the last that it waits for ends (simulate.py). The coefficients are not derived a
second time. `compiled` asks `answers` what calls take as projected, without first tokens, and without the tokens after them; the
differences are what goes by T, by D and by neither.

There is no chance in it: a coefficient is the mean of the projection's own draws. A task in series therefore takes what the projection
takes on average, bucket by bucket, when nothing is moved. Where branches run at once each draw waits for the slower one, and the mean
of those maxima is more than the maximum of the means: there a program is short of the projection. c is the ratio of mean call times,
so it is told at the projected ones.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from tithe.core.statistics import Floats
from tithe.trace.buckets import BUCKETS
from tithe.whatif.answers import STILL, Answers, Luck, Nudge, answers
from tithe.whatif.calltimes import CallTimes
from tithe.whatif.change import Change
from tithe.whatif.graph import Graph
from tithe.whatif.simulate import by_segment, draws_for
from tithe.whatif.table import Table

CANDIDATES = 5
"""So many can be asked for at least."""
_ALWAYS, _TOOLS, _CALLS, _AGAIN, _AGAIN_CALLS = 0, 1, 2, 5, 6
_WITHOUT_FIRST, _WITHOUT_REST = Nudge(ttft=0.0), Nudge(token=0.0)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the sliders stand; None: as projected.

    ttft_s, tokens_per_s: the median call's, and every other call's in proportion. retries: the share of attempts that fail.
    tools: times as long as recorded.
    """

    ttft_s: float | None = None
    tokens_per_s: float | None = None
    retries: float | None = None
    candidates: int | None = None
    tools: float | None = None


class Term(msgspec.Struct, frozen=True, array_like=True):
    """`seconds` times an operand fall into a bucket; both by number."""

    bucket: int
    operand: int
    seconds: float


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """A segment. `after`: the places of those that it waits for."""

    after: tuple[int, ...]
    terms: tuple[Term, ...]


class TaskProgram(msgspec.Struct, frozen=True, kw_only=True):
    """One task. `slower`: for 1 candidate, 2 and so on, how many times as long a call takes as with the projected number of them."""

    name: str
    segments: tuple[Stretch, ...]
    slower: tuple[float, ...]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks, and where everything stands as projected.

    ttft_s, tokens_per_s: the median call's, None: no call has one that is known. retries: the share of attempts that fail; 0 where none
    does, and what a failure costs is then what the call that answers takes.
    `undivided`: calls of which only the whole time is known, so that neither T nor D touches them.
    """

    tasks: tuple[TaskProgram, ...]
    ttft_s: float | None
    tokens_per_s: float | None
    retries: float
    candidates: int
    tools: float
    undivided: int


class Result(msgspec.Struct, frozen=True):
    """Seconds: the wall clock, and by bucket what of it is on the path, which sums to it."""

    wall_s: float
    buckets: tuple[float, ...]


def run(program: Program, settings: Settings, task: int | None = None) -> Result:
    """What all tasks take, or one. charts/sliders.js has the same in the page, with the same sums in the same order."""
    chosen = program.tasks if task is None else (program.tasks[task],)
    wall, buckets = 0.0, [0.0] * len(BUCKETS)
    for one in chosen:
        found = _timed(one, _operands(program, one, settings))
        wall += found.wall_s
        buckets = [sum_ + more for sum_, more in zip(buckets, found.buckets, strict=True)]
    return Result(wall, tuple(buckets))


def _operands(program: Program, task: TaskProgram, settings: Settings) -> tuple[float, ...]:
    def of(set_: float | None, projected: float | None) -> float:
        return 1.0 if set_ is None or projected is None else set_ / projected

    ttft = of(settings.ttft_s, program.ttft_s)
    token = 1 / of(settings.tokens_per_s, program.tokens_per_s)
    slower = 1.0 if settings.candidates is None else task.slower[settings.candidates - 1]
    tools = program.tools if settings.tools is None else settings.tools
    share = program.retries if settings.retries is None else settings.retries
    again = share / (1 - share)
    if program.retries > 0:
        again = again / (program.retries / (1 - program.retries))
    calls = (slower, slower * ttft, slower * token)
    return (1.0, tools, *calls, again, *(again * one for one in calls))


def _timed(task: TaskProgram, operands: Sequence[float]) -> Result:
    ends: list[float] = []
    paths: list[list[float]] = []
    for stretch in task.segments:
        last = -1
        for before in stretch.after:
            if last < 0 or ends[before] > ends[last]:
                last = before
        end = 0.0 if last < 0 else ends[last]
        path = [0.0] * len(BUCKETS) if last < 0 else list(paths[last])
        for term in stretch.terms:
            taken = term.seconds * operands[term.operand]
            end += taken
            path[term.bucket] += taken
        ends.append(end)
        paths.append(path)
    return Result(ends[-1], tuple(paths[-1]))


def compiled(
    graphs: Sequence[Graph],
    change: Change,
    own: Mapping[str, CallTimes],
    *,
    draws: int | None = None,
    seed: int = 0,
) -> Program:
    """Tasks as they are projected, as a program. All is as for `project`, which refuses what cannot be projected."""
    tables = [Table(graph, own) for graph in graphs]
    draws = draws_for(len(graphs)) if draws is None else draws
    lucks = [Luck(draws, seed, number) for number in range(len(tables))]
    asked = [_Asked.of(table, change, own, luck) for table, luck in zip(tables, lucks, strict=True)]
    share = _share(tables, change) if any(one.failing.any() for one in asked) else 0.0
    tasks = tuple(
        TaskProgram(
            name=graph.name,
            segments=_stretches(table, one, change, fails=share > 0),
            slower=_slower(table, change, own, luck),
        )
        for graph, table, one, luck in zip(graphs, tables, asked, lucks, strict=True)
    )
    ttft, rate = _typical(tables, change, own, lucks)
    return Program(
        tasks=tasks,
        ttft_s=ttft,
        tokens_per_s=rate,
        retries=share,
        candidates=change.candidates,
        tools=change.tools,
        undivided=sum(int(np.count_nonzero(one.still.inference)) for one in asked),
    )


class _Asked(NamedTuple):
    """Mean seconds by call, with one draw each, which sum to the projected ones: what neither T nor D touches, what goes by T, by D.

    `gave_up`: of the retries those of calls that were never answered, which are among what is not touched.
    """

    still: Answers
    first: Answers
    rest: Answers
    gave_up: Floats

    @classmethod
    def of(cls, table: Table, change: Change, own: Mapping[str, CallTimes], luck: Luck) -> "_Asked":
        def mean(changed: Change, nudge: Nudge = STILL) -> Answers:
            found = answers(table, changed, own, luck, nudge)
            return Answers(*(part.mean(axis=0, keepdims=True) for part in found))

        whole, no_first, no_rest = mean(change), mean(change, _WITHOUT_FIRST), mean(change, _WITHOUT_REST)
        first = [_less(one, other, one) for one, other in zip(whole, no_first, strict=True)]
        rest = [_less(one, other, one) for one, other in zip(whole, no_rest, strict=True)]
        still = [_less(one, a + b, one) for one, a, b in zip(whole, first, rest, strict=True)]
        gave_up = mean(msgspec.structs.replace(change, retries=0.0)).retry
        return cls(Answers(*still), Answers(*first), Answers(*rest), gave_up)

    @property
    def failing(self) -> Floats:
        """Seconds of failures by calls that were answered in the end."""
        retry = self.still.retry + self.first.retry + self.rest.retry
        return _less(retry, self.gave_up, retry)


def _less(whole: Floats, part: Floats, scale: Floats) -> Floats:
    """A difference; none where there is only rounding, at that scale."""
    found = whole - part
    return np.where(np.abs(found) <= 1e-13 * np.abs(scale), 0.0, found)


def _stretches(table: Table, asked: _Asked, change: Change, *, fails: bool) -> tuple[Stretch, ...]:
    nothing = np.zeros_like(asked.gave_up)
    none = Answers(*[nothing] * len(Answers._fields))
    kept = asked.gave_up if fails else asked.still.retry
    placed: dict[int, Floats] = {
        _ALWAYS: table.fixed + _placed(table, none._replace(retry=kept, validation=asked.still.validation)),
        _TOOLS: table.tools - table.beside if change.parallel_tools else table.tools,
    }
    for place, part in enumerate((asked.still, asked.first, asked.rest)):
        still = part is asked.still
        validation = nothing if still else part.validation
        placed[_CALLS + place] = _placed(table, part._replace(retry=nothing, validation=validation))
        again, operand = _seconds(part), _AGAIN_CALLS + place
        if fails:
            again = _less(part.retry, asked.gave_up, part.retry) if still else part.retry
            # What was recorded of failures does not go by what calls take; what chance makes of them does.
            operand = _AGAIN if still and change.retries is None else operand
        placed[operand] = _placed(table, none._replace(retry=again))
    return tuple(
        Stretch(
            tuple(after),
            tuple(
                Term(int(bucket), operand, float(seconds[place, bucket]))
                for operand, seconds in sorted(placed.items())
                for bucket in np.flatnonzero(seconds[place])
            ),
        )
        for place, after in enumerate(table.segments)
    )


def _placed(table: Table, found: Answers) -> Floats:
    """Seconds by segment and bucket."""
    return by_segment(table, np.zeros_like(table.fixed), found)[0]


def _share(tables: Sequence[Table], change: Change) -> float:
    """Of the attempts at calls that were answered, the share that fails."""
    if change.retries is not None:
        return change.retries
    failures = sum(float(table.failures[table.answered].sum()) for table in tables)
    return failures / (failures + sum(float(table.answered.sum()) for table in tables))


def _alone(change: Change, candidates: int = 1) -> Change:
    """The calls of a change by themselves: nothing fails, and nothing is checked."""
    return msgspec.structs.replace(change, candidates=candidates, retries=0.0, verify=False)


def _slower(table: Table, change: Change, own: Mapping[str, CallTimes], luck: Luck) -> tuple[float, ...]:
    def mean(count: int) -> float:
        found = answers(table, _alone(change, count), own, luck)
        return float(_seconds(found).sum(axis=1).mean())

    projected = mean(change.candidates)
    return tuple(
        1.0 if count == change.candidates or projected <= 0 else mean(count) / projected
        for count in range(1, max(CANDIDATES, change.candidates) + 1)
    )


def _typical(
    tables: Sequence[Table], change: Change, own: Mapping[str, CallTimes], lucks: Sequence[Luck]
) -> tuple[float | None, float | None]:
    """The TTFT and the decode rate of the median call: those that were given, or else of all draws and calls."""
    firsts: list[Floats] = []
    rates: list[Floats] = []
    for table, luck in zip(tables, lucks, strict=True):
        lone = _alone(change)
        whole, no_first, no_rest = (
            _seconds(answers(table, lone, own, luck, nudge))
            for nudge in (STILL, _WITHOUT_FIRST, _WITHOUT_REST)
        )
        first, rest = _less(whole, no_first, whole), _less(whole, no_rest, whole)
        firsts.append(first[first > 0])
        decoded = np.broadcast_to(table.decoded, rest.shape)
        known = (rest > 0) & (decoded > 0)
        rates.append(decoded[known] / rest[known])
    given_s, given_rate = change.ttft_s, change.tokens_per_s
    return (
        _median(firsts) if given_s is None else given_s / change.speedup or None,
        _median(rates) if given_rate is None else given_rate * change.speedup,
    )


def _seconds(found: Answers) -> Floats:
    return found.queue + found.prefill + found.decode + found.inference


def _median(values: Sequence[Floats]) -> float | None:
    every = np.concatenate(values)
    return float(np.median(every)) if len(every) else None
