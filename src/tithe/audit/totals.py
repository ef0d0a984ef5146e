"""Short generations: what an agent step takes, beside what the chat figure says it should.

Time to N tokens is sent to last token, with the prefix cached, for N of an agent's size; 50, 100 and
200 tokens and the step's own length run interleaved with the chat figure, in rounds until every total
is precise enough (sampling.py). The chat figure is what a speed comparison of chat endpoints quotes: a
fresh 1,024-token prompt, 512 tokens out,

    chat figure = output tokens / (last token - sent)                     tok/s
    predicted   = step tokens / chat figure                               what a reader of it expects
    misjudged   = measured time of a step / predicted                     over 1: the step is slower

A model may end before the length asked for; it is asked again (`reasks`), and the figure stands on
the answers that reached the length. If fewer than half did, on all of them, and `generated` tells. An endpoint that
refuses the first call (HTTP 400 and the like: its context is too short for the prompt) is asked for nothing more, and a
length that it refuses not again.
"""

import functools
import random
from collections.abc import Sequence

import msgspec
import numpy as np

from tithe.audit.observation import Observation
from tithe.audit.plan import CHAT_EVERY, PROBE_TOKENS
from tithe.audit.probe import Probe, fell_short
from tithe.audit.sampling import Extent, sample
from tithe.core import Request
from tithe.core.statistics import Estimate, median, samples_for


class TotalSample(msgspec.Struct, frozen=True, kw_only=True):
    """A generation of `wanted` tokens: every attempt at it, the one that counts last."""

    wanted: int
    chat: bool
    repeat: int
    attempts: tuple[Observation, ...]

    @property
    def observation(self) -> Observation:
        return self.attempts[-1]

    @property
    def fell_short(self) -> bool:
        """Whether the answer that counts ended before its length."""
        return fell_short(self.observation, self.wanted)


class TotalFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One generation length. `generated` is the median number of tokens that came; None: not reported.

    `itc_p50_s` and `itc_p99_s` are over the times between chunks of all its answers. They have no interval:
    the times within one answer depend on each other. A p99 is None with too few of them (statistics.py).
    """

    wanted: int
    generated: float | None
    total_s: Estimate | None
    ttft_s: Estimate | None
    visible_ttft_s: Estimate | None
    decode_tokens_per_s: Estimate | None
    itc_p50_s: float | None
    itc_p99_s: float | None
    fell_short: int
    failed: int


class ChatFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The chat figure and how it misjudges an agent step; see the top of the file."""

    figures: TotalFigures
    tokens_per_s: Estimate | None
    step_tokens: int
    predicted_step_s: float | None
    measured_step_s: Estimate | None
    misjudged: float | None


class TotalsFigures(msgspec.Struct, frozen=True, kw_only=True):
    lengths: tuple[TotalFigures, ...]
    chat: ChatFigures


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement whole: what was seen, and what follows from it.

    `refused` is what the endpoint said where it does not take such a prompt; nothing was measured then.
    """

    primes: tuple[Observation, ...]
    samples: tuple[TotalSample, ...]
    extent: Extent
    figures: TotalsFigures
    refused: str | None = None


async def measure_totals(probe: Probe) -> Totals:
    """Prime the prefix, then run rounds of every length; the chat figure is in every second one."""
    plan = probe.plan
    async with probe.seat.turn():
        prime = await probe.call(_short(probe, PROBE_TOKENS, -1, 0), "totals.prime")
    order = random.Random(f"{plan.seed}/totals")
    samples: list[TotalSample] = []
    refused: set[tuple[int, bool]] = set()

    async def run_round(repeat: int) -> None:
        asked = [(wanted, False, repeat) for wanted in plan.generation_lengths]
        if repeat % CHAT_EVERY == 0 and repeat // CHAT_EVERY < plan.chat_repeats:
            asked.append((plan.chat_out, True, repeat // CHAT_EVERY))
        for wanted, chat, number in order.sample(asked, len(asked)):
            if (wanted, chat) in refused:
                continue
            samples.append(await _sample(probe, wanted, number, chat=chat))
            if samples[-1].observation.refusal is not None:
                refused.add((wanted, chat))

    def totals() -> list[Estimate | None]:
        return [row.total_s for row in _rows(samples, plan.seed) if (row.wanted, False) not in refused]

    nothing = Extent(rounds=0, ended="samples")
    extent = await sample(probe, run_round, totals) if prime.refusal is None else nothing
    figures = totals_figures(tuple(samples), step_tokens=plan.step_out, seed=plan.seed)
    return Totals(
        primes=(prime,), samples=tuple(samples), extent=extent, figures=figures, refused=prime.refusal
    )


async def _sample(probe: Probe, wanted: int, repeat: int, *, chat: bool) -> TotalSample:
    if chat:
        attempts = await probe.full_length(functools.partial(_chat, probe, repeat), "totals.chat")
    else:
        short = functools.partial(_short, probe, wanted, repeat)
        attempts = await probe.full_length(short, f"totals.{wanted}")
    return TotalSample(wanted=wanted, chat=chat, repeat=repeat, attempts=attempts)


def _short(probe: Probe, wanted: int, repeat: int, attempt: int) -> Request:
    messages = (
        probe.prompts.system(probe.plan.prefix, "totals/known"),
        probe.prompts.user(probe.plan.tail, f"totals/{wanted}/{repeat}/{attempt}"),
    )
    return probe.request(messages, wanted)


def _chat(probe: Probe, repeat: int, attempt: int) -> Request:
    """A fresh prompt of the chat figure's length, in one user's turn as chat benchmarks send it."""
    message = probe.prompts.user(probe.plan.chat_in, f"totals/chat/{repeat}/{attempt}")
    return probe.request((message,), probe.plan.chat_out)


def totals_figures(samples: tuple[TotalSample, ...], *, step_tokens: int, seed: int) -> TotalsFigures:
    """Everything that follows from the samples; failed calls are counted apart."""
    rows = _rows(samples, seed)
    step = next((row for row in rows if row.wanted == step_tokens), None)
    return TotalsFigures(
        lengths=rows,
        chat=_chat_figures([sample for sample in samples if sample.chat], step, step_tokens, seed),
    )


def _rows(samples: Sequence[TotalSample], seed: int) -> tuple[TotalFigures, ...]:
    """A row for each length of a step."""
    short = [sample for sample in samples if not sample.chat]
    return tuple(
        _figures(wanted, [sample for sample in short if sample.wanted == wanted], seed)
        for wanted in sorted({sample.wanted for sample in short})
    )


def _figures(wanted: int, samples: list[TotalSample], seed: int) -> TotalFigures:
    used = _used(samples)
    tokens = median([float(one.output_tokens) for one in used if one.output_tokens is not None])
    gaps = [gap for one in used for gap in one.gaps]
    return TotalFigures(
        wanted=wanted,
        generated=tokens.value if tokens is not None else None,
        total_s=median([one.total for one in used if one.total is not None], seed=seed),
        ttft_s=median([one.ttft for one in used if one.ttft is not None], seed=seed),
        visible_ttft_s=median([one.visible_ttft for one in used if one.visible_ttft is not None], seed=seed),
        decode_tokens_per_s=median(
            [one.decode_rate for one in used if one.decode_rate is not None], seed=seed
        ),
        itc_p50_s=_quantile_of(gaps, 0.5),
        itc_p99_s=_quantile_of(gaps, 0.99) if len(gaps) >= samples_for(0.99) else None,
        fell_short=sum(fell_short(sample.observation, wanted) for sample in samples),
        failed=sum(not sample.observation.answered for sample in samples),
    )


def _quantile_of(values: list[float], q: float) -> float | None:
    return float(np.quantile(values, q)) if values else None


def _used(samples: list[TotalSample]) -> list[Observation]:
    """The answers that reached their length or, when fewer than half of them did, all."""
    answered = [sample for sample in samples if sample.observation.answered]
    whole = [sample for sample in answered if not fell_short(sample.observation, sample.wanted)]
    chosen = whole if 2 * len(whole) >= len(answered) else answered
    return [sample.observation for sample in chosen]


def _chat_figures(
    samples: list[TotalSample], step: TotalFigures | None, step_tokens: int, seed: int
) -> ChatFigures:
    rates = [
        one.output_tokens / one.total for one in _used(samples) if one.output_tokens is not None and one.total
    ]
    rate = median(rates, seed=seed)
    # A step that came out short is compared with what the figure predicts for the tokens that came.
    tokens = step.generated if step is not None and step.generated is not None else float(step_tokens)
    predicted = tokens / rate.value if rate is not None else None
    measured = step.total_s if step is not None else None
    wanted = samples[0].wanted if samples else 0
    return ChatFigures(
        figures=_figures(wanted, samples, seed),
        tokens_per_s=rate,
        step_tokens=step_tokens,
        predicted_step_s=predicted,
        measured_step_s=measured,
        misjudged=measured.value / predicted if measured is not None and predicted else None,
    )
