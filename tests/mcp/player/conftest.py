"""Chromium, the host's website, and views opened in it."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.mcp.player.browser import browsing, chromium, serving
from tests.mcp.player.host import CAPABILITIES, PAGE_MARGINS, Refused, Scripted, Server, View, Website
from tests.mcp.player.jobs import Result

if TYPE_CHECKING:
    from playwright.async_api import Browser

RECORD_STATES = """
window.statesShown = [];
new MutationObserver(() => {
  const state = document.querySelector('main')?.dataset.state;
  if (state && state !== window.statesShown.at(-1)) window.statesShown.push(state);
}).observe(document, { subtree: true, childList: true, attributes: true });
"""
SHOTS = "PLAYER_SHOTS"
"""The variable that names a directory for the screenshots."""


class OpenView:
    """Opens views and lets the host send each its `result`."""

    def __init__(self, browser: "Browser", website: Website) -> None:
        self._browser = browser
        self._website = website
        self.opened: list[tuple[View, str]] = []
        """With the errors that are expected."""

    async def __call__(
        self,
        result: Result | None,
        server: Server | None = None,
        *,
        origins: tuple[str, ...] = (),
        capabilities: Result | None = None,
        arguments: Result | None = None,
        refusals: dict[str, Refused] | None = None,
        width: int = 640,
        theme: str = "light",
        reduced_motion: bool = False,
        expected_errors: str = "",
        **context: Any,
    ) -> View:
        page = await self._browser.new_page(
            viewport={"width": width + PAGE_MARGINS, "height": 760},
            reduced_motion="reduce" if reduced_motion else "no-preference",
        )
        page.set_default_timeout(20_000)
        await page.add_init_script(RECORD_STATES)
        view = View(
            page,
            server or Scripted(*([result] if result else [])),
            self._website,
            result,
            arguments or {},
            CAPABILITIES if capabilities is None else capabilities,
            {"theme": theme, "locale": "en-GB", "timeZone": "UTC", **context},
            origins,
            refusals or {},
        )
        self.opened.append((view, expected_errors))
        await view.open()
        return view


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator["Browser"]:
    async with browsing(chromium()) as launched:
        yield launched


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def website() -> AsyncGenerator[Website]:
    async with serving() as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def open_view(browser: "Browser", website: Website) -> AsyncGenerator[OpenView]:
    """At the end, no opened view may have an error, or have sent a request to an origin that the resource's `_meta`
    does not name.
    """
    open_one = OpenView(browser, website)
    yield open_one
    for view, expected in open_one.opened:
        await view.page.close()
        assert [error for error in view.errors if not expected or expected not in error] == []
        allowed = {website.origin("host"), website.origin("sandbox"), *view.origins}
        assert set(view.requested) <= allowed


@pytest.fixture
def clips(website: Website) -> str:
    """The origin of the clips."""
    return website.origin("clips")


@pytest.fixture
def take_screenshot(tmp_path: Path) -> Callable[[View, str], Awaitable[None]]:
    """Take a screenshot of a view's page, for people to look at."""
    directory = Path(os.environ.get(SHOTS) or tmp_path)

    async def take(view: View, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        height = await view.page.evaluate("document.body.getBoundingClientRect().height")
        assert view.page.viewport_size
        await view.page.set_viewport_size({"width": view.page.viewport_size["width"], "height": int(height)})
        await view.page.screenshot(path=directory / f"{name}.png")

    return take
