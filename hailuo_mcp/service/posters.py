"""Posters: a small image of the first frame, shown before a clip plays."""

import logging
from collections import OrderedDict
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import anyio
import anyio.to_thread

from hailuo_mcp.core.job import Job
from hailuo_mcp.media.given import LoadedFile
from hailuo_mcp.media.posters import clip_poster, image_poster

log = logging.getLogger(__name__)

KEPT_MAX = 64
"""About 3 MB. They are kept only in memory: a caller's image is never written to disk."""
AT_ONCE = 2


@cache
def can_read_clips() -> bool:
    """Whether frames can be taken from clips here; that needs the `media` extra."""
    return find_spec("av") is not None


class Posters:
    """The newest posters, by job. A missing poster is not an error: views then show none."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._limiter = anyio.CapacityLimiter(AT_ONCE)

    def may_have(self, job: Job) -> bool:
        return job.id in self._kept or bool(job.video_path and can_read_clips())

    async def keep(self, job: Job, first_frame: LoadedFile | None) -> None:
        """Keep a small copy of the image that the clip begins with. An image given by URL is never fetched."""
        if first_frame is not None and first_frame.content:
            await self._make(job.id, partial(image_poster, first_frame.content))

    async def get(self, job: Job) -> bytes | None:
        """The poster as a JPEG, taken from the saved clip if necessary; None if there is none."""
        if job.id not in self._kept and job.video_path and can_read_clips():
            await self._make(job.id, partial(clip_poster, Path(job.video_path)))
        return self._kept.get(job.id)

    async def _make(self, job_id: str, draw: partial[bytes]) -> None:
        try:
            self._kept[job_id] = await anyio.to_thread.run_sync(draw, limiter=self._limiter)
        except Exception as error:  # Pillow and PyAV raise many kinds; a view does without
            log.debug("no poster of %s: %s", job_id, type(error).__name__)
        while len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)
