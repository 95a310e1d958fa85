"""A completed job whose clip is on a real loopback server, for tests of that server's behavior."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from hailuo_mcp.core.job import Job
from hailuo_mcp.service.session import Session
from tests.media.remote_server import RemoteServer, Step, serving
from tests.media.samples import clip
from tests.service.polled_jobs import QUIET, submitted
from tests.support import Answerer, Wire, says, segmind, settings_for, wired

CLIP = clip()


def completed(link: str) -> Answerer:
    return says(200, {"status": "COMPLETED", "output": link})


@asynccontextmanager
async def finished(directory: Path, *steps: Step) -> AsyncGenerator[tuple[Session, Job, Wire, RemoteServer]]:
    """A completed job, whose clip's host answers with these steps."""
    async with serving(*steps) as remote:
        settings = settings_for(directory, **QUIET, SEGMIND_BASE_URL=f"http://127.0.0.1:{remote.port}")
        opened, wire = wired(settings, segmind(status=completed(remote.url())))
        async with opened as session:
            job = await session.status((await submitted(session)).request_id)
            assert job.video_url == remote.url()
            yield session, job, wire, remote
