"""Each outcome, at both sides of its line."""

import msgspec
import pytest

from tithe.audit.concurrency import Concurrency, ConcurrencyFigures
from tithe.audit.innocence import Floor, Judgement, LagFigures
from tithe.audit.knee import Knee
from tithe.audit.pairs import LengthFigures, Pairs, PairsFigures
from tithe.audit.sampling import Extent
from tithe.audit.structured import Structured, StructuredArm, StructuredFigures
from tithe.audit.task import Task, task_figures
from tithe.audit.task_run import Account
from tithe.audit.totals import ChatFigures, TotalFigures, Totals, TotalsFigures
from tithe.audit.verdict import About, Measured, clients_share_s, judgements, verdicts
from tithe.core.statistics import Estimate, wilson

CLEAR = Judgement(
    lag=LagFigures(n=1, p50_s=0.0, p99_s=0.0, max_s=0.0), floor_s=0.0, figure_s=1.0, withheld=None
)
NONE = Extent(rounds=0, ended="samples")
ABOUTS: tuple[About, ...] = ("cache", "short generations", "structured output", "concurrency", "task")


def estimate(value: float | None) -> Estimate | None:
    return Estimate(value=value, low=None, high=None, n=1) if value is not None else None


def arm(name: StructuredArm, valid: int, expected: float | None) -> StructuredFigures:
    return StructuredFigures(
        arm=name,
        valid=wilson(valid, 10),
        classes={},
        ttft_s=estimate(0.1),
        valid_total_s=estimate(expected),
        attempt_mean_s=0.5,
        expected_s=expected,
        expected_at_least_s=None,
    )


def row(agents: int, step: float | None, jain: float | None) -> ConcurrencyFigures:
    return ConcurrencyFigures(
        agents=agents,
        step_s=estimate(step),
        ttft_p50_s=estimate(0.01),
        ttft_p95_s=estimate(0.01),
        ttft_p99_s=estimate(0.01),
        steps_per_s=None,
        agent_tokens_per_s=None,
        aggregate_tokens_per_s=None,
        jain=jain,
        worst_over_median=None,
        cached_tokens=None,
        prompt_tokens=None,
        calls=1,
        failed=0,
    )


def measured(
    *,
    misjudged: float | None = 1.0,
    constrained: float | None = 1.0,
    free: float | None = 1.0,
    rows: tuple[ConcurrencyFigures, ...] = (row(1, 0.1, 1.0), row(8, 0.1, 1.0)),
    account: Account | None = None,
    knee: Knee | None = None,
) -> Measured:
    total = TotalFigures(
        wanted=80,
        generated=80.0,
        total_s=estimate(1.0),
        ttft_s=estimate(0.1),
        visible_ttft_s=estimate(0.1),
        decode_tokens_per_s=None,
        itc_p50_s=None,
        itc_p99_s=None,
        fell_short=0,
        failed=0,
    )
    chat = ChatFigures(
        figures=total,
        tokens_per_s=None,
        step_tokens=80,
        predicted_step_s=1.0,
        measured_step_s=Estimate(value=1.0, low=0.9, high=1.1, n=9),
        misjudged=misjudged,
    )
    arms = (
        arm("call constrained", 0 if constrained is None else 10, constrained),
        arm("call free", 0 if free is None else 10, free),
    )
    pairs = PairsFigures(
        lengths=(), caching="unclear", caches_from=None, token_worth_s=None, uncached_token_s=None
    )
    task = msgspec.structs.replace(task_figures((), seed=0), account=account)
    return Measured(
        pairs=Pairs(primes=(), samples=(), extent=NONE, figures=pairs),
        totals=Totals(primes=(), samples=(), extent=NONE, figures=TotalsFigures(lengths=(), chat=chat)),
        structured=Structured(primes=(), samples=(), extent=NONE, figures=arms),
        concurrency=Concurrency(
            primes=(), rounds=(), extent=NONE, climb="planned", figures=rows, knee=knee, arrivals=()
        ),
        task=Task(temperature=0.0, primes=(), runs=(), extent=NONE, figures=task),
    )


def outcome(about: About, found: Measured) -> str:
    told = verdicts(found, dict.fromkeys(ABOUTS, CLEAR))
    return next(verdict.outcome for verdict in told if verdict.about == about)


@pytest.mark.parametrize(
    ("misjudged", "said"),
    [
        (1.11, "slower_than_chat"),
        (1.09, "as_chat"),
        (0.91, "as_chat"),
        (0.89, "faster_than_chat"),
        (None, "unclear"),
    ],
)
def test_a_step_against_the_chat_figure(misjudged, said):
    assert outcome("short generations", measured(misjudged=misjudged)) == said


def test_a_step_without_an_interval_is_no_verdict():
    found = measured(misjudged=1.5)
    chat = msgspec.structs.replace(found.totals.figures.chat, measured_step_s=estimate(1.0))
    figures = msgspec.structs.replace(found.totals.figures, chat=chat)
    found = msgspec.structs.replace(found, totals=msgspec.structs.replace(found.totals, figures=figures))
    assert outcome("short generations", found) == "unclear"


@pytest.mark.parametrize(
    ("constrained", "free", "said"),
    [
        (0.89, 1.0, "constrained_cheaper"),
        (0.91, 1.0, "alike"),
        (1.0, 0.91, "alike"),
        (1.0, 0.89, "free_cheaper"),
        (9.0, None, "constrained_cheaper"),
        (None, 9.0, "free_cheaper"),
        (None, None, "never_valid"),
    ],
)
def test_constrained_against_free(constrained, free, said):
    assert outcome("structured output", measured(constrained=constrained, free=free)) == said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((row(1, 0.1, 1.0), row(8, 0.15, 0.9)), "scales"),
        ((row(1, 0.1, 1.0), row(8, 0.151, 0.9)), "slows"),
        ((row(1, 0.1, 1.0), row(8, 0.1, 0.89)), "unfair"),
        ((row(1, 0.1, None), row(8, 0.1, None)), "scales"),
        ((row(1, 0.1, 1.0),), "unclear"),
        ((row(1, 0.1, 1.0), row(8, None, None)), "unclear"),
    ],
)
def test_many_loops_against_few(rows, said):
    assert outcome("concurrency", measured(rows=rows)) == said


def test_a_knee_is_told_unless_shares_were_unfair():
    knee = Knee(agents=estimate(5.0), beyond=8, capacity_steps_per_s=40.0)
    rows = (row(1, 0.1, 1.0), row(8, 0.2, 1.0))
    assert outcome("concurrency", measured(rows=rows, knee=knee)) == "saturates"
    unfair = (row(1, 0.1, 1.0), row(8, 0.2, 0.8))
    assert outcome("concurrency", measured(rows=unfair, knee=knee)) == "unfair"
    beyond = msgspec.structs.replace(knee, agents=None)
    assert outcome("concurrency", measured(rows=rows, knee=beyond)) == "slows"


def test_the_task_is_named_for_its_largest_part():
    split = Account(wall_s=1.0, ttft_s=0.1, decode_s=0.2, tool_s=0.15, retry_s=0.5, overhead_s=0.05)
    assert outcome("task", measured(account=split)) == "retry"
    assert outcome("task", measured()) == "unclear"


def test_a_verdict_without_a_figure_is_withheld():
    found = measured()
    lags = dict.fromkeys(ABOUTS, CLEAR.lag)
    judged = judgements(found, None, lags)
    assert judged["cache"].withheld == "no call that it stands on was answered"
    assert judged["concurrency"].withheld == "the client's floor was not measured"
    assert {verdict.withheld is None for verdict in verdicts(found, judged)} == {False}


def test_the_caches_verdict_stands_on_the_uncached_ttft_and_the_clients_share_is_told():
    """A floor of 2 ms is little beside 100 ms uncached, and most of the 3 ms cached that the sentence quotes."""
    longest = LengthFigures(
        length=2048,
        prompt_tokens=None,
        cached_tokens=None,
        uncached_ttft_s=estimate(0.1),
        cached_ttft_s=estimate(0.003),
        saved_s=estimate(0.097),
        pays=True,
        failed=0,
    )
    found = measured()
    pairs = msgspec.structs.replace(found.pairs.figures, lengths=(longest,))
    found = msgspec.structs.replace(found, pairs=msgspec.structs.replace(found.pairs, figures=pairs))
    floor = Floor(
        observations=(),
        crowd=(),
        agents=1,
        step_tokens=1,
        ttft_s=estimate(0.002),
        step_s=estimate(0.002),
        crowd_ttft_s=estimate(0.002),
        crowd_step_s=estimate(0.002),
    )
    judged = judgements(found, floor, dict.fromkeys(ABOUTS, CLEAR.lag))["cache"]
    assert (judged.figure_s, judged.withheld) == (0.1, None)
    assert clients_share_s(judged, 0.003) == 0.002
    assert clients_share_s(judged, 0.011) is None
