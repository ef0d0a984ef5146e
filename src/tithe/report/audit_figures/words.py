"""Words that the figures of a page have in common. A page has room to say "not reported"."""

from collections.abc import Sequence

from tithe.audit import Estimate, Share
from tithe.report.drawing import Series, beyond
from tithe.report.figures import counted as plural
from tithe.report.figures import interval, number

NOT_REPORTED = "not reported"
NOT_MEASURED = "not measured"
TOO_FEW = "too few calls"
RAW = "Small marks are single calls; beside them stand the figures with their 95 % intervals."


def written(estimate: Estimate | None, scale: float = 1.0, missing: str = NOT_MEASURED) -> str:
    """The value and its interval in the unit of the table's head."""
    return interval(estimate, scale) if estimate is not None else missing


def figure(value: float | None, scale: float = 1.0, missing: str = NOT_MEASURED) -> str:
    return number(value * scale) if value is not None else missing


def counted(value: float | None, missing: str = NOT_REPORTED) -> str:
    """A number of tokens as the endpoint reported it."""
    return f"{value:,.0f}" if value is not None else missing


def shared(found: Share | None) -> str:
    """A share in per cent, with its interval and what it is of."""
    if found is None:
        return NOT_MEASURED
    return f"{100 * found.value:.0f} [{100 * found.low:.0f} {100 * found.high:.0f}], {found.successes} of {found.n}"


def in_no_figure(failed: int) -> list[str]:
    """A sentence on the calls that no figure stands on."""
    if not failed:
        return []
    return [f"In no figure, and not drawn: {plural(failed, 'call')} failed, came back empty or not asked."]


def stragglers(series: Sequence[Series]) -> list[str]:
    """A sentence on the marks at an axis' edge."""
    said = beyond(series)
    return [said] if said is not None else []
