"""Posters: what views show of a job before its clip plays, from the submitted first frame or the saved clip."""

import io
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from PIL import Image

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import NotReady, UnknownRequest
from hailuo_mcp.media.given import LoadedFile
from hailuo_mcp.media.posters import SIDE_MAX
from hailuo_mcp.service.posters import Posters
from hailuo_mcp.service.session import Session
from tests.service.polled_jobs import submitted
from tests.support import recorded_sandbox, settings_for


def sandbox(directory: Path, seconds: int = 60) -> AbstractAsyncContextManager[Session]:
    variables = {"HAILUO_MCP_SANDBOX": "1", "HAILUO_MCP_SANDBOX_SECONDS": str(seconds)}
    return recorded_sandbox(settings_for(directory, **variables))[0]


def red_image(directory: Path) -> Path:
    path = directory / "pictures" / "red.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (1600, 900), "red").save(path)
    return path


async def test_first_frame_is_a_small_jpeg_right_after_the_submission(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as session:
        job = await submitted(session, first_frame_image=str(red_image(tmp_path)))
        assert session.has_poster(job)
        with Image.open(io.BytesIO(await session.poster(job.request_id))) as image:
            assert (image.format, image.size) == ("JPEG", (SIDE_MAX, SIDE_MAX * 9 // 16))
            red, green, blue = image.convert("RGB").tobytes()[:3]
        assert red > 200 > 60 > max(green, blue)


async def test_saved_clip_shows_its_first_frame_even_after_a_restart(tmp_path: Path) -> None:
    async with sandbox(tmp_path, seconds=0) as session:
        job = await submitted(session, "segmind/minimax-hailuo-2")
        assert not session.has_poster(job)
        job, _ = await session.download(job.request_id)
    async with sandbox(tmp_path) as session:
        assert session.has_poster(job)
        assert (await session.poster(job.request_id)).startswith(b"\xff\xd8")


async def test_image_given_by_url_is_not_fetched(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as session:
        job = await submitted(session)
        assert not session.has_poster(job)
        with pytest.raises(NotReady, match="no image"):
            await session.poster(job.request_id)


async def test_poster_is_hidden_from_other_tenants(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as session:
        job = await submitted(session, first_frame_image=str(red_image(tmp_path)))
        with pytest.raises(UnknownRequest):
            await Session(session.services, Caller(tenant="eve")).poster(job.request_id)


async def test_oldest_posters_are_dropped(tmp_path: Path) -> None:
    posters = Posters(kept_max=1)
    image = LoadedFile(shown="red.png", digest="", content=red_image(tmp_path).read_bytes())
    async with sandbox(tmp_path) as session:
        earlier, later = [await submitted(session, prompt=prompt) for prompt in ("one", "two")]
        await posters.keep(earlier, image)
        await posters.keep(later, image)
        assert (posters.may_have(earlier), posters.may_have(later)) == (False, True)


async def test_unreadable_image_gives_no_poster_and_no_error(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as session:
        job = await submitted(session)
        await session.services.posters.keep(job, LoadedFile(shown="x", digest="", content=b"no image"))
        assert await session.services.posters.get(job) is None
