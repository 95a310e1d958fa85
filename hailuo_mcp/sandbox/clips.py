"""The clips of completed jobs: rendered at the first request, cached, and served with ranges. A link may expire."""

import importlib
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox.assets import Assets
from hailuo_mcp.sandbox.jobs import Job, Phase
from hailuo_mcp.sandbox.store import Store

ROUTE = "/sandbox/clips/"
MEDIA_TYPE = "video/mp4"
ENDS = "Expires"
"""Query parameter of a link: the Unix time after which it gets a 403, as in object storage."""


class Clips:
    def __init__(self, directory: Path, assets: Assets, *, render: bool) -> None:
        self._directory = directory
        self._assets = assets
        self._may_render = render
        self._rendering = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)

    async def path(self, job: Job) -> Path:
        """The clip of a completed job, rendered if necessary."""
        return await to_thread.run_sync(self._path, job)

    def _path(self, job: Job) -> Path:
        clip = self._directory / f"{job.id}.mp4"
        if clip.exists():
            return clip
        if not (self._may_render and _has_pyav()):
            return Path(__file__).with_name("preview-10s.mp4" if job.shot.seconds == 10 else "preview-6s.mp4")
        # One clip at a time, because rendering uses every core. A caller that waited may find the clip rendered.
        with self._rendering:
            if not clip.exists():
                self._render(job, clip)
        return clip

    def _render(self, job: Job, clip: Path) -> None:
        # Pillow and PyAV are loaded with the first clip: a server in sandbox mode starts without them.
        from hailuo_mcp.sandbox.preview import render

        handle, name = tempfile.mkstemp(dir=self._directory, suffix=".part")
        os.close(handle)
        part = Path(name)
        try:
            render(job.shot, self._assets.read, part)
            # Another process may do the same; the last rename wins, and a reader keeps the file it has open.
            part.replace(clip)
        finally:
            part.unlink(missing_ok=True)


def _has_pyav() -> bool:
    try:
        importlib.import_module("av")
    except ImportError:
        return False
    return True


def clip_route(clips: Clips, store: Store, clock: Callable[[], float]) -> Route:
    async def serve(request: Request) -> Response:
        job = await to_thread.run_sync(store.get, request.path_params["id"])
        if job is None or job.phase(clock()) is not Phase.COMPLETED:
            return JSONResponse({"error": "No such clip"}, 404)
        ends = request.query_params.get(ENDS)
        if ends is not None and not (ends.isascii() and ends.isdigit() and clock() < int(ends)):
            return JSONResponse({"error": "Request has expired"}, 403)
        return FileResponse(await clips.path(job), media_type=MEDIA_TYPE)

    return Route(ROUTE + "{id}.mp4", serve, methods=["GET"])
