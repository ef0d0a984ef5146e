"""Cached against uncached TTFT, by prefix length, and what the server itself says it read from its cache."""

from tithe.audit import LengthFigures, Observation, Pairs, PairsFigures
from tithe.report.audit_figures.words import RAW, counted, in_no_figure, stragglers, written
from tithe.report.drawing import Axis, Colour, Guide, Samples, Series, Symbol, held, intervals, marks, points
from tithe.report.failures import unanswered
from tithe.report.figures import TimeUnit, interval, seconds
from tithe.report.page import Figure, Panel, Table
from tithe.report.tables import refused_lengths

ANCHOR = "cache"
_LOOKS: tuple[tuple[str, Colour, Symbol, float], ...] = (
    ("uncached", "orange", "square", -1.0),
    ("cached", "blue", "circle", 1.0),
)
_SPREAD = 40


def pairs_figure(pairs: Pairs, *, withheld: bool) -> Figure:
    """`withheld`: the client cannot vouch for the figures, so the title claims nothing."""
    figures, seen = pairs.figures, [sample.observation for sample in pairs.samples]
    unit = TimeUnit.of(row.uncached_ttft_s for row in figures.lengths)
    times, reported = _times(pairs, unit), _reported(pairs)
    reading = f"{RAW} Both calls of a pair have the same length; the cached one repeats a prefix that was sent before."
    if marks(reported):
        reading += " The second chart is what the endpoint itself reports."
    return Figure(
        anchor=ANCHOR,
        title=_title(figures, withheld=withheld),
        beside=True,
        panels=(
            Panel(title="Time to first token", drawing=times, empty=unanswered(seen)),
            Panel(
                title="Cached tokens, as the endpoint reports them",
                drawing=reported,
                empty=_silence(seen),
            ),
        ),
        reading=reading,
        caption=(
            *_prices(figures),
            *stragglers(times.series),
            *refused_lengths(figures.lengths),
            *in_no_figure(sum(row.failed for row in figures.lengths)),
        ),
        formulas=(
            "TTFT = first generated token − request sent",
            "saved = median over the pairs of (uncached TTFT − cached TTFT)",
            "a token's worth = slope of saved over prefix length",
        ),
        tables=(_table(figures.lengths, unit),),
    )


def _title(figures: PairsFigures, *, withheld: bool) -> str:
    longest = figures.longest
    if longest is None or longest.uncached_ttft_s is None or longest.cached_ttft_s is None or withheld:
        return "Time to first token, with the prefix cached and without"
    uncached, cached = seconds(longest.uncached_ttft_s.value), seconds(longest.cached_ttft_s.value)
    after = f"after {longest.length:,} tokens"
    match figures.caching:
        case "caches":
            return f"A cached prefix brings the first token {after} in {cached} instead of {uncached}"
        case "does_not_cache":
            return f"A repeated prefix is paid for again: {cached} to the first token {after}"
        case "unclear":
            return f"Whether prefixes are cached is unclear: {uncached} uncached and {cached} cached {after}"


def _position(figures: PairsFigures) -> Axis:
    lengths = tuple(float(row.length) for row in figures.lengths)
    wide = bool(lengths) and max(lengths) > _SPREAD * min(lengths)
    if wide:
        return Axis(label="prefix (tokens, logarithmic)", scale="log", values=lengths)
    return Axis(label="prefix (tokens)", values=lengths)


def _times(pairs: Pairs, unit: TimeUnit) -> Samples:
    rows = pairs.figures.lengths
    series = tuple(
        Series(
            name=arm,
            colour=colour,
            symbol=symbol,
            lane=lane,
            joined=True,
            points=points(
                [
                    (float(sample.length), sample.observation.ttft)
                    for sample in pairs.samples
                    if sample.arm == arm
                    and sample.observation.answered
                    and sample.observation.ttft is not None
                ],
                name=arm,
                unit=unit.name,
                scale=unit.scale,
            ),
            intervals=intervals(
                [
                    (float(row.length), row.uncached_ttft_s if arm == "uncached" else row.cached_ttft_s)
                    for row in rows
                ],
                name=f"{arm}, median",
                unit=unit.name,
                scale=unit.scale,
            ),
        )
        for arm, colour, symbol, lane in _LOOKS
    )
    axis, series = held(Axis(label=f"TTFT ({unit.name})", low=0.0), series)
    return Samples(along="x", position=_position(pairs.figures), value=axis, series=series)


def _reported(pairs: Pairs) -> Samples:
    """Cached tokens of every call that says; none where the endpoint does not report them."""
    whole = tuple(
        (float(row.length), row.prompt_tokens)
        for row in pairs.figures.lengths
        if row.prompt_tokens is not None
    )
    series = tuple(
        Series(
            name=arm,
            colour=colour,
            symbol=symbol,
            lane=lane,
            points=points(
                [
                    (float(sample.length), float(cached))
                    for sample in pairs.samples
                    if sample.arm == arm
                    and sample.observation.answered
                    and (cached := sample.observation.cached_tokens) is not None
                ],
                name=arm,
                unit="cached tokens",
            ),
        )
        for arm, colour, symbol, lane in _LOOKS
    )
    return Samples(
        along="x",
        position=_position(pairs.figures),
        value=Axis(label="cached (tokens)", low=0.0),
        series=series,
        guides=(Guide(name="the whole prompt", colour="grey", line=whole),) if len(whole) > 1 else (),
    )


def _silence(seen: list[Observation]) -> str:
    if any(one.answered for one in seen):
        return "Not reported: the endpoint does not say how many prompt tokens it read from its cache."
    return unanswered(seen)


def _prices(figures: PairsFigures) -> list[str]:
    if figures.token_worth_s is None or figures.uncached_token_s is None:
        return []
    return [
        (
            f"A prefix token costs {interval(figures.uncached_token_s, 1e6)} µs uncached; cached, it saves "
            f"{interval(figures.token_worth_s, 1e6)} µs."
        )
    ]


def _table(rows: tuple[LengthFigures, ...], unit: TimeUnit) -> Table:
    return Table(
        title="TTFT by prefix length: median [95 % interval]",
        heads=(
            "prefix (tokens)",
            f"uncached ({unit.name})",
            f"cached ({unit.name})",
            f"saved ({unit.name})",
            "cached (tokens)",
            "prompt (tokens)",
            "not in the figures (calls)",
        ),
        rows=tuple(
            (
                f"{row.length:,}",
                written(row.uncached_ttft_s, unit.scale),
                written(row.cached_ttft_s, unit.scale),
                written(row.saved_s, unit.scale),
                counted(row.cached_tokens),
                counted(row.prompt_tokens),
                str(row.failed),
            )
            for row in rows
        ),
    )
