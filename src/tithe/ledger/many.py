"""Many tasks at once: what is usual of a figure, what is rare, and where all their time went together.

A bucket's percentiles are over tasks, of its seconds on each one's wall clock, and a task without it counts as zero: its p50 is
that of a task, not of those that had it. But where a task has time that was not told apart, a bucket that it may lie in is not
reported and no zero: such a task is left out of that bucket's percentiles, which then tell of how many tasks they are. Percentiles of buckets don't add up to the percentile of the wall clock; their
shares of all wall clocks together do add up to 1.

Intervals are by order statistics (core/statistics.py): with thousands of tasks they are exact, and cost a sort.
"""

from collections import Counter
from collections.abc import Sequence

from tithe.core.statistics import order_quantile, order_tail
from tithe.ledger.account import Account, Ledger, ManyTasks, Spread
from tithe.trace.buckets import BUCKETS, INFERENCE, Bucket

# What time may be that is not told apart.
_MAY_BE: dict[Bucket, frozenset[Bucket]] = {
    "inference": INFERENCE,
    "unattributed": frozenset(("tool", "user", "validation", "overhead")),
}


def many_tasks(accounts: Sequence[Account]) -> ManyTasks:
    """The accounts' wall clock, buckets and steps. Buckets that no task has are left out. p95 takes 20 tasks."""
    total = sum(account.wall_s for account in accounts)
    used: list[Bucket] = [
        bucket for bucket in BUCKETS if any(account.wall.get(bucket) for account in accounts)
    ]
    outside = {bucket for account in accounts for bucket in account.outside}
    return ManyTasks(
        accounts=tuple(accounts),
        names=names_of(accounts),
        failed=sum(not account.outcome.good for account in accounts),
        wall=_spread("wall clock", [account.wall_s for account in accounts]),
        buckets=tuple(
            _spread(
                bucket,
                [account.wall.get(bucket, 0.0) for account in accounts if _tells(account, bucket)],
                total,
                outside=bucket in outside,
            )
            for bucket in used
        ),
        steps=_spread("steps", [float(account.steps) for account in accounts]),
    )


def _tells(account: Account, bucket: Bucket) -> bool:
    """Whether a task reports a bucket: has seconds in it, or none that may be of it."""
    if account.wall.get(bucket) or (bucket == "tool" and account.tools):
        return True
    return not any(
        account.wall.get(whole) and bucket in parts for whole, parts in _MAY_BE.items() if whole != bucket
    )


def names_of(tasks: Sequence[Ledger | Account]) -> tuple[tuple[str, int], ...]:
    """What tasks are called, and how many are called so, the most first."""
    return tuple(Counter(task.name for task in tasks).most_common())


def _spread(name: str, values: Sequence[float], of: float | None = None, *, outside: bool = False) -> Spread:
    total = sum(values)
    return Spread(
        name=name,
        p50=order_quantile(values, 0.5),
        p95=order_tail(values, 0.95),
        total=total,
        tasks=len(values),
        share=total / of if of else None,
        outside=outside,
    )
