"""Segmind's own client, tested against the stand-in over a real port."""

# The SDK has no types, and returns bare dictionaries.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import httpx
import pytest
from segmind import InferenceFailed, InferenceTimeout, SegmindClient
from segmind.exceptions import SegmindError
from segmind.files import Files

from .wire import SEGMIND_BODY, picture

Serve = Callable[..., str]
Sdk = Callable[..., SegmindClient]


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    with ExitStack() as opened:

        def client(base_url: str, key: str = "key") -> SegmindClient:
            sdk_client = SegmindClient(api_key=key, base_url=f"{base_url}/v1")
            opened.callback(sdk_client._client.close)  # pyright: ignore[reportPrivateUsage]  the SDK never closes it
            return sdk_client

        yield client


def test_a_submitted_job_completes_and_its_output_is_a_clip_of_six_seconds(
    serve: Serve, sdk: Sdk, tmp_path: Path
) -> None:
    job = sdk(serve(seconds=0.3)).submit_async("hailuo-02-fast", **SEGMIND_BODY)
    result = job.wait(timeout=20, interval=0.05)
    assert result["status"] == "COMPLETED"
    assert result["error"] is None
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(httpx.get(result["output"], timeout=30).raise_for_status().content)
    with av.open(clip) as video:
        assert video.streams.video[0].codec_context.name == "h264"
        assert video.duration == 6_000_000


def test_documented_sample_with_the_duration_as_a_string_is_accepted(serve: Serve, sdk: Sdk) -> None:
    job = sdk(serve(seconds=0)).submit_async("hailuo-02-fast", **SEGMIND_BODY | {"duration": "6", "go_fast": True})
    assert job.wait(timeout=5)["status"] == "COMPLETED"


def test_a_failed_job_raises_with_the_reason(serve: Serve, sdk: Sdk) -> None:
    job = sdk(serve(seconds=0)).submit_async("hailuo-02-fast", **SEGMIND_BODY | {"prompt": "sandbox:fail"})
    with pytest.raises(InferenceFailed) as failed:
        job.wait(timeout=5)
    assert failed.value.detail == "The model stopped with an internal error"
    assert failed.value.status_body["request_id"] == job.request_id


def test_wait_that_times_out_keeps_the_request_id(serve: Serve, sdk: Sdk) -> None:
    job = sdk(serve(seconds=0)).submit_async("hailuo-02-fast", **SEGMIND_BODY | {"prompt": "sandbox:never"})
    with pytest.raises(InferenceTimeout) as timed_out:
        job.wait(timeout=0.1, interval=0.05)
    assert timed_out.value.request_id == job.request_id
    assert job.status()["status"] == "PROCESSING"


@pytest.mark.parametrize(
    ("key", "prompt", "status"),
    [
        ("bad-key", "x", 401),
        ("forbidden", "x", 403),
        ("no-credits", "x", 406),
        ("key", "sandbox:no_credits", 406),
        ("key", "sandbox:rate_limit", 429),
    ],
)
def test_a_refused_submission_raises_its_status(serve: Serve, sdk: Sdk, key: str, prompt: str, status: int) -> None:
    with pytest.raises(SegmindError) as refused:
        sdk(serve(), key).submit_async("hailuo-02-fast", **SEGMIND_BODY | {"prompt": prompt})
    assert refused.value.status == status


def test_an_uploaded_image_can_be_fetched_and_used(
    serve: Serve, sdk: Sdk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_url = serve(tmp_path / "state", seconds=0)
    monkeypatch.setattr(Files, "STORAGE_BASE_URL", base_url)
    photo = tmp_path / "photo.png"
    photo.write_bytes(picture())
    client = sdk(base_url)
    (link,) = client.files.upload(photo)["file_urls"]
    assert httpx.get(link).content == photo.read_bytes()
    job = client.submit_async("hailuo-02-fast", **SEGMIND_BODY | {"first_frame_image": link})
    assert job.wait(timeout=5)["status"] == "COMPLETED"


def test_the_history_lists_a_job_with_its_cost_and_its_clip(
    serve: Serve, sdk: Sdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_url = serve(seconds=0)
    history = f"{base_url}/inference-request/request-history"
    # By its name in `sys.modules`: the package hides the module behind a function of the same name.
    monkeypatch.setattr(sys.modules["segmind.generations"], "REQUEST_HISTORY_URL", history)
    client = sdk(base_url)
    job = client.submit_async("hailuo-02-fast", **SEGMIND_BODY)
    (row,) = client.generations.history(model_name="02-fast", status="COMPLETED")["data"]
    assert row == client.generations.get(job.request_id)
    assert row["request_id"] == job.request_id
    assert row["request_body"] == SEGMIND_BODY
    assert row["credits_deduction"] == 0.125
    assert row["generation_url"] == job.result()["output"]


def test_the_synchronous_route_returns_the_clip_itself(serve: Serve, sdk: Sdk) -> None:
    response = sdk(serve(seconds=0)).run_sync("hailuo-02-fast", **SEGMIND_BODY)
    assert response.headers["content-type"] == "video/mp4"
    assert response.content[4:8] == b"ftyp"
