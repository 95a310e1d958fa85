"""A known rate limit delays polls: a call then returns the last known state, and no error blames the gateway."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp_types import TextResourceContents

from hailuo_mcp.core.errors import NotReady, RateLimited
from hailuo_mcp.core.job import State
from hailuo_mcp.mcp import resources, tools
from tests.service.polled_jobs import FAST_02, submitted
from tests.support import KEYS, arguments_for, says, segmind, settings_for, uri_of, wired

MINIMAX = "minimax/hailuo-02"
BURST = 10
"""Requests that MiniMax's documented rate allows at once."""


async def test_calls_beyond_the_documented_rate_are_answered_from_the_ledger(tmp_path: Path) -> None:
    body = {"task_id": "t1", "status": "Processing", "base_resp": {"status_code": 0}}
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(200, body))
    async with opened as session:
        job = await submitted(session, MINIMAX)
        began = time.monotonic()
        answers = [await session.status(job.request_id) for _ in range(BURST + 5)]
        assert time.monotonic() - began < 5
        assert {answer.state for answer in answers} == {State.PROCESSING}
        assert len(wire.requests) == BURST
        assert not answers[0].warnings
        (warning,) = answers[-1].warnings
        assert "keeps to the number of requests that MiniMax allows" in warning
        assert "its own pace" in warning
        with pytest.raises(NotReady):
            await session.download(job.request_id)
        assert len(wire.requests) == BURST


async def test_poll_after_seconds_follows_the_rate_limit(tmp_path: Path) -> None:
    async def no_progress(progress: float, total: float | None, message: str) -> None: ...

    def too_many(_: httpx.Request) -> httpx.Response:
        return httpx.Response(429, json={"error": "slow down"}, headers={"retry-after": "90"})

    opened, _ = wired(settings_for(tmp_path, **KEYS), segmind(status=too_many))
    async with opened as session:

        async def answer(tool: str, **arguments: object) -> Mapping[str, Any]:
            result = await tools.call(tool, tools.Call(session, arguments, no_progress))
            return result.structured_content or {}

        job = await answer("generate_video", **arguments_for(FAST_02))
        assert job["poll_after_seconds"] <= 30
        assert "error" in await answer("get_status", request_id=job["request_id"])
        again = await answer("get_status", request_id=job["request_id"])
        assert 85 <= again["poll_after_seconds"] <= 90
        resource = await resources.read(session, uri_of("jobs", job["request_id"]))
        content = resource.contents[0]
        assert isinstance(content, TextResourceContents)
        assert 85 <= json.loads(content.text)["poll_after_seconds"] <= 90


async def test_first_call_after_a_429_fails_and_later_ones_are_answered_from_the_ledger(
    tmp_path: Path,
) -> None:
    def too_many(_: httpx.Request) -> httpx.Response:
        return httpx.Response(429, json={"error": "slow down"}, headers={"retry-after": "86400"})

    opened, wire = wired(settings_for(tmp_path, **KEYS), segmind(status=too_many))
    async with opened as session:
        job = await submitted(session)
        with pytest.raises(RateLimited, match="429: slow down"):
            await session.status(job.request_id)
        before = len(wire.requests)
        for wait in (0.0, 0.05):
            answer = await session.status(job.request_id, wait)
            assert answer.state is State.QUEUED
            assert "in 120 s at the earliest; this is its own pace" in answer.warnings[-1]
        assert len(wire.requests) == before
