"""Keeps a simulated connection cut from filling the server's log with a traceback."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from hailuo_mcp.sandbox.faults import ConnectionCut


class _CutFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], ConnectionCut):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args, record.exc_info = f"Simulated: {record.exc_info[1]}", (), None
        return True


@contextmanager
def cut_log_filter() -> Generator[None]:
    """uvicorn logs every exception of an application with its traceback; within this, cuts are one line."""
    logger, cut_filter = logging.getLogger("uvicorn.error"), _CutFilter()
    logger.addFilter(cut_filter)
    try:
        yield
    finally:
        logger.removeFilter(cut_filter)
