import pytest

from tithe.audit.sampling import Extent, precise, sample
from tithe.core.statistics import Estimate


def figure(half: float | None, value: float = 2.0) -> Estimate:
    if half is None:
        return Estimate(value=value, low=None, high=None, n=2)
    return Estimate(value=value, low=value - half, high=value + half, n=9)


@pytest.mark.parametrize(
    ("figures", "enough"),
    [
        ([figure(0.099)], True),
        ([figure(0.11)], False),
        ([figure(0.099), figure(0.2)], False),
        ([figure(None)], False),
        ([None], False),
        ([], False),
        ([figure(0.099, value=-2.0)], True),
    ],
)
def test_every_interval_has_to_be_narrow(figures: list[Estimate | None], enough: bool) -> None:
    assert precise(figures, 0.05) is enough


def test_an_endpoint_that_never_varies_needs_the_fewest_samples(bench) -> None:
    measured = bench(repeats=30, plan={"least_repeats": 6}).audit().measured
    assert {m.extent for m in (measured.pairs, measured.totals, measured.structured)} == {
        Extent(rounds=6, ended="precise")
    }
    assert all(row.uncached_ttft_s.n == 6 for row in measured.pairs.figures.lengths)


def test_rounds_go_on_until_the_figures_are_precise_or_the_most_are_taken(bench) -> None:
    made = bench(repeats=9, plan={"least_repeats": 3})
    seen: list[int] = []

    async def run_round(number: int) -> None:
        seen.append(number)

    def narrow_from(rounds: int) -> Extent:
        seen.clear()
        return made.run(
            lambda: sample(made.probe, run_round, lambda: [figure(0.01 if len(seen) >= rounds else 0.5)])
        )

    assert narrow_from(1) == Extent(rounds=3, ended="precise")
    assert narrow_from(7) == Extent(rounds=7, ended="precise")
    assert narrow_from(10) == Extent(rounds=9, ended="samples")
    assert seen == list(range(9))


@pytest.mark.parametrize(
    ("limit", "ended"),
    [({"max_requests": 60}, "requests"), ({"max_tokens": 20_000}, "tokens"), ({"max_time": 3.0}, "time")],
)
def test_a_limit_leaves_every_measurement_its_share(bench, limit, ended) -> None:
    made = bench(repeats=30, plan={"least_repeats": 25, **limit}, base_s=0.02)
    report = made.audit()
    measured = report.measured
    extents = [measured.pairs.extent, measured.totals.extent, measured.structured.extent]
    assert {extent.ended for extent in extents} == {ended}
    assert all(0 < extent.rounds < 25 for extent in extents)
    assert measured.concurrency.rounds
    if "max_requests" in limit:
        assert report.calls == len(made.backend.requests) <= 60


@pytest.mark.parametrize("most", [4, 9, 21])
def test_no_call_is_made_beyond_a_limit_and_what_it_is_too_small_for_is_left_out(bench, most: int) -> None:
    made = bench(plan={"max_requests": most}, solves=False)
    report = made.audit()
    assert report.calls == len(made.backend.requests) <= most
    assert report.gave_up is None
    # 5 calls warm up; the pairs of three lengths take 9 at the least, and the other measurements 5 to 9.
    left_out = {about for about, why in report.left_out.items() if why.startswith("--max-requests")}
    assert ("cache" in left_out) is (most < 5 + 9)
    assert {"structured output", "concurrency", "task"} <= left_out
    assert report.measured.task.extent.rounds == 0
    assert [verdict.outcome for verdict in report.verdicts if verdict.about == "concurrency"] == ["unclear"]
