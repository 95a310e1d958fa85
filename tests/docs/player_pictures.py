"""The docs' pictures of the player and of the gallery: `uv run python -m tests.docs.player_pictures` draws them."""

import asyncio
import io
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from tests.docs.staging import (
    BOAT,
    FOX,
    KITE,
    PICTURES,
    WAVE,
    Stage,
    fresh_digest,
    pause_at,
    run,
    small_png,
    store_digest,
    wait_until_saved,
    with_image,
)

if TYPE_CHECKING:
    from tests.mcp.player.host import View

PLAYER, GALLERY = "player.png", "gallery.png"
BYTES_MAX = 150_000
GAP = 16
PLAYER_CALLS, GALLERY_CALLS = [KITE], [KITE, BOAT, FOX, WAVE]


async def draw(stage: Stage) -> None:
    await _draw_player(stage)
    store_digest(PLAYER, await fresh_digest(PLAYER_CALLS))
    await _draw_gallery(stage)
    store_digest(GALLERY, await fresh_digest(GALLERY_CALLS))


async def _draw_player(stage: Stage) -> None:
    """One job in progress and completed, in both themes."""
    call = with_image(KITE, stage.image)
    submitted = await stage.call("generate_video", call)
    light = await stage.open(submitted, call, width=480)
    dark = await stage.open(submitted, call, width=480, theme="dark")
    await light.until("document.querySelector('main').dataset.state === 'processing'")
    await light.until("document.querySelector('#poster:not([hidden])')")
    processing = await _screenshot(light)
    await wait_until_saved(stage, dark)
    await pause_at(dark, 3.0)
    _save([processing, await _screenshot(dark)], PICTURES / PLAYER)
    for view in (light, dark):
        await view.page.close()


async def _draw_gallery(stage: Stage) -> None:
    calls = [with_image(call, stage.image) for call in GALLERY_CALLS]
    request_ids = [(await stage.call("generate_video", call))["structuredContent"]["request_id"] for call in calls[:2]]
    for request_id in request_ids:
        state = ""
        while state != "completed":
            answer = await stage.call("get_status", {"request_id": request_id, "wait_seconds": 30})
            state = answer["structuredContent"]["state"]
    await stage.call("generate_video", calls[2])
    await asyncio.sleep(7)
    await stage.call("generate_video", calls[3])
    listed, screenshots = await stage.call("list_jobs", {}), list[Image.Image]()
    for width, theme in ((560, "light"), (360, "dark")):
        view = await stage.open(listed, {}, width=width, theme=theme)
        await view.until("document.querySelectorAll('.thumb img:not([hidden])').length === 2")
        screenshots.append(await _screenshot(view))
        await view.page.close()
    _save(screenshots, PICTURES / GALLERY)


async def _screenshot(view: "View") -> Image.Image:
    await view.page.evaluate("document.body.style.background = 'none'")
    await asyncio.sleep(0.5)  # until the view has its final height
    height = await view.page.evaluate("document.body.getBoundingClientRect().height")
    assert view.page.viewport_size
    await view.page.set_viewport_size({"width": view.page.viewport_size["width"], "height": int(height) + 24})
    content = await view.page.locator("iframe").screenshot(omit_background=True)
    return Image.open(io.BytesIO(content)).convert("RGBA")


def _save(images: list[Image.Image], path: Path) -> None:
    """Save the images side by side."""
    width = sum(image.width for image in images) + GAP * (len(images) - 1)
    sheet = Image.new("RGBA", (width, max(image.height for image in images)))
    left = 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width + GAP
    small_png(sheet, path, BYTES_MAX)


if __name__ == "__main__":
    run(draw)
