"""The page at `/` in Chromium: signing in by its form, and how it looks. With PAGE_SHOTS=directory, screenshots are
kept there."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.http.servers import SANDBOX, serving
from tests.http.test_tokens import ANN, TOKENS, client_with_token, submitted
from tests.mcp.player.browser import browsing, chromium
from tests.mcp.player.test_accessibility import AXE
from tests.mcp.player.test_accessibility import axe as axe

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
PROMPTS = ("A red kite rises over the dunes [Pan left]", "sandbox:fail a boat in a storm", "A" * 300)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chrome() -> AsyncGenerator["Browser"]:
    async with browsing(chromium()) as launched:
        yield launched


async def test_member_signs_in_and_the_page_is_responsive_and_accessible(
    chrome: "Browser",
    axe: str,
    tmp_path: Path,
) -> None:
    shots = Path(os.environ.get("PAGE_SHOTS") or tmp_path)
    limits = {"HAILUO_MCP_MAX_JOBS_PER_DAY": "4", "HAILUO_MCP_MAX_USD_PER_DAY": "20"}
    async with serving(tmp_path, **SANDBOX, HAILUO_MCP_HTTP_TOKENS=TOKENS, **limits) as running:
        async with client_with_token(running.url, ANN) as ann:
            for prompt in PROMPTS:
                request_id = await submitted(ann, prompt=prompt)
                await ann.call_tool("get_status", {"request_id": request_id, "wait_seconds": 45})
                await ann.call_tool("download_video", {"request_id": request_id})
        page = await chrome.new_page(viewport={"width": 1200, "height": 900})
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(running.url.removesuffix("mcp"))
        await page.screenshot(path=shots / "sign-in.png")
        await page.evaluate(axe)
        assert await page.evaluate(AXE) == []
        await page.get_by_label("Token").fill("not a token")
        await page.keyboard.press("Enter")
        assert "does not know this token" in await page.get_by_role("alert").inner_text()
        errors.clear()  # from the 401 response
        await page.get_by_label("Token").fill(ANN)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Today").wait_for()
        assert await page.locator("li").count() == len(PROMPTS)
        video = page.locator("video").first
        await video.evaluate("v => v.readyState > 0 || new Promise(r => v.onloadedmetadata = r)")
        assert await video.evaluate("v => v.videoWidth") > 0
        await page.evaluate(axe)
        for width, scheme in ((1200, "light"), (1200, "dark"), (320, "light")):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
            assert await page.evaluate(AXE) == []
            await page.screenshot(path=shots / f"page-{width}-{scheme}.png", full_page=True)
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("heading", name="Sign in").wait_for()
        assert errors == []
