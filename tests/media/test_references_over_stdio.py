"""Local reference files through the real server and a real client, with PyAV and without."""

from pathlib import Path
from typing import Any

import pytest

from tests.media.samples import film, png, tone
from tests.support import facts_of, server, text_of, without_pyav


def _pictures(directory: Path) -> Path:
    pictures = directory / "pictures"
    pictures.mkdir()
    (pictures / "kite.png").write_bytes(png())
    film(pictures / "short.mp4", seconds=1)
    film(pictures / "good.mp4", seconds=2.5)
    tone(pictures / "song.wav")
    return pictures


def _call(pictures: Path, video: str) -> dict[str, Any]:
    return {
        "model": "minimax/h3",
        "prompt": "a red kite",
        "duration": 4,
        "reference_images": [str(pictures / "kite.png")],
        "reference_videos": [str(pictures / video)],
        "reference_audios": [str(pictures / "song.wav")],
    }


@pytest.mark.slow
async def test_references_are_measured_uploaded_and_charged_by_their_length(tmp_path: Path) -> None:
    pictures = _pictures(tmp_path)
    async with server(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0") as client:
        refused = await client.call_tool("generate_video", {**_call(pictures, "short.mp4"), "dry_run": True})
        assert refused.is_error
        assert "reference_videos[0] (short.mp4) lasts 1.0 s; 2–15 s are accepted" in text_of(refused)
        assert facts_of(refused)["error"]["charged"] == "no"
        dry_run = await client.call_tool("generate_video", {**_call(pictures, "good.mp4"), "dry_run": True})
        assert "<upload:sha256:" in str(facts_of(dry_run))
        job = facts_of(await client.call_tool("generate_video", _call(pictures, "good.mp4")))
        assert job["estimated_cost_usd"] == pytest.approx(0.08 * (4 + 3))
        ended = facts_of(await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 10}))
        assert (ended["state"], ended["cost_usd"]) == ("completed", pytest.approx(0.08 * (4 + 3)))


@pytest.mark.slow
async def test_without_pyav_format_and_size_are_checked_and_a_warning_names_the_rest(tmp_path: Path) -> None:
    pictures = _pictures(tmp_path)
    async with server(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0", **without_pyav(tmp_path)) as client:
        refused = await client.call_tool("generate_video", _call(pictures, "song.wav"))
        assert "reference_videos[0] (song.wav) is a WAV file; only MP4 or MOV is accepted" in text_of(refused)
        job = facts_of(await client.call_tool("generate_video", _call(pictures, "good.mp4")))
        assert job["state"] in ("queued", "completed")
        assert [warning for warning in job["warnings"] if "could not be checked without the media extra" in warning]
        assert job["estimated_cost_usd"] == pytest.approx(0.08 * (4 + 15))
        request_id = job["request_id"]
        await client.call_tool("get_status", {"request_id": request_id, "wait_seconds": 10})
        again = {**_call(pictures, "good.mp4"), "prompt": "on", "reference_videos": [f"clip:{request_id}"]}
        assert not (await client.call_tool("generate_video", again)).is_error
