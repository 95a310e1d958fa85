"""Failing links of completed jobs: refused on the way, replaced by the gateway, or gone for good. The clip's host is a
real server on loopback."""

from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from hailuo_mcp.core.errors import Expired, HailuoError, NetworkError
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.service.session import Session
from tests.media.remote_server import Step, ranged
from tests.media.remote_server import says as answers
from tests.service.clip_hosts import CLIP, completed, finished
from tests.service.polled_jobs import GONE, on_record
from tests.support import Turns, age, says, segmind

OVER_AN_HOUR = timedelta(minutes=61)
DOWN = says(503, {"error": "busy"})


async def failure(session: Session, job: Job) -> HailuoError:
    with pytest.raises(HailuoError) as failed:
        await session.download(job.request_id)
    assert (await on_record(session, job)).state is State.COMPLETED
    return failed.value


def mentions_paying_again(error: HailuoError) -> bool:
    text = f"{error.problem.message} {error.problem.hint}"
    return "generate_video" in text or "charged again" in text


WEB_PAGE = answers(200, b"<!DOCTYPE html><title>Log in to the Wi-Fi</title>", "content-type: text/html")


@pytest.mark.parametrize(
    ("step", "reason"),
    [(answers(status), f"127.0.0.1 (HTTP {status})") for status in (401, 403, 407, 451, 511)]
    + [(WEB_PAGE, "127.0.0.1 (HTTP 200) sent a web page")],
)
async def test_refused_link_is_reported_and_works_once_it_is_accepted(step: Step, reason: str, tmp_path: Path) -> None:
    async with finished(tmp_path, step, ranged(CLIP)) as (session, job, wire, _):
        error = await failure(session, job)
        assert isinstance(error, NetworkError)
        assert "refused here" in error.problem.message
        assert reason in error.problem.message
        assert "proxy, firewall or VPN" in error.problem.hint
        assert "call download_video again" in error.problem.hint
        assert not mentions_paying_again(error)
        assert wire.requested[-1].startswith("GET ")  # a fresh link was requested
        _, path = await session.download(job.request_id)
        assert path.read_bytes() == CLIP


@pytest.mark.parametrize("status", [400, 403, 404, 410])
async def test_failing_link_is_replaced_by_a_fresh_one(status: int, tmp_path: Path) -> None:
    async with finished(tmp_path, answers(status), ranged(CLIP)) as (session, job, wire, remote):
        wire.answer = segmind(status=completed(remote.url("/fresh.mp4")))
        saved, path = await session.download(job.request_id)
        assert saved.video_url == remote.url("/fresh.mp4")
        assert path.read_bytes() == CLIP


@pytest.mark.parametrize("status", [403, 404])
async def test_failing_fresh_link_does_not_mean_a_lost_clip(status: int, tmp_path: Path) -> None:
    async with finished(tmp_path, answers(status)) as (session, job, wire, remote):
        wire.answer = segmind(status=completed(remote.url("/fresh.mp4")))
        assert not mentions_paying_again(await failure(session, job))
        assert len(remote.heads) == 2


@pytest.mark.parametrize("status", [403, 404])
async def test_unreachable_gateway_does_not_mean_a_lost_clip(status: int, tmp_path: Path) -> None:
    async with finished(tmp_path, answers(status)) as (session, job, wire, _):
        await age(session, job, OVER_AN_HOUR)
        for failing in (DOWN, says(403, {"error": "Forbidden"})):
            wire.answer = failing
            assert not mentions_paying_again(await failure(session, job))

        def history_down(request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
            return (DOWN if "history" in request.url.path else GONE)(request)

        wire.answer = history_down
        assert not mentions_paying_again(await failure(session, job))


@pytest.mark.parametrize("status", [403, 404])
async def test_clip_expires_only_if_the_gateway_no_longer_has_a_link(status: int, tmp_path: Path) -> None:
    async with finished(tmp_path, answers(status)) as (session, job, wire, _):
        wire.answer = Turns(GONE)
        assert not mentions_paying_again(await failure(session, job))  # it should still know the job
        await age(session, job, OVER_AN_HOUR)
        error = await failure(session, job)
        assert isinstance(error, Expired)
        assert "gives no link" in error.problem.message
