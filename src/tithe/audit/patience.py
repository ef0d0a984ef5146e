"""An endpoint that says it is asked too often: how long to wait, and when not to.

A 429, or a 503 that says when to come back, is neither an answer nor a fault of what is measured: figures of
an endpoint in that state would be of its limiter. So a call that is made alone waits as it is told (`Retry-After`)
or, untold, 1, 2 and 4 s (doubled, since nothing is known), and is asked again. Nothing of that is hidden: each
refused attempt is a call of its own among the failures, with its time, and the waiting is told beside them.

It is not waited for longer than a minute at once, nor past the audit's time limit, nor more than three times
for one call; the refusal is then the call's end. Agents that run at once do not wait either: how many of
their calls an endpoint turns away is what their measurement is to show. The next round waits.
"""

from tithe.audit.observation import Failure

LONGEST_S = 60.0
MOST_TIMES = 3
_UNTOLD_S = 1.0
_TOO_MANY, _UNAVAILABLE = 429, 503


def asks_for_patience(failure: Failure | None) -> bool:
    """Whether the endpoint turned a call away for now."""
    if failure is None:
        return False
    told = failure.retry_after is not None
    return failure.http_status == _TOO_MANY or (failure.http_status == _UNAVAILABLE and told)


def wait_s(failure: Failure | None, refusals: int) -> float | None:
    """Seconds to wait after the `refusals`-th refusal in a row (from 0) of one call; None: ask no more."""
    if failure is None or not asks_for_patience(failure) or refusals >= MOST_TIMES:
        return None
    if failure.retry_after is None:
        return _UNTOLD_S * 2**refusals
    return failure.retry_after if failure.retry_after <= LONGEST_S else None
