"""The signals that ask this process to end, and how it ends: in an orderly way, and once.

Python's own way does not do: SIGTERM and SIGHUP kill at once, and a second SIGINT cuts whatever the first one left to
finish.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import anyio

T = TypeVar("T")

Handler = Callable[[int, FrameType | None], Any]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
INTERRUPTED = 130
"""The exit code, whichever signal it was."""
GRACE_SECONDS = 45.0
"""A process that has not ended this long after the first signal is ended by force: longer than a submission in flight,
and the last attempt to write its id, may take."""


@contextmanager
def signals_handled(handler: Handler) -> Generator[Mapping[int, Any]]:
    """For the length of the block, each of these signals calls `handler`; one that is ignored, as by nohup, stays so.
    Yields the handlers before. Outside the main thread, which alone gets signals, nothing is changed."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, handler) for number in handled}
    try:
        yield before
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def run_until_signalled(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` in an event loop. The first signal cancels it, and what it opened is closed, with submissions in
    flight; further signals change nothing.

    Raises:
        KeyboardInterrupt: a signal ended it.
    """

    returned: list[T] = []

    async def run() -> None:
        loop, scope = asyncio.get_running_loop(), anyio.CancelScope()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            if not scope.cancel_called:
                _end_by_force_later()
            loop.call_soon_threadsafe(scope.cancel)  # also wakes the loop

        with signals_handled(stop), scope:
            returned.append(await main())

    anyio.run(run)
    if not returned:
        raise KeyboardInterrupt
    return returned[0]


def _end_by_force_later() -> None:
    timer = threading.Timer(GRACE_SECONDS, os._exit, [INTERRUPTED])
    timer.daemon = True
    timer.start()
