"""A completed job whose clip is on a real loopback server, for tests of that server's behavior."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from hailuo_mcp.core.job import Job
from hailuo_mcp.service.session import Session
from tests.media.far_end import FarEnd, Step, serving
from tests.media.samples import clip
from tests.service.following import QUIET, submitted
from tests.support import Answerer, Wire, says, segmind, settings_for, wired

CLIP = clip()


def completed(link: str) -> Answerer:
    return says(200, {"status": "COMPLETED", "output": link})


@asynccontextmanager
async def finished(directory: Path, *steps: Step) -> AsyncGenerator[tuple[Session, Job, Wire, FarEnd]]:
    """A completed job, whose clip's host answers with these steps."""
    async with serving(*steps) as far_end:
        settings = settings_for(directory, **QUIET, SEGMIND_BASE_URL=f"http://127.0.0.1:{far_end.port}")
        opened, wire = wired(settings, segmind(status=completed(far_end.url())))
        async with opened as session:
            job = await session.status((await submitted(session)).request_id)
            assert job.video_url == far_end.url()
            yield session, job, wire, far_end
