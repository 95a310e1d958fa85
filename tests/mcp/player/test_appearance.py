"""How the view looks: every state in both themes, at the widths of a side panel and of a chat. The screenshots are for
people to look at; what can be measured is checked here.
"""

from collections.abc import Awaitable, Callable

import pytest

from tests.mcp.player import jobs
from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import Scripted, View

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

TakeScreenshot = Callable[[View, str], Awaitable[None]]
CHOSEN = (
    "No model was named: segmind/hailuo-02-fast was chosen, the cheapest usable model that takes these arguments "
    "(about $0.15, average)."
)
PATH = "/home/ada/Videos/hailuo/2026-11-21-hailuo-02-fast-a-paper-lantern-4f0c9a7d.mp4"
CONTRAST_MIN = 4.5
"""WCAG 2.2, level AA, for text of normal size."""
LOW_CONTRAST = """(least) => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => channels(color).slice(0, 3)
    .map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if ((channels(color)[3] ?? 1) === 1) return color;
    }
  };
  const faint = [];
  for (const element of document.querySelectorAll('main *')) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join('');
    if (!text || !element.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least) faint.push(`${text}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""

STATES: dict[str, Callable[[str], jobs.Result]] = {
    "queued": lambda _: jobs.job("queued", sandbox=True, elapsed_seconds=4, warnings=[CHOSEN]),
    "processing": lambda _: jobs.job("processing"),
    "over-time": lambda _: jobs.job("processing", elapsed_seconds=141),
    "no-estimate": lambda _: jobs.job("processing", estimated_seconds=None),
    "completed": lambda url: jobs.completed(url, sandbox=True),
    "saved": lambda url: jobs.completed(url, video_path=PATH),
    "failed": lambda _: jobs.failed(),
    "expired": lambda _: jobs.expired(),
    "unconfirmed": lambda _: jobs.unconfirmed(),
    "dry-run": lambda _: jobs.dry_run(),
    "refused": lambda _: jobs.refused(),
}


@pytest.mark.parametrize("state", STATES)
async def test_a_state_fits_and_is_readable_in_every_width_and_theme(
    open_view: OpenView, clips: str, take_screenshot: TakeScreenshot, state: str
) -> None:
    answer = STATES[state](f"{clips}/clip.mp4")
    view = await open_view(answer, Scripted(answer), origins=(clips,), arguments={"prompt": jobs.PROMPT})
    await view.until("document.querySelector('main').dataset.state !== 'submitting'")
    if state in ("completed", "saved"):
        await view.is_playing()
    for theme in ("light", "dark"):
        await view.set_theme(theme)
        for width in (280, 320, 640, 720):
            await view.set_width(width)
            await take_screenshot(view, f"{state}-{width}-{theme}")
            assert await view.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await view.frame.evaluate(LOW_CONTRAST, CONTRAST_MIN) == []


async def test_the_details_fit_a_narrow_view(open_view: OpenView, take_screenshot: TakeScreenshot) -> None:
    view = await open_view(jobs.job("queued"), width=320)
    await view.frame.get_by_text("Details").click()
    await view.shows("Request id", jobs.REQUEST_ID)
    await take_screenshot(view, "details-320-light")
    assert await view.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
