"""Chained shots: each begins with the last frame of the previous one, or is refused with the fix."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.core.job import State
from tests.cli.conftest import Cli
from tests.support import facts_of, open_session, sandbox_on_a_port, server, settings_for, without_pyav

PAGE = (Path(__file__).parents[2] / "docs" / "shots.md").read_text()
MODEL = "segmind/minimax-hailuo-2"


def _frames(clip: str) -> tuple[Image.Image, Image.Image]:
    """The first and last frame, without a preview's marks: the badge above and the captions below."""
    with av.open(clip) as container:
        frames: list[Image.Image] = [
            frame.to_image()  # pyright: ignore[reportUnknownMemberType]  PyAV leaves it untyped
            for frame in container.decode(video=0)
        ]
    width, height = frames[0].size
    middle = (0, height // 6, width, height // 2)
    return frames[0].crop(middle), frames[-1].crop(middle)


def _distance(one: Image.Image, other: Image.Image) -> float:
    """Mean difference per color channel, out of 255."""
    assert one.size == other.size
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def _assert_continuous(clips: list[str]) -> None:
    shots = [_frames(clip) for clip in clips]
    for (first, last), (next_first, _) in pairwise(shots):
        assert _distance(last, next_first) < 3
        assert _distance(first, next_first) > 10


@pytest.mark.slow
async def test_the_pages_tool_calls_make_three_continuous_shots(tmp_path: Path) -> None:
    ids: dict[str, str] = {}
    clips: list[str] = []
    calls = PAGE.split("```text\n")[1].split("```")[0].splitlines()
    with sandbox_on_a_port(tmp_path) as variables:
        async with server(tmp_path, **variables) as client:
            for call in calls:
                tool, arguments = call.split(" ", 1)
                known = re.sub(r"<shot \d>", lambda shot: ids[shot[0]], arguments)
                result = await client.call_tool(tool, json.loads(known))
                assert not result.is_error, result.content
                facts = facts_of(result)
                if facts["request_id"] and tool == "generate_video":
                    ids[f"<shot {len(ids) + 1}>"] = facts["request_id"]
                elif tool == "get_status":
                    assert facts["state"] == "completed"
                    saved = await client.call_tool("download_video", {"request_id": facts["request_id"]})
                    clips.append(facts_of(saved)["video_path"])
    assert len(clips) == 3
    _assert_continuous(clips)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("jq") is None, reason="the page's commands use jq")
def test_the_pages_commands_make_three_continuous_shots(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "hailuo-mcp"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hailuo_mcp "$@"\n')
    program.chmod(0o755)
    commands = PAGE.split("```sh\n")[1].split("```")[0]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env={**cli.environment, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    jobs = cli.json("jobs")["jobs"]
    assert all(job["request_id"] in done.stdout for job in jobs)
    assert len(jobs) == 3
    _assert_continuous([job["video_path"] for job in reversed(jobs)])


# --- refusals -----------------------------------------------------------------------------------------------------


async def _refusal(tmp_path: Path, prompt: str | None, **variables: str) -> tuple[str, str]:
    """The request id and the hint of the refusal to continue a shot with this prompt, or one that does not exist."""
    opened = open_session(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0", **variables))
    async with opened as session:
        request_id = f"{MODEL}/nobody"
        if prompt:
            request_id = (await session.generate({"model": MODEL, "prompt": prompt})).job.request_id
            if not variables:
                assert (await session.status(request_id, wait_seconds=20)).state.is_terminal
        with pytest.raises(InvalidImage) as refused:
            await session.generate({"model": MODEL, "prompt": "on", "first_frame_image": f"last-frame:{request_id}"})
        page = await session.jobs()
    assert page.total == (1 if prompt else 0)
    assert refused.value.problem.charged == "no"
    assert f"first_frame_image asks for the last frame of {request_id}, whose clip is" in refused.value.problem.message
    return request_id, refused.value.problem.hint


async def test_an_unsaved_clip_must_be_downloaded_first(tmp_path: Path) -> None:
    request_id, hint = await _refusal(tmp_path, "a boat")
    assert hint == f'Call download_video with request_id "{request_id}" first.'


async def test_an_unfinished_clip_must_be_waited_for(tmp_path: Path) -> None:
    request_id, hint = await _refusal(tmp_path, "a boat", HAILUO_MCP_SANDBOX_SECONDS="60")
    assert hint == f'That job is {State.QUEUED}: call get_status with request_id "{request_id}" until it is completed.'


async def test_a_failed_shot_cannot_be_continued(tmp_path: Path) -> None:
    _, hint = await _refusal(tmp_path, "a boat sandbox:fail")
    assert hint == "That job is failed and has no clip: chain from another shot, or make this one again."


async def test_an_unknown_id_is_refused_with_a_pointer_to_list_jobs(tmp_path: Path) -> None:
    _, hint = await _refusal(tmp_path, None)
    assert hint.startswith("Call list_jobs to see the existing ids")


async def test_a_saved_clip_can_be_continued(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0")) as session:
        first = (await session.generate({"model": "segmind/minimax-hailuo-2", "prompt": "a boat"})).job
        await session.status(first.request_id, wait_seconds=20)
        await session.download(first.request_id)
        follow = {"model": MODEL, "prompt": "on", "first_frame_image": f"last-frame:{first.request_id}"}
        second = await session.generate(follow, dry_run=True)
    assert f"last frame of {first.request_id}" in json.dumps(dict(second.job.parameters))


@pytest.mark.slow
def test_without_the_media_extra_the_refusal_says_how_to_install_it(tmp_path: Path) -> None:
    cli = Cli(tmp_path, without_pyav(tmp_path))
    request_id = cli.json("generate", "A boat", "--wait")["request_id"]
    done = cli("generate", "It meets a swan", "--first-frame-image", f"last-frame:{request_id}")
    assert done.returncode != 0
    assert "Taking a clip's last frame needs the media extra" in done.stderr
    assert "pip install 'hailuo-mcp[media]'" in done.stderr
    assert "pip install 'hailuo-mcp[media]'" in PAGE
