"""The README's picture of a chat in which a clip is made: `uv run python -m tests.docs.chat_picture` draws it.

The player is the real one, fed by the real server in its sandbox; only the chat around it is drawn here. `chat.webp` is
animated; `chat.png` is its last frame, for readers who prefer no motion.
"""

import asyncio
import io
from typing import TYPE_CHECKING

from PIL import Image

from tests.docs.staging import (
    KITE,
    PICTURES,
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

MOVING, STILL = "chat.webp", "chat.png"
CALLS = [KITE]
BYTES_MAX, STILL_BYTES_MAX = 300_000, 150_000
WIDTH = 560
ASKED = "Animate kite.jpg from my pictures: the kite climbs over the bay, push in slowly."
ANSWERED = "I've started it. It takes about a minute; the clip is saved as soon as it is done."
DONE = "Done, and saved in your video folder. Should the next shot start where this one ends?"
WORDS = (ASKED, ANSWERED, DONE)
MOMENTS = (0.2, 1.2, 2.2, 3.2, 4.2, 5.2)
"""In seconds of the clip."""
CHAT = """([asked, answered, done, width]) => {
  const make = (tag, style, text) => Object.assign(document.createElement(tag), { style, textContent: text ?? '' });
  // The page's body is the chat. The frame of the view stays where it is, because a moved frame loads again. The color
  // is a shadow, because a background of the body would fill the whole page, also outside the round corners.
  document.body.style = `width: ${width}px; box-sizing: border-box; padding: 18px; display: grid; gap: 12px;
    border: 1px solid #b9bdb5; border-radius: 14px; background: none; box-shadow: inset 0 0 0 2000px #f6f6f3;
    font: 15px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; color: #1b1d1b;`;
  const bubble = `justify-self: end; max-width: 82%; padding: 9px 14px; background: #d8e8e5;
    border-radius: 16px 16px 4px 16px;`;
  const call = make('div', 'font: 12.5px ui-monospace, Menlo, monospace; color: #5a5e58;');
  call.append(make('span', 'color: #0a6d68;', '● '), 'hailuo · generate_video');
  document.body.prepend(make('div', bubble, asked), call);
  const last = make('div', 'visibility: hidden;', done);
  last.id = 'done';
  document.body.append(make('div', '', answered), last);
}"""


async def draw(stage: Stage) -> None:
    call = with_image(KITE, stage.image)
    view = await stage.open(await stage.call("generate_video", call), call, width=WIDTH)
    await view.page.evaluate(CHAT, [*WORDS, WIDTH])
    await view.until("document.querySelector('#poster:not([hidden])')")
    frames = [await _screenshot(view)]
    await view.until("document.querySelector('main').dataset.state === 'processing'")
    frames.append(await _screenshot(view))
    await asyncio.sleep(4)
    frames.append(await _screenshot(view))
    await wait_until_saved(stage, view)
    await view.page.evaluate("document.getElementById('done').style.visibility = 'visible'")
    for moment in MOMENTS:
        await pause_at(view, moment)
        frames.append(await _screenshot(view))
    _save(frames)
    digest = await fresh_digest(CALLS, *WORDS)
    store_digest(MOVING, digest)
    store_digest(STILL, digest)


async def _screenshot(view: "View") -> Image.Image:
    await asyncio.sleep(0.5)
    return Image.open(io.BytesIO(await view.page.locator("body").screenshot(omit_background=True))).convert("RGBA")


def _save(frames: list[Image.Image]) -> None:
    """All frames get the height of the tallest; the last one is shown for longer."""
    height = max(frame.height for frame in frames)
    sheets = [Image.new("RGBA", (frame.width, height)) for frame in frames]
    for sheet, frame in zip(sheets, frames, strict=True):
        sheet.paste(frame, (0, 0))
    durations = [1800, 1500, 1500, *([700] * (len(frames) - 4)), 4000]
    for quality in (80, 65, 50, 35):
        sheets[0].save(
            PICTURES / MOVING,
            save_all=True,
            append_images=sheets[1:],
            duration=durations,
            loop=0,
            quality=quality,
            method=6,
        )
        if (PICTURES / MOVING).stat().st_size <= BYTES_MAX:
            break
    else:
        raise RuntimeError(f"{MOVING} is larger than {BYTES_MAX} bytes.")
    small_png(frames[-1], PICTURES / STILL, STILL_BYTES_MAX)


if __name__ == "__main__":
    run(draw)
