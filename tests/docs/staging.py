"""What the docs' pictures show: the real player, fed by the real server in its sandbox."""

import asyncio
import hashlib
import json
import re
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp import Client
from PIL import Image, ImageOps

from hailuo_mcp.cli.demo import draw_image
from hailuo_mcp.mcp.player import player_html
from hailuo_mcp.mcp.server import build_server
from tests.docs.blocks import ROOT
from tests.mcp.player.browser import browsing, installed, serving
from tests.mcp.player.host import CAPABILITIES, PAGE_MARGINS, Real, View, Website
from tests.mcp.player.jobs import Result
from tests.support import facts_of, open_session, server, settings_for

if TYPE_CHECKING:
    from playwright.async_api import Browser

PICTURES = ROOT / "docs"
DIGESTS = PICTURES / "pictures.json"
"""The digest of what each picture shows, so that a test can tell when one is out of date without drawing it."""
IMAGE_NAME = "kite.png"
SECONDS = 16
"""How long the sandbox takes: long enough to see a job in each of its states, also on a busy machine."""
KITE: Result = {
    "prompt": "[Push in] The red kite climbs over the bay, and its tail ripples in the evening wind",
    "model": "segmind/hailuo-02-fast",
}
BOAT: Result = {
    "prompt": "[Pan left] A paper boat drifts down a rainy street at dusk, lanterns mirrored in the water",
    "model": "segmind/minimax-hailuo-2",
}
FOX: Result = {"prompt": "A fox crosses a field of fresh snow, breath steaming", "model": "segmind/minimax-hailuo-2"}
WAVE: Result = {
    "prompt": "A slow wave breaks over black rocks, gulls crying",
    "model": "minimax/h3",
    "duration": 6,
}
STABLE = ("model", "estimated_seconds", "estimated_cost_usd", "sandbox", "parameters")
"""The fields of a result that are the same every time."""


@dataclass(frozen=True)
class Stage:
    """A server with its client, and a browser to open views in."""

    client: Client
    browser: "Browser"
    website: Website
    image: str

    async def call(self, name: str, arguments: Result) -> Result:
        return await Real(self.client).call_tool(name, arguments)

    async def open(self, result: Result, arguments: Result, *, width: int, theme: str = "light") -> View:
        page = await self.browser.new_page(
            viewport={"width": width + PAGE_MARGINS, "height": 900}, device_scale_factor=1
        )
        context = {"theme": theme, "locale": "en-GB", "timeZone": "UTC"}
        view = View(page, Real(self.client), self.website, result, arguments, CAPABILITIES, context, ())
        await view.open()
        return view


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage]:
    """Raises RuntimeError without Chromium."""
    path = installed()
    if path is None:
        raise RuntimeError("The pictures need Chromium.")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        image = draw_image(directory / "pictures" / IMAGE_NAME)
        variables = {"HAILUO_MCP_SANDBOX": "1", "HAILUO_MCP_SANDBOX_SECONDS": str(SECONDS)}
        async with (
            server(directory, **variables) as client,
            browsing(path) as browser,
            serving() as website,
        ):
            yield Stage(client, browser, website, str(image))


PAUSE_AT = """(at) => new Promise((seen) => {
  const clip = document.querySelector('video');
  clip.pause();
  clip.controls = false;
  clip.onseeked = () => requestAnimationFrame(() => requestAnimationFrame(seen));
  clip.currentTime = at;
})"""


async def pause_at(view: View, seconds: float) -> None:
    """Stop the clip at this moment, once that frame is shown."""
    await view.frame.evaluate(PAUSE_AT, seconds)
    await asyncio.sleep(0.2)


async def wait_until_saved(stage: Stage, view: View) -> None:
    """Wait until the clip plays from its file."""
    await view.is_playing()
    request_id = await view.frame.evaluate("job.request_id")
    answer: Result = {}
    while not answer.get("structuredContent", {}).get("video_path"):
        answer = await stage.call("get_status", {"request_id": request_id})
        await asyncio.sleep(0.5)
    # Its local path is private, and differs each time.
    path = f"/home/you/Videos/hailuo/{Path(answer['structuredContent']['video_path']).name}"
    shown: Result = {**answer["structuredContent"], "video_path": path, "warnings": list[str]()}
    await view.send("ui/notifications/tool-result", {**answer, "structuredContent": shown})
    await view.shows("Saved")


async def facts(directory: Path, calls: list[Result]) -> list[Mapping[str, Any]]:
    """The server's results for these calls, without the fields that differ each time."""
    image = draw_image(directory / "pictures" / IMAGE_NAME)
    opened = open_session(settings_for(directory, HAILUO_MCP_SANDBOX="1", HAILUO_MCP_SANDBOX_SECONDS="60"))
    async with opened as session, Client(build_server(session.services, "0")) as client:
        answers = [facts_of(await client.call_tool("generate_video", with_image(call, str(image)))) for call in calls]
    return [{name: answer[name] for name in STABLE} for answer in answers]


def with_image(call: Result, path: str) -> Result:
    """The call, with a first frame if it is the kite's."""
    return {**call, "first_frame_image": path} if call is KITE else call


def digest(answers: list[Mapping[str, Any]], *words: str) -> str:
    """The digest of the player's source, the server's results, and the surrounding text."""
    shown = json.dumps([player_html(), answers, words], sort_keys=True)
    shown = re.sub(r" \(sha256:\w+\)", "", shown)  # an image file is not the same with every version of Pillow
    return hashlib.sha256(shown.encode()).hexdigest()


async def fresh_digest(calls: list[Result], *words: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        return digest(await facts(Path(name), calls), *words)


def store_digest(picture: str, new_digest: str) -> None:
    """Store the digest of what the picture shows."""
    digests: Result = json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}
    DIGESTS.write_text(json.dumps({**digests, picture: new_digest}, indent=2, sort_keys=True) + "\n")


def small_png(image: Image.Image, path: Path, bytes_max: int) -> None:
    """Save the image in all its colors if the file is small enough, else in fewer."""
    image.save(path, optimize=True)
    for colors in (254, 128):
        if path.stat().st_size <= bytes_max:
            return
        reduced = image.convert("RGB").quantize(colors, Image.Quantize.MEDIANCUT, kmeans=4)
        reduced.paste(255, mask=ImageOps.invert(image.getchannel("A")).convert("1", dither=Image.Dither.NONE))
        palette = reduced.getpalette() or []
        reduced.putpalette(palette + [0] * (768 - len(palette)))  # a shorter one would lack the last, transparent color
        reduced.save(path, optimize=True, transparency=255)
    if path.stat().st_size > bytes_max:
        raise RuntimeError(f"{path.name} has {path.stat().st_size} bytes; at most {bytes_max} are allowed.")


def run(draw: Callable[[Stage], Any]) -> None:
    async def main() -> None:
        async with stage() as opened:
            await draw(opened)

    asyncio.run(main())
