"""An image on the user's computer, dropped into the view of the real server and uploaded to it."""

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from tests.http.servers import SANDBOX, serving
from tests.http.test_uploads import MODEL, picture
from tests.mcp.player import jobs
from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import Real
from tests.mcp.player.test_accessibility import AXE
from tests.mcp.player.test_accessibility import axe as axe
from tests.support import facts_of

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
CALL: dict[str, Any] = {"prompt": jobs.PROMPT, "model": MODEL, "first_frame_image": "/home/ada/harbour.png"}
DROP = """([name, type, size]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(size)], name, { type }));
  document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
}"""


async def test_the_view_uploads_an_image_and_reports_it_in_the_chat(
    open_view: OpenView,
    axe: str,
    tmp_path: Path,
    take_screenshot: Any,
) -> None:
    async with serving(tmp_path, **SANDBOX) as running, Client(running.url) as client:
        server, origin = Real(client), running.url.removesuffix("/mcp")
        refused = await server.call_tool("generate_video", CALL)
        view = await open_view(refused, server, origins=(origin,), arguments=CALL, expected_errors="422")
        await view.shows("Add the image", "First frame: drop harbour.png here, or choose it", "Not charged")
        await take_screenshot(view, "upload")
        await view.frame.evaluate(axe)
        assert await view.frame.evaluate(AXE) == []
        await view.frame.evaluate(DROP, ["notes.pdf", "application/pdf", 400])
        await view.shows("upload")  # the link still works after the refusal
        await view.frame.evaluate(DROP, ["large.png", "image/png", 21 * 1024 * 1024])
        await view.shows("large.png is larger than 20 MB")
        await view.frame.locator("input[type=file]").set_input_files(
            [{"name": "harbour.png", "mimeType": "image/png", "buffer": picture()}]
        )
        await view.shows("First frame: uploaded.", "Asked in the chat.")
        (message,) = view.params_of("ui/message")
        assert 'first_frame_image "upload:harbour.png"' in message["content"][0]["text"]
        again = await client.call_tool("generate_video", {**CALL, "first_frame_image": "upload:harbour.png"})
        assert facts_of(again)["state"] == "queued"
