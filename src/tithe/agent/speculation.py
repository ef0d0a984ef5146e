"""Work that is done before it is known whether it will be wanted."""

import asyncio

from tithe.core import attributes as at
from tithe.trace.tracing import Scope


async def wanted(scope: Scope, used: "asyncio.Future[bool]") -> None:
    """The work of a span is over; wait for `used` to say whether it was wanted, and mark the span as speculative where it was not."""
    scope.over()
    was = False
    try:
        was = await used
    finally:
        if not was:
            scope.note({at.SPECULATIVE: True})
