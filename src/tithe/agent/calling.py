"""Calling a function of the user's, async or not, so that whoever waits for it can stop waiting."""

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any

from tithe.core.clock import WORK


async def called(function: Callable[..., Any], *places: Any, **named: Any) -> Any:
    """What a function returns: a coroutine function's on this loop, any other's in a thread of its own.

    The thread is not waited for when this is cancelled, nor at the program's end: nothing can stop a thread.
    """
    if inspect.iscoroutinefunction(function):
        return await function(*places, **named)
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            # A StopIteration cannot be a future's exception.
            future.set_exception(RuntimeError(repr(error)) if isinstance(error, StopIteration) else error)

    def work() -> None:
        value, error = None, None
        try:
            value = context.run(function, *places, **named)
        except BaseException as failed:  # noqa: BLE001 - raised again where it is waited for
            error = failed if isinstance(failed, Exception) else RuntimeError(repr(failed))
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=work, name=f"{WORK}{getattr(function, '__name__', '')}", daemon=True).start()
    value = await future
    return await value if inspect.isawaitable(value) else value
