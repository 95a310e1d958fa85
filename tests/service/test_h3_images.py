"""A first frame for H3 is checked against its gateway's limits: not all share MiniMax's."""

from pathlib import Path

import pytest
from PIL import Image

from hailuo_mcp.core.errors import InvalidImage
from tests.support import recorded_sandbox, settings_for


@pytest.mark.parametrize(
    ("model", "size", "message"),
    [
        ("minimax/h3", (280, 280), None),
        ("minimax/h3", (255, 300), "256–5760 px a side"),
        ("minimax/h3", (800, 300), "width/height of 2.67"),
        ("minimax/hailuo-02", (280, 280), "over 300 px"),
        ("aimlapi/h3", (280, 280), "over 300 px"),
        ("aimlapi/h3-max", (640, 400), None),
        ("fal/h3", (280, 280), "over 300 px"),
        ("fal/h3-max", (640, 400), None),
    ],
)
async def test_image_is_checked_against_the_limits_of_its_gateway(
    model: str, size: tuple[int, int], message: str | None, tmp_path: Path
) -> None:
    picture = tmp_path / "pictures" / "first.png"
    picture.parent.mkdir()
    Image.new("RGB", size, "teal").save(picture)
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    call = {"model": model, "prompt": "a kite", "first_frame_image": str(picture)}
    async with opened as session:
        if message is None:
            job = (await session.generate(call)).job
            assert (await session.status(job.request_id, 10)).state == "completed"
            return
        with pytest.raises(InvalidImage, match=message):
            await session.generate(call)
        assert wire.requests == []
