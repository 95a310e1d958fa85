"""`hailuo-mcp serve --http` that also writes the tasks of its event loop to a file, one per line: a soak test cannot
see them from outside. The file is named by HAILUO_TEST_TASKS, the port by the argument."""

import asyncio
import os
import socket
import sys
from functools import partial
from pathlib import Path

import anyio

from hailuo_mcp.app import build_services, load_settings, set_up_logging
from hailuo_mcp.cli.ports import listener_on
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.core.signals import run_until_signalled
from hailuo_mcp.http.app import serve_http

EVERY_SECONDS = 0.25


async def _write(file: Path) -> None:
    new_file = file.with_suffix(".new")
    while True:
        names = sorted(str(getattr(task.get_coro(), "__qualname__", task.get_name())) for task in asyncio.all_tasks())
        new_file.write_text("\n".join(names))
        new_file.replace(file)
        await anyio.sleep(EVERY_SECONDS)


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_write, Path(os.environ["HAILUO_TEST_TASKS"]))
        services = partial(build_services, settings, local_files=False, work=True)
        await serve_http(settings, lambda url: services(base_url=url), "0", listener, partial(print, flush=True))
        tasks.cancel_scope.cancel()


def main(port: int) -> None:
    settings = load_settings(os.environ, http=True)
    set_up_logging(settings)
    with listener_on("127.0.0.1", port) as listener:
        run_until_signalled(lambda: _serve(settings, listener))


if __name__ == "__main__":
    main(int(sys.argv[1]))
