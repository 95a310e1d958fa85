"""Servers are killed repeatedly at the worst moments; in the end every paid clip is on disk, and paid for once."""

import asyncio
import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import pytest

from hailuo_mcp.core.job import Job, State
from hailuo_mcp.ledger.sqlite import SqliteLedger
from tests.fault_injection.stdio import ServerGoneError, StdioServer, clips_of, ledger_of, stdio_server
from tests.fault_injection.watched_gateway import Moment, WatchedGateway, clip_of, watched_gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SEED = 20261121
KILLS, PROMPTS = 50, 200
NEW_PER_RUN, OLD_PER_RUN = 4, 6
RUN_SECONDS = 6.0
"""A server that has not reached its moment after this time is killed anyway."""
LAST_RUN_SECONDS = 120.0
MOMENTS = tuple(moment for moment in Moment if moment is not Moment.HISTORY_REQUESTED)


@dataclass(slots=True)
class WantedClip:
    """One clip that a user wants; it is requested until it is saved."""

    prompt: str
    model: str
    request_id: str | None = None
    job: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def done(self) -> bool:
        return bool(self.job.get("video_path"))

    async def request_until_saved(self, server: StdioServer) -> None:
        """Do what an assistant does: repeat the same call until there is an id, then poll."""
        while self.request_id is None:
            answer = await server.call("generate_video", model=self.model, prompt=self.prompt)
            self.request_id = answer.get("request_id")
        while not self.done:
            answer = await server.call("get_status", request_id=self.request_id)
            if "state" in answer:
                self.job = answer
            await asyncio.sleep(0.1)


class Killer:
    """Kills a process shortly after the n-th occurrence of a moment."""

    def __init__(self, gateway: WatchedGateway, rng: random.Random) -> None:
        self._rng = rng
        self._pid: int | None = None
        self._moment = Moment.SUBMISSION_RECEIVED
        self._remaining = 0
        self.killed: Counter[str] = Counter()
        gateway.on_moment = self._on_moment

    def arm(self, pid: int, moment: Moment) -> None:
        self._moment, self._remaining = moment, self._rng.randint(1, 3)
        self._pid = pid

    async def _on_moment(self, moment: Moment, _path: str) -> None:
        if self._pid is None or moment is not self._moment:
            return
        self._remaining -= 1
        if self._remaining == 0:
            pid, self._pid = self._pid, None
            await asyncio.sleep(self._rng.choice((0.0, 0.0, 0.001, 0.005, 0.02)))
            self.killed[moment] += 1
            os.kill(pid, signal.SIGKILL)


async def run_until_killed(
    home: Path, gateway: WatchedGateway, killer: Killer, moment: Moment, wanted_clips: list[WantedClip]
) -> None:
    async with stdio_server(home, **gateway.environment) as server:
        await server.initialize()
        killer.arm(server.pid, moment)
        work = [asyncio.create_task(wanted.request_until_saved(server)) for wanted in wanted_clips]
        try:
            async with asyncio.timeout(RUN_SECONDS):
                await server.wait_until_ended()
        except TimeoutError:
            killer.killed["after the time limit"] += 1
            server.kill()
            await server.wait_until_ended()
        for task in work:
            task.cancel()
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        unexpected = [o for o in outcomes if o and not isinstance(o, (ServerGoneError, asyncio.CancelledError))]
        assert not unexpected


async def test_fifty_kills_lose_no_paid_clip_and_pay_for_none_twice(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    rng = random.Random(SEED)
    moments = [MOMENTS[number % len(MOMENTS)] for number in range(KILLS)]
    rng.shuffle(moments)
    wanted_clips = [
        WantedClip(f"kite number {number}", "aimlapi/hailuo-02" if number % 5 == 4 else "segmind/minimax-hailuo-2")
        for number in range(PROMPTS)
    ]
    with watched_gateway(tmp_path / "gateway", seconds=0.3) as gateway:
        killer = Killer(gateway, rng)
        started: list[WantedClip] = []
        for moment in moments:
            new = wanted_clips[len(started) : len(started) + NEW_PER_RUN]
            old = [wanted for wanted in started if not wanted.done]
            started += new
            chosen = new + rng.sample(old, min(OLD_PER_RUN, len(old)))
            await run_until_killed(tmp_path, gateway, killer, moment, chosen)
        async with stdio_server(tmp_path, **gateway.environment) as server:
            await server.initialize()
            work = [asyncio.create_task(wanted.request_until_saved(server)) for wanted in wanted_clips]
            await asyncio.wait_for(_wait_until_saved(work, wanted_clips, gateway), LAST_RUN_SECONDS)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            assert await server.close() == 0
        leftovers = _age_leftovers(clips_of(tmp_path))
        wanted_clips.append(WantedClip("one kite more", "segmind/minimax-hailuo-2"))
        async with stdio_server(tmp_path, **gateway.environment) as server:
            await server.initialize()
            await asyncio.wait_for(wanted_clips[-1].request_until_saved(server), 20)
        jobs = await _jobs_in(tmp_path)
        paid = gateway.paid()

    unconfirmed = [job for job in jobs if job.state is State.UNCONFIRMED]
    found = {(job.model.split("/")[0], job.remote_id): job for job in jobs if job.remote_id}
    unmatched = [job for job in paid if (job.gateway, job.remote_id) not in found]
    killed = ", ".join(f"{moment} {times}" for moment, times in sorted(killer.killed.items()))
    figures(
        f"{sum(killer.killed.values())} kills: {killed}\n"
        f"{gateway.submissions} submissions, {len(paid)} paid jobs for {PROMPTS} prompts, {len(jobs)} in the ledger, "
        f"{len(unconfirmed)} unconfirmed, of which {len(unmatched)} were accepted by a gateway without a history; "
        f"{gateway.moments[Moment.HISTORY_REQUESTED]} history requests, "
        f"{sum(gateway.clip_requests.values())} downloads started for {len(paid)} clips, "
        f"{len(leftovers)} temporary files left behind by kills"
    )
    # Nothing is paid for or stored twice.
    assert len({job.prompt for job in paid}) == len(paid)
    assert len({job.prompt for job in jobs}) == len(jobs)
    # Nothing is lost: the ledger has each paid job's id, or, where the gateway has no history, an unconfirmed job with
    # the same prompt.
    assert {job.prompt for job in unmatched} <= {job.prompt for job in unconfirmed}
    assert {job.gateway for job in unmatched} <= {"aimlapi"}
    # Every known clip is on disk, complete.
    for job in paid:
        if known := found.get((job.gateway, job.remote_id)):
            assert known.state is State.COMPLETED
            assert known.video_path
            assert Path(known.video_path).read_bytes() == clip_of(job.id)
    clips = sorted(clips_of(tmp_path).glob("*.mp4"))
    assert len(clips) == len(found)
    for clip in clips:
        with av.open(str(clip)) as video:
            assert video.streams.video[0].frames
    with closing(sqlite3.connect(ledger_of(tmp_path))) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    # Temporary files left by kills are removed when the first clip is saved after an hour.
    assert sorted(clips_of(tmp_path).iterdir()) == clips


async def _wait_until_saved(
    work: list[asyncio.Task[None]], wanted_clips: list[WantedClip], gateway: WatchedGateway
) -> None:
    """Wait until all clips are saved, except for submissions that cannot be found."""
    while True:
        await asyncio.sleep(0.5)
        open_clips = [wanted for wanted, task in zip(wanted_clips, work, strict=True) if not task.done()]
        findable = {job.prompt for job in gateway.paid() if job.gateway == "segmind"}
        if all(e.job.get("state") == "unconfirmed" and e.prompt not in findable for e in open_clips):
            return


def _age_leftovers(directory: Path) -> list[Path]:
    """Make leftover files that are not clips look two hours old."""
    leftovers = [path for path in directory.iterdir() if path.suffix != ".mp4"]
    for path in leftovers:
        moment = path.stat().st_mtime - 7200
        os.utime(path, (moment, moment))
    return leftovers


async def _jobs_in(home: Path) -> tuple[Job, ...]:
    ledger = SqliteLedger(ledger_of(home))
    try:
        return (await ledger.page("", None, 10_000, frozenset({"none"}))).jobs
    finally:
        await ledger.close()
