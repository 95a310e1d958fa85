"""`hailuo-mcp`, with an HTTP server that also writes the tasks of its event loop to a file, one per line: a soak test
cannot see them from outside. The file is named by HAILUO_TEST_TASKS."""

import asyncio
import importlib
import os
from pathlib import Path
from typing import Any

import anyio

from hailuo_mcp.cli import main

EVERY_SECONDS = 0.25


async def _write(file: Path) -> None:
    beside = file.with_suffix(".new")
    while True:
        names = sorted(str(getattr(task.get_coro(), "__qualname__", task.get_name())) for task in asyncio.all_tasks())
        beside.write_text("\n".join(names))
        beside.replace(file)
        await anyio.sleep(EVERY_SECONDS)


def _count() -> None:
    serve: Any = importlib.import_module("hailuo_mcp.cli.serve")
    original = serve.serve_http

    async def counted(*arguments: Any) -> None:
        async with anyio.create_task_group() as beside:
            beside.start_soon(_write, Path(os.environ["HAILUO_TEST_TASKS"]))
            await original(*arguments)
            beside.cancel_scope.cancel()

    serve.serve_http = counted


if __name__ == "__main__":
    _count()
    main()
