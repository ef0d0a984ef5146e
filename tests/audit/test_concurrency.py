import asyncio

import pytest

from tithe.audit.concurrency import AgentRun, Round, concurrency_figures, measure_concurrency
from tithe.audit.observation import Failure, Observation, Stamp
from tithe.core import Usage


def measured(bench):
    return bench.run(lambda: measure_concurrency(bench.probe))


def test_agents_that_never_meet_are_served_alike(bench):
    """The scripted endpoint answers everyone as if alone: TTFT and rate are the same at every N."""
    figures = measured(bench(base_s=0.02, uncached_token_s=0.0, decode_s=0.002)).figures
    assert [(row.agents, row.calls) for row in figures] == [(1, 6), (3, 12)]
    for row in figures:
        assert row.ttft_p50_s.value == pytest.approx(0.02)
        assert row.agent_tokens_per_s.value == pytest.approx(16 / (0.02 + 15 * 0.002))
        assert (row.jain, row.worst_over_median) == pytest.approx((1.0, 1.0))
        assert row.step_s.value == pytest.approx(0.02 + 15 * 0.002)
        assert row.failed == 0
    assert figures[1].aggregate_tokens_per_s > figures[0].aggregate_tokens_per_s


def test_a_p95_takes_20_calls_and_a_p99_100(bench):
    made = bench(plan={"concurrency": (1, 3, 20), "agent_steps": 3, "rounds": 2})
    figures = measured(made).figures
    assert [row.calls for row in figures] == [9, 18, 120]
    assert [(row.ttft_p95_s is None, row.ttft_p99_s is None) for row in figures] == [
        (True, True),
        (True, True),
        (False, False),
    ]


def test_a_lone_agent_runs_often_enough_for_an_interval_of_the_knee(bench):
    found = climbed(bench, 1, rounds=2)
    assert [one.agents for one in found.rounds].count(1) == 3
    assert found.knee.agents.low is not None
    quick = climbed(bench, 1, rounds=1)
    assert [one.agents for one in quick.rounds].count(1) == 1
    assert (quick.knee.agents.low, quick.knee.agents.n) == (None, 1)


def test_loops_run_at_once_and_histories_only_grow(bench):
    made = bench()
    rounds = measured(made).rounds
    three = next(one for one in rounds if one.agents == 3)
    spans = [(run.observations[0].begun, run.observations[-1].ended) for run in three.runs]
    assert max(start for start, _ in spans) < max(end for _, end in spans)
    first, second = (
        [request.messages for request in made.backend.requests if len(request.messages) == length]
        for length in (2, 4)
    )
    assert all(any(longer[:2] == shorter for shorter in first) for longer in second)


def test_the_shared_prompt_is_in_the_cache_of_every_call(bench):
    concurrency = measured(bench())
    cached = [
        seen.cached_tokens for one in concurrency.rounds for run in one.runs for seen in run.observations
    ]
    assert min(cached) >= 256


class Desk:
    """A backend that serves so many calls at once; the others wait for their turn, as in a server's queue."""

    def __init__(self, backend, servers: int) -> None:
        self._backend = backend
        self._servers = asyncio.Semaphore(servers)

    async def generate(self, request):
        events = self._backend.generate(request)
        yield await anext(events)  # it was sent
        async with self._servers:
            async for event in events:
                yield event


def climbed(bench, servers: int, **plan: object):
    """Steps of 50 ms each at a desk, with pauses of 100 ms between them."""
    made = bench(
        base_s=0.02,
        uncached_token_s=0.0,
        decode_s=0.002,
        plan={"concurrency": (), "agent_steps": 12, "think_s": 0.1, **plan},
    )
    made.probe._backend = Desk(made.backend, servers)
    return measured(made)


@pytest.mark.parametrize("servers", [1, 2, 4])
def test_the_climb_ends_at_the_capacity_and_the_knee_is_where_the_bounds_cross(bench, servers):
    """A step is 50 ms of service and 100 ms of pause, so each server keeps three agents from waiting."""
    found = climbed(bench, servers)
    assert found.climb == "saturated"
    assert found.knee.agents.value == pytest.approx(3 * servers, rel=0.2)
    assert found.knee.agents.low < 3 * servers * 1.1
    assert found.knee.agents.high > 3 * servers * 0.9
    assert found.knee.capacity_steps_per_s == pytest.approx(servers / 0.05, rel=0.2)
    agents = [row.agents for row in found.figures]
    assert agents == [2**power for power in range(len(agents))]
    assert agents[-1] > 3 * servers


def test_without_an_end_of_growth_there_is_no_knee(bench):
    found = climbed(bench, 1000, most_agents=6)
    assert [row.agents for row in found.figures] == [1, 2, 4, 6]
    assert found.climb == "planned"
    assert (found.knee.agents, found.knee.beyond) == (None, 6)


def test_a_climb_ends_where_most_calls_fail(bench):
    made = bench(plan={"concurrency": (), "rounds": 1}, fails_after=4)
    found = measured(made)
    assert found.climb == "failing"
    assert found.figures[-1].failed > found.figures[-1].calls / 2
    assert found.arrivals == () or found.arrivals[0].figures.failed


def test_tasks_arrive_at_their_rate_and_latency_counts_from_when_they_were_due(bench):
    class LateClient:
        """Takes 50 ms before a request is on its way."""

        def __init__(self, backend, clock) -> None:
            self._backend, self._clock = backend, clock

        async def generate(self, request):
            await self._clock.sleep(0.05)
            async for event in self._backend.generate(request):
                yield event

    made = bench(base_s=0.02, uncached_token_s=0.0, decode_s=0.002, plan={"arrivals": 60})
    made.probe._backend = LateClient(made.backend, made.clock)
    found = measured(made)
    assert [run.load for run in found.arrivals] == [0.5, 0.8]
    for run in found.arrivals:
        assert run.tasks_per_s == pytest.approx(run.load * found.knee.capacity_steps_per_s / 2)
        arrived = [task.due for task in run.tasks]
        assert arrived == sorted(arrived)
        assert 59 / (arrived[-1] - arrived[0]) == pytest.approx(run.tasks_per_s, rel=0.4)
        assert run.figures.sent_ttft_p95_s.value == pytest.approx(0.02)
        assert run.figures.ttft_p95_s.value == pytest.approx(0.07)
        assert run.figures.send_lag_p99_s == pytest.approx(0.05)
        assert (run.figures.calls, run.figures.failed) == (120, 0)


def test_a_stalled_endpoint_is_not_asked_less_when_tasks_arrive(bench):
    """One second without service, seen by a closed loop once an agent and by every task that arrives meanwhile."""
    made = bench(
        base_s=0.02, uncached_token_s=0.0, decode_s=0.002, plan={"arrivals": 60, "concurrency": (1,)}
    )
    made.probe._backend = Desk(made.backend, 1)
    found = measured(made)
    heavy = found.arrivals[-1].figures
    assert heavy.ttft_p95_s.value > 2 * found.figures[0].ttft_p50_s.value


def call(ttft: float, total: float, tokens: int | None, *, failed: bool = False) -> Observation:
    return Observation(
        label="x",
        begun=0.0,
        sent=0.0,
        ended=total,
        finish="length",
        stamps=(Stamp(ttft, "text"), Stamp(total, "text")),
        usage=Usage(prompt_tokens=1, completion_tokens=tokens) if tokens is not None else None,
        failure=Failure(kind="Overloaded", message="full") if failed else None,
    )


def test_unfair_shares_show():
    runs = (
        AgentRun(agent=0, start=0.0, end=2.0, observations=(call(0.5, 1.0, 100),)),
        AgentRun(agent=1, start=0.0, end=2.0, observations=(call(0.5, 1.0, 100),)),
        AgentRun(agent=2, start=0.0, end=2.0, observations=(call(0.5, 4.0, 100),)),
    )
    row = concurrency_figures(
        (Round(agents=3, round=0, start=0.0, end=5.0, runs=runs),), step_tokens=100, seed=0
    )[0]
    assert row.agent_tokens_per_s.value == 100.0
    assert row.worst_over_median == 0.25
    assert row.jain == pytest.approx(225.0**2 / (3 * (100**2 + 100**2 + 25**2)))
    assert row.aggregate_tokens_per_s == 60.0


def test_the_least_fair_round_is_the_one_told():
    fair = tuple(
        AgentRun(agent=agent, start=0.0, end=2.0, observations=(call(0.5, 1.0, 100),)) for agent in range(2)
    )
    unfair = (fair[0], AgentRun(agent=1, start=0.0, end=2.0, observations=(call(0.5, 2.0, 100),)))
    rounds = tuple(
        Round(agents=2, round=n, start=0.0, end=2.0, runs=runs) for n, runs in enumerate((unfair, fair))
    )
    assert concurrency_figures(rounds, step_tokens=100, seed=0)[0].jain == pytest.approx(
        150**2 / (2 * (100**2 + 50**2))
    )


def test_an_agent_that_got_nothing_counts_as_nothing():
    runs = (
        AgentRun(agent=0, start=0.0, end=2.0, observations=(call(0.5, 1.0, 100),)),
        AgentRun(agent=1, start=0.0, end=2.0, observations=(call(0.5, 1.0, 100, failed=True),)),
    )
    row = concurrency_figures(
        (Round(agents=2, round=0, start=0.0, end=2.0, runs=runs),), step_tokens=100, seed=0
    )[0]
    assert (row.failed, row.calls) == (1, 2)
    assert row.jain == pytest.approx(0.5)
    assert row.ttft_p50_s.n == 1


def test_without_usage_there_are_times_and_no_rates(bench):
    row = measured(bench(reports_usage=False)).figures[0]
    assert row.ttft_p50_s is not None
    assert (row.agent_tokens_per_s, row.aggregate_tokens_per_s, row.jain) == (None, None, None)


def test_a_step_that_ended_early_counts_as_a_whole_one():
    """40 of 100 tokens, 0.5 s to the first and 0.39 s for the others: at that rate 100 take 0.5 + 0.99 s."""
    short, one_token = call(0.5, 0.89, 40), call(0.5, 0.5, 1)
    run = AgentRun(agent=0, start=0.0, end=2.0, observations=(short, one_token))
    row = concurrency_figures(
        (Round(agents=1, round=0, start=0.0, end=2.0, runs=(run,)),), step_tokens=100, seed=0
    )[0]
    assert row.step_s.value == pytest.approx(0.5 + 0.99)
    assert row.step_s.n == 1
