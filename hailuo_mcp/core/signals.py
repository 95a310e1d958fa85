"""The signals that ask this process to end, and its orderly shutdown.

Python's defaults do not suffice: SIGTERM and SIGHUP kill at once, and a second SIGINT interrupts the cleanup that the
first one started.
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
"""The exit code after any of the signals."""
GRACE_SECONDS = 45.0
"""Seconds after the first signal until the process is ended by force: longer than a submission in flight and the last
attempt to write its id may take."""


@contextmanager
def signals_handled(handler: Handler) -> Generator[Mapping[int, Any]]:
    """Within the block, each of these signals calls `handler`; an ignored one, as under nohup, stays ignored. Yields
    the previous handlers. Does nothing outside the main thread, which alone receives signals."""
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
    """Run `main` in an event loop. The first signal cancels it; submissions in flight finish and everything it opened
    is closed. Further signals are ignored.

    Raises:
        KeyboardInterrupt: a signal ended it.
    """

    returned: list[T] = []

    async def run() -> None:
        loop, scope = asyncio.get_running_loop(), anyio.CancelScope()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            if not scope.cancel_called:
                _force_exit_later()
            loop.call_soon_threadsafe(scope.cancel)  # also wakes the loop

        with signals_handled(stop), scope:
            returned.append(await main())

    anyio.run(run)
    if not returned:
        raise KeyboardInterrupt
    return returned[0]


def _force_exit_later() -> None:
    timer = threading.Timer(GRACE_SECONDS, os._exit, [INTERRUPTED])
    timer.daemon = True
    timer.start()
