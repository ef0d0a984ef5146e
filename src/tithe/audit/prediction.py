"""The task's wall clock, predicted from the other measurements, and how far off that is.

Theory. If the audit has measured what an agent pays for, a task it never timed as a whole must come out of
its parts. The cost of a call is taken to be linear in its tokens,

    TTFT   = base_s + uncached_token_s * uncached + cached_token_s * cached     from the pairs
    decode = token_s * (output tokens - 1)                                      from the short generations

fitted to the medians of each length and arm by least squares with no price below zero (Lawson & Hanson 1974,
ch. 23, for three unknowns by trying which of them are zero), and to the median decode rate of a step. A
run's steps then give their sizes and nothing of their times: prompt and output tokens as reported; cached
is what the step before sent and got, where the endpoint caches prefixes of that length; and of a first step
the system prompt and tools, which were primed. Tools take what they took. So

    predicted = sum over steps of TTFT + decode, + tools
    error     = predicted / wall clock - 1

What the prediction leaves out (connecting, the client, a queue, what is not linear) is in its error.
"""

import itertools
from collections.abc import Sequence

import msgspec
import numpy as np

from tithe.audit.pairs import ARMS, Pairs, PairSample
from tithe.audit.task import Task, prime_label
from tithe.audit.task_run import TaskRun, account
from tithe.audit.totals import Totals
from tithe.core.statistics import Estimate, Floats, median


class CallTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What a call costs, in seconds: see the top of the file.

    A prefix is cached from `caches_from` tokens on: 0 where every length that was measured is, None where none is.
    """

    base_s: float
    uncached_token_s: float
    cached_token_s: float
    token_s: float
    caches_from: int | None

    def ttft(self, prompt: float, cached: float) -> float:
        """Seconds to the first token of a prompt of which `cached` tokens are in the cache."""
        return self.base_s + self.uncached_token_s * (prompt - cached) + self.cached_token_s * cached

    def decode(self, output: int) -> float:
        """Seconds from the first of `output` tokens to the last."""
        return self.token_s * max(0, output - 1)


class PredictedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run: what was predicted and what it took, in seconds, tools included in both."""

    repeat: int
    predicted_s: float
    wall_s: float

    @property
    def error(self) -> float:
        return self.predicted_s / self.wall_s - 1


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """The prediction of every run whose token counts were reported; `error` is the median of theirs."""

    call_times: CallTimes
    runs: tuple[PredictedRun, ...]
    error: Estimate | None


def predict(pairs: Pairs, totals: Totals, task: Task, *, tail: int, seed: int) -> Prediction | None:
    """Predict the task's runs; None where the measurements that it stands on told too little."""
    times = call_times(pairs, totals, tail=tail)
    if times is None:
        return None
    runs = [
        predicted
        for run in task.runs
        if run.outcome != "failed" and (predicted := _predicted(times, task, run, tail)) is not None
    ]
    if not runs:
        return None
    return Prediction(
        call_times=times, runs=tuple(runs), error=median([run.error for run in runs], seed=seed)
    )


def call_times(pairs: Pairs, totals: Totals, *, tail: int) -> CallTimes | None:
    """Fit the cost of a call; None without two prompts of different cost and a decode rate."""
    step = totals.figures.chat.step_tokens
    row = next((row for row in totals.figures.lengths if row.wanted == step), None)
    rate = row.decode_tokens_per_s if row is not None else None
    points = _points(pairs.samples, tail)
    if rate is None or rate.value <= 0 or len(points) < 2:
        return None
    sizes = np.asarray([(1.0, uncached, cached) for uncached, cached, _ in points])
    base, uncached, cached = _not_negative(sizes, np.asarray([ttft for _, _, ttft in points]))
    return CallTimes(
        base_s=base,
        uncached_token_s=uncached,
        cached_token_s=cached,
        token_s=1 / rate.value,
        caches_from=_caches_from(pairs),
    )


def _caches_from(pairs: Pairs) -> int | None:
    measured = [row.length for row in pairs.figures.lengths if row.saved_s is not None]
    found = pairs.figures.caches_from
    # Nothing is known of prefixes shorter than the shortest that was measured; blocks are far shorter still.
    return 0 if measured and found == measured[0] else found


def _points(samples: Sequence[PairSample], tail: int) -> list[tuple[float, float, float]]:
    """(uncached tokens, cached tokens, median TTFT) of each length and arm. Unreported counts are as planned."""
    points: list[tuple[float, float, float]] = []
    for length, arm in itertools.product(sorted({one.length for one in samples}), ARMS):
        seen = [
            one.observation
            for one in samples
            if (one.length, one.arm) == (length, arm) and one.observation.answered
        ]
        ttft = median([one.ttft for one in seen if one.ttft is not None])
        if ttft is None:
            continue
        prompt = _median([one.prompt_tokens for one in seen], length + tail)
        cached = _median([one.cached_tokens for one in seen], length if arm == "cached" else 0)
        points.append((prompt - cached, cached, ttft.value))
    return points


def _median(counts: Sequence[int | None], planned: float) -> float:
    found = median([float(count) for count in counts if count is not None])
    return found.value if found is not None else planned


def _not_negative(sizes: Floats, ttfts: Floats) -> tuple[float, float, float]:
    """The least squares solution with no negative part: the best of those with some parts zero."""
    best, least = np.zeros(3), float("inf")
    for size in range(1, 4):
        for kept in itertools.combinations(range(3), size):
            solved = np.linalg.lstsq(sizes[:, kept], ttfts, rcond=None)[0]
            error = float(np.sum((sizes[:, kept] @ solved - ttfts) ** 2))
            # The simpler one where they are as good.
            if np.all(solved >= 0) and error < least * (1 - 1e-9):
                best, least = np.zeros(3), error
                best[list(kept)] = solved
    return float(best[0]), float(best[1]), float(best[2])


def _predicted(times: CallTimes, task: Task, run: TaskRun, tail: int) -> PredictedRun | None:
    seconds = account(run).tool_s
    known = _primed(task, run, tail)
    for step in run.steps:
        seen = step.attempts[-1]
        prompt, output = seen.prompt_tokens, seen.output_tokens
        if prompt is None or output is None:
            return None
        cached = min(known, prompt) if times.caches_from is not None and known >= times.caches_from else 0
        seconds += times.ttft(prompt, cached) + times.decode(output)
        known = prompt + output
    return PredictedRun(repeat=run.repeat, predicted_s=seconds, wall_s=run.wall_s)


def _primed(task: Task, run: TaskRun, tail: int) -> int:
    """Tokens of the run's system prompt and tools: those of its family's prime but for the prime's own words."""
    of_family = [prime for prime in task.primes if prime.label == prime_label(run.family)]
    known = [prime.prompt_tokens for prime in of_family if prime.prompt_tokens is not None]
    return max(0, known[-1] - tail) if known else 0
