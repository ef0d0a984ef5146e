"""What an uncached prompt token costs at an endpoint, in seconds.

From an audit's report, where one is given; else fitted to the calls themselves: time to first token against uncached
prompt tokens, by the Theil-Sen estimator (Theil 1950, Sen 1968), the median of the slopes through all pairs of calls,
which a third of stray calls does not move. A slope is refused where it says nothing: from fewer than `FEWEST` calls,
from calls with nearly as many uncached tokens each, where it is not positive, or where the calls lie so far off the
line that the range of tokens explains less than they scatter.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

FEWEST = 6
SPREAD = 256  # tokens between the fewest and the most; less is noise beside what a call takes in any case
_MOST_PAIRED = 400  # calls: all pairs of them are 80,000 slopes


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds for an uncached token, and what that is known from; or None, and why it is not known (no whole sentence)."""

    token_s: float | None
    known_from: str | None = None
    unknown: str | None = None


def fitted(calls: Sequence[tuple[int, float]]) -> Price:
    """The price that calls tell: (uncached tokens, seconds to first token) of each."""
    if len(calls) < FEWEST:
        told = "1 call tells its" if len(calls) == 1 else f"{len(calls)} calls tell their"
        return _refused(f"{told} first token and uncached tokens; it takes {FEWEST}")
    kept = sorted(calls)[:: max(1, len(calls) // _MOST_PAIRED)]
    tokens = np.asarray([count for count, _ in kept], dtype=np.float64)
    times = np.asarray([seconds for _, seconds in kept], dtype=np.float64)
    spread = float(tokens[-1] - tokens[0])
    if spread < SPREAD:
        return _refused(f"the calls' uncached tokens differ by {spread:.0f} at the most; it takes {SPREAD}")
    first, second = np.triu_indices(len(kept), 1)
    apart = tokens[second] != tokens[first]
    slopes = (times[second] - times[first])[apart] / (tokens[second] - tokens[first])[apart]
    slope = float(np.median(slopes))
    if slope <= 0:
        return _refused("calls with more uncached tokens did not take longer to their first token")
    residuals = times - slope * tokens
    scatter = float(np.median(np.abs(residuals - np.median(residuals))))
    if scatter > slope * spread / 2:
        return _refused("the calls' times to first token scatter more than uncached tokens explain")
    return Price(
        token_s=slope,
        known_from=f"fitted to {len(calls)} calls of this endpoint, which lie {1e3 * scatter:.3g} ms off the line (median)",
    )


def _refused(why: str) -> Price:
    return Price(token_s=None, unknown=why)
