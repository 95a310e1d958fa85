"""Uploads of local files: once per account, before the submission, and large ones before the job is recorded."""

from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest

from hailuo_mcp.core.errors import GatewayTimeout, HailuoError
from hailuo_mcp.core.job import State
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.transfers import Transfers
from tests.media.samples import data_uri, film, png, tone
from tests.service.h3 import H3, UPLOAD, sandboxed, uploads
from tests.support import body_of, says, settings_for, wired


async def test_file_given_twice_is_uploaded_once_per_account(tmp_path: Path) -> None:
    opened, wire = sandboxed(tmp_path)
    given = data_uri(film(tmp_path / "a.mp4"), "video/mp4")
    async with opened as session:
        await session.generate({**H3, "reference_videos": [given, given]})
        await session.generate({**H3, "prompt": "another", "reference_videos": [given]})
    assert uploads(wire) == 1
    answers = {"file": {"file_id": 7}, "base_resp": {"status_code": 0}, "task_id": "t1"}
    for key, count in (("sk-one", 1), ("sk-one", 0), ("sk-two", 1)):
        settings = settings_for(tmp_path, MINIMAX_API_KEY=key)
        opened, wire = wired(settings, lambda _: httpx.Response(200, json=answers))
        async with opened as session:
            await session.generate({**H3, "reference_videos": [given]}, force_new=True)
        assert uploads(wire) == count


async def test_refused_upload_sends_no_submission(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, MINIMAX_API_KEY="sk-test")
    refusal = {"type": "error", "error": {"type": "bad_request_error", "message": "too short (2013)"}}
    opened, wire = wired(settings, lambda _: httpx.Response(400, json=refusal))
    async with opened as session:
        with pytest.raises(HailuoError, match="nothing was submitted") as failed:
            await session.generate({**H3, "reference_videos": [data_uri(film(tmp_path / "a.mp4"), "video/mp4")]})
        assert failed.value.problem.charged == "no"
        (job,) = (await session.jobs()).jobs
    assert job.state is State.FAILED
    assert job.not_charged
    assert wire.requested == [f"POST {UPLOAD}"]


def large(directory: Path) -> bytes:
    """A video of over 3 MB, most of it empty."""
    empty = 3 * 1024 * 1024
    return film(directory / "large.mp4", seconds=2) + (empty + 8).to_bytes(4) + b"free" + bytes(empty)


async def test_large_file_is_uploaded_before_its_job_is_recorded(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, MINIMAX_API_KEY="sk-test")
    opened, wire = wired(settings, lambda _: httpx.Response(500))
    call = {**H3, "reference_videos": [data_uri(large(tmp_path), "video/mp4")]}
    async with opened as session:
        with pytest.raises(HailuoError) as failed:
            await session.generate(call)
        assert failed.value.problem.charged == "no"
        assert not (await session.jobs()).jobs
        wire.answer = says(200, {"file": {"file_id": 7}, "task_id": "t1"})
        job = (await session.generate(call)).job
    assert job.remote_id == "t1"


async def test_call_returns_in_time_while_a_large_file_is_uploading(tmp_path: Path) -> None:
    arrived = anyio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        if request.url.path == UPLOAD:
            await arrived.wait()
        return httpx.Response(200, json={"file": {"file_id": 7}, "task_id": "t1"})

    opened, wire = wired(settings_for(tmp_path, MINIMAX_API_KEY="sk-test"), slow)
    call = {**H3, "reference_videos": [data_uri(large(tmp_path), "video/mp4")]}
    async with opened as owner, background_tasks() as tasks:
        transfers = Transfers(owner.services.ledger, tasks, wait_seconds=0.1)
        session = Session(replace(owner.services, transfers=transfers))
        with pytest.raises(GatewayTimeout, match=r"has not received all of 3\.\d MB yet") as late:
            await session.generate(call)
        assert (late.value.problem.charged, late.value.problem.safe_to_retry) == ("no", True)
        assert not (await session.jobs()).jobs
        arrived.set()
        await anyio.wait_all_tasks_blocked()
        assert (await session.generate(call)).job.remote_id == "t1"
    assert uploads(wire) == 1


async def test_every_reference_is_uploaded_to_fal(tmp_path: Path) -> None:
    opened, wire = sandboxed(tmp_path)
    pictures = tmp_path / "pictures"
    (pictures / "kite.png").write_bytes(png())
    film(pictures / "a.mp4")
    tone(pictures / "a.wav")
    call = {
        "model": "fal/h3",
        "prompt": "a red kite",
        "reference_images": [str(pictures / "kite.png"), "https://pictures.example/x.png"],
        "reference_videos": [str(pictures / "a.mp4")],
        "reference_audios": [str(pictures / "a.wav")],
    }
    async with opened as session:
        job = (await session.generate(call)).job
        assert (await session.status(job.request_id, 5)).state is State.COMPLETED
    stored = [request for request in wire.requests if request.method == "PUT"]
    assert [request.headers["content-type"] for request in stored] == ["image/png", "video/mp4", "audio/wav"]
    body = body_of(next(request for request in wire.posts if request.url.path.endswith("/reference-to-video")))
    sent = [*body["reference_image_urls"], *body["reference_video_urls"], *body["reference_audio_urls"]]
    assert all(url.startswith("https://") for url in sent)
    assert sent[1] == "https://pictures.example/x.png"
    assert not any("authorization" in request.headers for request in stored)
