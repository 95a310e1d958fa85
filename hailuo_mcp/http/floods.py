"""Keeps a flood of bad requests from becoming a flood of log lines."""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

LOG_SECONDS = 60.0
NOISY = ("asyncio", "mcp.", "uvicorn", "hailuo_mcp.http")
"""Loggers whose lines anyone who can connect can trigger: bad requests, wrong hosts, too many connections."""
KINDS_MAX = 1000


class OncePerMinute(logging.Filter):
    """Passes one line of each kind (logger, unformatted text, exception) a minute, with the number suppressed since."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed: dict[tuple[str, str, str], tuple[float, int]] = {}
        """By kind: when a line was last passed, and how many were suppressed since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(NOISY):
            return True
        error = record.exc_info[0] if record.exc_info else None
        kind = record.name, str(record.msg)[:80], error.__name__ if error else ""
        now = self._clock()
        passed_at, suppressed = self._passed.get(kind, (float("-inf"), 0))
        if now - passed_at < LOG_SECONDS:
            self._passed[kind] = passed_at, suppressed + 1
            return False
        if len(self._passed) >= KINDS_MAX:
            self._passed.clear()
        self._passed[kind] = now, 0
        if suppressed:
            record.msg, record.args = f"{record.getMessage()} ({suppressed} more like this since)", ()
        return True


@contextmanager
def limited_log() -> Generator[None]:
    """Within the block, limit such lines to one a minute in every handler of the log."""
    handlers, limit = list(logging.getLogger().handlers), OncePerMinute()
    for handler in handlers:
        handler.addFilter(limit)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(limit)
