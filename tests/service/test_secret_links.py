"""A clip whose link contains the key: it is saved immediately, and the link is neither stored nor shown."""

from pathlib import Path

import pytest

from hailuo_mcp.core.job import State
from tests.media.remote_server import ranged, serving
from tests.service.clip_hosts import CLIP, completed
from tests.service.polled_jobs import QUIET, on_record, submitted
from tests.support import KEYS, segmind, settings_for, wired

KEY = KEYS["SEGMIND_API_KEY"]


@pytest.mark.parametrize("echo", [KEY, KEY.replace("-", "%2D")])
async def test_link_with_the_key_is_followed_and_not_stored(echo: str, tmp_path: Path) -> None:
    async with serving(ranged(CLIP)) as remote:
        settings = settings_for(tmp_path, **QUIET, SEGMIND_BASE_URL=f"http://127.0.0.1:{remote.port}")
        opened, _ = wired(settings, segmind(status=completed(remote.url(f"/clip.mp4?key={echo}"))))
        async with opened as session:
            job = await submitted(session)
            done = await session.status(job.request_id)
            assert (done.state, done.video_url) == (State.COMPLETED, None)
            assert done.video_path
            assert Path(done.video_path).read_bytes() == CLIP
            assert echo not in (await on_record(session, job)).model_dump_json()
            Path(done.video_path).unlink()
            _, path = await session.download(job.request_id)
            assert path.read_bytes() == CLIP
            assert echo not in (await on_record(session, job)).model_dump_json()
