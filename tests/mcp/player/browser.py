"""Chromium, and the host's website on a port."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import uvicorn

from hailuo_mcp.cli.ports import listener_on
from tests.mcp.player.host import Website
from tests.support import unavailable

if TYPE_CHECKING:
    from playwright.async_api import Browser

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def installed() -> str | None:
    """Chromium's path."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def chromium() -> str:
    """Chromium's path, for a test, which is skipped if it cannot use it."""
    if find_spec("playwright") is None:
        unavailable("playwright is not installed")
    return installed() or unavailable("Chromium is not installed")


@asynccontextmanager
async def browsing(path: str) -> AsyncGenerator["Browser"]:
    from playwright.async_api import async_playwright  # it may be missing

    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        await launched.close()


@asynccontextmanager
async def serving() -> AsyncGenerator[Website]:
    site = Website()
    config = uvicorn.Config(site.app(), log_level="error", ws="none", lifespan="off", log_config=None)
    listener = listener_on("127.0.0.1", 0)  # it accepts connections from now on, so no client has to wait
    site.port = listener.getsockname()[1]
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    yield site
    server.should_exit = True
    await task
