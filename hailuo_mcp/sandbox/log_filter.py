"""Keeps a rehearsed connection cut from filling the server's log with a traceback."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from hailuo_mcp.sandbox.faults import ConnectionCut


class _OneLine(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], ConnectionCut):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args, record.exc_info = f"Rehearsed: {record.exc_info[1]}", (), None
        return True


@asynccontextmanager
async def quiet_cuts(_: Starlette) -> AsyncGenerator[None]:
    """The sandbox's lifespan, which only a real server runs, and uvicorn logs every exception of an application."""
    logger, one_line = logging.getLogger("uvicorn.error"), _OneLine()
    logger.addFilter(one_line)
    try:
        yield
    finally:
        logger.removeFilter(one_line)
