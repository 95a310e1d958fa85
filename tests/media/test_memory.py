"""How much memory images can take in a real server, even if many callers send them at the same time."""

import sys
import zlib
from pathlib import Path

import anyio
import pytest
from mcp import Client

from tests.http.servers import SANDBOX, Running, serving
from tests.media.samples import claiming, data_uri, png
from tests.support import facts_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the highest memory use from /proc"),
]

CALLS = 6
MB = 1024 * 1024
PLAIN_MB, ONE_IMAGE_MB = 60, 160
"""Memory of the calls without their images, and of one decoded image of 40 million pixels."""


def plain(width: int, height: int) -> bytes:
    """A black PNG, which is small as a file."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 3 * width)) for _ in range(height)) + packer.flush()
    return claiming(width, height, rows)


def peak_mb(running: Running) -> float:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def all_at_once(url: str, image: bytes) -> list[str]:
    """The result of each of several concurrent calls: a state, or an error message."""
    answers: list[str] = []

    async def call() -> None:
        arguments = {"prompt": "a kite", "model": "segmind/hailuo-2.3-fast", "first_frame_image": data_uri(image)}
        async with Client(url) as client:
            facts = facts_of(await client.call_tool("generate_video", {**arguments, "dry_run": True}))
            error = facts.get("error")
            answers.append(error["message"] if error else facts["state"])

    async with anyio.create_task_group() as calls:
        for _ in range(CALLS):
            calls.start_soon(call)
    return answers


async def test_large_images_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    image = plain(9_900, 9_900)
    assert len(image) < 0.5 * MB
    async with serving(tmp_path, **SANDBOX) as running:
        assert await all_at_once(running.url, png()) == ["dry_run"] * CALLS
        before = peak_mb(running)
        for answer in await all_at_once(running.url, image):
            assert "9900 x 9900 pixels; at most 40 million" in answer
        assert peak_mb(running) - before < PLAIN_MB


async def test_at_most_two_images_are_in_memory_at_a_time(tmp_path: Path) -> None:
    async with serving(tmp_path, **SANDBOX) as running:
        assert await all_at_once(running.url, png()) == ["dry_run"] * CALLS
        before = peak_mb(running)
        assert await all_at_once(running.url, plain(6_300, 6_300)) == ["dry_run"] * CALLS
        assert ONE_IMAGE_MB / 2 < peak_mb(running) - before < 2 * ONE_IMAGE_MB + PLAIN_MB
