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
from tests.fault_injection.gateway import Moment, WatchedGateway, clip_of, watched_gateway
from tests.fault_injection.stdio import ServerGoneError, StdioServer, clips_of, ledger_of, stdio_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SEED = 20261121
KILLS, PROMPTS = 50, 200
NEW_IN_A_LIFE, OLD_IN_A_LIFE = 4, 6
LIFE_SECONDS = 6.0
"""A server whose moment has not come after this time is killed anyway."""
LAST_LIFE_SECONDS = 120.0
MOMENTS = tuple(moment for moment in Moment if moment is not Moment.HISTORY_ASKED)


@dataclass(slots=True)
class Errand:
    """One clip that a user wants: requested until it is there."""

    prompt: str
    model: str
    request_id: str | None = None
    job: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def done(self) -> bool:
        return bool(self.job.get("video_path"))

    async def go(self, server: StdioServer) -> None:
        """What an assistant does: repeat the same call until there is an id, then poll."""
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

    def __init__(self, gateway: WatchedGateway, dice: random.Random) -> None:
        self._dice = dice
        self._pid: int | None = None
        self._moment = Moment.SUBMISSION_CAME
        self._left = 0
        self.killed: Counter[str] = Counter()
        gateway.on_moment = self._on_moment

    def aim(self, pid: int, moment: Moment) -> None:
        self._moment, self._left = moment, self._dice.randint(1, 3)
        self._pid = pid

    async def _on_moment(self, moment: Moment, _path: str) -> None:
        if self._pid is None or moment is not self._moment:
            return
        self._left -= 1
        if self._left == 0:
            pid, self._pid = self._pid, None
            await asyncio.sleep(self._dice.choice((0.0, 0.0, 0.001, 0.005, 0.02)))
            self.killed[moment] += 1
            os.kill(pid, signal.SIGKILL)


async def live_and_die(
    home: Path, gateway: WatchedGateway, killer: Killer, moment: Moment, errands: list[Errand]
) -> None:
    async with stdio_server(home, **gateway.environment) as server:
        await server.initialize()
        killer.aim(server.pid, moment)
        work = [asyncio.create_task(errand.go(server)) for errand in errands]
        try:
            async with asyncio.timeout(LIFE_SECONDS):
                await server.gone()
        except TimeoutError:
            killer.killed["nothing special"] += 1
            server.kill()
            await server.gone()
        for task in work:
            task.cancel()
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        strange = [o for o in outcomes if o and not isinstance(o, (ServerGoneError, asyncio.CancelledError))]
        assert not strange


async def test_fifty_kills_lose_no_paid_clip_and_pay_none_twice(tmp_path: Path, figures: Callable[[str], None]) -> None:
    dice = random.Random(SEED)
    moments = [MOMENTS[number % len(MOMENTS)] for number in range(KILLS)]
    dice.shuffle(moments)
    errands = [
        Errand(f"kite number {number}", "aimlapi/hailuo-02" if number % 5 == 4 else "segmind/minimax-hailuo-2")
        for number in range(PROMPTS)
    ]
    with watched_gateway(tmp_path / "gateway", seconds=0.3) as gateway:
        killer = Killer(gateway, dice)
        begun: list[Errand] = []
        for moment in moments:
            new = errands[len(begun) : len(begun) + NEW_IN_A_LIFE]
            old = [errand for errand in begun if not errand.done]
            begun += new
            chosen = new + dice.sample(old, min(OLD_IN_A_LIFE, len(old)))
            await live_and_die(tmp_path, gateway, killer, moment, chosen)
        async with stdio_server(tmp_path, **gateway.environment) as server:
            await server.initialize()
            work = [asyncio.create_task(errand.go(server)) for errand in errands]
            await asyncio.wait_for(_settled(work, errands, gateway), LAST_LIFE_SECONDS)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            assert await server.close() == 0
        left_behind = _make_old(clips_of(tmp_path))
        errands.append(Errand("one kite more", "segmind/minimax-hailuo-2"))
        async with stdio_server(tmp_path, **gateway.environment) as server:
            await server.initialize()
            await asyncio.wait_for(errands[-1].go(server), 20)
        jobs = await _jobs_in(tmp_path)
        paid = gateway.paid()

    unconfirmed = [job for job in jobs if job.state is State.UNCONFIRMED]
    found = {(job.model.split("/")[0], job.remote_id): job for job in jobs if job.remote_id}
    nameless = [job for job in paid if (job.gateway, job.remote_id) not in found]
    killed = ", ".join(f"{moment} {times}" for moment, times in sorted(killer.killed.items()))
    figures(
        f"{sum(killer.killed.values())} kills: {killed}\n"
        f"{gateway.submissions} submissions, {len(paid)} paid jobs for {PROMPTS} prompts, {len(jobs)} in the ledger, "
        f"{len(unconfirmed)} unconfirmed, of which {len(nameless)} were taken by a gateway without a history; "
        f"{gateway.moments[Moment.HISTORY_ASKED]} questions to the history, "
        f"{sum(gateway.clips_asked.values())} downloads begun for {len(paid)} clips, "
        f"{len(left_behind)} temporary files left behind by kills"
    )
    # Nothing twice.
    assert len({job.prompt for job in paid}) == len(paid)
    assert len({job.prompt for job in jobs}) == len(jobs)
    # Nothing lost: by its id, or, where the gateway has no history to ask, as an open question with the same prompt.
    assert {job.prompt for job in nameless} <= {job.prompt for job in unconfirmed}
    assert {job.gateway for job in nameless} <= {"aimlapi"}
    # Everything known is on disk, whole.
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
    # What kills left behind is gone with the first clip saved after its hour.
    assert sorted(clips_of(tmp_path).iterdir()) == clips


async def _settled(work: list[asyncio.Task[None]], errands: list[Errand], gateway: WatchedGateway) -> None:
    """Waits until all clips are there, except for submissions that cannot be found."""
    while True:
        await asyncio.sleep(0.5)
        open_ones = [errand for errand, task in zip(errands, work, strict=True) if not task.done()]
        findable = {job.prompt for job in gateway.paid() if job.gateway == "segmind"}
        if all(e.job.get("state") == "unconfirmed" and e.prompt not in findable for e in open_ones):
            return


def _make_old(directory: Path) -> list[Path]:
    """Make leftover files that are not clips look two hours old."""
    left_behind = [path for path in directory.iterdir() if path.suffix != ".mp4"]
    for path in left_behind:
        moment = path.stat().st_mtime - 7200
        os.utime(path, (moment, moment))
    return left_behind


async def _jobs_in(home: Path) -> tuple[Job, ...]:
    ledger = SqliteLedger(ledger_of(home))
    try:
        return (await ledger.page("", None, 10_000, frozenset({"none"}))).jobs
    finally:
        await ledger.close()
