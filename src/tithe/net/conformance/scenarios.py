"""All scenarios, in the order of their pitfalls (docs: MEASURING, fifteen of them)."""

from collections.abc import Sequence

from tithe.core.errors import UsageError
from tithe.net.conformance import answers, attempts, load, reports, streams
from tithe.net.conformance.scenario import Scenario

ALL = "all"

SCENARIOS: tuple[Scenario, ...] = (
    *streams.FIRST_TOKEN,
    *streams.REASONING,
    *streams.CHUNKS,
    *streams.STAMPS,
    *streams.ERRORS,
    *attempts.RETRIES,
    *answers.ANSWERS,
    *reports.QUEUE,
    *load.SCHEDULE,
    *load.CACHES,
    *reports.CACHED_TOKENS,
    *reports.REPEATED_USAGE,
    *load.CLIENT,
    *attempts.NOTHING,
)


def chosen(name: str) -> Sequence[Scenario]:
    """The scenario of that name, or every one for `all`. Raises `UsageError`, which names them."""
    found = SCENARIOS if name == ALL else tuple(one for one in SCENARIOS if one.name == name)
    if not found:
        names = ", ".join(one.name for one in SCENARIOS)
        raise UsageError(f"there is no scenario '{name}'. Give {ALL}, or one of: {names}.")
    return found
