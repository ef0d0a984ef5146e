"""The audit in five sentences: what an engineer takes away in ten seconds."""

from collections.abc import Iterable

import msgspec
from rich.table import Table
from rich.text import Text

from tithe.audit import (
    About,
    AuditReport,
    Concurrency,
    Judgement,
    Pairs,
    StructuredFigures,
    Task,
    Totals,
    Verdict,
    clients_share_s,
)
from tithe.report.failures import why_not_measured
from tithe.report.figures import counted, interval, number, percent, seconds
from tithe.report.tables import refused_arms


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """One conclusion. `good` None: neither good nor bad, or not told."""

    about: str
    outcome: str
    sentence: str
    good: bool | None


_STYLES = {True: "green", False: "red", None: "yellow"}


def verdict_grid(lines: Iterable[Headline]) -> Table:
    """Verdicts without a frame: what each is about, its outcome, its sentence."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column()
    for line in lines:
        grid.add_row(
            Text(line.about, style="bold"), Text(line.outcome, style=_STYLES[line.good]), line.sentence
        )
    return grid


def headlines(report: AuditReport) -> tuple[Headline, ...]:
    """One for each verdict, in order; a withheld one says why instead of what."""
    return tuple(_headline(verdict, report) for verdict in report.verdicts)


def _headline(verdict: Verdict, report: AuditReport) -> Headline:
    if verdict.withheld is not None and report.client.judgements[verdict.about].figure_s is None:
        return Headline(
            about=NAMES[verdict.about],
            outcome="left out" if verdict.about in report.left_out else "not measured",
            sentence=why_not_measured(report, verdict.about),
            good=None,
        )
    if verdict.withheld is not None:
        return Headline(
            about=NAMES[verdict.about],
            outcome="withheld",
            sentence=f"{verdict.withheld[:1].upper()}{verdict.withheld[1:]}.",
            good=None,
        )
    measured = report.measured
    match verdict.about:
        case "cache":
            return _cache(verdict, measured.pairs, report.client.judgements["cache"])
        case "short generations":
            return _short_generations(verdict, measured.totals)
        case "structured output":
            return _structured(verdict, measured.structured.figures)
        case "concurrency":
            return _concurrency(verdict, measured.concurrency)
        case "task":
            return _task(verdict, measured.task)


NAMES: dict[About, str] = {
    "cache": "Prefix cache",
    "short generations": "Agent step",
    "structured output": "Tool calls",
    "concurrency": "Concurrency",
    "task": "Task",
}


def _cache(verdict: Verdict, pairs: Pairs, judgement: Judgement) -> Headline:
    figures, longest = pairs.figures, pairs.figures.longest
    worth = figures.token_worth_s
    if longest is None or longest.uncached_ttft_s is None or longest.cached_ttft_s is None:
        return _unclear(verdict)
    uncached, cached = longest.uncached_ttft_s.value, longest.cached_ttft_s.value
    if verdict.outcome == "caches":
        sentence = (
            f"TTFT after {longest.length:,} tokens: {seconds(uncached)} uncached, {seconds(cached)} cached"
        )
        share = clients_share_s(judgement, cached)
        if share is not None:
            sentence += f" (of which up to {seconds(share)} the client's)"
        saves = f"; a cached token saves {seconds(worth.value)}" if worth is not None else ""
        outcome = f"yes, from {figures.caches_from:,}"
        return Headline(about=NAMES["cache"], outcome=outcome, sentence=f"{sentence}{saves}.", good=True)
    if verdict.outcome == "does_not_cache":
        price = figures.uncached_token_s
        costs = f", {seconds(price.value)} a token" if price is not None else ""
        sentence = (
            f"A repeated prefix is paid for again: {seconds(uncached)} for {longest.length:,} tokens{costs}."
        )
        return Headline(about=NAMES["cache"], outcome="no", sentence=sentence, good=False)
    sentence = (
        f"TTFT does not tell: {seconds(uncached)} uncached and {seconds(cached)} cached after "
        f"{longest.length:,} tokens."
    )
    return Headline(about=NAMES["cache"], outcome="unclear", sentence=sentence, good=None)


def _short_generations(verdict: Verdict, totals: Totals) -> Headline:
    chat = totals.figures.chat
    if chat.misjudged is None or chat.measured_step_s is None or chat.predicted_step_s is None:
        return _unclear(verdict)
    rate = f" ({number(chat.tokens_per_s.value)} tok/s)" if chat.tokens_per_s is not None else ""
    sentence = (
        f"{chat.step_tokens} tokens take {seconds(chat.measured_step_s.value)}; the chat figure{rate} "
        f"promises {seconds(chat.predicted_step_s)}."
    )
    outcome = "as chat says" if verdict.outcome == "as_chat" else f"{chat.misjudged:.2f}x chat's time"
    return Headline(
        about=NAMES[verdict.about],
        outcome=outcome,
        sentence=sentence,
        good=verdict.outcome != "slower_than_chat",
    )


def _structured(verdict: Verdict, arms: tuple[StructuredFigures, ...]) -> Headline:
    constrained, free = arms[0], arms[1]
    words = {
        "constrained_cheaper": ("constrain", True),
        "free_cheaper": ("leave free", None),
        "alike": ("alike", True),
        "never_valid": ("never valid", False),
    }
    if verdict.outcome not in words:
        told = refused_arms(arms)
        unclear = _unclear(verdict)
        return msgspec.structs.replace(unclear, sentence=" ".join(told)) if told else unclear
    outcome, good = words[verdict.outcome]
    return Headline(
        about=NAMES[verdict.about],
        outcome=outcome,
        sentence=f"Constrained {_arm(constrained)}; free {_arm(free)}.",
        good=good,
    )


def _arm(figures: StructuredFigures) -> str:
    if figures.valid is None:
        return "not answered"
    if figures.expected_s is None:
        return f"never valid in {figures.valid.n}"
    return f"{percent(figures.valid.successes, figures.valid.n)} valid, {seconds(figures.expected_s)} with retries"


def _concurrency(verdict: Verdict, concurrency: Concurrency) -> Headline:
    rows, knee = concurrency.figures, concurrency.knee
    if verdict.outcome == "unclear":
        return _unclear(verdict)
    fewest, most = rows[0], rows[-1]
    if fewest.step_s is None or most.step_s is None:
        return _unclear(verdict)
    slower = f"{most.step_s.value / fewest.step_s.value:.2f} times as long as with {fewest.agents}"
    times = f"({seconds(fewest.step_s.value)} to {seconds(most.step_s.value)})"
    told, outcome = [f"With {most.agents} agents a step takes {slower} {times}"], verdict.outcome
    if knee is not None and knee.agents is not None:
        outcome = f"knee at {knee.agents.value:.1f}"
        told[0] = (
            f"From {interval(knee.agents)} agents on they wait for each other: with {told[0].removeprefix('With ')}"
        )
    if fewest.ttft_p50_s is not None and most.ttft_p50_s is not None and fewest.ttft_p50_s.value > 0:
        told.append(f"TTFT {most.ttft_p50_s.value / fewest.ttft_p50_s.value:.1f} times")
    few, many = fewest.agent_tokens_per_s, most.agent_tokens_per_s
    if few is not None and many is not None and few.value > 0:
        told.append(f"an agent's rate {many.value / few.value:.2f} of it")
    if most.jain is not None:
        told.append(f"fairness {most.jain:.2f}")
    return Headline(
        about=NAMES[verdict.about],
        outcome=outcome,
        sentence=", ".join(told) + ".",
        good=True if verdict.outcome == "scales" else None if verdict.outcome == "saturates" else False,
    )


def _task(verdict: Verdict, task: Task) -> Headline:
    figures = task.figures
    if figures.account is None or figures.solved is None:
        return _unclear(verdict)
    split = figures.account
    parts = (
        ("TTFT", split.ttft_s),
        ("decode", split.decode_s),
        ("tools", split.tool_s),
        ("retries", split.retry_s),
        ("overhead", split.overhead_s),
    )
    told = ", ".join(f"{percent(value, split.wall_s)} {name}" for name, value in parts if value > 0)
    which = "A solved one" if figures.solved.successes else "An unsolved one"
    return Headline(
        about=NAMES["task"],
        outcome=f"{figures.solved.successes} of {figures.solved.n} solved",
        sentence=f"{which} takes {seconds(split.wall_s)}, {counted(figures.steps, 'step')}: {told}.",
        good=None,
    )


def _unclear(verdict: Verdict) -> Headline:
    return Headline(
        about=NAMES[verdict.about],
        outcome="unclear",
        sentence="Too little was answered or reported to tell.",
        good=None,
    )
