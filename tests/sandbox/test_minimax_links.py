"""MiniMax's links expire after an hour, its tasks do not. Runs our gateway client against the stand-in on a port."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_mcp.core.errors import Unauthorized
from hailuo_mcp.core.job import State
from tests.support import KEYS, arguments_for, jobs_in, open_session, settings_for

from .wire import Clock


def _variables(url: str, key: str = KEYS["MINIMAX_API_KEY"]) -> dict[str, str]:
    return {"MINIMAX_API_KEY": key, "MINIMAX_BASE_URL": url, "HAILUO_MCP_AUTO_DOWNLOAD": "0"}


async def test_completed_job_with_an_expired_link_gets_a_new_one_and_is_saved(
    tmp_path: Path, clock: Clock, serve: Callable[..., str]
) -> None:
    url = serve(tmp_path / "sandbox", seconds=0, clock=clock)
    async with open_session(settings_for(tmp_path, **_variables(url))) as session:
        call = arguments_for("minimax/hailuo-02", resolution="512p", first_frame_image="https://pictures.example/x.png")
        submitted = (await session.generate(call)).job
        done = await session.status(submitted.request_id)
        assert (done.state, done.expires_at, done.video_path) == (State.COMPLETED, None, None)
        assert re.fullmatch(rf"{url}/sandbox/clips/\w+\.mp4\?Expires={int(clock.now) + 3600}", done.video_url or "")
        clock.now += 30 * 3600
        job, path = await session.download(submitted.request_id)
        assert path.stat().st_size > 0
        assert list(jobs_in(tmp_path).values()) == [path]
        assert (job.state, job.video_url != done.video_url) == (State.COMPLETED, True)


async def test_refused_key_is_reported_with_the_region_it_may_belong_to(
    tmp_path: Path, serve: Callable[..., str]
) -> None:
    url = serve(tmp_path / "sandbox", seconds=0)
    async with open_session(settings_for(tmp_path, **_variables(url, "bad-key"))) as session:
        with pytest.raises(Unauthorized) as refused:
            await session.generate(arguments_for("minimax/hailuo-2.3"))
    assert refused.value.problem.charged == "no"
    assert "MINIMAX_BASE_URL=https://api.minimaxi.com" in refused.value.problem.hint
